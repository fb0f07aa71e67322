"""The tournament's numbers and sentences, on answers made for them: which repair is named, and which is not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from backsight.errors import DataError
from backsight.maths.comparison import sign_flips
from backsight.results import plot
from backsight.results.drawing.style import to_svg
from backsight.results.tournament import TOURNAMENT, classes, sentence, statements, summary
from backsight.results.tournament.schema import BOUND, CONTROL, FEW, FORMAT, HARMS, LOWERS, NOTHING, PRICE, WINS, read
from backsight.results.tournament.tables import corrected, verdict
from backsight.results.tournament.text import claim, lowering, null, short
from backsight.tables import Table

from .test_report import page_of, study_record, words, write_study

Row = dict[str, Any]
BEFORE = np.arange(80) < 40  # the first 40 of 80 are right


def fixed(count: int, broken: int = 0, *, first: int = 0) -> np.ndarray:
    """Right or wrong, with `count` of the failures corrected, from one on, and the first of the others broken."""
    after = BEFORE.copy()
    after[40 + first : 40 + first + count] = True
    after[:broken] = False
    return after


def asked(
    about: Mapping[str, Any], right: ArrayLike, *, free: ArrayLike | None = None, answers: list[str] | None = None,
    directions: list[str] | None = None, images: list[str] | None = None, part: str = "score", suite: str = "pairs",
) -> list[Row]:  # fmt: skip
    """Rows of one thing that is asked; answers are left or right, and a wrong choice is the other one."""
    correct = np.asarray(right, dtype=bool)
    freely = correct if free is None else np.asarray(free, dtype=bool)
    rows: list[Row] = []
    for n, (mine, open_) in enumerate(zip(correct, freely, strict=True)):
        answer = answers[n] if answers else ("left", "right")[n % 2]
        other = {"left": "right", "right": "left"}.get(answer, "none")
        row = dict.fromkeys(TOURNAMENT.columns) | {
            "example_id": f"{part}-{n:03d}", "image_id": images[n] if images else f"picture-{n:03d}", "suite": suite,
            "part": part, "draw": 0, "upper_bound": False, "cost": 1.0, "answer": answer,
            "choice": answer if mine else other, "correct": bool(mine), "top_token": "", "free_correct": bool(open_),
            "direction": directions[n] if directions else answer, "p_answer": 0.5,
        }  # fmt: skip
        rows.append(row | dict(about))
    return rows


def entered(
    name: str, right: ArrayLike, control: ArrayLike | None = None, *, kind: str = "random directions", **more: Any
) -> list[Row]:
    """Rows of a repair, and of its control in one draw; without one it answers as no repair does."""
    about = {"repair": name, "setting": "alpha 4", "upper_bound": name == "box_attention"}
    other = BEFORE if control is None else control
    return asked(about, right, **more) + asked(
        about | {"control": kind, "setting": None},
        other,
        **{key: value for key, value in more.items() if key != "free"},
    )


def table(*of: list[Row], before: ArrayLike = BEFORE, free: ArrayLike | None = None) -> Table:
    """The rows of a tournament: without a repair, the blank image, and what is given."""
    rows = asked({"repair": "none"}, before, free=free) + asked(
        {"repair": "blank"}, np.arange(len(np.asarray(before))) % 4 == 0
    )
    return Table.of(TOURNAMENT, [*rows, *(row for one in of for row in one)], {"samples": "hard", "model": "m"})


def verdicts(*of: list[Row], **more: Any) -> dict[str, str]:
    return {row["repair"]: row["verdict"] for row in summary(table(*of, **more)).rows() if row["verdict"]}


def told(*of: list[Row], **more: Any) -> str:
    rows = summary(table(*of, **more)).rows()
    return sentence(rows).replace("\u00a0", " ")


def also(rows: Table) -> list[str]:
    """What stands beside the claim, as plain text."""
    return [one.text.replace("\u00a0", " ") for one in statements(summary(rows).rows())]


def test_a_repair_that_beats_nothing_and_its_control_is_named() -> None:
    rows = (entered("amplification", fixed(20, 2), fixed(2)), entered("adaptvis", fixed(1, 1), fixed(1)))
    assert verdicts(*rows) == {"amplification": WINS, "adaptvis": NOTHING}
    assert told(*rows) == (
        "Amplification at alpha 4 is worth having (80 held-out questions, 40 answered incorrectly): accuracy changes "
        "by +22.5 points [+11.1, +32.8], by +2.5 points with its hardest control (random directions); 1 other repair "
        "is not shown to be."
    )
    first, same = also(table(*rows))
    assert first.startswith(
        "Amplification at alpha 4 corrects more than it breaks, and more than its control does: accuracy 50.0 % "
        "without, 72.5 % with it (+22.5 points"
    )
    assert first.endswith("It corrects 50.0 % of 40 failures and breaks 5.0 % of the correct answers.")
    assert same == "No gain of accuracy is shown with AdaptVis."


def test_of_two_the_one_that_gains_more_is_named_first() -> None:
    text = told(entered("adaptvis", fixed(14)), entered("both_sides", fixed(25), kind="picture shifted"))
    assert text.startswith("Both-sides vote is worth having (80 held-out questions")
    assert text.endswith("; so is AdaptVis.")


def test_where_its_control_is_as_good_it_is_not_named() -> None:
    rows = (entered("adaptvis", fixed(20), fixed(19), kind="one weight"),)
    assert verdicts(*rows) == {"adaptvis": CONTROL}
    assert told(*rows) == (
        "AdaptVis is not shown to be worth having (80 held-out questions, 40 answered incorrectly): accuracy changes "
        "by +25.0 points [+14.3, +34.5] with AdaptVis."
    )
    (more,) = also(table(*rows))
    assert more == (
        "AdaptVis is not shown to beat its control: accuracy 50.0 % without, 75.0 % with it (+25.0 points [+14.3, "
        "+34.5]), 73.8 % with its control (one weight); p 1 after correction. It corrects 50.0 % of 40 failures and "
        "breaks 0.0 % of the correct answers."
    )


def test_a_draw_of_its_control_that_is_better_stops_it() -> None:
    """The mean of two draws is beaten, one of them is not: chance brings as much."""
    good, other = (
        asked({"repair": "amplification", "control": "random directions", "draw": d}, fixed(n))
        for d, n in enumerate((21, 0))
    )  # fmt: skip
    repair = asked({"repair": "amplification", "setting": "alpha 4"}, fixed(20))
    assert verdicts(repair, good, other) == {"amplification": CONTROL}
    worse = asked({"repair": "amplification", "control": "random directions", "draw": 0}, fixed(5))
    assert verdicts(repair, worse, other) == {"amplification": WINS}


def test_the_control_that_counts_is_the_one_hardest_to_tell_from() -> None:
    repair = entered("adaptvis", fixed(20), fixed(0), kind="random positions")
    strong = asked({"repair": "adaptvis", "control": "one weight"}, fixed(20))
    (row,) = [r for r in summary(table(repair, strong)).rows() if r["verdict"]]
    assert (row["nearest"], row["lead"], row["verdict"]) == ("one weight", 0.0, CONTROL)


def test_no_repair() -> None:
    rows = (entered("amplification", fixed(2, 1)), entered("norm_rescale", fixed(0, 20), kind="lengths at random"))
    assert verdicts(*rows) == {"amplification": NOTHING, "norm_rescale": HARMS}
    assert told(*rows) == (
        "None of 2 repairs is shown to be worth having (80 held-out questions, 40 answered incorrectly): accuracy "
        "changes by -25.0 points [-34.5, -14.3] with norm rescaling to +1.2 points [-4.2, +6.6] with amplification at "
        "alpha 4."
    )
    assert also(table(*rows))[0].startswith("Norm rescaling breaks more than it corrects: accuracy 50.0 % without")


def test_a_loss_that_its_interval_shows_is_said_of_new_and_of_older_studies() -> None:
    """Eight broken and none corrected is p = 1/128, 7/128 after Holm over seven repairs; so is the interval below 0."""
    others = [entered(f"other_{n}", fixed(0)) for n in range(6)]
    rows = table(entered("amplification", fixed(0, 8)), *others)
    new = summary(rows).rows()
    older = [row | ({"verdict": NOTHING} if row["verdict"] == LOWERS else {}) for row in new]
    assert [row["verdict"] for row in new if row["verdict"]].count(LOWERS) == 1 and read(older) == new
    said = [one.text.replace("\u00a0", " ") for one in statements(read(older))]
    assert said[0].startswith("Amplification at alpha 4 lowers accuracy by 10.0 points [-17.1, -2.4]: accuracy 50.0 %")
    assert (
        "50.0 % without, 40.0 % with it, 50.0 % with its control" in said[0]
        and "; p 0.055 after correction." in said[0]
    )
    assert any(one.startswith("No gain of accuracy is shown with other 0") and "ampl" not in one for one in said)
    assert lowering(new) == 1 and lowering(summary(table(*others)).rows()) == 0


def test_an_upper_bound_is_never_named() -> None:
    rows = (entered("box_attention", fixed(40), kind="as many tokens elsewhere"),)
    assert verdicts(*rows) == {"box_attention": BOUND}
    assert told(*rows) == "No repair could be tried, nothing but an upper bound."
    (more,) = also(table(*rows))
    assert more.startswith(
        "Attention to the boxes is given where the objects are, so it is an upper bound and no repair"
    )
    assert "accuracy 50.0 % without, 100.0 % with it" in more and "alpha 4 as chosen on the development split" in more
    both = told(*rows, entered("adaptvis", fixed(1)))
    assert "AdaptVis is not shown to be worth having" in both and "boxes" not in both


def test_a_repair_that_harms_does_not_make_too_few_failures_a_verdict() -> None:
    """No question fails without a repair, so none can gain; that one breaks answers says nothing of the others."""
    before = np.ones(80, dtype=bool)
    rows = (entered("norm_rescale", [n >= 20 for n in range(80)]), entered("both_sides", [True] * 80))
    assert verdicts(*rows, before=before) == {"norm_rescale": HARMS, "both_sides": FEW}
    text = sentence(summary(table(*rows, before=before)).rows())
    assert text.startswith("Whether a repair is worth having is not shown: 0 of 80 held-out questions")
    assert text.endswith("; more is broken than corrected by norm rescaling.")


def test_too_few_failures_tell_nothing() -> None:
    before = np.arange(80) >= 9
    rows = (entered("amplification", np.ones(80, dtype=bool), before),)
    assert verdicts(*rows, before=before) == {"amplification": FEW}
    assert told(*rows, before=before) == (
        "Whether a repair is worth having is not shown: 9 of 80 held-out questions were answered incorrectly, in 9 "
        "pictures, and 10 of each are needed."
    )


def test_failures_of_few_pictures_are_too_few() -> None:
    """The picture is the unit: 40 failures of two pictures are two."""
    images = [f"picture-{n:03d}" if n < 40 else f"failed-{n % 2}" for n in range(80)]
    rows = asked({"repair": "none"}, BEFORE, images=images) + entered("adaptvis", fixed(40), images=images)
    (row,) = [r for r in summary(Table.of(TOURNAMENT, rows)).rows() if r["verdict"]]
    assert (row["verdict"], row["failed_images"]) == (FEW, 2)


def test_a_gain_of_the_free_read_out_alone_is_called_a_change_of_format() -> None:
    """As published AdaptVis: free text .25 -> .75, and among the options nothing."""
    free = np.arange(80) < 20
    rows = entered("adaptvis", fixed(1), fixed(1), free=np.arange(80) < 60)
    assert verdicts(rows, free=free) == {"adaptvis": FORMAT}
    assert "AdaptVis is not shown to be worth having" in told(rows, free=free)
    more = " ".join(also(table(rows, free=free)))
    assert "AdaptVis gains in the free read-out only: accuracy 50.0 % without, 51.2 % with it" in more
    assert (
        "AdaptVis: the free read-out gains +50.0 points, the options gain +1.2 points, so +48.8 points are a change of "
        "the answers' format."
    ) in more
    same = entered("adaptvis", fixed(20), free=np.arange(80) < 40)
    assert "format" not in " ".join(also(table(same, free=free)))


def test_a_repair_that_turns_every_right_into_left_is_seen() -> None:
    """It corrects the failures of one class with what it takes from the other."""
    left = np.arange(80) % 2 == 0
    before = np.where(left, np.arange(80) % 8 == 0, True)  # left: a quarter right; right: all
    rows = (entered("adaptvis", left, before, kind="one weight"),)
    frame = {row["class"]: row for row in classes(table(*rows, before=before)).rows()}
    assert (frame["left"]["before"], frame["left"]["after"], frame["left"]["lost"]) == (0.25, 1.0, False)
    assert (frame["right"]["before"], frame["right"]["after"], frame["right"]["lost"]) == (1.0, 0.0, True)
    assert (frame["left"]["given_before"], frame["left"]["given_after"]) == (0.125, 1.0)
    few = ~left & (np.arange(80) < 78)  # 39 of the other class alone; then all of this one, and half of the other
    rows = (entered("adaptvis", left | (few & (np.arange(80) < 40)), few, kind="one weight"),)
    assert verdicts(*rows, before=few) == {"adaptvis": PRICE}


def test_classes_of_few_questions_have_no_accuracy() -> None:
    answers = ["left"] * 74 + ["right"] * 6
    rows = asked({"repair": "none"}, BEFORE, answers=answers) + entered("adaptvis", fixed(4), answers=answers)
    frame = {row["class"]: row for row in classes(Table.of(TOURNAMENT, rows)).rows()}
    assert frame["right"]["questions"] == 6 and frame["right"]["before"] is None and not frame["right"]["lost"]


def test_without_one_answer_a_class_nothing_is_said_of_what_is_given() -> None:
    """The questions about rows: a direction is answered by any colour."""
    directions = ["left", "above"] * 40
    answers = [("red", "blue", "green")[n % 3] for n in range(80)]
    more = {"answers": answers, "directions": directions}
    rows = asked({"repair": "none"}, BEFORE, **more) + entered("adaptvis", fixed(4), **more)
    assert {row["given_before"] for row in classes(Table.of(TOURNAMENT, rows)).rows()} == {None}


BASE: Row = {
    "upper_bound": False, "gain": 0.2, "p_nothing_holm": 0.001, "failures": 40, "failed_images": 40, "free_gain": 0.2,
    "p_free_holm": 0.001, "p_holm": 0.002, "lead": 0.1, "above_draws": True, "lost": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, WINS),
        ({"upper_bound": True}, BOUND),
        ({"failures": 9}, FEW),
        ({"failed_images": 9}, FEW),
        ({"p_nothing_holm": 0.05, "p_free_holm": 0.5}, NOTHING),
        ({"p_nothing_holm": 0.05}, FORMAT),
        ({"p_nothing_holm": 0.05, "free_gain": None, "p_free_holm": None}, NOTHING),
        ({"p_holm": 0.05}, CONTROL),
        ({"lead": -0.1}, CONTROL),
        ({"above_draws": False}, CONTROL),
        ({"lost": "right (80 to 10 %)"}, PRICE),
        ({"gain": -0.2}, HARMS),
        ({"gain": -0.2, "failures": 3}, HARMS),
        ({"gain": -0.2, "gain_high": -0.05, "p_nothing_holm": 0.06, "failures": 3}, LOWERS),
        ({"gain": -0.2, "gain_high": -0.05, "p_nothing_holm": 0.06, "p_free_holm": 0.5}, LOWERS),
        ({"gain": -0.2, "gain_high": 0.0, "p_nothing_holm": 0.06, "p_free_holm": 0.5}, NOTHING),
    ],
)
def test_each_number_can_change_the_verdict(changes: Row, expected: str) -> None:
    assert verdict(BASE | changes) == expected


def test_holm_counts_all_repairs() -> None:
    """Eight corrected and none broken is p = 1/128: enough for one repair, not for seven."""
    one = entered("amplification", fixed(8))
    assert verdicts(one) == {"amplification": WINS}
    others = [entered(f"other_{n}", fixed(0)) for n in range(6)]
    assert verdicts(one, *others)["amplification"] == NOTHING


def absent(name: str, right: int, trained: str = "no") -> list[Row]:
    about = {"repair": name, "trained": trained, "setting": "alpha 4"}
    return asked(about, np.arange(40) < right, part="absent", suite="nearer")


@pytest.mark.parametrize(
    ("after", "trained", "words_"),
    [
        (23, "no", "On a relation that this model was not trained on (which of two is nearer, 40 questions, chance 50 "
         "%) accuracy is 50 % [35, 65], and at most 57 % [42, 72] with amplification: no repair is shown to change "
         "it."),
        (34, "no", "is 50 % [35, 65], and 85 % [70, 94] with amplification (+35.0 points [+17.0, +49.7])."),
        (5, "no", "is 50 % [35, 65], and 12 % [5, 27] with amplification (-37.5 points [-52.3, -19.2])."),
        (20, "unknown", "On a relation of which it is not known whether this model was trained on it"),
    ],
)  # fmt: skip
def test_the_absent_relation(after: int, trained: str, words_: str) -> None:
    rows = (entered("amplification", fixed(0)), absent("none", 20, trained), absent("amplification", after, trained))
    *_, last = also(table(*rows))
    assert words_ in last


def test_where_no_repair_can_be_tried_that_is_said() -> None:
    assert told() == "No repair could be tried."
    with pytest.raises(DataError, match="no repair to draw"):
        plot(summary(table()))


@pytest.mark.parametrize("gain", [0.0, 0.1])
def test_repairs_that_are_no_better_than_chance_are_named_in_few_studies(gain: float) -> None:
    """Six repairs and their controls in 200 studies: both flip a few answers at random, or both correct as many."""
    rng, images = np.random.default_rng(0), [str(n) for n in range(80)]

    def answered() -> np.ndarray:
        return (BEFORE ^ (rng.random(80) < 0.05)) | (rng.random(80) < gain)

    named = 0
    for _ in range(200):
        rows: list[Row] = []
        for _repair in range(6):
            mine, other = answered(), answered()
            against, lead = (mine.astype(float) - one for one in (BEFORE, other))
            row = {"gain": against.mean(), "lead": lead.mean(), "above_draws": mine.mean() > other.mean()}
            row |= {"p_nothing": sign_flips(against, images), "p_control": sign_flips(lead, images)}
            row |= {"p_free": None, "free_gain": None}
            rows.append(BASE | row)
        corrected(rows)
        named += WINS in [verdict(row) for row in rows]
    assert named <= 0.05 * 200


def study(folder: Path, rows: Table) -> None:
    write_study(folder, study_record("pairs"))
    summary(rows).write(folder / "tables", "tournament_summary")
    classes(rows).write(folder / "tables", "tournament_classes")


def test_the_report_says_it(tmp_path: Path) -> None:
    left_out = dict.fromkeys(TOURNAMENT.columns) | {
        "example_id": "score-000", "image_id": "picture-000", "suite": "pairs", "part": "left out",
        "repair": "both_sides", "setting": "no single tokens for left and right", "upper_bound": False,
    }  # fmt: skip
    rows = table(
        entered("amplification", fixed(20, 2), fixed(2)), absent("none", 20), absent("amplification", 21), [left_out]
    )
    study(tmp_path, rows)
    spoken = words(page_of(tmp_path))
    assert "Amplification at alpha 4 is worth having (80 held-out questions, 40 answered incorrectly)" in spoken
    assert "controls change it by +2.5 points; with a blank image it is 25 % [17, 36]." in spoken
    assert "Both-sides vote was left out: no single tokens for left and right." in spoken
    assert "On a relation that this model was not trained on" in spoken
    assert "amplification worth having 0.725" in spoken and "amplification random directions 0.525" in spoken
    assert "amplification alpha 4 &lt;0.001" in spoken
    assert (tmp_path / "figures" / "tournament.svg").is_file()


@pytest.mark.parametrize("columns", [None, 1])
def test_the_figure_names_every_repair(columns: int | None) -> None:
    rows = table(
        entered("amplification", fixed(20, 2), fixed(2)), entered("box_attention", fixed(30)), absent("none", 20),
        absent("amplification", 21),
    )  # fmt: skip
    drawn = to_svg(plot(summary(rows), columns=columns))
    for text in (
        "amplification",
        "(worth having)",
        "attention to the boxes",
        "(upper bound)",
        "which of two is nearer",
    ):
        assert text in drawn
    assert to_svg(plot(rows, columns=columns)) == drawn  # of the rows the same


def test_metrics_of_two_studies() -> None:
    from backsight.results.tournament import RESULT

    frame = table(entered("amplification", fixed(20, 2), fixed(2))).frame
    of_failures, of_right = ((metric, metric.rows(frame)) for metric in RESULT.metrics)
    assert of_failures[1][of_failures[0].value].mean() == 0.5 and len(of_failures[1]) == 40
    assert of_right[1][of_right[0].value].mean() == 0.05 and len(of_right[1]) == 40


def of_sets(**sets: Table) -> dict[str, list[Row]]:
    return {title: summary(rows).rows() for title, rows in sets.items()}


def test_the_claim_of_several_sets_puts_those_without_a_repair_first() -> None:
    good, none = table(entered("adaptvis", fixed(20))), table(entered("adaptvis", fixed(1)))
    assert claim(of_sets(A=good, B=none)) == (
        "No repair is shown to be worth having on B; AdaptVis is worth having on A."
    )
    assert claim(of_sets(A=good, B=good)) == "AdaptVis is worth having on A; AdaptVis is worth having on B."
    worse = table(entered("adaptvis", fixed(0, 3)))
    assert (
        claim(of_sets(A=worse, B=none))
        .replace("\u00a0", " ")
        .startswith(
            "No repair is shown to be worth having on any of 2 sets: the largest change of accuracy is +1.2 points ["
        )
    )
    assert claim(of_sets(A=good)) == sentence(summary(good).rows())


def test_the_null_says_what_controls_and_a_blank_image_do() -> None:
    """Controls that correct 2 of 80 and break 4; the upper bound's control is none of a repair's."""
    rows = table(
        entered("adaptvis", fixed(1), fixed(2)), entered("norm_rescale", fixed(1), fixed(0, 4)),
        entered("box_attention", fixed(9), fixed(30)),
    )  # fmt: skip
    assert null(summary(rows).rows()).replace("\u00a0", " ") == (
        "Accuracy without a repair is 50 % [39, 61]; the repairs' controls change it by -5.0 to +2.5 points; with a "
        "blank image it is 25 % [17, 36]."
    )
    bare = [row for row in summary(rows).rows() if row["repair"] == "none"]
    assert null(bare).replace("\u00a0", " ") == "Accuracy without a repair is 50 % [39, 61]."


def test_a_repair_is_the_farther_the_less_it_gains() -> None:
    before: Row = {"accuracy": 0.5}
    assert [short(before, {"gain": gain}) for gain in (-0.2, 0.0, 0.25, 0.5)] == [1.0, 1.0, 0.5, 0.0]
    assert short({"accuracy": 1.0}, {"gain": 0.0}) == 1.0
