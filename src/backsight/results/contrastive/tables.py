"""Rows of examined encoders, and their summary: means over seeds and differences paired by seed, with intervals.

Intervals are Student's over three seeds or more, so that they hold for encoders trained anew. They are no narrower than
the pictures make them that all seeds are asked about.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from backsight.errors import DataError
from backsight.maths.seeds import OverSeeds, over_seeds
from backsight.tables import Schema, Table

RECIPES = ("clip", "cloc")
EXAMINED = Schema(
    "contrastive",
    {
        "recipe": "str", "seed": "int", "measure": "str", "part": "str", "value": "float", "chance": "float",
        "error": "float", "samples": "int",
    },
    "What pre-trained encoders know of what and where: a share, its chance, its standard error over pictures and its "
    "samples, a row a seed and measure",
)  # fmt: skip
SUMMARY = Schema(
    "contrastive_summary",
    {"measure": "str", "part": "str", "chance": "float"}
    | {
        f"{of}{end}": "float" if end != "_seeds" else "int"
        for of in (*RECIPES, "difference") for end in ("", "_low", "_high", "_seeds")
    },
    "Means over seeds of CLIP-style and CLOC-style encoders, and their difference paired by seed, 95 % t-intervals",
)  # fmt: skip
Key = tuple[str, str]
WHERE = (
    ("relations", "closed"), ("relations moved", "closed"), ("relations", "open"), ("relations moved", "open"),
    ("region retrieval", "pooled tokens"),
    ("region retrieval", "prompter"), ("box IoU", "prompter"),
)  # fmt: skip
WHAT = (
    ("naming", ""), ("retrieval", "text of a picture"), ("retrieval", "picture of a text"),
    ("region naming", "pooled tokens"), ("region naming", "prompter"), ("presence", "closed"), ("presence", "open"),
)  # fmt: skip
PROBES = ("column probe", "row probe")


def summary(table: Table) -> Table:
    """One row a measure and part: both recipes over their seeds, and CLOC-style less CLIP-style over common seeds.

    DataError where a recipe is unknown or a seed has a measure twice.
    """
    of = by_measure(table)
    rows = [_row(measure, part, of[measure, part]) for measure, part in _ordered(list(of))]
    return Table.of(SUMMARY, rows, {"of": table.schema.name, **table.provenance})


def by_measure(table: Table) -> dict[Key, dict[tuple[str, int], dict[str, Any]]]:
    """The rows by measure and part, then by recipe and seed; DataError as of `summary`."""
    of: dict[Key, dict[tuple[str, int], dict[str, Any]]] = {}
    for row in table.rows():
        if row["recipe"] not in RECIPES:
            raise DataError("There is no such recipe of encoders", where=table.schema.name, got=row["recipe"],
                            do=f"give rows of {' and '.join(RECIPES)}")  # fmt: skip
        seeds = of.setdefault((row["measure"], row["part"]), {})
        if (row["recipe"], row["seed"]) in seeds:
            got = f"{row['recipe']}, seed {row['seed']}: {row['measure']} {row['part']}"
            raise DataError("A seed has a measure twice", where=table.schema.name, got=got, do="give each row once")
        seeds[row["recipe"], row["seed"]] = row
    return of


def shared_error(rows: Sequence[dict[str, Any]]) -> float:
    """The standard error of a mean over seeds from the pictures, which are the same for all: that of one seed."""
    return float(np.mean([row["error"] for row in rows])) if rows else 0.0


def _row(measure: str, part: str, seeds: dict[tuple[str, int], dict[str, Any]]) -> dict[str, Any]:
    by: dict[str, dict[int, dict[str, Any]]] = {recipe: {} for recipe in RECIPES}
    for (recipe, seed), row in sorted(seeds.items()):
        by[recipe][seed] = row
    chance = float(np.mean([row["chance"] for row in seeds.values()]))
    columns: dict[str, Any] = {"measure": measure, "part": part, "chance": chance}
    errors = {recipe: shared_error([*rows.values()]) for recipe, rows in by.items()}
    clip, cloc = by.values()
    of = {recipe: ([row["value"] for row in rows.values()], errors[recipe]) for recipe, rows in by.items()}
    of["difference"] = (
        [cloc[seed]["value"] - clip[seed]["value"] for seed in clip if seed in cloc],
        math.hypot(*errors.values()),
    )
    for name, (values, error) in of.items():
        one = over_seeds(values, least_error=error) if values else OverSeeds(0, 0.0)
        columns |= {name: one.mean if values else None, f"{name}_low": one.low, f"{name}_high": one.high}
        columns[f"{name}_seeds"] = len(values)
    return columns


def _ordered(keys: Sequence[Key]) -> list[Key]:
    """Where, what, then probes by block; whatever else there is comes last."""
    first = [*WHERE, *WHAT]
    places = {key: number for number, key in enumerate(first)}
    return sorted(
        keys, key=lambda key: (places.get(key, len(first)), PROBES.index(key[0]) if key[0] in PROBES else len(PROBES))
    )  # fmt: skip
