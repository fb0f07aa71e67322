"""A study's record, study.json: what it says of model and machine, and how it grows from run to run.

A folder keeps what it has. A run that is asked for a part only (`--only`) adds to the record or renews what it ran;
jobs of earlier runs stay listed as long as their tables are the ones that were written and their set is the same.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch

from backsight.examples import ExampleSet
from backsight.grid import TokenGrid
from backsight.measurements import Measurement
from backsight.measurements.base import look_counts
from backsight.models.families.common import CHAT
from backsight.models.vlm import VLM
from backsight.results import result_of, today
from backsight.tables import Schema

if TYPE_CHECKING:
    from backsight.studies.executors import Done
    from backsight.studies.store import Store

RECORD = "study.json"
_OF_A_RUN = ("command", "started", "backsight", "options", "versions", "machine")


@dataclass(frozen=True)
class Stored:
    """What is known of the measurement of a job that an earlier run did: the schema of its rows."""

    schema: Schema


@dataclass(frozen=True)
class Kept:
    """A job that an earlier run of the folder finished and that this run does not do; `entry` is its record."""

    name: str
    kind: str
    set_name: str
    table: str
    measurement: Stored
    entry: Mapping[str, Any]


class Named(Protocol):
    """Anything with a name that cannot be changed, such as a job."""

    @property
    def name(self) -> str: ...


def read(folder: Path) -> dict[str, Any]:
    """The record in a folder; empty where there is none that can be read."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def kept(
    store: Store, jobs: Sequence[Named], sets: Sequence[ExampleSet], measurements: Sequence[Measurement]
) -> list[Kept]:  # fmt: skip
    """The jobs of earlier runs that are not among `jobs` and still hold: table as written, set and columns the same."""
    record = read(store.folder)
    again, by_name = {job.name for job in jobs}, {examples.name: examples for examples in sets}
    before = {str(one.get("name")): one.get("fingerprint") for one in _records(record, "sets")}
    columns = {one.schema.name: one.schema.columns for one in measurements}
    kept = []
    for entry in _jobs(record):
        name, kind, set_name, key = (str(entry.get(part)) for part in ("name", "kind", "set", "key"))
        tables = entry.get("tables")
        if name in again or not isinstance(tables, list) or len(tables) != 1:
            continue
        table = str(tables[0])
        if Path(table).name != table or store.finished(table, key) is None:
            continue
        if set_name in by_name and before.get(set_name) not in (None, by_name[set_name].fingerprint):
            continue
        stored = store.read_table(table)
        result = result_of(stored)
        schema = result.updated(stored).schema if result else stored.schema
        if columns.get(schema.name, schema.columns) == schema.columns:
            kept.append(Kept(name, kind, set_name, table, Stored(schema), entry))
    return kept


def order(folder: Path, names: Sequence[str], kept: Sequence[Kept]) -> list[str]:
    """The names of all jobs: `names` where nothing else is kept, else as the folder's record lists them, new ones last.

    So a part that is run again changes no order, and a whole study gives its own.
    """
    if not kept:
        return list(names)
    listed = [str(entry.get("name")) for entry in _jobs(read(folder))]
    position = {name: number for number, name in enumerate(listed)}
    return sorted([*names, *(job.name for job in kept)], key=lambda name: position.get(name, len(listed)))


def merged(store: Store, new: Mapping[str, Any], kept: Sequence[Kept]) -> dict[str, Any]:
    """The record of a run together with what still holds of earlier runs.

    `runs` lists what each run was asked for; a job names the run that computed it by its place there. `tables` gives
    rows and hash of every table that belongs to the study.
    """
    old = read(store.folder)
    earlier = _records(old, "runs") or ([{name: old.get(name) for name in _OF_A_RUN}] if old else [])
    runs = [*earlier, {name: new[name] for name in _OF_A_RUN}]
    by_name = {str(entry.get("name")): entry for entry in _jobs(old)}
    entries = {job.name: dict(job.entry) | {"run": job.entry.get("run", 0)} for job in kept}
    for job in new["jobs"]:
        before = by_name.get(job["name"], {})
        reused = job["reused"] and before.get("key") == job["key"]
        entry = {name: value for name, value in job.items() if name != "reused"}
        entries[job["name"]] = entry | {"run": before.get("run", 0) if reused else len(runs) - 1}
    jobs = [entries[name] for name in order(store.folder, [job["name"] for job in new["jobs"]], kept)]
    return dict(new) | {
        "runs": runs, "jobs": jobs, "sets": _sets(new, old, jobs), "gallery": _gallery(new, old, kept),
        "skipped": _skipped(new, old, jobs), "tables": dict(sorted(store.stamps.items())),
    }  # fmt: skip


def _sets(
    new: Mapping[str, Any], old: Mapping[str, Any], jobs: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:  # fmt: skip
    """The sets of all jobs, in their order; a set that was shown with counterfactual pairs keeps them."""
    before = {one.get("name"): one for one in _records(old, "sets")}
    sets = dict(before)
    for one in new["sets"]:
        earlier = before.get(one["name"], {})
        if earlier.get("fingerprint") == one["fingerprint"]:
            pairs = earlier.get("sample", {}).get("pairs", {}) | one["sample"]["pairs"]
            one = one | {"sample": one["sample"] | {"pairs": pairs}}
        sets[one["name"]] = one
    names = dict.fromkeys(job["set"] for job in jobs)
    return [sets[name] for name in names if name in sets]


def _gallery(new: Mapping[str, Any], old: Mapping[str, Any], kept: Sequence[Kept]) -> list[dict[str, Any]]:
    from backsight.studies.gallery import METHOD

    names = {job.set_name for job in kept if job.kind == METHOD}
    return [*(one for one in _records(old, "gallery") if one.get("set") in names), *new["gallery"]]


def _skipped(
    new: Mapping[str, Any], old: Mapping[str, Any], jobs: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:  # fmt: skip
    """What no run could do: of this run and of earlier ones, without what was done in another run."""
    done = {(job["set"], job["kind"]) for job in jobs}
    sets = {job["set"] for job in jobs}
    skipped = {}
    for one in [*_records(old, "skipped"), *new["skipped"]]:
        of, measurement = one.get("set"), today(str(one.get("measurement")))
        if (of, measurement) not in done and not (measurement == "all" and of in sets):
            skipped[of, measurement] = one | {"measurement": measurement}
    return list(skipped.values())


def _jobs(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The jobs of a record, of an earlier release too, by the names of today; their tables are called as stored."""
    names = ("name", "kind", "measurement")
    return [
        entry | {name: today(entry[name]) for name in names if isinstance(entry.get(name), str)}
        for entry in _records(record, "jobs")
    ]


def _records(record: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    entries = record.get(name)
    return [one for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []


def job_record(done: Done) -> dict[str, Any]:
    """What study.json says of a finished job."""
    job = done.job
    return {
        "name": job.name,
        "kind": job.kind,
        "set": job.set_name,
        "measurement": repr(job.measurement),
        "key": job.key,
        "samples": done.samples,
        "looks": list(look_counts(job.measurement, job.samples)),  # the budget last
        "batch": job.measurement.batch,
        "own_batch": job.own_batch,
        "seconds": round(done.seconds, 3),
        "forward_equivalents": round(done.forward_equivalents, 3),
        "tables": [job.table],
        "reused": done.reused,
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
        "vision_layers": len(vlm.parts.vision_blocks) or None,
        "projector": vlm.family.projector is not None,
        "grid": _grid(grid),
        "dtype": str(vlm.dtype).removeprefix("torch."),
        "dtype_reason": reason,
        "device": str(vlm.device),
        "attention": vlm.attention,
        "chat": vlm.family.can(CHAT),
    }


def _grid(grid: TokenGrid) -> dict[str, Any]:
    """Rows, columns and cell of one rectangle; how many tokens in how many views where it is none."""
    if grid.is_rectangle:
        return {"rows": grid.rows, "columns": grid.columns, "cell": list(grid.cell)}
    return {"tokens": len(grid), "views": len(set(grid.view.tolist()))}


def resident() -> int:
    """Bytes of memory that this process holds now; the most that it held where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return int(machine()["memory_peak_mib"]) * 2**20


def machine() -> dict[str, Any]:
    """Hardware and the peak of memory so far, in MiB."""
    unit = 1024 if sys.platform == "linux" else 1024 * 1024
    facts: dict[str, Any] = {
        "cpu": platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit),
    }
    if torch.cuda.is_available():
        facts["gpu"] = torch.cuda.get_device_name()
        facts["gpu_memory_peak_mib"] = round(torch.cuda.max_memory_allocated() / 2**20)
    return facts
