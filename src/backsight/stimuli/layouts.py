"""Layouts: where three entities stand in a row or a column, in whole cells of a token grid.

The rule reproduces the geometry that the authors of *Dual Mechanisms* ran (their table 6, and `PRESETS` here):
an entity and a gap are both a fifth of the grid, rounded down with a margin, and the row is centred.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from backsight.errors import CannotAnswer
from backsight.grid import Box

Axis = Literal["horizontal", "vertical"]


@dataclass(frozen=True)
class Layout:
    """A grid of `rows` x `columns` cells of `cell` px; entities of `entity` cells, `spacing` cells apart."""

    rows: int
    columns: int
    cell: int
    entity: int
    spacing: int

    @classmethod
    def for_grid(cls, rows: int, columns: int, cell: int) -> Layout:
        """The layout that the rule gives for a grid; CannotAnswer where three entities do not fit."""
        side = (min(rows, columns) - 1) // 5
        if side < 1:
            raise CannotAnswer(
                "The token grid is too small for three entities in a row",
                got=f"{rows} x {columns} cells",
                do="use a model (or a picture size) with at least 6 x 6 image tokens",
            )
        return cls(rows, columns, cell, side, side)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture in pixels."""
        return self.columns * self.cell, self.rows * self.cell

    def boxes(self, axis: Axis) -> tuple[Box, Box, Box]:
        """The three boxes in pixels, first to third along the axis."""
        along, across = (self.columns, self.rows) if axis == "horizontal" else (self.rows, self.columns)
        start = (along - (3 * self.entity + 2 * self.spacing)) // 2
        side = (across - self.entity) // 2
        boxes = []
        for k in range(3):
            first = start + k * (self.entity + self.spacing)
            corner = (first, side) if axis == "horizontal" else (side, first)
            x, y = corner[0] * self.cell, corner[1] * self.cell
            boxes.append(Box(x, y, x + self.entity * self.cell, y + self.entity * self.cell))
        return boxes[0], boxes[1], boxes[2]

    def strips(self, axis: Axis) -> tuple[Box, Box, Box]:
        """Three strips that tile the picture across the axis; the outer two are equally wide, a third each."""
        along = self.columns if axis == "horizontal" else self.rows
        outer = along // 3
        cuts = [0, outer * self.cell, (along - outer) * self.cell, along * self.cell]
        width, height = self.size
        spans = list(pairwise(cuts))
        if axis == "horizontal":
            strips = [Box(a, 0, b, height) for a, b in spans]
        else:
            strips = [Box(0, a, width, b) for a, b in spans]
        return strips[0], strips[1], strips[2]


PRESETS: dict[str, Layout] = {
    "qwen2-vl": Layout(12, 12, 28, 2, 2),
    "gemma-3": Layout(16, 16, 56, 3, 3),
    "pixtral": Layout(15, 15, 16, 2, 2),
}
