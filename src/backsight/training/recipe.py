"""What a recipe is: a value that says what is trained, in which phases, and what comes of it.

`start` makes the learner: the weights, and the loss of each step. A step's batch is a function of (seed, phase, step),
so that a run that is killed and gone on with sees the batches of one that is not. The loop (`training.loop`) knows
no more than this, so one's own recipe is trained by the same command.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, device, nn

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

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what was trained into a new folder, whole or not at all: an ordinary checkpoint of transformers.

        UsageError where the folder is there and not empty, StudyError where it cannot be written.
        """


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """A recipe. `makes` says in one sentence what comes of it, `minutes` how long a size takes on two cores.

    A checkpoint is written each `save_every` steps. `photographs` says that pictures come from a folder of the user's.
    """

    name: str
    makes: str = ""
    minutes: Mapping[Size, float] = field(default_factory=dict)
    seed: int = 0
    size: Size = "tiny"
    save_every: int = 100
    photographs: bool = False

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

    @property
    def identity(self) -> str:
        """All that a step depends on, as text: a checkpoint of another identity is not gone on from."""
        return described((self.name, self.seed, self.size, tuple(self.phases), self._settings()))

    def _settings(self) -> Any:
        """What a step depends on beyond name, seed, size and phases: unless said otherwise, every other field."""
        beside = {one.name for one in fields(Recipe)}
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name not in beside}

    @property
    def scale(self) -> Scale:
        """The multiples of the recipe's size."""
        return SCALES[self.size]


def described(value: Any) -> str:
    """A value as text that is the same in every process: functions by their names, all else as Python writes it."""
    if isinstance(value, partial):
        parts = [described(value.func), *map(described, value.args)]
        return f"partial({', '.join([*parts, *_named(value.keywords)])})"
    if is_dataclass(value) and not isinstance(value, type):
        return f"{type(value).__name__}({', '.join(_named({f.name: getattr(value, f.name) for f in fields(value)}))})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{described(key)}: {described(one)}' for key, one in value.items())}}}"
    if isinstance(value, tuple | list):
        return f"({', '.join(map(described, value))})"
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def _named(values: Mapping[str, Any]) -> list[str]:
    return [f"{name}={described(value)}" for name, value in values.items()]
