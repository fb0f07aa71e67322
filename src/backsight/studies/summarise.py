"""Tables made of the jobs' rows, as the registry of results says: pure functions of the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backsight.results import RESULTS, today
from backsight.results.base import Derived
from backsight.studies.jobs import Job
from backsight.studies.record import Kept
from backsight.studies.store import Store
from backsight.tables import Table

BySet = Mapping[str, Table]  # ids tell questions apart within a set only


def write_summaries(store: Store, jobs: Sequence[Job | Kept]) -> None:
    """Write what is made of the jobs' tables; drop what an earlier run left and this one would not give."""
    rows: dict[str, dict[str, Table]] = {}
    for job in jobs:
        by_job = rows.setdefault(today(job.measurement.schema.name), {})
        by_job[job.name] = store.read_table(job.table)
    sets = {job.name: job.set_name for job in jobs}
    for result in RESULTS.values():
        mine = {name: result.updated(table) for name, table in rows.get(result.name, {}).items()}
        summary: Table | None = None
        for one in result.tables:
            beside = {sets[name]: table for name, table in rows.get(one.beside or "", {}).items()}
            table = _made(one, mine, summary, {name: beside.get(sets[name]) for name in mine}) if mine else None
            if one is result.summary:
                summary = table
            if table is not None and (len(table) or one is result.summary):
                store.write_table(one.name, table)
            else:
                store.drop_table(one.name)
            for earlier in (old for old, new in result.earlier.items() if new == one.name):
                store.drop_table(earlier)  # an earlier release's table of the same, which would be a second one


def _made(one: Derived, rows: BySet, summary: Table | None, beside: Mapping[str, Table | None]) -> Table:
    """A derived table over all jobs of one schema."""
    if one.of == "summary":
        return one.make(summary)
    if one.beside is None:
        return Table.concat([one.make(table) for table in rows.values()])
    return Table.concat([one.make(table, beside[name]) for name, table in rows.items()])
