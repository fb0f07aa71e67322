"""The tournament of repairs: which one, if any, is worth having on a model."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from backsight.results.base import Derived, Metric, Result
from backsight.results.tournament import schema
from backsight.results.tournament.card import RepairCard, repair_card
from backsight.results.tournament.classes import classes
from backsight.results.tournament.figure import draw
from backsight.results.tournament.schema import CLASSES, SUMMARY, TOURNAMENT, WINS, called
from backsight.results.tournament.section import tournament
from backsight.results.tournament.tables import summary
from backsight.results.tournament.text import sentence, statements


def _repaired(*, failures: bool) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Held-out answers with each repair, to what failed before, or was correct."""

    def rows(frame: pd.DataFrame) -> pd.DataFrame:
        scored = frame[(frame["part"] == schema.SCORE) & frame["control"].isna()]
        plain = scored[scored["repair"] == schema.NONE].set_index("example_id")["correct"].astype(bool)
        tried = scored[~scored["repair"].isin([schema.NONE, schema.BLANK])]
        was_right = tried["example_id"].map(plain).astype(bool)
        mine = tried[was_right != failures]
        return mine.assign(corrected=mine["correct"].astype(float), broken=1 - mine["correct"].astype(float))

    return rows


RESULT = Result(
    TOURNAMENT,
    Derived(SUMMARY, summary),
    (Derived(CLASSES, classes),),
    draw=draw,
    sections=(tournament,),
    metrics=(
        Metric(
            "repair_corrected", "example_id", "corrected", ("repair",), rows=_repaired(failures=True),
            title="Repairs: failures corrected",
        ),
        Metric(
            "repair_broken", "example_id", "broken", ("repair",), rows=_repaired(failures=False), better="less",
            title="Repairs: correct answers broken",
        ),
    ),
)  # fmt: skip

__all__ = [
    "CLASSES", "RESULT", "SUMMARY", "TOURNAMENT", "WINS", "RepairCard", "called", "classes", "draw",
    "repair_card", "sentence", "statements", "summary",
]  # fmt: skip
