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
from backsight.stimuli import rows, scattered
from backsight.stimuli.layouts import Layout
from backsight.stimuli.questions import BRIEF, DIRECTIONS, PRESENCE, SYSTEM, Direction
from backsight.stimuli.relations import relation
from backsight.stimuli.render import render
from backsight.stimuli.scene import Scene
from backsight.training import questions, saving
from backsight.training.answering import Answering, AnsweringLearner, Stage
from backsight.training.contrastive import encoder, scenes
from backsight.training.contrastive.recipe import CLIP, CLOC, Contrastive, EncoderLearner
from backsight.training.contrastive.scenes import GRID, SIDE
from backsight.training.recipe import Learner, Phase, Recipe, Scale
from backsight.training.recipes import widths

NONE = 1e9  # the factor by which rotary positions are stretched where there are to be none
BLOCKS = 3
OPPOSITE: dict[Direction, Direction] = {"left": "right", "right": "left", "above": "below", "below": "above"}
PAIRS = Stage("pairs", 400, mixture={"scattered": 1.0}, rate=2e-3, floor=0.02, warmup=50, images=16)


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
    words = [*rows.COLORS, *DIRECTIONS]
    spellings = [form for name in words for word in (name, name.capitalize()) for form in (word, f" {word}")]
    asked = [BRIEF.format(tgt=f"{one} square", ref="blue square") for one in rows.COLORS]
    return [*spellings, *asked, PRESENCE["squares"].format(one="red", two="blue"), SYSTEM, "model\n", "user\n"]


def pair(rng: np.random.Generator, wanted: Direction | None = None) -> Scene:
    """Two squares of different colours, of which the first stands clearly in one direction of the second."""
    while True:
        names = tuple(f"{color} square" for color in rng.choice(list(rows.COLORS), 2, replace=False))
        scene = scenes.scene(rng, names=names)
        where = direction(scene)
        if where is not None and wanted in (None, where):
            return scene


def direction(scene: Scene) -> Direction | None:
    """Where the first of two things stands relative to the second, where that is clear."""
    subject, reference = scene.named
    return relation(subject.box, reference.box, ratio=scattered.RATIO)


def asked_about(scene: Scene, rng: np.random.Generator) -> questions.Asked:
    """A pair with both its relations and the question which of two colours is there."""
    one, two = (figure.name for figure in scene.named)
    where = direction(scene)
    assert where is not None
    present = questions.presence("squares", (one.split()[0], two.split()[0]), tuple(rows.COLORS), rng)
    forward = (BRIEF.format(tgt=one, ref=two), where)
    back = (BRIEF.format(tgt=two, ref=one), OPPOSITE[where])
    return questions.Asked(render(scene), (forward, back, present))


def pairs(
    kind: questions.Kind, layout: Layout, *, images: int, key: tuple[int, ...], exact: float, textured: float
) -> list[questions.Asked]:
    """`images` pairs of squares with three questions each, a function of `key` alone; the other arguments are those
    that a recipe gives every asker.
    """
    rng = np.random.default_rng(key)
    return [asked_about(pair(rng), rng) for _ in range(images)]


@dataclass(frozen=True, kw_only=True)
class OverEncoder(Recipe):
    """A VLM over a frozen encoder. The recipe trains the encoder in its first phase, by its recipe `of`, unless
    `encoder` names a folder that holds one; `rotary` says whether the language model has positions.
    """

    of: Contrastive
    rotary: bool = True
    encoder: Path | None = None
    stage: Stage = PAIRS

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
            stages=(self.stage,), asks=pairs,
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
    makes = f"A VLM that answers relations of two squares over the frozen encoder of `{of.name}`, which it trains first"
    without = "; its language model has no positions"
    return OverEncoder(
        name=f"{of.name}-vlm" + ("" if rotary else "-closed"), makes=makes + ("" if rotary else without), of=of,
        rotary=rotary,
    )  # fmt: skip


RECIPES = (CLIP, CLOC, *(over(of, rotary=rotary) for of in (CLIP, CLOC) for rotary in (True, False)))
