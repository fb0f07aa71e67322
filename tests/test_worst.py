"""The worst accuracy of a study, and its suites, worst first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backsight.results.behaviour import BEHAVIOUR_SUMMARY
from backsight.results.behaviour.worst import Accuracy, per_suite, worst
from backsight.results.pages.study import Study
from backsight.tables import Table

Row = dict[str, Any]


def row(suite: str, accuracy: float | None, direction: str = "all", **changes: Any) -> Row:
    """A row of the summary: 40 questions, chance a quarter, the interval .1 to either side."""
    one: Row = {"suite": suite, "direction": direction, "prompt": None, "ground": None, "condition": "picture"}
    one |= {"read_out": "options", "questions": 40, "images": 40, "accuracy": accuracy, "interval": "agresti-coull"}
    ends = (None, None) if accuracy is None else (max(accuracy - 0.1, 0), min(accuracy + 0.1, 1))
    one |= {"low": ends[0], "high": ends[1], "p_answer": accuracy, "chance": 0.25, "omitted": accuracy is None}
    return one | changes


def study_of(*rows: Row) -> Study:
    sets = [{"name": "one", "title": "Suite one"}, {"name": "two", "title": "Suite two"}]
    table = Table.of(BEHAVIOUR_SUMMARY, rows)
    return Study(Path(), {"sets": sets}, {"behaviour_summary": table} if rows else {})


def test_the_worst_is_a_direction_of_a_suite_beside_its_own_gray_picture() -> None:
    rows = [row("one", 0.9), row("two", 0.8), row("two", 0.4, "left", questions=12), row("two", 0.95, "right")]
    grays = [row("two", 0.26, condition="gray"), row("two", 0.05, "left", condition="gray")]
    lowest = worst(study_of(*rows, *grays))
    assert lowest is not None
    assert lowest.one == Accuracy("two", "Suite two", None, "left", 12, 0.4, pytest.approx(0.3), 0.5, 0.05, 0.25)
    assert (lowest.suites, lowest.above, lowest.not_above) == (2, 2, 0)
    assert (lowest.lowest.accuracy, lowest.highest.accuracy) == (0.8, 0.9)


def test_free_answers_do_not_count_nor_does_what_is_omitted() -> None:
    few = row("two", None, "left", questions=6)
    lowest = worst(study_of(row("one", 0.9), row("one", 0.1, read_out="free"), row("two", 0.8), few))
    assert lowest is not None and (lowest.one.title, lowest.one.accuracy) == ("Suite two", 0.8)
    assert worst(study_of()) is None
    assert worst(study_of(row("one", None, questions=6))) is None


@pytest.mark.parametrize(
    ("accuracy", "gray", "above"), [(0.4, None, 1), (0.4, 0.2, 1), (0.4, 0.35, 0), (0.3, 0.2, 0), (0.1, None, 0)]
)
def test_above_guessing_is_above_chance_and_the_gray_picture(accuracy: float, gray: float | None, above: int) -> None:
    grays = [] if gray is None else [row("one", gray, condition="gray")]
    lowest = worst(study_of(row("one", accuracy), *grays))
    assert lowest is not None and (lowest.above, lowest.not_above) == (above, 1 - above)
    assert lowest.one.below_chance == (accuracy + 0.1 < 0.25)


def test_an_accuracy_without_an_interval_is_not_above_guessing() -> None:
    lowest = worst(study_of(row("one", 0.9, low=None, high=None)))
    assert lowest is not None and (lowest.above, lowest.one.below_chance) == (0, False)


def test_suites_of_other_options_are_compared_by_what_is_above_chance() -> None:
    """.58 of two options is .16 of the way from chance to 1, .35 of eight is .257: the higher accuracy is worse."""
    yes_or_no, eight = row("one", 0.58, chance=0.5), row("two", 0.35, chance=0.125)
    assert [one.suite for one in per_suite(study_of(eight, yes_or_no))] == ["one", "two"]
    assert per_suite(study_of(yes_or_no))[0].gained == pytest.approx(0.16)


def test_a_suite_is_as_good_as_its_worst_prompt_and_each_ground_stands_by_itself() -> None:
    rows = [row("one", 0.9, prompt="A"), row("one", 0.3, prompt="B")]
    assert [(one.prompt, one.accuracy) for one in per_suite(study_of(*rows))] == [("B", 0.3)]
    lowest = worst(study_of(*rows))
    assert lowest is not None and (lowest.suites, lowest.not_above) == (1, 1)
    grounds = study_of(row("one", 0.9, ground="plain"), row("one", 0.6, ground="textured"), row("two", 0.7))
    assert [one.title for one in per_suite(grounds)] == [
        "Suite one, textured ground", "Suite two", "Suite one, plain ground",
    ]  # fmt: skip


def test_where_all_is_correct_the_suite_stands_before_its_directions() -> None:
    lowest = worst(study_of(row("one", 1.0, "left", questions=20), row("one", 1.0)))
    assert lowest is not None and (lowest.one.direction, lowest.one.short) == ("all", 0.0)


@pytest.mark.parametrize(
    ("accuracy", "gray", "short"),
    [(1.0, None, 0), (0.625, None, 0.5), (0.25, None, 1), (0.1, None, 1), (0.75, 0.5, 0.5), (1.0, 1.0, 1)],
)
def test_what_is_missing_runs_from_guessing_to_all_correct(accuracy: float, gray: float | None, short: float) -> None:
    grays = [] if gray is None else [row("one", gray, condition="gray")]
    assert per_suite(study_of(row("one", accuracy), *grays))[0].short == pytest.approx(short)
