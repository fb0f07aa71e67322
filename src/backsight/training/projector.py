"""A new projector with a norm behind it against a plain one: recipes of one budget, with equal batches and weights.

A projector is trained from the beginning between the vision encoder and the language model of `builtin:plain`, which
stay as they are, as in LLaVA's first stage. So the lengths of text embeddings are those of a finished language model,
as in "Beyond Semantics" (arXiv 2503.17349). Image embeddings of LLaVA are 10 to 1000 times as long as text embeddings;
a fresh projector of a small model starts near their length, so a third recipe starts it `LONG` times as long: there
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
from backsight.models.projector_norm import Lengths, prompt_ids, text_lengths
from backsight.results.projector.tables import ASKED, BATCH, LONG
from backsight.stimuli import rows
from backsight.stimuli.layouts import PRESETS, Layout
from backsight.stimuli.questions import SYSTEM
from backsight.training import questions
from backsight.training.answering import Answering, AnsweringLearner, Stage, answer_logits
from backsight.training.recipe import SCALES, Scale

Projector = Literal["plain", "large", "normed"]
PROJECTORS: tuple[Projector, ...] = ("plain", "large", "normed")
LAYOUT = PRESETS["qwen2-vl"]
MERGER, LAST = "model.visual.merger", "model.visual.merger.mlp.2"
RELATIONS = questions.RELATIONS  # of a picture's questions the first ones ask where, the last ones what
OF_PROMPTS = 32  # pictures whose prompts give the lengths of text embeddings


def asks(
    kind: questions.Kind, layout: Layout, *, images: int, key: tuple[int, ...], exact: float, textured: float
) -> list[questions.Asked]:
    """Jittered rows of three squares: two relations, a position in words, and two questions of what is there.

    Triples are those whose reverse is trained, too: which colors are there, and how often they stood in which order,
    says nothing of the order.
    """
    rng = np.random.default_rng(key)
    asked: list[questions.Asked] = []
    while len(asked) < images:
        row = questions.row("squares", layout, rng, exact)
        if not in_both_orders(names_of(row)):
            continue
        position = RELATIONS + int(rng.integers(3))
        kept = (*row.questions[:RELATIONS], row.questions[position], *row.questions[-questions.PRESENCES :])
        assert len(kept) == ASKED
        asked.append(questions.Asked(row.image, kept, row.row))
    return asked


def in_both_orders(names: rows.Triple) -> bool:
    """Whether neither a triple of colors nor its reverse is held out."""
    return not {names, names[::-1]} & rows.held_out("squares")


def names_of(asked: questions.Asked) -> rows.Triple:
    """The colors of a row, first to third along its axis."""
    assert asked.row is not None
    first, middle, last = (name for name, _ in asked.row[1])
    return first, middle, last


def prompt_lengths(model: Any, processor: Any) -> Lengths:
    """The lengths of the text embeddings of the prompts that training asks, over `OF_PROMPTS` of its pictures."""
    asked = asks("squares", LAYOUT, images=OF_PROMPTS, key=(0,), exact=0, textured=0)
    return text_lengths(model, prompt_ids(processor, (q for one in asked for q, _ in one.questions), system=SYSTEM))


def build(seed: int, scale: Scale = SCALES["tiny"], *, projector: Projector) -> tuple[Any, Any]:
    """`builtin:plain` with a new projector, the only part that is trained, and its processor.

    All three start from equal weights, but that `large` multiplies the last layer of the projector. Cut and scale of
    the norm are those of the text embeddings of the prompts that training asks (`prompt_lengths`).
    UsageError for another size than tiny, which `builtin:plain` has.
    """
    if scale != SCALES["tiny"]:
        raise UsageError("The projector's recipes begin with builtin:plain, which has one size", do="give --size tiny")
    with opening.load("builtin:plain", device="cpu", check=False) as known:
        model, processor = known.model, known.processor
    model.requires_grad_(False)
    renew(model, seed)
    lengths = prompt_lengths(model, processor)
    if projector == "large":
        enlarge(model, processor, LONG * lengths.mean)
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
    """A model that learns to answer; its log has questions of where and of what apart, each between two answers."""

    def loss(self, phase: int, step: int) -> tuple[torch.Tensor, dict[str, float]]:
        """The loss of the answers, and the share that is correct of relations (where) and of presence (what)."""
        stage, key = self.recipe.stages[phase], (self.recipe.seed, phase, step)
        asked = self.recipe.asks(
            "squares", self.recipe.layout, images=stage.images, key=key, exact=stage.exact, textured=0.0
        )
        packed = self.packer.pack(asked)
        logits = answer_logits(self.model, packed)
        rivals = torch.tensor([self.packer.answer_id(rival) for one in asked for rival in rivals_of(one)])
        of = logits.detach().gather(1, torch.stack([packed.answers, rivals.to(packed.answers)], 1))
        correct = (of[:, 0] > of[:, 1]).float().view(stage.images, -1)
        parts = {"where": correct[:, :RELATIONS], "what": correct[:, -questions.PRESENCES :]}
        figures = {f"accuracy: {name}": float(part.mean()) for name, part in parts.items()}
        return torch.nn.functional.cross_entropy(logits, packed.answers), figures


def rivals_of(asked: questions.Asked) -> list[str]:
    """The incorrect one of two answers to each question of a picture.

    Of a relation it is the other outer square, which a model that knows no more than which colors are there takes as
    often; of presence the color that is not there. Of a position in words, which has three, it is one of the others.
    """
    first, _, last = names_of(asked)
    rivals = []
    for number, (question, answer) in enumerate(asked.questions):
        words = question.rstrip("?").replace(",", "").split()
        one, two = (words[-3], words[-1]) if number >= ASKED - questions.PRESENCES else (first, last)
        rivals.append(two if answer == one else one)
    return rivals


@dataclass(frozen=True, kw_only=True)
class ProjectorRecipe(Answering):
    """A recipe of answering whose learner logs where and what apart."""

    def start(self, where: torch.device) -> ProjectorLearner:
        """The model of this seed and size, and what it is asked."""
        return ProjectorLearner(self, where)


MAKES: dict[Projector, str] = {
    "plain": "builtin:plain with a new projector that starts near the length of text embeddings",
    "large": f"builtin:plain with a new projector that starts {LONG:g} times as long as text embeddings",
    "normed": "builtin:plain with a new projector and a norm behind it that keeps the length of text embeddings",
}


def recipe(projector: Projector) -> ProjectorRecipe:
    """The recipe of a projector; the three differ in nothing else."""
    return ProjectorRecipe(
        name=f"projector-{projector}", makes=MAKES[projector], minutes={"tiny": 3},
        build=partial(build, projector=projector), layout=LAYOUT, asks=asks,
        stages=(Stage("answers", 400, mixture={"squares": 1.0}, rate=4e-3, warmup=20, images=BATCH),),
    )  # fmt: skip


RECIPES = {one.name: one for one in map(recipe, PROJECTORS)}
