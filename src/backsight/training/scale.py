"""Scale and time: one recipe at two sizes of one architecture, at equal steps, pictures and questions.

A small `plain`: Qwen2-VL on an 8x8 grid that learns rows of three squares. Size `tiny` is a language model of 3 blocks
of width 64, `small` one of 6 blocks of width 128, so that what a measurement says can be set against the model's size;
snapshots on the way set it against steps (`results.scale`).
"""

from __future__ import annotations

from typing import Any

from backsight.models import small
from backsight.stimuli.layouts import Layout
from backsight.training.answering import Answering, Stage
from backsight.training.questions import corpus
from backsight.training.recipe import SCALES, Scale
from backsight.training.recipes import INTERLEAVED

LAYOUT = Layout.for_grid(8, 8, 14)


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


SCALE = Answering(
    name="scale",
    makes="a small plain, to set the gap, the pathways and CREG against size (tiny, small) and against steps",
    build=build,
    layout=LAYOUT,
    stages=(Stage("squares", 1000, mixture={"squares": 1.0}, rate=2e-3, floor=0.02, images=12),),
)
