"""A new projector with a norm behind it against a plain one: recipes of one budget, with equal batches and weights.

A projector is trained from the beginning between the vision encoder and the language model of `builtin:plain`, which
stay as they are, as in LLaVA's first stage. So the lengths of text embeddings are those of a finished language model,
as in "Beyond Semantics" (arXiv 2503.17349). Image embeddings of LLaVA are 10 to 1000 times as long as text embeddings;
a fresh projector of a small model starts near their length, so a third recipe starts it `LARGE` times as long: there
the premise holds that the norm is to mend. Behind a norm the length at which a projector starts is nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch

from backsight.errors import UsageError
from backsight.models import additions, embeds, opening
from backsight.models.projector_norm import text_ids, text_lengths
from backsight.stimuli.layouts import PRESETS, Layout
from backsight.training import questions
from backsight.training.answering import Answering, AnsweringLearner, Stage, answer_logits
from backsight.training.recipe import SCALES, Scale

Projector = Literal["plain", "large", "normed"]
PROJECTORS: tuple[Projector, ...] = ("plain", "large", "normed")
LAYOUT = PRESETS["qwen2-vl"]
MERGER, LAST = "model.visual.merger", "model.visual.merger.mlp.2"
LARGE = 30.0  # times the length of text embeddings, within what is published of LLaVA
WHERE = 3  # of a picture's questions the first ones; the others ask what is there


def asks(
    kind: questions.Kind, layout: Layout, *, images: int, key: tuple[int, ...], exact: float, textured: float
) -> list[questions.Asked]:
    """Jittered rows of three squares: two relations, a position in words, and two questions of what is there."""
    rng = np.random.default_rng(key)
    asked = []
    for _ in range(images):
        row = questions.row("squares", layout, rng, exact)
        position = 2 + int(rng.integers(3))
        kept = (*row.questions[:2], row.questions[position], *row.questions[-questions.PRESENCES :])
        asked.append(questions.Asked(row.image, kept, row.row))
    return asked


def build(seed: int, scale: Scale = SCALES["tiny"], *, projector: Projector) -> tuple[Any, Any]:
    """`builtin:plain` with a new projector, the only part that is trained, and its processor.

    All three start from equal weights, but that `large` multiplies the last layer of the projector. Cut and scale of
    the norm are those of the text embeddings of `builtin:plain`, of all tokens of its vocabulary that are text.
    UsageError for another size than tiny, which `builtin:plain` has.
    """
    if scale != SCALES["tiny"]:
        raise UsageError("The projector's recipes begin with builtin:plain, which has one size", do="give --size tiny")
    with opening.load("builtin:plain", device="cpu", check=False) as known:
        model, processor = known.model, known.processor
    model.requires_grad_(False)
    renew(model, seed)
    lengths = text_lengths(model, text_ids(processor.tokenizer))
    if projector == "large":
        enlarge(model, processor, LARGE * lengths.mean)
    elif projector == "normed":
        width = model.get_input_embeddings().embedding_dim
        additions.add(model, {"projector": additions.ProjectorNorm(width, lengths.cut, lengths.mean)})
    return model, processor


def renew(model: Any, seed: int) -> None:
    """Give the projector of a Qwen2-VL new weights, as its architecture starts them, and gradients."""
    merger = model.get_submodule(MERGER)
    generator = torch.Generator().manual_seed(seed)
    spread = float(model.config.vision_config.initializer_range)
    with torch.no_grad():
        for name, weight in merger.named_parameters():
            if weight.dim() > 1:
                weight.normal_(std=spread, generator=generator)
            else:
                weight.fill_(float(name == "ln_q.weight"))
    merger.requires_grad_(True)


def enlarge(model: Any, processor: Any, length: float) -> None:
    """Multiply the last layer of a Qwen2-VL projector, so that image embeddings of rows have a mean length."""
    pictures = [one.image for one in asks("squares", LAYOUT, images=8, key=(0,), exact=0, textured=0)]
    pixels = processor.image_processor(pictures, return_tensors="pt")
    with torch.no_grad():
        states = embeds.features(model, pixels["pixel_values"], pixels["image_grid_thw"])
        factor = length / float(states.norm(dim=-1).mean())
        last = model.get_submodule(LAST)
        last.weight.mul_(factor)
        last.bias.mul_(factor)


class ProjectorLearner(AnsweringLearner):
    """A model that learns to answer; its log has questions of where and of what apart."""

    def loss(self, phase: int, step: int) -> tuple[torch.Tensor, dict[str, float]]:
        """The loss of the answers, and the share that is correct of where and of what."""
        stage, key = self.recipe.stages[phase], (self.recipe.seed, phase, step)
        asked = self.recipe.asks(
            "squares", self.recipe.layout, images=stage.images, key=key, exact=stage.exact, textured=0.0
        )
        packed = self.packer.pack(asked)
        logits = answer_logits(self.model, packed)
        correct = (logits.argmax(-1) == packed.answers).float().view(stage.images, -1)
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
    "plain": "builtin:plain with a new projector that starts near the length of text embeddings",
    "large": f"builtin:plain with a new projector that starts {LARGE:g} times as long as text embeddings",
    "normed": "builtin:plain with a new projector and a norm behind it that keeps the length of text embeddings",
}


def recipe(projector: Projector) -> ProjectorRecipe:
    """The recipe of a projector; the three differ in nothing else."""
    return ProjectorRecipe(
        name=f"projector-{projector}", makes=MAKES[projector], minutes={"tiny": 3},
        build=partial(build, projector=projector), layout=LAYOUT, asks=asks,
        stages=(Stage("answers", 400, mixture={"squares": 1.0}, rate=4e-3, warmup=20, images=8),),
    )  # fmt: skip


RECIPES = {one.name: one for one in map(recipe, PROJECTORS)}
