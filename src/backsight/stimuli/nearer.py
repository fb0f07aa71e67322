"""Which of two things is nearer to a third: a relation of places that no built-in model is trained on.

Built-in models are asked for directions, absolute positions, Tabletop's relations and what is there, never for a
distance. So what a repair at inference time does here is what it does to a relation that was never learned.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from backsight.examples import Example, ExampleSet
from backsight.grid import Box
from backsight.stimuli.layouts import Layout
from backsight.stimuli.questions import SYSTEM
from backsight.stimuli.render import ScenePicture
from backsight.stimuli.rows import COLORS
from backsight.stimuli.scattered import scattered
from backsight.stimuli.scene import Scene

SUITE = "nearer"
QUESTION = "Which color is nearer to the {reference} square, {one} or {two}?"
RATIO = 1.7  # the farther distance over the nearer one, at least


def nearer(layout: Layout, *, count: int = 48, seed: int = 0) -> ExampleSet:
    """`count` pictures of three coloured squares; the answer is the colour of the one that is nearer to the third.

    It is named first in every second question, so that naming the first is right half the time, as chance is.
    """
    rng = np.random.default_rng([seed, 31])
    items: list[Example] = []
    while len(items) < count:
        colors = [str(color) for color in rng.choice(np.array(list(COLORS)), 3, replace=False)]
        scene = scattered(tuple(f"{color} square" for color in colors), layout, rng)
        if scene is None or (order := _ordered(scene)) is None:
            continue
        reference, near, far = (name.removesuffix(" square") for name in order)
        options = (near, far) if len(items) % 2 == 0 else (far, near)
        question = QUESTION.format(reference=reference, one=options[0], two=options[1])
        items.append(
            Example(
                f"{SUITE}-{len(items):03d}", ScenePicture(scene), question, options, near, suite=SUITE,
                boxes=_boxes(scene), system=SYSTEM, source=scene,
            )
        )  # fmt: skip
    return ExampleSet(SUITE, tuple(items))


def _ordered(scene: Scene) -> tuple[str, str, str] | None:
    """The first thing, the one that is clearly nearer to it, and the other one; None where neither is."""
    first, *others = scene.named
    distances = [math.dist(first.box.center, other.box.center) for other in others]
    if max(distances) < RATIO * min(distances):
        return None
    near, far = (others[i].name for i in np.argsort(distances))
    return first.name, near, far


def _boxes(scene: Scene) -> Mapping[str, Box]:
    return {figure.name: figure.box for figure in scene.named}
