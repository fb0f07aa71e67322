"""Snapshots of a run: at given steps, counted over all phases, the learner as it stands is saved as its checkpoint."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from backsight.errors import UsageError
from backsight.training.recipe import Learner


@dataclass(frozen=True)
class Snapshots:
    """The steps of snapshots in a folder; `lengths` are the steps of each phase.

    UsageError for a step that the run does not take.
    """

    folder: Path
    steps: Collection[int]
    lengths: Sequence[int]

    def __post_init__(self) -> None:
        last = sum(self.lengths)
        beyond = sorted(step for step in self.steps if not 1 <= step <= last)
        if beyond:
            raise UsageError(
                "There is no such step to save a snapshot after", got=", ".join(map(str, beyond)),
                do=f"give steps from 1 to {last}, counted over all phases",
            )  # fmt: skip

    def take(self, learner: Learner, phase: int, step: int) -> None:
        """Save the learner where a snapshot is wanted after `step` steps of a phase.

        One of an earlier try, which may be of another run, is made again: only a checkpoint says whose a folder is.
        """
        taken = sum(self.lengths[:phase]) + step
        if taken in self.steps:
            path = snapshot(self.folder, taken)
            shutil.rmtree(path, ignore_errors=True)
            learner.save(path)


def snapshot(folder: Path, step: int) -> Path:
    """Where the learner is saved as it stands after a step of a run, counted over all phases."""
    return folder / f"step-{step:06d}"
