"""The one training loop: the phases of a recipe, with checkpoints from which a killed run goes on bit for bit.

accelerate gives device and mixed precision; a run is one process. A step whose loss or gradient is no number, or whose
loss is far above the first one's, is not taken: the run stops, and the last checkpoint stays good.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from backsight.errors import TrainingError, UsageError
from backsight.results import learning
from backsight.tables import Table
from backsight.training import checkpoints
from backsight.training.recipe import Learner, Phase, Recipe

Progress = Callable[[str, int, int, Mapping[str, Any]], None]
Precision = Literal["no", "bf16", "fp16"]
EVERY = 25  # steps between two rows of the log
DIVERGED = 10.0  # times the first step's loss


def train(
    recipe: Recipe, folder: Path, *, device: str = "cpu", precision: Precision = "no",
    progress: Progress | None = None, max_steps: int | None = None, snapshots: Collection[int] = (),
) -> Learner:  # fmt: skip
    """Train a recipe to its end, or for `max_steps` steps of each phase; what learned.

    `folder` takes the checkpoint and the log (`training.csv`, `training.parquet`); a checkpoint that is there is gone
    on from. After each step of `snapshots`, counted over all phases, the learner as it stands is saved as its own
    checkpoint beside them (`snapshot(folder, step)`). UsageError for a step that there is not, DataError where the
    checkpoint belongs to another recipe, TrainingError where the loss diverges, StudyError where the disk is full.
    """
    lengths = [min(phase.steps, max_steps or phase.steps) for phase in recipe.phases]
    _check_snapshots(snapshots, sum(lengths), recipe)
    accelerator = _accelerator(device, precision)
    torch.manual_seed(recipe.seed)
    learner = recipe.start(accelerator.device)
    learner.module.train()
    optimizer = _optimizer(learner)
    folder.mkdir(parents=True, exist_ok=True)
    place = checkpoints.resume(folder, recipe, learner.module, optimizer)
    log = _Log(list(place.log))
    for number, phase in enumerate(recipe.phases[place.phase :], place.phase):
        last, before = lengths[number], sum(lengths[:number])
        begin = place.step if number == place.phase else 0
        if begin == 0 and learner.enter(number):
            optimizer = _optimizer(learner)
        for step in range(begin, last):
            with accelerator.autocast():
                loss, figures = learner.loss(number, step)
            _check(loss, log.first(loss), recipe, phase, step, folder)
            rate = phase.learning_rate(step)
            _learn(accelerator, learner, optimizer, loss, rate, (recipe, phase, step, folder))
            taken = {"loss": float(loss.detach()), **figures, "rate": rate}
            log.add(taken)
            if progress is not None:
                progress(phase.name, step + 1, last, taken)
            saved = (step + 1) % recipe.save_every == 0 or step + 1 == last
            if (step + 1) % EVERY == 0 or saved:
                log.close(phase.name, step + 1)
            if before + step + 1 in snapshots:  # before the checkpoint: a run that dies between the two makes it again
                _snapshot(learner, snapshot(folder, before + step + 1))
            if saved:
                at = checkpoints.Place(number, step + 1, log.rows)
                checkpoints.save(folder, recipe, learner.module, optimizer, at)
                log_table(log.rows, recipe).write(folder, "training")
    learner.module.eval()
    return learner


def snapshot(folder: Path, step: int) -> Path:
    """Where the learner is saved as it stands after a step of a run, counted over all phases."""
    return folder / f"step-{step:06d}"


def log_table(rows: list[dict[str, Any]], recipe: Recipe) -> Table:
    """The log of a run as a table, with the recipe it is of."""
    return Table.of(learning.TRAINING, rows, {"recipe": recipe.name, "seed": recipe.seed, "size": recipe.size})


def _check_snapshots(snapshots: Collection[int], steps: int, recipe: Recipe) -> None:
    """UsageError where a snapshot is asked for at a step that the run does not take."""
    beyond = sorted(step for step in snapshots if not 1 <= step <= steps)
    if beyond:
        raise UsageError(
            "There is no such step to save a snapshot after", where=f"recipe {recipe.name}",
            got=", ".join(map(str, beyond)), do=f"give steps from 1 to {steps}, counted over all phases",
        )  # fmt: skip


def _snapshot(learner: Learner, folder: Path) -> None:
    """Save the learner as it stands; one of an earlier try, which may be of another run, is made again."""
    if folder.exists():
        shutil.rmtree(folder)
    learner.save(folder)


def _accelerator(device: str, precision: Precision) -> Accelerator:
    """The accelerator of a device such as `cpu`, `cuda` or `cuda:1`; what an earlier run of this process set goes."""
    AcceleratorState._reset_state(reset_partial_state=True)
    where = torch.device(device)
    if where.type == "cuda" and where.index is not None:
        torch.cuda.set_device(where)
    return Accelerator(cpu=where.type == "cpu", mixed_precision=precision)


def _optimizer(learner: Learner) -> torch.optim.AdamW:
    weights = [weight for weight in learner.module.parameters() if weight.requires_grad]
    return torch.optim.AdamW(weights, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01)


def _learn(
    accelerator: Accelerator, learner: Learner, optimizer: torch.optim.Optimizer, loss: torch.Tensor, rate: float,
    at: tuple[Recipe, Phase, int, Path],
) -> None:  # fmt: skip
    """One step down the loss; TrainingError where its gradient is no number."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    accelerator.backward(loss)
    if accelerator.scaler is not None:
        accelerator.scaler.unscale_(optimizer)
    norm = torch.nn.utils.clip_grad_norm_(learner.module.parameters(), 1.0)
    if accelerator.scaler is not None:  # it leaves out steps whose gradients overflow, by itself
        accelerator.scaler.step(optimizer)
        accelerator.scaler.update()
        return
    if not math.isfinite(float(norm)):
        raise _diverged("the gradient is no number", *at)
    optimizer.step()


def _check(loss: torch.Tensor, first: float, recipe: Recipe, phase: Phase, step: int, folder: Path) -> None:
    value = float(loss.detach())
    if not math.isfinite(value) or value > DIVERGED * first:
        raise _diverged(f"a loss of {value:.3g}, {first:.3g} at first", recipe, phase, step, folder)


def _diverged(got: str, recipe: Recipe, phase: Phase, step: int, folder: Path) -> TrainingError:
    return TrainingError(
        "The training diverges and was stopped before this step",
        where=f"recipe {recipe.name}, phase {phase.name!r}, step {step + 1}",
        got=got,
        do=f"give the recipe a lower rate (this phase has {phase.rate:g}); the last good checkpoint is in {folder}",
    )


class _Log:
    """The rows of a log, and the means of the steps since the last one."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self._steps: list[Mapping[str, float]] = []
        self._before = rows[-1]["seconds"] if rows else 0.0
        self._started = time.monotonic()
        self._first = next((row["value"] for row in rows if row["figure"] == "first loss"), None)

    def first(self, loss: torch.Tensor) -> float:
        """The loss of the first step of all, which is `loss` where there was none."""
        if self._first is None:
            self._first = float(loss.detach())
            self.rows.append({"phase": "", "step": 0, "seconds": 0.0, "figure": "first loss", "value": self._first})
        return float(self._first)

    def add(self, figures: Mapping[str, float]) -> None:
        self._steps.append(figures)

    def close(self, phase: str, step: int) -> None:
        """Rows of the means of each figure over the steps that had it, since the last rows."""
        seconds = round(self._before + time.monotonic() - self._started, 2)
        for figure in sorted({name for figures in self._steps for name in figures}):
            value = float(np.mean([figures[figure] for figures in self._steps if figure in figures]))
            self.rows.append({"phase": phase, "step": step, "seconds": seconds, "figure": figure, "value": value})
        self._steps = []
