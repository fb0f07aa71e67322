"""Three projectors: how soon where is learned, what is answered in the end, and how long image embeddings are.

A thin line or a hollow mark is a seed, a thick line or a filled mark the mean over seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from backsight.results.drawing import panels, style
from backsight.results.projector.tables import CHANCE, LONG, NAMES, Term, by_run, estimate
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
LOOKS = {"plain": (style.BLUE, "o"), "large": (style.ORANGE, "s"), "normed": (style.GREEN, "^")}
WORDS = {"plain": "plain", "large": f"plain, started {LONG:g} times as long", "normed": "with the norm"}
ANSWERED = (("clean", "where"), ("degraded", "where"), ("clean", "what"), ("degraded", "what"))
LENGTHS = (("start", "ratio"), ("clean", "ratio"))
APART = 0.2


def draw(rows: Table, curves: Table, *, columns: int | None = 3) -> Figure:
    """Curves of where along training, accuracies in the end, and the lengths of image over text embeddings."""
    every, along = rows.rows(), curves.rows()
    panels.grouped(every, rows.schema.name, "projector")  # DataError without rows
    seeds = len({row["seed"] for row in every})
    below = style.counted(seeds, "seed")
    shown = [
        panels.Panel("Where, along training", f"{below}, means of 25 steps", partial(_curves, rows=along),
                     empty="" if along else "omitted: no log"),
        panels.Panel("In the end, new scenes", f"{below}, 95 % interval", partial(_answers, rows=every)),
        panels.Panel("Image over text, length", f"{below}, text of the prompts", partial(_ratios, rows=every)),
    ]  # fmt: skip
    with style.style():
        there = [name for name in NAMES if any(row["projector"] == name for row in every)]
        entries: list[panels.Entry] = [(panels.look(*LOOKS[name]), WORDS[name]) for name in there]
        seed = panels.line(color=style.GRAY, linewidth=0.6, marker="o", markersize=3, markerfacecolor="white")
        entries.append((seed, "a seed; bold: the mean"))
        entries.append((panels.line(**panels.CHANCE), "chance; equal length"))
        return panels.draw(shown, entries, columns, across=4)


def _curves(axis: Axes, rows: Sequence[Row]) -> None:
    for name in NAMES:
        color = LOOKS[name][0]
        mine: dict[int, list[float]] = {}
        for seed in sorted({row["seed"] for row in rows if row["projector"] == name}):
            of = sorted((r["step"], r["where"]) for r in rows if (r["projector"], r["seed"]) == (name, seed))
            axis.plot(*zip(*of, strict=True), color=color, linewidth=0.6, alpha=0.5)
            for step, value in of:
                mine.setdefault(step, []).append(value)
        means = [(step, sum(values) / len(values)) for step, values in sorted(mine.items())]
        if means:
            axis.plot(*zip(*means, strict=True), color=color, linewidth=1.6)
    axis.axhline(CHANCE, **panels.CHANCE)
    axis.set_xlabel("step")
    panels.shares(axis, "accuracy")


def _answers(axis: Axes, rows: Sequence[Row]) -> None:
    _marks(axis, rows, ANSWERED)
    axis.axhline(CHANCE, **panels.CHANCE)
    axis.set_xticks(range(len(ANSWERED)), labels=[f"{measure},\n{pictures}" for pictures, measure in ANSWERED])
    panels.shares(axis, "accuracy")


def _ratios(axis: Axes, rows: Sequence[Row]) -> None:
    axis.set_yscale("log")
    _marks(axis, rows, LENGTHS)
    axis.axhline(1, **panels.CHANCE)
    axis.set_xticks(range(len(LENGTHS)), labels=["before\ntraining", "trained"])
    axis.set_yticks([1, 10, 100], labels=["1", "10", "100"])
    axis.yaxis.set_minor_locator(_no_ticks())
    axis.set(xlim=(-0.5, len(LENGTHS) - 0.5), ylabel="ratio")


def _no_ticks() -> Any:
    from matplotlib.ticker import NullLocator

    return NullLocator()


def _marks(axis: Axes, rows: Sequence[Row], places: Sequence[tuple[str, str]]) -> None:
    runs = by_run(rows)
    for place, (pictures, measure) in enumerate(places):
        for number, name in enumerate(NAMES):
            color, marker = LOOKS[name]
            of, x = estimate(runs, Term(name, pictures, measure)), place + APART * (number - 1)
            if of.mean is None:
                continue
            hollow: dict[str, Any] = {"marker": marker, "markerfacecolor": "white", "linestyle": "none"}
            hollow |= {"markersize": 3, "zorder": 3, "clip_on": False}
            axis.plot([x] * len(of.each), [value for _, value in of.each], color=color, **hollow)
            if of.low is not None and of.high is not None:
                low = max(of.low, 0.0) if measure != "ratio" else max(of.low, 0.1)
                high = min(of.high, 1.0) if measure != "ratio" else of.high
                axis.plot([x, x], [low, high], color=color, linewidth=1.1, zorder=2)
            axis.plot([x], [of.mean], color=color, marker=marker, markersize=5, zorder=4, clip_on=False)
