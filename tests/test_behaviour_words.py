"""What the section on behaviour says: claim, null and a sentence a suite, each on numbers that make it say another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from backsight.errors import DataError
from backsight.results.behaviour import overview
from backsight.results.behaviour.section import behaviour
from backsight.results.behaviour.sentences import (
    claim,
    null,
    omitted_sentence,
    perfect_sentence,
    suite_sentence,
)
from backsight.results.behaviour.worst import Accuracy, Worst, accuracies_of
from backsight.results.pages import common

from .test_worst import row, study_of

ONE = Accuracy("one", "One", None, "all", 40, 0.8, 0.7, 0.9, 0.26, 0.25)
LEFT = replace(ONE, direction="left", questions=12, accuracy=0.5, low=0.3, high=0.7, gray=0.0)
GUESSED = replace(ONE, suite="two", title="Two", accuracy=0.3, low=0.2, high=0.4)


def worst_of(one: Accuracy, suites: Sequence[Accuracy]) -> Worst:
    above = sum(s.above_guessing for s in suites)
    return Worst(one, len(suites), above, len(suites) - above, suites[0], suites[-1])


def claimed(one: Accuracy, *suites: Accuracy) -> str:
    return claim(worst_of(one, suites), suites).replace("\u00a0", " ")


def said(*prompts: Accuracy, directions: Sequence[Accuracy] = (), omitted: Sequence[Any] = ()) -> str:
    return suite_sentence(prompts, directions, omitted).replace("\u00a0", " ")


def test_the_claim_names_the_worst_number_with_what_guessing_gives() -> None:
    best = replace(ONE, suite="two", title="Two", accuracy=1.0, low=0.9, high=1.0)
    assert claimed(LEFT, ONE, best) == (
        'Worst is "left" in One, 50.0 % [30.0, 70.0] of 12 questions correct (gray picture 0.0 %, chance 25.0 %); '
        "all 2 suites are answered better than by guessing, 80.0 to 100.0 % correct."
    )
    assert "over all directions 80.0 % [70.0, 90.0], better than guessing." in claimed(LEFT, ONE)
    assert "Worst is One with prompt B, 80.0 %" in claimed(replace(ONE, prompt="B"), ONE, best)


def test_the_claim_says_first_what_is_not_better_than_guessing() -> None:
    assert claimed(GUESSED, GUESSED) == (
        "Not shown to be better than guessing: Two; worst is Two, 30.0 % [20.0, 40.0] of 40 questions correct "
        "(gray picture 26.0 %, chance 25.0 %)."
    )
    assert claimed(GUESSED, GUESSED, ONE).startswith(
        "Not shown to be better than guessing: 1 of 2 suites (Two); worst is"
    )
    four = [replace(GUESSED, suite=f"s{n}", title=f"S{n}") for n in range(4)]
    assert claimed(GUESSED, *four, ONE).startswith("Not shown to be better than guessing: 4 of 5 suites; worst is")


def test_the_claim_says_where_the_model_answers_with_no_option() -> None:
    off = replace(GUESSED, free=0.0, free_high=0.09)
    assert claimed(off, off, ONE).startswith(
        "Not shown to be better than guessing: 1 of 2 suites (Two); there its most probable token is none of the "
        "options (0.0 % correct read freely); worst is Two"
    )
    some = replace(off, suite="three", title="Three", free=0.02, free_high=0.1)
    assert "; there its most probable token is hardly ever one of the options (0.0 to 2.0 % correct" in claimed(
        off, off, some
    )
    assert "; on 1 of them its most" in claimed(off, off, GUESSED)
    assert "most probable token" not in claimed(GUESSED, GUESSED)


@pytest.mark.parametrize(
    ("changes", "off"),
    [
        ({}, True),
        ({"free_high": 0.13}, False),  # more than half of chance
        ({"low": 0.02}, False),  # the opposite option: among the options it is as bad
        ({"accuracy": 0.9, "low": 0.8}, False),  # better than guessing
        ({"free": None, "free_high": None}, False),
        ({"low": None, "high": None}, False),
    ],
)
def test_what_is_answered_with_no_option(changes: dict[str, Any], off: bool) -> None:
    assert replace(GUESSED, **({"free": 0.0, "free_high": 0.09} | changes)).off_options is off


def test_free_answers_are_those_with_the_picture() -> None:
    rows = [
        row("a", 0.26), row("a", 0.01, read_out="free", high=0.07), row("a", 0.02, read_out="free", condition="gray"),
        row("b", 0.26), row("b", None, read_out="free", omitted=True),
    ]  # fmt: skip
    assert [(one.free, one.free_high) for one in accuracies_of(rows)] == [(0.01, 0.07), (None, None)]


def test_the_claim_where_all_is_correct_and_where_nothing_is_measured() -> None:
    right = replace(ONE, accuracy=1.0, low=0.91, high=1.0)
    assert claimed(right, right) == "Every answer is correct in One: the interval reaches down to 91.0 % at most."
    two = claimed(right, right, replace(right, suite="two", title="Two", low=0.85))
    assert two == "Every answer is correct in all 2 suites: the interval reaches down to 85.0 % at most."
    assert claim(None, ()) == "No accuracy is given: no suite has the 10 questions that it takes."


def test_an_accuracy_without_interval_says_so() -> None:
    bare = replace(ONE, low=None, high=None)
    assert said(bare) == (
        "One: 80.0 % [no interval] correct (gray picture 26.0 %, chance 25.0 %; 40 questions); "
        "not shown to be better than guessing."
    )


def test_the_null_spans_all_suites_and_prompts() -> None:
    other = replace(ONE, suite="two", gray=0.4, chance=0.5)
    assert null([ONE, other, LEFT]).replace("\u00a0", " ") == (
        "A gray picture gives 26.0 to 40.0 %, chance is 25.0 to 50.0 %."
    )
    assert null([replace(ONE, gray=None)]).replace("\u00a0", " ") == (
        "No gray picture was asked about; chance is 25.0 %."
    )
    assert null([]) == ""


def test_a_suite_with_its_lowest_direction() -> None:
    start = "One: 80.0 % [70.0, 90.0] correct (gray picture 26.0 %, chance 25.0 %; 40 questions)"
    assert said(ONE) == f"{start}."
    assert said(ONE, directions=[LEFT]) == f'{start}; lowest for "left", 50.0 % [30.0, 70.0] of 12 questions.'
    assert said(ONE, directions=[replace(LEFT, accuracy=0.8)]) == f"{start}."


def test_a_suite_by_prompts() -> None:
    a, b = replace(ONE, prompt="A"), replace(GUESSED, title="One", prompt="B", gray=0.22, questions=39)
    assert said(a, b) == (
        "One: 80.0 % [70.0, 90.0] with prompt A and 30.0 % [20.0, 40.0] with prompt B correct (gray picture 26.0 % and "
        "22.0 %, chance 25.0 %; 39 to 40 questions each); not shown to be better than guessing with prompt B."
    )
    assert said(replace(b, prompt="A"), b).endswith("; not shown to be better than guessing.")
    below = replace(b, accuracy=0.1, low=0.05, high=0.2, prompt="C")
    assert said(a, b, below).endswith(
        "; worse than chance with prompt C; not shown to be better than guessing with prompt B."
    )
    few = {"prompt": "C", "questions": 7}
    assert "40 questions each" in said(a, a) and "; prompt C omitted (n=7)." in said(a, omitted=[few])


@pytest.mark.parametrize(("gray", "guessed"), [(0.26, False), (0.75, True), (None, False)])
def test_a_gray_picture_above_the_interval_is_guessing(gray: float | None, guessed: bool) -> None:
    assert ("not shown to be better" in said(replace(ONE, gray=gray))) == guessed
    assert "gray picture" not in said(replace(ONE, gray=None))


def test_suites_without_an_error_and_suites_with_too_few_questions_are_one_sentence_each() -> None:
    right = replace(ONE, accuracy=1.0, low=0.91, high=1.0)
    other = replace(right, title="Two", low=0.95, gray=0.1, questions=150)
    assert perfect_sentence([right, other]).replace("\u00a0", " ") == (
        "Every answer correct: One and Two (intervals down to 91.0 %; gray picture 10.0 to 26.0 %, chance 25.0 %; "
        "40 to 150 questions each)."
    )
    few = [("One", {"prompt": None, "questions": 6}), ("Two", {"prompt": "A", "questions": 7})]
    assert omitted_sentence(few) == "Omitted, with fewer than 10 questions: One (6) and Two with prompt A (7)."


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sections without their figures, which take the time."""
    monkeypatch.setattr(common, "figure", lambda *args, **options: None)


def test_all_suites_stand_in_one_panel_with_their_worst_direction() -> None:
    rows = [row("one", 0.9), row("two", 0.5, prompt="A"), row("two", 0.3, "left", prompt="A", questions=12)]
    rows += [row("two", 0.26, condition="gray", prompt="A"), row("one", 0.95, "left")]
    table = study_of(*rows).tables["behaviour_summary"]
    (axis,) = overview.draw(table, titles={"one": "Suite one"}).axes
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["Two", "Suite one"]
    marks = {
        name: [tuple(line.get_xydata()[0]) for line in axis.lines if line.get_marker() == sign]
        for name, sign in (("worst direction", "D"), ("chance", "|"))
    }
    assert marks == {"worst direction": [(0.3, 0)], "chance": [(0.25, 0), (0.25, 1)]}
    assert [text.get_text() for text in axis.texts if text.get_text() == "left, A"] == ["left, A"]
    assert {(0.5, 0.0), (0.9, 1.0), (0.26, 0.0)} == {
        tuple(line.get_xydata()[0]) for line in axis.lines if line.get_marker() == "o"
    }


def test_a_table_of_few_questions_has_no_such_figure() -> None:
    with pytest.raises(DataError, match="no suite with enough questions"):
        overview.draw(study_of(row("one", None, questions=6)).tables["behaviour_summary"])


def test_the_figure_of_all_suites_stands_first_where_there_are_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "figure", lambda study, name, *rest: name)
    two, three = ([row(name, 0.9) for name in names] for names in (("a", "b"), ("a", "b", "c")))
    assert [getattr(behaviour(study_of(*rows)), "figures", None) for rows in (two, three)] == [
        ("behaviour",), ("suites", "behaviour"),
    ]  # fmt: skip


@pytest.mark.usefixtures("undrawn")
def test_the_section_puts_the_worst_suite_first_everywhere() -> None:
    rows = [row("one", 0.9), row("one", 0.85, "left"), row("two", 0.5), row("two", 0.3, "left", questions=12)]
    section = behaviour(study_of(*rows))
    assert section is not None
    assert section.claim.startswith('Worst is "left" in Suite two')
    assert [one.suite for one in sorted(section.statements, key=lambda one: -one.short)] == ["two", "one"]
    together, directions = section.tables
    assert together.suites == directions.suites == ("two", "one")
    assert together.columns == ("Suite", "Picture")  # the others are alike, or empty
    assert "questions 40" in together.note and "chance 0.250" in together.note


@pytest.mark.usefixtures("undrawn")
def test_of_many_directions_the_worst_are_shown() -> None:
    many = [row(f"s{n}", 0.5 + n / 100, direction) for n in range(8) for direction in ("all", "left", "right")]
    section = behaviour(study_of(*many))
    assert section is not None
    table = section.tables[1]
    assert table.title == "The worst 12 of 16 directions" and len(table.rows) == len(table.suites) == 12
    assert table.suites[:3] == ("s0", "s0", "s1") and "All are in the figure by direction" in table.note
    few = behaviour(study_of(*many[:3]))
    assert few is not None and few.tables[1].title == "Each direction, the worst first"


@pytest.mark.usefixtures("undrawn")
def test_the_section_joins_what_is_alike() -> None:
    rows = [row("one", 1.0), row("two", 1.0), row("three", None, questions=6), row("four", 0.5)]
    section = behaviour(study_of(*rows))
    assert section is not None
    texts = [one.text for one in section.statements]
    assert len(texts) == 3 and texts[1].startswith("Every answer correct: Suite one and Suite two (")
    assert texts[2] == "Omitted, with fewer than 10 questions: Three (6)."
    alone = behaviour(study_of(row("one", 1.0), row("four", 0.5)))
    assert alone is not None and alone.statements[0].text.startswith("Suite one: 100.0")


@pytest.mark.usefixtures("undrawn")
def test_without_options_there_is_no_section() -> None:
    assert behaviour(study_of(row("one", 0.9, read_out="free"))) is None
    assert behaviour(study_of()) is None
    only_few = behaviour(study_of(row("one", None, questions=6)))
    assert only_few is not None and only_few.claim.startswith("No accuracy is given") and only_few.null == ""
