"""A study: the whole examination of one model, from what will be run to the files that a report is made of.

`Study` is a front. What is run is planned in `jobs`, run by an executor, and put together in `assemble`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any

import backsight
from backsight.errors import StudyError, UsageError
from backsight.examples import ExampleSet, Pair
from backsight.measurements.base import Measurement
from backsight.models import sizes
from backsight.models.vlm import VLM
from backsight.studies import memory, record
from backsight.studies.defaults import MEASUREMENTS, QUICK
from backsight.studies.executors import Done, Executor, Progress, Serial, enough_memory
from backsight.studies.jobs import Job, Skipped, choices, kind_of, planned, questions, versions
from backsight.studies.record import describe_model, job_record, machine
from backsight.studies.store import Store


@dataclass(frozen=True)
class Options:
    """What a study was asked for, beside model and folder.

    `quick` leaves out what needs many samples and gives the rest as many as its figures need (`defaults.QUICK`).
    `samples` stands in for each measurement's own largest number of samples; `limit` can only lower it. `budget` is the
    most questions of a measurement that asks until it is decided; UsageError where it has not one look.
    `memory` is the most bytes that weights and a batch may take; what None stands for is told in `studies/memory.py`.
    """

    seed: int = 0
    quick: bool = False
    only: tuple[str, ...] = ()
    limit: int | None = None
    dtype: str | None = None
    max_pixels: int | None = None
    memory: int | None = None
    samples: int | None = None
    budget: int | None = None

    def __post_init__(self) -> None:
        if self.budget is None:
            return
        if self.quick:
            do = "give one of the two"
            raise UsageError("A quick study has a budget of its own", got=f"quick, budget={self.budget}", do=do)
        first = min((looks[0] for one in MEASUREMENTS if (looks := one.looks_at())), default=1)
        if self.budget < first:
            do = f"give a budget of {first} or more, or `limit` for fewer samples of every measurement"
            raise UsageError("The budget ends before the first look", got=self.budget, do=do)

    @property
    def limited(self) -> int | str | None:
        """How samples are limited, as a folder notes it: by number, as a quick study is, both, or not at all."""
        if not self.quick:
            return self.limit
        return "quick" if self.limit is None else f"quick, {self.limit}"


@dataclass(repr=False)
class Study:
    """One model, example sets and measurements, in a folder. `run` runs what is missing, by `executor` where one is
    given, else in this process."""

    vlm: VLM
    sets: Sequence[ExampleSet]
    folder: Path
    options: Options = field(default_factory=Options)
    measurements: Sequence[Measurement] = MEASUREMENTS
    skipped: list[Skipped] = field(default_factory=list)
    command: str = ""
    executor: Executor | None = None

    def __post_init__(self) -> None:
        self._refuse_doubles()
        if self.options.samples is not None:
            self.measurements = [replace(m, max_samples=self.options.samples) for m in self.measurements]
        if self.options.budget is not None:
            budget = self.options.budget
            self.measurements = [replace(m, max_samples=budget) if m.looks_at() else m for m in self.measurements]
        chosen = choices(
            self.sets, self.measurements, only=self.options.only, limit=self.options.limit, skipped=self.skipped,
            quick=QUICK if self.options.quick else None,
        )  # fmt: skip
        self.facts = sizes.facts(self.vlm, questions(chosen, self.vlm.grid))
        jobs, self.skipped = planned(self.facts, chosen)
        if not jobs:
            reasons = "; ".join(f"{s.set_name} ({s.measurement}): {s.reason}" for s in self.skipped)
            raise StudyError(
                "Nothing of this study can be run on the model",
                where=self.vlm.name,
                got=reasons or "no measurement takes these sets",
                do="give a model that knows the words, or other sets (--only, --data)",
            )
        self.cap = memory.cap(self.facts, self.options.memory, memory.noted(self.folder))
        self.jobs: list[Job] = memory.sized(self.facts, jobs, self.cap)
        self.store = Store(self.folder, self._identity())
        with self.store.writing("the memory cap"):
            self.store.write_json(self.folder / memory.NOTE, asdict(self.cap))
        self.started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    def _refuse_doubles(self) -> None:
        names = [s.name for s in self.sets]
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise StudyError("Two example sets of a study have one name", got=twice, do="rename one")
        kinds = [kind_of(m) for m in self.measurements]
        if len(set(kinds)) < len(kinds):
            raise StudyError("Two measurements of a study are of one kind", got=sorted(kinds), do="run two studies")

    def _identity(self) -> dict[str, Any]:
        return {
            "model_fingerprint": self.facts.fingerprint,
            "model": self.facts.name,
            "dtype": self.facts.dtype,
            "seed": self.options.seed,
            "limit": self.options.limited,
            "samples": self.options.samples,
            "budget": self.options.budget,
            "max_pixels": self.options.max_pixels,
        }

    def __repr__(self) -> str:
        state = f"{len(self.jobs)} jobs, {len(self.left())} left to run"
        return f"Study({self.vlm.name}, {state}, {self.folder})"

    def _repr_html_(self) -> str:
        """Model, folder, and what is planned by measurement, as a table for a notebook."""
        left = {job.name for job in self.left()}
        kinds: dict[str, list[Job]] = {}
        for job in self.jobs:
            kinds.setdefault(job.kind, []).append(job)
        rows = "".join(
            f"<tr><td>{escape(kind)}</td><td>{escape(', '.join(job.set_name for job in jobs))}</td>"
            f"<td>{sum(job.name in left for job in jobs)} of {len(jobs)}</td></tr>"
            for kind, jobs in kinds.items()
        )
        head = "<thead><tr><th>Measurement</th><th>Sets</th><th>Left to run</th></tr></thead>"
        table = f"<table>{head}<tbody>{rows}</tbody></table>"
        return f"<p>A study of <strong>{escape(self.vlm.name)}</strong> in {escape(str(self.folder))}</p>{table}"

    def smaller_batches(self) -> dict[str, tuple[int, int]]:
        """Batch and the measurement's own batch of each job, where the memory cap makes it smaller."""
        return {
            job.name: (job.measurement.batch, job.own_batch)
            for job in self.jobs
            if job.measurement.batch < job.own_batch
        }

    def forward_equivalents(self) -> float:
        """An estimate of what is to be run, in forward equivalents; finished jobs cost nothing."""
        return sum(job.cost for job in self.left())

    def left(self) -> list[Job]:
        """The jobs that are not finished."""
        return [job for job in self.jobs if self.store.finished(job.table, job.key) is None]

    def seconds_each(self) -> float:
        """Seconds a forward equivalent, from one warm batch of the first job's samples."""
        if not self.forward_equivalents():
            return 0.0
        most = memory.forwards(self.facts, self.jobs[0].samples, self.cap)
        samples = [s.clean if isinstance(s, Pair) else s for s in self.jobs[0].samples[: min(16, most)]]
        with enough_memory(self.vlm, self.jobs[0]):
            self.vlm.forward(self.vlm.prepare(samples))
            start = time.monotonic()
            self.vlm.forward(self.vlm.prepare(samples))
        return (time.monotonic() - start) / len(samples)

    def run(self, progress: Progress | None = None) -> Path:
        """Run what is missing and write summaries, samples and study.json; the folder.

        What earlier runs of the folder finished and this one does not ask for stays and is summarised with the rest.
        """
        from backsight.studies.assemble import Left, assemble  # imported late: a study begins sooner

        with self.store.locked():
            done = (self.executor or Serial(self.vlm)).run(self.jobs, self.store, progress)
            kept = record.kept(self.store, self.jobs, self.sets, self.measurements)
            assemble(Left(self.vlm, self.store, self.jobs, self.sets, kept), self._record(done))
        return self.folder

    def _record(self, done: Sequence[Done]) -> dict[str, Any]:
        """What study.json says beside what is assembled."""
        return {
            "format": 1,
            "backsight": backsight.__version__,
            "command": self.command,
            "seed": self.options.seed,
            "options": asdict(self.options),
            "started": self.started,
            "model": describe_model(self.vlm, self.options.dtype),
            "versions": versions(),
            "machine": machine(),
            "memory": {"cap": str(self.cap), "cap_bytes": self.cap.bytes},
            "contracts": [asdict(f) for f in self.vlm.findings],
            "jobs": [job_record(d) for d in done],
            "skipped": [{"set": s.set_name, "measurement": s.measurement, "reason": s.reason} for s in self.skipped],
        }
