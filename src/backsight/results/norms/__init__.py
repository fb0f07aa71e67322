"""Embedding norms, and how much of image tokens' variance their position explains."""

from __future__ import annotations

import pandas as pd

from backsight.results.base import Derived, Metric, Result
from backsight.results.norms.figure import draw
from backsight.results.norms.section import embedding_norms
from backsight.results.norms.tables import EMBEDDING_NORMS, EMBEDDING_NORMS_SUMMARY, embedding_norms_summary


def _entering(frame: pd.DataFrame) -> pd.DataFrame:
    """The ratio of the mean norms at the language model's input."""
    at = frame[(frame["site"] == "resid_pre") & (frame["layer"] == 0)]
    return at.assign(ratio=at["image_mean"] / at["text_mean"])


def _signal(frame: pd.DataFrame) -> pd.DataFrame:
    """Position's share of the variance of the rest of the tokens, picture by picture, by layer."""
    at = frame[frame["site"] == "resid_pre"]
    return at.assign(share=1 - at["rest_position"] / at["rest_content"].where(at["rest_content"] > 0))


RESULT = Result(
    EMBEDDING_NORMS,
    Derived(EMBEDDING_NORMS_SUMMARY, embedding_norms_summary),
    draw=draw,
    sections=(embedding_norms,),
    metrics=(
        Metric(
            "norm_ratio", "example_id", "ratio", ("layer",), rows=_entering, better="less", plotted=None,
            title="Norm of image tokens over text tokens",
        ),
        Metric(
            "position_share", "example_id", "share", ("layer",), rows=_signal, plotted=None,
            title="Share of variance that position explains",
        ),
    ),
)  # fmt: skip

__all__ = ["EMBEDDING_NORMS", "EMBEDDING_NORMS_SUMMARY", "RESULT", "draw", "embedding_norms_summary"]
