"""Behaviour: how well a model answers, with the picture and without."""

from __future__ import annotations

import pandas as pd

from backsight.results.base import Derived, Metric, Result
from backsight.results.behaviour.axes import BEHAVIOUR_AXES, behaviour_axes
from backsight.results.behaviour.axes_section import section as of_axes
from backsight.results.behaviour.figure import draw
from backsight.results.behaviour.own import own_questions
from backsight.results.behaviour.section import behaviour
from backsight.results.behaviour.tables import BEHAVIOUR, BEHAVIOUR_SUMMARY, behaviour_summary
from backsight.results.behaviour.whatsup import WHATSUP_SUMMARY, whatsup_summary


def _answers(frame: pd.DataFrame) -> pd.DataFrame:
    """Answers to the picture by both read-outs, all together and by direction."""
    shown = frame[frame["condition"] == "picture"]
    every = pd.concat([shown.assign(direction="all"), shown[shown["direction"].notna()]])
    read = {"options": "choice_correct", "free": "free_correct"}
    return pd.concat([every.assign(read_out=name, right=every[column]) for name, column in read.items()])


RESULT = Result(
    BEHAVIOUR,
    Derived(BEHAVIOUR_SUMMARY, behaviour_summary),
    (Derived(WHATSUP_SUMMARY, whatsup_summary), Derived(BEHAVIOUR_AXES, behaviour_axes)),
    draw,
    (behaviour, of_axes, own_questions),
    (
        Metric(
            "accuracy", "example_id", "right", ("direction", "prompt", "read_out"), ("question", "answer"),
            _answers, plotted={"direction": "all", "read_out": "options"}, title="Accuracy",
        ),
    ),
    later=(
        "choice_per_token", "choice_per_token_correct", "p_answer_per_token", "probabilities", "opposite",
        "behaviour_axes",
    ),
)  # fmt: skip

__all__ = [
    "BEHAVIOUR",
    "BEHAVIOUR_AXES",
    "BEHAVIOUR_SUMMARY",
    "RESULT",
    "WHATSUP_SUMMARY",
    "behaviour_axes",
    "behaviour_summary",
    "draw",
    "whatsup_summary",
]
