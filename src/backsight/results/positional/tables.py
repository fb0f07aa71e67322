"""Tables of the positional experiment: what one checkpoint's examination gives, and means over seeds.

Accuracies of relations are read out between the first and the last thing of the row, and every row is shown reversed
too: what knows only which things are there has one half exactly. `mirrored` is the share of such pairs of pictures
whose answer to the same question changes, which is what a model that knows no position never does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from backsight.maths.grouping import expect
from backsight.maths.seeds import over_seeds
from backsight.tables import Schema, Table

POSITIONAL = Schema(
    "positional",
    {
        "setting": "str",
        "seed": "int",
        "measure": "str",  # relation, mirrored, presence, psi, pathway, probe, norm_ratio, position_share, ...
        "condition": "str",  # where rows stand and how large the grid is; of other measures the site, part or order
        "axis": "str",  # horizontal, vertical, all
        "n": "int",  # questions; of mirrored pairs of pictures, of probes and norms pictures
        "value": "float",
        "low": "float",  # 95 %, over pictures
        "high": "float",
        "null": "float",  # a gray picture's accuracy, a probe of shuffled positions, shifted positions
        "note": "str",  # the verdict of a pathway, or why there is no value
    },
    "One trained model with one positional encoding: what it answers, and what its tokens hold",
)
POSITIONAL_SUMMARY = Schema(
    "positional_summary",
    {
        "setting": "str",
        "measure": "str",
        "condition": "str",
        "axis": "str",
        "seeds": "int",  # those that have a value
        "mean": "float",
        "low": "float",  # Student's t over seeds, 95 %; missing with fewer than three, or where all are alike
        "high": "float",
        "null": "float",  # the mean of the null over the same seeds
        "each": "str",  # the value of every seed, in order: 0: 0.98, 1: 0.97
    },
    "Means over seeds of each measure, with Student's t intervals",
)
TRAINED, UNSEEN = "trained", "unseen columns"
SIZES: Mapping[str, tuple[int, int]] = {"larger": (12, 12), "wide": (12, 8), "tall": (8, 12), "smaller": (6, 6)}
PLACEMENTS = ("cells", "fractions")
OTHER = tuple(f"{size}, {placement}" for size in SIZES for placement in PLACEMENTS)
CONDITIONS = (TRAINED, UNSEEN, *OTHER)
SHARES = ("relation", "relation_of_all", "presence", "mirrored")


def positional_summary(rows: Table) -> Table:
    """Means over seeds, by setting, measure, condition and axis; a group without any value is left out."""
    expect(rows, POSITIONAL.name)
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows.rows():
        if row["value"] is not None:
            groups.setdefault(tuple(row[k] for k in ("setting", "measure", "condition", "axis")), []).append(row)
    summary = []
    for (setting, measure, condition, axis), group in groups.items():
        group = sorted(group, key=lambda row: row["seed"])
        over = over_seeds([row["value"] for row in group])
        low, high = over.low, over.high
        if measure in SHARES and low is not None and high is not None:
            low, high = max(low, 0.0), min(high, 1.0)
        nulls = [row["null"] for row in group if row["null"] is not None]
        summary.append(
            {
                "setting": setting, "measure": measure, "condition": condition, "axis": axis, "seeds": len(group),
                "mean": over.mean, "low": low, "high": high, "null": sum(nulls) / len(nulls) if nulls else None,
                "each": ", ".join(f"{row['seed']}: {row['value']:.3g}" for row in group),
            }
        )  # fmt: skip
    return Table.of(POSITIONAL_SUMMARY, summary, rows.provenance)


Key = tuple[str, str, str]  # measure, condition, axis


def by_run(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[int, dict[Key, Mapping[str, Any]]]]:
    """Rows that have a value by setting, seed and (measure, condition, axis)."""
    runs: dict[str, dict[int, dict[Key, Mapping[str, Any]]]] = {}
    for row in rows:
        if row["value"] is not None:
            key = (row["measure"], row["condition"], row["axis"])
            runs.setdefault(row["setting"], {}).setdefault(row["seed"], {})[key] = row
    return runs
