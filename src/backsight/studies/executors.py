"""Executors: they take jobs and leave tables in a store. The serial one is the reference for every other.

Rows are kept at least every `CHUNK_SECONDS`, so that a kill loses little, and at once on Ctrl-C. A job's batches are
the same on every run, so a study that was stopped and gone on with gives the tables of one that was not. A job whose
measurement is decided before all samples are asked ends there, at a place that its rows alone determine.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch

from backsight.errors import StudyError
from backsight.measurements.base import enough, rows_of
from backsight.measurements.batching import companions
from backsight.models.vlm import VLM
from backsight.studies.jobs import Job
from backsight.studies.store import Chunk, Store
from backsight.tables import Table

CHUNK_SECONDS = 20.0
Progress = Callable[[Job, int, int], None]


@dataclass(frozen=True)
class Done:
    """A finished job and what it cost over all runs; `reused` where nothing was left to do.

    `samples` is how many were asked about: fewer than the job has where its measurement needed no more.
    """

    job: Job
    seconds: float
    forward_equivalents: float
    reused: bool
    samples: int


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
                shown(job, left[-1].samples_done)
            else:
                shown(job, len(job.samples))
                asked = noted.get("samples", len(job.samples))
                yield Done(job, noted["seconds"], noted["forward_equivalents"], True, asked)
        try:
            for number, indices in enumerate(jobs[0].batches):
                takers = [running for running in left if running.takes(number)]
                if takers:
                    self._batch(takers, number, indices)
                for running in takers:
                    running.keep_if_due()
                    shown(running.job, running.samples_done)
                for running in left:
                    running.look(number)
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


class _Running:
    """A job on its way: the chunks that earlier runs and this one kept, and the batches that no chunk holds yet."""

    def __init__(self, job: Job, store: Store) -> None:
        self.job, self.store = job, store
        self.chunks = [chunk for chunk in store.chunks(job.table, job.key) if chunk.last <= len(job.batches)]
        self.done = {number for chunk in self.chunks for number in chunk.batches}
        self.pending: tuple[Chunk, ...] = ()  # of one batch each
        self.looks = set(accumulate(len(part) for part in job.measurement.parts(job.samples)))
        self.batches = len(job.batches)  # how many are wanted, as far as is known
        self.kept = time.monotonic()

    @property
    def samples_done(self) -> int:
        """How many of its samples are done."""
        return sum(len(self.job.batches[number]) for number in self.done)

    def add(self, number: int, rows: list[dict[str, Any]], seconds: float, forward_equivalents: float) -> None:
        """The rows of a whole batch: one assignment, so that an interruption falls before or after it."""
        self.pending = (*self.pending, Chunk(number, number + 1, rows, seconds, forward_equivalents))
        self.done.add(number)

    def takes(self, number: int) -> bool:
        """Whether a batch is wanted and not done."""
        return number < self.batches and number not in self.done

    def look(self, number: int) -> None:
        """Want no more batches after this one where its end is a look and the rows up to there are enough."""
        asked = sum(len(indices) for indices in self.job.batches[: number + 1])
        if number + 1 < self.batches and asked in self.looks and self._enough(number + 1):
            self.batches = number + 1

    def _enough(self, batches: int) -> bool:
        rows: dict[int, list[dict[str, Any]]] = {index: [] for of in self.job.batches[:batches] for index in of}
        for row in self._rows(batches):
            rows[row["sample"]].append(row["row"])
        return enough(self.job.measurement, self.job.samples, rows)

    def _rows(self, batches: int) -> list[dict[str, Any]]:
        """The rows of the first batches with their samples, in the order of the samples."""
        wanted = {index for of in self.job.batches[:batches] for index in of}
        chunks = sorted([*self.chunks, *self.pending], key=lambda chunk: chunk.first)
        rows = (row for chunk in chunks for row in chunk.rows if row["sample"] in wanted)
        return sorted(rows, key=lambda row: row["sample"])  # the sort is stable: a sample's own rows stay in order

    def keep_if_due(self) -> None:
        """Write what is pending where the last chunk is old."""
        if time.monotonic() - self.kept > CHUNK_SECONDS:
            self.keep()

    def keep(self) -> None:
        """Write what is pending as chunks, one for neighbouring batches."""
        self.kept = time.monotonic()
        for chunk in _joined(self.pending):
            self.store.add_chunk(self.job.table, self.job.key, chunk)
        self.chunks, self.pending = [*self.chunks, *self.pending], ()

    def finish(self) -> Done:
        """Write its table."""
        job, chunks = self.job, [*self.chunks, *self.pending]
        rows = [row["row"] for row in self._rows(self.batches)]
        table = Table.of(job.measurement.schema, rows, dict(job.provenance))
        seconds = sum(chunk.seconds for chunk in chunks)
        forward_equivalents = sum(chunk.forward_equivalents for chunk in chunks)
        samples = sum(len(indices) for indices in job.batches[: self.batches])
        noted = {"seconds": seconds, "forward_equivalents": forward_equivalents, "samples": samples}
        self.store.finish(job.table, job.key, table, noted)
        return Done(job, seconds, forward_equivalents, False, samples)


def _joined(chunks: Sequence[Chunk]) -> list[Chunk]:
    """Chunks in the order of their batches, neighbours as one."""
    joined: list[Chunk] = []
    for chunk in sorted(chunks, key=lambda one: one.first):
        if joined and joined[-1].last == chunk.first:
            last = joined.pop()
            chunk = Chunk(
                last.first, chunk.last, [*last.rows, *chunk.rows], last.seconds + chunk.seconds,
                last.forward_equivalents + chunk.forward_equivalents,
            )  # fmt: skip
        joined.append(chunk)
    return joined
