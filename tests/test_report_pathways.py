"""The report on position pathways: the verdict in words, the presence question, the tables, and what is left out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from backsight.maths.pathways import RULE
from backsight.results.pathways import PATHWAYS_SUMMARY
from backsight.results.pathways.verdict import (
    axes_sentence,
    budget_sentence,
    cells_sentence,
    control_sentence,
    source_sentence,
)
from backsight.tables import Table

from .test_report import HOSTILE, page_of, study_record, words, write_study

Row = dict[str, Any]
ACCURACY = {"plain": 0.98, "removed": 0.62, "cells": 0.74, "shuffled": 0.86}
NUMBERS = (
    "accuracy",
    "low",
    "high",
    "accuracy_of_two",
    "low_of_two",
    "high_of_two",
    "share",
    "share_low",
    "share_high",
)


def pathways_rows(suite: str = "squares", *, cells: bool = True, control: bool = True, **changes: Any) -> list[Row]:
    """A suite's summary: shares are (accuracy - .5) / .48, and the control question loses nothing."""
    rows: list[Row] = []
    for asked in ("order", "control") if control else ("order",):
        for direction in ("all", "left", "right"):
            for condition, value in ACCURACY.items():
                if condition == "cells" and not cells:
                    continue
                two = value if asked == "order" else 0.98
                row: Row = {"suite": suite, "asked": asked, "direction": direction, "condition": condition}
                row |= {"questions": 160 if direction == "all" else 40, "images": 80, "omitted": False}
                row |= {"accuracy": value - 0.1, "low": value - 0.2, "high": value - 0.05}
                row |= {"accuracy_of_two": two, "low_of_two": two - 0.03, "high_of_two": two + 0.02}
                share = (two - 0.5) / 0.48
                row |= {"share": share, "share_low": share - 0.1, "share_high": share + 0.1}
                if condition == "plain":
                    row |= dict.fromkeys(("share", "share_low", "share_high"))
                rows.append(row | changes)
    return rows


def share(value: float, low: float, high: float, n: int = 160) -> Row:
    return {"value": value, "low": low, "high": high, "n": n}


def verdict(**changes: Any) -> Row:
    """What a study says of a model whose vision encoder is enough."""
    whole = share(1.0, 1.0, 1.0)
    found: Row = {"source": "vision", "reason": "", "suite": "squares", "accuracy": share(0.98, 0.95, 1.0)}
    found |= {"vision_suffices": share(0.75, 0.625, 0.875), "language_suffices": share(0.25, -0.0417, 0.3542)}
    found |= {"single_cells": share(0.5, 0.4, 0.6), "control": {"shuffled": whole, "removed": whole}, "rule": RULE}
    return found | changes


def write_pathways(folder: Path, rows: list[Row], **record: Any) -> Path:
    """A study's folder that holds a summary of pathways, and sets of its suites."""
    suites = dict.fromkeys(row["suite"] for row in rows)
    write_study(folder, study_record(*suites, **record))
    Table.of(PATHWAYS_SUMMARY, rows).write(folder / "tables", "pathways_summary")
    return folder


def opening(html: str) -> str:
    return words(html.split("<nav")[0])


SHARES = (
    "With image tokens shuffled, accuracy falls by less than half (75 % of the accuracy above chance remains, 95 % "
    "interval 62 to 88); after removal, accuracy falls to chance (25 % remains, 95 % interval -4 to 35)"
)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("vision", "the vision encoder"),
        ("language", "the language model's position encoding"),
        ("both", "both pathways, each enough by itself"),
    ],
)
def test_a_verdict_is_one_sentence(source: str, said: str) -> None:
    sentence = source_sentence(verdict(source=source), "Squares").replace("\u00a0", " ")
    assert sentence == f"{SHARES}: position comes from {said} (160 questions of Squares)."


@pytest.mark.parametrize(
    ("low", "high", "verb"),
    [
        (-0.15, 0.07, "falls to chance"),
        (-0.30, -0.01, "falls below chance"),
        (0.02, 0.40, "falls by more than half"),
        (0.40, 0.60, "may fall or hold"),
        (-0.10, 0.60, "may fall or hold"),
        (0.60, 0.90, "falls by less than half"),
        (0.92, 1.00, "holds"),
        (1.01, 1.20, "rises"),
    ],
)
def test_what_an_edit_does_is_said_as_far_as_its_interval_goes(low: float, high: float, verb: str) -> None:
    edited = verdict(vision_suffices=share((low + high) / 2, low, high))
    assert source_sentence(edited, "Squares").startswith(f"With image tokens shuffled, accuracy {verb} (")


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (
            "the accuracy, 0.52 [0.41, 0.60], is not above chance (.5)",
            "the accuracy, 52 % [41, 60], is not above chance (.5)",
        ),
        (
            "under removal the presence question keeps only 0.30 [-0.10, 0.45] of its accuracy above chance",
            "under removal the presence question keeps only 30 % [-10, 45] of its accuracy above chance",
        ),
        (
            "shuffled, 0.45 [0.20, 0.70] of the accuracy above chance is left; after removal 1.00 [1.00, 1.00]: not "
            "wholly on one side of one half",
            "shuffled, 45 % [20, 70] of the accuracy above chance is left; after removal 100 % [100, 100]: not "
            "wholly on one side of one half",
        ),
    ],
)  # fmt: skip
def test_where_it_cannot_tell_it_says_why(reason: str, said: str) -> None:
    found = source_sentence(verdict(source="cannot tell", reason=reason), "Squares").replace("\u00a0", " ")
    assert found == f"Cannot tell: {said}; 160 questions of Squares."


def test_whether_the_control_question_held() -> None:
    lost = share(0.3, 0.2, 0.45)

    def said(control: Row, *, asked: bool = True) -> str:
        return control_sentence(verdict(control=control), asked=asked).replace("\u00a0", " ")

    whole = share(1.0, 0.96, 1.04)
    assert said({"shuffled": whole, "removed": whole, "cells": lost}) == (
        "The presence question, which needs no spatial information, holds: with shuffled image tokens 100 % [96, 104], "
        "after removal 100 % [96, 104] of its accuracy above chance is left."
    )
    both = "holds with shuffled image tokens and loses half or more after removal: with shuffled image tokens 100 %"
    assert both in said({"shuffled": whole, "removed": lost})
    assert "information, loses half or more: with shuffled" in said({"shuffled": lost, "removed": lost})
    open_ = share(0.31, -1.13, 1.13)
    assert "holds with shuffled image tokens and may hold or not after removal:" in said(
        {"shuffled": whole, "removed": open_}
    )
    assert control_sentence(verdict(control={}, control_accuracy=share(0.73, 0.6, 0.84)), asked=True).replace(
        "\u00a0", " "
    ) == (
        "The presence question is no control here: its accuracy as the model is, 73 % [60, 84], is not known to be "
        "above 75 %."
    )
    assert (
        said({}) == "The presence question is not answered above chance as it is, so it can say nothing of the edits."
    )
    assert said({}, asked=False) == "The model could not be asked the presence question."


def pathway(outcome: str, left: Row | None, reason: str = "", control: Row | None = None) -> Row:
    return {"outcome": outcome, "share": left, "reason": reason, "control": control}


BROKEN = (
    "under removal the presence question keeps only 0.02 [-0.15, 0.20] of its accuracy above chance: the edit breaks "
    "more than position"
)


def test_one_pathway_is_told_where_the_other_cannot_be() -> None:
    """A model that keeps order in background tokens: removal takes the presence question down with it."""
    pathways = {"vision": pathway("suffices", share(1.0, 0.9, 1.1)),
                "language": pathway("cannot tell", share(0.0, -0.1, 0.1), BROKEN, share(0.02, -0.15, 0.2))}  # fmt: skip
    judged = verdict(source="cannot tell", pathways=pathways, budget=480)
    assert source_sentence(judged, "Squares").replace("\u00a0", " ") == (
        "Cannot tell in one word: the vision encoder suffices, since with image tokens shuffled, accuracy holds (100 % "
        "of the accuracy above chance remains, 95 % interval 90 to 110); of the language model's position encoding "
        "nothing is known, since under removal the presence question keeps only 2 % [-15, 20] of its accuracy above "
        "chance: the edit breaks more than position (160 of at most 480 questions of Squares)."
    )


def test_where_neither_pathway_suffices_it_says_so() -> None:
    lost = pathway("does not suffice", share(0.1, -0.1, 0.3))
    said = source_sentence(verdict(source="cannot tell", pathways={"vision": lost, "language": lost}), "Squares")
    assert said.startswith("Neither pathway suffices by itself: the vision encoder does not suffice, since with image")
    chance = pathway("cannot tell", None, "the accuracy, 0.52 [0.41, 0.60], is not above chance (.5)")
    said = source_sentence(verdict(source="cannot tell", pathways={"vision": chance, "language": chance}), "Squares")
    assert said.replace("\u00a0", " ") == (
        "Cannot tell: the accuracy, 52 % [41, 60], is not above chance (.5); 160 questions of Squares."
    )


FINE, OPEN = pathway("suffices", None), pathway("cannot tell", None)


@pytest.mark.parametrize(
    ("asked", "budget", "looks", "open_ones", "high", "said"),
    [
        (96, 480, [96, 192, 480], "", 1.0, "96 of at most 480 questions were asked: both pathways were decided."),
        (
            192, 480, [96, 192, 480], "language", 1.0,
            "192 of at most 480 questions were asked: one pathway was decided, and more questions do not decide on the "
            "language model's pathway.",
        ),
        (
            96, 480, [96, 192, 480], "vision language", 0.58,
            "96 of at most 480 questions were asked: the accuracy is below 60 %, too near chance for any share of it.",
        ),
        (480, 480, [96, 192, 480], "", 1.0, "All 480 questions of the budget were asked."),
        (
            480, 480, [96, 192, 480], "vision", 1.0,
            "All 480 questions of the budget were asked, and the vision encoder's pathway is not decided.",
        ),
        (
            44, 44, [44], "language", 1.0,
            "44 questions, fewer than the 96 of a study's first look, are too few to decide on the language model's "
            "pathway.",
        ),
        (44, 44, [44], "", 1.0, "44 questions were asked, all at once."),
    ],
)  # fmt: skip
def test_what_was_asked_of_the_budget(
    asked: int, budget: int, looks: list[int], open_ones: str, high: float, said: str
) -> None:
    pathways = {name: OPEN if name in open_ones else FINE for name in ("vision", "language")}
    accuracy = share(0.5, 0.4, high, n=asked)
    judged = verdict(questions=asked, budget=budget, looks=looks, pathways=pathways, accuracy=accuracy)
    assert budget_sentence(judged).replace("\u00a0", " ") == said
    assert budget_sentence(verdict()) == ""  # of an earlier release


def test_axes_and_sets_stand_by_pathway(tmp_path: Path) -> None:
    of = {
        "vision": pathway("suffices", share(1.0, 0.9, 1.1)),
        "language": pathway("does not suffice", share(0, -0.1, 0.1)),
    }
    across = {"source": "vision", "accuracy": share(1.0, 0.9, 1.0, n=48), "pathways": of}
    judged = verdict(questions=96, budget=480, looks=[96, 480], pathways=of, axes={"horizontal": across})
    assert axes_sentence(judged) == (
        "By axis, from fewer questions each: horizontal: vision suffices, language does not suffice."
    )
    assert axes_sentence(verdict()) == ""
    record = {"verdict": judged, "verdicts": {"squares": judged}}
    said = words(page_of(write_pathways(tmp_path / "s", pathways_rows(), **record))).replace("\u00a0", " ")
    assert (
        "Squares all suffices (100 % [90, 110]) does not suffice (0 % [-10, 10]) vision 160 of 480 Squares horizontal "
        "suffices (100 % [90, 110]) does not suffice (0 % [-10, 10]) vision 48"
    ) in said


def test_no_share_stands_of_a_presence_question_that_is_no_control(tmp_path: Path) -> None:
    rows = [row | ({"low_of_two": 0.7} if row["asked"] == "control" else {}) for row in pathways_rows()]
    said = words(page_of(write_pathways(tmp_path / "s", rows)))
    assert "Squares Presence 160 0.980 [0.700, 1.000] no control no control no control" in said


def test_single_cells_stand_beside() -> None:
    assert cells_sentence(verdict()).replace("\u00a0", " ") == (
        "Each cell taken through the vision encoder by itself, in place of removal: 50 % [40, 60] is left."
    )
    assert cells_sentence(verdict(single_cells=None)).endswith("in place of removal: not available.")


def test_the_verdict_opens_the_report_and_its_rule_stands_under_pathways(tmp_path: Path) -> None:
    html = page_of(write_pathways(tmp_path / "s", pathways_rows(), verdict=verdict()))
    said = opening(html)
    assert (
        f"Where position comes from {SHARES}: position comes from the vision encoder (160 questions of Squares)."
        in said
    )
    assert "holds: with shuffled image tokens 100 % [100, 100]" in said and "50 % [40, 60] is left." in said
    section = words(html.split('<section id="pathways">')[1])
    assert "follows a fixed rule. Answers are read out between the two entities" in section
    assert RULE.split("`")[0] in section.replace("&#39;", "'")


def test_without_a_verdict_there_is_a_section_and_no_answer(tmp_path: Path) -> None:
    for number, nothing in enumerate((None, {}, 3, {"source": "the moon"}, {"source": None})):
        html = page_of(write_pathways(tmp_path / str(number), pathways_rows(), verdict=nothing))
        assert "Where position comes from" not in html
        assert '<section id="pathways">' in html and "follows a fixed rule" not in html


def test_without_the_table_there_is_neither(tmp_path: Path) -> None:
    html = page_of(write_study(tmp_path / "s", study_record("squares", verdict=verdict())))
    assert "Where position comes from" not in html and '<section id="pathways">' not in html


@pytest.mark.parametrize("broken", [None, 3, "0.7", {"value": 0.7}, share(float("nan"), 0.1, 0.2)])
def test_a_share_that_cannot_be_read_is_a_dash(broken: object) -> None:
    sentence = source_sentence(verdict(vision_suffices=broken, accuracy=None), "Squares").replace("\u00a0", " ")
    assert sentence.startswith("With image tokens shuffled, no share of the accuracy is known; after removal, accuracy")
    assert sentence.endswith("95 % interval -4 to 35): position comes from the vision encoder (Squares).")


def test_accuracies_stand_as_in_the_papers_tables(tmp_path: Path) -> None:
    said = words(page_of(write_pathways(tmp_path / "s", pathways_rows())))
    assert "Suite Condition Questions L R All Squares As it is 160 0.880 0.880 0.880 [0.780, 0.930]" in said
    assert "Squares Order removed 160 0.520 0.520 0.520 [0.420, 0.570]" in said
    assert "L is left, R is right." in said


def test_shares_stand_with_intervals(tmp_path: Path) -> None:
    said = words(page_of(write_pathways(tmp_path / "s", pathways_rows())))
    assert (
        "Squares Suite&#39;s own 160 0.980 [0.950, 1.000] 0.250 [0.150, 0.350] 0.500 [0.400, 0.600] "
        "0.750 [0.650, 0.850]"
    ) in said
    assert "Squares Presence 160 0.980 [0.950, 1.000] 1.000 [0.900, 1.100]" in said
    assert "Squares Suite&#39;s own left 40 0.980" in said


def test_single_cells_that_are_not_available(tmp_path: Path) -> None:
    html = page_of(write_pathways(tmp_path / "s", pathways_rows(cells=False)))
    said = words(html)
    assert "Squares Single cells – – – not available" in said
    assert "0.250 [0.150, 0.350] not available 0.750 [0.650, 0.850]" in said
    assert len(re.findall(r">not available</text>", html)) == 2  # in both drawings of the figure


def test_no_share_where_the_accuracy_is_at_chance(tmp_path: Path) -> None:
    rows = [row | ({"low_of_two": 0.5} if row["condition"] == "plain" else {}) for row in pathways_rows()]
    said = words(page_of(write_pathways(tmp_path / "s", rows)))
    assert "0.980 [0.500, 1.000] at chance at chance at chance" in said


def test_few_questions_are_omitted_and_counted(tmp_path: Path) -> None:
    nothing = dict.fromkeys(NUMBERS)
    few = [row | nothing | {"questions": 6, "omitted": True} for row in pathways_rows("shapes")]
    html = page_of(write_pathways(tmp_path / "s", [*pathways_rows(), *few]))
    said = words(html)
    assert "Shapes As it is 6 omitted (n=6) omitted (n=6) omitted (n=6)" in said
    assert "Shapes Presence 6 omitted (n=6) omitted omitted omitted" in said
    assert "6 questions, 80 pictures" in said
    assert len(re.findall(r">omitted \(n=6\)</text>", html)) == 2 * 4  # in the figure, a condition each


def test_a_model_that_cannot_be_asked_the_control_question(tmp_path: Path) -> None:
    html = page_of(write_pathways(tmp_path / "s", pathways_rows(control=False), verdict=verdict(control={})))
    assert "The model could not be asked the presence question." in opening(html)
    assert "presence question: which of two things is there" not in html


def test_names_and_reasons_are_escaped(tmp_path: Path) -> None:
    hostile = verdict(source="cannot tell", reason=HOSTILE, suite=HOSTILE, rule=HOSTILE)
    folder = write_pathways(tmp_path / "s", pathways_rows(), verdict=hostile)
    Table.of(PATHWAYS_SUMMARY, pathways_rows(HOSTILE)).write(folder / "tables", "pathways_summary")
    html = page_of(folder)
    assert "<script" not in html
    assert "Cannot tell: &lt;script&gt;alert(1)&lt;/script&gt;;" in html
    assert "<script" not in (tmp_path / "s" / "figures" / "pathways.svg").read_text()


def test_the_edited_questions_are_those_of_the_set(tmp_path: Path) -> None:
    record = study_record("squares")
    record["jobs"] = [{"name": "pathways/squares", "kind": "pathways", "set": "squares"}]
    html = page_of(write_pathways(tmp_path / "s", pathways_rows(), sets=record["sets"], jobs=record["jobs"]))
    section = html.split('<section id="pathways">')[1]
    assert "What was asked" in section and "Counterfactual" not in section
    assert len(re.findall('src="data:image/png;base64,', section)) == 1
