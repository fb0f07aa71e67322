"""Reading what a study left in its folder, as the registry of results says.

What cannot be read at all is a DataError that names the file.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from backsight.errors import DataError, UsageError
from backsight.results import RESULTS, today
from backsight.results.base import Result
from backsight.results.pages.study import Study, records, texts
from backsight.tables import Schema, Table

FORMAT = 1


def read_record(folder: Path) -> dict[str, Any]:
    """The content of a study's study.json; UsageError where there is none, DataError where it cannot be read."""
    path = folder / "study.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        do = "give a folder that `backsight study` wrote"
        raise UsageError("There is no study here", where=path, got="no such file", do=do) from error
    except (OSError, ValueError) as error:
        do = "run the command of the study again: what is finished is kept"
        raise DataError("A study's record cannot be read", where=path, got=error, do=do) from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        got = data.get("format") if isinstance(data, dict) else type(data).__name__
        command = data.get("command") if isinstance(data, dict) else None
        older = isinstance(got, int) and got < FORMAT
        again = f"run {f'`{command}`' if command else 'the study'} again, with --out of another folder"
        do = f"format {FORMAT} is read: {again if older else 'a newer release of backsight may have written it'}"
        raise DataError("A study's record has another format", where=path, got=got, do=do)
    return data


def read_study(folder: Path, damaged: Mapping[str, str] | None = None) -> Study:
    """The study in a folder, without the tables that are `damaged`: name and what is wrong with it.

    UsageError where there is none; DataError where study.json or a table cannot be read.
    """
    data, without = read_record(folder), damaged or {}
    jobs = [_today(job) for job in records(data.get("jobs"))]
    tables: dict[str, Table] = {}
    stored: dict[str, str] = {}
    for result in RESULTS.values():
        stored |= {new: name for new, name in _stored(folder, result).items() if name not in without}
        tables |= _tables(folder, result, stored, jobs, without)
    there = {name: table for name, table in tables.items() if len(table)}
    return Study(folder, {**data, "jobs": jobs} if jobs else data, there, stored, without)


def _today(job: Mapping[str, Any]) -> Mapping[str, Any]:
    """A job with the names of today; its tables are called as they are stored."""
    return {**job, **{key: today(job[key]) for key in ("name", "kind") if isinstance(job.get(key), str)}}


def _stored(folder: Path, result: Result) -> dict[str, str]:
    """The names of the files of a result's tables that are there, by the tables' names of today."""
    names = {one.name: [one.name] for one in result.tables}
    for old, new in result.earlier.items():
        if new in names:
            names[new].append(old)
    there = {new: [n for n in of if (folder / "tables" / f"{n}.parquet").exists()] for new, of in names.items()}
    return {new: of[0] for new, of in there.items() if of}


def _tables(
    folder: Path, result: Result, stored: Mapping[str, str], jobs: list[Mapping[str, Any]], without: Collection[str]
) -> dict[str, Table]:  # fmt: skip
    """The tables of one result: what is derived, or the rows of all jobs as one table where there is no summary."""
    files = {one.name: folder / "tables" / f"{stored[one.name]}.parquet" for one in result.tables if one.name in stored}
    schemas = {one.name: one.schema for one in result.tables}
    tables = {name: _known(Table.read(file), result, schemas[name], file) for name, file in files.items()}
    if result.summary is not None:
        return tables
    of_rows = [folder / "tables" / f"{result.name}.parquet", *_of_jobs(folder, jobs)]
    rows = [
        _known(Table.read(file), result, result.schema, file)
        for file in of_rows
        if _holds(file, result.name) and file.stem not in without
    ]
    return tables | ({result.name: Table.concat(rows)} if rows else {})


def _holds(file: Path, name: str) -> bool:
    return file.exists() and today(Table.schema_of(file)) == name


def _known(table: Table, result: Result, schema: Schema, file: Path) -> Table:
    """The table as it is laid out today; DataError where an earlier release wrote it without a column that is read."""
    table = result.updated(table)
    missing = sorted(schema.columns.keys() - table.schema.columns.keys())
    if missing:
        do = "run the command of the study again with this version of backsight"
        raise DataError("A table lacks columns", where=file, got=f"no {', '.join(missing)}", do=do)
    return table


def _of_jobs(folder: Path, jobs: list[Mapping[str, Any]]) -> list[Path]:
    """The files of the jobs' rows, in the order of the jobs; never one outside the folder of tables."""
    names = (name for job in jobs for name in texts(job.get("tables")))
    return [folder / "tables" / f"{name}.parquet" for name in dict.fromkeys(names) if Path(name).name == name]
