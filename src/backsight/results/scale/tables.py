"""Tables of scale and time: one row a model and number, and how each number changes with size and with steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from backsight.maths.pathways import verdict
from backsight.maths.relevance import CHOICE, DEFAULT, LEADING
from backsight.results.creg.summary import creg_summary
from backsight.results.gap.tables import gap_summary
from backsight.results.pathways.tables import pathways_summary
from backsight.tables import Schema, Table

Row = dict[str, Any]
Against = Literal["size", "steps"]
Word = Literal["rises", "falls", "undecided"]
SEEDS = 3  # an interval over fewer is not given
QUANTILE = 0.975

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
        # what, where (accuracies corrected for guessing), gap (what less where), vision, language (shares of the
        # accuracy above chance that a pathway gives by itself), creg (degrees that CREG is nearer than uniform
        # relevance): all are zero where there is nothing to see. And pathway, which has a word only.
        "measure": "str",
        "value": "float",
        "low": "float",
        "high": "float",
        "raw": "float",  # the accuracy, or CREG's DAE
        "null": "float",  # of raw: guessing, one half, the DAE of uniform relevance
        "word": "str",  # the verdict of the gap, of a pathway, of both
        "images": "int",
        "omitted": "str",  # why there is no value
    },
    "The what/where gap, the pathways and CREG by size and steps, with 95 % intervals over pictures",
)
CHANGES = Schema(
    "scale_changes",
    {
        "against": "str",  # size, steps
        "of": "str",  # the size whose steps are compared; missing for size
        "measure": "str",
        "start": "int",  # parameters, or steps
        "end": "int",
        "before": "float",  # means over seeds
        "after": "float",
        "change": "float",
        "low": "float",
        "high": "float",
        "interval": "str",  # what the wider interval is over: seeds, pictures
        "seeds": "int",
        "word": "str",  # rises, falls, undecided
        "omitted": "str",
    },
    "How each number changes from the smaller to the larger model, and from early to last steps",
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


def scale(point: Point, gap: Table, pathways: Table, creg: Table | str) -> Table:
    """The rows of one model, from the rows of `Gap`, `Pathways` and `Creg` on one suite.

    In place of CREG's rows stands why the model cannot give them, where it cannot.
    """
    found = {**_gap(gap), **_pathways(pathways), **_creg(creg)}
    common = asdict(point) | {"suite": str(gap.frame["suite"].iloc[0])}
    blank = dict.fromkeys(SCALE.columns)
    return Table.of(SCALE, [blank | common | {"measure": name} | row for name, row in found.items()], gap.provenance)


def _gap(rows: Table) -> dict[str, Row]:
    row = next((r for r in gap_summary(rows).rows() if r["headline"] and r["axis"] == "all"), None)
    if row is None or row["omitted"]:
        return {name: {"omitted": "too few pictures, or nothing left to correct"} for name in ("what", "where", "gap")}
    sides = {
        side: {
            "value": row[f"{side}_corrected"], "low": row[f"{side}_low"], "high": row[f"{side}_high"],
            "raw": row[side], "null": max(row[f"{side}_chance"], row[f"{side}_blank"]), "images": row["images"],
        }
        for side in ("what", "where")
    }  # fmt: skip
    gap = {"value": row["gap"], "low": row["low"], "high": row["high"], "word": row["verdict"], "images": row["images"]}
    return {**sides, "gap": gap}


def _pathways(rows: Table) -> dict[str, Row]:
    judged = verdict(rows)
    accuracies = {
        row["condition"]: row["accuracy_of_two"]
        for row in pathways_summary(rows).rows()
        if row["asked"] == "order" and row["direction"] == "all"
    }
    images = int(rows.frame["image_id"].nunique())
    found: dict[str, Row] = {"pathway": {"word": judged.source, "images": images}}
    for name, condition in (("vision", "shuffled"), ("language", "removed")):
        one = getattr(judged, name)
        row: Row = {"word": one.outcome, "images": images, "raw": accuracies.get(condition), "null": 0.5}
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
            "raw": row["dae"], "null": row["dae_null"], "images": row["images"],
        }
    }  # fmt: skip


def scale_changes(table: Table, recipe: str = "scale") -> Table:
    """How each number of a recipe's models changes with size (at the last step) and with steps (of each size).

    Steps are compared from the first snapshot at or after a fifth of the run on: one that is fixed before anything is
    measured. The change is of means over seeds. Its interval is the wider one of two: over seeds where there are
    three (Student's, of paired differences for steps, Welch's for sizes), and over pictures, by the method of variance
    estimates recovery (Zou and Donner, Construction of confidence limits about effect measures, 2008), which takes the
    two models' pictures as independent where they are the same, and so is on the wide side. With fewer than three seeds
    of a size what sizes do is undecided, whatever the interval over pictures: one seed is not told from another.
    """
    rows = [row for row in table.rows() if row["recipe"] == recipe]
    changes: list[Row] = []
    for measure in MEASURES:
        mine = [row for row in rows if row["measure"] == measure]
        last = [row for row in mine if row["last"]]
        sizes = sorted({(row["parameters"], row["size"]) for row in last})
        if len(sizes) > 1:
            sides = [[row for row in last if row["parameters"] == end[0]] for end in (sizes[0], sizes[-1])]
            ends = {"start": sizes[0][0], "end": sizes[-1][0]}
            changes.append(_change(sides[0], sides[1]) | ends | {"against": "size", "of": None, "measure": measure})
        changes += [row | {"measure": measure} for row in _of_steps(mine, [size for _, size in sizes])]
    return Table.of(CHANGES, changes, table.provenance)


def _of_steps(rows: Sequence[Row], sizes: Iterable[str]) -> Iterator[Row]:
    for size in sizes:
        mine = [row for row in rows if row["size"] == size]
        end = max(row["steps"] for row in mine)
        early = sorted({row["steps"] for row in mine if end / EARLY <= row["steps"] < end})
        if early:
            sides = [[row for row in mine if row["steps"] == steps] for steps in (early[0], end)]
            yield _change(*sides, paired=True) | {"against": "steps", "of": size, "start": early[0], "end": end}


def _change(before: Sequence[Row], after: Sequence[Row], *, paired: bool = False) -> Row:
    blank = dict.fromkeys(CHANGES.columns)
    sides = [{row["seed"]: row for row in side if row["omitted"] is None} for side in (before, after)]
    if paired:
        both = sides[0].keys() & sides[1].keys()
        sides = [{seed: row for seed, row in side.items() if seed in both} for side in sides]
    if not all(sides):
        reasons = {row["omitted"] for row in (*before, *after) if row["omitted"] is not None}
        return blank | {"seeds": 0, "omitted": "; ".join(sorted(reasons)) or "no seed has both"}
    one, two = ([side[seed] for seed in sorted(side)] for side in sides)
    means = [float(np.mean([row["value"] for row in side])) for side in (one, two)]
    change, seeds = means[1] - means[0], min(len(one), len(two))
    reaches = {"pictures": _over_pictures(one, two)}
    if seeds >= SEEDS:
        reaches["seeds"] = _over_seeds(*([row["value"] for row in side] for side in (one, two)), paired=paired)
    wider = max(reaches, key=lambda name: sum(reaches[name]))
    low, high = change - reaches[wider][0], change + reaches[wider][1]
    word: Word = "rises" if low > 0 else "falls" if high < 0 else "undecided"
    if seeds < SEEDS and not paired:
        word = "undecided"  # two runs differ by more than their sizes
    return blank | {
        "before": means[0], "after": means[1], "change": change, "low": low, "high": high, "interval": wider,
        "seeds": seeds, "word": word,
    }  # fmt: skip


def _over_pictures(one: Sequence[Mapping[str, Any]], two: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """How far the change reaches down and up: of intervals of means over seeds, as wide as one seed's on average."""
    down = [np.mean([row["value"] - row["low"] for row in side]) for side in (one, two)]
    up = [np.mean([row["high"] - row["value"] for row in side]) for side in (one, two)]
    return float(np.hypot(down[1], up[0])), float(np.hypot(up[1], down[0]))


def _over_seeds(one: Sequence[float], two: Sequence[float], *, paired: bool) -> tuple[float, float]:
    from scipy import special  # scipy.stats takes a second to import, which a page has not

    if paired:
        differences = np.array(two) - np.array(one)
        error, free = float(differences.std(ddof=1)) / np.sqrt(len(differences)), len(differences) - 1.0
    else:
        parts = [float(np.var(side, ddof=1)) / len(side) for side in (one, two)]
        error = float(np.sqrt(sum(parts)))
        below = sum(part**2 / (len(side) - 1) for part, side in zip(parts, (one, two), strict=True))
        free = sum(parts) ** 2 / below if below else 1.0
    reach = float(special.stdtrit(free, QUANTILE) * error)
    return reach, reach
