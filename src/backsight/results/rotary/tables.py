"""What becomes of answers and attention when rotary coordinates change, from the rows of Rotary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.intervals import Interval, difference_over_images, mean_over_images, means_over_images
from backsight.tables import Schema, Table

ROTARY = Schema(
    "rotary",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "direction": "str",
        "along": "str",  # the coordinate that the answer lies along: column, row; missing where it is neither
        "edit": "str",  # plain; mirror: coordinates mirrored; turn: image keys turned
        "given": "str",  # the coordinate that is changed: column, row, both
        "condition": "str",  # of mirror: picture, gray; of turn: step, scrambled (as far, to no position)
        "steps": "int",  # cells
        "layer": "int",  # missing: the row is about the answer
        "answer": "str",
        "opposite": "str",  # the answer in the picture mirrored along `along`
        "right_before": "bool",  # whether the plain answer to the picture is right
        "choice": "str",
        "correct": "bool",
        "changed": "bool",  # against the plain answer to the picture
        "log_p": "float",  # of the right answer
        "log_p_change": "float",
        "share": "float",  # of the last position's attention that goes to the image, mean over heads, plain
        "share_change": "float",
        "share_moved": "float",  # mean over heads of the absolute change
        "map_moved": "float",  # total variation of the attention within the image, mean over heads
        "map_moved_most": "float",  # and of the head where it is most
    },
    "Answers and attention with rotary coordinates changed, one row a question, condition and layer",
)
ROTARY_SUMMARY = Schema(
    "rotary_summary",
    {
        "suite": "str",
        "edit": "str",  # mirror, turn
        "along": "str",  # of mirror: the coordinate that the answers lie along, or neither
        "given": "str",
        "steps": "int",
        "layer": "int",
        # Of mirror: mirrored, stays, other. Of turn: changed, log_p; share, share_change, share_moved, map_moved.
        "quantity": "str",
        "questions": "int",
        "images": "int",
        "value": "float",
        "low": "float",
        "high": "float",
        "null": "float",  # gray picture, or keys turned as far to no position
        "null_low": "float",
        "null_high": "float",
        "difference": "float",  # value - null, paired
        "difference_low": "float",
        "difference_high": "float",
        "omitted": "bool",
    },
    "What changes with rotary coordinates, beside its null, with 95 % intervals",
)
NEITHER = "neither"
ATTENTION = ("share", "share_change", "share_moved", "map_moved")
NULLS = {"picture": "gray", "step": "scrambled"}
Row = dict[str, Any]


def rotary_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Shares of answers that mirror, stay or become another one, among questions answered right before, by suite, the
    answers' own coordinate and the mirrored one; and what turned keys change, by suite, direction, steps and layer."""
    expect(rows, ROTARY.name)
    summary: list[Row] = []
    frame = rows.frame
    mirror = frame[(frame["edit"] == "mirror") & frame["right_before"].fillna(False).astype(bool)]
    mirror = mirror.assign(along=mirror["along"].fillna(NEITHER))
    for (suite, along, given), group in groups(mirror, ["suite", "along", "given"]):
        known = group["opposite"].notna().any()
        values = {name: column for name, column in _outcomes(group).items() if known or name != "mirrored"}
        named = {"suite": suite, "edit": "mirror", "along": along, "given": given}
        summary += _answers(named, group, "picture", values, smallest, shares=True)
    turn = frame[frame["edit"] == "turn"]
    for (suite, given, steps), group in groups(turn, ["suite", "given", "steps"]):
        named = {"suite": suite, "edit": "turn", "given": given, "steps": int(steps)}
        whole = group[group["layer"].isna()]
        summary += _answers(named, whole, "step", {"changed": whole["changed"].astype(float)}, smallest, shares=True)
        log_p = {"log_p": whole["log_p_change"].astype(float)}
        summary += _answers(named, whole, "step", log_p, smallest, shares=False)
        summary += _by_layer(named, group[group["layer"].notna()], smallest)
    empty = dict.fromkeys(ROTARY_SUMMARY.columns)
    return Table.of(ROTARY_SUMMARY, [empty | row for row in summary], rows.provenance)


def _outcomes(group: pd.DataFrame) -> dict[str, pd.Series[float]]:
    stays = group["choice"] == group["answer"]
    mirrored = (group["choice"] == group["opposite"]).fillna(False)
    other = ~(stays | mirrored)
    return {
        "mirrored": mirrored.astype(float),
        "stays": stays.astype(float),
        "other": other.astype(float),
    }


def _answers(
    named: Row, group: pd.DataFrame, condition: str, values: dict[str, pd.Series[float]], smallest: int, *, shares: bool
) -> list[Row]:
    """A row a quantity: its mean under a condition, under that condition's null, and the paired difference."""
    own, null = group["condition"] == condition, group["condition"] == NULLS[condition]
    count = group.loc[own, "example_id"].nunique()
    rows = []
    for quantity, value in values.items():
        row = named | {"quantity": quantity, "questions": count, "images": group.loc[own, "image_id"].nunique()}
        row["omitted"] = count < smallest
        if count >= smallest:
            images = group["image_id"].astype(str)
            row |= _interval("", mean_over_images(value[own], images[own], shares=shares))
            if null.any():
                row |= _interval("null", mean_over_images(value[null], images[null], shares=shares))
                one, other = (
                    pd.Series(value[part].to_numpy(float), index=group.loc[part, "example_id"].astype(str))
                    for part in (own, null)
                )
                gap = (one - other.reindex(one.index)).dropna()
                by_id = dict(zip(group["example_id"].astype(str), images, strict=True))
                of = [by_id[i] for i in gap.index]
                paired = difference_over_images(gap, of) if shares else mean_over_images(gap, of, shares=False)
                row |= _interval("difference", paired)
        rows.append(row)
    return rows


def _by_layer(named: Row, group: pd.DataFrame, smallest: int) -> list[Row]:
    """A row a layer and quantity of the attention; all columns are resampled with the same draws of images."""
    one, other = (
        group[group["condition"] == name].pivot(index="example_id", columns="layer", values=list(ATTENTION))
        for name in ("step", "scrambled")
    )
    other = other.reindex(one.index)
    images = group.drop_duplicates("example_id").set_index("example_id")["image_id"].reindex(one.index).astype(str)
    layers, count = sorted({int(n) for n in group["layer"]}), len(one)
    keys = [(quantity, layer) for quantity in ATTENTION for layer in layers]
    named = named | {"questions": count, "images": images.nunique(), "omitted": count < smallest}
    if count < smallest:
        return [named | {"quantity": quantity, "layer": layer} for quantity, layer in keys]
    mine, null = (part[keys].to_numpy(float) for part in (one, other))
    intervals = means_over_images(np.concatenate([mine, null, mine - null], 1), images.to_numpy())
    rows = []
    for number, (quantity, layer) in enumerate(keys):
        row = named | {"quantity": quantity, "layer": layer} | _interval("", intervals[number])
        if quantity != "share":
            row |= _interval("null", intervals[number + len(keys)])
            row |= _interval("difference", intervals[number + 2 * len(keys)])
        rows.append(row)
    return rows


def _interval(name: str, interval: Interval) -> Row:
    start = f"{name}_" if name else ""
    return {name or "value": interval.mean, f"{start}low": interval.low, f"{start}high": interval.high}
