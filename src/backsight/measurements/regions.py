"""Which image tokens an interchange swaps: the outer two objects of a row, or the strips that they stand in.

Both regions have one shape, so that token stands for token when they are swapped.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example
from backsight.grid import Box, TokenGrid
from backsight.stimuli.arrangements import TOUCHED
from backsight.stimuli.rows import axis_of

Tokens = Literal["objects", "strips"]
Region = NDArray[np.int64]


def outer(example: Example) -> tuple[Box, Box]:
    """The boxes of the first and the last of three things in a row; CannotAnswer where there are not three."""
    boxes = list(example.boxes.values())
    if len(boxes) != 3 or example.direction not in ("left", "right", "above", "below"):
        raise CannotAnswer("Its image tokens can only be swapped in rows of three", got=f"the suite {example.suite}")
    return boxes[0], boxes[2]


def regions(example: Example, grid: TokenGrid, tokens: Tokens, strip_width: int | None = None) -> tuple[Region, Region]:
    """Indices of the image tokens of the two regions, equally many and in the same order within each.

    Strips tile the grid in three, the outer two equally wide, unless `strip_width` gives a number of tokens (Dual
    Mechanisms, table 6): then a strip is so wide and has its object in its middle.
    """
    across = axis_of(example.direction) == "horizontal"  # type: ignore[arg-type]
    if tokens == "objects":
        return _alike(grid, outer(example))
    length = grid.columns if across else grid.rows
    if strip_width is None:
        starts, width = (0, length - length // 3), length // 3
    else:
        starts, width = _centred(example, grid, strip_width, across), strip_width
    position = grid.column if across else grid.row
    halves = [np.flatnonzero((position >= start) & (position < start + width)) for start in starts]
    return halves[0], halves[1]


def _centred(example: Example, grid: TokenGrid, width: int, across: bool) -> tuple[int, int]:
    """First column (or row) of the strip around each outer object."""
    cell = grid.cell[0 if across else 1]
    length = grid.columns if across else grid.rows
    middles = [box.center[0 if across else 1] / cell for box in outer(example)]
    starts = [int(np.clip(round(middle - width / 2), 0, length - width)) for middle in middles]
    if not 1 <= width <= length or starts[0] + width > starts[1]:
        raise UsageError(
            "Two equally wide strips of this width do not fit side by side",
            got=f"{width} tokens in a grid of {length}",
            do=f"give 1 to {max(1, length // 3)}",
        )
    return starts[0], starts[1]


def _alike(grid: TokenGrid, boxes: tuple[Box, Box]) -> tuple[Region, Region]:
    """The tokens that two boxes touch, as rectangles of one shape: the smaller one grows on both sides."""
    spans = []
    for box in boxes:
        touched = grid.tokens_in(box, TOUCHED)
        row, column = grid.row[touched], grid.column[touched]
        spans.append([[int(row.min()), int(row.max()) + 1], [int(column.min()), int(column.max()) + 1]])
    for axis, length in ((0, grid.rows), (1, grid.columns)):
        width = max(span[axis][1] - span[axis][0] for span in spans)
        for span in spans:
            missing = width - (span[axis][1] - span[axis][0])
            start = int(np.clip(span[axis][0] - missing // 2, 0, length - width))
            span[axis] = [start, start + width]
    regions = []
    for (top, bottom), (left, right) in spans:
        inside = (grid.row >= top) & (grid.row < bottom) & (grid.column >= left) & (grid.column < right)
        regions.append(np.flatnonzero(inside))
    if np.intersect1d(regions[0], regions[1]).size:
        raise CannotAnswer("The two objects share image tokens", got=f"{grid!r}")
    return regions[0], regions[1]
