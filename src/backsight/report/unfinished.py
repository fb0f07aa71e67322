"""A study that is not finished: what its jobs left so far, read as a study without a verdict.

study.json is written last of all. Until then the folder holds who the study is, a mark for each finished job, and the
jobs' rows; summaries are made of them here, in memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backsight.results import RESULTS, today
from backsight.results.base import Result
from backsight.results.pages.study import Study, mapping, records
from backsight.tables import Table, intact

IDENTITY = "jobs/study.identity.json"


def unfinished_record(folder: Path) -> dict[str, Any] | None:
    """What study.json would say of model and jobs, as far as it is known; None where no study was begun here."""
    identity = _read(folder / IDENTITY)
    if not identity:
        return None
    jobs, stamps = [], {}
    for path in sorted((folder / "jobs").glob("*.json")):
        noted, (kind, _, name) = _read(path), path.stem.partition(".")
        if name and isinstance(noted.get("table"), dict):
            stamps[path.stem] = noted["table"]
            job = {"name": today(f"{kind}/{name}"), "kind": today(kind), "set": name, "tables": [path.stem]}
            jobs.append(job | {key: noted.get(key) for key in ("samples", "seconds", "forward_equivalents")})
    jobs = [job for job in jobs if job["name"] != "study/identity"]
    model = {"name": identity.get("model"), "dtype": identity.get("dtype")}
    model["fingerprint"] = identity.get("model_fingerprint")
    return {"format": 1, "finished": False, "model": model, "jobs": jobs, "tables": stamps}


def unfinished_study(folder: Path, record: Mapping[str, Any]) -> Study:
    """The study with the summaries of the rows that are there and whole."""
    stamps = mapping(record.get("tables"))
    stems = [stem for job in records(record.get("jobs")) for stem in job["tables"]]
    paths = {stem: folder / "tables" / f"{stem}.parquet" for stem in stems}
    whole = [Table.read(path) for stem, path in paths.items() if intact(path, stamps[stem])]
    tables: dict[str, Table] = {}
    for result in RESULTS.values():
        rows = [result.updated(table) for table in whole if today(table.schema.name) == result.name and len(table)]
        if rows:
            tables |= _derived(result, rows)
    return Study(folder, record, {name: table for name, table in tables.items() if len(table)})


def _derived(result: Result, rows: list[Table]) -> dict[str, Table]:
    """The tables that are made of the rows of one result; what needs another measurement's rows is left out."""
    if result.summary is None:
        return {result.name: Table.concat(rows)}
    summaries: dict[str, Table] = {}
    for one in result.tables:
        if one.of == "summary" and result.summary.name in summaries:
            summaries[one.name] = one.make(summaries[result.summary.name])
        elif one.of == "rows" and one.beside is None:
            summaries[one.name] = Table.concat([one.make(table) for table in rows])
    return summaries


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return mapping(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
