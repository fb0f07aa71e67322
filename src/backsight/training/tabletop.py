"""Tabletop for training: scenes drawn once and shown several times, also mirrored, and composites of their halves.

Drawing a scene takes longer than learning from it, so training draws `STAGES` pieces of furniture, each with six
things around it, and goes through them again and again. The pairs of a thing and a kind of furniture that the suites
are made of never appear.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from PIL import Image, ImageOps

from backsight.datasets.composites import joined
from backsight.stimuli import tabletop
from backsight.stimuli.questions import Relation, WhatsUpSet, composite_question, whatsup_question
from backsight.stimuli.tabletop_drawing import render
from backsight.stimuli.tabletop_world import FurnitureKind, TableScene

STAGES = 256
SEED = 20  # apart from the seeds of suites, which count from 0
RELATIONS: Mapping[WhatsUpSet, tuple[Relation, ...]] = {
    "a": ("left", "left", "right", "right", "on", "under"),
    "b": ("left", "left", "right", "right", "front", "behind"),
}
MIRRORED: Mapping[Relation, Relation] = {"left": "right", "right": "left"}


Shown = tuple[Image.Image, tuple[str, ...], list[tuple[str, str]]]  # a picture, what is in it, questions and answers


@dataclass(frozen=True)
class Drawn:
    """A picture of a thing by a piece of furniture, and where the thing is."""

    image: Image.Image
    thing: str
    furniture: FurnitureKind
    relation: Relation
    which: WhatsUpSet

    def mirrored(self) -> Drawn:
        """The same seen in a mirror: left is right."""
        return replace(self, image=ImageOps.mirror(self.image), relation=MIRRORED.get(self.relation, self.relation))


@lru_cache(maxsize=STAGES)
def stage(number: int, size: tuple[int, int]) -> tuple[Drawn, ...]:
    """Six pictures of different things around one piece of furniture: two left, two right, and the set's other two.

    A function of the number and the size; no pair is held out.
    """
    rng = np.random.default_rng([SEED, number])
    which = tabletop.WHICH[number % 2]
    kind = tabletop.FURNITURE[number // 2 % 2]
    names = [name for name, furniture in tabletop.all_pairs(held=False) if furniture == kind]
    while True:
        empty_stage, drawn = tabletop.random_stage(kind, which, rng), []
        for name, relation in zip(rng.permutation(np.array(names)), RELATIONS[which], strict=False):
            scene = tabletop.placed(TableScene(size, empty_stage, tabletop.random_thing(str(name), rng)), relation, rng)
            if scene is not None:
                drawn.append(Drawn(render(scene), str(name), kind, relation, which))
        if len(drawn) == len(RELATIONS[which]):
            return tuple(drawn)


def scene(size: tuple[int, int], rng: np.random.Generator) -> Shown:
    """A picture, what is in it, and What'sUp's question: in both sets' words where both have the answer."""
    drawn = stage(int(rng.integers(STAGES)), size)
    one = drawn[int(rng.integers(len(drawn)))]
    if rng.random() < 0.5:
        one = one.mirrored()
    sets = tabletop.WHICH if one.relation in MIRRORED else (one.which,)
    asked = [(whatsup_question(which, one.thing, one.furniture), str(one.relation)) for which in sets]
    return one.image, (one.thing,), asked


def composite(size: tuple[int, int], rng: np.random.Generator) -> Shown:
    """A picture joined of two halves around one piece of furniture, what is beside it, and both sides' questions."""
    drawn = stage(int(rng.integers(STAGES)), size)
    left = drawn[int(rng.integers(2))]
    right = drawn[2 + int(rng.integers(2))]
    if rng.random() < 0.5:
        left, right = right.mirrored(), left.mirrored()
    asked = [
        (composite_question("left", left.furniture), left.thing),
        (composite_question("right", right.furniture), right.thing),
    ]
    return joined(left.image, right.image), (left.thing, right.thing), asked
