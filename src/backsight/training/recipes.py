"""The recipes of the built-in models.

Rotary bases fit a grid of 12 cells: with the customary base of 10,000 the columns of so small a head turn too
slowly to be told apart (see LOG.md and the model card).
"""

from __future__ import annotations

from typing import Any

from backsight.models import small
from backsight.stimuli.layouts import PRESETS
from backsight.stimuli.questions import SYSTEM
from backsight.training.loop import Recipe, Stage
from backsight.training.questions import Kind, corpus


def build_plain(seed: int) -> tuple[Any, Any]:
    """Qwen2-VL: 12x12 image tokens of 28 px (patch 28, merge 1), vision 3 x 64, language 6 x 128."""
    text = dict(
        hidden_size=128, intermediate_size=256, num_hidden_layers=6, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=2048, initializer_range=0.08,
        rope_parameters=dict(rope_type="default", rope_theta=20.0, mrope_section=[4, 6, 6]),
    )  # fmt: skip
    vision = dict(
        depth=3, embed_dim=64, num_heads=2, mlp_ratio=2, patch_size=28, spatial_merge_size=1, initializer_range=0.06,
        rope_parameters=dict(rope_type="axial", rope_theta=100.0),
    )  # fmt: skip
    return small.qwen2_vl(corpus(), text=text, vision=vision, tokens=144, seed=seed)


ALL_ROWS: dict[Kind, float] = {"squares": 0.1, "shapes": 0.14, "objects": 0.2}

PLAIN = Recipe(
    name="plain",
    build=build_plain,
    layout=PRESETS["qwen2-vl"],
    stages=(
        # Relations are learned on squares, which are told apart at once; shapes and objects then find them ready.
        Stage("squares", 1200, {"squares": 1.0}, rate=2e-3, floor=0.3),
        Stage("rows", 700, {"squares": 0.2, "shapes": 0.3, "objects": 0.5}, rate=1.5e-3, floor=0.3),
        Stage("mixed", 1100, {**ALL_ROWS, "scattered": 0.56}, rate=1.5e-3, images=12, textured=0.2, horizon=2800),
        # CREG's prompts are three times as long; a larger base lets their last token still find the picture. The same
        # relations are asked where their order is known already, as a bridge from rows to things anywhere.
        Stage(
            "bridge",
            900,
            {"squares": 0.08, "shapes": 0.1, "objects": 0.22, "related": 0.3, "scattered": 0.3},
            rate=1.2e-3,
            floor=0.5,
            warmup=30,
            images=12,
            rope_theta=100.0,
        ),
        Stage(
            "everything",
            1200,
            {"squares": 0.15, "shapes": 0.2, "objects": 0.35, "related": 0.15, "scattered": 0.15},
            rate=8e-4,
            floor=0.02,
            warmup=30,
            images=12,
            textured=0.25,
            rope_theta=100.0,
        ),
    ),
    system=SYSTEM,
)

RECIPES: dict[str, Recipe] = {"plain": PLAIN}
