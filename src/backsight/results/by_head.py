"""Values by layer and head: a matrix of questions, and means with intervals of all its columns at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.maths.comparison import ROUNDING, sign_flips_of
from backsight.maths.intervals import Interval, holm, mean_over_images, means_over_images

Row = dict[str, Any]
MEAN = -1  # stands for the mean over a layer's heads where a head's number would stand
LEVEL = 0.05  # of a corrected p-value
NOTHING = Interval(float("nan"), float("nan"), float("nan"), "none")
KEYS = ("suite", "prompt", "queries")
Matrix = pd.DataFrame


def indexed(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows with a head's number in every one, by question, layer and head."""
    filled = frame.assign(head=frame["head"].fillna(MEAN).astype(int), layer=frame["layer"].astype(int))
    return filled.set_index(["example_id", "layer", "head"])


def matrix(rows: pd.DataFrame, column: str) -> Matrix:
    """One column of indexed rows, (question, layer and head), both in order; NaN where there is no number."""
    return rows[column].astype(float).unstack(["layer", "head"]).sort_index(axis=0).sort_index(axis=1)


def places(values: Matrix) -> list[tuple[int, int]]:
    """Layer and head of each column; `MEAN` for the mean over a layer's heads."""
    at: list[Any] = values.columns.to_list()
    return [(int(layer), int(head)) for layer, head in at]


def images_of(rows: pd.DataFrame) -> NDArray[Any]:
    """The picture of each question, in the order of a matrix."""
    images: NDArray[Any] = rows["image_id"].groupby(level="example_id").first().sort_index().to_numpy()
    return images


def means(values: Matrix, images: NDArray[Any], *, shares: bool) -> list[Interval]:
    """The mean of each column with its interval over images, of the questions that have a number in it."""
    number = values.to_numpy(float)
    intervals = [NOTHING] * number.shape[1]
    for columns, there in _alike(number):
        part = number[np.ix_(there, columns)]
        if len(part) == 0:
            continue
        if len(columns) == 1:
            of = [mean_over_images(part[:, 0], images[there], shares=shares)]
        else:
            of = means_over_images(part, images[there], shares=[shares] * len(columns))
        for column, interval in zip(columns, of, strict=True):
            intervals[column] = interval
    return intervals


def p_values(differences: Matrix, images: NDArray[Any]) -> list[float | None]:
    """The two-sided paired randomisation test of each column against zero, with images as units; None for no number."""
    number = differences.to_numpy(float)
    p: list[float | None] = [None] * number.shape[1]
    _, index = np.unique(images, return_inverse=True)
    for columns, there in _alike(number):
        if not there.any():
            continue
        part = np.where(np.abs(number[np.ix_(there, columns)]) < ROUNDING, 0.0, number[np.ix_(there, columns)])
        sums = np.zeros((index.max() + 1, len(columns)))
        np.add.at(sums, index[there], part)
        for column, value in zip(columns, sign_flips_of(sums, ["two-sided"] * len(columns)), strict=True):
            p[column] = value
    return p


def corrected(p: Sequence[float | None], at: Sequence[tuple[int, int]]) -> list[float | None]:
    """Holm's p-values, the means over heads as one family and the single heads as another."""
    result: list[float | None] = [None] * len(p)
    for whole in (True, False):
        mine = [n for n, (_, head) in enumerate(at) if (head == MEAN) == whole and p[n] is not None]
        for n, value in zip(mine, holm([p[n] or 0.0 for n in mine]), strict=True):
            result[n] = value
    return result


def _alike(number: NDArray[np.float64]) -> list[tuple[NDArray[np.int64], NDArray[np.bool_]]]:
    """Columns that have numbers in the same rows, with those rows."""
    patterns, group = np.unique(~np.isnan(number), axis=1, return_inverse=True)
    group = group.ravel()
    return [(np.flatnonzero(group == n), patterns[:, n]) for n in range(patterns.shape[1])]


def finite(value: float) -> float | None:
    """None for NaN."""
    return None if np.isnan(value) else float(value)


def named(interval: Interval, name: str, ends: str = "") -> Row:
    """A mean under its name, and the ends of its interval as low and high behind `ends`."""
    start = f"{ends}_" if ends else ""
    return {
        name: finite(interval.mean), f"{start}low": finite(interval.low), f"{start}high": finite(interval.high),
    }  # fmt: skip
