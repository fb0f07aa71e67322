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
from backsight.results.behaviour.axes import axis_sentence, draw
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
    return {"axis": axis, "verdict": verdict, "reason": "why", **numbers, **changes}


def test_each_verdict_has_its_sentence() -> None:
    spoken = {one: axis_sentence("Pairs", [row(one)]) for one in ("grounded", "prior", "inverted", "cannot tell")}
    assert spoken["grounded"] == (
        "Pairs: left and right are answered by the picture (right less opposite answers 0.90 [0.80,\u00a01.00], with a "
        "gray picture 0.00 [-0.10,\u00a00.10])"
    )
    assert "the wrong way round" in spoken["inverted"] and "the wrong way" not in spoken["grounded"]
    assert "without the picture (a gray one changes 2.0\u00a0% [0.0,\u00a06.0] of the answers)" in spoken["prior"]
    assert spoken["cannot tell"] == "Pairs: left and right: cannot tell (why)"
    two = axis_sentence("Pairs", [row("grounded"), row("prior", "vertical")])
    assert two.startswith("Pairs: left and right are answered by the picture (") and "; above and below are" in two


def test_the_figure_shows_each_verdict_at_its_axis() -> None:
    table = behaviour_axes(rows(lambda answer, n: (answer, "left")))
    text = to_svg(draw(table))
    assert "grounded" in text and "horizontal" in text and "right less opposite answers" in text


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
