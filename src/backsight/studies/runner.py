"""The serial runner: one job after another, batch by batch, with chunks on the way.

Rows are kept at least every `CHUNK_SECONDS`, so that a kill loses little, and at once on Ctrl-C. A job's batches are
the same on every run, so a study that was stopped and gone on with gives the tables of one that was not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from backsight.errors import StudyError
from backsight.measurements.base import by_sample, provenance
from backsight.models.vlm import VLM
from backsight.studies.jobs import Job
from backsight.studies.store import Store
from backsight.tables import Table

CHUNK_SECONDS = 20.0
Progress = Callable[[Job, int, int], None]


@dataclass(frozen=True)
class Done:
    """A finished job and what it cost over all runs; `reused` where nothing was left to do."""

    job: Job
    seconds: float
    forward_equivalents: float
    reused: bool


def run_job(vlm: VLM, job: Job, store: Store, progress: Progress | None = None) -> Done:
    """Run a job, or what is left of it, and write its table."""
    key = job.key(vlm)
    noted = store.finished(job.table, key)
    if noted is not None:
        if progress is not None:
            progress(job, len(job.samples), len(job.samples))
        return Done(job, noted["seconds"], noted["forward_equivalents"], True)
    todo = job.measurement.plan(job.samples)
    first, rows, cost = store.chunks(job.table, key)
    pending = _Pending(store, job.table, key, first, vlm.forward_equivalents)
    try:
        for number in range(first, len(todo)):
            with enough_memory(vlm, job):
                batch = dict(by_sample(vlm, job.samples, job.measurement, todo[number]))
            pending.add(number, [{"sample": index, "row": row} for index, found in batch.items() for row in found])
            if time.monotonic() - pending.started > CHUNK_SECONDS:
                rows, cost = pending.flush(vlm, rows, cost)
            if progress is not None:
                progress(job, sum(map(len, todo[: number + 1])), len(job.samples))
    except BaseException:  # Ctrl-C too: what was computed is kept, then the interruption goes on
        pending.flush(vlm, rows, cost)
        raise
    rows, cost = pending.merged(vlm, rows, cost)
    ordered = sorted(rows, key=lambda found: found["sample"])  # stable: a sample's own rows stay in order
    table = Table.of(
        job.measurement.schema,
        [found["row"] for found in ordered],
        provenance(vlm, job.samples, job.measurement),
    )
    store.finish(job.table, key, table, cost)
    return Done(job, cost["seconds"], cost["forward_equivalents"], False)


@contextmanager
def enough_memory(vlm: VLM, job: Job) -> Iterator[None]:
    """Turn a lack of memory into a StudyError that names the job."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise StudyError(
            "The memory of the device does not hold a batch of this job",
            where=f"{job.name}, {job.measurement.batch} samples a batch, {vlm.device}",
            got=str(error).split("\n")[0],
            do="give --memory, --max-pixels, --dtype bfloat16 or another --device; what is finished is kept",
        ) from error


@dataclass
class _Pending:
    """Rows of batches first..last that no chunk holds yet."""

    store: Store
    name: str
    key: str
    first: int
    spent: float

    def __post_init__(self) -> None:
        # One attribute, so that an interruption falls before or after a batch and never into it.
        self.held: tuple[list[dict[str, Any]], int] = ([], self.first)
        self.started = time.monotonic()

    def add(self, number: int, rows: list[dict[str, Any]]) -> None:
        """The rows of a whole batch; an interruption within a batch leaves none of it."""
        self.held = ([*self.held[0], *rows], number + 1)

    def merged(
        self, vlm: VLM, rows: Sequence[dict[str, Any]], cost: dict[str, float]
    ) -> tuple[list[dict[str, Any]], dict[str, float]]:
        """All rows and costs so far."""
        seconds, spent = time.monotonic() - self.started, vlm.forward_equivalents - self.spent
        total = {"seconds": cost["seconds"] + seconds, "forward_equivalents": cost["forward_equivalents"] + spent}
        return [*rows, *self.held[0]], total

    def flush(
        self, vlm: VLM, rows: Sequence[dict[str, Any]], cost: dict[str, float]
    ) -> tuple[list[dict[str, Any]], dict[str, float]]:
        """Write what is pending as a chunk, and start the next one."""
        merged, total = self.merged(vlm, rows, cost)
        new, last = self.held
        if last > self.first:
            own = {k: total[k] - cost[k] for k in total}
            self.store.add_chunk(self.name, self.key, {"first": self.first, "last": last, "rows": new, **own})
        self.first, self.held = last, ([], last)
        self.started, self.spent = time.monotonic(), vlm.forward_equivalents
        return merged, total
