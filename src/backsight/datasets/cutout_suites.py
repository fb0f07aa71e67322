"""Suites of cut-outs: rows of three, pairs and depth, with the natural pixels of photographs and exact geometry.

Rows have the questions, the geometry and the counterfactual pairs of *Objects* (`stimuli.rows`), and pairs those of
*Pairs* (`stimuli.scattered`): every measurement that takes these takes those. In depth one object covers a part of
another; the truth is the order in which they were pasted, and every scene is there in both orders, so that nothing
but the pixels of the overlap tells the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backsight.datasets.cutout_drawing import CutoutFigure, Cutouts, CutoutScene, Piece
from backsight.errors import CannotAnswer, DataError, UsageError
from backsight.examples import Example, ExampleSet
from backsight.grid import Box
from backsight.stimuli import row_scenes, rows, scattered
from backsight.stimuli.groups import GroupedSet
from backsight.stimuli.layouts import Axis, Layout
from backsight.stimuli.questions import CREG_PROMPTS, DEPTH, DIRECTIONS, SYSTEM, Direction, depth_question
from backsight.stimuli.relations import overlaps, relation
from backsight.stimuli.render import ScenePicture

Ground = Literal["plain", "photo"]
GROUNDS: tuple[Ground, Ground] = ("plain", "photo")
COVERED = (0.15, 0.6)  # share of the rear object's pixels that the front one hides, in either order
TRIES = 200
AXES: tuple[Axis, Axis] = ("horizontal", "vertical")


def row_scene(
    cutouts: Cutouts, names: row_scenes.Triple, axis: Axis, layout: Layout, rng: np.random.Generator, *,
    exact: bool, ground: Ground = "plain",
) -> CutoutScene:  # fmt: skip
    """A row of three with the geometry of Objects, exact or jittered; which cut-outs stand in it is drawn by `rng`."""
    drawn = rows.exact_scene("objects", names, axis, layout)
    if not exact:
        drawn = rows.jittered_scene("objects", names, axis, layout, rng)
    figures = tuple(cutouts.figure(f.name, f.box, rng, shade=f.shade) for f in drawn.figures)
    return CutoutScene(drawn.size, figures, drawn.ground, piece=_piece(cutouts, ground, rng))


def _piece(cutouts: Cutouts, ground: Ground, rng: np.random.Generator) -> Piece | None:
    if ground == "plain":
        return None
    if not cutouts.pieces:
        raise DataError(
            "No photograph has an empty piece to stand on",
            where=f"{cutouts.root}, {cutouts.split} half",
            got="annotated objects everywhere",
            do="give more photographs, or take plain ground",
        )
    return cutouts.pieces[int(rng.integers(len(cutouts.pieces)))]


def random_triple(cutouts: Cutouts, rng: np.random.Generator) -> row_scenes.Triple:
    """Three different names of cut-outs in an order."""
    return cast(row_scenes.Triple, tuple(str(n) for n in rng.choice(np.array(cutouts.names), 3, replace=False)))


def row_set(
    cutouts: Cutouts, layout: Layout, *, count: int = 480, exact: bool = True, ground: Ground = "plain", seed: int = 0
) -> ExampleSet:  # fmt: skip
    """About `count` questions about rows of three, a quarter a direction: cutout_rows, or jittered_cutout_rows.

    An exact row is asked from both sides, as in Objects, and a jittered one once. UsageError for fewer than four.
    """
    _check(count, ground)
    suite = "cutout_rows" if exact else "jittered_cutout_rows"
    rng = np.random.default_rng([seed, 31, exact, GROUNDS.index(ground)])
    items: list[Example] = []
    for number in range(count // 2 if exact else count):
        axis = AXES[number % 2]
        scene = row_scene(cutouts, random_triple(cutouts, rng), axis, layout, rng, exact=exact, ground=ground)
        names = cast(row_scenes.Triple, tuple(f.name for f in scene.figures))
        row = row_scenes.Row("objects", names, axis, scene, cutouts)
        sides = [d for d in DIRECTIONS if rows.axis_of(d) == axis]
        for direction in sides if exact else sides[number // 2 % 2 :][:1]:
            item = row_scenes.example(row, direction, suite)
            items.append(replace(item, id=f"{suite}-{number:04d}-{direction}", tags={"ground": ground}))
    return ExampleSet(suite, tuple(items), "auto", rows.pair_makers(seed), _note(cutouts, ground))


def _note(cutouts: Cutouts, ground: Ground) -> str:
    on = "plain ground" if ground == "plain" else "empty pieces of photographs"
    return f"Objects cut out of the {cutouts.split} half of the photographs, on {on}: {', '.join(cutouts.names)}."


def _check(count: int, ground: str) -> None:
    if count < 4:
        raise UsageError("A suite of cut-outs needs at least four questions or scenes, one a direction", got=count)
    if ground not in GROUNDS:
        raise UsageError("There is no such ground", got=ground, do=f"choose from: {', '.join(GROUNDS)}")


def sized(cutouts: Cutouts, name: str, side: int, rng: np.random.Generator) -> CutoutFigure:
    """A figure in the corner whose box is its silhouette's own, its longer side `side` pixels."""
    figure = cutouts.figure(name, Box(0, 0, side, side), rng)
    across, down = cutouts.proportions(figure)
    return replace(figure, box=Box(0, 0, max(1, round(side * across)), max(1, round(side * down))))


def at(figure: CutoutFigure, left: int, top: int) -> CutoutFigure:
    """The same figure with its box's corner elsewhere."""
    return replace(figure, box=Box(left, top, left + figure.box.width, top + figure.box.height))


def anywhere(figure: CutoutFigure, layout: Layout, rng: np.random.Generator) -> CutoutFigure:
    """The same figure at a random position in a picture."""
    width, height = layout.size
    left, top = (round(side) + 1 for side in (width - figure.box.width, height - figure.box.height))
    return at(figure, int(rng.integers(left)), int(rng.integers(top)))


def pair_set(
    cutouts: Cutouts, layout: Layout, *, scenes: int = 200, ground: Ground = "plain", seed: int = 0
) -> ExampleSet:
    """`scenes` pictures of two cut-outs anywhere, a quarter a relation, each asked with CREG's prompts A, B and C.

    Sizes are drawn as in Pairs; a box is the silhouette's own. Source of prompts and ratio: CREG, table 6 and 5.1.
    """
    _check(scenes, ground)
    rng = np.random.default_rng([seed, 32, GROUNDS.index(ground)])
    items: list[Example] = []
    for number in range(scenes):
        scene = _pair_with(cutouts, DIRECTIONS[number % 4], layout, rng, ground)
        subject, reference = scene.figures
        for prompt in CREG_PROMPTS:
            key = f"cutout_pairs-{number:04d}-{prompt}"
            item = scattered.example(scene, subject, reference, prompt, "cutout_pairs", key)
            assert item is not None
            tags = {"prompt": prompt, "ground": ground}
            items.append(replace(item, picture=ScenePicture(scene, cutouts), tags=tags))
    return ExampleSet("cutout_pairs", tuple(items), note=_note(cutouts, ground))


def _pair_with(
    cutouts: Cutouts, wanted: Direction, layout: Layout, rng: np.random.Generator, ground: Ground
) -> CutoutScene:  # fmt: skip
    shade = int(rng.integers(225, 256))
    for figures in _two(cutouts, layout, rng):
        one, two = figures
        if not overlaps(one.box, two.box, gap=2) and relation(one.box, two.box, ratio=scattered.RATIO) == wanted:
            return CutoutScene(layout.size, figures, (shade,) * 3, piece=_piece(cutouts, ground, rng))
    raise AssertionError("`_two` does not end")


def _two(cutouts: Cutouts, layout: Layout, rng: np.random.Generator) -> Iterator[tuple[CutoutFigure, CutoutFigure]]:
    """Two figures of different names anywhere in a picture, drawn without end."""
    unit = layout.entity * layout.cell
    while True:
        names = rng.choice(np.array(cutouts.names), 2, replace=False)
        one, two = (sized(cutouts, str(n), round(unit * rng.uniform(0.65, 1.3)), rng) for n in names)
        for _ in range(20):
            placed = [anywhere(figure, layout, rng) for figure in (one, two)]
            yield placed[0], placed[1]


def depth_set(
    cutouts: Cutouts, layout: Layout, *, scenes: int = 100, ground: Ground = "plain", seed: int = 0
) -> ExampleSet:
    """`scenes` placements of two overlapping cut-outs, each in both orders with one question: twice as many items.

    The front object hides 15 to 60 % of the rear one's pixels in either order. Both orders share the tag `group`.
    CannotAnswer where no overlap of that size is met.
    """
    _check(scenes, ground)
    rng = np.random.default_rng([seed, 33, GROUNDS.index(ground)])
    items: list[Example] = []
    for number in range(scenes):
        group = f"{number:04d}"
        scene = _overlapping(cutouts, layout, rng, ground)
        for order, figures in zip(("front", "behind"), (scene.figures[::-1], scene.figures), strict=True):
            items.append(_depth_example(replace(scene, figures=figures), scene.figures[0].name, order, group, cutouts))
    return GroupedSet("cutout_depth", tuple(items), note=_note(cutouts, ground))


def _depth_example(scene: CutoutScene, subject: str, answer: str, group: str, cutouts: Cutouts) -> Example:
    (reference,) = (f.name for f in scene.figures if f.name != subject)
    return Example(
        id=f"cutout_depth-{group}-{answer}",
        picture=ScenePicture(scene, cutouts),
        question=depth_question(subject, reference),
        options=DEPTH,
        answer=answer,
        suite="cutout_depth",
        direction=answer,
        subject=subject,
        reference=reference,
        boxes={f.name: f.box for f in sorted(scene.figures, key=lambda f: f.name != subject)},
        system=SYSTEM,
        tags={"group": group, "ground": "plain" if scene.piece is None else "photo"},
        source=scene,
    )


def _overlapping(cutouts: Cutouts, layout: Layout, rng: np.random.Generator, ground: Ground) -> CutoutScene:
    low, high = COVERED
    shade = int(rng.integers(225, 256))
    unit = 2 * layout.entity * layout.cell
    width, height = layout.size
    for _ in range(TRIES):
        names = rng.choice(np.array(cutouts.names), 2, replace=False)
        side = min(round(unit * rng.uniform(0.65, 1.3)), min(width, height) // 2)
        # Of one size, so that neither is nearer by its size.
        one, two = (sized(cutouts, str(n), side, rng) for n in names)
        one = anywhere(one, layout, rng)
        for _ in range(20):
            left = round(one.box.left + rng.uniform(-1, 1) * side)
            top = round(one.box.top + rng.uniform(-1, 1) * side)
            other = at(two, left, top)
            if left < 0 or top < 0 or other.box.right > width or other.box.bottom > height:
                continue
            if all(low <= share <= high for share in hidden(cutouts, one, other)):
                return CutoutScene(layout.size, (one, other), (shade,) * 3, piece=_piece(cutouts, ground, rng))
    raise CannotAnswer(
        "No two cut-outs overlap as the depth suite needs it",
        where=f"{cutouts.root}, {cutouts.split} half",
        got=f"pictures of {width} x {height} px with objects of about {unit} px",
    )


def hidden(cutouts: Cutouts, one: CutoutFigure, two: CutoutFigure) -> tuple[float, float]:
    """The shares of the pixels of `one` that `two` would hide in front of it, and of `two` that `one` would."""
    left, top = min(one.box.left, two.box.left), min(one.box.top, two.box.top)
    size = round(max(one.box.right, two.box.right) - left), round(max(one.box.bottom, two.box.bottom) - top)
    masks = [_mask(cutouts, figure, (left, top), size) for figure in (one, two)]
    both = float((masks[0] & masks[1]).sum())
    one_area, two_area = (max(1.0, float(mask.sum())) for mask in masks)
    return both / one_area, both / two_area


def _mask(
    cutouts: Cutouts, figure: CutoutFigure, corner: tuple[float, float], size: tuple[int, int]
) -> NDArray[np.bool_]:  # fmt: skip
    mask = Image.new("L", size, 0)
    mask.paste(
        cutouts.sprite(figure).getchannel("A"), (round(figure.box.left - corner[0]), round(figure.box.top - corner[1]))
    )
    return np.asarray(mask) >= 128
