"""Means over questions with their intervals over images, as summaries of relevance write them down."""

from __future__ import annotations

from typing import Any

import pandas as pd

from backsight.maths.intervals import Interval, means_over_images
from backsight.maths.relevance import EFFECTS, REFERENCES

Row = dict[str, Any]


def mean(values: pd.Series[float], part: pd.DataFrame) -> Interval | None:
    """The mean with its interval over images, of the questions that have a value."""
    given = values.notna().to_numpy()
    if not given.any():
        return None
    return means_over_images(
        values[given].to_numpy(dtype=float)[:, None], part["image_id"].to_numpy()[given].astype(str)
    )[0]


def named(name: str, interval: Interval | None, ends: str) -> Row:
    """A mean under its name and the ends of its interval as `ends`_low and `ends`_high."""
    if interval is None:
        return {}
    low, high = (f"{ends}_low", f"{ends}_high") if ends else ("low", "high")
    return {name: interval.mean, low: interval.low, high: interval.high}


def plain_mean(values: pd.Series[float]) -> float | None:
    return float(values.mean()) if values.notna().any() else None


def of_methods(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of methods: references know nothing of the model, and the tokens' effects are no method."""
    return rows[~rows["method"].isin((*REFERENCES, EFFECTS))]
