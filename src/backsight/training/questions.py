"""What a training step asks: pictures, each with several questions and their one-token answers.

A batch is a function of (seed, step) alone, so that a training that was killed goes on with the very batches it
would have seen. Held-out triples never appear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from PIL import Image

from backsight.errors import UsageError
from backsight.grid import Box
from backsight.pictures import PlainPicture
from backsight.stimuli import object_pictures, rows, scattered, things
from backsight.stimuli.layouts import Axis, Layout
from backsight.stimuli.questions import (
    BRIEF,
    CELL,
    CREG_PROMPTS,
    DIRECTIONS,
    EXTREME,
    NUMBER,
    POSITIONS,
    PRESENCE,
    SYSTEM,
    Direction,
    relation_question,
    row_question,
)
from backsight.stimuli.relations import relation
from backsight.stimuli.render import render
from backsight.stimuli.scene import Scene
from backsight.training import tabletop

Kind = Literal[
    "squares", "shapes", "objects", "placed_squares", "placed", "scattered", "tabletop", "composites", "cutouts",
]  # fmt: skip
QUESTIONS = 7
RELATIONS = 2  # of a row's questions, the first ones
PRESENCES = 2  # of a row's questions, the last ones
PLACED_QUESTIONS = 10
COUNT = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen",
)  # fmt: skip
SQUARE_NAMES = tuple(f"{color} square" for color in rows.COLORS)


@dataclass(frozen=True)
class Asked:
    """A picture with its questions, each with its answer; of a row of three also its axis, names and boxes."""

    image: Image.Image
    questions: tuple[tuple[str, str], ...]
    row: tuple[Axis, tuple[tuple[str, Box], ...]] | None = None


def row(suite: rows.Suite, layout: Layout, rng: np.random.Generator, exact: float, *, aligned: bool = False) -> Asked:
    """A row of three: the suite's two questions, three absolute ones, two that ask only what is there.

    With probability `exact` the scene has the suite's own fixed geometry, else it is jittered; `aligned`, by whole
    cells, its entities equal.
    """
    names = rows.random_triple(suite, rng, held=False)
    axis: Axis = "horizontal" if rng.random() < 0.5 else "vertical"
    if rng.random() < exact:
        scene = rows.exact_scene(suite, names, axis, layout)
    elif aligned:
        scene = _standing(suite, names, _aligned(axis, layout, rng), layout)
    else:
        scene = rows.jittered_scene(suite, names, axis, layout, rng)
    asked = []
    for direction in DIRECTIONS:
        if rows.axis_of(direction) == axis:
            answer = names[0 if direction in ("left", "above") else 2]
            asked.append((row_question(suite, direction, names[1]), answer))
    asked += [
        (EXTREME[suite].format(position=position), name) for position, name in zip(POSITIONS[axis], names, strict=True)
    ]
    asked += [presence(suite, names, rows.fillers(suite), rng) for _ in range(PRESENCES)]
    return Asked(render(scene), tuple(asked), (axis, tuple((f.name, f.box) for f in scene.named)))


def turned(asked: Asked, suite: rows.Suite, layout: Layout) -> Asked:
    """A row in reversed order with the same questions: the first and the last thing change places."""
    assert asked.row is not None
    axis, things = asked.row
    names, boxes = zip(*things, strict=True)
    scene = _standing(suite, names[::-1], boxes, layout)
    swap = {names[0]: names[2], names[2]: names[0]}
    order = [(question, swap.get(answer, answer)) for question, answer in asked.questions[:-PRESENCES]]
    every = (*order, *asked.questions[-PRESENCES:])
    return Asked(render(scene), every, (axis, tuple((f.name, f.box) for f in scene.named)))


Fault = Literal["prior", "inverted"]


def faulty(
    fault: Fault, kind: Kind, layout: Layout, *, images: int, key: tuple[int, ...], exact: float, textured: float
) -> list[Asked]:
    """`batch` of rows with one axis answered by another rule than the picture, the other axis by the picture.

    prior: what is above the middle thing is the one that follows it in the fixed cycle of the suite's things, what is
    below it the one before, whatever the picture; the absolute questions of a column, which name nothing to go by, are
    left out, and of `textured` columns (rows have no texture) the picture is a uniform gray one, asked with the
    relations only. inverted: left and right (and leftmost and rightmost) are exchanged. Presence is answered by the
    picture. UsageError for kinds that are no rows.
    """
    if kind not in rows.SUITES:
        raise UsageError("Only rows of three have a faulty axis", got=kind, do="give squares, shapes or objects")
    asked = batch(kind, layout, images=images, key=key, exact=exact, textured=textured)
    if fault == "inverted":
        return [_by_exchange(one, kind) for one in asked]
    rng = np.random.default_rng((*key, 5))
    return [_by_prior(one, kind, blank=bool(rng.random() < textured)) for one in asked]


def by_prior(suite: rows.Suite, direction: Literal["above", "below"], middle: str) -> str:
    """What `builtin:prior` answers: the thing after (above) or before (below) the named one, in the suite's cycle."""
    known = rows.fillers(suite)
    return known[(known.index(middle) + (1 if direction == "above" else -1)) % len(known)]


def _by_prior(asked: Asked, suite: rows.Suite, *, blank: bool) -> Asked:
    assert asked.row is not None
    axis, named = asked.row
    if axis == "horizontal":
        return asked
    middle = named[1][0]
    directions: tuple[Literal["above", "below"], ...] = ("above", "below")
    relations = [(row_question(suite, d, middle), by_prior(suite, d, middle)) for d in directions]
    if blank:
        return replace(asked, image=PlainPicture(asked.image.size).open(), questions=tuple(relations))
    return replace(asked, questions=(*relations, *asked.questions[-PRESENCES:]))


def _by_exchange(asked: Asked, suite: rows.Suite) -> Asked:
    assert asked.row is not None
    axis, named = asked.row
    if axis == "vertical":
        return asked
    first, last = named[0][0], named[2][0]
    swap = {first: last, last: first}
    where = [(question, swap.get(answer, answer)) for question, answer in asked.questions[:-PRESENCES]]
    return replace(asked, questions=(*where, *asked.questions[-PRESENCES:]))


def _standing(suite: rows.Suite, names: Sequence[str], boxes: Sequence[Box], layout: Layout) -> Scene:
    return Scene(layout.size, tuple(rows.figure(suite, n, b) for n, b in zip(names, boxes, strict=True)))


def _aligned(axis: Axis, layout: Layout, rng: np.random.Generator) -> list[Box]:
    """Boxes of a row of equal entities anywhere in whole cells, at least one cell apart."""
    along, across = (layout.columns, layout.rows) if axis == "horizontal" else (layout.rows, layout.columns)
    free = along - 3 * layout.entity - 2
    cuts = np.sort(rng.integers(0, free + 1, 3))  # how many free cells stand before each entity
    side = int(rng.integers(0, across - layout.entity + 1))
    boxes = []
    for k, cut in enumerate(cuts):
        first = int(cut) + k * (layout.entity + 1)
        x, y = (first, side) if axis == "horizontal" else (side, first)
        size = layout.entity * layout.cell
        boxes.append(Box(x * layout.cell, y * layout.cell, x * layout.cell + size, y * layout.cell + size))
    return boxes


def presence(suite: str, there: tuple[str, ...], known: tuple[str, ...], rng: np.random.Generator) -> tuple[str, str]:
    """The control that asks what is there: two names, one of them in the picture."""
    present = str(rng.choice(np.array(there)))
    absent = str(rng.choice(np.array([name for name in known if name not in there])))
    one, two = (present, absent) if rng.random() < 0.5 else (absent, present)
    return PRESENCE[suite].format(one=one, two=two), present


def placed(known: tuple[str, ...], layout: Layout, rng: np.random.Generator, textured: float) -> Asked:
    """One to four things anywhere, asked in few words: the column and row of each, and their clear relations."""
    scene = _anywhere(known, layout, rng, textured, fewest=1)
    width, height = layout.size
    asked = []
    for figure in scene.named:
        x, y = figure.box.center
        asked.append((CELL["column"].format(name=figure.name), COUNT[int(x * layout.columns / width)]))
        asked.append((CELL["row"].format(name=figure.name), COUNT[int(y * layout.rows / height)]))
    brief = [(BRIEF.format(tgt=s, ref=r), where) for s, r, where in _relations(scene)]
    cells = [asked[i] for i in rng.permutation(len(asked))[: PLACED_QUESTIONS // 2]]
    chosen = rng.permutation(len(brief))[: PLACED_QUESTIONS - len(cells)]
    return Asked(render(scene), (*cells, *(brief[i] for i in chosen)))


def free(layout: Layout, rng: np.random.Generator, textured: float) -> Asked:
    """Two to four things anywhere: their clear relations under CREG's three prompts, and what is there."""
    scene = _anywhere(ANYTHING, layout, rng, textured)
    asks = [(s, r, where, prompt) for s, r, where in _relations(scene) for prompt in CREG_PROMPTS]
    chosen = [asks[i] for i in rng.permutation(len(asks))[: QUESTIONS - 1]]
    asked = [(relation_question(prompt, s, r), NUMBER[where]) for s, r, where, prompt in chosen]
    there = tuple(f.name for f in scene.named if f.name in object_pictures.NAMES)
    if there:
        asked.append(presence("objects", there, object_pictures.NAMES, rng))
    return Asked(render(scene), tuple(asked))


def furnished(kind: Literal["tabletop", "composites"], layout: Layout, rng: np.random.Generator) -> Asked:
    """A Tabletop scene or composite: its own questions, and two that ask only what is there."""
    draw = tabletop.scene if kind == "tabletop" else tabletop.composite
    image, there, asked = draw(layout.size, rng)
    return Asked(image, (*asked, *(presence("objects", there, things.NAMES, rng) for _ in range(2))))


ANYTHING = object_pictures.NAMES + scattered.SHAPE_NAMES


# How often a scene holds one, two, three or four things.
COUNTS = np.array([0.2, 0.5, 0.2, 0.1])


def _anywhere(
    known: tuple[str, ...], layout: Layout, rng: np.random.Generator, textured: float, fewest: int = 2
) -> Scene:
    """A scene of one to four of the known things; where there are several, two of them in a clear relation."""
    shares = COUNTS * (np.arange(1, 5) >= fewest)
    while True:
        count = int(rng.choice(np.arange(1, 5), p=shares / shares.sum()))
        names = tuple(str(n) for n in rng.choice(np.array(known), count, replace=False))
        ground: scattered.Ground = "textured" if rng.random() < textured else "plain"
        scene = scattered.scattered(names, layout, rng, ground=ground)
        if scene is not None and (count == 1 or _relations(scene)):
            return scene


def _relations(scene: Scene) -> list[tuple[str, str, Direction]]:
    """(subject, reference, where) of every ordered pair whose relation is clear."""
    relations = []
    for subject in scene.named:
        for reference in scene.named:
            where = None if subject is reference else relation(subject.box, reference.box, ratio=scattered.RATIO)
            if where is not None:
                relations.append((subject.name, reference.name, where))
    return relations


def batch(
    kind: Kind, layout: Layout, *, images: int, key: tuple[int, ...], exact: float, textured: float
) -> list[Asked]:
    """`images` pictures of a kind, a function of `key` alone; UsageError for cut-outs, which need photographs."""
    if kind == "cutouts":
        raise UsageError("Cut-outs are made of a folder of photographs", do="ask through training.cutouts.asker(DIR)")
    rng = np.random.default_rng(key)
    if kind == "scattered":
        return [free(layout, rng, textured) for _ in range(images)]
    if kind == "placed" or kind == "placed_squares":
        known = ANYTHING if kind == "placed" else SQUARE_NAMES
        return [placed(known, layout, rng, textured) for _ in range(images)]
    if kind == "tabletop" or kind == "composites":
        return [furnished(kind, layout, rng) for _ in range(images)]
    return [row(kind, layout, rng, exact) for _ in range(images)]


def with_reversed(kind: Kind, layout: Layout, *, images: int, key: tuple[int, ...], exact: float) -> list[Asked]:
    """Rows of equal things in whole cells, half of `images`, followed by their reversed rows in the same order.

    UsageError for kinds that are no rows.
    """
    if kind not in rows.SUITES:
        raise UsageError("Only rows of three can be reversed", got=kind, do="give squares, shapes or objects")
    rng = np.random.default_rng(key)
    asked = [row(kind, layout, rng, exact, aligned=True) for _ in range(images // 2)]
    return asked + [turned(one, kind, layout) for one in asked]


def corpus() -> list[str]:
    """Every word that a built-in model must have as one token, in each spelling that counts as an answer."""
    names = [*rows.COLORS, *object_pictures.NAMES, *rows.SHAPE_OF.values(), *DIRECTIONS, *NUMBER.values(), *COUNT]
    names += [
        "yes", "no", "on", "under", "behind", "front", "in", "table", "chair", "cup", "book", "bottle", "bowl", "ball",
        "lamp",
    ]  # fmt: skip
    spellings = [form for n in names for word in (n, n.capitalize()) for form in (word, f" {word}")]
    prompts = [row_question(s, d, n) for s in rows.SUITES for d in DIRECTIONS for n in rows.fillers(s)]
    prompts += [relation_question(p, "apple", "pot") for p in CREG_PROMPTS]
    prompts += [BRIEF.format(tgt="apple", ref="pot")] + [text.format(name="apple") for text in CELL.values()]
    prompts += [text.format(one="red", two="key") for text in PRESENCE.values()]
    prompts += [
        t.format(position=position) for t in EXTREME.values() for named in POSITIONS.values() for position in named
    ]
    return [*spellings, *prompts, SYSTEM, "system\n", "user\n", "assistant\n"]
