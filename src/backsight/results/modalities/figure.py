"""Shares of the parts of the prompt by layer, as stacked bars, one panel a suite and prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from backsight.results import by_head
from backsight.results.drawing import panels, style
from backsight.results.looking.figure import suite_words
from backsight.results.pages.wording import omitted
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
LOOKS = {"image": (style.BLUE, "image"), "question": (style.ORANGE, "question"),
         "system": (style.FAINT, "system prompt")}  # fmt: skip
QUERY_WORDS = {"last": "the last position", "question": "the question's tokens"}


def draw(table: Table, *, columns: int | None = None, titles: Mapping[str, str] | None = None) -> Figure:
    """Shares of the parts of the prompt by layer, one panel a suite and prompt.

    `columns` is the number of panels across; 1 is for a phone. `titles` gives suites the names to print.
    """
    rows = [row for row in table.rows() if row["head"] is None]
    shown = []
    for group in panels.grouped(rows, table.schema.name, *by_head.KEYS).values():
        below = f"{QUERY_WORDS[group[0]['queries']]}, {style.counted(group[0]['questions'], 'question')}"
        empty = omitted(group[0]["questions"], "question") if group[0]["omitted"] else ""
        shown.append(panels.Panel(suite_words(group[0], titles), below, partial(_panel, group=group), empty))
    with style.style():
        entries: list[panels.Entry] = [
            (panels.patch(facecolor=color, linewidth=0), words) for color, words in LOOKS.values()
        ]
        entries += [(panels.line(color=style.INK, linewidth=1.6), "image under uniform attention"),
                    (panels.patch(facecolor="white", edgecolor=style.SOFT, hatch="////", linewidth=0),
                     "first position of the prompt")]  # fmt: skip
        return panels.draw(shown, entries, columns, across=3)


def _panel(axis: Axes, group: Sequence[Row]) -> None:
    from matplotlib.ticker import MaxNLocator

    layers = [row["layer"] for row in group]
    base = np.zeros(len(group))
    for name, (color, _) in LOOKS.items():
        heights = np.array([row[name] for row in group])
        axis.bar(layers, heights, 0.82, bottom=base, color=color, linewidth=0)
        if group[0]["first_part"] == name:
            axis.bar(layers, [r["first"] for r in group], 0.82, bottom=base + heights - [r["first"] for r in group],
                     facecolor="none", edgecolor=style.SOFT, hatch="////", linewidth=0)  # fmt: skip
        base = base + heights
    for row in group:
        ends = [row["layer"] - 0.41, row["layer"] + 0.41]
        axis.plot(ends, [row["image_uniform"]] * 2, color=style.INK, linewidth=1.6, solid_capstyle="butt")
    panels.shares(axis, "share of attention")
    axis.set(xlim=(min(layers) - 0.6, max(layers) + 0.6), xlabel="layer")
    axis.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, steps=[1, 2, 4, 5, 10]))
