"""Snapshots of a run: at given steps, counted over all phases, the learner as it stands is saved as its checkpoint."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from backsight.errors import UsageError
from backsight.training.recipe import Learner, counted


@dataclass(frozen=True)
class Snapshots:
    """The steps of snapshots in a folder; `lengths` are the steps of each phase by its name, in order.

    UsageError for a step that the run does not take.
    """

    folder: Path
    steps: Collection[int]
    lengths: Mapping[str, int]

    def __post_init__(self) -> None:
        last = sum(self.lengths.values())
        beyond = sorted(step for step in self.steps if not 1 <= step <= last)
        if beyond:
            raise UsageError(
                "There is no such step to save a snapshot after", got=", ".join(map(str, beyond)),
                do=f"give steps from 1 to {last}, counted over all phases",
            )  # fmt: skip

    def refuse_passed(self, phase: str, step: int) -> None:
        """UsageError for a snapshot of a step that a run, `step` steps into a phase, has passed without taking it."""
        done = self._counted(phase, step)
        gone = sorted(one for one in self.steps if one <= done and not snapshot(self.folder, one).exists())
        if gone:
            raise UsageError(
                "The training is past the step of a snapshot", where=self.folder,
                got=f"{', '.join(map(str, gone))}; {done} steps are done",
                do=f"give steps above {done}, or begin anew in another folder for checkpoints (--work)",
            )  # fmt: skip

    def wants(self, phase: str, step: int) -> bool:
        """Whether a snapshot is wanted after `step` steps of a phase."""
        return self._counted(phase, step) in self.steps

    def take(self, learner: Learner, phase: str, step: int) -> None:
        """Save the learner where a snapshot is wanted after `step` steps of a phase.

        One of an earlier try, which may be of another run, is made again: only a checkpoint says whose a folder is.
        """
        if self.wants(phase, step):
            path = snapshot(self.folder, self._counted(phase, step))
            shutil.rmtree(path, ignore_errors=True)
            learner.save(path)

    def _counted(self, phase: str, step: int) -> int:
        return counted(self.lengths, phase, step)


def snapshot(folder: Path, step: int) -> Path:
    """Where the learner is saved as it stands after a step of a run, counted over all phases."""
    return folder / f"step-{step:06d}"
