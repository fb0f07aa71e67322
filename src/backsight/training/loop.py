"""The one training loop: stages of packed questions, with checkpoints from which a killed run goes on.

A step's batch is a function of (seed, stage, step), and a checkpoint holds weights, optimiser and step, so a run
that is killed and started again goes through the same batches as one that is not.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from backsight.errors import DataError, UsageError
from backsight.stimuli.layouts import Layout
from backsight.tables import replacing
from backsight.training import background, exchange, pathways, positions, questions
from backsight.training.packing import Packed, Packer
from backsight.training.pathways import Pathway

Name = TypeVar("Name", bound=str)
Progress = Callable[[str, int, int, Mapping[str, float]], None]


@dataclass(frozen=True)
class Stage:
    """Some steps on one mixture of questions: `mixture` gives each kind's share of the steps.

    The learning rate warms up over `warmup` steps to `rate` and falls as a cosine to `rate * floor`, which it reaches
    after `horizon` steps; a stage that ends before its horizon hands over at a higher rate. `pathways` gives the
    share of the steps on which a position pathway is ablated (`training.pathways`). A `fresh` stage begins from the
    weights as they are stored, rounded to bfloat16, with a new optimiser: it gives what going on from the stored model
    gives.
    `taught`: the read-out of positions that is trained along (`training.positions`), if any; `answers` is False where
    that is all that is trained. `exchange` is the block of the pathway `exchanged` (`training.exchange`).
    """

    name: str
    steps: int
    mixture: Mapping[questions.Kind, float]
    rate: float = 1e-3
    floor: float = 0.05
    warmup: int = 100
    images: int = 16
    exact: float = 0.15
    textured: float = 0.0
    horizon: int | None = None
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


@dataclass(frozen=True)
class Recipe:
    """How a built-in model is made: its architecture, its pictures, its stages and its seed.

    `construction` says what the architecture itself holds back, for the card. `asks` draws a step's pictures and
    questions; recipes that take `photographs` get theirs from a folder (`training.cutouts.asker`).
    """

    name: str
    build: Callable[[int], tuple[Any, Any]]
    layout: Layout
    stages: tuple[Stage, ...]
    system: str
    seed: int = 0
    save_every: int = 100
    construction: str = ""
    photographs: bool = False
    asks: Callable[..., list[questions.Asked]] = questions.batch


def learning_rate(stage: Stage, step: int) -> float:
    """The rate at a step of a stage: linear warm-up, then a cosine down to the floor."""
    if step < stage.warmup:
        return stage.rate * (step + 1) / stage.warmup
    done = (step - stage.warmup) / max(1, (stage.horizon or stage.steps) - stage.warmup)
    return stage.rate * (stage.floor + (1 - stage.floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def train(
    recipe: Recipe, folder: Path, *, progress: Progress | None = None, max_steps: int | None = None
) -> tuple[Any, Any]:
    """Train a recipe to its end, or for `max_steps` steps of each stage; the model (eval mode) and its processor.

    `folder` takes the checkpoint and `log.jsonl`; a checkpoint that is there is gone on from. DataError where it
    belongs to another recipe.
    """
    model, processor = recipe.build(recipe.seed)
    model.train()
    packer = Packer(model, processor, recipe.system)
    width = model.get_input_embeddings().embedding_dim
    reader = positions.reader(width, recipe.seed) if any(s.taught for s in recipe.stages) else None
    learner = _Learner(model, reader, packer)
    folder.mkdir(parents=True, exist_ok=True)
    saved = folder / "checkpoint.pt"
    first_stage, first_step = _resume(saved, recipe, learner)
    started, since = time.monotonic(), _Means()
    for number, stage in enumerate(recipe.stages[first_stage:], first_stage):
        last = min(stage.steps, max_steps or stage.steps)
        begin = first_step if number == first_stage else 0
        if stage.fresh and begin == 0:
            learner.store()
        for step in range(begin, last):
            figures = _step(recipe, number, step, learner)
            figures["seconds"] = time.monotonic() - started
            if progress is not None:
                progress(stage.name, step + 1, last, figures)
            since.add(figures)
            if (step + 1) % 25 == 0 or step + 1 == last:
                entry = {"stage": stage.name, "step": step + 1, "seconds": figures["seconds"], **since.take()}
                with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
                    log.write(json.dumps(entry) + "\n")
            if (step + 1) % recipe.save_every == 0 or step + 1 == last:
                _save(saved, recipe, learner, number, step + 1)
    return model.eval(), processor


class _Learner:
    """What learns: the model, the read-out of positions where a recipe has one, and their optimiser."""

    def __init__(self, model: Any, reader: torch.nn.Linear | None, packer: Packer) -> None:
        self.model, self.reader, self.packer = model, reader, packer
        self.optimizer = self._new_optimizer()

    def _new_optimizer(self) -> torch.optim.AdamW:
        weights = [*self.model.parameters(), *(self.reader.parameters() if self.reader is not None else ())]
        return torch.optim.AdamW(weights, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01)

    def store(self) -> None:
        """Round all weights to what bfloat16 holds, and begin with a new optimiser."""
        with torch.no_grad():
            for weight in self.model.parameters():
                weight.copy_(weight.to(torch.bfloat16))
        self.optimizer = self._new_optimizer()

    def learn(self, loss: torch.Tensor, rate: float) -> None:
        """One step down the loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()

    def state(self) -> dict[str, Any]:
        """Everything that a checkpoint needs of it."""
        reader = {} if self.reader is None else {"reader": self.reader.state_dict()}
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()} | reader

    def take(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.reader is not None:
            self.reader.load_state_dict(state["reader"])


class _Means:
    """Mean loss and accuracy of the latest steps, in all and by kind of question."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []

    def add(self, figures: dict[str, Any]) -> None:
        self.steps.append(figures)

    def take(self) -> dict[str, Any]:
        """The means since the last call."""
        taken, self.steps = self.steps, []
        kinds = sorted({s["kind"] for s in taken})
        of = {kind: [s for s in taken if s["kind"] == kind] for kind in kinds}
        return {
            "rate": taken[-1]["rate"],
            "loss": float(np.mean([s["loss"] for s in taken])),
            "accuracy": {kind: round(float(np.mean([s["accuracy"] for s in of[kind]])), 4) for kind in kinds},
        }


def _step(recipe: Recipe, number: int, step: int, learner: _Learner) -> dict[str, Any]:
    stage = recipe.stages[number]
    key = (recipe.seed, number, step)
    kind = _drawn(stage.mixture, np.random.default_rng([*key, 1]))
    rng = np.random.default_rng([*key, 3])
    layout, images, scenes = recipe.layout, stage.images, (*key, 2)
    asked = recipe.asks(kind, layout, images=images, key=scenes, exact=stage.exact, textured=stage.textured)
    pathway: Pathway = _drawn(stage.pathways, rng) if stage.answers and asked[0].row is not None else "plain"
    if pathway in ("exchanged", "reversible"):
        asked = questions.with_reversed(kind, layout, images=images, key=scenes, exact=stage.exact)
    # A model with a short window learns both forms of its mask, so that it hangs on neither (`Packer._gemma`).
    cut = bool(np.random.default_rng([*key, 4]).random() < 0.5)
    packed = learner.packer.pack(asked, cut=cut)
    losses, named, heard = [], str(kind), []
    if stage.answers:
        with positions.listening(learner.model, stage.taught.layer if stage.taught else None) as heard:
            loss, right = _answered(recipe, stage, learner, asked, packed, pathway, rng)
        losses.append(loss)
        named = kind if pathway == "plain" else f"{kind}, {pathway}"
    if stage.taught is not None and asked[0].row is not None:
        assert learner.reader is not None
        wanted = positions.labels(asked, layout, stage.taught.on)
        states = positions.image_states(learner.model, packed, heard)
        loss, read = positions.read(learner.reader, states, wanted, stage.taught)
        losses.append(loss)
        if not stage.answers:
            right, named = read, f"{kind}, positions"
    rate = learning_rate(stage, step)
    learner.learn(torch.stack(losses).sum(), rate)
    return {"kind": named, "loss": float(losses[0].detach()), "accuracy": float(right.mean()), "rate": rate}


def _answered(
    recipe: Recipe, stage: Stage, learner: _Learner, asked: list[questions.Asked], packed: Packed, pathway: Pathway,
    rng: np.random.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """The loss of the answers with a pathway ablated or exchanged, and for each question whether it is right."""
    model, given, answers = learner.model, packed.inputs, packed.answers
    acting: AbstractContextManager[None] = nullcontext()
    if pathway == "background":
        features = background.features(model, learner.packer, asked, recipe.layout)
        given = pathways.with_features(model, packed, pathways.shuffled(features, len(asked), rng))
    elif pathway == "shuffled" or pathway == "cells":
        given = pathways.inputs(model, packed, pathway, rng)
    elif pathway == "exchanged":
        acting = exchange.acting(model, packed, asked, stage.exchange, recipe.layout)
        answers = answers.roll(len(answers) // 2)  # those of the reversed rows, half a batch away
    with acting:
        logits = answer_logits(model, replace(packed, inputs=given))
    return torch.nn.functional.cross_entropy(logits, answers), (logits.argmax(-1) == answers).float()


def _drawn(shares: Mapping[Name, float], rng: np.random.Generator) -> Name:
    names, weights = list(shares), np.array(list(shares.values()))
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]


def answer_logits(model: Any, packed: Packed) -> torch.Tensor:
    """Next-token logits (question, vocabulary) behind each packed question."""
    hidden = model.model(**packed.inputs, use_cache=False).last_hidden_state
    result: torch.Tensor = model.lm_head(hidden[packed.answer_at[:, 0], packed.answer_at[:, 1]])
    return result


def _save(path: Path, recipe: Recipe, learner: _Learner, stage: int, step: int) -> None:
    state = {"recipe": _identity(recipe), "stage": stage, "step": step, **learner.state()}
    with replacing(path) as part:
        torch.save(state, part)


def _resume(path: Path, recipe: Recipe, learner: _Learner) -> tuple[int, int]:
    if not path.exists():
        return 0, 0
    state = torch.load(path, weights_only=True)
    if state["recipe"] != _identity(recipe):
        raise DataError(
            "The checkpoint belongs to another recipe", where=path, do="give another folder, or remove this one"
        )
    learner.take(state)
    return int(state["stage"]), int(state["step"])


def _identity(recipe: Recipe) -> str:
    """All that a step depends on but the architecture, which is checked when the weights are loaded."""
    stages = [
        {**asdict(stage), "mixture": dict(stage.mixture), "pathways": dict(stage.pathways)} for stage in recipe.stages
    ]
    return repr((recipe.name, recipe.seed, recipe.layout, stages))
