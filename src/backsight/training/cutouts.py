"""Training on cut-outs: rows of three objects cut out of real photographs, from the half that no test shows.

The package holds no photographs, so the folder is a parameter: `asker(photos)` gives what a recipe asks in place of
`questions.batch`. The questions are those of a row of objects, with the names of categories.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from backsight.datasets.cutout_drawing import Cutouts, Split
from backsight.datasets.cutout_reading import read
from backsight.datasets.cutout_suites import GROUNDS, Ground, random_triple, row_scene, row_set
from backsight.examples import ExampleSet
from backsight.stimuli.layouts import Axis, Layout
from backsight.stimuli.questions import DIRECTIONS, EXTREME, POSITIONS, row_question
from backsight.stimuli.render import render
from backsight.stimuli.rows import axis_of
from backsight.training import questions
from backsight.training.questions import Asked, Kind

# Of one word, with at least four cut-outs in the training half and two in the test half of the 70 photographs that the
# recipe was tried on; as many as Squares has colours.
NAMES: tuple[str, ...] = ("person", "chair", "cup", "car", "toilet", "bottle")
REAL = 0.5  # of the rows stand on an empty piece of a photograph, the others on plain ground


def opened(photos: Path) -> Cutouts:
    """The cut-outs of the training half of a folder that bear the recipe's names."""
    return read(photos, "train", names=NAMES)


def row(
    cutouts: Cutouts, layout: Layout, rng: np.random.Generator, exact: float, *, real: float = REAL
) -> Asked:  # fmt: skip
    """A row of three cut-outs: the suite's two questions, three absolute ones, two that ask only what is there.

    With probability `exact` the scene has the suite's own fixed geometry, and with `real` it stands on a piece of a
    photograph.
    """
    names = random_triple(cutouts, rng)
    axis: Axis = "horizontal" if rng.random() < 0.5 else "vertical"
    ground: Ground = "photo" if cutouts.pieces and rng.random() < real else "plain"
    scene = row_scene(cutouts, names, axis, layout, rng, exact=bool(rng.random() < exact), ground=ground)
    asked = [
        (row_question("objects", direction, names[1]), names[0 if direction in ("left", "above") else 2])
        for direction in DIRECTIONS
        if axis_of(direction) == axis
    ]
    extremes = zip(POSITIONS[axis], names, strict=True)
    asked += [(EXTREME["objects"].format(position=position), name) for position, name in extremes]
    asked += [questions.presence("objects", names, cutouts.names, rng) for _ in range(2)]
    return Asked(render(scene, cutouts), tuple(asked), (axis, tuple((f.name, f.box) for f in scene.named)))


@dataclass(frozen=True)
class Asker:
    """What a recipe asks in place of `questions.batch`: the kind `cutouts` from photographs, every other kind as there.

    Its `repr` holds what is drawn from: a training is not gone on with on other photographs.
    """

    cutouts: Cutouts
    real: float = REAL

    def __call__(
        self, kind: Kind, layout: Layout, *, images: int, key: tuple[int, ...], exact: float, textured: float
    ) -> list[Asked]:
        """`images` pictures of a kind, a function of `key` alone."""
        if kind == "cutouts":
            rng = np.random.default_rng(key)
            return [row(self.cutouts, layout, rng, exact, real=self.real) for _ in range(images)]
        return questions.batch(kind, layout, images=images, key=key, exact=exact, textured=textured)

    def __repr__(self) -> str:
        return f"Asker({self.cutouts.digest}, {self.real})"


def asker(photos: Path, *, real: float = REAL) -> Asker:
    """What the recipe asks, with the photographs of a folder."""
    return Asker(opened(photos), real)


def shown(photos: Path, layout: Layout, split: Split, *, count: int = 240) -> list[ExampleSet]:
    """Rows by which a trained model is judged on one half of a folder: exact and jittered, on plain and real ground.

    On the test half no photograph is one that training showed; the same on the training half says how much of it was
    learned by heart. `count` questions a set; those on real ground have names that end in `_photo`.
    """
    cutouts = read(photos, split, names=NAMES)
    sets = []
    for ground in GROUNDS:
        for exact in (True, False):
            one = row_set(cutouts, layout, count=count, exact=exact, ground=ground)
            sets.append(one if ground == "plain" else replace(one, name=f"{one.name}_photo"))
    return sets


def corpus() -> list[str]:
    """The words of `questions.corpus` and the names of cut-outs: the tokenizers of other recipes stay as they are."""
    spellings = [form for name in NAMES for word in (name, name.capitalize()) for form in (word, f" {word}")]
    prompts = [row_question("objects", direction, name) for direction in DIRECTIONS for name in NAMES]
    return [*questions.corpus(), *spellings, *prompts]
