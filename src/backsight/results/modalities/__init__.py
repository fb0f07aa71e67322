"""Attention between modalities: what image, system prompt and question get, by layer and head."""

from __future__ import annotations

import pandas as pd

from backsight.maths.attention import balance
from backsight.results.base import Derived, Metric, Result
from backsight.results.modalities.figure import draw
from backsight.results.modalities.section import section
from backsight.results.modalities.tables import ROWS, SUMMARY, modalities_summary


def _of_layers(frame: pd.DataFrame) -> pd.DataFrame:
    """Means over heads, with the balance beside the share."""
    mine = frame[frame["head"].isna()]
    image, question = (mine[name].to_numpy(dtype=float) for name in ("image", "question"))
    return mine.assign(balance=balance(image, question))


RESULT = Result(
    ROWS,
    summary=Derived(SUMMARY, modalities_summary),
    draw=draw,
    sections=(section,),
    metrics=(
        Metric("image_attention", "example_id", "image", ("queries", "prompt"), ("direction",), _of_layers,
               plotted=None, title="Share of attention that the image gets, mean over layers"),
        Metric("modality_balance", "example_id", "balance", ("queries", "prompt"), ("direction",), _of_layers,
               plotted=None, title="Cross-Modality Balance, mean over layers"),
    ),
)  # fmt: skip

__all__ = ["RESULT", "ROWS", "SUMMARY", "draw", "modalities_summary"]
