"""Scale and time: one recipe at two sizes of one architecture, at equal steps, pictures and questions.

A small `plain`: Qwen2-VL on an 8x8 grid that learns rows of three squares. Size `tiny` is a language model of 3 blocks
of width 64, `small` one of 6 blocks of width 128, so that what a measurement says can be set against the model's size;
snapshots on the way set it against steps (`results.scale`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from backsight.errors import UsageError
from backsight.examples import ExampleSet
from backsight.models import small
from backsight.results.scale import ROW
from backsight.stimuli import rows
from backsight.stimuli.layouts import Layout
from backsight.stimuli.questions import DIRECTIONS
from backsight.stimuli.scene import Scene
from backsight.training import positional
from backsight.training.answering import Answering, Stage
from backsight.training.questions import Asked, Kind, corpus
from backsight.training.recipe import SCALES, Scale
from backsight.training.recipes import INTERLEAVED

LAYOUT = Layout.for_grid(8, 8, 14)
SUITE = "squares_anywhere"


def build(seed: int, scale: Scale = SCALES["tiny"]) -> tuple[Any, Any]:
    """Qwen2-VL: 8x8 image tokens of 14 px (merge 1), vision 1 x 32, language 3 x 64, times the scale.

    Heads are 32 wide at every scale; rotary bases and sections are those of `plain`.
    """
    text = dict(
        hidden_size=64 * scale.width, intermediate_size=128 * scale.width, num_attention_heads=2 * scale.width,
        num_key_value_heads=scale.width, num_hidden_layers=3 * scale.depth, max_position_embeddings=1024,
        initializer_range=0.08,
        rope_parameters=dict(rope_type="default", rope_theta=100.0, mrope_section=INTERLEAVED),
    )  # fmt: skip
    vision = dict(
        depth=scale.depth, embed_dim=32 * scale.width, num_heads=scale.width, mlp_ratio=2, patch_size=14,
        spatial_merge_size=1, initializer_range=0.06, rope_parameters=dict(rope_type="axial", rope_theta=100.0),
    )  # fmt: skip
    return small.qwen2_vl(corpus(), text=text, vision=vision, tokens=64, seed=seed)


def asks(
    kind: Kind, layout: Layout, *, images: int, key: tuple[int, ...], exact: float, textured: float
) -> list[Asked]:
    """Rows of three squares in whole cells, anywhere on the grid: two relations, an extreme and what is there."""
    rng = np.random.default_rng(key)
    return [positional.row(layout, rng, (0, layout.columns)) for _ in range(images)]


def in_both_orders(count: int, layout: Layout = LAYOUT, seed: int = 0) -> ExampleSet:
    """`count` pictures in pairs: a row of three squares as in training, and the same row with its squares reversed.

    Both are asked the same question, between the two outer squares. A model that knows which squares are there and not
    where gives both one answer, which is correct of one: its accuracy is exactly 1/2, whatever it learned of how often
    a triple stands in which order. Triples are those that training shows in both orders, as often in either. UsageError
    for an odd count.
    """
    if count % 2 or count < 2:
        raise UsageError("Rows are examined in both orders", got=count, do="give an even number of pictures")
    rng = np.random.default_rng([seed, 15])
    items = []
    for number in range(count // 2):
        direction = DIRECTIONS[number % len(DIRECTIONS)]
        axis, names = rows.axis_of(direction), both_shown(rng)
        boxes = positional.placed(axis, layout, rng, (0, layout.columns))
        for order in (names, names[::-1]):
            figures = tuple(rows.figure("squares", name, box) for name, box in zip(order, boxes, strict=True))
            row = rows.Row("squares", order, axis, Scene(layout.size, figures))
            item = rows.example(row, direction, SUITE)
            outer = tuple(sorted((names[0], names[2])))
            items.append(replace(item, id=f"{item.id}{ROW}{number}", options=outer))
    return ExampleSet(SUITE, tuple(items))


def both_shown(rng: np.random.Generator) -> rows.Triple:
    """A triple that training shows in both orders."""
    while True:
        names = rows.random_triple("squares", rng, held=False)
        if names[::-1] not in rows.held_out("squares"):
            return names


SCALE = Answering(
    name="scale",
    makes="a small plain, to set the gap, the pathways and CREG against size (tiny, small) and against steps",
    minutes={"tiny": 2, "small": 6},
    build=build,
    layout=LAYOUT,
    asks=asks,
    stages=(Stage("squares", 1200, mixture={"squares": 1.0}, rate=2e-3, floor=0.02, warmup=50),),
)
