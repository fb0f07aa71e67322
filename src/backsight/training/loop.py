"""The one training loop: the phases of a recipe, with checkpoints from which a killed run goes on bit for bit.

accelerate gives device and mixed precision; a run is one process. A step whose loss or gradient is no number, or whose
loss is far above those that phases began with, is not taken. What a step leaves is looked at in the same way, on its
own batch, before it becomes a checkpoint, a snapshot or the end: so the last checkpoint is a good one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from backsight.errors import TrainingError, UsageError
from backsight.results import learning
from backsight.tables import Table
from backsight.training import checkpoints
from backsight.training.recipe import Learner, Phase, Recipe
from backsight.training.repeatable import repeatable
from backsight.training.snapshots import Snapshots

Progress = Callable[[str, int, int, Mapping[str, Any]], None]
Precision = Literal["no", "bf16", "fp16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
EVERY = 25  # steps between two rows of the log
DIVERGED = 10.0  # times the largest loss that a phase began with
SMALLEST_SCALE = 2.0**-10  # of fp16: below it gradients overflow whatever the scale


def train(
    recipe: Recipe, folder: Path, *, device: str = "cpu", precision: Precision = "no",
    progress: Progress | None = None, max_steps: int | None = None, snapshots: Collection[int] = (),
) -> Learner:  # fmt: skip
    """Train a recipe to its end, or for `max_steps` steps of each phase; what learned.

    `folder` takes the checkpoint and the log (`training.csv`, `training.parquet`); a checkpoint that is there is gone
    on from. After each step of `snapshots`, counted over all phases, the learner as it stands is saved beside them
    (`snapshots.snapshot`). UsageError for a recipe, a precision or a snapshot that there cannot be, DataError where the
    checkpoint belongs to another recipe, TrainingError where the loss diverges, StudyError where the disk is full.
    ConditionsWarning where a run goes on with other threads, releases or another device than it was begun with.
    """
    _refuse(recipe)
    lengths = recipe.lengths(max_steps)
    taken_at = Snapshots(folder, snapshots, lengths)
    accelerator = _accelerator(device, precision)
    torch.manual_seed(recipe.seed)
    learner = recipe.start(accelerator.device)
    learner.module.train()
    optimizer = _optimizer(learner, recipe)
    folder.mkdir(parents=True, exist_ok=True)
    of = identity(recipe, precision, max_steps)
    stored = checkpoints.read(folder, of)
    place = checkpoints.Place() if stored is None else stored.place
    if stored is not None:
        taken_at.refuse_passed(recipe.phases[place.phase].name, place.step)
        optimizer = _taken_up(stored, recipe, learner, optimizer, accelerator)
    log = _Log(list(place.log))
    if stored is not None:  # a run that died between a checkpoint and its log has written another one
        log_table(log.rows, recipe).write(folder, "training")
    for number, phase in enumerate(recipe.phases[place.phase :], place.phase):
        last = lengths[phase.name]
        begin = place.step if number == place.phase else 0
        if begin == 0 and learner.enter(number):
            optimizer = _optimizer(learner, recipe)
        for step in range(begin, last):
            at = (recipe, phase, step, folder)
            first, taken = _step(accelerator, learner, optimizer, number, log, at)
            log.add(taken)
            saved = (step + 1) % recipe.save_every == 0 or step + 1 == last
            if (step + 1) % EVERY == 0 or saved:
                log.close(phase.name, step + 1)
            if saved or taken_at.wants(phase.name, step + 1):
                _look_at(accelerator, learner, number, first, at)
            taken_at.take(learner, phase.name, step + 1)  # first: a run that dies between the two takes it again
            if saved:
                there = checkpoints.Place(number, step + 1, log.rows)
                scale = accelerator.scaler.state_dict() if accelerator.scaler is not None else None
                checkpoints.save(folder, of, learner.module, optimizer, there, scale)
                log_table(log.rows, recipe).write(folder, "training")
            if progress is not None:
                progress(phase.name, step + 1, last, taken)
    learner.module.eval()
    return learner


def _taken_up(
    stored: checkpoints.Stored, recipe: Recipe, learner: Learner, optimizer: torch.optim.AdamW, accelerator: Accelerator
) -> torch.optim.AdamW:
    """Put a learner where a checkpoint has it, the phases up to its own entered again; the optimiser of its phase."""
    checkpoints.warn_of_others(stored, accelerator.device)
    for number in range(stored.place.phase + 1):
        if learner.enter(number):
            optimizer = _optimizer(learner, recipe)
    stored.give(learner.module, optimizer)
    if accelerator.scaler is not None and stored.scaler is not None:
        accelerator.scaler.load_state_dict(stored.scaler)
    return optimizer


def identity(recipe: Recipe, precision: Precision = "no", max_steps: int | None = None) -> str:
    """All that the steps of a run depend on beside the device, as text."""
    return f"{recipe.identity}, precision {precision}, steps {max_steps or 'all'}"


def log_table(rows: list[dict[str, Any]], recipe: Recipe) -> Table:
    """The log of a run as a table, with the recipe it is of."""
    return Table.of(learning.TRAINING, rows, {"recipe": recipe.name, "seed": recipe.seed, "size": recipe.size})


def _refuse(recipe: Recipe) -> None:
    """UsageError for a recipe whose phases cannot be told apart, or that has no step to take."""
    names = [phase.name for phase in recipe.phases]
    wrong = ""
    if len(set(names)) < len(names):
        wrong = f"two phases called {next(name for name in names if names.count(name) > 1)!r}"
    elif not any(phase.steps > 0 for phase in recipe.phases):
        wrong = "no phase with a step"
    elif recipe.save_every < 1:
        wrong = f"save_every={recipe.save_every}"
    if wrong:
        do = "give phases of different names, one of them with steps, and save_every of 1 or more"
        raise UsageError("The recipe cannot be trained", where=f"recipe {recipe.name}", got=wrong, do=do)


def check_precision(precision: str, device: str) -> None:
    """UsageError for a precision that there is not, or not on this device."""
    if precision not in PRECISIONS:
        raise UsageError("There is no such precision", got=precision, do=f"choose from: {', '.join(PRECISIONS)}")
    if precision == "fp16" and torch.device(device).type == "cpu":
        do = "give bf16 or no, or a GPU as device"
        raise UsageError("fp16 takes a GPU: its loss scale is not for a CPU", got=f"fp16 on {device}", do=do)


def _accelerator(device: str, precision: Precision) -> Accelerator:
    """The accelerator of a device such as `cpu`, `cuda` or `cuda:1`; what an earlier run of this process set goes."""
    check_precision(precision, device)
    where = torch.device(device)
    AcceleratorState._reset_state(reset_partial_state=True)
    if where.type == "cuda" and where.index is not None:
        torch.cuda.set_device(where)
    return Accelerator(cpu=where.type == "cpu", mixed_precision=precision)


def _optimizer(learner: Learner, recipe: Recipe) -> torch.optim.AdamW:
    weights = [weight for weight in learner.module.parameters() if weight.requires_grad]
    if not weights:
        do = "let some weight of the learner's module require a gradient"
        raise UsageError("The recipe trains no weight", where=f"recipe {recipe.name}", do=do)
    return torch.optim.AdamW(weights, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01)


def _step(
    accelerator: Accelerator, learner: Learner, optimizer: torch.optim.Optimizer, number: int, log: _Log,
    at: tuple[Recipe, Phase, int, Path],
) -> tuple[float, dict[str, float]]:  # fmt: skip
    """Take a step of a phase: the largest loss that a phase began with so far, and the figures of the step."""
    _, phase, step, _ = at
    rate = phase.learning_rate(step)
    with repeatable(accelerator.device):
        with accelerator.autocast():
            loss, figures = learner.loss(number, step)
        first = log.firsts(phase.name, step, loss)
        _check(loss, first, at)
        _learn(accelerator, learner, optimizer, loss, rate, at)
    return first, {"loss": float(loss.detach()), **figures, "rate": rate}


def _learn(
    accelerator: Accelerator, learner: Learner, optimizer: torch.optim.Optimizer, loss: torch.Tensor, rate: float,
    at: tuple[Recipe, Phase, int, Path],
) -> None:  # fmt: skip
    """One step down the loss; TrainingError where its gradient is no number."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    learner.module.zero_grad(set_to_none=True)  # of weights that an earlier phase trained, too
    accelerator.backward(loss)
    if accelerator.scaler is not None:
        accelerator.scaler.unscale_(optimizer)
    norm = torch.nn.utils.clip_grad_norm_(learner.clipped(), 1.0)
    if accelerator.scaler is not None:  # it leaves out steps whose gradients overflow, by itself
        accelerator.scaler.step(optimizer)
        accelerator.scaler.update()
        if accelerator.scaler.get_scale() < SMALLEST_SCALE:
            raise _diverged("gradients that overflow at every loss scale", *at)
        return
    if not (math.isfinite(float(norm)) and _finite(weight.grad for weight in learner.module.parameters())):
        raise _diverged("the gradient is no number", *at)
    optimizer.step()


def _finite(values: Iterable[torch.Tensor | None]) -> bool:
    """Whether all are numbers; those that are not there are. On a GPU one answer is waited for, not one a weight."""
    each = [torch.isfinite(value).all() for value in values if value is not None]
    return bool(torch.stack(each).all()) if each else True


def _look_at(
    accelerator: Accelerator, learner: Learner, number: int, first: float, at: tuple[Recipe, Phase, int, Path]
) -> None:
    """TrainingError where a step left weights that are no numbers, or a loss of its own batch that has diverged.

    It draws nothing: the random state is the same behind it.
    """
    if not _finite(learner.module.parameters()):
        raise _diverged("weights that are no numbers", *at)
    where = accelerator.device
    drawn_on = [where] if where.type == "cuda" else []
    with torch.random.fork_rng(drawn_on), torch.no_grad(), accelerator.autocast():
        loss, _ = learner.loss(number, at[2])
    _check(loss, first, at)


def _check(loss: torch.Tensor, first: float, at: tuple[Recipe, Phase, int, Path]) -> None:
    value = float(loss.detach())
    if not math.isfinite(value) or value > DIVERGED * first:
        raise _diverged(f"a loss of {value:.3g}, {first:.3g} at first", *at)


def _diverged(got: str, recipe: Recipe, phase: Phase, step: int, folder: Path) -> TrainingError:
    there = (folder / checkpoints.NAME).exists()
    kept = f"the last good checkpoint stays in {folder}" if there else f"no checkpoint was written yet in {folder}"
    anew = ", and begin anew in another folder for checkpoints: another rate is another training" if there else ""
    return TrainingError(
        "The training diverges and was stopped at this step, which is not kept",
        where=f"recipe {recipe.name}, phase {phase.name!r}, step {step + 1}",
        got=got,
        do=f"give the recipe a lower rate (this phase has {phase.rate:g}){anew}; {kept}",
    )


class _Log:
    """The rows of a log, and the means of the steps since the last one."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self._steps: list[Mapping[str, float]] = []
        self._before = rows[-1]["seconds"] if rows else 0.0
        self._started = time.monotonic()

    def firsts(self, phase: str, step: int, loss: torch.Tensor) -> float:
        """The largest loss that a phase began with so far; that of a phase's first step is kept."""
        if step == 0:
            self.rows.append(self._row(phase, 0, learning.FIRST, float(loss.detach())))
        return max(abs(float(row["value"])) for row in self.rows if row["figure"] == learning.FIRST)

    def add(self, figures: Mapping[str, float]) -> None:
        self._steps.append(figures)

    def close(self, phase: str, step: int) -> None:
        """Rows of the means of each figure over the steps that had it, since the last rows."""
        for figure in sorted({name for figures in self._steps for name in figures}):
            value = float(np.mean([figures[figure] for figures in self._steps if figure in figures]))
            self.rows.append(self._row(phase, step, figure, value))
        self._steps = []

    def _row(self, phase: str, step: int, figure: str, value: float) -> dict[str, Any]:
        seconds = round(self._before + time.monotonic() - self._started, 2)
        return {"phase": phase, "step": step, "seconds": seconds, "figure": figure, "value": value}
