"""Pairs: two objects anywhere, asked with CREG's prompts A, B and C.

The relation comes from the boxes' centres with CREG's displacement ratio of 1.5. On plain ground two objects
stand alone; on textured ground distractors that no question names stand beside them.
"""

from __future__ import annotations

from typing import Literal, cast

import numpy as np

from backsight.errors import UsageError
from backsight.examples import Example, ExampleSet
from backsight.grid import Box
from backsight.stimuli import object_pictures
from backsight.stimuli.layouts import Layout
from backsight.stimuli.questions import CREG_PROMPTS, DIRECTIONS, NUMBER, SYSTEM, Direction, relation_question
from backsight.stimuli.relations import overlaps, relation
from backsight.stimuli.render import ScenePicture
from backsight.stimuli.rows import COLORS, SHAPE_OF
from backsight.stimuli.scene import Color, Figure, FigureKind, Scene

Ground = Literal["plain", "textured"]
RATIO = 1.5


def scattered(
    names: tuple[str, ...], layout: Layout, rng: np.random.Generator, *, ground: Ground = "plain"
) -> Scene | None:
    """A scene with the named things at random positions that do not touch, or None where they found no room.

    A name is an object (apple) or a coloured shape (red square).
    """
    width, height = layout.size
    unit = layout.entity * layout.cell
    boxes: list[Box] = []
    figures: list[Figure] = []
    extra = int(rng.integers(1, 4)) if ground == "textured" else 0
    for number in range(len(names) + extra):
        side = round(unit * rng.uniform(0.65, 1.3) * (0.6 if number >= len(names) else 1.0))
        for _ in range(40):
            x, y = int(rng.integers(0, width - side + 1)), int(rng.integers(0, height - side + 1))
            box = Box(x, y, x + side, y + side)
            if not any(overlaps(box, other, gap=2) for other in boxes):
                break
        else:
            return None
        boxes.append(box)
        figures.append(_thing(names[number], box, rng) if number < len(names) else _distractor(box, rng))
    shade = int(rng.integers(225, 256))
    texture = int(rng.integers(2**31)) if ground == "textured" else None
    return Scene(layout.size, tuple(figures), (shade, shade, shade), texture)


def _thing(name: str, box: Box, rng: np.random.Generator) -> Figure:
    if name in object_pictures.NAMES:
        return Figure(name, "picture", box, shade=int(rng.integers(-2, 3)) / 10)
    color, kind = name.split(" ")
    return Figure(name, cast(FigureKind, kind), box, COLORS[color])


def _distractor(box: Box, rng: np.random.Generator) -> Figure:
    kind = cast(FigureKind, str(rng.choice(["square", "circle", "triangle", "star", "cross", "heart"])))
    red, green, blue = (int(c) for c in rng.integers(40, 220, 3))
    color: Color = (red, green, blue)
    return Figure("distractor", kind, box, color, named=False)


SHAPE_NAMES: tuple[str, ...] = tuple(f"{color} {kind}" for color, kind in SHAPE_OF.items())


def example(scene: Scene, subject: Figure, reference: Figure, prompt: str, suite: str, key: str) -> Example | None:
    """The question about two figures of a scene, or None where their relation is not clear."""
    direction = relation(subject.box, reference.box, ratio=RATIO)
    if direction is None:
        return None
    return Example(
        id=key,
        picture=ScenePicture(scene),
        question=relation_question(prompt, subject.name, reference.name),
        options=tuple(NUMBER.values()),
        answer=NUMBER[direction],
        suite=suite,
        direction=direction,
        subject=subject.name,
        reference=reference.name,
        boxes={subject.name: subject.box, reference.name: reference.box},
        system=SYSTEM,
        tags={"prompt": prompt, "ground": "plain" if scene.texture is None else "textured"},
        source=scene,
    )


def pairs(layout: Layout, *, ground: Ground = "plain", scenes: int = 200, seed: int = 0) -> ExampleSet:
    """`scenes` pictures of two objects, a quarter a relation, each asked with the prompts A, B and C.

    Source of prompts and ratio: CREG, table 6 and section 5.1.
    """
    if scenes < 4:
        raise UsageError("Pairs need at least four scenes, one a relation", got=scenes)
    rng = np.random.default_rng([seed, 7 if ground == "plain" else 8])
    suite = "pairs" if ground == "plain" else "pairs_textured"
    items: list[Example] = []
    for number in range(scenes):
        wanted: Direction = DIRECTIONS[number % 4]
        scene = _scene_with(wanted, layout, rng, ground)
        subject, reference = scene.named
        for prompt in CREG_PROMPTS:
            item = example(scene, subject, reference, prompt, suite, f"{suite}-{number:04d}-{prompt}")
            assert item is not None
            items.append(item)
    return ExampleSet(suite, tuple(items))


def _scene_with(wanted: Direction, layout: Layout, rng: np.random.Generator, ground: Ground) -> Scene:
    while True:
        names = tuple(str(n) for n in rng.choice(np.array(object_pictures.NAMES), 2, replace=False))
        scene = scattered(names, layout, rng, ground=ground)
        if scene is not None and relation(scene.named[0].box, scene.named[1].box, ratio=RATIO) == wanted:
            return scene
