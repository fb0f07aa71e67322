"""What the section on resolution says: its sentences are functions of summary rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.results.drawing.style import counted
from backsight.results.pages.follows import points
from backsight.results.pages.wording import listed, omitted, percent, uncorrected

Row = Mapping[str, Any]
Rows = Sequence[Row]

QUESTION = "Does it hold at other sizes than its own?"
CAPTION = (
    "Accuracy on the same scenes at other sizes and proportions, with 95 % intervals; the dashed line is chance. "
    "Sizes are columns x rows of image tokens where the model's grid follows the picture."
)
METHOD = (
    "The picture is resized (Lanczos) to so many twelfths of its own columns and rows, and the same question asked. "
    "A family of variable picture size lays a grid of so many more or fewer tokens over it: the bounds that its "
    "processor sets on pixels are lifted. Others resize it back to their own size, so that a small picture is "
    "blurred and one of other proportions distorted. A question whose relation is no longer clear under other "
    "proportions (by CREG's ratio of 1.5) is left out there. Differences from the own size are paired; intervals "
    "hold 95 %, with pictures as units.",
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
PROBE_NOTE = "Gain: the share read, less that of a probe of shuffled thirds, paired over pictures."


def label(row: Row) -> str:
    """A size for figures and tables: the token grid, and what was asked for."""
    grid = f"{row['columns']:.3g} x {row['rows']:.3g}"
    return f"{grid} (own)" if row["size"] == "own" else grid


def sentence(title: str, rows: Rows) -> str:
    """Accuracy at the own size and at each other one, from a suite's rows."""
    own = next((row for row in rows if row["size"] == "own"), None)
    if own is None:
        return ""
    if own["omitted"]:
        return f"{title}: {omitted(own['questions'], 'question')}."
    parts = []
    for row in rows:
        if row["size"] != "own" and not row["omitted"]:
            at = label(row) if label(row) != label(own).removesuffix(" (own)") else f"{row['size']} of 12 x 12"
            parts.append(f"at {at} {percent(row['accuracy'])} ({points(row, 'difference')}, {_verdict(row)})")
    start = f"{title}: {percent(own['accuracy'])} right at the own size, {label(own).removesuffix(' (own)')} tokens"
    chance = f"chance {percent(own['chance'])}, {counted(own['questions'], 'question')}"
    if not _above_chance(own):
        return f"{start} ({chance}): no better than by guessing, so that nothing can fall."
    return f"{start} ({chance}); {', '.join(parts)}." if parts else f"{start} ({chance})."


def _verdict(row: Row) -> str:
    if row["difference_high"] < 0:
        return "lower"
    return "higher" if row["difference_low"] > 0 else "not shown to differ"


def _above_chance(row: Row) -> bool:
    return not row["omitted"] and bool(row["low"] > row["chance"])


def lead(named: Sequence[tuple[str, Rows]]) -> str:
    """At which sizes accuracy falls, over suites answered above chance at the own size; empty where there is none."""
    able = [(t, rows) for t, rows in named if any(r["size"] == "own" and _above_chance(r) for r in rows)]
    other = [(t, r) for t, rows in able for r in rows if r["size"] != "own" and not r["omitted"]]
    if not other:
        return ""
    fallen = [(title, row) for title, row in other if row["difference_high"] < 0]
    sizes = f"{counted(len(other), 'test')} of a suite at another size"
    if not fallen:
        return f"In none of {sizes} is accuracy shown to fall."
    worst_title, worst = min(fallen, key=lambda one: float(one[1]["difference"]))
    return (
        f"Accuracy falls in {len(fallen)} of {sizes}{uncorrected(len(other))}, most on {worst_title} at {label(worst)} "
        f"tokens: by {100 * -worst['difference']:.1f}\u00a0points to {percent(worst['accuracy'])}."
    )


def probe_sentence(title: str, rows: Rows) -> str:
    """What probes fitted at the own size read at the others, from a suite's rows of `resolution_probes`."""
    given = [row for row in rows if row["fitted"] == "own" and not row["omitted"]]
    if not given:
        return f"{title}: no probe was scored on enough pictures." if rows else ""
    parts = []
    for axis in dict.fromkeys(row["axis"] for row in given):
        for layer in dict.fromkeys(row["layer"] for row in given):
            of = {row["size"]: row for row in given if (row["axis"], row["layer"]) == (axis, layer)}
            if "own" not in of:
                continue
            if not any(_above_shuffled(row) for row in of.values()):
                parts.append(f"{axis} at layer {layer}: at no size above shuffled thirds")
                continue
            others = [f"{percent(row['share'])} at {size}{_reads(row)}" for size, row in of.items() if size != "own"]
            own = f"{percent(of['own']['share'])} at the own size{_reads(of['own'])}"
            parts.append(f"{axis} at layer {layer}: {listed([own, *others])}")
    shuffled = percent(sum(row["shuffled"] for row in given) / len(given))
    return f"{title}: a probe fitted at the own size reads the third of a thing's token ({'; '.join(parts)}; " + (
        f"shuffled thirds: {shuffled} on average)."
    )


def _above_shuffled(row: Row) -> bool:
    return bool(row["gain_low"] > 0)


def _reads(row: Row) -> str:
    return "" if _above_shuffled(row) else " (not above shuffled)"
