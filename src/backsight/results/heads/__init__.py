"""Heads that look at the boxes, ablated: what becomes of the answers, beside as many others of the same layers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backsight.results.base import Derived, Metric, Result
from backsight.results.heads.figure import draw
from backsight.results.heads.section import DEPENDS, section, verdict
from backsight.results.heads.tables import ROWS, SUMMARY, heads_summary


def _ablated(frame: pd.DataFrame) -> pd.DataFrame:
    """What ablating the chosen heads costs: 1 where a correct answer becomes incorrect, -1 the other way."""
    plain = frame[frame["condition"] == "plain"].set_index("example_id")["correct"].astype(float)
    mine = frame[frame["condition"] == "chosen"]
    before = mine["example_id"].map(plain).to_numpy(dtype=float)
    return mine.assign(lost=before - np.asarray(mine["correct"].astype(float)))


RESULT = Result(
    ROWS,
    summary=Derived(SUMMARY, heads_summary),
    draw=draw,
    sections=(section,),
    metrics=(
        Metric("heads_ablated", "example_id", "lost", ("ablation", "prompt"), ("direction",), _ablated, better="less",
               plotted=None, title="Accuracy lost without the heads that find the boxes"),
    ),
)  # fmt: skip

__all__ = ["DEPENDS", "RESULT", "ROWS", "SUMMARY", "draw", "heads_summary", "verdict"]
