"""Attention within the image: how well it finds the boxes that a question is about."""

from __future__ import annotations

import pandas as pd

from backsight.results.base import Derived, Metric, Result
from backsight.results.looking.figure import draw
from backsight.results.looking.section import section
from backsight.results.looking.tables import COLUMNS, ROWS, SUMMARY, TARGETS, looking_summary


def _by_target(frame: pd.DataFrame) -> pd.DataFrame:
    """AUROC of the mean over a layer's heads, a row a question, layer and target."""
    mine = frame[frame["head"].isna()]
    return pd.concat([mine.assign(target=target, auroc=mine[f"{target}_auroc"]) for target in TARGETS])


RESULT = Result(
    ROWS,
    summary=Derived(SUMMARY, looking_summary),
    draw=draw,
    sections=(section,),
    metrics=(
        Metric("looking", "example_id", "auroc", ("target", "queries", "prompt"), ("direction",), _by_target,
               layered=True, plotted={"target": "subject"}, title="Attention finds the boxes: AUROC"),
    ),
)  # fmt: skip

__all__ = ["COLUMNS", "RESULT", "ROWS", "SUMMARY", "TARGETS", "draw", "looking_summary"]
