"""The one training loop: stages of packed questions, with checkpoints from which a killed run goes on.

A step's batch is a function of (seed, stage, step), and a checkpoint holds weights, optimiser and step, so a run
that is killed and started again goes through the same batches as one that is not.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from backsight.errors import DataError
from backsight.stimuli.layouts import Layout
from backsight.tables import replacing
from backsight.training import questions, roads
from backsight.training.packing import Packed, Packer

Name = TypeVar("Name", bound=str)
Progress = Callable[[str, int, int, Mapping[str, float]], None]


@dataclass(frozen=True)
class Stage:
    """Some steps on one mixture of questions: `mixture` gives each kind's share of the steps.

    The learning rate warms up over `warmup` steps to `rate` and falls as a cosine to `rate * floor`, which it reaches
    after `horizon` steps; a stage that ends before its horizon hands over at a higher rate. `roads` gives the share
    of the steps on which a road for position is closed (`training.roads`). A `fresh` stage begins from the weights as
    they are stored, rounded to bfloat16, with a new optimiser: it gives what going on from the stored model gives.
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
    roads: Mapping[roads.Road, float] = field(default_factory=lambda: {"plain": 1.0})
    fresh: bool = False


@dataclass(frozen=True)
class Recipe:
    """How a built-in model is made: its architecture, its pictures, its stages and its seed."""

    name: str
    build: Callable[[int], tuple[Any, Any]]
    layout: Layout
    stages: tuple[Stage, ...]
    system: str
    seed: int = 0
    save_every: int = 100


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
    optimizer = _optimizer(model)
    folder.mkdir(parents=True, exist_ok=True)
    saved = folder / "checkpoint.pt"
    first_stage, first_step = _resume(saved, recipe, model, optimizer)
    started, since = time.monotonic(), _Means()
    for number, stage in enumerate(recipe.stages[first_stage:], first_stage):
        last = min(stage.steps, max_steps or stage.steps)
        begin = first_step if number == first_stage else 0
        if stage.fresh and begin == 0:
            _round(model)
            optimizer = _optimizer(model)
        for step in range(begin, last):
            figures = _step(recipe, number, step, model, packer, optimizer)
            figures["seconds"] = time.monotonic() - started
            if progress is not None:
                progress(stage.name, step + 1, last, figures)
            since.add(figures)
            if (step + 1) % 25 == 0 or step + 1 == last:
                entry = {"stage": stage.name, "step": step + 1, "seconds": figures["seconds"], **since.take()}
                with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
                    log.write(json.dumps(entry) + "\n")
            if (step + 1) % recipe.save_every == 0 or step + 1 == last:
                _save(saved, recipe, model, optimizer, number, step + 1)
    return model.eval(), processor


def _optimizer(model: Any) -> torch.optim.AdamW:
    return torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01)


def _round(model: Any) -> None:
    """Round all weights to what bfloat16 holds."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(weight.to(torch.bfloat16))


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


def _step(recipe: Recipe, number: int, step: int, model: Any, packer: Packer, optimizer: Any) -> dict[str, Any]:
    stage = recipe.stages[number]
    key = (recipe.seed, number, step)
    kind = _drawn(stage.mixture, np.random.default_rng([*key, 1]))
    rng = np.random.default_rng([*key, 3])
    road = _drawn(stage.roads, rng)
    asked = questions.batch(
        kind, recipe.layout, images=stage.images, key=(*key, 2), exact=stage.exact, textured=stage.textured
    )
    packed = packer.pack(asked)
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(stage, step)
    logits = answer_logits(model, replace(packed, inputs=roads.inputs(model, packed, road, rng)))
    loss = torch.nn.functional.cross_entropy(logits, packed.answers)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    right = (logits.argmax(-1) == packed.answers).float()
    return {
        "kind": kind if road == "plain" else f"{kind}, {road}",
        "loss": float(loss.detach()),
        "accuracy": float(right.mean()),
        "rate": optimizer.param_groups[0]["lr"],
    }


def _drawn(shares: Mapping[Name, float], rng: np.random.Generator) -> Name:
    names, weights = list(shares), np.array(list(shares.values()))
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]


def answer_logits(model: Any, packed: Packed) -> torch.Tensor:
    """Next-token logits (question, vocabulary) behind each packed question."""
    hidden = model.model(**packed.inputs, use_cache=False).last_hidden_state
    result: torch.Tensor = model.lm_head(hidden[packed.answer_at[:, 0], packed.answer_at[:, 1]])
    return result


def _save(path: Path, recipe: Recipe, model: Any, optimizer: Any, stage: int, step: int) -> None:
    state = {
        "recipe": _identity(recipe),
        "stage": stage,
        "step": step,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    with replacing(path) as part:
        torch.save(state, part)


def _resume(path: Path, recipe: Recipe, model: Any, optimizer: Any) -> tuple[int, int]:
    if not path.exists():
        return 0, 0
    state = torch.load(path, weights_only=True)
    if state["recipe"] != _identity(recipe):
        raise DataError(
            "The checkpoint belongs to another recipe", where=path, do="give another folder, or remove this one"
        )
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["stage"]), int(state["step"])


def _identity(recipe: Recipe) -> str:
    closed = [dict(s.roads) for s in recipe.stages if set(s.roads) != {"plain"}]
    stages = [(s.name, dict(s.mixture), s.images) for s in recipe.stages]
    return repr((recipe.name, recipe.seed, recipe.layout, stages, *closed))
