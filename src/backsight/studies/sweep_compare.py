"""The studies of a sweep as one comparison: every metric of every run, and what the seeds say of each recipe.

Nothing but the folders of the runs is read, so runs whose weights are gone count as the others do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import backsight
from backsight.errors import BacksightError, DataError, FolderError
from backsight.maths.grouping import SMALLEST
from backsight.results import seeds
from backsight.studies import lock
from backsight.studies.compare_reading import Finished, finished
from backsight.studies.store import writing
from backsight.studies.sweep import Outcome, reason
from backsight.studies.sweep_file import Sweep
from backsight.studies.sweep_run import Run
from backsight.tables import Table, replacing

RECORD = "sweep.json"
FORMAT = 1


@dataclass(frozen=True)
class Compared:
    """The runs that are studied, the table of their metrics and its summary; `failed` are the others, each with its
    reason."""

    sweep: Sweep
    studies: tuple[tuple[Run, Finished], ...]
    failed: tuple[Outcome, ...]
    rows: Table
    summary: Table
    command: str = ""

    @property
    def recipes(self) -> tuple[str, ...]:
        """The recipes that have a study, the baseline first."""
        names = dict.fromkeys(run.recipe.name for run, _ in self.studies)
        return tuple(sorted(names, key=lambda name: name != self.sweep.baseline))


def compared(sweep: Sweep, outcomes: Sequence[Outcome], command: str = "") -> Compared:
    """The comparison of what is studied; a study whose tables are damaged counts as a run that failed."""
    failed: list[Outcome] = []
    studies: list[tuple[Run, Finished]] = []
    for one in outcomes:
        try:
            if not one.reason:
                studies.append((one.run, finished(one.run.study, one.run.label)))
        except BacksightError as error:
            one = Outcome(one.run, reason(error))
        if one.reason:
            failed.append(one)
    provenance = {"backsight": backsight.__version__, "sweep": sweep.as_dict(), "command": command}
    rows = Table.of(seeds.RUNS, [row for run, study in studies for row in _rows(run, study)], provenance)
    return Compared(sweep, tuple(studies), tuple(failed), rows, seeds.summarised(rows, sweep.baseline), command)


def _rows(run: Run, study: Finished) -> list[dict[str, Any]]:
    """Every metric of a run; its value is missing where there are fewer samples than one is given of."""
    rows = []
    for name, values in study.values.items():
        layer, value, images = values.of()
        rest = name.removeprefix(f"{values.metric.family}/{values.set_name}").strip("/")
        rows.append({
            "recipe": run.recipe.name, "seed": run.recipe.seed, "metric": name, "family": values.metric.family,
            "title": values.metric.title, "set": values.set_name, "keys": rest, "better": values.metric.better,
            "drawn": values.drawn, "layer": layer, "samples": len(value), "images": images.nunique(),
            "value": float(value.mean()) if len(value) >= SMALLEST else None,
        })  # fmt: skip
    return rows


def claim_folder(out: Path) -> None:
    """FolderError where a folder cannot hold a sweep: a file, or a folder with other things in it."""
    do = "give an empty or a new folder as --out"
    if out.exists() and not out.is_dir():
        raise FolderError("The output folder is a file", where=out, do=do)
    if out.is_dir() and not (out / RECORD).is_file():
        others = sorted(path.name for path in out.iterdir() if path.suffix != ".part" and path.name != lock.SWEEP)
        if others:
            got = ", ".join(others[:5])
            raise FolderError("The output folder is not empty and holds no sweep", where=out, got=got, do=do)


@contextmanager
def held(out: Path) -> Iterator[None]:
    """Be the one that writes into the folder of a sweep; StudyError where another process does."""
    with writing("the lock of the sweep", out):
        out.mkdir(parents=True, exist_ok=True)
        holding = lock.held(out, lock.SWEEP)
        holding.__enter__()
    try:
        yield
    finally:
        holding.__exit__(None, None, None)


def note(out: Path, sweep: Sweep, command: str, outcomes: Sequence[Outcome] = ()) -> None:
    """sweep.json: what is asked for, and how each run ended; it claims the folder."""
    with writing("the record of the sweep", out):
        out.mkdir(parents=True, exist_ok=True)
        record = {
            "format": FORMAT, "backsight": backsight.__version__, "command": command, "sweep": sweep.as_dict(),
            "runs": [{"run": one.run.label, "failed": one.reason or None} for one in outcomes],
        }  # fmt: skip
        with replacing(out / RECORD) as part:
            part.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def lost(one: Compared, out: Path) -> list[str]:
    """The runs that failed now and that the comparison in a folder has: written anew, it would lose them.

    Empty where there is no comparison, or none that can be read.
    """
    try:
        rows = Table.read(out / "tables" / f"{seeds.RUNS.name}.parquet").rows()
    except DataError:
        return []
    there = {(row["recipe"], row["seed"]) for row in rows}
    return [bad.run.label for bad in one.failed if (bad.run.recipe.name, bad.run.recipe.seed) in there]


def write(one: Compared, out: Path) -> None:
    """tables/sweep and tables/sweep_summary, each as parquet and csv."""
    with writing("the tables of the sweep", out):
        one.rows.write(out / "tables", seeds.RUNS.name)
        one.summary.write(out / "tables", seeds.SUMMARY.name)
