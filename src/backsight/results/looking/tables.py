"""How well attention finds the boxes, from the rows of Looking."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.intervals import Interval
from backsight.results import by_head
from backsight.tables import Schema, Table

Row = dict[str, Any]
TARGETS = ("subject", "reference", "boxes")  # boxes: both together, or all there are where they are not named
VALUES = ("share", "area", "auroc", "kept", "gray", "mirrored", "random")
NULLS = ("gray", "mirrored", "random")
COLUMNS = (*(f"{target}_{value}" for target in TARGETS for value in VALUES), "sinks", "sink_share")
ROWS = Schema(
    "looking",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "prompt": "str",
        "direction": "str",
        "correct": "bool",  # missing where single tokens cannot tell the options apart
        "queries": "str",  # last: the last position; question: the mean over the question's tokens
        "layer": "int",
        "head": "int",  # missing: the mean over the layer's heads
        # Of each target: its share of the image's attention and of the area, AUROC, without sinks (kept), and of the
        # nulls: the gray picture, the mirrored box, random boxes.
        **{column: "float" for column in COLUMNS},
        "sinks": "int",  # tokens of the layer
        "sink_share": "float",  # of the image's attention
    },
    "How well attention finds the boxes, one row a question, layer and head",
)
SUMMARY = Schema(
    "looking_summary",
    {
        "suite": "str",
        "prompt": "str",
        "queries": "str",
        "target": "str",
        "answered": "str",  # all, right, wrong
        "layer": "int",
        "head": "int",
        "questions": "int",
        "images": "int",
        "share": "float",
        "share_low": "float",
        "share_high": "float",
        "area": "float",
        "auroc": "float",
        "low": "float",
        "high": "float",
        "kept": "float",  # AUROC without sinks
        "gray": "float",
        "mirrored": "float",
        "random": "float",
        "hardest": "str",  # the null with the highest AUROC
        "over": "float",  # AUROC less that null, paired
        "over_low": "float",
        "over_high": "float",
        "p_holm": "float",  # over all layers, or over all heads, of a suite, prompt and target
        "finds": "bool",
        "sinks": "float",
        "sink_share": "float",
        "omitted": "bool",
    },
    "How well attention finds the boxes beside its nulls, with 95 % intervals",
)


def looking_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """AUROC and shares by suite, prompt, target, answer (all, right, wrong), layer and head, beside their nulls.

    Attention finds a target where AUROC is above the hardest of its nulls: its interval over images lies above zero and
    the p-value, corrected over the layers (or heads), below .05. Single heads are given for all answers together only.
    """
    expect(rows, ROWS.name)
    summary: list[Row] = []
    for values, group in groups(rows.frame, list(by_head.KEYS)):
        about = dict(zip(by_head.KEYS, values, strict=True))
        for target in TARGETS:
            mine = group[group[f"{target}_area"].notna()]
            if target == "boxes" and group["reference_area"].notna().any() and mine.empty:
                continue
            for answered, part in _answered(mine):
                summary += _of(about | {"target": target, "answered": answered}, part, smallest)
    return Table.of(SUMMARY, summary, rows.provenance)


def _answered(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    if len(frame):
        yield "all", frame
    layers = frame[frame["head"].isna() & frame["correct"].notna()]
    for name, right in (("right", True), ("wrong", False)):
        part = layers[layers["correct"].astype(bool) == right]
        if len(part):
            yield name, part


def _of(about: Row, frame: pd.DataFrame, smallest: int) -> list[Row]:
    rows, target = by_head.indexed(frame), about["target"]
    of = {name: by_head.matrix(rows, f"{target}_{name}") for name in VALUES}
    of |= {name: by_head.matrix(rows, name) for name in ("sinks", "sink_share")}
    images, places = by_head.images_of(rows), by_head.places(of["auroc"])
    base = {"questions": len(images), "images": len(set(images)), "omitted": len(images) < smallest}
    at = [about | {"layer": layer, "head": None if head == by_head.MEAN else head} | base for layer, head in places]
    empty: Row = dict.fromkeys(SUMMARY.columns)
    if base["omitted"]:
        return [empty | one for one in at]
    auroc, share = (by_head.means(of[name], images, shares=True) for name in ("auroc", "share"))
    plain = {name: of[name].mean().to_numpy(float) for name in (*NULLS, "area", "kept", "sinks", "sink_share")}
    over, hardest, p = _over_nulls(of, images)
    summary = []
    for number, one in enumerate(at):
        row = empty | one | by_head.named(auroc[number], "auroc") | by_head.named(share[number], "share", "share")
        row |= {name: by_head.finite(float(values[number])) for name, values in plain.items()}
        row |= by_head.named(over[number], "over", "over")
        row |= {"hardest": hardest[number], "p_holm": p[number]}
        low, value = row["over_low"], p[number]
        row["finds"] = low is not None and low > 0 and value is not None and value < by_head.LEVEL
        summary.append(row)
    return summary


def _over_nulls(
    of: dict[str, by_head.Matrix], images: Any
) -> tuple[list[Interval], list[str | None], list[float | None]]:
    """By layer and head the paired difference from the null that is hardest to tell from attention, which null that is,
    and its corrected p. A null that fewer than `SMALLEST` questions have, as a mirrored box may be, is none."""
    differences = {name: of["auroc"] - of[name] for name in NULLS}
    intervals = {name: by_head.means(one, images, shares=False) for name, one in differences.items()}
    p = {name: by_head.p_values(one, images) for name, one in differences.items()}
    known = {name: one.notna().sum().to_numpy() for name, one in differences.items()}
    places = by_head.places(of["auroc"])
    over, hardest, raw = [], [], []
    for number in range(len(places)):
        there = [name for name in NULLS if known[name][number] >= SMALLEST and p[name][number] is not None]
        name = min(there, key=lambda one: intervals[one][number].low) if there else None
        hardest.append(name)
        over.append(by_head.NOTHING if name is None else intervals[name][number])
        raw.append(max((value for one in there if (value := p[one][number]) is not None), default=None))
    return over, hardest, by_head.corrected(raw, places)
