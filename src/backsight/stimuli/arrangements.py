"""Arrangements beyond a row of three in the middle: shifted rows, and grids of shapes.

Shifted rows stand closer together and at the picture's ends, so that the second of a row stands where the first or
the last of another does: ordinal position is told from absolute column. Grids hold both directions at once (Dual
Mechanisms, B.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from backsight.errors import CannotAnswer
from backsight.examples import Example, ExampleSet
from backsight.grid import Box, TokenGrid
from backsight.stimuli import rows
from backsight.stimuli.layouts import Layout
from backsight.stimuli.questions import PRESENCE, SYSTEM, Direction
from backsight.stimuli.render import ScenePicture
from backsight.stimuli.rows import COLORS, SHAPE_OF
from backsight.stimuli.scene import Figure, Scene

TRAINED = 0.75  # of the pictures, to fit a probe on
DRAWS = 64  # of photographs that composites are split by
TOUCHED = 0.01  # of a cell that a thing must cover for the cell to carry it


@dataclass(frozen=True)
class Grid:
    """How a grid scene was made: `side` x `side` positions in raster order. Kept as the `source` of an example."""

    side: int
    scene: Scene


def shifted(example: Example, cell: float) -> list[Example]:
    """A row's picture twice more: with its entities one cell (px) apart, at the near and at the far end."""
    row = example.source
    if not isinstance(row, rows.Row):
        raise CannotAnswer("Only rows of three can be shifted", got=f"the suite {example.suite}")
    across = row.axis == "horizontal"
    sides = [f.box.width if across else f.box.height for f in row.scene.figures]
    total = sum(sides) + 2 * cell
    length = row.scene.size[0 if across else 1]
    rows_shifted = []
    for name, start in (("near", 0.0), ("far", length - total)):
        figures, at = [], round(start)
        for figure, side in zip(row.scene.figures, sides, strict=True):
            box = figure.box
            moved = Box(at, box.top, at + side, box.bottom) if across else Box(box.left, at, box.right, at + side)
            figures.append(replace(figure, box=moved))
            at = round(at + side + cell)
        other = replace(row, scene=row.scene.with_figures(tuple(figures)))
        assert example.direction is not None
        again = rows.example(other, example.direction, f"{example.suite}_shifted")  # type: ignore[arg-type]
        rows_shifted.append(replace(again, id=f"{example.id}-{name}"))
    return rows_shifted


def grid(layout: Layout, side: int, *, count: int = 120, seed: int = 0) -> ExampleSet:
    """`count` pictures of `side` x `side` coloured shapes, each asked which of two colours is there.

    CannotAnswer where so many entities do not fit the layout's grid.
    """
    spacing = layout.spacing
    length = side * layout.entity + (side - 1) * spacing
    if length > min(layout.rows, layout.columns):
        raise CannotAnswer(
            f"The token grid is too small for {side} x {side} entities", got=f"{layout.rows} x {layout.columns} cells",
            do=f"use a grid of at least {length} x {length}",
        )  # fmt: skip
    top, left = (layout.rows - length) // 2, (layout.columns - length) // 2
    rng = np.random.default_rng([seed, 11, side])
    items = []
    for number in range(count):
        # One colour is left out, so that there is something absent to ask about.
        colors = rng.permutation(list(COLORS))
        names = [str(n) for n in rng.choice(colors[1:], side * side)]
        figures = []
        for position, name in enumerate(names):
            y = (top + position // side * (layout.entity + spacing)) * layout.cell
            x = (left + position % side * (layout.entity + spacing)) * layout.cell
            extent = layout.entity * layout.cell
            figures.append(Figure(name, SHAPE_OF[name], Box(x, y, x + extent, y + extent), COLORS[name]))
        scene = Scene(layout.size, tuple(figures))
        there, absent = str(rng.choice(names)), str(colors[0])
        one, two = (there, absent) if rng.random() < 0.5 else (absent, there)
        items.append(
            Example(
                id=f"grid_{side}x{side}-{number:03d}",
                picture=ScenePicture(scene),
                question=PRESENCE["shapes"].format(one=one, two=two),
                options=(one, two),
                answer=there,
                suite=f"grid_{side}x{side}",
                system=SYSTEM,
                source=Grid(side, scene),
            )
        )
    return ExampleSet(f"grid_{side}x{side}", tuple(items), only=("probes", "probemaps"))


def positions(example: Example) -> tuple[Box, ...]:
    """The boxes of a row or a grid in the order of their positions; CannotAnswer for anything else."""
    if isinstance(example.source, rows.Row):
        return tuple(f.box for f in example.source.scene.figures)
    if isinstance(example.source, Grid):
        return tuple(f.box for f in example.source.scene.figures)
    boxes = tuple(example.boxes.values())
    if len(boxes) == 3 and example.direction in ("left", "right", "above", "below"):
        axis = 0 if rows.axis_of(cast(Direction, example.direction)) == "horizontal" else 1
        first, middle, last = (box.center[axis] for box in boxes)
        if first < middle < last:
            return boxes
    raise CannotAnswer("A probe of positions needs rows or grids of things", got=f"the suite {example.suite}")


def arrangement(example: Example) -> str:
    """What kind of positions an example has: horizontal, vertical, or grid."""
    if isinstance(example.source, Grid):
        return "grid"
    return rows.axis_of(cast(Direction, example.direction))


def by_arrangement(examples: Sequence[Example]) -> dict[str, list[Example]]:
    """One example of each picture, by its kind of arrangement."""
    kinds: dict[str, dict[str, Example]] = {}
    for example in examples:
        positions(example)
        kinds.setdefault(arrangement(example), {}).setdefault(example.image_id, example)
    return {kind: list(pictures.values()) for kind, pictures in kinds.items()}


def split(pictures: Sequence[Example], seed: int) -> tuple[list[Example], list[Example]]:
    """Three quarters of the pictures to fit on, and the rest.

    Pictures that are joined of two are split by what they are joined of, so that no photograph is in both parts. A
    picture whose halves would be in different parts is in neither; of those left about three quarters are to fit on.
    """
    if any(len(example.picture.sources) > 1 for example in pictures):
        return split_by_source(pictures, seed)
    order = np.random.default_rng([seed, len(pictures)]).permutation(len(pictures))
    cut = round(TRAINED * len(pictures))
    return [pictures[i] for i in sorted(order[:cut])], [pictures[i] for i in sorted(order[cut:])]


def split_by_source(
    pictures: Sequence[Example], seed: int, part: float = TRAINED
) -> tuple[list[Example], list[Example]]:  # fmt: skip
    """Two parts that share no photograph, `part` of what is left in the first; what would be in both is in neither.

    Of several draws of the photographs it is the one that leaves most pictures for both parts.
    """
    names = sorted({name for example in pictures for name in example.picture.sources})
    # Of pictures of two halves p ** 2 are to fit on and (1 - p) ** 2 are left, which are as `part` to the rest.
    share = part**0.5 / (part**0.5 + (1 - part) ** 0.5)
    rng = np.random.default_rng([seed, len(names)])
    halves = [(example, set(example.picture.sources)) for example in pictures]
    best: tuple[list[Example], list[Example]] = [], []
    for _ in range(DRAWS):
        fitted = {names[i] for i in rng.permutation(len(names))[: round(share * len(names))]}
        train, test = [e for e, of in halves if of <= fitted], [e for e, of in halves if not of & fitted]
        if _smaller(train, test, part) > _smaller(*best, part):
            best = train, test
    return best


def _smaller(train: Sequence[Example], test: Sequence[Example], part: float) -> float:
    return min(len(train) / part, len(test) / (1 - part))


def labelled(example: Example, grid: TokenGrid) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each token's object's position (-1 on the background), and the strip or field of the picture that it lies in."""
    boxes = positions(example)
    labels = np.full(len(grid), -1)
    for position, box in enumerate(boxes):
        labels[grid.tokens_in(box, TOUCHED)] = position
    rows, columns = grid.rows, grid.columns
    if isinstance(example.source, Grid):
        side = example.source.side
        return labels, _third(grid.row, rows, side) * side + _third(grid.column, columns, side)
    across = arrangement(example) == "horizontal"
    return labels, _third(grid.column, columns, 3) if across else _third(grid.row, rows, 3)


def _third(index: NDArray[np.int64], length: int, parts: int) -> NDArray[np.int64]:
    """Which of `parts` parts an index lies in: the outer ones are equally wide, and the middle takes what is left."""
    outer = length // parts
    cuts = [outer * k if k <= parts / 2 else length - outer * (parts - k) for k in range(1, parts)]
    return np.searchsorted(cuts, index, side="right")
