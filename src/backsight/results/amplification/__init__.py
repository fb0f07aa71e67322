"""Amplification: what it corrects and what it breaks."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from backsight.results.amplification.figure import draw
from backsight.results.amplification.section import amplification
from backsight.results.amplification.tables import AMPLIFY, AMPLIFY_SUMMARY, amplify_summary
from backsight.results.base import Derived, Metric, Result


def _repaired(*, failures: bool) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Answers with the probes' directions at the chosen alpha, to what was a failure before, or was correct."""

    def rows(frame: pd.DataFrame) -> pd.DataFrame:
        scored = frame[frame["part"] == "score"]
        plain = scored[scored["directions"] == "none"].set_index("example_id")["correct"].astype(bool)
        tried = scored[(scored["directions"] == "probe") & scored["chosen"].fillna(False)]
        was_right = tried["example_id"].map(plain).astype(bool)
        mine = tried[was_right != failures]
        return mine.assign(corrected=mine["correct"].astype(float), broken=1 - mine["correct"].astype(float))

    return rows


RESULT = Result(
    AMPLIFY,
    Derived(AMPLIFY_SUMMARY, amplify_summary),
    draw=draw,
    sections=(amplification,),
    metrics=(
        Metric(
            "corrected", "example_id", "corrected", ("form",), rows=_repaired(failures=True),
            title="Amplification: failures corrected",
        ),
        Metric(
            "broken", "example_id", "broken", ("form",), rows=_repaired(failures=False), better="less",
            title="Amplification: correct answers broken",
        ),
    ),
)  # fmt: skip

__all__ = ["AMPLIFY", "AMPLIFY_SUMMARY", "RESULT", "amplify_summary", "draw"]
