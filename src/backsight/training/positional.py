"""The same small model with each positional encoding, in the vision encoder or in the language model only.

Gemma-3 with a SigLIP encoder holds all but M-RoPE: image tokens see each other both ways, so that without any encoding
they are a bag. There the vision encoder has a position table (none, learned, sinusoidal) or an addition (relative bias,
rotation), and the language model rotates by token order, has a bias of it (an addition) or nothing (rope type `linear`
with a huge factor). An encoder of no blocks hands its table to the language model. M-RoPE is Qwen2-VL's, where image
tokens see only those before them; sections of time only leave them without positions of rows and columns.

The two sides are not trained alike, so one is never compared with the other. Settings of the vision encoder, `none`
among them, begin with `ORDER`, which teaches a linear read-out of ordinal position on the image tokens and nothing
else, and keep it along `READ`; probes of these models ask for what they were taught. Settings of the language model
have `ANSWERS` only. Bases of the vision encoder and of the sinusoid are fitted to the grid, and an entry of a bias
table counts `additions.GAIN` times.

Pictures hold three one-cell squares in a row or a column, in whole cells. In training they stand in the first
`TRAINED_COLUMNS` columns, so the others are positions that no object was ever seen at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from backsight.grid import Box
from backsight.models import additions, small
from backsight.stimuli import rows
from backsight.stimuli.layouts import Axis, Layout
from backsight.stimuli.questions import DIRECTIONS, EXTREME, POSITIONS, PRESENCE, SYSTEM, row_question
from backsight.stimuli.render import render
from backsight.stimuli.scene import Scene
from backsight.training.answering import Answering, Stage
from backsight.training.positions import Teaching
from backsight.training.questions import Asked, presence
from backsight.training.recipe import Scale

GRID = 8
LAYOUT = Layout(GRID, GRID, 14, 1, 1)
TRAINED_COLUMNS = 6
NOWHERE = 1e9  # a factor of rope type `linear` behind which no position is left
CUSTOMARY = 10_000.0
ONE_AXIS, TWO_AXES = 100.0, 20.0  # bases whose slowest pair turns about half a radian over 64 tokens, over 8 cells

Side = Literal["vision", "language"]


@dataclass(frozen=True)
class Setting:
    """Where position comes from: one encoding on one side, and the architecture that has it.

    `table`: of SigLIP. `addition`: what the vision encoder or the language model carries. `blocks`: of the vision
    encoder. `base` of the language model's rotary positions, None for none; `sections` of M-RoPE, for Qwen2-VL.
    """

    name: str
    side: Side
    encoding: str
    table: Literal["none", "learned", "sinusoidal"] = "none"
    addition: Literal["relative", "rotary_1d", "rotary_2d", "order"] | None = None
    blocks: int = 2
    base: float | None = None
    sections: tuple[int, ...] | None = None


# M-RoPE's sections take turns at time, rows and columns, the fastest pair first.
CHUNKED, ALTERNATING, TIME_ONLY = (4, 6, 6), (1,) * 15 + (1, 0, 0), (16, 0, 0)
SETTINGS: tuple[Setting, ...] = (
    Setting("none", "vision", "none"),
    Setting("vision-learned", "vision", "learned absolute", table="learned"),
    Setting("vision-sinusoidal", "vision", "sinusoidal absolute", table="sinusoidal"),
    Setting("vision-relative", "vision", "relative bias", addition="relative"),
    Setting("vision-rotary-1d", "vision", "1-D rotary", addition="rotary_1d"),
    Setting("vision-rotary-2d", "vision", "2-D rotary", addition="rotary_2d"),
    Setting("language-learned", "language", "learned absolute", table="learned", blocks=0),
    Setting("language-sinusoidal", "language", "sinusoidal absolute", table="sinusoidal", blocks=0),
    Setting("language-relative", "language", "relative bias", addition="order", blocks=0),
    Setting("language-rotary", "language", "1-D rotary, base 10,000", base=CUSTOMARY, blocks=0),
    Setting("language-rotary-fitted", "language", "1-D rotary, base 100", base=ONE_AXIS, blocks=0),
    Setting("language-causal", "language", "none, causal order", base=CUSTOMARY, sections=TIME_ONLY, blocks=0),
    Setting("mrope-chunked", "language", "M-RoPE chunked, base 10,000", base=CUSTOMARY, sections=CHUNKED, blocks=0),
    Setting("mrope-chunked-fitted", "language", "M-RoPE chunked, base 20", base=TWO_AXES, sections=CHUNKED, blocks=0),
    Setting(
        "mrope-interleaved", "language", "M-RoPE interleaved, base 10,000", base=CUSTOMARY, sections=ALTERNATING,
        blocks=0,
    ),
    Setting(
        "mrope-interleaved-fitted", "language", "M-RoPE interleaved, base 20", base=TWO_AXES, sections=ALTERNATING,
        blocks=0,
    ),
)  # fmt: skip


def build(setting: Setting, seed: int, scale: Scale) -> tuple[Any, Any]:
    """The model of a setting and its processor: language 4 x 128, vision 2 x 64 or no blocks, 8x8 cells of 14 px."""
    text = dict(
        hidden_size=128 * scale.width, intermediate_size=256 * scale.width, num_hidden_layers=4 * scale.depth,
        num_attention_heads=4 * scale.width, num_key_value_heads=2 * scale.width, max_position_embeddings=2048,
    )  # fmt: skip
    if setting.sections is not None:
        return _qwen(setting, seed, scale, text)
    model, processor = _gemma(setting, seed, scale, text)
    heads = 2 * scale.width
    hung: dict[str, additions.Addition] = {}
    if setting.addition == "relative":
        hung["vision"] = additions.RelativeBias(reach=GRID - 1, heads=heads)
    elif setting.addition == "rotary_1d":
        hung["vision"] = additions.Rotation(axes=1, base=ONE_AXIS, heads=heads)
    elif setting.addition == "rotary_2d":
        hung["vision"] = additions.Rotation(axes=2, base=TWO_AXES, heads=heads)
    elif setting.addition == "order":
        hung["language"] = additions.OrderBias(heads=4 * scale.width)
    if hung:
        additions.add(model, hung)
    return model, processor


def _gemma(setting: Setting, seed: int, scale: Scale, text: dict[str, Any]) -> tuple[Any, Any]:
    kinds = ["sliding_attention", "full_attention"] * (2 * scale.depth)
    rope = dict(rope_type="default", rope_theta=setting.base)
    if setting.base is None:
        rope = dict(rope_type="linear", rope_theta=CUSTOMARY, factor=NOWHERE)
    text |= dict(
        head_dim=32, query_pre_attn_scalar=32, sliding_window=1024, layer_types=kinds, initializer_range=0.05,
        rope_parameters={kind: rope for kind in dict.fromkeys(kinds)},
    )  # fmt: skip
    vision = dict(
        model_type="siglip_vision_model", hidden_size=64 * scale.width, intermediate_size=128 * scale.width,
        num_hidden_layers=setting.blocks * scale.depth, num_attention_heads=2 * scale.width, patch_size=LAYOUT.cell,
        vision_use_head=False,
    )  # fmt: skip
    side = GRID * LAYOUT.cell
    model, processor = small.gemma3(corpus(), text=text, vision=vision, side=side, tokens=GRID**2, seed=seed)
    table = model.get_submodule("model.vision_tower.embeddings.position_embedding").weight
    with torch.no_grad():
        if setting.table == "learned":
            table.normal_(std=0.5**0.5)  # as long as a sinusoidal one: half of the squares of sines and cosines
        else:
            table.copy_(sinusoid(GRID, GRID, table.shape[1]) if setting.table == "sinusoidal" else 0 * table)
    table.requires_grad_(setting.table == "learned")
    return model, processor


def _qwen(setting: Setting, seed: int, scale: Scale, text: dict[str, Any]) -> tuple[Any, Any]:
    assert setting.sections is not None
    text |= dict(
        initializer_range=0.08,
        rope_parameters=dict(rope_type="default", rope_theta=setting.base, mrope_section=list(setting.sections)),
    )  # fmt: skip
    vision = dict(
        depth=setting.blocks, embed_dim=64 * scale.width, num_heads=2 * scale.width, mlp_ratio=2,
        patch_size=LAYOUT.cell, spatial_merge_size=1, initializer_range=0.06,
    )  # fmt: skip
    return small.qwen2_vl(corpus(), text=text, vision=vision, tokens=GRID**2, seed=seed)


def sinusoid(height: int, width: int, channels: int) -> Tensor:
    """The sinusoidal table (height x width, channels) of two axes: half of the channels for rows, half for columns.

    Vaswani et al. 2017, section 3.5, with the base that fits the grid (`TWO_AXES`) in place of 10,000.
    """
    pairs = channels // 4
    speeds = TWO_AXES ** (-torch.arange(pairs) / pairs)
    at = additions.cells(height * width, (height, width))
    angles = at[:, :, None] * speeds
    return torch.cat([angles.sin(), angles.cos()], -1).flatten(1)


def asks(kind: Any, layout: Layout, *, images: int, key: tuple[int, ...], exact: float, textured: float) -> list[Asked]:
    """Rows of three squares in the trained columns, each with its two relations, an extreme and a presence question."""
    rng = np.random.default_rng(key)
    return [row(layout, rng, (0, TRAINED_COLUMNS)) for _ in range(images)]


def row(layout: Layout, rng: np.random.Generator, columns: tuple[int, int], *, held: bool = False) -> Asked:
    """A row or a column of three squares in whole cells, between two columns (the second one excluded)."""
    names = rows.random_triple("squares", rng, held=held)
    axis: Axis = "horizontal" if rng.random() < 0.5 else "vertical"
    boxes = placed(axis, layout, rng, columns)
    scene = Scene(layout.size, tuple(rows.figure("squares", n, b) for n, b in zip(names, boxes, strict=True)))
    asked = [
        (row_question("squares", direction, names[1]), names[0 if direction in ("left", "above") else 2])
        for direction in DIRECTIONS
        if rows.axis_of(direction) == axis
    ]
    extremes = list(zip(POSITIONS[axis], names, strict=True))
    position, name = extremes[int(rng.integers(len(extremes)))]
    asked.append((EXTREME["squares"].format(position=position), name))
    asked.append(presence("squares", names, rows.fillers("squares"), rng))
    return Asked(render(scene), tuple(asked), (axis, tuple((f.name, f.box) for f in scene.named)))


def placed(axis: Axis, layout: Layout, rng: np.random.Generator, columns: tuple[int, int]) -> list[Box]:
    """Boxes of three one-cell things in a line, at least one cell apart, between two columns."""
    first, last = columns
    along, across = (last - first, layout.rows) if axis == "horizontal" else (layout.rows, last - first)
    spread = np.sort(rng.integers(0, along - 5 + 1, 3))  # how many free cells stand before each
    side = int(rng.integers(0, across))
    boxes = []
    for number, before in enumerate(spread):
        at = int(before) + 2 * number
        x, y = (first + at, side) if axis == "horizontal" else (first + side, at)
        cell = layout.cell
        boxes.append(Box(x * cell, y * cell, (x + 1) * cell, (y + 1) * cell))
    return boxes


def corpus() -> Sequence[str]:
    """Every word that these models must have as one token."""
    colors = rows.fillers("squares")
    words = [form for name in colors for form in (name, name.capitalize(), f" {name}", f" {name.capitalize()}")]
    prompts = [row_question("squares", direction, name) for direction in DIRECTIONS for name in colors]
    prompts += [EXTREME["squares"].format(position=position) for named in POSITIONS.values() for position in named]
    return [*words, *prompts, PRESENCE["squares"].format(one="red", two="blue"), SYSTEM, "system\n", "user\n",
            "assistant\n"]  # fmt: skip


# Position has to be written into tokens before anything reads it there (training/positions.py), in the vision encoder
# only; language models without it find theirs by themselves and need more steps.
ORDER = Stage("order", 400, mixture={"squares": 1.0}, rate=4e-3, floor=0.3, warmup=50, images=32, horizon=800,
              taught=Teaching(), answers=False)  # fmt: skip
READ = Stage("answers", 500, mixture={"squares": 1.0}, rate=2e-3, warmup=50, taught=Teaching())
ANSWERS = Stage("answers", 900, mixture={"squares": 1.0}, rate=2e-3, warmup=50)


def recipe(setting: Setting) -> Answering:
    """The recipe of a setting: `positions-NAME`."""
    side = "the vision encoder" if setting.side == "vision" else "the language model"
    makes = f"position in {side} only: {setting.encoding}"
    return Answering(
        name=f"positions-{setting.name}",
        makes="no positional encoding at all" if setting.encoding == "none" else makes,
        minutes={"tiny": 3 if setting.side == "vision" else 4},
        build=partial(build, setting),
        layout=LAYOUT,
        stages=(ORDER, READ) if setting.side == "vision" else (ANSWERS,),
        asks=asks,
    )


RECIPES: Mapping[str, Answering] = {r.name: r for r in map(recipe, SETTINGS)}
