"""Localization: how well the boxes that a model names fit, beside boxes that are named without the picture."""

from __future__ import annotations

import pandas as pd

from backsight.results.base import Derived, Metric, Result
from backsight.results.localization.figure import draw
from backsight.results.localization.section import section
from backsight.results.localization.tables import (
    BLANK,
    LOCALIZATION,
    LOCALIZATION_SUMMARY,
    NAMED,
    PICTURE,
    RIGHT,
    localization_summary,
)


def _of_the_picture(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["condition"] == PICTURE]


RESULT = Result(
    LOCALIZATION,
    Derived(LOCALIZATION_SUMMARY, localization_summary),
    draw=draw,
    sections=(section,),
    metrics=(
        Metric("localization", "example_id", "iou", ("form",), same=("question",), rows=_of_the_picture, plotted=None,
               title="IoU of named boxes"),
    ),
)  # fmt: skip

__all__ = [
    "BLANK",
    "LOCALIZATION",
    "LOCALIZATION_SUMMARY",
    "NAMED",
    "PICTURE",
    "RESULT",
    "RIGHT",
    "localization_summary",
]
