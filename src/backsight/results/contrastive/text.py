"""The words of the comparison: the claims with their verdicts, a sentence a number, and the table as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, get_args

from backsight.maths.verdicts import Verdict
from backsight.results.contrastive.claims import SENTENCES, Kind
from backsight.results.drawing.style import counted
from backsight.results.pages.wording import listed
from backsight.tables import Table

Row = dict[str, Any]
LABELS = {
    ("relations", "closed"): "relations, language pathway closed",
    ("relations", "open"): "relations, language pathway open",
    ("relations moved", "closed"): "relations at new positions, language pathway closed",
    ("relations moved", "open"): "relations at new positions, language pathway open",
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
HEADLINE = ("column and row probes, output", "relations, language pathway closed", "naming a thing")
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


def label(row: Row) -> str:
    """What a row measures, in words."""
    key = (row["measure"], row["part"])
    return LABELS.get(key, ", ".join(part for part in key if part))


def claim(kind: Kind, rows: Sequence[Row]) -> str:
    """A claim's sentence with how many of its measures say what; `rows` are those of the claims' table."""
    mine = [row for row in rows if row["claim"] == kind]
    counts = {word: sum(row["verdict"] == word for row in mine) for word in VERDICTS}
    words = {word: number for word, number in counts.items() if number}
    if len(words) == 1:
        head = f"{_capital(next(iter(words)))} by {'all ' if len(mine) > 1 else ''}{counted(len(mine), 'measure')}"
    else:
        head = _capital(listed(f"{word} by {number}" for word, number in words.items())) + f" of {len(mine)} measures"
    return f"**{head}**: {SENTENCES[kind]}"


def headline(rows: Sequence[Row]) -> str:
    """One number each of probes, relations and naming, for both; empty where none was measured for both."""
    parts = [
        f"{row['measure']}, {row['clip']:.3f} CLIP-style and {row['cloc']:.3f} CLOC-style (chance {row['chance']:.3f})"
        for row in rows
        if row["measure"] in HEADLINE and row["claim"] != "none" and row["mean"] is not None
    ]
    return f"{_capital('; '.join(parts))}." if parts else ""


def judgements(rows: Sequence[Row]) -> str:
    """The claims' table as Markdown: a line a measure, with the numbers that its verdict is of."""
    lines = [
        "| claim | measure | chance | CLIP-style | CLOC-style | mean over seeds | seeds | p, Holm | verdict |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    before = None
    for row in rows:
        head = "" if row["claim"] == before else SENTENCES[row["claim"]]
        before = row["claim"]
        lines.append(f"| {' | '.join([head, *_judged(row)])} |")
    return "\n".join(lines) + "\n"


def _judged(row: Row) -> list[str]:
    """The cells of a measure of a claim; its verdict is of CLOC-style less CLIP-style, or of CLIP-style less chance."""
    name = escape(row["measure"], quote=False)
    if row["mean"] is None:
        which = "CLIP-style" if row["claim"] == "none" else "both in any seed"
        return [name, "", "", "", f"not measured for {which}", "0", "", row["verdict"]]
    within = "" if row["low"] is None else f" [{row['low']:+.3f}, {row['high']:+.3f}]"
    of = "CLIP-style less chance" if row["claim"] == "none" else "difference"
    cloc = "" if row["claim"] == "none" else f"{row['cloc']:.3f}"
    p = "" if row["p_holm"] is None else f"{row['p_holm']:.3f}"
    return [
        name, f"{row['chance']:.3f}", f"{row['clip']:.3f}", cloc, f"{of} {row['mean']:+.3f}{within}", str(row["seeds"]),
        p, row["verdict"],
    ]  # fmt: skip


def start(summary: Table) -> str:
    """What probes read before the first block, where nothing was learned yet; empty where they were not made."""
    rows = [row for row in summary.rows() if row["measure"].endswith(" probe")]
    parts = []
    for name, words in (("clip", "CLIP-style"), ("cloc", "CLOC-style")):
        before = [row[name] for row in rows if row["part"] == "block 0" and row[name] is not None]
        after = [row[name] for row in rows if row["part"] == "output" and row[name] is not None]
        if before and after:
            parts.append(f"from {_span(before)} to {_span(after)} with {words}")
    if not parts:
        return ""
    return (
        "The position table of both begins as sines and cosines, so that probes read column and row of a token before "
        "the first block; the question is what is left behind the last one. The probes' accuracy goes "
        f"{listed(parts)}."
    )


def _span(values: Sequence[float]) -> str:
    low, high = (f"{end:.2f}" for end in (min(values), max(values)))
    return low if low == high else f"{low}-{high}"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


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


def _share(row: Row, name: str) -> str:
    """A mean with its interval, cut to shares: .812 [.790, .834]."""
    if row[name] is None:
        return "none"
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    within = "" if low is None else f" [{max(0.0, low):.3f}, {min(1.0, high):.3f}]"
    return f"{row[name]:.3f}{within}"


def _signed(row: Row) -> str:
    if row["difference"] is None:
        return "none"
    low, high = row["difference_low"], row["difference_high"]
    within = "" if low is None else f" [{low:+.3f}, {high:+.3f}]"
    return f"{row['difference']:+.3f}{within}"
