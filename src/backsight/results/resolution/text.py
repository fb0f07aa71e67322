"""What the section on resolution says: its sentences are functions of summary rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.results.drawing.style import counted
from backsight.results.pages.follows import points, span
from backsight.results.pages.wording import listed, omitted, percent, uncorrected

Row = Mapping[str, Any]
Rows = Sequence[Row]

CAPTION = (
    "Accuracy on the same scenes at other sizes and proportions, with 95 % intervals; the dashed line is chance. "
    "Sizes are columns x rows of image tokens where the model's grid follows the picture."
)
METHOD = (
    "The picture is resized (Lanczos) to so many twelfths of its own columns and rows, and the same question asked. "
    "A family of variable picture size lays a grid of so many more or fewer tokens over it: the bounds that its "
    "processor sets on pixels are lifted. Others resize it back to their own size, so that a small picture is "
    "blurred and one of other proportions distorted. A question whose relation is no longer clear under other "
    "proportions (by CREG's ratio of 1.5) is left out there. Differences from the own size are paired.",
    "Probes (logistic regression) read from the states of things' tokens in which third of the picture they lie, as "
    "a fraction of its width or height. Each is fitted at one size on two thirds of the pictures and scored at "
    "every size on the rest, in turn, beside a probe of shuffled thirds. Along an axis those pictures count whose "
    "things lie on several thirds of it.",
)
LIMITS = (
    "A picture that is resized also changes the size of its things in tokens: a fall may come of small things that "
    "are no longer recognised as well as of positions that the model never saw.",
    "That a probe reads the thirds at another size does not say that the model does.",
)
NOTE = "Difference: less the accuracy at the picture's own size on the same questions. Grid: columns x rows of tokens."
PROBE_NOTE = (
    "Gain: the share read, less that of a probe of shuffled thirds, paired over pictures. Probes fitted at another "
    "size are in the files."
)
UNKNOWN = 0.5  # how short of what it should be a suite is that has no numbers


def label(row: Row) -> str:
    """A size for figures and tables: the token grid, and what was asked for."""
    grid = f"{row['columns']:.3g} x {row['rows']:.3g}"
    return f"{grid} (own)" if row["size"] == "own" else grid


def sentence(title: str, rows: Rows) -> str:
    """Accuracy at the own size and at each other one, lower ones first, from a suite's rows."""
    own = next((row for row in rows if row["size"] == "own"), None)
    if own is None:
        return ""
    if own["omitted"]:
        return f"{title}: {omitted(own['questions'], 'question')}."
    start = f"{title}: {_accuracy(own)} correct at the own size, {label(own).removesuffix(' (own)')} tokens"
    chance = f"chance {percent(own['chance'])}, {counted(own['questions'], 'question')}"
    if not _above_chance(own):
        return f"{start} ({chance}): not shown to be better than guessing, so that nothing can fall."
    parts = []
    for words in ("lower", "higher", "not shown to differ"):
        at = [_at(row, own) for row in rows if row["size"] != "own" and not row["omitted"] and _verdict(row) == words]
        parts += [f"{words} at {listed(at)}"] if at else []
    return f"{start} ({chance}); {'; '.join(parts)}." if parts else f"{start} ({chance})."


def short(rows: Rows) -> float:
    """How far the lowest accuracy at any size is from all correct, above chance, from 0 to 1."""
    gained = [(row["accuracy"] - row["chance"]) / (1 - row["chance"]) for row in rows if not row["omitted"]]
    return min(1.0, 1.0 - max(0.0, min(gained))) if gained else UNKNOWN


def _at(row: Row, own: Row) -> str:
    grid = label(row)
    size = f"{row['size']} of 12 x 12" if grid == label(own).removesuffix(" (own)") else grid
    return f"{size} ({percent(row['accuracy'])}, {points(row, 'difference')})"


def _accuracy(row: Row) -> str:
    return f"{percent(row['accuracy'])} [{100 * row['low']:.1f},\u00a0{100 * row['high']:.1f}]"


def _verdict(row: Row) -> str:
    if row["difference_high"] < 0:
        return "lower"
    return "higher" if row["difference_low"] > 0 else "not shown to differ"


def _above_chance(row: Row) -> bool:
    return not row["omitted"] and bool(row["low"] > row["chance"])


def claim(named: Sequence[tuple[str, Rows]]) -> str:
    """At which sizes accuracy falls, over suites answered above chance at the own size."""
    able = [(t, rows) for t, rows in named if any(r["size"] == "own" and _above_chance(r) for r in rows)]
    other = [(t, r) for t, rows in able for r in rows if r["size"] != "own" and not r["omitted"]]
    if not other:
        return (
            "Whether accuracy falls at another size cannot be told: no suite with enough questions is answered better "
            "than by guessing at its own."
        )
    fallen = [(title, row) for title, row in other if row["difference_high"] < 0]
    title, row = min(fallen or other, key=lambda one: float(one[1]["difference"]))
    most = f"on {title} at {label(row)} tokens: {_accuracy(row)} correct, {points(row, 'difference')}"
    tests = f"{counted(len(other), 'test')} of a suite at another size"
    if not fallen:
        return f"In none of {tests} is accuracy shown to fall (lowest {most})."
    return f"Accuracy falls in {len(fallen)} of {tests}{uncorrected(len(other))}, most {most}."


def null(named: Sequence[tuple[str, Rows]]) -> str:
    """What stands beside the other sizes: the own size, and chance."""
    own = [row for _, rows in named for row in rows if row["size"] == "own" and not row["omitted"]]
    if not own:
        return ""
    at, chance = (span([row[name] for row in own]) for name in ("accuracy", "chance"))
    return f"At the own size {at} are correct; chance is {chance}."


def probe_sentence(title: str, rows: Rows) -> str:
    """What probes fitted at the own size read at the others, from a suite's rows of `resolution_probes`."""
    given = [row for row in rows if row["fitted"] == "own" and not row["omitted"]]
    if not given:
        return f"{title}: no probe was scored on enough pictures." if rows else ""
    nowhere, parts = [], []
    for axis, layer in dict.fromkeys((row["axis"], row["layer"]) for row in given):
        of = {row["size"]: row for row in given if (row["axis"], row["layer"]) == (axis, layer)}
        if not any(_above_shuffled(row) for row in of.values()):
            nowhere.append(f"{axis} at layer {layer}")
        elif "own" in of:
            parts.append(f"{axis} at layer {layer}, {_shares(of)}")
    shuffled = percent(sum(row["shuffled"] for row in given) / len(given))
    words = [f"at no size above shuffled thirds: {listed(nowhere)}"] if nowhere else []
    return (
        f"{title}: a probe fitted at the own size reads the third of the picture that a thing's token lies in "
        f"({'; '.join([*words, *parts])}; shuffled thirds {shuffled} on average)."
    )


def _shares(of: Mapping[str, Row]) -> str:
    """The share at the own size, from lowest to highest at the others, and where it is not above shuffled thirds."""
    others = [row["share"] for size, row in of.items() if size != "own"]
    words = f"{percent(of['own']['share'])} at the own size" + (f" and {span(others)} at others" if others else "")
    below = ["the own size" if size == "own" else size for size, row in of.items() if not _above_shuffled(row)]
    return f"{words} (not above shuffled thirds at {listed(below)})" if below else words


def probe_short(rows: Rows) -> float:
    """The share of axes, layers and sizes at which a probe of the own size is not above shuffled thirds."""
    given = [row for row in rows if row["fitted"] == "own" and not row["omitted"]]
    return sum(not _above_shuffled(row) for row in given) / len(given) if given else UNKNOWN


def _above_shuffled(row: Row) -> bool:
    return bool(row["gain_low"] > 0)
