"""What a recipe is: a value that says what is trained, in which phases, and what comes of it.

`start` makes the learner: the weights, and the loss of each step. A step's batch is a function of (seed, phase, step),
so that a run that is killed and gone on with sees the batches of one that is not. The loop (`training.loop`) knows
no more than this, so one's own recipe is trained by the same command.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, device, nn

from backsight.training.identity import VERSION, described

Size = Literal["tiny", "small", "base"]


@dataclass(frozen=True)
class Scale:
    """A size of a model, as multiples of a recipe's own numbers: heads keep their width, so rotary bases still fit."""

    width: int
    depth: int


SCALES: Mapping[Size, Scale] = {"tiny": Scale(1, 1), "small": Scale(2, 2), "base": Scale(6, 2)}


@dataclass(frozen=True)
class Phase:
    """Some steps at one schedule of learning rates.

    The rate warms up over `warmup` steps to `rate` and falls as a cosine to `rate * floor`, which it reaches after
    `horizon` steps (default: all); a phase that ends before its horizon hands over at a higher rate.
    """

    name: str
    steps: int
    rate: float = 1e-3
    floor: float = 0.05
    warmup: int = 100
    horizon: int | None = None

    def learning_rate(self, step: int) -> float:
        """The rate at a step of the phase."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, (self.horizon or self.steps) - self.warmup)
        return self.rate * (self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


class Learner(ABC):
    """What learns. `module` holds every weight that a checkpoint must keep; those that want no gradient stay."""

    module: nn.Module

    @abstractmethod
    def loss(self, phase: int, step: int) -> tuple[Tensor, dict[str, float]]:
        """The loss of a step, and further figures of it for the log, such as `accuracy: squares`."""

    def enter(self, phase: int) -> bool:
        """What is done before the first step of a phase; whether it begins with a new optimiser.

        A run that goes on enters the phases up to its own again, and takes weights and buffers from the checkpoint
        behind that. So what is set here beside weights and buffers depends on the phase only, as what is frozen does.
        """
        return False

    def clipped(self) -> Iterable[nn.Parameter]:
        """The weights whose gradients are scaled down together where their norm is above 1: all, by default."""
        return self.module.parameters()

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what was trained into a new folder, whole or not at all: an ordinary checkpoint of transformers.

        UsageError where the folder is there and not empty, StudyError where it cannot be written.
        """


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """A recipe. `makes` says in one sentence what comes of it, `minutes` how long a size takes on two cores.

    A checkpoint is written each `save_every` steps. `photographs` says that pictures come from a folder of the user's,
    `vlm` that what comes of it is a vision-language model, which `study`, `doctor`, `compare` and `sweep` open.
    """

    name: str
    makes: str = ""
    minutes: Mapping[Size, float] = field(default_factory=dict)
    seed: int = 0
    size: Size = "tiny"
    save_every: int = 100
    photographs: bool = False
    vlm: bool = True

    @property
    @abstractmethod
    def phases(self) -> Sequence[Phase]:
        """The phases, in order."""

    @abstractmethod
    def start(self, where: device) -> Learner:
        """The learner of this seed and size, with weights on a device, before its first step."""

    def tried(self, pictures: int = 2) -> Recipe:
        """The same recipe at as small a price as it has, to see that it runs: up to so many pictures a step, and a
        short warm-up. Little is learned of it. Unless said otherwise, the recipe as it is.
        """
        return self

    def lengths(self, max_steps: int | None = None) -> dict[str, int]:
        """The steps of each phase by its name, in order, where none takes more than `max_steps`."""
        return {phase.name: min(phase.steps, max_steps or phase.steps) for phase in self.phases}

    @property
    def identity(self) -> str:
        """What a step depends on, as text (`training.identity`): a checkpoint of another identity is not gone on from.

        It begins with the version of the package's own steps, the first of which has no mark, and a class of a user's.
        """
        version = f"version {VERSION} " if VERSION > 1 else ""
        kind = described(type(self))
        own = "" if kind.startswith("backsight.") else f"{kind} "
        return version + own + described((self.name, self.seed, self.size, tuple(self.phases), self._settings()))

    def _settings(self) -> Any:
        """What a step depends on beyond name, seed, size and phases: unless said otherwise, every other field."""
        beside = {one.name for one in fields(Recipe)}
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name not in beside}

    @property
    def scale(self) -> Scale:
        """The multiples of the recipe's size."""
        return SCALES[self.size]


def counted(lengths: Mapping[str, int], phase: str, step: int) -> int:
    """The steps of a run that are done after `step` steps of a phase, where `lengths` are those of each, in order."""
    names = list(lengths)
    return sum(lengths[name] for name in names[: names.index(phase)]) + step
