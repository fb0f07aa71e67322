"""Accuracy as the model is and with heads ablated, one panel a suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from backsight.results.drawing import panels, style
from backsight.results.looking.figure import suite_words
from backsight.results.pages.wording import omitted
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
LOOKS = {"plain": (style.INK, "o"), "chosen": (style.BLUE, "o"), "random": (style.ORANGE, "s")}
WORDS = {"plain": "as it is", "chosen": "heads that find the boxes", "random": "random heads"}


def draw(table: Table, *, columns: int | None = None, titles: Mapping[str, str] | None = None) -> Figure:
    """Accuracy as the model is and with heads ablated, one panel a suite.

    `columns` is the number of panels across; 1 is for a phone. `titles` gives suites the names to print.
    """
    shown = []
    for group in panels.grouped(table.rows(), table.schema.name, "suite", "prompt").values():
        empty = omitted(group[0]["questions"], "question") if group[0]["omitted"] else ""
        below = f"{style.counted(group[0]['questions'], 'question')}, {style.counted(group[0]['images'], 'picture')}"
        height = 1.0 + 0.42 * len(group)
        shown.append(panels.Panel(suite_words(group[0], titles), below, partial(_panel, group=group), empty, height))
    with style.style():
        entries: list[panels.Entry] = [
            (panels.line(color=color, marker=marker, markersize=5, linewidth=1.3), WORDS[name])
            for name, (color, marker) in LOOKS.items()
        ]
        return panels.draw(shown, [*entries, (panels.line(**panels.CHANCE), "chance")], columns, across=4)


def _panel(axis: Axes, group: Sequence[Row]) -> None:
    axis.axvline(group[0]["chance"], **panels.CHANCE, zorder=1)
    for place, row in enumerate(group):
        axis.axhline(place, color=style.FAINT, linewidth=0.6, zorder=0)
        color, marker = LOOKS[row["condition"]]
        axis.plot([row["low"], row["high"]], [place] * 2, color=color, linewidth=1.3, zorder=3, clip_on=False)
        axis.plot([row["accuracy"]], [place], marker=marker, color=color, markersize=5, zorder=4, clip_on=False)
    axis.set(xlim=(-0.02, 1.02), ylim=(len(group) - 0.4, -0.6), xlabel="accuracy")
    axis.set_yticks(range(len(group)), labels=[_label(row) for row in group])
    axis.set_xticks(panels.SHARES, labels=panels.SHARE_LABELS)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def _label(row: Row) -> str:
    if row["condition"] == "plain":
        return "plain"
    how = "to zero" if row["ablation"] == "zero" else "to their mean"
    return f"{row['heads'] if row['condition'] == 'chosen' else 'random'}\n{how}"
