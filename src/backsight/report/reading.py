"""Reading what a study left in its folder, as the registry of results says.

What cannot be read at all is a DataError that names the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backsight.errors import DataError
from backsight.results import RESULTS
from backsight.results.base import Result
from backsight.results.pages.study import Study, records, texts
from backsight.tables import Schema, Table

FORMAT = 1


def read_study(folder: Path) -> Study:
    """The study in a folder; DataError where study.json or a table cannot be read."""
    path = folder / "study.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        do = "give a folder that `backsight study` wrote"
        raise DataError("There is no study here", where=path, got="no such file", do=do) from error
    except (OSError, ValueError) as error:
        do = "run the study again"
        raise DataError("A study's record cannot be read", where=path, got=error, do=do) from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        got = data.get("format") if isinstance(data, dict) else type(data).__name__
        do = f"format {FORMAT} is read"
        raise DataError("A study's record has another format", where=path, got=got, do=do)
    tables: dict[str, Table] = {}
    for result in RESULTS.values():
        tables |= _tables(folder, result, records(data.get("jobs")))
    return Study(folder, data, {name: table for name, table in tables.items() if len(table)})


def _tables(folder: Path, result: Result, jobs: list[Mapping[str, Any]]) -> dict[str, Table]:
    """The tables of one result: what is derived, or the rows of all jobs as one table where there is no summary."""
    stored = {one.name: folder / "tables" / f"{one.name}.parquet" for one in result.tables}
    schemas = {one.name: one.schema for one in result.tables}
    tables = {name: _known(Table.read(file), schemas[name], file) for name, file in stored.items() if file.exists()}
    if result.summary is not None:
        return tables
    files = [folder / "tables" / f"{result.name}.parquet", *_of_jobs(folder, jobs)]
    rows = [_known(Table.read(file), result.schema, file) for file in files if _holds(file, result.name)]
    return tables | ({result.name: Table.concat(rows)} if rows else {})


def _holds(file: Path, name: str) -> bool:
    return file.exists() and Table.schema_of(file) == name


def _known(table: Table, schema: Schema, file: Path) -> Table:
    """The table; DataError where an earlier release wrote it without a column that is read today."""
    missing = sorted(schema.columns.keys() - table.schema.columns.keys())
    if missing:
        do = "run the command of the study again with this version of backsight"
        raise DataError("A table lacks columns", where=file, got=f"no {', '.join(missing)}", do=do)
    return table


def _of_jobs(folder: Path, jobs: list[Mapping[str, Any]]) -> list[Path]:
    """The files of the jobs' rows, in the order of the jobs; never one outside the folder of tables."""
    names = (name for job in jobs for name in texts(job.get("tables")))
    return [folder / "tables" / f"{name}.parquet" for name in dict.fromkeys(names) if Path(name).name == name]
