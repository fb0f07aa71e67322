"""A small VLM over a pre-trained encoder: Gemma-3 with the encoder's vision blocks, frozen, which learns relations.

With rotary positions the language model can order image tokens by itself (pathway open). Stretched by 1e9 they are no
positions at all, and whatever order there is comes out of the encoder (pathway closed).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backsight.models import small
from backsight.stimuli import rows
from backsight.stimuli.layouts import Axis, Layout
from backsight.stimuli.questions import DIRECTIONS, EXTREME, POSITIONS, PRESENCE, SYSTEM, row_question
from backsight.stimuli.render import render
from backsight.training import questions, saving
from backsight.training.answering import Answering, AnsweringLearner, Stage
from backsight.training.contrastive import encoder
from backsight.training.contrastive.recipe import CLIP, CLOC, Contrastive, EncoderLearner
from backsight.training.contrastive.scenes import GRID, SIDE
from backsight.training.recipe import Learner, Phase, Recipe, Scale
from backsight.training.recipes import widths

NONE = 1e9  # the factor by which rotary positions are stretched where there are to be none
BLOCKS = 3
MINUTES = 1.5  # of the answers' phase, tiny
# Rows of three at fixed positions. Jittered rows, and pairs of squares anywhere, stay at chance within the budget.
ROWS = Stage("rows", 500, mixture={"squares": 1.0}, rate=2e-3, floor=0.02, warmup=50, images=16, exact=1.0)


def build(seed: int, scale: Scale, *, rotary: bool) -> tuple[Any, Any]:
    """Gemma-3: 8 x 8 image tokens, the encoder's vision blocks with a frozen tower, language 3 x 128."""
    kinds = ["full_attention"] * (BLOCKS * scale.depth)
    rope = dict(rope_type="default", rope_theta=100.0) if rotary else dict(
        rope_type="linear", rope_theta=100.0, factor=NONE
    )  # fmt: skip
    text = dict(
        **widths(scale), num_hidden_layers=len(kinds), head_dim=32, query_pre_attn_scalar=32, sliding_window=1024,
        layer_types=kinds, max_position_embeddings=2048, initializer_range=0.05,
        rope_parameters={"full_attention": rope, "sliding_attention": rope},
    )  # fmt: skip
    tower = dict(model_type="siglip_vision_model", vision_use_head=False, **encoder.vision(scale))
    model, processor = small.gemma3(
        corpus(), text=text, vision=tower, side=SIDE, tokens=GRID.rows * GRID.columns, seed=seed
    )
    model.get_submodule("model.vision_tower").requires_grad_(False)
    return model, processor


def corpus() -> list[str]:
    """Every word of the questions about squares and their answers, in each spelling that counts as one."""
    spellings = [form for name in rows.COLORS for word in (name, name.capitalize()) for form in (word, f" {word}")]
    asked = [row_question("squares", direction, name) for direction in DIRECTIONS for name in rows.COLORS]
    asked += [EXTREME["squares"].format(position=position) for known in POSITIONS.values() for position in known]
    return [*spellings, *asked, PRESENCE["squares"].format(one="red", two="blue"), SYSTEM, "model\n", "user\n"]


def any_rows(
    kind: questions.Kind, layout: Layout, *, images: int, key: tuple[int, ...], exact: float, textured: float
) -> list[questions.Asked]:
    """Rows of three squares at the suite's positions, of every ordered triple alike: both relations, one absolute
    question, one of what is there. A function of `key` alone.

    No triple is held out. Where a triple is and its reverse is not, a model answers rows by which squares there are,
    without a look at their order.
    """
    rng = np.random.default_rng(key)
    asked = []
    for _ in range(images):
        first, middle, last = (str(name) for name in rng.choice(list(rows.COLORS), 3, replace=False))
        axis: Axis = "horizontal" if rng.random() < 0.5 else "vertical"
        before, after = (direction for direction in DIRECTIONS if rows.axis_of(direction) == axis)
        names = (first, middle, last)
        number = int(rng.integers(3))
        every = (
            (row_question("squares", before, middle), first),
            (row_question("squares", after, middle), last),
            (EXTREME["squares"].format(position=POSITIONS[axis][number]), names[number]),
            questions.presence("squares", names, tuple(rows.COLORS), rng),
        )
        scene = rows.exact_scene("squares", names, axis, layout)
        asked.append(questions.Asked(render(scene), every, (axis, tuple((f.name, f.box) for f in scene.named))))
    return asked


@dataclass(frozen=True, kw_only=True)
class OverEncoder(Recipe):
    """A VLM over a frozen encoder. The recipe trains the encoder in its first phase, by its recipe `of`, unless
    `encoder` names a folder that holds one; `rotary` says whether the language model has positions.
    """

    of: Contrastive
    rotary: bool = True
    encoder: Path | None = None
    stage: Stage = ROWS

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The encoder's phase, where it has to be trained, and that of the answers."""
        return (*self.of.phases, self.stage) if self.encoder is None else (self.stage,)

    def start(self, where: torch.device) -> OverEncoderLearner:
        """The random or given encoder, and the random language model."""
        return OverEncoderLearner(self, where)

    @property
    def answering(self) -> Answering:
        """The part of the recipe that learns to answer."""
        return Answering(
            name=self.name, seed=self.seed, size=self.size, build=partial(build, rotary=self.rotary), layout=GRID,
            stages=(self.stage,), asks=any_rows,
        )  # fmt: skip

    def _settings(self) -> Any:
        return self.of._settings(), self.rotary, None if self.encoder is None else str(self.encoder)


class OverEncoderLearner(Learner):
    """An encoder that learns first, and a language model that learns to read it. No weight of the tower is trained."""

    def __init__(self, recipe: OverEncoder, where: torch.device) -> None:
        self.recipe = recipe
        self.answers = AnsweringLearner(recipe.answering, where)
        self.first: EncoderLearner | None = None
        parts: dict[str, Any] = {"vlm": self.answers.module}
        if recipe.encoder is None:
            self.first = replace(recipe.of, seed=recipe.seed, size=recipe.size).start(where)
            parts["encoder"] = self.first.module
        else:
            encoder.into_tower(encoder.load(recipe.encoder)[0], self.answers.model)
        self.module = torch.nn.ModuleDict(parts)

    def enter(self, phase: int) -> bool:
        """Before the answers, the encoder's weights go into the tower. The optimiser stays: it has all weights that
        learn in either phase, and those of the other phase get no gradient.
        """
        if self.first is not None and phase == 1:
            encoder.into_tower(self.first.model, self.answers.model)
        return False

    def loss(self, phase: int, step: int) -> tuple[Tensor, dict[str, float]]:
        """The encoder's loss in its phase, else that of the answers."""
        if self.first is not None and phase == 0:
            return self.first.loss(phase, step)
        return self.answers.loss(0, step)

    def save(self, folder: Path) -> None:
        """The VLM, and the encoder as SiglipModel in the folder `encoder` in it, where the recipe trained it."""
        first = self.first
        beside: Callable[[Path], None] | None = None
        if first is not None:

            def beside(part: Path) -> None:
                first.save(part / "encoder")

        saving.save(self.answers.model, self.answers.processor, folder, beside=beside)


def over(of: Contrastive, *, rotary: bool) -> OverEncoder:
    """The recipe of a VLM over an encoder's recipe."""
    makes = f"A VLM that answers rows of squares over the frozen encoder of `{of.name}`, which it trains first"
    without = "; its language model has no positions"
    return OverEncoder(
        name=f"{of.name}-vlm" + ("" if rotary else "-closed"), makes=makes + ("" if rotary else without), of=of,
        rotary=rotary, minutes={size: round(one + MINUTES, 1) for size, one in of.minutes.items()},
    )  # fmt: skip


RECIPES = (CLIP, CLOC, *(over(of, rotary=rotary) for of in (CLIP, CLOC) for rotary in (True, False)))
