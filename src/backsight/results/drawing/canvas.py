"""The figure that panels stand in. This module alone imports matplotlib at once: it is imported where one is drawn.

The layout is computed, not solved for: what stands around each panel's axes is measured once, all panels get the
widest margins of any, and panels of one width stand in rows. So a panel can be cut out of the figure and stand by
itself, and each is drawn once.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.transforms import BboxBase

from backsight.results.drawing import style

POINTS = 72  # an inch
EDGE, GAP = 6.0, 16.0  # points, around the figure, and between two panels
HEAD = 33.0  # points, of a heading of two lines above its axes
NEAR = 6.5  # points above the axes that belong to the drawing and not to the heading
INNER = 2.0  # inches, of the axes of a panel that stands three in a row
LEAST = 1.2  # inches, of any axes
LEADING = 1.5  # points


@dataclass(frozen=True)
class Slot:
    """A panel of a finished figure: its words, and its drawing without them, in points from the upper left corner."""

    title: str
    below: str
    suite: str
    box: tuple[float, float, float, float]  # left, top, width, height


class QuietFigure(Figure):
    """A figure that is saved in the style in which it was drawn, without a date; it knows its panels and its legend."""

    slots: tuple[Slot, ...] = ()
    keys: tuple[str, ...] = ()  # the words of the legend

    def _repr_svg_(self) -> str:
        return style.to_svg(self)

    def savefig(self, fname: Any, *, transparent: bool | None = None, **kwargs: Any) -> None:
        if (kwargs.get("format") or Path(str(fname)).suffix.lstrip(".")) == "svg":
            kwargs.setdefault("metadata", style.NO_METADATA)
        with style.style():
            super().savefig(fname, transparent=transparent, **kwargs)


@dataclass(frozen=True)
class Margins:
    """Points that labels take around the axes."""

    left: float
    right: float
    above: float
    below: float


def blank(count: int, columns: int | None) -> tuple[QuietFigure, list[Axes]]:
    """A figure of `count` axes, `columns` in a row (by default two or three); they get their places in `arrange`."""
    across = max(1, min(columns or (2 if count == 4 else 3), count))
    figure = QuietFigure(figsize=(3.2 * across, 2.4 * -(-count // across)))
    grid = figure.add_gridspec(-(-count // across), across, wspace=0.5, hspace=0.5)
    return figure, [figure.add_subplot(grid[number // across, number % across]) for number in range(count)]


def arrange(
    figure: QuietFigure, axes: Sequence[Axes], words: Sequence[tuple[str, str, str]], heights: Sequence[float],
    columns: int | None, width: float | None, *, alike: bool = True,
) -> None:  # fmt: skip
    """Give each of the axes its place, and the figure its size and its `slots`.

    `words` are each panel's title, the line below it and its suite; `heights` are those of whole panels in inches.
    `columns` panels stand in a row; one of them makes a figure for a phone. `width` of the figure in inches stands in
    for the one that follows from the labels. Panels that are not `alike` have margins of their own.
    """
    with measured(figure) as renderer:
        for axis, height in zip(axes, heights, strict=True):
            _break_labels(axis, POINTS * height - HEAD, renderer)
        around = [reach(one, renderer) for one in axes]
        margins = [widest(around) if alike else one for one in around]
        panel = _width(len(axes), widest(around), columns, width)
        across = _across(len(axes), panel, columns)
        head = HEAD
        for axis, entry, beside, height in zip(axes, words, margins, heights, strict=True):
            head = max(head, _heading(axis, *entry[:2], panel, beside, renderer))
            _move_labels(axis, _inner(beside, panel, POINTS * height - HEAD), beside, renderer)
        above = _legend_place(figure, across * (panel + GAP) - GAP, renderer)
    tall = [POINTS * height + max(0.0, head - HEAD) for height in heights]
    rows = [max(tall[start : start + across]) for start in range(0, len(tall), across)]
    size = 2 * EDGE + across * (panel + GAP) - GAP, 2 * EDGE + above + sum(rows) + GAP * (len(rows) - 1)
    figure.set_size_inches(size[0] / POINTS, size[1] / POINTS)
    slots = []
    for number, (axis, entry, height) in enumerate(zip(axes, words, tall, strict=True)):
        row, column = divmod(number, across)
        left, top = EDGE + column * (panel + GAP), EDGE + above + sum(rows[:row]) + GAP * row
        box = (left, top + head, panel, height - head)
        beside = margins[number]
        put(figure, axis, (left + beside.left, box[1] + beside.above, *_inner(beside, *box[2:])), size)
        heading, line = headings(axis)
        for artist, gid in ((axis, ""), (heading, "-title"), (line, "-below")):
            artist.set_gid(f"panel-{number}{gid}")
        slots.append(Slot(*entry, box))
    figure.slots = tuple(slots)
    if figure.legends:
        figure.legends[0].set_bbox_to_anchor((EDGE / size[0], 1 - EDGE / size[1]))


def _inner(margins: Margins, width: float, height: float) -> tuple[float, float]:
    """The width and height of the axes in a drawing of that width and height."""
    return width - margins.left - margins.right, height - margins.above - margins.below


def put(figure: Figure, axis: Axes, box: tuple[float, float, float, float], size: tuple[float, float]) -> None:
    """Put axes at left, top, width and height in points from the upper left corner of a figure of that size."""
    left, top, width, height = box
    axis.set_position((left / size[0], 1 - (top + height) / size[1], width / size[0], height / size[1]))


@contextmanager
def measured(figure: Figure) -> Iterator[RendererSVG]:
    """What measures text as it stands in an SVG, while a pixel of the figure is a point."""
    before = figure.dpi
    figure.dpi = POINTS
    try:
        width, height = (POINTS * side for side in figure.get_size_inches())
        yield RendererSVG(width, height, io.StringIO())  # type: ignore[no-untyped-call]
    finally:
        figure.dpi = before


def reach(axis: Axes, renderer: RendererSVG) -> Margins:
    """How far labels and words of axes stand out, its heading aside."""
    axis.apply_aspect()
    inner = axis.get_window_extent(renderer)
    words = [text for text in axis.texts if text.get_gid() != style.BELOW_ID]
    around: list[Artist] = [axis.xaxis, axis.yaxis, *axis.child_axes, *words]
    boxes = [box for one in around if one.get_visible() and (box := _box(one, renderer)) is not None]
    margins = [
        Margins(inner.x0 - box.x0, box.x1 - inner.x1, box.y1 - inner.y1, inner.y0 - box.y0)
        for box in boxes
        if box.width or box.height
    ]
    far = widest(margins) if margins else Margins(0, 0, 0, 0)
    # A browser counts the lines that letters stand in, which are a little higher than the letters.
    above, below = max(far.above + LEADING, NEAR), max(far.below + LEADING, 3)
    return Margins(max(far.left + LEADING, 5), max(far.right, 5), above, below)


def _box(of: Artist, renderer: RendererSVG) -> BboxBase | None:
    # The label of an axis is moved to where there is room for it, and takes none at its ends.
    return of.get_tightbbox(renderer, for_layout_only=True) if isinstance(of, Axis) else of.get_tightbbox(renderer)


def _break_labels(axis: Axes, height: float, renderer: RendererSVG) -> None:
    """Break the labels of axes that are longer than a narrow panel is wide or this one is high, in points."""
    for label, side, room in ((axis.xaxis.label, "width", POINTS * style.THIRD), (axis.yaxis.label, "height", height)):
        long = getattr(label.get_window_extent(renderer), side) if label.get_text() else 0.0
        label.set_text(style.broken(label.get_text(), long, room - 2 * LEADING))


def _move_labels(axis: Axes, inner: tuple[float, float], margins: Margins, renderer: RendererSVG) -> None:
    """Move the labels of axes of that width and height along their axis, until they are within the panel."""
    for label, side, length, before, after in (
        (axis.xaxis.label, "width", inner[0], margins.left, margins.right),
        (axis.yaxis.label, "height", inner[1], margins.below, margins.above),
    ):
        half = getattr(label.get_window_extent(renderer), side) / 2 if label.get_text() else 0.0
        middle = min(max(length / 2, half - before), length + after - half)
        label.set(**{"x" if side == "width" else "y": middle / length})


def widest(margins: Sequence[Margins]) -> Margins:
    """The widest of each side."""
    return Margins(*(max(getattr(one, side) for one in margins) for side in ("left", "right", "above", "below")))


def _width(count: int, margins: Margins, columns: int | None, width: float | None) -> float:
    """Points of a panel: as wide as its labels ask for, and no wider than a phone where the labels let it be."""
    around, phone = margins.left + margins.right, POINTS * style.NARROW - 2 * EDGE
    if width is not None and columns:
        panel = (POINTS * width - 2 * EDGE - GAP * (columns - 1)) / columns
    elif columns == 1 or count == 1:
        panel = phone
    else:
        least = style.PANEL if count in (2, 4) or columns == 2 else style.THIRD
        panel = min(max(POINTS * least, around + POINTS * INNER), phone)
    return max(panel, around + POINTS * LEAST)


def _across(count: int, panel: float, columns: int | None) -> int:
    fitting = max(1, int((POINTS * style.WIDTH + GAP) // (panel + GAP)))
    return max(1, min(columns or (2 if count == 4 else fitting), count))


def _heading(axis: Axes, title: str, below: str, room: float, margins: Margins, renderer: RendererSVG) -> float:
    """Set a panel's heading from its left edge on, broken into lines where it is wider than the panel; its height."""
    heading, line = headings(axis)
    lines = [style.broken(words, _wide(of, renderer), room) for of, words in ((heading, title), (line, below))]
    more = [text.count("\n") for text in lines]
    heading.set(text=lines[0], x=-margins.left / (room - margins.left - margins.right))
    line.set(text=lines[1])
    line.xyann = (-margins.left, line.xyann[1])
    style.lift(axis, more[1])
    return HEAD + 11.5 * more[0] + 9 * more[1]


def headings(axis: Axes) -> tuple[Text, Annotation]:
    """The two lines of a heading that `style.heading` set."""
    line = next(text for text in axis.texts if text.get_gid() == style.BELOW_ID)
    return axis._left_title, line  # type: ignore[attr-defined, return-value]


def _wide(text: Text, renderer: RendererSVG) -> float:
    return float(text.get_window_extent(renderer).width) if text.get_text() else 0.0


def _legend_place(figure: Figure, room: float, renderer: RendererSVG) -> float:
    """The height that the legend takes above the panels, in points."""
    if not figure.legends:
        return 0.0
    return float(figure.legends[0].get_window_extent(renderer).height) + GAP
