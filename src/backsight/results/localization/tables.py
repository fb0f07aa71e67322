"""Tables of localization: the rows, and their summary beside boxes that are named without the picture."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.maths import boxes
from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.intervals import difference_over_images, mean_over_images
from backsight.tables import Schema, Table

Row = dict[str, Any]
ENDS = ("", "_low", "_high")
PICTURE, BLANK = "picture", "blank"
NAMED = ("left", "top", "right", "bottom")  # the box that is named, fractions of the picture
RIGHT = tuple(f"true_{edge}" for edge in NAMED)
HIT = 0.5  # of IoU: the box counts as the thing's
LOCALIZATION = Schema(
    "localization",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "thing": "str",
        "form": "str",  # the format of the box, as in maths.boxes.FORMS
        "condition": "str",  # picture, blank
        "question": "str",
        "text": "str",
        "readable": "bool",
        "why": "str",  # why no box can be read
        **dict.fromkeys(NAMED, "float"),  # missing where unreadable
        **dict.fromkeys(RIGHT, "float"),
        "aspect": "float",  # width over height of the picture
        "iou": "float",  # 0 where unreadable
        "error": "float",  # distance of the middles over the diagonal; missing where unreadable
    },
    "The box that a model names for a thing and the right one, one row a question and picture",
)
# What stands beside the mean IoU, by the name of its columns.
BASELINES = {
    "constant": "the one box that fits the other pictures best",
    "other": "the boxes named for other pictures",
    "blank": "the boxes named for a gray picture",
}
# What stands beside the location error, by the end of its columns' names.
MIDDLES = {
    "middle": "the mean middle of the other pictures' right boxes",
    "blank": "the boxes named for a gray picture",
}
LOCALIZATION_SUMMARY = Schema(
    "localization_summary",
    {
        "suite": "str",
        "form": "str",
        "questions": "int",
        "images": "int",
        "boxes": "int",  # texts in which one can be read
        **{f"readable{end}": "float" for end in ENDS},
        **{f"iou{end}": "float" for end in ENDS},
        **{f"hit{end}": "float" for end in ENDS},  # IoU of at least one half
        **{f"error{end}": "float" for end in ENDS},  # of boxes that can be read, where there are enough
        **{f"error_{name}{end}": "float" for name in MIDDLES for end in ENDS},  # of the same questions
        "error_best": "str",  # the one of these that is off by less
        **{f"closer{end}": "float" for end in ENDS},  # its error less the named boxes', paired
        **{f"{name}{end}": "float" for name in BASELINES for end in ENDS},  # IoU
        "best": "str",  # the baseline of the highest IoU
        **{f"above{end}": "float" for end in ENDS},  # IoU over that baseline, paired
        "why": "str",  # the most frequent reason for which no box can be read
        "reason": "str",  # why there are no numbers
    },
    "How well the boxes fit that a model names, and baselines, with 95 % intervals",
)
FEW = "few questions"
LINES = 12  # columns and rows of a grid on which the constant box stands


def localization_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Readable boxes, mean IoU, hits and location error by suite and format, with the three baselines.

    A text without a readable box has an IoU of 0 and no location error. There is no location error of fewer than
    `smallest` readable boxes, or of one picture.
    """
    expect(rows, LOCALIZATION.name)
    summary: list[Row] = []
    for (suite, form), group in groups(rows.frame, ["suite", "form"]):
        shown = group[group["condition"] == PICTURE].reset_index(drop=True)
        line: Row = dict.fromkeys(LOCALIZATION_SUMMARY.columns) | {"suite": suite, "form": form}
        line |= {"questions": len(shown), "images": int(shown["image_id"].nunique())}
        line["boxes"] = int(shown["readable"].sum())
        reasons = shown["why"].dropna()
        line["why"] = None if reasons.empty else str(reasons.value_counts().index[0])
        line["reason"] = FEW if len(shown) < smallest or line["images"] < 2 else None
        if not line["reason"]:
            blank = group[group["condition"] == BLANK].set_index("example_id")
            line |= _numbers(shown, blank, smallest)
        summary.append(line)
    return Table.of(LOCALIZATION_SUMMARY, summary, rows.provenance)


def _numbers(shown: pd.DataFrame, blank: pd.DataFrame, smallest: int) -> Row:
    images = shown["image_id"].astype(str)
    iou = shown["iou"].astype(float).to_numpy()
    numbers: Row = {}
    shares: dict[str, Any] = {
        "readable": shown["readable"].astype(float),
        "iou": iou,
        "hit": (iou >= HIT).astype(float),
    }
    right = shown[list(RIGHT)].astype(float).to_numpy()
    beside = {"constant": _constant(right, images.to_numpy())}
    beside["other"] = _of_others(shown, right, images.to_numpy())
    if len(blank):
        beside["blank"] = blank["iou"].astype(float).reindex(shown["example_id"]).to_numpy()
    for name, values in {**shares, **beside}.items():
        numbers |= dict(zip((f"{name}{end}" for end in ENDS), mean_over_images(values, images)[:3], strict=True))
    best = max(beside, key=lambda name: float(beside[name].mean()))
    above = difference_over_images(iou - beside[best], images)
    numbers |= {"best": best} | dict(zip((f"above{end}" for end in ENDS), above[:3], strict=True))
    return numbers | _errors(shown, blank, right, smallest)


def _errors(shown: pd.DataFrame, blank: pd.DataFrame, right: NDArray[Any], smallest: int) -> Row:
    """Location errors of readable boxes beside those of boxes that are not of the picture, on the same questions."""
    images, aspects = shown["image_id"].astype(str).to_numpy(), shown["aspect"].astype(float).tolist()
    own = shown["error"].astype(float).to_numpy()
    each = zip(_mean_boxes(right, images).tolist(), right.tolist(), aspects, strict=True)
    beside = {"middle": np.array([boxes.location_error(a, b, (aspect, 1.0)) for a, b, aspect in each])}
    if len(blank):
        beside["blank"] = blank["error"].astype(float).reindex(shown["example_id"]).to_numpy()
    numbers: Row = {}
    for end, values in {"": own, **{f"_{name}": values for name, values in beside.items()}}.items():
        there = ~np.isnan(own) & ~np.isnan(values)
        if there.sum() >= smallest and len(set(images[there])) > 1:
            interval = mean_over_images(values[there], images[there], shares=False)
            numbers |= dict(zip((f"error{end}{part}" for part in ENDS), interval[:3], strict=True))
    known = [name for name in beside if f"error_{name}" in numbers]
    if known:
        best = min(known, key=lambda name: float(numbers[f"error_{name}"]))
        less = beside[best] - own
        there = ~np.isnan(less)
        closer = difference_over_images(less[there], images[there])
        numbers |= {"error_best": best} | dict(zip((f"closer{end}" for end in ENDS), closer[:3], strict=True))
    return numbers


def _mean_boxes(right: NDArray[Any], images: NDArray[Any]) -> NDArray[Any]:
    """Of each question the mean right box of the other pictures; its middle is off least, of all that see nothing."""
    _, index = np.unique(images, return_inverse=True)
    sums = np.zeros((index.max() + 1, 4))
    np.add.at(sums, index, right)
    counts = np.bincount(index)
    means: NDArray[Any] = (right.sum(0) - sums[index]) / (len(right) - counts[index])[:, None]
    return means


def _constant(right: NDArray[Any], images: NDArray[Any]) -> NDArray[Any]:
    """The IoU of each right box with the box on a grid that has the highest mean IoU with those of other pictures: the
    box to name for who never sees one."""
    spans = np.array(list(combinations(np.arange(LINES + 1) / LINES, 2)))
    across, down = (part.flatten() for part in np.meshgrid(*[np.arange(len(spans))] * 2))
    grid = np.stack([spans[across, 0], spans[down, 0], spans[across, 1], spans[down, 1]], 1)
    total = sum(_iou_of_all(grid, box) for box in right)
    values = np.zeros(len(right))
    for image in np.unique(images):
        own = {number: _iou_of_all(grid, right[number]) for number in np.flatnonzero(images == image)}
        best = int(np.argmax(total - sum(own.values())))
        for number, fits in own.items():
            values[number] = fits[best]
    return values


def _iou_of_all(grid: NDArray[Any], box: NDArray[Any]) -> NDArray[Any]:
    """The IoU of many boxes (box, 4) with one."""
    sides = np.minimum(grid[:, 2:], box[2:]) - np.maximum(grid[:, :2], box[:2])
    shared = sides.clip(0).prod(1)
    areas = (grid[:, 2:] - grid[:, :2]).prod(1) + (box[2:] - box[:2]).prod()
    fits: NDArray[Any] = shared / (areas - shared)
    return fits


def _of_others(shown: pd.DataFrame, right: NDArray[Any], images: NDArray[Any]) -> NDArray[Any]:
    """The mean IoU of the boxes named for questions about other pictures with each right box; unreadable ones have 0.

    All pairings at once: the mean over all permutations, with no draw.
    """
    named = shown[list(NAMED)].astype(float).to_numpy()
    values = np.zeros(len(right))
    for number, box in enumerate(right.tolist()):
        others = named[images != images[number]].tolist()
        values[number] = np.mean([0.0 if np.isnan(other[0]) else boxes.iou(other, box) for other in others])
    return values
