"""Rows of examined encoders, and their summary: means over seeds and differences paired by seed, with intervals.

Intervals are Student's over seeds, so that they hold for encoders trained anew; with three seeds they are wide, and
they have no width where all seeds agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backsight.errors import DataError
from backsight.tables import Schema, Table

RECIPES = ("clip", "cloc")
EXAMINED = Schema(
    "contrastive",
    {
        "recipe": "str", "seed": "int", "measure": "str", "part": "str", "value": "float", "chance": "float",
        "samples": "int",
    },
    "What pre-trained encoders know of what and where: a share, its chance and its samples, a row a seed and measure",
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
Ends = tuple[float | None, float | None, float | None]
WHERE = (
    ("relations", "closed"), ("relations", "open"), ("region retrieval", "pooled tokens"),
    ("region retrieval", "prompter"), ("box IoU", "prompter"),
)  # fmt: skip
WHAT = (
    ("naming", ""), ("retrieval", "text of a picture"), ("retrieval", "picture of a text"),
    ("region naming", "pooled tokens"), ("region naming", "prompter"), ("presence", "closed"), ("presence", "open"),
)  # fmt: skip
PROBES = ("column probe", "row probe")


def over_seeds(values: Sequence[float]) -> Ends:
    """Mean of one value a seed, and the ends of its 95 % t-interval, which take two seeds; None for none."""
    from scipy import special  # scipy.stats takes a second to import

    n = len(values)
    if n == 0:
        return None, None, None
    mean = float(np.mean(values))
    if n == 1:
        return mean, None, None
    reach = -float(special.stdtrit(n - 1, 0.025)) * float(np.std(values, ddof=1)) / np.sqrt(n)
    return mean, mean - reach, mean + reach


def summary(table: Table) -> Table:
    """One row a measure and part: both recipes over their seeds, and CLOC-style less CLIP-style over common seeds.

    DataError where a recipe is unknown or a seed has a measure twice.
    """
    of: dict[tuple[str, str], dict[tuple[str, int], dict[str, Any]]] = {}
    for row in table.rows():
        if row["recipe"] not in RECIPES:
            raise DataError("There is no such recipe of encoders", where=table.schema.name, got=row["recipe"],
                            do=f"give rows of {' and '.join(RECIPES)}")  # fmt: skip
        seeds = of.setdefault((row["measure"], row["part"]), {})
        if (row["recipe"], row["seed"]) in seeds:
            got = f"{row['recipe']}, seed {row['seed']}: {row['measure']} {row['part']}"
            raise DataError("A seed has a measure twice", where=table.schema.name, got=got, do="give each row once")
        seeds[row["recipe"], row["seed"]] = row
    rows = [_row(measure, part, of[measure, part]) for measure, part in _ordered(list(of))]
    return Table.of(SUMMARY, rows, {"of": table.schema.name, **table.provenance})


def _row(measure: str, part: str, seeds: dict[tuple[str, int], dict[str, Any]]) -> dict[str, Any]:
    by: dict[str, dict[int, float]] = {recipe: {} for recipe in RECIPES}
    for (recipe, seed), row in sorted(seeds.items()):
        by[recipe][seed] = row["value"]
    clip, cloc = by.values()
    paired = [cloc[seed] - clip[seed] for seed in clip if seed in cloc]
    chance = float(np.mean([row["chance"] for row in seeds.values()]))
    columns: dict[str, Any] = {"measure": measure, "part": part, "chance": chance}
    for name, values in (("clip", [*clip.values()]), ("cloc", [*cloc.values()]), ("difference", paired)):
        mean, low, high = over_seeds(values)
        columns |= {name: mean, f"{name}_low": low, f"{name}_high": high, f"{name}_seeds": len(values)}
    return columns


def _ordered(keys: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Where, what, then probes by block; whatever else there is comes last."""
    first = [*WHERE, *WHAT]
    places = {key: number for number, key in enumerate(first)}
    return sorted(
        keys, key=lambda key: (places.get(key, len(first)), PROBES.index(key[0]) if key[0] in PROBES else len(PROBES))
    )  # fmt: skip
