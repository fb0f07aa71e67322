"""Assembly: from the tables that jobs left to all that a report is made of, written last of all.

Each step writes its files and returns its part of study.json. Verdict and gallery are steps like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backsight.examples import ExampleSet
from backsight.maths import pathways
from backsight.measurements.base import look_counts
from backsight.models import positions
from backsight.models.families.common import LACKING, ONE_GRID
from backsight.models.vlm import VLM
from backsight.results import RESULTS, today
from backsight.studies import gallery, samples
from backsight.studies import record as records
from backsight.studies.jobs import Job
from backsight.studies.record import Kept
from backsight.studies.store import Store
from backsight.studies.summarise import write_summaries


@dataclass(frozen=True)
class Left:
    """What a study's jobs left: their tables in the store, their sets, and the model to explain answers of.

    `kept` are jobs that earlier runs of the folder finished and this one did not ask for.
    """

    vlm: VLM
    store: Store
    jobs: Sequence[Job]
    sets: Sequence[ExampleSet]
    kept: Sequence[Kept] = ()

    @property
    def all_jobs(self) -> list[Job | Kept]:
        """The jobs of this run and those that are kept, in the order of the folder's record."""
        by_name: dict[str, Job | Kept] = {job.name: job for job in self.jobs} | {job.name: job for job in self.kept}
        return [by_name[name] for name in records.order(self.store.folder, [job.name for job in self.jobs], self.kept)]


Step = Callable[[Left], Mapping[str, Any]]


def assemble(left: Left, record: Mapping[str, Any]) -> None:
    """Take every step, and write study.json: the record and what the steps add to it."""
    whole = dict(record)
    if not left.vlm.grid.is_rectangle:
        skipped = {"set": "all sets", "measurement": "rotary phases", "reason": LACKING[ONE_GRID]}
        whole["skipped"] = [*whole["skipped"], skipped]
    for what, step in STEPS.items():
        with left.store.writing(what):
            whole |= step(left)
    with left.store.writing("study.json"):
        merged = records.merged(left.store, whole | {"finished": True}, left.kept)
        left.store.write_json(left.store.folder / records.RECORD, merged)


def summaries(left: Left) -> Mapping[str, Any]:
    """The summary tables."""
    write_summaries(left.store, left.all_jobs)
    return {}


def rotary_phases(left: Left) -> Mapping[str, Any]:
    """The table of rotary phases; none where the image tokens are not one rectangle, as `assemble` records."""
    grid, vlm = left.vlm.grid, left.vlm
    if not grid.is_rectangle:
        return {}
    left.store.write_table("position_budget", positions.budget(vlm.model.config, vlm.family, grid.rows, grid.columns))
    return {}


def explanations(left: Left) -> Mapping[str, Any]:
    """The gallery of explained answers."""
    return {"gallery": gallery.make(left.vlm, left.store, left.jobs)}


def sample_pictures(left: Left) -> Mapping[str, Any]:
    """A sample of each set that a job is of."""
    by_set = {s.name: [job for job in left.jobs if job.set_name == s.name] for s in left.sets}
    described = [samples.describe(left.vlm, left.store.folder, s, by_set[s.name]) for s in left.sets if by_set[s.name]]
    return {"sets": described}


def verdict(left: Left) -> Mapping[str, Any]:
    """Where the order comes from: of each suite whose position pathways were ablated, and of the first of them as the
    study's; None without one."""
    verdicts = {}
    for job in left.all_jobs:
        if today(job.measurement.schema.name) == "pathways":
            rows = RESULTS["pathways"].updated(left.store.read_table(job.table))
            looks = job.entry.get("looks", ()) if isinstance(job, Kept) else look_counts(job.measurement, job.samples)
            verdicts[job.set_name] = pathways.verdict(rows, looks).as_dict()
    return {"verdict": next(iter(verdicts.values()), None), "verdicts": verdicts}


STEPS: Mapping[str, Step] = {
    "the summaries": summaries,
    "the rotary phases": rotary_phases,
    "the gallery": explanations,
    "the sample pictures": sample_pictures,
    "the verdict": verdict,
}
