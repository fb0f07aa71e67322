"""Tables of the positional experiment: what one checkpoint's examination gives, and means over seeds.

Accuracies of relations are read out between the first and the last thing of the row, so that a guess has one half.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from backsight.maths.grouping import expect
from backsight.tables import Schema, Table

POSITIONAL = Schema(
    "positional",
    {
        "setting": "str",
        "seed": "int",
        "measure": "str",  # relation, relation_of_all, presence, psi, pathway, probe, norm_ratio, position_share, ...
        "condition": "str",  # where rows stand and how large the grid is; of other measures the site, part or order
        "axis": "str",  # horizontal, vertical, all
        "n": "int",  # questions; of probes and norms pictures
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
        "low": "float",  # Student's t over seeds, 95 %; missing with fewer than two
        "high": "float",
        "null": "float",  # the mean of the null over the same seeds
        "each": "str",  # the value of every seed, in order: 0: 0.98, 1: 0.97
    },
    "Means over seeds of each measure, with Student's t intervals",
)
TRAINED, UNSEEN = "trained", "unseen positions"
SIZES: Mapping[str, tuple[int, int]] = {"larger": (12, 12), "wide": (12, 8), "tall": (8, 12), "smaller": (6, 6)}
PLACEMENTS = ("cells", "fractions")
OTHER = tuple(f"{size}, {placement}" for size in SIZES for placement in PLACEMENTS)
CONDITIONS = (TRAINED, UNSEEN, *OTHER)
SHARES = ("relation", "relation_of_all", "presence")


def quantile(freedom: float) -> float:
    """Student's two-sided 95 % quantile at some degrees of freedom, not necessarily whole."""
    from scipy import special  # scipy takes a second to import, which a page has not

    return float(special.stdtrit(freedom, 0.975))


def over_seeds(values: Sequence[float]) -> tuple[float, float | None, float | None]:
    """The mean of one value a seed, and both ends of Student's t interval; None with fewer than two seeds."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, None, None
    spread = math.sqrt(sum((one - mean) ** 2 for one in values) / (len(values) - 1) / len(values))
    reach = quantile(len(values) - 1) * spread
    return mean, mean - reach, mean + reach


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
        mean, low, high = over_seeds([row["value"] for row in group])
        if measure in SHARES and low is not None and high is not None:
            low, high = max(low, 0.0), min(high, 1.0)
        nulls = [row["null"] for row in group if row["null"] is not None]
        summary.append(
            {
                "setting": setting, "measure": measure, "condition": condition, "axis": axis, "seeds": len(group),
                "mean": mean, "low": low, "high": high, "null": sum(nulls) / len(nulls) if nulls else None,
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
