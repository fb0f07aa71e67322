"""One figure of the positional experiment: accuracy of relations of every setting and condition, a dot a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from backsight.errors import DataError
from backsight.maths.grouping import expect
from backsight.results.drawing import style
from backsight.results.positional.settings import SETTINGS
from backsight.results.positional.tables import PLACEMENTS, SIZES, TRAINED, UNSEEN
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CHANCE = 0.5
ROW = 0.27  # inches, of a setting
# Both placements are told apart by marker and side too.
LOOKS: Mapping[str, dict[str, Any]] = {
    "cells": {"color": style.BLUE, "marker": "o", "markersize": 3.6},
    "fractions": {"color": style.ORANGE, "marker": "s", "markersize": 3.2, "markerfacecolor": "none"},
}
SHIFT = {"cells": -0.16, "fractions": 0.16}


def draw(table: Table) -> Figure:
    """Settings down, conditions across; DataError for a table without accuracies of relations.

    Dots are seeds, a bar their mean, a gray cross the accuracy on a gray picture.
    """
    from matplotlib.figure import Figure

    expect(table, "positional")
    rows = [r for r in table.rows() if r["measure"] == "relation" and r["axis"] == "all" and r["value"] is not None]
    if not rows:
        raise DataError("The table has no rows to draw", where=table.schema.name)
    shown = [one for one in SETTINGS if any(row["setting"] == one.name for row in rows)]
    panels = [TRAINED, UNSEEN, *SIZES]
    with style.style():
        figure = Figure(figsize=(style.WIDTH + 0.6, 1.25 + ROW * len(shown)))
        axes = figure.subplots(1, len(panels), sharey=True)
        for axis, name in zip(axes, panels, strict=True):
            _panel(axis, name, [one.name for one in shown], rows)
        axes[0].set_yticks(range(len(shown)), labels=[_label(one) for one in shown])
        axes[0].set_ylim(len(shown) - 0.4, -0.6)
        _legend(figure)
        height = figure.get_figheight()
        figure.subplots_adjust(left=0.3, right=0.985, bottom=0.55 / height, top=1 - 0.75 / height, wspace=0.2)
    return figure


def _label(one: Any) -> str:
    part = {"vision encoder": "vision: ", "language model": "language: "}.get(one.part, "")
    return f"{part}{one.title}"


def _panel(axis: Axes, name: str, settings: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    size = SIZES.get(name)
    below = f"{size[0]}\u00d7{size[1]} cells" if size else "8\u00d78 cells"
    axis.set_title(f"{name[:1].upper() + name[1:]}\n{below}", fontsize=8)
    axis.axvline(CHANCE, color=style.SOFT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    for place, setting in enumerate(settings):
        for placement in PLACEMENTS if size else PLACEMENTS[:1]:
            condition = f"{name}, {placement}" if size else name
            of = [row for row in rows if row["setting"] == setting and row["condition"] == condition]
            if not of:
                continue
            at, look = place + (SHIFT[placement] if size else 0.0), LOOKS[placement]
            values = [row["value"] for row in of]
            mean = sum(values) / len(values)
            axis.plot([mean, mean], [at - 0.15, at + 0.15], color=look["color"], linewidth=1.4, zorder=2)
            axis.plot(values, [at] * len(values), linestyle="none", clip_on=False, zorder=3, **look)
            blank = [row["null"] for row in of if row["null"] is not None]
            axis.plot(blank, [at] * len(blank), linestyle="none", marker="x", color=style.GRAY, markersize=3, zorder=2)
    axis.set_xlim(0, 1)
    axis.set_xticks([0, 0.5, 1], labels=["0", ".5", "1"])
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="y", color=style.FAINT, linewidth=0.5)
    axis.set_axisbelow(True)


def _legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D

    entries = [
        (Line2D([], [], linestyle="none", **LOOKS["cells"]), "a seed; other sizes: rows at the same cells"),
        (Line2D([], [], linestyle="none", **LOOKS["fractions"]), "at the same fractions of the picture"),
        (Line2D([], [], linestyle="none", marker="|", color=style.INK, markersize=8), "mean"),
        (Line2D([], [], linestyle="none", marker="x", color=style.GRAY, markersize=3), "gray picture"),
        (Line2D([], [], color=style.SOFT, linewidth=0.8, linestyle=(0, (4, 3))), "chance"),
    ]
    handles, words = zip(*entries, strict=True)
    figure.legend(handles, words, loc="lower left", ncols=5, borderaxespad=0.2, fontsize=8)
    figure.text(0.01, 0.985, "Accuracy of relations between two, by setting and condition", va="top", fontweight="bold")
