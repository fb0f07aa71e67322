"""A projector with a norm behind it against the plain one: recipes of the same budget, batches and first weights.

Image embeddings of LLaVA are 10 to 1000 times as long as text embeddings ("Beyond Semantics", arXiv 2503.17349). The
plain projector of a small model starts near their length, so a third recipe starts it `LARGE` times as long: there the
premise holds that the norm is to mend. Behind a norm the length at which a projector starts is nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch

from backsight.models import additions, embeds
from backsight.models.projector_norm import text_ids, text_lengths
from backsight.stimuli.layouts import Layout
from backsight.training import positional, questions
from backsight.training.answering import Answering, AnsweringLearner, Stage, answer_logits
from backsight.training.recipe import Scale

Projector = Literal["plain", "large", "normed"]
PROJECTORS: tuple[Projector, ...] = ("plain", "large", "normed")
# Image tokens have positions of rows and columns in the language model, and an encoder with 2-D rotary positions.
SETTING = positional.Setting(
    "projector", "language", "M-RoPE", blocks=2, base=positional.TWO_AXES, sections=positional.ALTERNATING
)
LARGE = 30.0  # times the length of text embeddings, within what is published of LLaVA
WHERE = 3  # of a picture's questions the first ones; the last one asks what is there


def asks(
    kind: questions.Kind, layout: Layout, *, images: int, key: tuple[int, ...], exact: float, textured: float
) -> list[questions.Asked]:
    """Rows of three squares anywhere in whole cells: two relations, a position in words, and what is there."""
    rng = np.random.default_rng(key)
    return [positional.row(layout, rng, (0, layout.columns)) for _ in range(images)]


def build(seed: int, scale: Scale, *, projector: Projector) -> tuple[Any, Any]:
    """Qwen2-VL: 8x8 image tokens of 14 px, vision 2 x 64, language 4 x 128, and its processor.

    All three start from equal weights, but that `large` multiplies the last layer of the projector. The lengths of the
    norm are those of the model's own text embeddings at the start, of all tokens of its vocabulary that are text; they
    stay, while the text embeddings train on.
    """
    model, processor = positional.build(SETTING, seed, scale)
    lengths = text_lengths(model, text_ids(processor.tokenizer))
    if projector == "large":
        enlarge(model, processor, LARGE * lengths.mean)
    elif projector == "normed":
        width = model.get_input_embeddings().embedding_dim
        norm = additions.ProjectorNorm(width, lengths.mean, lengths.largest)
        additions.add(model, {"projector": norm})
    return model, processor


def enlarge(model: Any, processor: Any, length: float) -> None:
    """Multiply the last layer of a Qwen2-VL projector, so that image embeddings of rows have a mean length."""
    pictures = [one.image for one in asks("squares", positional.LAYOUT, images=16, key=(0,), exact=0, textured=0)]
    pixels = processor.image_processor(pictures, return_tensors="pt")
    with torch.no_grad():
        states = embeds.features(model, pixels["pixel_values"], pixels["image_grid_thw"])
        factor = length / float(states.norm(dim=-1).mean())
        last = model.get_submodule("model.visual.merger.mlp.2")
        last.weight.mul_(factor)
        last.bias.mul_(factor)


class ProjectorLearner(AnsweringLearner):
    """A model that learns to answer; its log has questions of where and of what apart."""

    def loss(self, phase: int, step: int) -> tuple[torch.Tensor, dict[str, float]]:
        """The loss of the answers, and the share that is correct of where and of what."""
        images, key = self.recipe.stages[phase].images, (self.recipe.seed, phase, step)
        asked = self.recipe.asks("squares", self.recipe.layout, images=images, key=key, exact=0, textured=0)
        packed = self.packer.pack(asked)
        logits = answer_logits(self.model, packed)
        correct = (logits.argmax(-1) == packed.answers).float().view(images, -1)
        parts = {"where": correct[:, :WHERE], "what": correct[:, WHERE:]}
        figures = {f"accuracy: {name}": float(part.mean()) for name, part in parts.items()}
        return torch.nn.functional.cross_entropy(logits, packed.answers), figures


@dataclass(frozen=True, kw_only=True)
class ProjectorRecipe(Answering):
    """A recipe of answering whose learner logs where and what apart."""

    def start(self, where: torch.device) -> ProjectorLearner:
        """The model of this seed and size, and what it is asked."""
        return ProjectorLearner(self, where)


MAKES: dict[Projector, str] = {
    "plain": "a plain projector, whose image embeddings start near the length of text embeddings",
    "large": f"a plain projector, whose image embeddings start {LARGE:g} times as long as text embeddings",
    "normed": "a projector with a norm behind it that brings image embeddings to the length of text embeddings",
}


def recipe(projector: Projector) -> ProjectorRecipe:
    """The recipe of a projector; the three differ in nothing else."""
    return ProjectorRecipe(
        name=f"projector-{projector}", makes=MAKES[projector], minutes={"tiny": 2},
        build=partial(build, projector=projector), layout=positional.LAYOUT, asks=asks,
        stages=(Stage("answers", 400, mixture={"squares": 1.0}, rate=2e-3, warmup=50, images=12),),
    )  # fmt: skip


RECIPES = {one.name: one for one in map(recipe, PROJECTORS)}
