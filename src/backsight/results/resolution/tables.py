"""Tables of resolution: rows a question or a probed picture at each size, and what is read from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.intervals import Interval, difference_over_images, mean_over_images
from backsight.tables import Schema, Table

RESOLUTION = Schema(
    "resolution",
    {
        "example_id": "str",
        "image_id": "str",  # of the picture as it came
        "suite": "str",
        "prompt": "str",
        "direction": "str",
        "kind": "str",  # answer: a question; probe: a picture on which a probe is scored
        "size": "str",  # own, or columns x rows in twelfths of the picture's own
        "columns": "int",  # of the token grid that the model lays over it
        "rows": "int",
        "answer": "str",
        "choice": "str",
        "correct": "bool",
        "options": "int",
        "axis": "str",  # of a probe: columns or rows, in thirds of the picture
        "layer": "int",  # of resid_pre; 0 is the language model's input
        "fitted": "str",  # the size at which the probe was fitted, on other pictures
        "share": "float",  # of the things' tokens that are given the third that they lie in
        "share_shuffled": "float",  # by a probe of shuffled thirds
    },
    "Answers at each size, and what probes read at each",
)
RESOLUTION_SUMMARY = Schema(
    "resolution_summary",
    {
        "suite": "str",
        "prompt": "str",
        "size": "str",
        "columns": "float",  # of the token grid, the mean over questions
        "rows": "float",
        "questions": "int",
        "images": "int",
        "accuracy": "float",
        "low": "float",
        "high": "float",
        "chance": "float",
        # less the accuracy at the own size on the same questions
        **{f"difference{end}": "float" for end in ("", "_low", "_high")},
        "omitted": "bool",
    },
    "Accuracy by size, with 95 % intervals",
)
RESOLUTION_PROBES = Schema(
    "resolution_probes",
    {
        "suite": "str",
        "axis": "str",
        "layer": "int",
        "fitted": "str",
        "size": "str",
        "pictures": "int",
        **{f"{name}{end}": "float" for name in ("share", "gain") for end in ("", "_low", "_high")},
        "shuffled": "float",  # the share of the probe of shuffled thirds; the gain over it is paired
        "omitted": "bool",
    },
    "What a probe fitted at one size reads at another, with 95 % intervals",
)
OWN = "own"
Row = dict[str, Any]


def resolution_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Accuracy by suite, prompt and size, and the paired difference from the own size; few questions are omitted."""
    expect(rows, RESOLUTION.name)
    frame = rows.frame
    summary: list[Row] = []
    for (suite, prompt), group in groups(frame[frame["kind"] == "answer"], ["suite", "prompt"]):
        own = group[group["size"] == OWN].set_index("example_id")["correct"].astype(float)
        for size in dict.fromkeys(group["size"]):
            part = group[group["size"] == size]
            row: Row = dict.fromkeys(RESOLUTION_SUMMARY.columns)
            row |= {"suite": suite, "prompt": prompt, "size": size, "questions": len(part)}
            row |= {"images": part["image_id"].nunique(), "omitted": len(part) < smallest}
            row |= {side: float(part[side].astype(float).mean()) for side in ("columns", "rows")}
            row["chance"] = float((1 / part["options"].astype(float)).mean())
            if not row["omitted"]:
                right, images = part["correct"].astype(float).to_numpy(), part["image_id"].astype(str)
                interval = mean_over_images(right, images)
                row |= {"accuracy": interval.mean, "low": interval.low, "high": interval.high}
                if size != OWN:
                    before = own.loc[part["example_id"]].to_numpy()
                    row |= _named("difference", difference_over_images(right - before, images))
            summary.append(row)
    return Table.of(RESOLUTION_SUMMARY, summary, rows.provenance)


def resolution_probes(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """The shares that probes read, by suite, axis, layer, size fitted at and size shown, above shuffled thirds."""
    expect(rows, RESOLUTION.name)
    frame = rows.frame
    lines: list[Row] = []
    keys = ["suite", "axis", "layer", "fitted", "size"]
    for values, part in groups(frame[frame["kind"] == "probe"], keys):
        row: Row = dict.fromkeys(RESOLUTION_PROBES.columns) | dict(zip(keys, values, strict=True))
        row |= {"pictures": part["image_id"].nunique(), "omitted": len(part) < smallest}
        if not row["omitted"]:
            share, null = (part[name].to_numpy(dtype=float) for name in ("share", "share_shuffled"))
            images = part["image_id"].astype(str)
            row |= _named("share", mean_over_images(share, images))
            row |= _named("gain", difference_over_images(share - null, images))
            row["shuffled"] = float(np.mean(null))
        lines.append(row)
    return Table.of(RESOLUTION_PROBES, lines, rows.provenance)


def answers(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of questions, right or wrong as a number."""
    mine = frame[frame["kind"] == "answer"]
    return mine.assign(right=mine["correct"].astype(float))


def _named(name: str, interval: Interval) -> Row:
    return {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
