"""What and where, their gap, both pathways and CREG against a model's size, or against the steps of its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from backsight.errors import DataError
from backsight.maths.pathways import BOUND
from backsight.results.drawing import panels, style
from backsight.results.scale.tables import MEASURES, Against
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
TITLES: Mapping[str, tuple[str, str]] = {
    "what": ("What", "corrected for guessing"),
    "where": ("Where", "corrected for guessing"),
    "gap": ("Gap", "what less where"),
    "vision": ("Vision encoder", "share left"),
    "language": ("Language model", "share left"),
    "creg": ("CREG", "degrees nearer than uniform"),
}
COLORS = (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE)
MARKERS = ("o", "s", "^", "D")
APART = 1.03  # of a size's place on a logarithmic axis, between two seeds


def draw(table: Table, *, against: Against = "size", columns: int | None = None) -> Figure:
    """One panel a measure: what every run gives, with its 95 % interval over pictures.

    `size` shows the last step of every model, with a line through the means over seeds; of other recipes than that of
    the smallest model the marks are hollow and no line joins them. `steps` shows the snapshots, a line a run with a
    band of the intervals, in the colour of its size. `columns` is the number of panels across; 1 is for a phone.
    DataError where there is nothing to compare.
    """
    given = [row for row in table.rows() if row["omitted"] is None and row["value"] is not None]
    rows = [row for row in given if row["last"]] if against == "size" else _runs(given)
    if len({row["parameters" if against == "size" else "steps"] for row in rows}) < 2:
        raise DataError(f"The table has no two {against} to draw", where=table.schema.name)
    with style.style():
        shown = [_panel(measure, [r for r in rows if r["measure"] == measure], against) for measure in MEASURES]
        return panels.draw(shown, _entries(rows, against), columns)


def _runs(rows: Sequence[Row]) -> list[Row]:
    """Rows of models with snapshots: those of which there are several steps."""
    steps: dict[tuple[str, str], set[int]] = {}
    for row in rows:
        steps.setdefault((row["recipe"], row["size"]), set()).add(row["steps"])
    return [row for row in rows if len(steps[row["recipe"], row["size"]]) > 1]


def _panel(measure: str, rows: Sequence[Row], against: Against) -> panels.Panel:
    title, below = TITLES[measure]
    empty = "" if rows else "not measured: see the table"
    return panels.Panel(title, below, partial(_drawn, rows=rows, measure=measure, against=against), empty)


def _drawn(axis: Axes, rows: Sequence[Row], measure: str, against: Against) -> None:
    axis.axhline(0, **panels.CHANCE, zorder=1)
    if measure in ("vision", "language"):
        axis.axhline(BOUND, color=style.SOFT, linewidth=0.8, linestyle=":", zorder=1)
    if against == "size":
        _by_size(axis, rows)
    else:
        _by_steps(axis, rows)
    if measure != "creg":
        top = max([1.0, *(row["value"] for row in rows)]) + 0.05
        axis.set_ylim(-1.05 if measure == "gap" else -0.55, top)


def _by_size(axis: Axes, rows: Sequence[Row]) -> None:
    first = _recipe(rows)
    seeds = sorted({row["seed"] for row in rows})
    for row in rows:
        x = row["parameters"] * APART ** (seeds.index(row["seed"]) - (len(seeds) - 1) / 2)
        place = MARKERS[seeds.index(row["seed"]) % len(MARKERS)]
        color = style.BLUE if row["recipe"] == first else style.SOFT
        axis.plot([x, x], [row["low"], row["high"]], color=color, linewidth=1.1, zorder=2)
        face = color if row["recipe"] == first else "white"
        axis.plot([x], [row["value"]], marker=place, markersize=4.4, color=color, markerfacecolor=face, zorder=3)
    sizes = sorted({row["parameters"] for row in rows if row["recipe"] == first})
    means = [np.mean([r["value"] for r in rows if r["parameters"] == s and r["recipe"] == first]) for s in sizes]
    axis.plot(sizes, means, color=style.BLUE, linewidth=1.0, zorder=1)
    axis.set(xscale="log", xlabel="parameters")
    named = sorted({row["parameters"] for row in rows})
    axis.set_xticks(named, labels=[_count(number) for number in named])
    axis.set_xticks([], minor=True)


def _by_steps(axis: Axes, rows: Sequence[Row]) -> None:
    for number, size in enumerate(_sizes(rows)):
        for seed in sorted({row["seed"] for row in rows if row["size"] == size}):
            run = [row for row in rows if row["size"] == size and row["seed"] == seed]
            run.sort(key=lambda row: int(row["steps"]))
            look = panels.look(COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)])
            panels.curve(axis, [row["steps"] for row in run], run, "value", look)
    axis.set(xlabel="step", xlim=(0, None))


def _entries(rows: Sequence[Row], against: Against) -> list[panels.Entry]:
    guess: panels.Entry = (panels.line(**panels.CHANCE), "guessing, no gap, uniform relevance")
    bound: panels.Entry = (panels.line(color=style.SOFT, linewidth=0.8, linestyle=":"), "a pathway suffices above it")
    if against == "steps":
        sizes = {row["size"]: row["parameters"] for row in rows}
        looks = [
            (panels.look(COLORS[n % len(COLORS)], MARKERS[n % len(MARKERS)]), f"{size}, {_count(sizes[size])}")
            for n, size in enumerate(_sizes(rows))
        ]
        band: panels.Entry = (panels.line(color=style.GRAY, linewidth=6, alpha=0.3), "95 % interval over rows, a run")
        return [*looks, band, guess, bound]
    first = _recipe(rows)
    seeds = sorted({row["seed"] for row in rows if row["recipe"] == first})
    marks: list[panels.Entry] = [
        (_mark(MARKERS[n % len(MARKERS)]), f"seed {seed}, 95 % interval over rows") for n, seed in enumerate(seeds)
    ]
    for other in dict.fromkeys(row["recipe"] for row in rows if row["recipe"] != first):
        hollow = panels.line(color=style.SOFT, marker="o", markersize=4.4, linewidth=1.1, markerfacecolor="white")
        marks.append((hollow, f"{other}: other pictures and steps"))
    mean: panels.Entry = (panels.line(color=style.BLUE, linewidth=1.0), "mean over seeds")
    return [*marks, mean, guess, bound]


def _mark(marker: str) -> Any:
    return panels.line(color=style.BLUE, marker=marker, markersize=4.4, linestyle="none")


def _recipe(rows: Sequence[Row]) -> str:
    """The recipe of the smallest model."""
    return str(min(rows, key=lambda row: int(row["parameters"]))["recipe"])


def _sizes(rows: Sequence[Row]) -> list[str]:
    """Sizes by name, the smallest first."""
    return [size for size, _ in sorted({row["size"]: row["parameters"] for row in rows}.items(), key=lambda i: i[1])]


def _count(parameters: int) -> str:
    return f"{parameters / 1e6:.2f} M" if parameters >= 1e6 else f"{parameters / 1e3:.0f} k"
