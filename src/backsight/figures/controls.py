"""Causal checks of relevance: knockout, occlusion, the mirror and the moved subject, one line a method.

All stand beside what constant relevance gives on the same questions: as a dashed line, or as the zero of a gain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from backsight.errors import DataError, UsageError
from backsight.figures import creg
from backsight.figures.creg import Columns, Line, Mark, Row
from backsight.results.drawing import panels, style
from backsight.tables import Table

TRUE_SECTOR = "true_sector"  # stands for a method in the line of the sector that the subject lies in
ITSELF = "knockout"
WHOSE = {"prediction": "the model's choice", "truth": "the right answer"}
ZERO: dict[str, Any] = {"color": style.SOFT, "linewidth": 0.8}
Make = Callable[[Sequence[Row]], list[Line]]


def knockout_summary(
    table: Table, *, columns: int | None = None, titles: Mapping[str, str] | None = None
) -> Figure:  # fmt: skip
    """Rank correlation with the tokens' effects, and what is gained on the layout in angle to their compass.

    Two panels a suite and prompt. Filled: attention to a token is cut; hollow: its embedding is the empty picture's.
    """
    rows = [row for row in _rows(table) if row["method"] != ITSELF]
    views = (
        ("correlation", Columns("correlation", "correlation_low", "correlation_high"), "rank correlation"),
        ("gain", Columns("angle_gain", "gain_low", "gain_high"), "gain on the layout in degrees"),
    )
    found, marks = [], []
    for (suite, prompt), group in creg.by_prompt(rows).items():
        ranked = _ranked(group)
        for name, where, label in views:
            lines = [_both_forms(group, method, where) for method in ranked]
            marks += [mark for line in lines for mark in line.marks]
            found.append(_made(suite, prompt, group, lines, label, titles, shares=name == "correlation"))
    words = ((creg.FILLED, "attention to the token cut, 95 % interval"),
             (creg.HOLLOW, "embedding of the empty picture (hollow)"))  # fmt: skip
    entries = [*_legend(words, marks), *_legend([(creg.REFERENCE, "references")], marks)]
    with style.style():
        return panels.draw(found, entries, columns if columns == 1 else 2)


def _ranked(group: Sequence[Row]) -> list[str]:
    """Methods by their correlation, the highest first, as the attention to a token is cut; references behind them."""
    of = {row["method"]: row["correlation"] for row in group if row["form"] == "attention"}
    methods = creg.in_order([row["method"] for row in group])

    def rank(method: str) -> tuple[bool, float]:
        value = of.get(method)
        return method in creg.REFERENCE_WORDS, 2.0 if value is None else -float(value)

    return sorted(methods, key=rank)


def _both_forms(group: Sequence[Row], method: str, where: Columns) -> Line:
    mine = [row for row in group if row["method"] == method]
    marks = []
    for row in mine:
        if not row["omitted"] and row[where.value] is not None:
            plain = creg.REFERENCE if method in creg.REFERENCE_WORDS else creg.FILLED
            hollow = {"markerfacecolor": "white", "markeredgewidth": 1.1}
            looks = plain if row["form"] == "attention" else {**plain, **hollow}
            marks.append(Mark(row[where.value], row[where.low], row[where.high], looks))
    said = f"omitted (n={mine[0]['questions']})" if mine[0]["omitted"] else "the same everywhere: no ranks"
    return Line(method, tuple(marks), "" if marks else said)


def occlusion_summary(
    table: Table, *, variant: str | None = None, over: str = "options", of: str = "prediction",
    columns: int | None = None, titles: Mapping[str, str] | None = None,
) -> Figure:  # fmt: skip
    """Causal occlusion scores of the true sector and of each method's own peak, one panel a suite and prompt.

    Filled: against the opposite sector; hollow: against the two neighbours. `variant` is the table's first one where
    none is given; `over` is options or vocabulary; `of` is prediction or truth: whose log p, and what methods explain.
    """
    rows = _rows(table)
    present = list(dict.fromkeys(row["variant"] for row in rows))
    chosen = present[0] if variant is None else variant
    for name, got in (("variant", chosen), ("over", over), ("of", of)):
        known = list(dict.fromkeys(row[name] for row in rows))
        if got not in known:
            raise UsageError("There is no such occlusion", got=got, do=f"choose from: {', '.join(known)}")
    rows = [r for r in rows if (r["variant"], r["over"], r["of"]) == (chosen, over, of) and r["target"] in (None, of)]
    found, marks = [], []
    for (suite, prompt), group in creg.by_prompt(rows).items():
        lines = _scores(group)
        marks += [mark for line in lines for mark in line.marks]
        found.append(_made(suite, prompt, group, lines, f"COS, in log p of {WHOSE[of]}", titles))
    words = ((creg.FILLED, "against the opposite sector, 95 % interval"),
             (creg.HOLLOW, "against the two neighbours (hollow)"))  # fmt: skip
    entries = [*_legend(words, marks), *_legend([(creg.REFERENCE, "references")], marks)]
    with style.style():
        return panels.draw(found, entries, columns)


def _scores(group: Sequence[Row]) -> list[Line]:
    """The sectors that methods indicate, then the true sector and those of the references."""
    of = {TRUE_SECTOR if row["sector"] == "true" else row["method"]: row for row in group}
    lines = []
    for method in creg.in_order(list(of)):
        row = of[method]
        plain = creg.REFERENCE if method in creg.REFERENCE_WORDS else creg.FILLED
        hollow = {**plain, "markerfacecolor": "white", "markeredgewidth": 1.1}
        marks = () if row["omitted"] else (
            Mark(row["score"], row["low"], row["high"], plain),
            Mark(row["against_adjacent"], row["adjacent_low"], row["adjacent_high"], hollow),
        )  # fmt: skip
        lines.append(Line(method, marks, "" if marks else f"omitted (n={row['questions']})"))
    return lines


def moved_summary(table: Table, *, columns: int | None = None, titles: Mapping[str, str] | None = None) -> Figure:
    """Angle between the turn of the compass and that of the subject, beside what constant relevance gives."""
    where = Columns("followed", "low", "high", "followed_null")
    return _beside_null(table, where, "angle between both turns, in degrees", columns, titles)


def flip_summary(table: Table, *, columns: int | None = None, titles: Mapping[str, str] | None = None) -> Figure:
    """Pearson's r of a picture's compass and that of its mirror image turned back, beside constant relevance."""
    where = Columns("r", "low", "high", "r_null")
    return _beside_null(table, where, "Pearson's r over the sectors", columns, titles, shares=True)


def _beside_null(
    table: Table, where: Columns, label: str, columns: int | None, titles: Mapping[str, str] | None, *,
    shares: bool = False,
) -> Figure:  # fmt: skip
    found, marks = [], []
    for (suite, prompt), group in creg.by_prompt(_rows(table)).items():
        lines = [line for line in creg.lines_of(group, where) if line.method not in creg.REFERENCE_WORDS]
        marks += [mark for line in lines for mark in line.marks]
        found.append(_made(suite, prompt, group, lines, label, titles, shares=shares))
    with style.style():
        return panels.draw(found, [*creg.of_targets(marks), creg.null_entry()], columns)


def _rows(table: Table) -> list[Row]:
    rows = table.rows()
    if not rows:
        raise DataError("The table has no rows to draw", where=table.schema.name)
    return rows


def _made(
    suite: str, prompt: str | None, group: Sequence[Row], lines: Sequence[Line], label: str,
    titles: Mapping[str, str] | None, *, shares: bool = False,
) -> panels.Panel:  # fmt: skip
    """A panel of lines around zero; where all of them are omitted it says so."""
    empty = ""
    if not any(line.marks for line in lines):
        empty = f"omitted: {style.counted(max(row['questions'] for row in group), 'question')}"
    title, below = style.suite_title(suite, titles), creg.counts(group, prompt)
    draw = partial(_panel, lines=lines, label=label, shares=shares)
    return panels.Panel(title, below, draw, empty, height=creg.height(lines))


def _panel(axis: Axes, lines: Sequence[Line], label: str, shares: bool) -> None:
    """The lines; `shares` says that no value lies beyond one."""
    ends = [end for line in lines for mark in line.marks for end in (mark.low, mark.high, mark.value)]
    given = [0.0, *(end for end in ends if end is not None), *(line.null for line in lines if line.null is not None)]
    low, high = min(given), 1.0 if shares else max(given)
    space = 0.05 * ((high - low) or 1.0)
    axis.axvline(0.0, **ZERO, zorder=1)
    creg.draw_lines(axis, lines, low)
    axis.set(xlim=(low - space, high + space), xlabel=label)


def _legend(
    words: Sequence[tuple[Mapping[str, Any], str]], marks: Sequence[Mark]
) -> list[panels.Entry]:  # fmt: skip
    """An entry for each look that some mark has."""
    there = [mark.look for mark in marks]
    return [(Line2D([], [], **look, linewidth=1.3), said) for look, said in words if look in there]
