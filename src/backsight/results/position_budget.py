"""The rotary phase range: by how much rotary positions differ over the grid, beside the accuracy after removal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from backsight.errors import DataError
from backsight.results.base import Result
from backsight.results.drawing import panels, style
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section
from backsight.results.pages.study import Study
from backsight.results.pages.wording import listed, unbroken, with_interval
from backsight.tables import Schema, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import Formatter

Row = dict[str, Any]
POSITION_BUDGET = Schema(
    "position_budget",
    {
        "part": "str",  # vision, language
        "layers": "str",  # all, or the kind of layer that a base belongs to
        "axis": "str",  # row, column
        "frequency": "int",
        "radians_cell": "float",
        "radians_grid": "float",  # over all cells of the axis, cells - 1 steps
        "cells": "int",
    },
    "Rotary phase range: radians from cell to cell and over the grid",
)
# Rows are hollow and larger, so that both show where they fall together.
AXES: dict[str, dict[str, Any]] = {
    "row": {"color": style.ORANGE, "marker": "s", "markerfacecolor": "none", "markeredgewidth": 1.0},
    "column": {"color": style.BLUE, "marker": "o"},
}
SIZES = {"row": 5.6, "column": 3.4}
PART_WORDS = {"vision": "Vision encoder", "language": "Language model"}
WHOLE_TURN = 6.283
DIRECTIONS = {"row": ("above", "below"), "column": ("left", "right")}
CAPTION = (
    "The phase range of each rotary frequency, from the first cell to the last, along the axis that it is given to. "
    "The smaller it is, the less rotation tells of an axis: at a few hundredths of a radian hardly anything."
)
METHOD = (
    "Read from the model's settings, without a forward pass: base, head size and the sections that give frequencies to "
    "rows and columns; where image tokens are counted in raster order, a row is as many positions away as there are "
    "columns. A part that gives positions by a table has no rotary phase.",
)
LIMITS = (
    "The phase range bounds what rotation could tell; causal order and the vision encoder have positions too, and what "
    "the model uses is the question of the other sections.",
)


def ranges(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], float]:
    """The largest rotary phase range over the grid in radians, by part and axis, the smallest of them first."""
    widest: dict[tuple[str, str], float] = {}
    for row in rows:
        key = (row["part"], row["axis"])
        widest[key] = max(widest.get(key, 0.0), float(row["radians_grid"]))
    return dict(sorted(widest.items(), key=lambda one: one[1]))


def claim(rows: Sequence[Mapping[str, Any]]) -> str:
    """The phase range of each part and axis, the smallest first."""
    by_part: dict[str, dict[str, list[str]]] = {}
    for (part, axis), radians in ranges(rows).items():
        by_part.setdefault(part, {}).setdefault(f"{radians:.3g}", []).append(f"{axis}s")
    parts = [
        f"{' and '.join(f'{radians} along {listed(axes)}' for radians, axes in of.items())} in the "
        f"{PART_WORDS[part].lower()}"
        for part, of in by_part.items()
    ]
    first, space, rest = ", and ".join(parts).partition(" ")
    return f"The rotary phase range over the grid is at most {first} radians{space}{rest}."


def null(rows: Sequence[Mapping[str, Any]]) -> str:
    """Beside what the ranges stand: a whole turn, and which of them are smaller."""
    small = [
        f"the {PART_WORDS[part].lower()}'s {axis}s" for (part, axis), one in ranges(rows).items() if one < WHOLE_TURN
    ]
    turn = f"A whole turn is {WHOLE_TURN:.3g} radians"
    return f"{turn}; {listed(small)} have less." if small else f"{turn}; no axis has less."


def draw(table: Table, *, columns: int | None = None, titles: Mapping[str, str] | None = None) -> Figure:
    """Radians over the grid of each frequency that rows and columns are given, on a logarithmic scale.

    `columns` is the number of panels across; 1 is for a phone.
    """
    rows = table.rows()
    if not rows:
        raise DataError("The table has no rows to draw", where=table.schema.name)
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["part"], row["layers"]), []).append(row)
    shown_panels = []
    for (part, layers), group in groups.items():
        title = PART_WORDS[part] + (f", {layers.replace('_', ' ')}" if layers != "all" else "")
        cells = {row["axis"]: row["cells"] for row in group}
        below = f"{cells.get('row', 0)} rows, {cells.get('column', 0)} columns"
        shown_panels.append(panels.Panel(title, below, partial(_panel, group=group)))
    entries: list[panels.Entry] = [
        (panels.line(**look, linestyle="none", markersize=SIZES[axis]), f"given to {axis}s")
        for axis, look in AXES.items()
    ]
    entries.append((panels.line(**panels.CHANCE), "a whole turn"))
    with style.style():
        return panels.draw(shown_panels, entries, columns, across=3)


def _plain() -> Formatter:
    """Labels of a logarithmic axis as plain numbers, where matplotlib would set some: a page has no mathtext."""
    from matplotlib.ticker import LogFormatter

    class Plain(LogFormatter):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return f"{x:g}" if super().__call__(x, pos) else ""

    return Plain(labelOnlyBase=False)


def _panel(axis: Axes, group: Sequence[Row]) -> None:
    axis.axhline(WHOLE_TURN, **panels.CHANCE, zorder=1)
    for name, look in AXES.items():
        mine = [row for row in group if row["axis"] == name]
        x, y = [row["frequency"] for row in mine], [row["radians_grid"] for row in mine]
        size = SIZES[name] * (1.0 if len(mine) < panels.DENSE else 0.7)
        axis.plot(x, y, **look, linestyle="none", markersize=size, zorder=3)
    axis.set_yscale("log")
    for set_formatter in (axis.yaxis.set_major_formatter, axis.yaxis.set_minor_formatter):
        set_formatter(_plain())
    axis.set(xlabel="frequency, fastest first", ylabel="radians over the grid")
    axis.grid(axis="y", color=style.FAINT, linewidth=0.6)
    axis.set_axisbelow(True)


def positions(study: Study) -> Section | None:
    """The section; None without the table, or where nothing is given by rotation."""
    rows = study.rows("position_budget")
    if not rows:
        return None
    return Section(
        anchor="positions",
        question="where",
        title="Rotary phase range",
        claim=claim(rows),
        null=null(rows),
        figures=(common.figure(study, "position_budget", draw, study.tables["position_budget"], CAPTION),),
        tables=(_budget(study, rows), *_beside(study, rows)),
        method=METHOD,
        limits=LIMITS,
    )


def _budget(study: Study, rows: list[Row]) -> Grid:
    lines = []
    for part, layers, axis in dict.fromkeys((r["part"], r["layers"], r["axis"]) for r in rows):
        mine = [r for r in rows if (r["part"], r["layers"], r["axis"]) == (part, layers, axis)]
        cell, grid = (max(r[name] for r in mine) for name in ("radians_cell", "radians_grid"))
        words = PART_WORDS[part] + (f", {layers.replace('_', ' ')}" if layers != "all" else "")
        lines.append((unbroken(words), f"{axis}s", str(len(mine)), f"{cell:.3g}", f"{grid:.3g}"))
    columns = ("Part", "Axis", "Frequencies", "Radians a cell", "Radians over the grid")
    return Grid("Rotary phase range", columns, tuple(lines), words=2, files=study.files("position_budget"),
                note="The largest of all frequencies.")  # fmt: skip


def _beside(study: Study, rows: list[Row]) -> tuple[Grid, ...]:
    """The language model's phase range of each axis beside the accuracy after removal along it, where measured."""
    removed = {
        (r["suite"], r["direction"]): r
        for r in study.rows("pathways_summary")
        if r["condition"] == "removed" and r["asked"] == "order" and not r["omitted"]
    }
    lines, suites = [], []
    for suite in dict.fromkeys(suite for suite, _ in removed):
        for axis, directions in DIRECTIONS.items():
            of = [removed[suite, d] for d in directions if (suite, d) in removed]
            turns = [r["radians_grid"] for r in rows if (r["part"], r["axis"]) == ("language", axis)]
            if of and turns:
                shown = (with_interval(r["accuracy_of_two"], r["low_of_two"], r["high_of_two"]) for r in of)
                named = ", ".join(f"{r['direction']} {s}" for r, s in zip(of, shown, strict=True))
                lines.append((common.title(study, suite), f"{axis}s", f"{max(turns):.3g}", named))
                suites.append(suite)
    if not lines:
        return ()
    columns = ("Suite", "Axis", "Radians over the grid", "Accuracy of two, order removed")
    heading = "The language model's rotary phase range beside its accuracy without the vision encoder's order"
    return (Grid(heading, columns, tuple(lines), words=2, suites=tuple(suites)),)


RESULT = Result(POSITION_BUDGET, draw=draw, sections=(positions,))
