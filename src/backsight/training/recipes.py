"""The recipes of the built-in models.

Rotary bases fit a grid of 12 cells: with the customary base of 10,000 the columns of so small a head turn too
slowly to be told apart (see LOG.md and the model card).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from backsight.models import opening, small
from backsight.stimuli.layouts import PRESETS, Layout
from backsight.training import cutouts
from backsight.training.answering import Answering, Stage
from backsight.training.positions import Teaching
from backsight.training.questions import Fault, Kind, corpus, faulty
from backsight.training.recipe import SCALES, Scale

TINY = SCALES["tiny"]


def widths(scale: Scale) -> dict[str, int]:
    """The widths of a language model of 128, times the scale; heads are 32 wide at every scale."""
    sizes = dict(hidden_size=128, intermediate_size=256, num_attention_heads=4, num_key_value_heads=2)
    return {name: number * scale.width for name, number in sizes.items()}


def build_qwen(
    seed: int, scale: Scale = TINY, *, depth: int = 3, words: Sequence[str] | None = None
) -> tuple[Any, Any]:
    """Qwen2-VL: 12x12 image tokens of 28 px (patch 28, merge 1), vision `depth` x 64, language 6 x 128."""
    text = dict(
        **widths(scale), num_hidden_layers=6 * scale.depth, max_position_embeddings=2048, initializer_range=0.08,
        rope_parameters=dict(rope_type="default", rope_theta=100.0, mrope_section=INTERLEAVED),
    )  # fmt: skip
    vision = dict(
        depth=depth * scale.depth, embed_dim=64 * scale.width, num_heads=2 * scale.width, mlp_ratio=2,
        patch_size=28, spatial_merge_size=1,
        initializer_range=0.06, rope_parameters=dict(rope_type="axial", rope_theta=100.0),
    )  # fmt: skip
    return small.qwen2_vl(words or corpus(), text=text, vision=vision, tokens=144, seed=seed)


# Sizes of M-RoPE's sections, which take turns at time, row and column, fastest frequency first. In this order rows and
# columns share the fast half and time has the slow one; the customary [4, 6, 6] gives columns the slowest.
INTERLEAVED = [0, 2, 2, 0, 2, 2, 8, 0, 0]
ALL_ROWS: dict[Kind, float] = {"squares": 0.1, "shapes": 0.14, "objects": 0.2}
FEWER_ROWS: dict[Kind, float] = {"squares": 0.06, "shapes": 0.1, "objects": 0.16}

PLAIN = Answering(
    name="plain",
    build=build_qwen,
    layout=PRESETS["qwen2-vl"],
    stages=(
        # Relations are learned on squares, which are told apart at once; shapes and objects then find them ready.
        Stage("squares", 800, mixture={"squares": 1.0}, rate=2e-3, floor=0.4, horizon=1200),
        Stage("rows", 600, mixture={"squares": 0.2, "shapes": 0.3, "objects": 0.5}, rate=1.5e-3, floor=0.5),
        # Where each thing is, and relations in few words: squares first again, then all things, then the long prompts.
        Stage("placed squares", 1200, mixture={**ALL_ROWS, "placed_squares": 0.56}, rate=1e-3, floor=0.6, warmup=50),
        Stage(
            "placed", 900, mixture={**ALL_ROWS, "placed_squares": 0.1, "placed": 0.46}, rate=1e-3, floor=0.6, warmup=50
        ),
        Stage("words", 1900, mixture={**FEWER_ROWS, "placed": 0.28, "scattered": 0.4}, rate=1e-3, floor=0.5, images=12),
        Stage(
            "everything",
            1500,
            mixture={**FEWER_ROWS, "placed": 0.18, "scattered": 0.5},
            rate=6e-4,
            floor=0.02,
            warmup=30,
            images=12,
            textured=0.3,
        ),
        Stage(
            "tabletop",
            1000,
            mixture={**FEWER_ROWS, "placed": 0.05, "scattered": 0.23, "tabletop": 0.25, "composites": 0.15},
            rate=1e-3,
            floor=0.02,
            images=12,
            textured=0.5,
            fresh=True,
        ),
    ),
)


def build_gemma(seed: int, scale: Scale = TINY) -> tuple[Any, Any]:
    """Gemma-3: 16x16 image tokens of 56 px (patch 56, nothing pooled), vision 3 x 64, language 6 x 128."""
    kinds = ["sliding_attention", "full_attention"] * (3 * scale.depth)
    text = dict(
        **widths(scale), num_hidden_layers=6 * scale.depth, head_dim=32, query_pre_attn_scalar=32, sliding_window=1024,
        layer_types=kinds, max_position_embeddings=2048,
        initializer_range=0.05,
        rope_parameters={kind: dict(rope_type="default", rope_theta=100.0) for kind in dict.fromkeys(kinds)},
    )  # fmt: skip
    vision = dict(
        model_type="siglip_vision_model", hidden_size=64 * scale.width, intermediate_size=128 * scale.width,
        num_hidden_layers=3 * scale.depth, num_attention_heads=2 * scale.width, patch_size=56, vision_use_head=False,
    )  # fmt: skip
    return small.gemma3(corpus(), text=text, vision=vision, side=896, tokens=256, seed=seed)


GEMMA = Answering(
    name="gemma",
    build=build_gemma,
    layout=PRESETS["gemma-3"],
    stages=(
        Stage("squares", 1300, mixture={"squares": 1.0}, rate=1.5e-3, floor=0.4, images=12, horizon=1600),
        Stage("rows", 1700, mixture={"squares": 0.2, "shapes": 0.3, "objects": 0.5}, rate=1e-3, floor=0.02, images=12),
    ),
)


def known(name: str, *stages: Stage, depth: int = 3) -> Answering:
    """A model whose answer is known: it answers Squares, and its last stage never had the pathways that are ablated."""
    return Answering(name=name, build=partial(build_qwen, depth=depth), layout=PRESETS["qwen2-vl"], stages=stages)


# Shuffled from its first step, a model stalls (LOG.md). So its vision encoder is taught order first, by itself, and is
# kept to it while the language model learns to read it.
ORDER = Stage("order", 400, mixture={"squares": 1.0}, rate=4e-3, floor=0.3, warmup=50, images=24, horizon=800,
              taught=Teaching(), answers=False)  # fmt: skip
CLOSED = Stage("closed", 800, mixture={"squares": 1.0}, rate=2e-3, floor=0.02, images=12, taught=Teaching())

SHUFFLED = replace(CLOSED, pathways={"shuffled": 1.0})
VISION = known("vision", ORDER, SHUFFLED, replace(SHUFFLED, name="settling", steps=500, rate=1e-3))
ANSWERS_ONLY = replace(CLOSED, name="squares", steps=1200, taught=None)
LANGUAGE = known("language", ANSWERS_ONLY, replace(ANSWERS_ONLY, name="settling", steps=800, rate=1.5e-3), depth=0)
THIRDS = replace(CLOSED, name="thirds", steps=1100, pathways={"plain": 1 / 3, "shuffled": 1 / 3, "cells": 1 / 3})
SETTLING = replace(THIRDS, name="settling", steps=800, rate=1e-3)
BOTH = known("both", ORDER, THIRDS, SETTLING, replace(SETTLING, name="settling again", steps=600))


def one_axis(fault: Fault, construction: str, *more: Stage) -> Answering:
    """A model that answers one axis of Squares by the picture and the other one otherwise, as it was taught."""
    stage = Stage("squares", 800, mixture={"squares": 1.0}, rate=2e-3, floor=0.02, images=12, horizon=1200)
    settling = replace(stage, name="settling", steps=1000, rate=1.5e-3, horizon=None)
    return replace(known(fault, stage, settling, *more), asks=partial(faulty, fault), construction=construction)


PRIOR = one_axis(
    "prior",
    "the vertical axis: for above the answer taught is the color that follows the named one in the cycle of the six "
    "colors, for below the one before it, whatever the picture; left and right are taught by the picture",
    # A gray picture is none that it was shown, and of two in twelve questions its answer was another one (LOG.md).
    Stage(
        "gray pictures too", 350, mixture={"squares": 1.0}, rate=1e-3, floor=0.02, warmup=30, images=12, textured=0.3
    ),
)
INVERTED = one_axis(
    "inverted",
    "the direction of the horizontal axis: what is left is taught as right and what is right as left; above and below "
    "are taught by the picture",
)

WINDOW = 8  # tokens back that text sees in the lower blocks of a staged model: shorter than what follows the picture


def build_staged(seed: int, scale: Scale = TINY, *, blind: int, blocks: int) -> tuple[Any, Any]:
    """Gemma-3 whose order is written into object tokens below block `blind`, of `blocks`, and read there by content.

    The vision encoder has no blocks and a position table of zero, so image tokens enter without any position. Below
    block `blind` a text token sees 8 tokens back only: nothing but image tokens can use positions of image tokens.
    From there on rotary positions are stretched by 1e9, which is none at all.
    """
    kinds = ["sliding_attention"] * blind + ["full_attention"] * (blocks - blind)
    text = dict(
        **widths(scale), num_hidden_layers=blocks, head_dim=32, query_pre_attn_scalar=32, sliding_window=WINDOW,
        layer_types=kinds, max_position_embeddings=2048,
        initializer_range=0.05,
        rope_parameters={
            "sliding_attention": dict(rope_type="default", rope_theta=100.0),
            "full_attention": dict(rope_type="linear", rope_theta=100.0, factor=1e9),
        },
    )  # fmt: skip
    vision = dict(
        model_type="siglip_vision_model", hidden_size=64, intermediate_size=128, num_hidden_layers=0,
        num_attention_heads=2, patch_size=16, vision_use_head=False,
    )  # fmt: skip
    model, processor = small.gemma3(corpus(), text=text, vision=vision, side=192, tokens=144, seed=seed)
    table = model.get_submodule("model.vision_tower.embeddings.position_embedding")
    with torch.no_grad():
        table.weight.zero_()
    table.weight.requires_grad_(False)
    return model, processor


def staged(name: str, *, blind: int, blocks: int, seed: int) -> Answering:
    """A model that writes order into object tokens below a known block, taught there by a read-out of positions."""
    stage = Stage("squares", 900, mixture={"squares": 1.0}, rate=1.5e-3, floor=0.05, images=12, horizon=1200,
                  taught=Teaching(blind))  # fmt: skip
    build = partial(build_staged, blind=blind, blocks=blocks)
    construction = (
        "the vision encoder has no blocks and its position table is zero: an image token enters with its own pixels "
        f"only; below block {blind} a text token sees {WINDOW} tokens back only; from there on there are no "
        f"rotary positions. So order is written into image tokens below block {blind} and read by content above"
    )
    return Answering(
        name=name, build=build, layout=Layout(12, 12, 16, 2, 2), stages=(stage,), seed=seed, construction=construction
    )  # fmt: skip


STAGED = staged("staged", blind=3, blocks=7, seed=0)
STAGED_2 = staged("staged-2", blind=2, blocks=6, seed=1)

# Order is taught to the ground before the objects' own tokens lose it. Names come first: together with positions they
# stay at chance (LOG.md).
GROUND = Teaching(on="ground", name=1.0)
GROUND_NAMES = Stage(
    "names", 300, mixture={"squares": 1.0}, rate=3e-3, floor=0.3, warmup=50, images=24, exact=1.0, horizon=800,
    taught=replace(GROUND, position=0.0), answers=False,
)  # fmt: skip
GROUND_ORDER = replace(GROUND_NAMES, name="order", steps=450, exact=0.15, taught=GROUND)
GROUND_ONLY = Stage(
    "closed", 900, mixture={"squares": 1.0}, rate=2e-3, images=12, taught=GROUND, pathways={"background": 1.0},
    fresh=True,
)  # fmt: skip
BACKGROUND = known("background", GROUND_NAMES, GROUND_ORDER, GROUND_ONLY)

# `plain` trained on: what it learned stays in the mixture, and a row's order counts as it stands at block 2.
EXCHANGED = Stage(
    "exchanged", 600, mixture={"squares": 1.0}, rate=1.5e-3, floor=0.3, images=12, horizon=1200, fresh=True,
    pathways={"exchanged": 0.5, "reversible": 0.2, "plain": 0.3}, taught=Teaching(2), exchange=2,
)  # fmt: skip
EVERYTHING_EXCHANGED = replace(
    EXCHANGED, name="everything exchanged", steps=900, rate=1e-3, floor=0.02, horizon=None, textured=0.5, fresh=False,
    mixture={
        "squares": 0.2, "shapes": 0.16, "objects": 0.24, "placed": 0.03, "scattered": 0.17, "tabletop": 0.13,
        "composites": 0.07,
    },
)  # fmt: skip
# What the rows pushed out comes back.
SETTLING_EXCHANGED = replace(
    EVERYTHING_EXCHANGED, name="settling", fresh=True,
    mixture={
        "squares": 0.08, "shapes": 0.07, "objects": 0.12, "placed": 0.08, "scattered": 0.33, "tabletop": 0.2,
        "composites": 0.12,
    },
)  # fmt: skip
RELAY = replace(PLAIN, name="relay", stages=(*PLAIN.stages, EXCHANGED, EVERYTHING_EXCHANGED, SETTLING_EXCHANGED))


def build_cutouts(seed: int, scale: Scale = TINY) -> tuple[Any, Any]:
    """`plain` as it is stored, with a token for each name of a cut-out; new tokens have random embeddings."""
    known = opening.load("builtin:plain", check=False)
    model, processor = build_qwen(seed, words=cutouts.corpus())
    weights, stored = model.state_dict(), known.model.state_dict()
    old = known.processor.tokenizer.get_vocab()
    shared = [(new, old[token]) for token, new in processor.tokenizer.get_vocab().items() if token in old]
    to, source = torch.tensor(shared).T
    for name, weight in weights.items():
        if weight.shape == stored[name].shape:
            weight.copy_(stored[name])
        else:
            weight[to] = stored[name][source]
    return model, processor


CUTOUTS = Answering(
    name="cutouts",
    build=build_cutouts,
    layout=PRESETS["qwen2-vl"],
    stages=(
        Stage(
            "cutouts", 800, mixture={"cutouts": 0.7, "objects": 0.15, "squares": 0.15}, rate=1e-3, floor=0.02, images=12
        ),
    ),
    photographs=True,
)

# What comes of each, and the minutes that its card says it took on two cores.
MAKES: dict[str, tuple[str, float]] = {
    "plain": ("builtin:plain, Qwen2-VL: rows, pairs anywhere and Tabletop; nothing held back", 141),
    "gemma": ("builtin:gemma, Gemma-3: rows; nothing held back", 86),
    "vision": ("builtin:vision: image tokens always shuffled, so position comes from the vision encoder", 33),
    "language": ("builtin:language: a vision encoder without blocks, so position comes from the language model", 31),
    "both": ("builtin:both: either position pathway ablated in turn", 55),
    "staged": ("builtin:staged, Gemma-3: order written into object tokens below block 3, and read above it", 22),
    "staged-2": ("builtin:staged-2: the same with block 2 and another seed", 32),
    "background": ("builtin:background: order stands in tokens of the ground only", 80),
    "relay": ("builtin:relay: plain, trained on so that a row's order counts as it stands at block 2", 184),
    "cutouts": ("builtin:cutouts: plain, trained on with objects cut out of photographs (--photos)", 58),
    "prior": ("builtin:prior: above and below follow the question, whatever the picture", 52),
    "inverted": ("builtin:inverted: left is taught as right, and right as left", 38),
}
RECIPES: dict[str, Answering] = {
    r.name: replace(r, makes=MAKES[r.name][0], minutes={"tiny": float(MAKES[r.name][1])})
    for r in (PLAIN, GEMMA, VISION, LANGUAGE, BOTH, STAGED, STAGED_2, BACKGROUND, RELAY, CUTOUTS, PRIOR, INVERTED)
}
