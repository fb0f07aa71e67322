"""Rows of three squares of one cell each, on grids of any size, at the same place by cells or by fractions.

A row is drawn on a grid of `SIDE` x `SIDE` cells, inside a window, with at least one free cell between two things. On a
grid of another size the very same row stands either as many cells from the top left corner, or at the same fractions of
the picture: an interpolated table of positions keeps fractions, and rotary positions keep cells.

Colours stand in triples that training shows in both orders. Of a triple that it holds out it mostly shows the reversed
one, so that a model that knows no more than which colours are there names the wrong one: not half, but none are right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from backsight.errors import UsageError
from backsight.examples import Example, ExampleSet
from backsight.grid import Box
from backsight.stimuli import rows
from backsight.stimuli.layouts import Axis
from backsight.stimuli.questions import DIRECTIONS
from backsight.stimuli.scene import Scene

Placement = Literal["cells", "fractions"]
Cell = tuple[int, int]  # column, row
SIDE = 8  # cells a side of the grid on which rows are drawn
NEEDED = 5  # cells along a row: three things and two free cells between them


@dataclass(frozen=True)
class Window:
    """Where rows may stand on the grid that they are drawn on: columns and rows from the first to before the last."""

    columns: tuple[int, int] = (0, SIDE)
    rows: tuple[int, int] = (0, SIDE)


@dataclass(frozen=True)
class Placed:
    """A row of three: its names, its axis and its cells on the grid of `SIDE` x `SIDE`, first to third along it."""

    names: rows.Triple
    axis: Axis
    cells: tuple[Cell, Cell, Cell]


def place(window: Window, axis: Axis, rng: np.random.Generator) -> Placed:
    """A row along an axis, anywhere in a window, of a triple that training shows in both orders.

    UsageError where the window is too short for three things with a free cell between them.
    """
    along, across = (window.columns, window.rows) if axis == "horizontal" else (window.rows, window.columns)
    free = along[1] - along[0] - NEEDED
    if free < 0 or across[1] <= across[0]:
        raise UsageError("A row of three does not fit into the window", got=window, do=f"give {NEEDED} cells along it")
    names = rows.random_triple("squares", rng, held=False)
    while (names[2], names[1], names[0]) in rows.held_out("squares"):
        names = rows.random_triple("squares", rng, held=False)
    before = np.sort(rng.integers(0, free + 1, 3))
    side = int(rng.integers(*across))
    places = [along[0] + 2 * k + int(shift) for k, shift in enumerate(before)]
    cells = [(at, side) if axis == "horizontal" else (side, at) for at in places]
    return Placed(names, axis, (cells[0], cells[1], cells[2]))


def placed(windows: dict[Axis, Window], *, count: int, seed: int) -> list[Placed]:
    """`count` rows, horizontal and vertical in turn, each in the window of its axis."""
    rng = np.random.default_rng(seed)
    axes: tuple[Axis, Axis] = ("horizontal", "vertical")
    return [place(windows[axes[n % 2]], axes[n % 2], rng) for n in range(count)]


def on_grid(cell: Cell, columns: int, lines: int, placement: Placement) -> Cell:
    """A cell of the grid of `SIDE` x `SIDE` on one of `columns` x `lines`.

    `cells` keeps its distance from the corner in cells; `fractions` takes the cell in which its centre's fraction of
    the picture lies. UsageError where `cells` leaves the grid.
    """
    if placement == "fractions":
        return tuple(int((at + 0.5) * of / SIDE) for at, of in zip(cell, (columns, lines), strict=True))  # type: ignore[return-value]
    if cell[0] >= columns or cell[1] >= lines:
        raise UsageError("The cell is not on the grid", got=f"{cell} of {columns} x {lines}", do="give another window")
    return cell


def scene(row: Placed, columns: int, lines: int, pixels: int, placement: Placement) -> Scene:
    """The row on a white picture of `columns` x `lines` cells of `pixels` px."""
    boxes = []
    for cell in row.cells:
        x, y = on_grid(cell, columns, lines, placement)
        boxes.append(Box(x * pixels, y * pixels, (x + 1) * pixels, (y + 1) * pixels))
    figures = tuple(rows.figure("squares", name, box) for name, box in zip(row.names, boxes, strict=True))
    return Scene((columns * pixels, lines * pixels), figures)


def examples(
    of: Sequence[Placed], *, grid: tuple[int, int] = (SIDE, SIDE), pixels: int = 14,
    placement: Placement = "cells", name: str = "squares",
) -> ExampleSet:  # fmt: skip
    """Both relation questions about each row on a grid (columns, rows) of cells of `pixels` px."""
    items: list[Example] = []
    for number, one in enumerate(of):
        row = rows.Row("squares", one.names, one.axis, scene(one, *grid, pixels, placement))
        for direction in DIRECTIONS:
            if rows.axis_of(direction) == one.axis:
                item = rows.example(row, direction, name)
                items.append(replace(item, id=f"{item.id}-{number}"))
    return ExampleSet(name, tuple(items))
