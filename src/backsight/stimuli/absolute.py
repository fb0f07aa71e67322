"""Absolute where: a thing's box, asked for in the format that a model writes boxes in.

One thing is asked about at a time, and its name occurs once in the picture. The answer is the right box in that format.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np

from backsight.errors import UsageError
from backsight.examples import Example, ExampleSet, Picture
from backsight.grid import Box
from backsight.maths import boxes
from backsight.maths.boxes import Form, Fractions
from backsight.stimuli import object_pictures, rows, scattered
from backsight.stimuli.layouts import Layout
from backsight.stimuli.relations import relation
from backsight.stimuli.render import ScenePicture
from backsight.stimuli.scattered import Ground
from backsight.stimuli.scene import Figure, Scene

Things = Literal["objects", "squares"]
SUITE = "located"
GRAY = (128, 128, 128)  # the ground of squares, so that a gray picture is the scene without them
DEFAULT: Form = "fractions"  # of a question that leaves its format open
COLORS = tuple(color for color in rows.COLORS if color != "gray")  # which would not be seen
# What asks for a box in each format. Where a family was taught a prompt of its own (PaliGemma's "detect", behind which
# its processor puts a line break), it is that.
PROMPTS: Mapping[Form, str] = {
    "qwen2": "Where is the {name}? Answer with its bounding box as (x1,y1),(x2,y2).",
    "json_pixels": 'Where is the {name}? Answer with its bounding box as JSON: {{"bbox_2d": [x1, y1, x2, y2]}}.',
    "json_thousand": 'Where is the {name}? Answer with its bounding box as JSON: {{"bbox_2d": [x1, y1, x2, y2]}}.',
    "loc": "detect {name}",
    "florence": "Locate the {name} in the image.",
    "yxyx": "Where is the {name}? Answer with its bounding box as [ymin, xmin, ymax, xmax], from 0 to 1000.",
    "fractions": "Where is the {name}? Answer with its bounding box as [x1, y1, x2, y2], from 0 to 1.",
    "square_fractions": "Where is the {name}? Answer with its bounding box as [x1, y1, x2, y2], from 0 to 1.",
    "kosmos2": "Where is the {name}?",
    "grid": "The box of the {name} is",
}


def question(name: str, form: Form) -> str:
    """What asks for a thing's box in a format; UsageError for an unknown one."""
    boxes.demand_form(form)
    return PROMPTS[form].format(name=name)


def fractions(box: Box, size: tuple[int, int]) -> Fractions:
    """A box in pixels of a picture of `size` (width, height), in fractions of it."""
    return Fractions(box.left / size[0], box.top / size[1], box.right / size[0], box.bottom / size[1])


def example(
    key: str, picture: Picture, name: str, box: Box, form: Form | None, *, suite: str, sides: int = boxes.SIDES,
    shown: tuple[float, float] | None = None, system: str | None = None, source: object = None,
) -> Example:  # fmt: skip
    """The question about a thing's box, in a format that its tags then name; None leaves it open, in fractions.

    `shown` is the picture's size as the model counts its pixels, for a format in pixels; else it is not given.
    """
    put = DEFAULT if form is None else form
    text = boxes.write(fractions(box, picture.size), put, size=shown or picture.size, sides=sides)
    return Example(
        id=key, picture=picture, question=question(name, put), options=(), answer=text, suite=suite, subject=name,
        boxes={name: box}, system=system, tags={} if form is None else {"form": form, "sides": str(sides)},
        source=source,
    )  # fmt: skip


def located(
    layout: Layout, *, scenes: int = 100, seed: int = 0, form: Form | None = None, sides: int = boxes.SIDES,
    things: Things = "objects", ground: Ground = "plain", system: str | None = None,
) -> ExampleSet:  # fmt: skip
    """`scenes` pictures of two things anywhere, each asked where the first one is.

    `objects` are the package's pictures of objects, of any size and position, on plain ground or on a textured one
    (`ground`) among distractors; `squares` are coloured ones of the layout's own size, in whole cells on gray. With a
    `form` a question is put in that format for whatever model; without one the measurement asks in the model's own.
    UsageError without a scene, for things or a ground that are not known, and for squares on textured ground.
    """
    if scenes < 1:
        raise UsageError("A suite needs at least one scene", got=scenes)
    if things not in ("objects", "squares"):
        raise UsageError("There are no such things to locate", got=things, do="give objects or squares")
    if ground not in get_args(Ground) or (things == "squares" and ground != "plain"):
        raise UsageError(
            "There is no such ground for these things", got=f"{things} on {ground} ground",
            do="give plain, or textured with objects",
        )  # fmt: skip
    rng = np.random.default_rng([seed, 15])
    items = []
    for number in range(scenes):
        scene = scene_of(things, layout, rng, ground=ground)
        figure = scene.named[0]
        key = f"{SUITE}-{number:04d}"
        items.append(
            example(key, ScenePicture(scene), figure.name, figure.box, form, suite=SUITE, sides=sides, system=system,
                    source=scene)
        )  # fmt: skip
    return ExampleSet(SUITE, tuple(items), only=("localization",))


def scene_of(
    things: Things, layout: Layout, rng: np.random.Generator, *, clear: bool = False, ground: Ground = "plain"
) -> Scene:
    """A scene of two things; with `clear` one of them is clearly left of, right of, above or below the other."""
    known = object_pictures.NAMES if things == "objects" else tuple(f"{color} square" for color in COLORS)
    while True:
        names = tuple(str(name) for name in rng.choice(np.array(known), 2, replace=False))
        scene = (
            scattered.scattered(names, layout, rng, ground=ground)
            if things == "objects"
            else _aligned(names, layout, rng)
        )
        if scene is not None and (not clear or relation(*(f.box for f in scene.named), ratio=scattered.RATIO)):
            return scene


def _aligned(names: tuple[str, ...], layout: Layout, rng: np.random.Generator) -> Scene | None:
    """Squares of the layout's size in whole cells on gray; None where two of them overlap."""
    side = layout.entity
    spots = [(int(rng.integers(layout.columns - side + 1)), int(rng.integers(layout.rows - side + 1))) for _ in names]
    (x0, y0), (x1, y1) = spots
    if max(abs(x0 - x1), abs(y0 - y1)) < side:
        return None
    figures = []
    for name, (x, y) in zip(names, spots, strict=True):
        box = Box(*(edge * layout.cell for edge in (x, y, x + side, y + side)))
        figures.append(Figure(name, "square", box, rows.COLORS[name.split(" ")[0]]))
    return Scene(layout.size, tuple(figures), GRAY)
