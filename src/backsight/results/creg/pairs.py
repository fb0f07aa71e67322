"""Methods of relevance against one another, and what would be chosen on the pictures that choices are made on.

The best of many methods and options is too good on the very pictures that it was chosen on: the tables' figures are of
the rest, and a choice is judged there too.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.maths.comparison import sign_flips_of
from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.intervals import holm, means_over_images
from backsight.maths.relevance import (
    BOX,
    CHOICE,
    DEFAULT,
    ELSEWHERE,
    FLOOR,
    LEADING,
    NULL,
    ORACLE,
    RANDOM,
    SECTOR,
    TRUTH,
)
from backsight.results.creg.schema import CHOICES, PAIRS, ROWS
from backsight.tables import Table

APART = (FLOOR, BOX, SECTOR, ORACLE)  # references that are no rivals
TIED = 1e-6  # degrees: angles that differ by less are equal but for rounding
FIRST = (LEADING, CHOICE, DEFAULT)  # what stands where nothing is chosen
Row = dict[str, Any]


def creg_pairs(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Every method's DAE less every other's for the same target, default projection, where both have a compass.

    Methods without a target, uniform and random relevance stand beside both targets: a pair of two of them has a row
    in the truth's family and another in the prediction's. Uniform relevance is always the other of a pair. The mean
    difference is tested by sign flips over images, against uniform relevance one-sided (that the method is nearer),
    with Holm's correction over each family of a suite and prompt.
    """
    expect(rows, ROWS.name)
    pairs: list[Row] = []
    frame = rows.frame
    frame = frame[(frame["projection"] == DEFAULT) & (frame["part"] == "rest") & ~frame["method"].isin(APART)]
    for (suite, prompt), group in groups(frame, ["suite", "prompt"]):
        for target in (TRUTH, CHOICE):
            part = group[group["target"].isna() | (group["target"] == target)]
            if not (part["target"] == target).any():
                continue
            pairs += [{"suite": suite, "prompt": prompt} | row for row in _pairs(part, target, smallest)]
    return Table.of(PAIRS, pairs, rows.provenance)


def _pairs(part: pd.DataFrame, target: str, smallest: int) -> list[Row]:
    """All pairs of the methods of one target."""
    table = part.pivot_table(index=["image_id", "example_id"], columns="method", values="dae", sort=False)
    names = [name for name in dict.fromkeys(part["method"]) if name in table]
    targeted = set(part.loc[part["target"].notna(), "method"])
    images = table.index.get_level_values("image_id").to_numpy().astype(str)
    values = {name: table[name].to_numpy(dtype=float) for name in names}
    _, image = np.unique(images, return_inverse=True)
    pairs, tested, sums = [], [], []
    for first, second in combinations(names, 2):
        one, other = (second, first) if first == NULL else (first, second)
        difference = values[one] - values[other]
        row = _pair(difference, images, smallest)
        row |= {"method": one, "target": target if one in targeted else None}
        row |= {"other": other, "other_target": target if other in targeted else None}
        pairs.append(row)
        if not row["omitted"]:
            tested.append(row)
            sums.append(np.bincount(image, weights=np.nan_to_num(difference)))
    if tested:
        ps = sign_flips_of(np.stack(sums, 1), ["less" if row["other"] == NULL else "two-sided" for row in tested])
        for row, p, adjusted in zip(tested, ps, holm(ps), strict=True):
            row |= {"p_value": p, "p_holm": adjusted}
    return pairs


def _pair(difference: NDArray[np.float64], images: NDArray[np.str_], smallest: int) -> Row:
    """The figures of one pair from the differences of all questions, missing where one side is; without a p-value."""
    given = ~np.isnan(difference)
    difference, images = difference[given], images[given]
    figures = ("difference", "low", "high", "nearer", "further", "p_value", "p_holm")
    row: Row = dict.fromkeys(figures) | {"questions": len(difference), "images": len(set(images.tolist()))}
    if row["images"] < smallest:
        return row | {"omitted": True}
    interval = means_over_images(difference[:, None], images)[0]
    _, index = np.unique(images, return_inverse=True)
    by_image = np.bincount(index, weights=difference) / np.bincount(index)
    row |= {"difference": interval.mean, "low": interval.low, "high": interval.high, "omitted": False}
    return row | {"nearer": float((by_image < -TIED).mean()), "further": float((by_image > TIED).mean())}


def creg_choices(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Of each suite and prompt the method and option with the largest gain over uniform relevance in the dev split.

    Methods explain the model's choice, or no answer. They are compared on the questions where all of them have a
    compass, if those are enough, else each on its own.
    """
    expect(rows, ROWS.name)
    frame = rows.frame[rows.frame["projection"].notna() & ~rows.frame["projection"].isin(ELSEWHERE)]
    choices: list[Row] = []
    for (suite, prompt), group in groups(frame, ["suite", "prompt"]):
        null = group[group["method"] == NULL].set_index(["example_id", "projection"])["dae"]
        mine = group[~group["method"].isin((*APART, NULL, RANDOM)) & (group["target"].fillna("") != TRUTH)]
        places = pd.MultiIndex.from_frame(mine[["example_id", "projection"]])
        mine = mine.assign(gain=null.reindex(places).to_numpy() - mine["dae"].to_numpy()).dropna(subset=["gain"])
        if len(mine):
            choices.append(_chosen(mine, smallest) | {"suite": suite, "prompt": prompt})
    return Table.of(CHOICES, choices, rows.provenance)


def _chosen(rows: pd.DataFrame, smallest: int) -> Row:
    """The choice among the dev rows of one suite and prompt, and its gain on the rest."""
    keys = ["method", "target", "projection"]
    dev, rest = rows[rows["part"] == "dev"], rows[rows["part"] == "rest"]
    row: Row = dict.fromkeys(CHOICES.columns)
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
