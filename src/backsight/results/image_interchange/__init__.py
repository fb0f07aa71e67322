"""Interchange of image tokens: whether what was swapped carries the order, before and after removal."""

from __future__ import annotations

import pandas as pd

from backsight.maths.interchange import ANSWER
from backsight.results.base import Derived, Metric, Result
from backsight.results.image_interchange.figure import draw
from backsight.results.image_interchange.section import backup, image_interchange
from backsight.results.image_interchange.tables import (
    AXES,
    FLIP_LAYERS,
    IMAGE_INTERCHANGE,
    IMAGE_INTERCHANGE_SUMMARY,
    axes,
    flip_layers,
    image_interchange_summary,
)


def _kept(frame: pd.DataFrame) -> pd.DataFrame:
    """Pairs that both runs answer correctly."""
    return frame[frame["kept"].fillna(False)]


RESULT = Result(
    IMAGE_INTERCHANGE,
    Derived(IMAGE_INTERCHANGE_SUMMARY, image_interchange_summary),
    (Derived(FLIP_LAYERS, flip_layers, of="summary"), Derived(AXES, axes)),
    draw,
    (image_interchange, backup),
    (
        Metric(
            "image_interchange", "pair_id", "p_flipped", ("tokens", "vision"), rows=_kept, layered=True,
            title="Interchange of image tokens",
        ),
    ),
    later=("top_outcome", *ANSWER, "leading", "peak_layer", "peak_share"),
)  # fmt: skip

__all__ = [
    "AXES",
    "FLIP_LAYERS",
    "IMAGE_INTERCHANGE",
    "IMAGE_INTERCHANGE_SUMMARY",
    "RESULT",
    "axes",
    "draw",
    "flip_layers",
    "image_interchange_summary",
]
