"""Rotary sensitivity: what answers and attention owe to the coordinates that the language model is given."""

from __future__ import annotations

import pandas as pd

from backsight.results.base import Derived, Metric, Result
from backsight.results.rotary.figure import draw
from backsight.results.rotary.section import rotary
from backsight.results.rotary.tables import ROTARY, ROTARY_SUMMARY, rotary_summary


def _mirrored(frame: pd.DataFrame) -> pd.DataFrame:
    """Whether an answer that was right becomes its mirror image, of pictures, along the question's own coordinate."""
    shown = frame[(frame["edit"] == "mirror") & (frame["condition"] == "picture") & (frame["given"] == frame["along"])]
    shown = shown[shown["right_before"].fillna(False).astype(bool) & shown["opposite"].notna()]
    return shown.assign(mirrored=(shown["choice"] == shown["opposite"]).astype(float))


def _turned(frame: pd.DataFrame) -> pd.DataFrame:
    """Whether an answer changes with image keys turned by one cell."""
    turn = frame[(frame["edit"] == "turn") & (frame["condition"] == "step") & frame["layer"].isna()]
    return turn[turn["steps"] == 1]


RESULT = Result(
    ROTARY,
    Derived(ROTARY_SUMMARY, rotary_summary),
    draw=draw,
    sections=(rotary,),
    metrics=(
        Metric(
            "rotary_mirror", "example_id", "mirrored", ("given",), ("answer",), _mirrored,
            title="Answers that mirror with their coordinate",
        ),
        Metric(
            "rotary_turn", "example_id", "changed", ("given",), ("answer",), _turned, better="less", plotted=None,
            title="Answers that change with image keys turned by a cell",
        ),
    ),
)  # fmt: skip

__all__ = ["RESULT", "ROTARY", "ROTARY_SUMMARY", "draw", "rotary_summary"]
