"""Finished studies side by side: the first is the baseline, and each other is compared with it, metric by metric.

Paired where at least `SMALLEST` samples are shared; elsewhere the two means stand beside each other with an interval
each. Nothing but the studies' folders is read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import backsight
from backsight.errors import FolderError, UsageError
from backsight.maths import comparison
from backsight.maths.grouping import SMALLEST
from backsight.results.comparison import ROWS
from backsight.studies.compare_answer import FIRST, Gate, Judged, judged, matches
from backsight.studies.compare_metrics import Values
from backsight.studies.compare_reading import Finished, notes, read
from backsight.tables import Table, replacing

FORMAT = 1  # of compare.json
RECORD = "compare.json"
NO_GATE = Gate()
Row = dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """Studies, the baseline first; a row a study and metric; notes on how the runs differ."""

    studies: tuple[Finished, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    gate: Gate = NO_GATE
    command: str = ""

    @property
    def baseline(self) -> Finished:
        return self.studies[0]

    def of(self, study: Finished) -> list[Row]:
        """The rows of one study."""
        return [row for row in self.rows if row["study"] == study.name]

    def table(self) -> Table:
        """All rows as a table."""
        provenance = {"backsight": backsight.__version__, "baseline": self.baseline.name, "command": self.command}
        return Table.of(ROWS, self.rows, provenance)

    def as_dict(self) -> dict[str, Any]:
        """All there is, as it stands in compare.json."""
        return {
            "format": FORMAT,
            "backsight": backsight.__version__,
            "command": self.command,
            "baseline": self.baseline.name,
            "studies": [study.summary() for study in self.studies],
            "notes": list(self.notes),
            "comparisons": [
                {"study": study.name, "metrics": [{k: row[k] for k in row if k != "study"} for row in self.of(study)]}
                for study in self.studies[1:]
            ],
            "not_compared": {study.name: list(study.not_compared) for study in self.studies},
            "judged": [one.as_dict() for one in self.judged],
            "fail_if_worse": {
                "asked": list(self.gate.asked),
                "worse": [[row["study"], row["metric"]] for row in self.worse],
                "not_judged": [[one.study, row["metric"]] for one in self.judged for row in one.not_judged],
                "fail_if_not_judged": self.gate.strict,
                "failed": self.failed,
            },
        }  # fmt: skip

    @property
    def judged(self) -> tuple[Judged, ...]:
        """What the comparison says first, one a study beside the baseline."""
        return tuple(judged(self.gate, self.of(one), one.name, self.baseline.name) for one in self.studies[1:])

    @property
    def worse(self) -> tuple[Row, ...]:
        """The rows that were asked not to be worse, and are."""
        return tuple(row for one in self.judged for row in one.moved("worse")) if self.gate.asked else ()

    @property
    def failed(self) -> bool:
        """Whether something asked for is worse, or where the gate is strict, a judged metric cannot be judged."""
        return bool(self.worse) or (self.gate.strict and any(one.not_judged for one in self.judged))

    def gated(self, asked: Sequence[str], *, strict: bool = False) -> Comparison:
        """The comparison with its gate, and Holm's correction over what is asked for.

        A METRIC is a metric's name or a leading part of it, up to a slash. `strict` fails what cannot be judged, too.
        UsageError where one names nothing that is compared paired in each comparison.
        """
        for name in dict.fromkeys(asked):
            for study in self.studies[1:]:
                matched = [row for row in self.of(study) if matches(name, row["metric"])]
                if not any(row["how"] == "paired" for row in matched):
                    raise self._unmatched(name, study, matched)
        gate = Gate(tuple(asked), strict)
        rows = tuple(row for study in self.studies[1:] for row in gate.corrected(self.of(study)))
        return replace(self, gate=gate, rows=rows)

    def _unmatched(self, name: str, study: Finished, matched: Sequence[Row]) -> UsageError:
        paired = [{row["metric"] for row in self.of(one) if row["how"] == "paired"} for one in self.studies[1:]]
        known = [row["metric"] for row in self.of(study) if all(row["metric"] in names for names in paired)]
        families = dict.fromkeys(metric.split("/")[0] for metric in known)
        do = f"choose from: {', '.join([*families, *known])}" if known else "no metric is compared paired"
        if not matched:
            return UsageError("--fail-if-worse names no metric of these studies", got=name, do=do)
        reasons = "; ".join(
            [f"{row['metric']}: {why(row)}" for row in matched[:FIRST]] + ["..."] * bool(matched[FIRST:])
        )
        what = "--fail-if-worse names a metric that cannot be compared paired"
        return UsageError(what, where=f"{study.name} against {self.baseline.name}", got=reasons, do=do)


def compare(folders: Sequence[Path], *, command: str = "") -> Comparison:
    """The comparison of the studies in `folders` with the first of them. UsageError where one has nothing in common."""
    studies = read(folders)
    baseline = studies[0]
    rows: list[Row] = []
    for study in studies[1:]:
        of_study = [
            _row(study.name, name, baseline.values.get(name), study.values.get(name))
            for name in dict.fromkeys((*baseline.values, *study.values))
        ]
        if not any(row["how"] in ("paired", "unpaired", "omitted") for row in of_study):
            raise UsageError(
                "Two studies have no metric in common", where=f"{baseline.folder} and {study.folder}",
                got=f"{len(baseline.values)} and {len(study.values)} metrics, all different",
                do="make both studies with the same sets (--only, --data)",
            )  # fmt: skip
        rows += NO_GATE.corrected(of_study)
    all_notes = dict.fromkeys(note for study in studies[1:] for note in notes(baseline, study))
    return Comparison(tuple(studies), tuple(rows), tuple(all_notes), command=command)


def why(row: Row) -> str:
    """Why a metric is not compared paired, in words."""
    if row["how"] in ("baseline", "study"):
        return "only one of the studies has it"
    counts = f"{row['samples_baseline']} and {row['samples']} samples, {row['shared']} shared"
    return f"{counts}, at least {SMALLEST} of two images are needed"


def _row(study: str, name: str, one: Values | None, two: Values | None) -> Row:
    """A metric of the baseline, of the study, or of both."""
    here = two or one
    assert here is not None
    row: Row = dict.fromkeys(ROWS.columns)
    row |= {
        "study": study,
        "metric": name,
        "family": here.metric.family,
        "title": here.metric.title,
        "set": here.set_name,
    }
    row |= {"better": here.metric.better, "drawn": here.drawn, "shared": 0, "images": 0}
    row |= {"samples_baseline": len(one.frame) if one else 0, "samples": len(two.frame) if two else 0}
    if two is None:
        return row | {"how": "baseline"} | _one_study("baseline", here)
    if one is None:
        return row | {"how": "study"} | _one_study("value", here)
    shared = one.frame.index.intersection(two.frame.index)
    row |= {"shared": len(shared), "images": shared.get_level_values("image_id").nunique()}
    if row["shared"] < SMALLEST or row["images"] < 2:
        if min(row["samples_baseline"], row["samples"]) < SMALLEST:
            return row | {"how": "omitted"}
        row |= {"how": "unpaired"} | _one_study("baseline", one) | _one_study("value", two)
        return row | {"difference": row["value"] - row["baseline"]}
    (layer_baseline, first, images), (layer, second, _) = one.of(shared), two.of(shared)
    paired = comparison.paired(first, second, images)
    mean, low, high, kind = paired.difference
    return row | {
        "how": "paired", "layer_baseline": layer_baseline, "layer": layer, "baseline": paired.first,
        "value": paired.second, "difference": mean, "low": low, "high": high, "interval": kind,
        "p_value": paired.p_value, "moved": comparison.moved(paired, here.metric.better),
    }  # fmt: skip


def _one_study(column: str, column_values: Values) -> Row:
    """One study's mean with its interval; omitted below the smallest number."""
    if len(column_values.frame) < SMALLEST:
        return {}
    layer, values, images = column_values.of()
    mean, low, high, _ = comparison.alone(values, images)
    at = "layer_baseline" if column == "baseline" else "layer"
    return {column: mean, f"{column}_low": low, f"{column}_high": high, at: layer}


def holds_comparison(folder: Path) -> bool:
    """Whether a folder holds a comparison; FolderError where it can hold none: a file, or other things are in it."""
    do = "give an empty or a new folder as --out"
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise FolderError("The output folder is a file", where=folder, do=do)
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if isinstance(record, dict) and "comparisons" in record:
            return True
    except (FileNotFoundError, ValueError):
        pass
    others = [path.name for path in folder.iterdir() if path.suffix != ".part"]
    if others:
        got = ", ".join(sorted(others)[:5])
        raise FolderError("The output folder is not empty and holds no comparison", where=folder, got=got, do=do)
    return False


def write(comparison: Comparison, folder: Path) -> None:
    """compare.json, which claims the folder, and tables/compare.{parquet,csv}."""
    holds_comparison(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / RECORD) as path:
        text = json.dumps(comparison.as_dict(), indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
    comparison.table().write(folder / "tables", "compare")
