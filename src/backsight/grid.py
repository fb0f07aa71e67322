"""TokenGrid: what each image token stands for.

An image token stands for a cell of the picture, for a thumbnail of it, or for layout (a line break). Everything
that asks where a token lies (strips, boxes, probes) works on its box in the pixels of the *original* picture,
never on its index, so that resizing, tiling and padding are settled once, here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backsight.errors import GridError

Kind = Literal["cell", "thumbnail", "newline", "break"]


class Box(NamedTuple):
    """A rectangle in pixels: left, top, right, bottom; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def center(self) -> tuple[float, float]:
        """The middle (x, y), in pixels."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top


@dataclass(frozen=True, eq=False)
class TokenGrid:
    """Per image token of one picture, in the order of the prompt: kind, view, row, column and pixel box.

    Shapes: `kind`, `view`, `row`, `column` (image_token,); `box` (image_token, 4) as left, top, right, bottom in
    pixels of the original picture, whose `size` is (width, height). `lost` is the share of the picture that no
    token sees (a crop); padding that stands for no pixel has an empty box.
    """

    size: tuple[int, int]
    kind: NDArray[np.str_]
    view: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    box: NDArray[np.float64]
    lost: float = field(default=0.0)

    @classmethod
    def rectangle(cls, rows: int, columns: int, size: tuple[int, int]) -> TokenGrid:
        """One view of `rows` x `columns` equal cells over a picture of `size` (width, height), in raster order."""
        if rows < 1 or columns < 1:
            raise GridError("A grid needs at least one row and one column", got=f"{rows} x {columns}")
        row, column = (index.ravel() for index in np.indices((rows, columns)))
        width, height = size[0] / columns, size[1] / rows
        box = np.stack([column * width, row * height, (column + 1) * width, (row + 1) * height], axis=1)
        count = rows * columns
        return cls(size, np.full(count, "cell"), np.zeros(count, np.int64), row, column, box)

    def __len__(self) -> int:
        return len(self.kind)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TokenGrid) or self.size != other.size or len(self) != len(other):
            return False
        names = ("kind", "view", "row", "column", "box")
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in names)

    def __hash__(self) -> int:
        return hash((self.size, len(self)))

    def __repr__(self) -> str:
        shape = f"{self.rows}x{self.columns}" if self.is_rectangle else f"{len(self)} tokens"
        return f"TokenGrid({shape} over {self.size[0]}x{self.size[1]} px)"

    @property
    def is_rectangle(self) -> bool:
        """Whether the tokens are the cells of one full rectangle, in raster order."""
        if len(self) == 0 or not (self.kind == "cell").all() or (self.view != 0).any():
            return False
        rows, columns = int(self.row.max()) + 1, int(self.column.max()) + 1
        index = np.arange(len(self))
        return len(self) == rows * columns and bool(
            (self.row == index // columns).all() and (self.column == index % columns).all()
        )

    @property
    def rows(self) -> int:
        """Number of rows; GridError unless the grid is one rectangle."""
        return self._side(self.row)

    @property
    def columns(self) -> int:
        """Number of columns; GridError unless the grid is one rectangle."""
        return self._side(self.column)

    def _side(self, index: NDArray[np.int64]) -> int:
        if not self.is_rectangle:
            raise GridError(
                "This grid has no rows and columns: its tokens are not one rectangle of cells",
                got=f"{len(self)} tokens in {len(set(self.view.tolist()))} view(s)",
                do="work on the tokens' pixel boxes (grid.box)",
            )
        return int(index.max()) + 1

    @property
    def cell(self) -> tuple[float, float]:
        """Width and height of a cell in pixels of the picture; GridError unless the grid is one rectangle."""
        return self.size[0] / self.columns, self.size[1] / self.rows

    @property
    def centers(self) -> NDArray[np.float64]:
        """The middle of each token's box, (image_token, 2) as x, y in pixels."""
        return (self.box[:, :2] + self.box[:, 2:]) / 2

    def overlap(self, box: Box) -> NDArray[np.float64]:
        """The share of each token's own box that lies in `box`, (image_token,), from 0 to 1."""
        low = np.maximum(self.box[:, :2], [box.left, box.top])
        high = np.minimum(self.box[:, 2:], [box.right, box.bottom])
        area = np.prod(self.box[:, 2:] - self.box[:, :2], axis=1)
        shared = np.prod(np.clip(high - low, 0, None), axis=1)
        share: NDArray[np.float64] = np.divide(shared, area, out=np.zeros(len(self)), where=area > 0)
        return share

    def tokens_in(self, box: Box, share: float = 0.5) -> NDArray[np.int64]:
        """Indices of the tokens of which at least `share` lies in `box`; GridError if there is none."""
        tokens = np.flatnonzero(self.overlap(box) >= share)
        if len(tokens) == 0:
            raise GridError(
                "No image token lies in the box", where=tuple(box), got=repr(self), do="lower `share`, or check the box"
            )
        return tokens
