"""A study: the whole examination of one model, from what will be run to the files that a report is made of."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import backsight
from backsight.errors import StudyError
from backsight.examples import Example, ExampleSet, Pair
from backsight.maths.pathways import verdict
from backsight.measurements import Measurement
from backsight.models import positions
from backsight.models.vlm import VLM
from backsight.results import RESULTS
from backsight.results.drawing.style import suite_title
from backsight.studies import gallery, memory, own
from backsight.studies.defaults import MEASUREMENTS
from backsight.studies.jobs import Job, Skipped, file_stem, kind_of, plan, versions
from backsight.studies.record import describe_model, machine
from backsight.studies.runner import Done, Progress, enough_memory, run_job
from backsight.studies.store import Store
from backsight.tables import Table, replacing

QUICK = 16


@dataclass(frozen=True)
class Options:
    """What a study was asked for, beside model and folder. `quick` is a limit of 16 samples a job.

    `samples` stands in for each measurement's own largest number of samples; `limit` can only lower it.
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

    @property
    def effective_limit(self) -> int | None:
        """The largest number of samples a job, or None."""
        asked = [count for count in (self.limit, QUICK if self.quick else None) if count is not None]
        return min(asked, default=None)


@dataclass
class Study:
    """One model, example sets and measurements, in a folder. `run` runs what is missing."""

    vlm: VLM
    sets: Sequence[ExampleSet]
    folder: Path
    options: Options = field(default_factory=Options)
    measurements: Sequence[Measurement] = MEASUREMENTS
    skipped: list[Skipped] = field(default_factory=list)
    command: str = ""

    def __post_init__(self) -> None:
        names = [s.name for s in self.sets]
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise StudyError("Two example sets of a study have one name", got=twice, do="rename one")
        kinds = [kind_of(m) for m in self.measurements]
        if len(set(kinds)) < len(kinds):
            raise StudyError("Two measurements of a study are of one kind", got=sorted(kinds), do="run two studies")
        if self.options.samples is not None:
            self.measurements = [replace(m, most=self.options.samples) for m in self.measurements]
        self.jobs: list[Job]
        self.jobs, self.skipped = plan(
            self.vlm, self.sets, self.measurements, only=self.options.only, limit=self.options.effective_limit,
            skipped=self.skipped,
        )  # fmt: skip
        if not self.jobs:
            said = "; ".join(f"{s.set_name} ({s.measurement}): {s.reason}" for s in self.skipped)
            raise StudyError(
                "Nothing of this study can be run on the model",
                where=self.vlm.name,
                got=said or "no measurement takes these sets",
                do="give a model that knows the words, or other sets (--only, --data)",
            )
        self._size()
        self.store = Store(self.folder, self._identity())
        with self.store.writing("the memory cap"):
            self.store.write_json(self.folder / memory.NOTE, asdict(self.cap))
        self.started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    def _size(self) -> None:
        """Give the jobs batches that fit under the memory cap; `own_batches` are those that they had."""
        self.cap = memory.cap(self.vlm, self.options.memory, memory.noted(self.folder))
        self.own_batches = {job.name: job.measurement.batch for job in self.jobs}
        self.jobs = memory.sized(self.vlm, self.jobs, self.cap)

    def smaller_batches(self) -> dict[str, tuple[int, int]]:
        """Batch and the measurement's own batch of each job, where the memory cap makes it smaller."""
        used = {job.name: (job.measurement.batch, self.own_batches[job.name]) for job in self.jobs}
        return {name: (batch, own) for name, (batch, own) in used.items() if batch < own}

    def _identity(self) -> dict[str, Any]:
        return {
            "model_fingerprint": self.vlm.fingerprint,
            "model": self.vlm.name,
            "dtype": str(self.vlm.dtype).removeprefix("torch."),
            "seed": self.options.seed,
            "limit": self.options.effective_limit,
            "samples": self.options.samples,
            "max_pixels": self.options.max_pixels,
        }

    def forward_equivalents(self) -> float:
        """An estimate of what is to be run, in forward equivalents; finished jobs cost nothing."""
        return sum(j.measurement.cost(self.vlm, j.samples) for j in self.left())

    def left(self) -> list[Job]:
        """The jobs that are not finished."""
        return [j for j in self.jobs if self.store.finished(j.table, j.key(self.vlm)) is None]

    def seconds_each(self) -> float:
        """Seconds a forward equivalent, from one warm batch of the first job's samples."""
        if not self.forward_equivalents():
            return 0.0
        most = memory.forwards(self.vlm, self.jobs[0].samples, self.cap)
        samples = [s.clean if isinstance(s, Pair) else s for s in self.jobs[0].samples[: min(16, most)]]
        with enough_memory(self.vlm, self.jobs[0]):
            self.vlm.forward(self.vlm.prepare(samples))
            start = time.monotonic()
            self.vlm.forward(self.vlm.prepare(samples))
        return (time.monotonic() - start) / len(samples)

    def run(self, progress: Progress | None = None) -> Path:
        """Run what is missing and write summaries, samples and study.json; the folder."""
        done = [run_job(self.vlm, job, self.store, progress) for job in self.jobs]
        write_summaries(self.store, self.jobs)
        grid = self.vlm.grid
        self.store.write_table(
            "position_budget", positions.budget(self.vlm.model.config, self.vlm.family, grid.rows, grid.columns)
        )
        with self.store.writing("the gallery"):
            self.shown = gallery.make(self.vlm, self.store, self.jobs)
        with self.store.writing("the sample pictures"):
            described = [self._describe(s) for s in self.sets if any(j.set_name == s.name for j in self.jobs)]
        self._write(done, described)
        return self.folder

    def _write(self, done: Sequence[Done], described: list[dict[str, Any]]) -> None:
        vlm = self.vlm
        with self.store.writing("study.json"):
            self.store.write_json(
                self.folder / "study.json",
                {
                    "format": 1,
                    "backsight": backsight.__version__,
                    "command": self.command,
                    "seed": self.options.seed,
                    "options": asdict(self.options),
                    "started": self.started,
                    "model": describe_model(vlm, self.options.dtype),
                    "versions": versions(),
                    "machine": machine(),
                    "memory": {"cap": str(self.cap), "cap_bytes": self.cap.bytes},
                    "contracts": [asdict(f) for f in vlm.findings],
                    "sets": described,
                    "gallery": self.shown,
                    "jobs": [self._job(d) for d in done],
                    "verdict": judge(self.store, self.jobs),
                    "skipped": [
                        {"set": s.set_name, "measurement": s.measurement, "reason": s.reason} for s in self.skipped
                    ],
                    "finished": True,
                },
            )

    def _job(self, done: Done) -> dict[str, Any]:
        job = done.job
        return {
            "name": job.name,
            "kind": job.kind,
            "set": job.set_name,
            "measurement": repr(job.measurement),
            "key": job.key(self.vlm),
            "samples": len(job.samples),
            "batch": job.measurement.batch,
            "own_batch": self.own_batches[job.name],
            "seconds": round(done.seconds, 3),
            "forward_equivalents": round(done.forward_equivalents, 3),
            "tables": [job.table],
        }

    def _describe(self, examples: ExampleSet) -> dict[str, Any]:
        """What a reader must see of a set: a sample picture, the exact prompt, a counterfactual where there is one."""
        stem = file_stem(examples.name)
        jobs = [job for job in self.jobs if job.set_name == examples.name]
        first = {str(job.measurement.pair_kind): job.samples[0] for job in jobs if job.of_pairs}
        pairs = {kind: self._pair(pair, f"{stem}.{kind}") for kind, pair in first.items() if isinstance(pair, Pair)}
        sample = self._sample(examples[0], stem) | {"pairs": pairs}
        return {
            "name": examples.name,
            "title": suite_title(examples.name),
            "note": examples.note,
            "examples": len(examples),
            "images": len({e.image_id for e in examples}),
            "sample": sample,
            **own.described(self.folder, examples, self.jobs),
        }

    def _pair(self, pair: Pair, stem: str) -> dict[str, Any]:
        """Both sides of a counterfactual pair and what each outcome answers."""
        sides = {"clean": pair.clean, "counterfactual": pair.counterfactual}
        shown = {side: self._sample(example, f"{stem}.{side}") for side, example in sides.items()}
        return shown | {"outcomes": dict(pair.outcomes)}

    def _sample(self, example: Example, stem: str) -> dict[str, Any]:
        folder = self.folder / "samples"
        folder.mkdir(exist_ok=True)
        image = example.image
        image.thumbnail((480, 480))
        with replacing(folder / f"{stem}.png") as part:
            image.save(part, "PNG")
        return {
            "question": example.question,
            "system": example.system,
            "prompt": self.vlm.prompter.text(example.question, example.system),
            "options": list(example.options),
            "answer": example.answer,
            "picture": f"samples/{stem}.png",
        }


def write_summaries(store: Store, jobs: Sequence[Job]) -> None:
    """What is made of rows by the registry of results: pure functions of the rows of the jobs of one schema."""
    rows: dict[str, dict[str, Table]] = {}  # by schema, then by set: ids tell questions apart within a set only
    for job in jobs:
        rows.setdefault(job.measurement.schema.name, {})[job.name] = store.read_table(job.table)
    sets = {job.name: job.set_name for job in jobs}
    for result in RESULTS.values():
        mine = rows.get(result.name, {})
        summary: Table | None = None
        for one in result.tables:
            made: Table | None = None
            if mine and one.of == "summary":
                made = one.make(summary)
            elif mine and one.beside is None:
                made = Table.concat([one.make(table) for table in mine.values()])
            elif mine:
                beside = {sets[name]: table for name, table in rows.get(str(one.beside), {}).items()}
                made = Table.concat([one.make(table, beside.get(sets[name])) for name, table in mine.items()])
            if one is result.summary:
                summary = made
            if made is not None and (len(made) or one is result.summary):
                store.write_table(one.name, made)
            else:
                store.drop_table(one.name)


def judge(store: Store, jobs: Sequence[Job]) -> dict[str, Any] | None:
    """The verdict on where the order comes from, of the first suite that pathways were ablated on; None without one."""
    for job in jobs:
        if job.measurement.schema.name == "pathways":
            return verdict(store.read_table(job.table)).as_dict()
    return None
