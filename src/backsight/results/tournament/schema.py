"""The tables of the tournament of repairs, and what the words in them stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.tables import Schema

TOURNAMENT = Schema(
    "tournament",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "part": "str",  # score: held-out questions; absent: the relation that is not trained; left out: no answer
        "repair": "str",  # none, blank, or a repair's name
        "control": "str",  # what stands in for what makes it a repair; missing for the repair itself
        "draw": "int",  # of a control that is sampled
        "setting": "str",  # what the development split chose; or why a repair is left out
        "upper_bound": "bool",  # it is told where things are
        "cost": "float",  # forward equivalents a question
        "trained": "str",  # of the absent relation: no, or unknown
        "direction": "str",
        "answer": "str",
        "choice": "str",  # the best of the options
        "correct": "bool",
        "top_token": "str",
        "free_correct": "bool",  # the top token is the answer
        "p_answer": "float",
    },
    "Answers without and with each repair and its controls, one row a question",
)
SUMMARY = Schema(
    "tournament_summary",
    {
        "suite": "str",
        "part": "str",
        "repair": "str",
        "control": "str",
        "setting": "str",
        "upper_bound": "bool",
        "trained": "str",
        "questions": "int",
        "failures": "int",  # without a repair
        "failed_images": "int",
        "accuracy": "float",
        "low": "float",
        "high": "float",
        "free": "float",
        "free_low": "float",
        "free_high": "float",
        "corrected": "float",  # share of the failures
        "corrected_low": "float",
        "corrected_high": "float",
        "broken": "float",  # share of the correct answers
        "broken_low": "float",
        "broken_high": "float",
        "gain": "float",  # accuracy less that without a repair, on the same questions
        "gain_low": "float",
        "gain_high": "float",
        "p_nothing": "float",
        "p_nothing_holm": "float",
        "free_gain": "float",
        "free_gain_low": "float",
        "free_gain_high": "float",
        "p_free_holm": "float",
        "nearest": "str",  # the control that it is hardest to tell from
        "lead": "float",  # accuracy less that control's
        "lead_low": "float",
        "lead_high": "float",
        "p_control": "float",
        "p_control_holm": "float",
        "p_holm": "float",  # of the larger of both
        "above_draws": "bool",  # its accuracy is above that of each control and draw
        "lost": "str",  # classes that it answers worse than nothing does
        "cost": "float",
        "verdict": "str",
    },
    "Each repair beside nothing, its controls and the blank image, on held-out questions, with 95 % intervals",
)
CLASSES = Schema(
    "tournament_classes",
    {
        "suite": "str",
        "repair": "str",
        "class": "str",  # the direction asked about, or the answer
        "questions": "int",
        "before": "float",
        "before_low": "float",
        "before_high": "float",
        "after": "float",
        "after_low": "float",
        "after_high": "float",
        "difference": "float",
        "difference_low": "float",
        "difference_high": "float",
        "p_holm": "float",
        "given_before": "float",  # share of all answers that are this class's, where each class has one answer
        "given_after": "float",
        "lost": "bool",
    },
    "Accuracy of each class of question without and with each repair, with 95 % intervals",
)

NONE, BLANK = "none", "blank"
SCORE, ABSENT, LEFT_OUT = "score", "absent", "left out"
LEVEL = 0.05

WINS = "worth having"
CONTROL = "not shown to beat its control"
PRICE = "loses a class"
FORMAT = "changes the format of answers"
HARMS = "breaks more than it corrects"
LOWERS = "lowers accuracy"  # by its interval; not after Holm's correction
NOTHING = "no gain shown"
BOUND = "upper bound"
FEW = "cannot tell"
MORE, FEWER = "more right", "fewer right"  # of the absent relation, where there is no control

TITLES = {
    NONE: "no repair",
    BLANK: "blank image",
    "amplification": "amplification",
    "amplification_printed": "amplification (equation 3)",
    "adaptvis": "AdaptVis",
    "scalingvis": "ScalingVis",
    "norm_rescale": "norm rescaling",
    "both_sides": "both-sides vote",
    "box_attention": "attention to the boxes",
    "pin": "positional insert (PIN)",
}
AMPLIFICATIONS = ("amplification", "amplification_printed")


def called(name: str) -> str:
    """What a repair is called."""
    return TITLES.get(name, name.replace("_", " "))


def with_alpha(row: Mapping[str, Any]) -> str:
    """What a repair is called, with the alpha of an amplification."""
    name, setting = row["repair"], row.get("setting")
    return f"{called(name)} at {setting}" if setting and name in AMPLIFICATIONS else called(name)


def lowers(row: Mapping[str, Any]) -> bool:
    """Whether the interval of a repair's gain lies below zero."""
    return row.get("gain_high") is not None and row["gain_high"] < 0


def read(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the summary, with the loss said of those that an earlier release called "no gain shown"."""
    early = (NOTHING, FEW)
    return [
        dict(row) | ({"verdict": LOWERS} if row["part"] == SCORE and row["verdict"] in early and lowers(row) else {})
        for row in rows
    ]


def judged(verdict: str | None) -> str:
    """A verdict in the words of a page; a dash where there is none."""
    return {MORE: "more answers correct", FEWER: "fewer answers correct", None: "–"}.get(verdict, str(verdict))


def of_absent(verdict: str | None) -> str:
    """The same of the relation that is absent from training, where a repair changes accuracy or does not."""
    return judged(verdict) if verdict in (MORE, FEWER, None) else "no change shown"


def capitalized(words: str) -> str:
    """Words with a capital at their beginning."""
    return words[:1].upper() + words[1:]
