"""Recipes whose models learn to answer: stages of packed questions about pictures.

All built-in models are made so. A step's batch is a function of (seed, stage, step).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from backsight.errors import UsageError
from backsight.stimuli.layouts import Layout
from backsight.stimuli.questions import SYSTEM
from backsight.training import background, exchange, pathways, positions, questions, saving
from backsight.training.packing import Packed, Packer
from backsight.training.pathways import Pathway
from backsight.training.recipe import Learner, Phase, Recipe, Scale

Name = TypeVar("Name", bound=str)
Build = Callable[[int, Scale], tuple[Any, Any]]  # of seed and scale: a model and its processor


@dataclass(frozen=True)
class Stage(Phase):
    """A phase on one mixture of questions: `mixture` gives each kind's share of the steps.

    `pathways` gives the share of the steps on which a position pathway is ablated (`training.pathways`). A `fresh`
    stage begins from the weights as they are stored, rounded to bfloat16, with a new optimiser: it gives what going on
    from the stored model gives. `taught`: the read-out of positions that is trained along (`training.positions`), if
    any; `answers` is False where that is all that is trained. `exchange` is the block of the pathway `exchanged`
    (`training.exchange`).
    """

    mixture: Mapping[questions.Kind, float] = field(kw_only=True)
    images: int = 16
    exact: float = 0.15
    textured: float = 0.0
    pathways: Mapping[Pathway, float] = field(default_factory=lambda: {"plain": 1.0})
    fresh: bool = False
    taught: positions.Teaching | None = None
    answers: bool = True
    exchange: int = 0

    def __post_init__(self) -> None:
        if not self.answers and (self.taught is None or self.taught.layer is not None):
            raise UsageError(
                "A stage without answers teaches nothing but the vision encoder",
                where=f"stage {self.name}", got=f"taught={self.taught}", do="give taught=Teaching() without a layer",
            )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Answering(Recipe):
    """A model that answers questions about pictures: its architecture, its pictures and its stages.

    `construction` says what the architecture itself holds back, for the card. `asks` draws a step's pictures and
    questions; recipes that take `photographs` get theirs from a folder (`training.cutouts.asker`).
    """

    build: Build
    layout: Layout
    stages: tuple[Stage, ...]
    system: str = SYSTEM
    construction: str = ""
    asks: Callable[..., list[questions.Asked]] = questions.batch

    @property
    def phases(self) -> tuple[Stage, ...]:
        """The stages."""
        return self.stages

    def start(self, where: torch.device) -> AnsweringLearner:
        """The model of this seed and size, and what it is asked."""
        return AnsweringLearner(self, where)

    def tried(self, pictures: int = 2) -> Answering:
        """The recipe with up to so many pictures a step, and two steps of warm-up a stage."""
        stages = (replace(s, images=min(s.images, pictures), warmup=min(s.warmup, 2)) for s in self.stages)
        return replace(self, stages=tuple(stages))

    def _settings(self) -> Any:
        return self.layout, self.system, self.build, self.asks


class AnsweringLearner(Learner):
    """A model that learns to answer, and the read-out of positions where a recipe has one."""

    def __init__(self, recipe: Answering, where: torch.device) -> None:
        self.recipe = recipe
        self.model, self.processor = recipe.build(recipe.seed, recipe.scale)
        self.packer = Packer(self.model, self.processor, recipe.system, device=where)
        width = self.model.get_input_embeddings().embedding_dim
        taught = any(stage.taught for stage in recipe.stages)
        self.reader = positions.reader(width, recipe.seed) if taught else None
        self.module = torch.nn.ModuleDict({"model": self.model} | ({"reader": self.reader} if self.reader else {}))
        self.module.to(where)

    def enter(self, phase: int) -> bool:
        """A fresh stage rounds all weights to what bfloat16 holds and begins with a new optimiser."""
        if self.recipe.stages[phase].fresh:
            with torch.no_grad():
                for weight in self.model.parameters():
                    weight.copy_(weight.to(torch.bfloat16))
        return self.recipe.stages[phase].fresh

    def clipped(self) -> Iterable[torch.nn.Parameter]:
        """The model's own weights: how steep a read-out is does not slow the model down."""
        return tuple(self.model.parameters())

    def loss(self, phase: int, step: int) -> tuple[torch.Tensor, dict[str, float]]:
        """The loss of the answers, of the positions read or of both, and the share that is correct by kind and axis."""
        stage, key = self.recipe.stages[phase], (self.recipe.seed, phase, step)
        kind = _drawn(stage.mixture, np.random.default_rng([*key, 1]))
        rng = np.random.default_rng([*key, 3])
        layout, images, scenes = self.recipe.layout, stage.images, (*key, 2)
        asked = self.recipe.asks(kind, layout, images=images, key=scenes, exact=stage.exact, textured=stage.textured)
        pathway: Pathway = _drawn(stage.pathways, rng) if stage.answers and asked[0].row is not None else "plain"
        if pathway in ("exchanged", "reversible"):
            asked = questions.with_reversed(kind, layout, images=images, key=scenes, exact=stage.exact)
        # A model with a short window learns both forms of its mask, so that it hangs on neither (`Packer._gemma`).
        cut = bool(np.random.default_rng([*key, 4]).random() < 0.5)
        packed = self.packer.pack(asked, cut=cut)
        losses, named, states = [], str(kind), []
        axes: dict[str, float] = {}
        if stage.answers:
            with positions.listening(self.model, stage.taught.layer if stage.taught else None) as states:
                loss, right = self._answered(stage, asked, packed, pathway, rng)
            losses.append(loss)
            named = kind if pathway == "plain" else f"{kind}, {pathway}"
            axes = by_axis(asked, right) if pathway == "plain" else {}
        if stage.taught is not None and asked[0].row is not None:
            assert self.reader is not None
            wanted = positions.labels(asked, layout, stage.taught.on).to(self.packer.device)
            loss, read = positions.read(
                self.reader, positions.image_states(self.model, packed, states), wanted, stage.taught
            )
            losses.append(loss)
            if not stage.answers:
                right, named = read, f"{kind}, positions"
        return torch.stack(losses).sum(), {f"accuracy: {named}": float(right.mean()), **axes}

    def _answered(
        self, stage: Stage, asked: list[questions.Asked], packed: Packed, pathway: Pathway, rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The loss of the answers with a pathway ablated or exchanged, and for each question whether it is right."""
        model, given, answers = self.model, packed.inputs, packed.answers
        acting: AbstractContextManager[None] = nullcontext()
        if pathway == "background":
            features = background.features(model, self.packer, asked, self.recipe.layout)
            given = pathways.with_features(model, packed, pathways.shuffled(features, len(asked), rng))
        elif pathway == "shuffled" or pathway == "cells":
            given = pathways.inputs(model, packed, pathway, rng)
        elif pathway == "exchanged":
            acting = exchange.acting(model, packed, asked, stage.exchange, self.recipe.layout)
            answers = answers.roll(len(answers) // 2)  # those of the reversed rows, half a batch away
        with acting:
            logits = answer_logits(model, replace(packed, inputs=given))
        return torch.nn.functional.cross_entropy(logits, answers), (logits.argmax(-1) == answers).float()

    def save(self, folder: Path) -> None:
        """The model in bfloat16, as it is run in fp32, with its processor."""
        saving.save(self.model, self.processor, folder)


def by_axis(asked: list[questions.Asked], right: torch.Tensor) -> dict[str, float]:
    """Of rows of three, the share of their relations that is correct along each axis that occurs.

    `right` (question,) of all pictures in turn; a row's first `RELATIONS` questions ask for its relations. Without a
    row there is nothing to split: then an answer may have several tokens, each with its own number.
    """
    if all(one.row is None for one in asked):
        return {}
    by: dict[str, list[float]] = {}
    for one, answers in zip(asked, torch.split(right, [len(one.questions) for one in asked]), strict=True):
        if one.row is not None:
            by.setdefault(f"accuracy: {one.row[0]}", []).extend(answers[: questions.RELATIONS].tolist())
    return {name: sum(of) / len(of) for name, of in sorted(by.items())}


def _drawn(shares: Mapping[Name, float], rng: np.random.Generator) -> Name:
    names, weights = list(shares), np.array(list(shares.values()))
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]


def answer_logits(model: Any, packed: Packed) -> torch.Tensor:
    """Next-token logits (question, vocabulary) behind each packed question."""
    hidden = model.model(**packed.inputs, use_cache=False).last_hidden_state
    result: torch.Tensor = model.lm_head(hidden[packed.answer_at[:, 0], packed.answer_at[:, 1]])
    return result
