"""Tables of scale and time: one row a model and number, and how each number changes with size and with steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from backsight.errors import DataError
from backsight.maths.pathways import verdict
from backsight.maths.relevance import CHOICE, DEFAULT, LEADING
from backsight.maths.seeds import over_seeds
from backsight.results.creg.summary import creg_summary
from backsight.results.gap.tables import gap_summary
from backsight.results.pathways.tables import pathways_summary
from backsight.tables import Schema, Table

Row = dict[str, Any]
Against = Literal["size", "steps"]
NORMAL = 1.96  # half of a 95 % interval over it is a standard error
ROW = "-row"  # before the number of a row of squares at the end of an example's id

SCALE = Schema(
    "scale",
    {
        "model": "str",
        "recipe": "str",
        "size": "str",
        "parameters": "int",
        "seed": "int",
        "steps": "int",  # taken, over all phases
        "last": "bool",  # the run's last step
        "suite": "str",
        # what, where (accuracies between two, corrected for guessing), gap (what less where), vision, language (shares
        # of the accuracy above chance that a pathway gives by itself), creg (degrees that CREG is nearer than uniform
        # relevance): all are zero where there is nothing to see. And pathway, which has a word only.
        "measure": "str",
        "value": "float",
        "low": "float",
        "high": "float",
        "raw": "float",  # the accuracy, or CREG's DAE
        "null": "float",  # of raw: guessing, one half, the DAE of uniform relevance
        "word": "str",  # the verdict of the gap, of a pathway, of both
        "rows": "int",  # of squares, each seen in both orders
        "omitted": "str",  # why there is no value
    },
    "The what/where gap, the pathways and CREG by size and steps, with 95 % intervals over rows of squares",
)
CHANGES = Schema(
    "scale_changes",
    {
        "against": "str",  # size, steps
        "of": "str",  # the size whose steps are compared; missing for size
        "measure": "str",
        "start": "int",  # parameters, or steps
        "end": "int",
        "before": "float",  # means over the seeds that have both
        "after": "float",
        "change": "float",
        "low": "float",  # Student's 95 % interval over seeds; missing for fewer than three
        "high": "float",
        "seeds": "int",
        "omitted": "str",
    },
    "How each number changes from the smaller to the larger model, and from early to last steps, paired by seed",
)
MEASURES = ("what", "where", "gap", "vision", "language", "creg")
EARLY = 5  # steps are compared with the last from this fraction of the run on


@dataclass(frozen=True)
class Point:
    """A model that was measured: of which recipe and size, with which seed, after how many steps."""

    model: str
    recipe: str
    size: str
    parameters: int
    seed: int
    steps: int
    last: bool


@dataclass(frozen=True)
class Pair:
    """Two ends that are compared: by seed, how a number changes, and the error that all seeds share.

    `error` is that of the change from the rows of squares that every model is asked about. It takes the two ends'
    answers as independent, which is on the wide side.
    """

    start: int
    end: int
    before: Mapping[int, float]
    after: Mapping[int, float]
    error: float
    omitted: str | None = None

    @property
    def changes(self) -> list[float]:
        """The change of each seed that has both ends."""
        return [self.after[seed] - self.before[seed] for seed in sorted(self.before)]


def scale(point: Point, gap: Table, pathways: Table, creg: Table | str) -> Table:
    """The rows of one model, from the rows of `Gap`, `Pathways` and `Creg` on one suite of rows in both orders.

    A row and its reverse are one unit of every interval. In place of CREG's rows stands why the model cannot give
    them, where it cannot.
    """
    found = {
        **_gap(by_row(gap)),
        **_pathways(by_row(pathways)),
        **_creg(creg if isinstance(creg, str) else by_row(creg)),
    }
    common = asdict(point) | {"suite": str(gap.frame["suite"].iloc[0])}
    blank = dict.fromkeys(SCALE.columns)
    return Table.of(SCALE, [blank | common | {"measure": name} | row for name, row in found.items()])


def by_row(table: Table) -> Table:
    """The same rows with the row of squares in place of the picture; DataError where an example has none."""
    frame = table.to_pandas()
    ids = [str(one) for one in frame["example_id"]]
    without = next((one for one in ids if ROW not in one), None)
    if without is not None:
        raise DataError("An example is of no row in both orders", where=table.schema.name, got=without)
    rows = frame["image_id"].copy()
    rows[:] = [one.rsplit(ROW, 1)[1] for one in ids]
    return Table(table.schema, frame.assign(image_id=rows), table.provenance)


def _gap(rows: Table) -> dict[str, Row]:
    row = next((r for r in gap_summary(rows).rows() if r["headline"] and r["axis"] == "all"), None)
    if row is None or row["omitted"]:
        return {name: {"omitted": "too few pictures, or nothing left to correct"} for name in ("what", "where", "gap")}
    sides = {
        side: {
            "value": row[f"{side}_corrected"], "low": row[f"{side}_low"], "high": row[f"{side}_high"],
            "raw": row[side], "null": max(row[f"{side}_chance"], row[f"{side}_blank"]), "rows": row["images"],
        }
        for side in ("what", "where")
    }  # fmt: skip
    gap = {"value": row["gap"], "low": row["low"], "high": row["high"], "word": row["verdict"], "rows": row["images"]}
    return {**sides, "gap": gap}


def _pathways(rows: Table) -> dict[str, Row]:
    judged = verdict(rows)
    accuracies = {
        row["condition"]: row["accuracy_of_two"]
        for row in pathways_summary(rows).rows()
        if row["asked"] == "order" and row["direction"] == "all"
    }
    units = int(rows.frame["image_id"].nunique())
    found: dict[str, Row] = {"pathway": {"word": judged.source, "rows": units}}
    for name, condition in (("vision", "shuffled"), ("language", "removed")):
        one = getattr(judged, name)
        row: Row = {"word": one.outcome, "rows": units, "raw": accuracies.get(condition), "null": 0.5}
        share = one.share
        found[name] = row | (
            {"omitted": one.reason} if share is None else {"value": share.value, "low": share.low, "high": share.high}
        )
    return found


def _creg(rows: Table | str) -> dict[str, Row]:
    if isinstance(rows, str):
        return {"creg": {"omitted": rows}}
    wanted = {"samples": "all", "subset": "all", "method": LEADING, "target": CHOICE, "projection": DEFAULT}
    row = next((r for r in creg_summary(rows).rows() if wanted.items() <= r.items()), None)
    if row is None or row["omitted"] or row["dae_gain"] is None:
        return {"creg": {"omitted": row["missing"] if row and row["missing"] else "too few pictures with a direction"}}
    return {
        "creg": {
            "value": row["dae_gain"], "low": row["dae_gain_low"], "high": row["dae_gain_high"],
            "raw": row["dae"], "null": row["dae_null"], "rows": row["images"],
        }
    }  # fmt: skip


def scale_changes(table: Table) -> Table:
    """How each number changes with size (at the last step) and with steps (of each size), over seeds that have both.

    One seed shows all sizes and steps the same batches, so changes are paired by seed.
    """
    changes: list[Row] = []
    for measure in MEASURES:
        pairs: list[tuple[Against, str | None, Pair | None]] = [("size", None, by_size(table, measure))]
        pairs += [("steps", size, by_steps(table, measure, size)) for size in sizes(table)]
        changes += [_change(pair, against, of, measure) for against, of, pair in pairs if pair is not None]
    return Table.of(CHANGES, changes, table.provenance)


def sizes(table: Table) -> list[str]:
    """The sizes by name, the smallest first."""
    counts = {row["size"]: row["parameters"] for row in table.rows()}
    return sorted(counts, key=lambda size: int(counts[size]))


def at_last(table: Table, measure: str, size: str) -> tuple[dict[int, float], float]:
    """A number of a size at the last step, by seed, and its error from the rows of squares."""
    return _side(row for row in table.rows() if row["measure"] == measure and row["size"] == size and row["last"])


def by_size(table: Table, measure: str) -> Pair | None:
    """From the smallest to the largest size, at the last step; None where there is one size."""
    of = [row for row in table.rows() if row["measure"] == measure and row["last"]]
    counts = sorted({row["parameters"] for row in of})
    if len(counts) < 2:
        return None
    return _pair(counts[0], counts[-1], *([r for r in of if r["parameters"] == end] for end in (counts[0], counts[-1])))


def by_steps(table: Table, measure: str, size: str) -> Pair | None:
    """From the first snapshot at or after a fifth of the run to its last step; None where there is no such snapshot.

    The fraction is fixed, whatever the numbers.
    """
    of = [row for row in table.rows() if row["measure"] == measure and row["size"] == size]
    end = max((row["steps"] for row in of if row["last"]), default=0)
    early = sorted({row["steps"] for row in of if end / EARLY <= row["steps"] < end})
    if not early:
        return None
    return _pair(early[0], end, *([r for r in of if r["steps"] == steps] for steps in (early[0], end)))


def _pair(start: int, end: int, before: Sequence[Row], after: Sequence[Row]) -> Pair:
    (one, down), (two, up) = _side(before), _side(after)
    both = one.keys() & two.keys()
    reasons = sorted({row["omitted"] for row in (*before, *after) if row["omitted"] is not None})
    omitted = None if both else "; ".join(reasons) or "no seed has both"
    values = [{seed: side[seed] for seed in both} for side in (one, two)]
    return Pair(start, end, values[0], values[1], float(np.hypot(down, up)), omitted)


def _side(rows: Iterable[Row]) -> tuple[dict[int, float], float]:
    """Values by seed, and the mean error of one of them from the rows of squares, which all seeds are asked about."""
    given = [row for row in rows if row["omitted"] is None and row["value"] is not None]
    errors = [(row["high"] - row["low"]) / (2 * NORMAL) for row in given]
    return {row["seed"]: row["value"] for row in given}, float(np.mean(errors)) if errors else 0.0


def _change(pair: Pair, against: Against, of: str | None, measure: str) -> Row:
    row = dict.fromkeys(CHANGES.columns) | {
        "against": against, "of": of, "measure": measure, "start": pair.start, "end": pair.end,
        "seeds": len(pair.changes), "omitted": pair.omitted,
    }  # fmt: skip
    if pair.omitted is not None:
        return row
    one = over_seeds(pair.changes, least_error=pair.error)
    ends = {"before": np.mean(list(pair.before.values())), "after": np.mean(list(pair.after.values()))}
    return row | {name: float(value) for name, value in ends.items()} | {
        "change": one.mean, "low": one.low, "high": one.high
    }  # fmt: skip
