"""What a training step asks: pictures, each with several questions and their one-token answers.

A batch is a function of (seed, step) alone, so that a training that was killed goes on with the very batches it
would have seen. Held-out triples never appear.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from PIL import Image

from backsight.stimuli import object_pictures, rows, scattered
from backsight.stimuli.layouts import Axis, Layout
from backsight.stimuli.questions import (
    CREG_PROMPTS,
    DIRECTIONS,
    EXTREME,
    NUMBER,
    PLACES,
    PRESENCE,
    SYSTEM,
    relation_question,
    row_question,
)
from backsight.stimuli.relations import relation
from backsight.stimuli.render import render
from backsight.stimuli.scene import Scene

Kind = Literal["squares", "shapes", "objects", "related", "scattered"]
QUESTIONS = 7


@dataclass(frozen=True)
class Asked:
    """A picture with its questions, each with its answer."""

    image: Image.Image
    questions: tuple[tuple[str, str], ...]


def row(suite: rows.Suite, layout: Layout, rng: np.random.Generator, exact: float) -> Asked:
    """A row of three: the suite's two questions, three absolute ones, two that ask only what is there.

    With probability `exact` the scene has the suite's own fixed geometry, else it is jittered.
    """
    names = rows.random_triple(suite, rng, held=False)
    axis: Axis = "horizontal" if rng.random() < 0.5 else "vertical"
    if rng.random() < exact:
        scene = rows.exact_scene(suite, names, axis, layout)
    else:
        scene = rows.jittered_scene(suite, names, axis, layout, rng)
    asked = []
    for direction in DIRECTIONS:
        if rows.axis_of(direction) == axis:
            answer = names[0 if direction in ("left", "above") else 2]
            asked.append((row_question(suite, direction, names[1]), answer))
    asked += [(EXTREME[suite].format(place=place), name) for place, name in zip(PLACES[axis], names, strict=True)]
    asked += [presence(suite, names, rows.fillers(suite), rng) for _ in range(2)]
    return Asked(render(scene), tuple(asked))


def related(layout: Layout, rng: np.random.Generator) -> Asked:
    """A row of shapes or objects asked with CREG's prompts: the bridge from rows to things anywhere."""
    suite: rows.Suite = "objects" if rng.random() < 0.7 else "shapes"
    names = rows.random_triple(suite, rng, held=False)
    scene = rows.jittered_scene(suite, names, "horizontal" if rng.random() < 0.5 else "vertical", layout, rng)
    called = scene.figures
    if suite == "shapes":
        called = tuple(replace(f, name=f"{f.name} {f.kind}") for f in scene.figures)
    asked = _relations(scene.with_figures(called), rng)
    return Asked(render(scene), (*asked, presence(suite, names, rows.fillers(suite), rng)))


def presence(suite: str, there: tuple[str, ...], known: tuple[str, ...], rng: np.random.Generator) -> tuple[str, str]:
    """The control that asks what is there: two names, one of them in the picture."""
    present = str(rng.choice(np.array(there)))
    absent = str(rng.choice(np.array([name for name in known if name not in there])))
    one, two = (present, absent) if rng.random() < 0.5 else (absent, present)
    return PRESENCE[suite].format(one=one, two=two), present


def free(layout: Layout, rng: np.random.Generator, textured: float) -> Asked:
    """Two to four things anywhere: their clear relations under CREG's three prompts, and what is there."""
    known = np.array(object_pictures.NAMES + scattered.SHAPE_NAMES)
    while True:
        names = tuple(str(n) for n in rng.choice(known, int(rng.integers(2, 5)), replace=False))
        ground: scattered.Ground = "textured" if rng.random() < textured else "plain"
        scene = scattered.scattered(names, layout, rng, ground=ground)
        asked = [] if scene is None else _relations(scene, rng)
        if scene is not None and asked:
            break
    there = tuple(n for n in names if n in object_pictures.NAMES)
    if there:
        asked.append(presence("objects", there, object_pictures.NAMES, rng))
    return Asked(render(scene), tuple(asked))


def _relations(scene: Scene, rng: np.random.Generator) -> list[tuple[str, str]]:
    figures = scene.named
    found = []
    for subject in figures:
        for reference in figures:
            where = None if subject is reference else relation(subject.box, reference.box, ratio=scattered.RATIO)
            if where is not None:
                found.append((subject.name, reference.name, NUMBER[where]))
    asks = [(s, r, n, p) for s, r, n in found for p in CREG_PROMPTS]
    chosen = rng.permutation(len(asks))[: QUESTIONS - 1]
    return [(relation_question(asks[i][3], asks[i][0], asks[i][1]), asks[i][2]) for i in chosen]


def batch(
    kind: Kind, layout: Layout, *, images: int, key: tuple[int, ...], exact: float, textured: float
) -> list[Asked]:
    """`images` pictures of a kind, a function of `key` alone."""
    rng = np.random.default_rng(key)
    if kind == "scattered":
        return [free(layout, rng, textured) for _ in range(images)]
    if kind == "related":
        return [related(layout, rng) for _ in range(images)]
    return [row(kind, layout, rng, exact) for _ in range(images)]


def corpus() -> list[str]:
    """Every word that a built-in model must have as one token, in each spelling that counts as an answer."""
    names = [*rows.COLORS, *object_pictures.NAMES, *rows.SHAPE_OF.values(), *DIRECTIONS, *NUMBER.values()]
    names += [
        "yes",
        "no",
        "on",
        "under",
        "behind",
        "front",
        "in",
        "table",
        "chair",
        "cup",
        "book",
        "bottle",
        "bowl",
        "ball",
        "lamp",
    ]
    spellings = [form for n in names for word in (n, n.capitalize()) for form in (word, f" {word}")]
    prompts = [row_question(s, d, n) for s in rows.SUITES for d in DIRECTIONS for n in rows.fillers(s)]
    prompts += [relation_question(p, "apple", "pot") for p in CREG_PROMPTS]
    prompts += [text.format(one="red", two="key") for text in PRESENCE.values()]
    prompts += [t.format(place=place) for t in EXTREME.values() for places in PLACES.values() for place in places]
    return [*spellings, *prompts, SYSTEM, "system\n", "user\n", "assistant\n"]
