"""Accuracy of every suite in one panel, the worst first, each with its worst direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from backsight.errors import DataError
from backsight.results.behaviour.worst import ALL, Accuracy, accuracies_of, lowest, suites_of
from backsight.results.drawing import panels, style
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE = 0.3  # inches, of a suite
WHOLE: dict[str, Any] = {"color": style.BLUE, "marker": "o", "markersize": 5}
LOWEST: dict[str, Any] = {"color": style.ORANGE, "marker": "D", "markersize": 4.2}
GRAY: dict[str, Any] = {
    "color": style.INK, "marker": "o", "markerfacecolor": "none", "markersize": 7, "markeredgewidth": 0.9,
}  # fmt: skip
TICK: dict[str, Any] = {"color": style.SOFT, "marker": "|", "markersize": 11, "markeredgewidth": 1.2}
CAPTION = (
    "Accuracy of each suite with its 95 % interval, the worst first, and of its worst direction. The distance from "
    "the gray picture, or from chance, is what the picture adds."
)


def draw(table: Table, *, columns: int | None = None, titles: Mapping[str, str] | None = None) -> Figure:
    """Each suite's accuracy over all directions beside its worst direction, the gray picture and chance.

    A suite with several prompts stands by the worst of them. DataError where no suite has enough questions.
    """
    measured = accuracies_of(table.rows(), titles)
    suites = suites_of(measured)
    if not suites:
        raise DataError("The table has no suite with enough questions", where=table.schema.name)
    parts = [_direction(one, measured) for one in suites]

    def panel(axis: Axes) -> None:
        _panel(axis, suites, parts)

    entries: list[panels.Entry] = [
        (panels.line(**WHOLE, linewidth=1.3), "all directions, with 95 % interval"),
        (panels.line(**LOWEST, linestyle="none"), "the worst direction"),
        (panels.line(**GRAY, linestyle="none"), "gray picture (hollow)"),
        (panels.line(**TICK, linestyle="none"), "chance"),
    ]
    below = f"{style.counted(len(suites), 'suite')}; of several prompts the worst"
    with style.style():
        one = panels.Panel("Accuracy by suite", below, panel, height=0.9 + LINE * len(suites))
        return panels.draw([one], entries, columns, across=2)


def _direction(suite: Accuracy, measured: Sequence[Accuracy]) -> Accuracy | None:
    """The worst direction of a suite, where it is worse than all of them together."""
    of = [one for one in measured if (one.suite, one.title) == (suite.suite, suite.title) and one.direction != ALL]
    worst = lowest(of) if of else None
    return worst if worst is not None and worst.gained < suite.gained else None


def _panel(axis: Axes, suites: Sequence[Accuracy], parts: Sequence[Accuracy | None]) -> None:
    for place, (suite, part) in enumerate(zip(suites, parts, strict=True)):
        axis.axhline(place, color=style.FAINT, linewidth=0.6, zorder=0)
        axis.plot([suite.chance], [place], **TICK, linestyle="none", zorder=1)
        if suite.gray is not None:
            axis.plot([suite.gray], [place], **GRAY, linestyle="none", zorder=2, clip_on=False)
        if suite.low is not None and suite.high is not None:
            axis.plot([suite.low, suite.high], [place, place], color=WHOLE["color"], linewidth=1.3, zorder=3)
        axis.plot([suite.accuracy], [place], **WHOLE, linestyle="none", zorder=5, clip_on=False)
        if part is not None:
            axis.plot([part.accuracy], [place], **LOWEST, linestyle="none", zorder=4, clip_on=False)
            words = f"{part.direction}, {part.prompt}" if part.prompt else part.direction
            side = "left" if part.accuracy < 0.1 else "right" if part.accuracy > 0.9 else "center"
            axis.text(part.accuracy, place - 0.3, words, color=LOWEST["color"], fontsize=7, ha=side, va="center")
    axis.set(xlim=(-0.02, 1.02), ylim=(len(suites) - 0.4, -0.7), xlabel="accuracy")
    axis.set_yticks(range(len(suites)), labels=[suite.title for suite in suites])
    axis.set_xticks(panels.SHARES, labels=panels.SHARE_LABELS)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
