"""Summary tables: over all jobs whose rows have one schema, and pure functions of their rows."""

from __future__ import annotations

from collections.abc import Sequence

from backsight.maths import summaries
from backsight.studies.jobs import Job
from backsight.studies.record import Kept
from backsight.studies.store import Store
from backsight.tables import Table


def write_summaries(store: Store, jobs: Sequence[Job | Kept]) -> None:
    """Write what can be summed up of the jobs' tables; drop what an earlier run left and this one would not give."""
    for kind, summarise in summaries.SUMMARIES.items():
        mine = [store.read_table(job.table) for job in jobs if job.measurement.schema.name == kind]
        further = summaries.FURTHER.get(kind, {})
        if not mine:
            for name in (f"{kind}_summary", *further):
                store.drop_table(name)
            continue
        summary = Table.concat([summarise(rows) for rows in mine])
        store.write_table(f"{kind}_summary", summary)
        for name, (of_summary, make) in further.items():
            table = make(summary) if of_summary else Table.concat([make(rows) for rows in mine])
            if len(table):
                store.write_table(name, table)
            else:
                store.drop_table(name)
    for name, (first, second, join) in summaries.JOINED.items():
        one, other = (_by_set(store, jobs, kind) for kind in (first, second))
        if one:
            store.write_table(name, Table.concat([join(rows, other.get(of)) for of, rows in one.items()]))
        else:
            store.drop_table(name)


def _by_set(store: Store, jobs: Sequence[Job | Kept], kind: str) -> dict[str, Table]:
    """The rows of the jobs of one schema by their set: ids tell questions apart within a set only."""
    return {job.set_name: store.read_table(job.table) for job in jobs if job.measurement.schema.name == kind}
