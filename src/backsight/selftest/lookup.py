"""Scenes for the model whose weights are set by hand (`models.by_hand`), and that model behind the seam."""

from __future__ import annotations

import numpy as np

from backsight.examples import Example, ExampleSet
from backsight.grid import Box
from backsight.models import by_hand
from backsight.models.by_hand import BLUE, GRAY, PATCH, RED, SIDE, Evidence
from backsight.models.vlm import VLM
from backsight.stimuli.questions import DIRECTIONS, NUMBER, relation_question
from backsight.stimuli.relations import overlaps, relation
from backsight.stimuli.render import ScenePicture
from backsight.stimuli.scene import Figure, Scene
from backsight.training.questions import corpus

CLEAR = 2.7  # displacement ratio of a clear relation: within 20 degrees of its direction
SUITE = "lookup"


def lookup(evidence: Evidence = "subject", *, order: float = 1.0, prior: float = 0.0) -> VLM:
    """The hand-set model on the CPU, with what `by_hand.lookup` takes.

    No contract is run: they change a state and expect other logits, which most states of this model rightly never give.
    """
    name = f"by hand, evidence {evidence}" + (f", order x {order:g}" if order != 1 else "")
    return VLM(*by_hand.lookup(corpus(), evidence, order=order, prior=prior), name=name, check=False)


def scenes(count: int, *, seed: int = 0) -> ExampleSet:
    """`count` pictures of a red cell and two by two blue ones in the middle, a quarter a direction, prompt A of CREG.

    The red cell lies within 20 degrees of its direction, so nearly all of it in one sector of the compass. There are
    8 such cells a direction; where more pictures are asked for they come again.
    """
    half = SIDE // 2
    middle = Box((half - 1) * PATCH, (half - 1) * PATCH, (half + 1) * PATCH, (half + 1) * PATCH)
    cells = [_cell(row, column) for row in range(SIDE) for column in range(SIDE)]
    cells = [box for box in cells if not overlaps(box, middle, gap=2)]
    order = [cells[i] for i in np.random.default_rng([seed, 11]).permutation(len(cells))]
    of = {name: [box for box in order if relation(box, middle, ratio=CLEAR) == name] for name in DIRECTIONS}
    items = []
    for number in range(count):
        name, turn = DIRECTIONS[number % 4], number // 4
        subject = of[name][turn % len(of[name])]
        figures = (Figure("red square", "square", subject, RED), Figure("blue square", "square", middle, BLUE))
        items.append(_question(Scene((SIDE * PATCH,) * 2, figures, GRAY), number))
    return ExampleSet(SUITE, tuple(items))


def _cell(row: int, column: int) -> Box:
    return Box(column * PATCH, row * PATCH, (column + 1) * PATCH, (row + 1) * PATCH)


def _question(scene: Scene, number: int) -> Example:
    subject, reference = scene.named
    direction = relation(subject.box, reference.box)
    assert direction is not None
    return Example(
        f"lookup-{number:03d}", ScenePicture(scene), relation_question("A", subject.name, reference.name),
        tuple(NUMBER.values()), NUMBER[direction], suite=SUITE, direction=direction, subject=subject.name,
        reference=reference.name, boxes={subject.name: subject.box, reference.name: reference.box},
        tags={"prompt": "A", "ground": "plain"}, source=scene,
    )  # fmt: skip
