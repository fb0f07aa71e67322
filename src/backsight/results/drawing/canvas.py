"""The figure that panels stand in. This module alone imports matplotlib at once: it is imported where one is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from backsight.results.drawing import style


class QuietFigure(Figure):
    """A figure that is saved in the style in which it was drawn, without a date."""

    def _repr_svg_(self) -> str:
        return style.to_svg(self)

    def savefig(self, fname: Any, *, transparent: bool | None = None, **kwargs: Any) -> None:
        if (kwargs.get("format") or Path(str(fname)).suffix.lstrip(".")) == "svg":
            kwargs.setdefault("metadata", style.NO_METADATA)
        with style.style():
            super().savefig(fname, transparent=transparent, **kwargs)


def panels(
    heights: Sequence[float], columns: int | None, *, width: float | None = None, above: float = 0.75
) -> tuple[Figure, list[Axes]]:  # fmt: skip
    """A figure of panels of these heights in inches, `columns` of them in a row; by default two or three.

    One column is made for a phone where it was asked for, and is of middle width where it is all there is. `width`
    in inches stands in for either. `above` is what a legend takes, in inches.
    """
    count = len(heights)
    across = max(1, min(columns or (2 if count == 4 else 3), count))
    rows = [max(heights[start : start + across]) for start in range(0, count, across)]
    if width is None:
        width = {1: 5.6, 2: 7.6}.get(across, max(style.WIDTH, 2.6 * across)) if columns != 1 else style.NARROW
    layout = ConstrainedLayoutEngine(w_pad=0.09, h_pad=0.09, wspace=0.03, hspace=0.05)
    figure = QuietFigure(figsize=(width, sum(rows) + above), layout=layout)
    grid = figure.add_gridspec(len(rows), across, height_ratios=rows)
    return figure, [figure.add_subplot(grid[number // across, number % across]) for number in range(count)]
