"""The figure of localization: mean IoU of the boxes that a model names, beside three baselines."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from backsight.results.drawing import panels, style
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]


def draw(table: Table, *, columns: int | None = None, titles: Mapping[str, str] | None = None) -> Figure:
    """The mean IoU of the boxes that are named (filled) and of three that are not of the picture (hollow), a panel a
    suite. `columns` is the number of panels across; 1 is for a phone. `titles` gives suites the names to print."""
    shown = []
    for (suite, form), group in panels.grouped(table.rows(), table.schema.name, "suite", "form").items():
        row = group[0]
        below = f"{style.counted(row['questions'], 'question')}, {style.counted(row['boxes'], 'readable text')}, {form}"
        empty = f"omitted: {row['reason']}" if row["reason"] else ""
        title = style.suite_title(suite, titles)
        shown.append(panels.Panel(title, below, partial(_panel, row=row), empty, height=1.9, suite=suite))
    with style.style():
        entries: list[panels.Entry] = [
            (panels.look(style.BLUE, "o"), "boxes named for the picture, with 95 % interval"),
            (panels.line(**_HOLLOW, linewidth=1.3), "boxes that are not of the picture (hollow)"),
        ]
        return panels.draw(shown, entries, columns)


_HOLLOW: dict[str, Any] = {
    "color": style.SOFT, "marker": "s", "markersize": 4.6, "markerfacecolor": "white", "markeredgewidth": 1.1,
}  # fmt: skip
_LABELS = {"iou": "the model", "blank": "gray picture", "other": "other pictures", "constant": "constant box"}


def _panel(axis: Axes, row: Row) -> None:
    names = [name for name in _LABELS if row[name] is not None]
    for place, name in enumerate(names):
        look = {"color": style.BLUE, "marker": "o", "markersize": 5} if name == "iou" else _HOLLOW
        axis.axhline(place, color=style.FAINT, linewidth=0.6, zorder=0)
        axis.plot([row[f"{name}_low"], row[f"{name}_high"]], [place] * 2, color=look["color"], linewidth=1.3)
        axis.plot([row[name]], [place], **look, linestyle="none", clip_on=False)
    axis.set(xlim=(-0.02, 1.02), ylim=(len(names) - 0.4, -0.6), xlabel="mean intersection over union")
    axis.set_yticks(range(len(names)), labels=[_LABELS[name] for name in names])
    axis.set_xticks(panels.SHARES, labels=panels.SHARE_LABELS)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
