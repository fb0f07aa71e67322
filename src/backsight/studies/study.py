"""A study: the whole examination of one model, from what will be run to the files that a report is made of."""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

import backsight
from backsight import stimuli
from backsight.errors import CannotAnswer, StudyError
from backsight.examples import Example, ExampleSet, Pair
from backsight.maths import summaries
from backsight.measurements import Behaviour, Interchange, Measurement
from backsight.models.vlm import VLM
from backsight.studies.jobs import Job, Skipped, file_stem, kind_of, plan, reason, versions
from backsight.studies.runner import Done, Progress, enough_memory, run_job
from backsight.studies.store import Store
from backsight.tables import Table, replacing

JITTERED = 120
QUICK = 48


@dataclass(frozen=True)
class Options:
    """What a study was asked for, beside model and folder. `quick` is a limit of 48 samples a job."""

    seed: int = 0
    quick: bool = False
    only: tuple[str, ...] = ()
    limit: int | None = None
    dtype: str | None = None
    max_pixels: int | None = None

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
    measurements: Sequence[Measurement] = (Behaviour(), Interchange())
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
        self.store = Store(self.folder, self._identity())
        self.started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    def _identity(self) -> dict[str, Any]:
        return {
            "model_fingerprint": self.vlm.fingerprint,
            "model": self.vlm.name,
            "dtype": str(self.vlm.dtype).removeprefix("torch."),
            "seed": self.options.seed,
            "limit": self.options.effective_limit,
            "max_pixels": self.options.max_pixels,
        }

    def forward_equivalents(self) -> float:
        """An estimate of what is to be run, in forward equivalents; finished jobs cost nothing."""
        left = [j for j in self.jobs if self.store.finished(j.table, j.key(self.vlm)) is None]
        return sum(j.measurement.cost(self.vlm, j.samples) for j in left)

    def seconds_each(self) -> float:
        """Seconds a forward equivalent, from one warm batch of the first job's samples."""
        if not self.forward_equivalents():
            return 0.0
        samples = [s.clean if isinstance(s, Pair) else s for s in self.jobs[0].samples[:16]]
        with enough_memory(self.vlm, self.jobs[0]):
            self.vlm.forward(self.vlm.prepare(samples))
            start = time.monotonic()
            self.vlm.forward(self.vlm.prepare(samples))
        return (time.monotonic() - start) / len(samples)

    def run(self, progress: Progress | None = None) -> Path:
        """Run what is missing and write summaries, samples and study.json; the folder."""
        done = [run_job(self.vlm, job, self.store, progress) for job in self.jobs]
        write_summaries(self.store, self.jobs)
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
                    "contracts": [asdict(f) for f in vlm.findings],
                    "sets": described,
                    "jobs": [self._job(d) for d in done],
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
            "seconds": round(done.seconds, 3),
            "forward_equivalents": round(done.forward_equivalents, 3),
            "tables": [job.table],
        }

    def _describe(self, examples: ExampleSet) -> dict[str, Any]:
        """What a reader must see of a set: a sample picture, the exact prompt, a counterfactual where there is one."""
        stem = file_stem(examples.name)
        sample = self._sample(examples[0], stem) | {"counterfactual": None}
        pairs = next((job.samples for job in self.jobs if job.set_name == examples.name and job.of_pairs), ())
        for pair in pairs[:1]:
            assert isinstance(pair, Pair)
            sample = self._sample(pair.clean, stem)
            other = self._sample(pair.counterfactual, f"{stem}.counterfactual")
            sample["counterfactual"] = other | {"outcomes": dict(pair.outcomes)}
        return {
            "name": examples.name,
            "title": examples.name.replace("_", " ").capitalize(),
            "note": examples.note,
            "examples": len(examples),
            "images": len({e.image_id for e in examples}),
            "sample": sample,
        }

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
    """Summary tables over all jobs of a kind: a pure function of their rows."""
    for kind, summarise in summaries.SUMMARIES.items():
        mine = [store.read_table(j.table) for j in jobs if j.kind == kind]
        if not mine:
            for name in (f"{kind}_summary", *(["order_layers"] if kind == "interchange" else [])):
                store.drop_table(name)
            continue
        summary = Table.concat([summarise(rows) for rows in mine])
        store.write_table(f"{kind}_summary", summary)
        if kind == "interchange":
            store.write_table("order_layers", summaries.order_layers(summary))


def default_sets(vlm: VLM, *, seed: int = 0) -> tuple[list[ExampleSet], list[Skipped]]:
    """The generated suites for a model's own token grid, and those that do not fit it."""
    builders: dict[str, Callable[[], ExampleSet]] = {
        name: (lambda name=name: stimuli.build(name, vlm.grid, seed=seed))  # type: ignore[misc]
        for name in ("squares", "shapes", "objects", "pairs")
    }
    builders["pairs_textured"] = lambda: stimuli.pairs_textured(vlm.grid, scenes=100, seed=seed)
    for suite in ("squares", "shapes", "objects"):
        builders[f"jittered_{suite}"] = lambda suite=suite: replace(  # type: ignore[misc]
            stimuli.jittered(vlm.grid, suite=suite, count=JITTERED, seed=seed), pair_makers={}
        )
    sets, skipped = [], []
    for name, build in builders.items():
        try:
            sets.append(replace(build(), note=NOTES.get(name, "")))
        except CannotAnswer as error:
            skipped.append(Skipped(name, "all", reason(error)))
    return sets, skipped


NOTES: Mapping[str, str] = {
    "squares": "Three coloured squares in a row or a column, at fixed places on white (Dual Mechanisms, 3.1).",
    "shapes": "Three coloured shapes, each colour with its own shape (Dual Mechanisms, 3.1).",
    "objects": "Three pictures of objects, drawn for this suite (Dual Mechanisms, 3.1).",
    "pairs": "Two objects anywhere on plain ground, asked with CREG's prompts A, B and C.",
    "pairs_textured": "Two objects on textured ground among distractors, asked with CREG's prompts A, B and C.",
    "jittered_squares": "Squares with place, size and shade drawn afresh, of triples that built-in models never saw.",
    "jittered_shapes": "Shapes with place, size and shade drawn afresh, of triples that built-in models never saw.",
    "jittered_objects": "Objects with place, size and shade drawn afresh, of triples that built-in models never saw.",
}


def describe_model(vlm: VLM, dtype: str | None = None) -> dict[str, Any]:
    """What a reader must know of a model."""
    grid = vlm.grid
    reason = "as asked" if dtype else "the default on a CPU" if vlm.device.type == "cpu" else "the checkpoint's own"
    return {
        "name": vlm.name,
        "family": vlm.family.name,
        "fingerprint": vlm.fingerprint,
        "parameters": vlm.n_parameters,
        "layers": vlm.n_layers,
        "grid": {"rows": grid.rows, "columns": grid.columns, "cell": list(grid.cell)},
        "dtype": str(vlm.dtype).removeprefix("torch."),
        "dtype_reason": reason,
        "device": str(vlm.device),
        "attention": vlm.attention,
        "chat": vlm.family.chat,
    }


def machine() -> dict[str, Any]:
    """Hardware and the peak of memory so far, in MiB."""
    unit = 1024 if sys.platform == "linux" else 1024 * 1024
    found: dict[str, Any] = {
        "cpu": platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit),
    }
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
        found["gpu_memory_peak_mib"] = round(torch.cuda.max_memory_allocated() / 2**20)
    return found
