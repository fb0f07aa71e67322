"""Text against picture: what is made of the rows of `Text`."""

from __future__ import annotations

import pandas as pd

from backsight.results.base import Derived, Metric, Result
from backsight.results.text.section import draw, section
from backsight.results.text.tables import TEXT, TEXT_SUMMARY, text_summary

__all__ = ["RESULT", "TEXT", "TEXT_SUMMARY", "draw", "text_summary"]


def followed(frame: pd.DataFrame) -> pd.DataFrame:
    """Whether each answer behind the false sentence, to the picture, is what the sentence says."""
    false = frame[(frame["sentence"] == "false") & (frame["shown"] == "picture")]
    return false.assign(share=(false["choice"] == false["wrong"]).astype(float))


RESULT = Result(
    TEXT,
    summary=Derived(TEXT_SUMMARY, text_summary),
    draw=draw,
    sections=(section,),
    metrics=(
        Metric("false_sentence", "example_id", "share", ("prompt",), ("direction",), followed, better="less",
               title="Answers that follow a false sentence"),
    ),
)  # fmt: skip
