"""Rows of three: the suites *Squares*, *Shapes* and *Objects* of Dual Mechanisms, exact and jittered.

Three entities stand in a row or a column, and the question names the middle one. An exact suite holds every
ordered triple in every direction (480, 480, 1344 items); the jittered form draws position, size and shade afresh,
for training and for tests on scenes that were never seen.
"""

from __future__ import annotations

import itertools
import zlib
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import cast

import numpy as np

from backsight.errors import UsageError
from backsight.examples import ExampleSet, PairMaker
from backsight.grid import Box
from backsight.stimuli import counterfactuals
from backsight.stimuli.layouts import Axis, Layout
from backsight.stimuli.questions import DIRECTIONS
from backsight.stimuli.render import assets_id
from backsight.stimuli.row_scenes import (
    COLORS,
    SHAPE_OF,
    SUITES,
    Row,
    Suite,
    Triple,
    axis_of,
    example,
    figure,
    fillers,
)
from backsight.stimuli.scene import Color, Scene

__all__ = [
    "COLORS",
    "SHAPE_OF",
    "SUITES",
    "Row",
    "Suite",
    "Triple",
    "axis_of",
    "exact",
    "exact_scene",
    "example",
    "figure",
    "fillers",
    "held_out",
    "jittered",
    "jittered_scene",
    "pair_makers",
    "random_triple",
]


def exact_scene(suite: Suite, names: Triple, axis: Axis, layout: Layout) -> Scene:
    """The paper's scene: three equal entities at fixed positions on white."""
    boxes = layout.boxes(axis)
    return Scene(layout.size, tuple(figure(suite, n, b) for n, b in zip(names, boxes, strict=True)))


def exact(suite: Suite, layout: Layout, *, assets: Path | None = None, seed: int = 0) -> ExampleSet:
    """Every ordered triple in every direction: 480 items for squares and shapes, 1344 for objects.

    `seed` draws the counterfactual pairs; the items themselves are all there are. Source: Dual Mechanisms, 3.1.
    """
    if assets is not None and suite != "objects":
        raise UsageError("Only the objects suite takes a folder of pictures", got=suite)
    items = []
    if assets is not None:
        assets_id(assets)  # a missing picture is named now and not in the middle of a study
    axes: tuple[Axis, ...] = ("horizontal", "vertical")
    for axis, names in itertools.product(axes, itertools.permutations(fillers(suite), 3)):
        row = Row(suite, names, axis, exact_scene(suite, names, axis, layout), assets)
        items += [example(row, d, suite) for d in DIRECTIONS if axis_of(d) == axis]
    return ExampleSet(suite, tuple(items), pair_makers=pair_makers(seed))


def pair_makers(seed: int) -> dict[str, PairMaker]:
    """The counterfactual pairs that rows of three have, by kind."""
    return {
        "last_token": partial(counterfactuals.last_token, seed=seed),
        "reversed": partial(counterfactuals.reversed_rows, seed=seed),
    }


@cache
def held_out(suite: Suite) -> frozenset[Triple]:
    """The fifth of the ordered triples that training never shows, the same on every machine."""
    triples = itertools.permutations(fillers(suite), 3)
    ranked = sorted(triples, key=lambda t: zlib.crc32(f"{suite}:{'.'.join(t)}".encode()))
    return frozenset(ranked[: len(ranked) // 5])


def random_triple(suite: Suite, rng: np.random.Generator, *, held: bool) -> Triple:
    """An ordered triple, drawn from those that training holds out or from the others."""
    names = np.array(fillers(suite))
    while True:
        triple = cast(Triple, tuple(str(n) for n in rng.choice(names, 3, replace=False)))
        if (triple in held_out(suite)) == held:
            return triple


def jittered_scene(suite: Suite, names: Triple, axis: Axis, layout: Layout, rng: np.random.Generator) -> Scene:
    """A row with its position, sizes, gaps and shades drawn afresh; the order along the axis is that of `names`."""
    along, across = layout.size if axis == "horizontal" else layout.size[::-1]
    unit = rng.uniform(0.6, 1.1) * layout.entity * layout.cell
    while True:
        sides = np.round(unit * rng.uniform(0.75, 1.15, 3)).astype(int)
        gaps = np.round(unit * rng.uniform(0.5, 1.1, 2)).astype(int)
        total = int(sides.sum() + gaps.sum())
        if total <= along:
            break
    start = int(rng.integers(0, along - total + 1))
    base = float(rng.uniform(sides.max(), across - sides.max()))
    figures, cursor = [], start
    for k, name in enumerate(names):
        side = int(sides[k])
        offset = round(np.clip(base + rng.uniform(-0.3, 0.3) * unit - side / 2, 0, across - side))
        left, top = (cursor, offset) if axis == "horizontal" else (offset, cursor)
        box = Box(left, top, left + side, top + side)
        figures.append(figure(suite, name, box, color=_shaded(name, rng), shade=int(rng.integers(-2, 3)) / 10))
        cursor += side + (int(gaps[k]) if k < 2 else 0)
    ground = int(rng.integers(235, 256))
    return Scene(layout.size, tuple(figures), (ground, ground, ground))


def _shaded(name: str, rng: np.random.Generator) -> Color | None:
    if name not in COLORS:
        return None
    shift = rng.integers(-20, 21) + rng.integers(-8, 9, 3)  # mostly lighter or darker, so that gray stays gray
    red, green, blue = (int(np.clip(c + s, 0, 255)) for c, s in zip(COLORS[name], shift, strict=True))
    return red, green, blue


def jittered(suite: Suite, layout: Layout, *, count: int, seed: int = 0, held: bool = True) -> ExampleSet:
    """`count` jittered scenes with one question each, from held-out triples or (`held=False`) from the others."""
    rng = np.random.default_rng([seed, SUITES.index(suite), int(held)])
    items = []
    for number in range(count):
        direction = DIRECTIONS[number % 4]
        names = random_triple(suite, rng, held=held)
        axis = axis_of(direction)
        row = Row(suite, names, axis, jittered_scene(suite, names, axis, layout, rng))
        item = example(row, direction, f"jittered_{suite}")
        items.append(replace(item, id=f"{item.id}-{number}"))
    return ExampleSet(f"jittered_{suite}", tuple(items), pair_makers=pair_makers(seed))
