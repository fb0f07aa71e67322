"""The serial runner: one job after another, batch by batch, with chunks on the way.

Rows are kept at least every `CHUNK_SECONDS`, so that a kill loses little, and at once on Ctrl-C. A job's batches are
the same on every run, so a study that was stopped and gone on with gives the tables of one that was not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from backsight.errors import StudyError
from backsight.measurements.base import by_sample, provenance
from backsight.models.vlm import VLM
from backsight.studies.jobs import Job
from backsight.studies.store import Chunk, Store
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
    earlier = [chunk for chunk in store.chunks(job.table, key) if chunk.last <= len(todo)]
    done = {number for chunk in earlier for number in chunk.batches}
    pending = _Pending(store, job.table, key, vlm, earlier)
    samples_done = sum(len(todo[number]) for number in done)
    if progress is not None:
        progress(job, samples_done, len(job.samples))
    try:
        for number in (n for n in range(len(todo)) if n not in done):
            with enough_memory(vlm, job):
                batch = dict(by_sample(vlm, job.samples, job.measurement, todo[number]))
            pending.add(number, [{"sample": index, "row": row} for index, rows in batch.items() for row in rows])
            samples_done += len(todo[number])
            if progress is not None:
                progress(job, samples_done, len(job.samples))
    except BaseException:  # Ctrl-C too: what was computed is kept, then the interruption goes on
        pending.flush()
        raise
    chunks = pending.all()
    ordered = sorted((row for chunk in chunks for row in chunk.rows), key=lambda row: row["sample"])
    table = Table.of(  # the sort is stable: a sample's own rows stay in order
        job.measurement.schema, [row["row"] for row in ordered], provenance(vlm, job.samples, job.measurement)
    )
    seconds = sum(chunk.seconds for chunk in chunks)
    forward_equivalents = sum(chunk.forward_equivalents for chunk in chunks)
    store.finish(job.table, key, table, {"seconds": seconds, "forward_equivalents": forward_equivalents})
    return Done(job, seconds, forward_equivalents, False)


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
    """Rows of neighbouring batches that no chunk holds yet, beside the chunks that there are."""

    store: Store
    name: str
    key: str
    vlm: VLM
    chunks: list[Chunk]

    def __post_init__(self) -> None:
        # One attribute, so that an interruption falls before or after a batch and never into it.
        self.held: tuple[int, int, list[dict[str, Any]]] = (0, 0, [])
        self._begin()

    def _begin(self) -> None:
        self.started, self.spent = time.monotonic(), self.vlm.forward_equivalents

    def add(self, number: int, rows: list[dict[str, Any]]) -> None:
        """The rows of a whole batch; an interruption within a batch leaves none of it. A chunk after some seconds."""
        first, last, held = self.held
        if first < last != number:
            self.flush()
            first, last, held = number, number, []
        self.held = (first if first < last else number, number + 1, [*held, *rows])
        if time.monotonic() - self.started > CHUNK_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is pending as a chunk, and start the next one."""
        chunk = self._chunk()
        if chunk is not None:
            self.store.add_chunk(self.name, self.key, chunk)
            self.chunks = [*self.chunks, chunk]
        self.held = (0, 0, [])
        self._begin()

    def all(self) -> list[Chunk]:
        """The chunks of all batches, in their order; what is pending is one more and is not written."""
        chunk = self._chunk()
        return sorted([*self.chunks, *([chunk] if chunk else [])], key=lambda one: one.first)

    def _chunk(self) -> Chunk | None:
        first, last, rows = self.held
        if first == last:
            return None
        seconds, spent = time.monotonic() - self.started, self.vlm.forward_equivalents - self.spent
        return Chunk(first, last, rows, seconds, spent)
