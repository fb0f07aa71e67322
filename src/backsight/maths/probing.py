"""Accuracy by site and layer from the rows of position probes."""

from __future__ import annotations

from typing import Any

from backsight import schemas
from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.intervals import mean_over_images
from backsight.tables import Table

MEASURES = ("objects", "objects_shuffled", "background", "background_shuffled", "as_ordinal", "as_column")
# Differences within a picture: what the probe adds to one of shuffled places (selectivity: Hewitt and Liang, 2019).
SELECTIVITY = {
    "selectivity": ("objects", "objects_shuffled"),
    "background_selectivity": ("background", "background_shuffled"),
}


def probes_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """The mean of each measure over test pictures, by suite, arrangement, what is shown, site and layer."""
    expect(rows, "probes")
    found: list[dict[str, Any]] = []
    keys = ["suite", "arrangement", "shown", "site", "layer"]
    for values, group in groups(rows.frame, keys):
        columns = {name: group[name] for name in MEASURES}
        columns |= {name: group[one] - group[null] for name, (one, null) in SELECTIVITY.items()}
        for measure, column in columns.items():
            there = column.notna()
            if not there.any():
                continue
            pictures = int(group.loc[there, "image_id"].nunique())
            omitted = pictures < smallest
            interval = mean_over_images(
                column[there].astype(float), group.loc[there, "image_id"].astype(str), shares=False
            )
            numbers = {"share": interval.mean, "low": interval.low, "high": interval.high}
            chance = 0.0 if measure in SELECTIVITY else 1 / int(group["places"].iloc[0])
            found.append(
                dict(zip(keys, values, strict=True))
                | {"measure": measure, "pictures": pictures, "chance": chance, "omitted": omitted}
                | {name: None if omitted else value for name, value in numbers.items()}
            )
    return Table.of(schemas.PROBES_SUMMARY, found, rows.provenance)
