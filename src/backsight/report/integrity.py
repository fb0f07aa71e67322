"""Whether a study's tables are the ones that it wrote: study.json gives the rows and the hash of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from backsight.errors import DataError
from backsight.tables import REMEDY, difference, intact


def damage(folder: Path) -> dict[str, str]:
    """What is wrong with tables of the study in a folder, by name: missing, damaged, or with other rows.

    Nothing is known of a study whose record gives no hashes, which is an older one.
    """
    try:
        record = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # said where the study is read
        return {}
    if not isinstance(record, dict):
        return {}
    stamps = record.get("tables")
    if not isinstance(stamps, dict):
        return {}
    named = {name: stamp for name, stamp in stamps.items() if Path(name).name == name and isinstance(stamp, dict)}
    paths = {name: folder / "tables" / f"{name}.parquet" for name in named}
    return {name: difference(path, named[name]) for name, path in paths.items() if not intact(path, named[name])}


def refusal(folder: Path, damaged: Mapping[str, str]) -> DataError:
    """The error that names what a report lacks."""
    got = "; ".join(f"{name}: {what}" for name, what in damaged.items())
    return DataError("The report is written without some tables", where=folder / "tables", got=got, do=REMEDY)
