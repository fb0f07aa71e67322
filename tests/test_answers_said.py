"""One answer and its evidence in a sentence: correct or not, the angle, and what stands where there is no compass."""

from __future__ import annotations

from typing import Any

import pytest

from backsight.results.relevance.answers import answered, pointed, recorded

RECORD: dict[str, Any] = {
    "options": ["1", "2"], "probabilities": [0.25, 0.75], "choice": "2", "answer": "1", "subject": "cup",
    "relevance": [0.0, 0.5], "dae": 90.0, "dae_null": 44.6, "words": {"1": "left", "2": "right"},
}  # fmt: skip


def test_an_answer_is_correct_or_not() -> None:
    assert answered("left", "left", 0.984) == 'The model answers "left" (p = 0.98 among the options): correct.'
    assert answered("left", "right", 0.5) == (
        'The model answers "left" (p = 0.50 among the options): incorrect; correct is "right".'
    )


@pytest.mark.parametrize(
    ("dae", "null", "zero", "words"),
    [
        (53.2, 46.0, False, "The evidence points 53° away from the cup; uniform relevance points 46° away."),
        (0.0, None, False, "The evidence points 0° away from the cup."),
        (None, 46.0, False, "No relevance lies near the objects, so there is no compass."),
        (None, 46.0, True, "Its relevance is zero within its rounding, so there is no compass."),
    ],
)
def test_where_the_evidence_points(dae: float | None, null: float | None, zero: bool, words: str) -> None:
    assert pointed("cup", dae, null, zero=zero) == words


def test_a_record_gives_the_same_sentence() -> None:
    assert recorded(RECORD) == f"{answered('right', 'left', 0.75)} {pointed('cup', 90.0, 44.6)}"
    plain = RECORD | {"words": None, "dae": None, "relevance": [0.0, 0.0]}
    assert recorded(plain) == f"{answered('2', '1', 0.75)} {pointed('cup', None, 44.6, zero=True)}"


@pytest.mark.parametrize("change", [{"choice": "3"}, {"probabilities": [0.5]}, {"probabilities": None}, {"options": 1}])
def test_a_record_that_lacks_a_number_gives_none(change: dict[str, Any]) -> None:
    assert recorded(RECORD | change) == ""
