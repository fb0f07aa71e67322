"""The what/where gap: whether a model knows what is in a picture better than where it is."""

from __future__ import annotations

import pandas as pd

from backsight.results.base import Derived, Metric, Result
from backsight.results.gap.figure import draw
from backsight.results.gap.section import gap
from backsight.results.gap.tables import GAP, GAP_SUMMARY, gap_summary


def _answers(frame: pd.DataFrame) -> pd.DataFrame:
    """Answers with the picture, by kind of question."""
    return frame[frame["condition"] == "picture"]


RESULT = Result(
    GAP,
    Derived(GAP_SUMMARY, gap_summary),
    draw=draw,
    sections=(gap,),
    metrics=(
        Metric(
            "what_where", "example_id", "correct", ("kind", "prompt"), ("question", "answer"), _answers,
            plotted={"kind": "presence"}, title="What and where: accuracy by kind of question",
        ),
    ),
)  # fmt: skip

__all__ = ["GAP", "GAP_SUMMARY", "RESULT", "draw", "gap_summary"]
