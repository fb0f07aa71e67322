"""Whether a study's tables are the ones that it wrote: study.json gives the rows and the hash of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backsight.errors import DataError
from backsight.tables import REMEDY, difference, intact


def damage(folder: Path) -> dict[str, str]:
    """What is wrong with tables of the study in a folder, by name: missing, damaged, or with other rows.

    Of a study whose record gives no hashes, an older one, it is what jobs list and the folder lacks.
    """
    try:
        record = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # said where the study is read
        return {}
    if not isinstance(record, dict):
        return {}
    tables = folder / "tables"
    stamps = record.get("tables")
    if isinstance(stamps, dict):
        named = {name: stamp for name, stamp in stamps.items() if Path(name).name == name and isinstance(stamp, dict)}
        paths = {name: tables / f"{name}.parquet" for name in named}
        return {name: difference(path, named[name]) for name, path in paths.items() if not intact(path, named[name])}
    return {name: "no such file" for name in _listed(record) if not (tables / f"{name}.parquet").is_file()}


def refusal(folder: Path, damaged: Mapping[str, str]) -> DataError:
    """The error that names what a report lacks."""
    got = "; ".join(f"{name}: {what}" for name, what in damaged.items())
    return DataError("The report is written without some tables", where=folder / "tables", got=got, do=REMEDY)


def _listed(record: Mapping[str, Any]) -> list[str]:
    jobs = record.get("jobs")
    entries = [job for job in jobs if isinstance(job, dict)] if isinstance(jobs, list) else []
    names = [str(name) for job in entries for name in job.get("tables") or ()]
    return [name for name in dict.fromkeys(names) if Path(name).name == name]
