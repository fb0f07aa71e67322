"""What would be chosen on the pictures that choices are made on, and what the choice is worth on all others.

The best of many methods and options is too good on the very pictures that it was chosen on: the tables' figures are of
the rest, and a choice is judged there too.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from backsight import schemas
from backsight.maths.creg import APART, DEFAULT, ELSEWHERE, NULL
from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.intervals import means_over_images
from backsight.tables import Table

DRAWN = "random_relevance"
FIRST = ("creg", "prediction", DEFAULT)  # what stands where nothing is chosen
Row = dict[str, Any]


def creg_choices(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Of each suite and prompt the method and option with the largest gain on the layout among dev pictures.

    Methods explain the model's choice, or no answer. They are compared on the questions where all of them have a
    compass, if those are enough, else each on its own.
    """
    expect(rows, "creg")
    frame = rows.frame[rows.frame["projection"].notna() & ~rows.frame["projection"].isin(ELSEWHERE)]
    found: list[Row] = []
    for (suite, prompt), group in groups(frame, ["suite", "prompt"]):
        null = group[group["method"] == NULL].set_index(["example_id", "projection"])["dae"]
        mine = group[~group["method"].isin((*APART, NULL, DRAWN)) & (group["target"].fillna("") != "truth")]
        places = pd.MultiIndex.from_frame(mine[["example_id", "projection"]])
        mine = mine.assign(gain=null.reindex(places).to_numpy() - mine["dae"].to_numpy()).dropna(subset=["gain"])
        if len(mine):
            found.append(_chosen(mine, smallest) | {"suite": suite, "prompt": prompt})
    return Table.of(schemas.CREG_CHOICES, found, rows.provenance)


def _chosen(rows: pd.DataFrame, smallest: int) -> Row:
    """The choice among the dev rows of one suite and prompt, and its gain on the rest."""
    keys = ["method", "target", "projection"]
    dev, rest = rows[rows["part"] == "dev"], rows[rows["part"] == "rest"]
    row: Row = dict.fromkeys(schemas.CREG_CHOICES.columns)
    row |= {"dev_images": dev["image_id"].nunique(), "images": rest["image_id"].nunique()}
    row["omitted"] = min(row["dev_images"], row["images"]) < smallest
    if row["omitted"]:
        return row
    each = {key: group for key, group in groups(dev, keys) if group["image_id"].nunique() >= smallest}
    if not each:
        return row | {"omitted": True}
    common = set.intersection(*(set(group["example_id"]) for group in each.values()))
    if dev[dev["example_id"].isin(common)]["image_id"].nunique() >= smallest:
        each = {key: group[group["example_id"].isin(common)] for key, group in each.items()}
    best = max(each, key=lambda key: float(each[key]["gain"].mean()))
    row |= dict(zip(keys, best, strict=True)) | {"dev_gain": float(each[best]["gain"].mean())}
    row |= {"options": len(each), "dev_questions": len(each[best])}
    held = dict(groups(rest, keys))
    part = held.get(best, rest.iloc[:0])
    row |= {"questions": len(part), "images": part["image_id"].nunique()}
    if row["images"] >= smallest:
        interval = means_over_images(part["gain"].to_numpy(float)[:, None], part["image_id"].astype(str))[0]
        row |= {"gain": interval.mean, "low": interval.low, "high": interval.high}
        same = held[FIRST][held[FIRST]["example_id"].isin(part["example_id"])] if FIRST in held else part.iloc[:0]
        row["default_gain"] = float(same["gain"].mean()) if same["image_id"].nunique() >= smallest else None
    return row
