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
LABELS = {
    ("relations", "closed"): "relations, language pathway closed",
    ("relations", "open"): "relations, language pathway open",
    ("region retrieval", "pooled tokens"): "region of a text, encoder's own pooling",
    ("region retrieval", "prompter"): "region of a text, prompter",
    ("box IoU", "prompter"): "IoU of the box of a text, prompter",
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
    if row is None or row["difference_low"] is None:
        return "undecided"
    if row["difference_low"] > 0:
        return "confirmed"
    return "not confirmed" if row["difference_high"] < MARGIN else "undecided"


def claim(summary: Table) -> str:
    """The blog's sentence on CLOC, judged by relations with the language pathway closed."""
    row = _of(summary, "relations", "closed")
    word = verdict(row)
    if row is None or row["difference"] is None:
        return f"Undecided: {CLAIM} Relations with the language pathway closed were not measured for both."
    begin = f"{word[:1].upper()}{word[1:]}: {CLAIM}"
    numbers = (
        f"With the language pathway closed, relation accuracy is {_share(row, 'clip')} over the CLIP-style encoder and "
        f"{_share(row, 'cloc')} over the CLOC-style one (chance {row['chance']:.2f}); "
        f"the difference paired by seed is {_signed(row)}."
    )
    return f"{begin} {numbers}{_blind(row)}"


def _blind(row: Row) -> str:
    """What there is to add where neither encoder gives more than chance."""
    lows = [row[f"{name}_low"] for name in ("clip", "cloc")]
    if any(low is None for low in lows):
        return ""
    if all(low <= row["chance"] for low in lows):
        return " Over neither encoder is it above chance."
    return ""


def cost(summary: Table) -> list[str]:
    """What CLOC-style costs or gains in *what*: a sentence a measure of pictures that both have."""
    sentences = []
    for measure, part in (("naming", ""), ("retrieval", "text of a picture"), ("retrieval", "picture of a text")):
        row = _of(summary, measure, part)
        if row is None or row["difference"] is None:
            continue
        name = label(row)
        sentences.append(f"{name[:1].upper()}{name[1:]}: {_change(row)} ({_signed(row)}).")
    return sentences


def _change(row: Row) -> str:
    low, high = row["difference_low"], row["difference_high"]
    if low is None:
        return "one common seed, so no interval"
    if low > 0:
        return "more correct with CLOC-style pre-training"
    if high < 0:
        return "fewer correct with CLOC-style pre-training"
    if low > -MARGIN and high < MARGIN:
        return f"no difference of {MARGIN:.2f} or more"
    return "undecided, the interval holds both"


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
