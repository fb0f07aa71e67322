"""The words of the comparison: a verdict a claim, a sentence a number, and the table as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Literal

from backsight.tables import Table

Row = dict[str, Any]
Verdict = Literal["confirmed", "not confirmed", "undecided"]
MARGIN = 0.05  # a difference of shares that is too small to count
CLAIM = "Localised pre-training puts position into the encoder, where contrastive pre-training on captions does not."
JUDGED = (
    ("region retrieval", "pooled tokens"), ("column probe", "output"), ("row probe", "output"), ("relations", "closed"),
)  # fmt: skip
LABELS = {
    ("relations", "closed"): "relations, language pathway closed",
    ("relations", "open"): "relations, language pathway open",
    ("region retrieval", "pooled tokens"): "region of a text, encoder's own pooling",
    ("region retrieval", "prompter"): "region of a text, prompter",
    ("box IoU", "prompter"): "IoU of the box of a text, prompter",
    ("column probe", "output"): "column probe, output",
    ("row probe", "output"): "row probe, output",
    ("naming", ""): "naming a thing",
    ("retrieval", "text of a picture"): "text of a picture",
    ("retrieval", "picture of a text"): "picture of a text",
    ("region naming", "pooled tokens"): "naming a region, encoder's own pooling",
    ("region naming", "prompter"): "naming a region, prompter",
    ("presence", "closed"): "presence, language pathway closed",
    ("presence", "open"): "presence, language pathway open",
}


def label(row: Row) -> str:
    """What a row measures, in words."""
    key = (row["measure"], row["part"])
    return LABELS.get(key, ", ".join(part for part in key if part))


def verdict(row: Row | None) -> Verdict:
    """Whether CLOC-style exceeds CLIP-style: confirmed where the interval of the difference lies above zero; not
    confirmed where it reaches no further than `MARGIN` above zero; undecided otherwise, or without an interval.
    """
    if row is None or row["difference_low"] is None or _flat(row):
        return "undecided"
    if row["difference_low"] > 0:
        return "confirmed"
    return "not confirmed" if row["difference_high"] < MARGIN else "undecided"


def claim(summary: Table) -> str:
    """The blog's sentence on CLOC: confirmed where each of `JUDGED` is, not confirmed where one is not, else undecided.

    One sentence a measure follows, with its own verdict and numbers.
    """
    rows = [(key, _of(summary, *key)) for key in JUDGED]
    words = [verdict(row) for _, row in rows]
    overall: Verdict = "undecided"
    if "not confirmed" in words:
        overall = "not confirmed"
    elif all(word == "confirmed" for word in words):
        overall = "confirmed"
    sentences = [_judged(key, row) for key, row in rows]
    return " ".join([f"**{_capital(overall)}**: {CLAIM}", *sentences])


def _judged(key: tuple[str, str], row: Row | None) -> str:
    """The sentence of one measure."""
    name = _capital(LABELS.get(key, ", ".join(key)))
    if row is None or row["difference"] is None:
        return f"{name}: undecided, not measured for both."
    return (
        f"{name}: {verdict(row)}, {_share(row, 'clip')} CLIP-style and {_share(row, 'cloc')} CLOC-style (chance "
        f"{row['chance']:.2f}), {_signed(row)} paired over {row['difference_seeds']} "
        f"{'seed' if row['difference_seeds'] == 1 else 'seeds'}.{_blind(row)}"
    )


def _blind(row: Row) -> str:
    """What there is to add where neither encoder gives more than chance."""
    lows = [row[f"{name}_low"] for name in ("clip", "cloc")]
    if any(low is None for low in lows):
        return ""
    return " Neither is above chance." if all(low <= row["chance"] for low in lows) else ""


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def cost(summary: Table) -> list[str]:
    """What CLOC-style costs or gains in *what*: a sentence a measure of pictures that both have."""
    sentences = []
    for measure, part in (("naming", ""), ("retrieval", "text of a picture"), ("retrieval", "picture of a text")):
        row = _of(summary, measure, part)
        if row is None or row["difference"] is None:
            continue
        sentences.append(f"{_capital(label(row))}: {_change(row)} ({_signed(row)}).")
    return sentences


def _change(row: Row) -> str:
    low, high = row["difference_low"], row["difference_high"]
    if low is None:
        return "one common seed, so no interval"
    if _flat(row):
        return "undecided, seeds differ by the same and the interval has no width"
    if low > 0:
        return "more correct with CLOC-style pre-training"
    if high < 0:
        return "fewer correct with CLOC-style pre-training"
    if low > -MARGIN and high < MARGIN:
        return f"no difference of {MARGIN:.2f} or more"
    return "undecided, the interval holds both"


def _flat(row: Row) -> bool:
    """Whether all seeds differ by the same, which few seeds do by chance and which says nothing of further ones."""
    return bool(row["difference_high"] - row["difference_low"] < 1e-9)


def markdown(summary: Table) -> str:
    """The summary as a table in Markdown."""
    lines = [
        "| measure | chance | CLIP-style | CLOC-style | difference, paired by seed |",
        "|---|---|---|---|---|",
    ]
    for row in summary.rows():
        cells = [
            escape(label(row), quote=False), f"{row['chance']:.3f}", _share(row, "clip"), _share(row, "cloc"),
            _signed(row),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _of(summary: Table, measure: str, part: str) -> Row | None:
    rows = [row for row in summary.rows() if (row["measure"], row["part"]) == (measure, part)]
    return rows[0] if rows else None


def _share(row: Row, name: str) -> str:
    """A mean with its interval, cut to shares: .812 [.790, .834]."""
    if row[name] is None:
        return "none"
    ends = [row[f"{name}_low"], row[f"{name}_high"]]
    return f"{row[name]:.3f}" + _interval([None if end is None else min(1.0, max(0.0, end)) for end in ends])


def _signed(row: Row) -> str:
    if row["difference"] is None:
        return "none"
    low, high = row["difference_low"], row["difference_high"]
    within = "" if low is None else f" [{low:+.3f}, {high:+.3f}]"
    return f"{row['difference']:+.3f}{within}"


def _interval(ends: Sequence[float | None]) -> str:
    low, high = ends
    return "" if low is None or high is None else f" [{low:.3f}, {high:.3f}]"
