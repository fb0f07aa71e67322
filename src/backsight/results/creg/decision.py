"""Whether evidence goes with the decision: on incorrect answers, how close it comes to the choice and to the truth."""

from __future__ import annotations

from backsight.results.drawing.style import counted
from backsight.results.relevance.cells import Row, missing_reason, said_degrees
from backsight.results.relevance.words import said_method

ALIKE = 0.05  # degrees: what a printed digit does not tell apart


def decision_sentence(place: str, row: Row | None, null: Row | None) -> str:
    """On incorrect answers, the mean angle of the evidence for the choice to the chosen direction, and to the true one.

    `row` is of a method for the model's choice on the questions answered incorrectly, `null` of uniform relevance on
    them. Empty where there is no number.
    """
    if row is None or missing_reason(row) or row["dae_chosen"] is None:
        return ""
    to_choice, to_truth = row["dae_chosen"], row["dae"]
    nearer = {-1: "closer to the choice", 0: "as close to either", 1: "closer to the truth"}[_side(to_choice, to_truth)]
    beside = ""
    if null is not None and not missing_reason(null) and null["dae_chosen"] is not None:
        uniform = null["dae_chosen"]
        than = {-1: "closer to the choice than", 0: "as close to the choice as", 1: "further from the choice than"}
        beside = f", and {than[_side(to_choice, uniform)]} uniform relevance ({said_degrees(uniform)})"
    questions = counted(row["chosen_questions"] or 0, "question")
    return (
        f"On incorrect answers of {place}, {said_method(row['method'])} for the choice points "
        f"{said_degrees(to_choice)} off the chosen direction and {said_degrees(to_truth)} off the true one: "
        f"{nearer}{beside} ({questions}; means, not tested)."
    )


def _side(one: float, other: float) -> int:
    """-1 where one angle is less than another, 1 where it is more, 0 where their printed digits are the same."""
    return 0 if abs(one - other) < ALIKE else -1 if one < other else 1
