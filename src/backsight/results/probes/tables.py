"""Tables of position probes: accuracy by site and layer."""

from __future__ import annotations

from typing import Any

from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.intervals import mean_over_images
from backsight.tables import Schema, Table

PROBES = Schema(
    "probes",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "arrangement": "str",  # horizontal, vertical, grid
        "shown": "str",  # standard, or shifted: rows that stand elsewhere than those the probe was fitted on
        "site": "str",  # image_embeds, vision (behind a block of the encoder), resid_pre (before a block)
        "layer": "int",
        "places": "int",
        "objects": "float",  # share of the object tokens given their object's position
        "objects_shuffled": "float",  # the same by a probe of shuffled positions
        "background": "float",  # share of the other tokens given the position of their strip
        "background_shuffled": "float",
        "as_ordinal": "float",  # of object tokens whose place and strip differ: given the position
        "as_column": "float",  # ... or given the strip
    },
    "Position probes, one row a test picture, site and layer",
)
PROBES_SUMMARY = Schema(
    "probes_summary",
    {
        "suite": "str",
        "arrangement": "str",
        "shown": "str",
        "site": "str",
        "layer": "int",
        "measure": "str",  # as the columns of probes, and selectivity: the probe less one of shuffled positions
        "share": "float",
        "low": "float",
        "high": "float",
        "pictures": "int",
        "chance": "float",
        "omitted": "bool",
    },
    "Position probes by site and layer, with 95 % intervals",
)
MEASURES = ("objects", "objects_shuffled", "background", "background_shuffled", "as_ordinal", "as_column")
# Differences within a picture: what the probe adds to one of shuffled positions (selectivity: Hewitt and Liang, 2019).
SELECTIVITY = {
    "selectivity": ("objects", "objects_shuffled"),
    "background_selectivity": ("background", "background_shuffled"),
}


def probes_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """The mean of each measure over test pictures, by suite, arrangement, what is shown, site and layer."""
    expect(rows, "probes")
    summary: list[dict[str, Any]] = []
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
                column[there].astype(float), group.loc[there, "image_id"].astype(str), shares=measure in MEASURES
            )
            numbers = {"share": interval.mean, "low": interval.low, "high": interval.high}
            chance = 0.0 if measure in SELECTIVITY else 1 / int(group["places"].iloc[0])
            summary.append(
                dict(zip(keys, values, strict=True))
                | {"measure": measure, "pictures": pictures, "chance": chance, "omitted": omitted}
                | {name: None if omitted else value for name, value in numbers.items()}
            )
    return Table.of(PROBES_SUMMARY, summary, rows.provenance)
