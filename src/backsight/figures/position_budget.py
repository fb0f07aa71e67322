"""How far rotary positions turn over the grid, frequency by frequency: one panel a part and kind of layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from backsight.errors import DataError
from backsight.results.drawing import panels, style
from backsight.tables import Table

Row = dict[str, Any]
# Rows are hollow and larger, so that both show where they fall together.
AXES: dict[str, dict[str, Any]] = {
    "row": {"color": style.ORANGE, "marker": "s", "markerfacecolor": "none", "markeredgewidth": 1.0},
    "column": {"color": style.BLUE, "marker": "o"},
}
SIZES = {"row": 5.6, "column": 3.4}
PART_WORDS = {"vision": "Vision encoder", "language": "Language model"}
WHOLE_TURN = 6.283


def position_budget(table: Table, *, columns: int | None = None, titles: Mapping[str, str] | None = None) -> Figure:
    """Radians over the grid of each frequency that rows and columns are given, on a logarithmic scale.

    `columns` is the number of panels across; 1 is for a phone.
    """
    rows = table.rows()
    if not rows:
        raise DataError("The table has no rows to draw", where=table.schema.name)
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["part"], row["layers"]), []).append(row)
    found = []
    for (part, layers), group in groups.items():
        title = PART_WORDS[part] + (f", {layers.replace('_', ' ')}" if layers != "all" else "")
        cells = {row["axis"]: row["cells"] for row in group}
        below = f"{cells.get('row', 0)} rows, {cells.get('column', 0)} columns"
        found.append(panels.Panel(title, below, partial(_panel, group=group)))
    entries: list[panels.Entry] = [
        (Line2D([], [], **look, linestyle="none", markersize=SIZES[axis]), f"given to {axis}s")
        for axis, look in AXES.items()
    ]
    entries.append((Line2D([], [], **panels.CHANCE), "a whole turn"))
    with style.style():
        return panels.draw(found, entries, columns, across=3)


def _panel(axis: Axes, group: Sequence[Row]) -> None:
    axis.axhline(WHOLE_TURN, **panels.CHANCE, zorder=1)
    for name, look in AXES.items():
        mine = [row for row in group if row["axis"] == name]
        x, y = [row["frequency"] for row in mine], [row["radians_grid"] for row in mine]
        size = SIZES[name] * (1.0 if len(mine) < panels.DENSE else 0.7)
        axis.plot(x, y, **look, linestyle="none", markersize=size, zorder=3)
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set(xlabel="frequency, fastest first", ylabel="radians over the grid")
    axis.grid(axis="y", color=style.FAINT, linewidth=0.6)
    axis.set_axisbelow(True)
