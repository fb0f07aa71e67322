"""The axis verdict: its rule on answers made for it, its sentences, and the two models that were trained to be told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backsight import stimuli
from backsight.maths import axes
from backsight.measurements import Behaviour
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.results.behaviour import BEHAVIOUR, behaviour_axes
from backsight.results.behaviour.axes import draw, worst_first
from backsight.results.behaviour.axes_section import claim, statements
from backsight.results.drawing.style import to_svg
from backsight.selftest.axes import sorted_axes
from backsight.stimuli.questions import OPPOSITE
from backsight.tables import Table
from backsight.training.questions import corpus

Answering = Callable[
    [str, int], tuple[str, str]
]  # direction, number -> the choice with the picture and with a gray one


def rows(answering: Answering, count: int = 96, directions: tuple[str, ...] = ("left", "right")) -> Table:
    """Behaviour's rows of `count` questions, a picture each, whose options are directions."""
    built = []
    for number in range(count):
        answer = directions[number % len(directions)]
        row: dict[str, Any] = dict.fromkeys(BEHAVIOUR.columns)
        row |= {"example_id": f"e{number}", "image_id": f"i{number}", "suite": "pairs", "direction": answer}
        row |= {"answer": answer, "opposite": OPPOSITE[answer], "options": 4}  # type: ignore[index]
        for condition, choice in zip(("picture", "gray"), answering(answer, number), strict=True):
            built.append(row | {"condition": condition, "choice": choice, "choice_correct": choice == answer})
    return Table.of(BEHAVIOUR, built)


def word(table: Table) -> str:
    (row,) = behaviour_axes(table).rows()
    return str(row["verdict"])


def drawn(seed: int, *shares: float) -> Callable[[int], str]:
    """A choice among the four directions for each number, by shares."""
    order = np.random.default_rng(seed).choice(["left", "right", "above", "below"], 1000, p=shares)
    return lambda number: str(order[number])


ANY = drawn(0, 0.25, 0.25, 0.25, 0.25)
OTHER = drawn(1, 0.25, 0.25, 0.25, 0.25)
SKEWED = ("left", "left", "left", "right")


@pytest.mark.parametrize(
    ("answering", "expected"),
    [
        (lambda answer, n: (answer, "left"), "grounded"),  # half of it is right with a gray picture, by the constant
        (lambda answer, n: (answer, ANY(n)), "grounded"),
        (lambda answer, n: (answer if n % 4 < 2 else "left", "left"), "grounded"),  # half of the questions by prior
        (lambda answer, n: (OPPOSITE[answer], ANY(n)), "inverted"),  # type: ignore[index]
        (lambda answer, n: ("left", "left"), "prior"),
        (lambda answer, n: (ANY(n), ANY(n)), "prior"),  # a function of the question
        (lambda answer, n: (ANY(n), OTHER(n)), "cannot tell"),  # by neither
        (lambda answer, n: ("above" if n % 3 else "below", "left"), "cannot tell"),  # never of this axis
        (lambda answer, n: (answer, answer if n % 4 else OPPOSITE[answer]), "cannot tell"),  # type: ignore[index]
    ],
)
def test_the_rule(answering: Answering, expected: str) -> None:
    assert word(rows(answering)) == expected


def test_a_constant_answer_is_a_prior_on_both_axes_and_below_chance_on_neither() -> None:
    """By accuracy it would be .5 on one axis and 0 on the other."""
    for directions in (("left", "right"), ("above", "below")):
        table = rows(lambda answer, n: ("left", "left"), directions=directions)
        (row,) = behaviour_axes(table).rows()
        assert row["verdict"] == "prior" and row["score"] == 0
        # The picture brings another constant: nothing is inverted by it, whichever axis is asked.
        assert word(rows(lambda answer, n: ("left", "above"), directions=directions)) == "cannot tell"


def test_a_majority_that_is_right_by_prior_is_none_the_less_a_prior() -> None:
    table = rows(lambda answer, n: ("left", "left"), directions=SKEWED)
    assert table.frame["choice_correct"].mean() == 0.75 and word(table) == "prior"
    varying = rows(lambda answer, n: ("left" if n % 5 else "right", "left" if n % 3 else "right"), directions=SKEWED)
    assert word(varying) == "cannot tell"


def test_few_changed_answers_that_all_follow_the_picture_are_no_prior() -> None:
    """Of 400 questions 60 answers change, each from the constant "left" to the right one: no "without the picture"."""
    table = rows(lambda answer, n: (answer if n % 20 in (1, 3, 5) else "left", "left"), count=400)
    assert word(table) == "cannot tell"
    (line,) = behaviour_axes(table).rows()
    assert line["changed"] == pytest.approx(0.15) and line["low"] > 0 and "then with the picture" in line["reason"]


def test_few_questions_tell_nothing_and_say_why() -> None:
    (row,) = behaviour_axes(rows(lambda answer, n: (answer, "left"), count=10)).rows()
    assert (row["verdict"], row["reason"]) == ("cannot tell", "5 questions of one direction, 8 needed")
    (row,) = behaviour_axes(rows(lambda answer, n: (answer, "left"), directions=("left",))).rows()
    assert row["reason"] == "one direction only was asked for: left" and row["score"] is None
    table = rows(lambda answer, n: (answer, "left"))
    shown = Table(table.schema, table.frame[table.frame["condition"] == "picture"])
    (row,) = behaviour_axes(shown).rows()
    assert row["reason"] == "no gray picture was asked about"
    (row,) = behaviour_axes(Table(table.schema, table.frame.assign(opposite=None))).rows()
    assert row["reason"] == "no opposite answer is known"


def test_one_answer_about_many_pictures_is_fewer_than_many() -> None:
    """Two thirds right of 96 pictures is told; of 12 pictures that are asked 8 times each, all alike, it is not."""
    table = rows(lambda answer, n: (answer if n // 2 % 3 else OPPOSITE[answer], "left"))  # type: ignore[index]
    assert word(table) == "grounded"

    def few(identity: str) -> str:
        return f"i{int(identity[1:]) // 2 % 3}-{int(identity[1:]) % 4}"

    assert word(Table(table.schema, table.frame.assign(image_id=table.frame["image_id"].map(few)))) == "cannot tell"


def test_the_interval_by_hand() -> None:
    """Four pictures, all right: (4 + 0) / 8 of the way, and only the pseudo-images about it: 4 (1 + 1/4) / 64."""
    directions = np.array(["left", "right", "left", "right"])
    one = axes.bounds(np.ones(4), np.arange(4), directions, 1.0)
    error = (4 * (1 + 0.25)) ** 0.5 / 8
    assert one.value == 1 and (one.high - one.low) / 2 == pytest.approx(2.3646 * error, rel=1e-4)  # t of 7, 97.5 %
    assert (one.high + one.low) / 2 == pytest.approx(0.5)


def test_directions_weigh_alike() -> None:
    values, directions = np.array([1.0, 1, 1, 1, -1]), np.array(["left"] * 4 + ["right"])
    assert axes.bounds(values, np.arange(5), directions, 1.0).value == 0


@pytest.mark.slow
@pytest.mark.parametrize("count", [48, 150])
@pytest.mark.parametrize("case", ["no score", "a fifth changes", "gray keeps half"])
def test_false_words_are_rare(case: str, count: int) -> None:
    """At the boundary of each rule, of 400 draws at most 1 in 20 and what so many draws vary by (.03)."""
    rng, false = np.random.default_rng(0), 0
    directions = np.where(np.arange(count) % 2, "left", "right")
    for _ in range(400):
        right, moved = rng.random(count), (rng.random(count) < 0.2).astype(float)
        score, gray = np.where(right < 0.5, 1.0, -1), np.zeros(count)
        if case == "a fifth changes":
            score, gray = (
                np.where((directions == "left") ^ (moved > 0), 1.0, -1),
                np.where(directions == "left", 1.0, -1),
            )
        else:
            moved = np.ones(count)
        if case == "gray keeps half":
            score, gray = np.where(right < 0.9, 1.0, -1), np.where(rng.random(count) < 0.7, 1.0, -1)
        verdict = axes.judged(score, gray, moved, np.arange(count), directions)
        false += verdict.word != "cannot tell"
    assert false / 400 <= 0.08


def row(verdict: str, axis: str = "horizontal", **changes: Any) -> dict[str, Any]:
    numbers = {"score": 0.9, "low": 0.8, "high": 1.0, "gray": 0.0, "gray_low": -0.1, "gray_high": 0.1}
    numbers |= {"changed": 0.02, "changed_low": 0.0, "changed_high": 0.06}
    return {"suite": "pairs", "axis": axis, "verdict": verdict, "reason": "why", **numbers, **changes}


def spoken(*named: tuple[str, dict[str, Any]]) -> list[str]:
    return [one.text.replace("\u00a0", " ") for one in statements(named)]


def test_each_verdict_has_its_sentence() -> None:
    numbers = "correct less opposite answers 0.90 [0.80, 1.00], with a gray picture 0.00 [-0.10, 0.10]"
    assert spoken(("Pairs", row("grounded"))) == [f"Answered by the picture ({numbers}): left and right in Pairs."]
    (inverted,) = spoken(("Pairs", row("inverted", score=-0.9, low=-1.0, high=-0.8)))
    assert inverted.startswith("Answered by the picture but the wrong way round (correct less opposite answers -0.90")
    assert spoken(("Pairs", row("prior", "vertical"))) == [
        "Answered without the picture (a gray one changes a share of 0.02 [0.00, 0.06] of the answers): above and "
        "below in Pairs."
    ]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"score": None}, "why:"),
        ({"changed_high": 0.1}, "few answers change with a gray picture but those go by the picture ("),
        ({"changed_high": 0.5, "low": -0.1}, "correct answers are not shown to differ in number from opposite ones ("),
        ({"changed_high": 0.5}, "a gray picture may keep half of the score ("),
    ],
)
def test_what_cannot_be_told_says_why(changes: dict[str, Any], why: str) -> None:
    (one,) = spoken(("Pairs", row("cannot tell", **changes)))
    assert one.startswith(f"Cannot tell, {why}")


def test_suites_alike_are_one_sentence_with_the_lowest_and_the_highest_score() -> None:
    """Numbers that round to zero have no sign; a sentence of one suite is that suite's, one of several nobody's."""
    two = [("Pairs", row("grounded", gray=-0.001)), ("Rows", row("grounded", suite="rows", score=0.7, gray=0.2))]
    assert spoken(*two) == [
        "Answered by the picture (correct less opposite answers 0.70 to 0.90, with a gray picture 0.00 to 0.20): left "
        "and right in Pairs and Rows."
    ]
    assert [(one.suite, round(one.short, 2)) for one in statements(two)] == [("", 0.3)]
    (mine,) = statements([("Pairs", row("prior")), ("Pairs", row("prior", "vertical"))])
    assert (mine.suite, mine.short) == (
        "pairs",
        1.0,
    ) and "left and right in Pairs; above and below in Pairs" in mine.text
    many = [(f"S{n}", row("grounded", suite=f"s{n}")) for n in range(4)]
    assert spoken(*many)[0].endswith("left and right in all 4 suites.")
    other = ("Rows", row("grounded", "vertical", suite="rows"))
    assert spoken(*many, other)[0].endswith("left and right in all 4 suites that ask it; above and below in Rows.")


def test_the_claim_names_what_does_not_go_by_the_picture_first() -> None:
    good = ("Pairs", row("grounded"))
    assert claim([good]) == "Answers about 1 axis of 1 suite go by the picture."
    assert claim([good, ("Rows", row("grounded"))]) == "Answers about all 2 axes of 2 suites go by the picture."
    mixed = [
        good,
        ("Pairs", row("prior", "vertical")),
        ("Rows", row("inverted")),
        ("Rows", row("cannot tell", "vertical")),
    ]
    assert claim(mixed) == (
        "Answered by the picture but the wrong way round: left and right in Rows; without the picture: above and below "
        "in Pairs; by the picture: 1 of 4 axes of 2 suites; not told: 1."
    )
    assert claim([(f"S{n}", row("prior")) for n in range(4)]) == (
        "Answered without the picture: 4 axes; by the picture: 0 of 4 axes of 4 suites."
    )
    assert claim([("Pairs", row("cannot tell"))]) == "Answered by the picture: 0 of 1 axis of 1 suite; not told: 1."


def test_the_figure_shows_each_verdict_at_its_axis() -> None:
    table = behaviour_axes(rows(lambda answer, n: (answer, "left")))
    text = to_svg(draw(table))
    assert "grounded: by the picture" in text and "left and right" in text and "correct less opposite answers" in text
    assert "prior:" not in text


def test_the_suite_with_the_lowest_score_stands_first() -> None:
    low, high, none = row("grounded", suite="a", ground=None), row("prior", suite="b", ground=None, score=-0.2), None
    unknown = row("cannot tell", suite="c", ground=None, score=none)
    assert [one["suite"] for one in worst_first([unknown, low, high, low])] == ["b", "a", "a", "c"]


def test_depth_and_the_words_of_whatsup_are_axes_too() -> None:
    table = rows(lambda answer, n: (answer, "left"))
    renamed = {"left": "behind", "right": "front"}
    frame = table.frame.replace({name: renamed for name in ("direction", "answer", "choice", "opposite")})
    (one,) = behaviour_axes(Table(table.schema, frame)).rows()
    assert (one["axis"], one["verdict"]) == ("depth", "grounded")


def test_behaviour_writes_the_opposite_answer() -> None:
    vlm = VLM(*tiny("qwen2_vl", corpus()), name="tiny")
    squares = stimuli.squares(vlm.grid).limit(4)
    frame = Behaviour(gray=False)(vlm, squares).frame
    for example, opposite in zip(squares, frame["opposite"], strict=True):
        assert {opposite, example.answer} == {example.source.names[0], example.source.names[2]}
    pairs = stimuli.pairs(vlm.grid, scenes=4).limit(4)
    frame = Behaviour(gray=False)(vlm, pairs).frame
    assert [{"1": "2", "2": "1", "3": "4", "4": "3"}[a] for a in frame["answer"]] == list(frame["opposite"])
    nothing = replace(pairs[0], direction=None, options=("yes", "no"), answer="yes", source=None)
    assert Behaviour(gray=False)(vlm, [nothing]).frame["opposite"].isna().all()


def test_the_controls_judge() -> None:
    import pandas as pd

    def verdicts(horizontal: str, vertical: str) -> pd.DataFrame:
        return pd.DataFrame({"verdict": [horizontal, vertical]}, index=["horizontal", "vertical"])

    good = {"prior": verdicts("grounded", "prior"), "inverted": verdicts("inverted", "grounded")}
    assert (sorted_axes(good).fires, sorted_axes(good).silent) == (True, True)
    missed = good | {"prior": verdicts("grounded", "cannot tell")}
    assert (sorted_axes(missed).fires, sorted_axes(missed).silent) == (False, True)
    loud = good | {"inverted": verdicts("inverted", "inverted")}
    assert (sorted_axes(loud).fires, sorted_axes(loud).silent) == (True, False)


@pytest.mark.slow
def test_random_weights_are_not_called_grounded_or_inverted() -> None:
    vlm = VLM(*tiny("qwen2_vl", corpus()), name="tiny")
    verdicts = behaviour_axes(Behaviour()(vlm, stimuli.squares(vlm.grid).limit(48))).frame["verdict"]
    assert set(verdicts) <= {"prior", "cannot tell"}


@cache
def known(name: str) -> VLM:
    from backsight.models.opening import load

    return load(f"builtin:{name}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain", {"horizontal": "grounded", "vertical": "grounded"}),
        ("prior", {"horizontal": "grounded", "vertical": "prior"}),
        ("inverted", {"horizontal": "inverted", "vertical": "grounded"}),
    ],
)
def test_models_get_the_verdict_that_they_were_trained_for(name: str, expected: dict[str, str]) -> None:
    vlm = known(name)
    squares = stimuli.squares(vlm.grid).limit(150)  # as a default study asks
    table = behaviour_axes(Behaviour(batch=32)(vlm, squares))
    assert dict(zip(table.frame["axis"], table.frame["verdict"], strict=True)) == expected


def test_the_docs_of_the_rule_name_its_numbers() -> None:
    page = Path("docs/diagnostics.md").read_text(encoding="utf-8")
    assert "## The axis verdict" in page and f"{axes.UNCHANGED:.0%}".replace("%", " %") in page
