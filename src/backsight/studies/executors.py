"""Executors: they take jobs and leave tables in a store. The serial one is the reference for every other.

Rows are kept at least every `CHUNK_SECONDS`, so that a kill loses little, and at once on Ctrl-C. A job's batches are
the same on every run, so a study that was stopped and gone on with gives the tables of one that was not.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from backsight.errors import StudyError
from backsight.measurements.base import rows_of
from backsight.measurements.batching import companions
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


class Executor(ABC):
    """Runs jobs, wherever it runs them."""

    @abstractmethod
    def run(self, jobs: Sequence[Job], store: Store, progress: Progress | None = None) -> list[Done]:
        """Run what is missing of some jobs and write their tables; what each cost, in the order of the jobs."""


@dataclass(frozen=True)
class Serial(Executor):
    """One job after another on one model, in this process; jobs that share recordings side by side."""

    vlm: VLM

    def run(self, jobs: Sequence[Job], store: Store, progress: Progress | None = None) -> list[Done]:
        """StudyError where a job was planned for another model, or where the device's memory does not hold a batch."""
        for job in jobs:
            if job.provenance["model_fingerprint"] != self.vlm.fingerprint:
                raise StudyError(
                    "A job was planned for another model", where=job.name, got=job.provenance["model"],
                    do=f"run it on that model, or plan it anew for {self.vlm.name}",
                )  # fmt: skip
        done: dict[str, Done] = {}
        for group in companions([job.planned for job in jobs]):
            for one in self._run(_Shown(progress), [jobs[i] for i in group], store):
                done[one.job.name] = one
        return [done[job.name] for job in jobs]

    def _run(self, shown: _Shown, jobs: Sequence[Job], store: Store) -> Iterator[Done]:
        """Run jobs whose batches are the same. The first that takes a batch bears the cost of its recording."""
        left: list[_Running] = []
        for job in jobs:
            noted = store.finished(job.table, job.key)
            if noted is None:
                left.append(_Running(job, store))
            else:
                shown(job, len(job.samples))
                yield Done(job, noted["seconds"], noted["forward_equivalents"], True)
        try:
            for number, indices in enumerate(jobs[0].batches):
                takers = [running for running in left if number not in running.done]
                if takers:
                    self._batch(takers, number, indices)
                for running in takers:
                    running.keep_if_due()
                    shown(running.job, running.samples_done)
        except BaseException:  # Ctrl-C too: what was computed is kept, then the interruption goes on
            for running in left:
                running.keep()
            raise
        for running in left:
            yield running.finish()

    def _batch(self, takers: Sequence[_Running], number: int, indices: Sequence[int]) -> None:
        """One batch, recorded once, for each job that takes it."""
        start, spent = time.monotonic(), self.vlm.forward_equivalents
        with enough_memory(self.vlm, takers[0].job):
            parts = [(running.job.measurement, running.job.samples) for running in takers]
            for running, rows in zip(takers, rows_of(self.vlm, parts, indices), strict=True):
                now, charged = time.monotonic(), self.vlm.forward_equivalents
                named = [{"sample": index, "row": row} for index, of in rows.items() for row in of]
                running.add(number, named, now - start, charged - spent)
                start, spent = now, charged


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


@dataclass(frozen=True)
class _Shown:
    """Progress, told where anybody listens."""

    progress: Progress | None

    def __call__(self, job: Job, done: int) -> None:
        if self.progress is not None:
            self.progress(job, done, len(job.samples))


@dataclass(frozen=True)
class _Batch:
    """The rows of one batch and what it cost."""

    number: int
    rows: list[dict[str, Any]]
    seconds: float
    forward_equivalents: float


class _Running:
    """A job on its way: the batches that are done, and those of them that no chunk holds yet."""

    def __init__(self, job: Job, store: Store) -> None:
        self.job, self.store = job, store
        first, self.rows, self.cost = store.chunks(job.table, job.key)
        self.done = set(range(first))
        self.pending: tuple[_Batch, ...] = ()
        self.kept = time.monotonic()

    @property
    def samples_done(self) -> int:
        """How many of its samples are done."""
        return sum(len(self.job.batches[number]) for number in self.done)

    def add(self, number: int, rows: list[dict[str, Any]], seconds: float, forward_equivalents: float) -> None:
        """The rows of a whole batch: one assignment, so that an interruption falls before or after it."""
        self.pending = (*self.pending, _Batch(number, rows, seconds, forward_equivalents))
        self.done.add(number)

    def keep_if_due(self) -> None:
        """Write what is pending as a chunk where the last one is old."""
        if time.monotonic() - self.kept > CHUNK_SECONDS:
            self.keep()

    def keep(self) -> None:
        """Write what is pending as a chunk."""
        batches, self.kept = self.pending, time.monotonic()
        if not batches:
            return
        spent = self._merge(batches)
        rows = [row for batch in batches for row in batch.rows]
        first, last = batches[0].number, batches[-1].number + 1
        self.store.add_chunk(self.job.table, self.job.key, {"first": first, "last": last, "rows": rows, **spent})
        self.pending = ()

    def finish(self) -> Done:
        """Write its table."""
        self._merge(self.pending)
        job = self.job
        ordered = sorted(self.rows, key=lambda one: one["sample"])  # stable: a sample's own rows stay in order
        table = Table.of(job.measurement.schema, [one["row"] for one in ordered], dict(job.provenance))
        self.store.finish(job.table, job.key, table, self.cost)
        return Done(job, self.cost["seconds"], self.cost["forward_equivalents"], False)

    def _merge(self, batches: Sequence[_Batch]) -> dict[str, float]:
        """Take batches into rows and cost; what they cost."""
        spent = {
            "seconds": sum(batch.seconds for batch in batches),
            "forward_equivalents": sum(batch.forward_equivalents for batch in batches),
        }
        self.rows = [*self.rows, *(row for batch in batches for row in batch.rows)]
        self.cost = {name: value + spent[name] for name, value in self.cost.items()}
        return spent
