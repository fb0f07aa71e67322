"""The report on position pathways: the verdict in words, the presence question, the tables, and what is left out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from backsight.maths.pathways import RULE
from backsight.report.reading import read_study
from backsight.results.pages.content import Statement
from backsight.results.pathways import PATHWAYS_SUMMARY, reading, sentences
from backsight.results.pathways.reading import Judged
from backsight.results.pathways.section import pathways
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


def judged(suite: str = "squares", **changes: Any) -> Judged:
    """A suite's verdict as it is read from study.json."""
    one = reading.judged(suite, verdict(suite=suite, **changes))
    assert one is not None
    return one


TITLES = {"squares": "Squares", "shapes": "Shapes", "pairs_a": "Pairs (prompt A)", "objects": "Objects"}


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def claim(*verdicts: Judged) -> str:
    return plain(sentences.claim(verdicts, TITLES))


def lines(*verdicts: Judged, asked: bool = True) -> tuple[Statement, ...]:
    return sentences.statements(verdicts, TITLES, asked=dict.fromkeys(TITLES, asked))


SHARES = (
    "75 % [62, 88] of the accuracy above chance remains with image tokens shuffled, 25 % [-4, 35] with the vision "
    "encoder's order removed."
)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("vision", "Position comes from the vision encoder"),
        ("language", "Position comes from the language model's position encoding"),
        ("both", "Position comes from both pathways, each enough by itself,"),
    ],
)
def test_the_claim_is_one_sentence(source: str, words: str) -> None:
    assert claim(judged(source=source)) == f"{words} in Squares: {SHARES}"


def test_the_claim_has_the_weakest_share_of_all_suites_and_names_the_others() -> None:
    weaker = {"vision_suffices": share(0.8, 0.55, 1.0), "language_suffices": share(0.2, -0.1, 0.48)}
    same = judged(), judged("shapes", **weaker)
    numbers = (
        "at least 80 % [55, 100] of the accuracy above chance remains with image tokens shuffled, at most 20 % "
        "[-10, 48] with the vision encoder's order removed"
    )
    assert claim(*same) == f"Position comes from the vision encoder in all 2 suites: {numbers}."
    reason = "the accuracy, 0.52 [0.41, 0.60], is not above chance (.5)"
    others = judged("pairs_a", source="language"), judged("objects", source="cannot tell", reason=reason)
    assert claim(others[1], *same, others[0]) == (
        f"Position comes from the vision encoder in Squares and Shapes: {numbers}; not shown in Objects; from the "
        "language model's position encoding in Pairs (prompt A)."
    )
    assert claim(*same, judged("pairs_a"), others[1]).startswith("Position comes from the vision encoder in 3 of 4 su")


def test_the_claim_where_nothing_is_shown() -> None:
    assert claim() == "Where position comes from is not shown: the study holds no verdict."
    reason = "the accuracy, 0.52 [0.41, 0.60], is not above chance (.5)"
    one, two = (judged(suite, source="cannot tell", reason=reason) for suite in ("squares", "shapes"))
    why = "in Squares the accuracy, 52 % [41, 60], is not above chance (.5)."
    assert claim(one) == f"Where position comes from is not shown: {why}"
    assert claim(one, two) == f"Where position comes from is not shown in any of 2 suites: {why}"
    silent = judged(source="cannot tell", reason="")
    assert claim(silent) == "Where position comes from is not shown: in Squares no reason is given."


def pathway(outcome: str, left: Row | None, reason: str = "", control: Row | None = None) -> Row:
    return {"outcome": outcome, "share": left, "reason": reason, "control": control}


BROKEN = (
    "under removal the presence question keeps only 0.02 [-0.15, 0.20] of its accuracy above chance: the edit breaks "
    "more than position"
)


def half() -> Judged:
    """A model that keeps order in background tokens: removal takes the presence question down with it."""
    pathways = {"vision": pathway("suffices", share(1.0, 0.9, 1.1)),
                "language": pathway("cannot tell", share(0.0, -0.1, 0.1), BROKEN, share(0.02, -0.15, 0.2))}  # fmt: skip
    control = {"shuffled": share(1.0, 0.9, 1.1), "removed": share(0.02, -0.15, 0.2)}
    shares = {"vision_suffices": share(1.0, 0.9, 1.1), "language_suffices": share(0.0, -0.1, 0.1)}
    return judged(source="cannot tell", pathways=pathways, control=control, budget=480, questions=160, **shares)


def test_one_pathway_is_shown_where_the_other_cannot_be() -> None:
    assert claim(half()) == (
        "In Squares the vision encoder's pathway suffices; the language model's is undecided: 100 % [90, 110] of the "
        "accuracy above chance remains with image tokens shuffled."
    )
    (line,) = lines(half())
    assert plain(line.text) == (
        "Squares: accuracy holds with image tokens shuffled (100 % [90, 110] of the accuracy above chance remains): "
        "the vision encoder's pathway suffices; the language model's is undecided, since under removal the presence "
        "question keeps only 2 % [-15, 20] of its accuracy above chance: the edit breaks more than position (160 "
        "questions)."
    )
    assert line.note == "160 of at most 480 questions were asked." and line.short == pytest.approx(0.7)
    assert plain(sentences.null([half()], TITLES)) == (
        "Chance is 0 %; the presence question, which needs no spatial information, keeps as little as 2 % [-15, 20] of "
        "its accuracy above chance in Squares with the vision encoder's order removed, so that edit loses more than "
        "position there."
    )


def test_where_neither_pathway_suffices_it_says_so() -> None:
    lost = pathway("does not suffice", share(0.1, -0.1, 0.3))
    shares = dict.fromkeys(("vision_suffices", "language_suffices"), share(0.1, -0.1, 0.3))
    neither = judged(source="cannot tell", pathways={"vision": lost, "language": lost}, **shares)
    assert claim(neither).startswith("Neither pathway suffices by itself in Squares: 10 % [-10, 30] of the accuracy")
    (line,) = lines(neither)
    assert line.text.endswith(": neither pathway suffices by itself (160 questions).") and line.short == 0.5


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
def test_what_an_edit_does_goes_as_far_as_its_interval(low: float, high: float, verb: str) -> None:
    (line,) = lines(judged(vision_suffices=share((low + high) / 2, low, high)))
    assert line.text.startswith(f"Squares: accuracy {verb} with image tokens shuffled (")


def test_a_suite_has_a_sentence() -> None:
    (line,) = lines(judged(single_cells=None))
    assert plain(line.text) == (
        "Squares: accuracy falls by less than half with image tokens shuffled (75 % [62, 88] of the accuracy above "
        "chance remains) and falls to chance with the vision encoder's order removed (25 % [-4, 35]): position comes "
        "from the vision encoder (160 questions)."
    )
    assert (line.suite, line.short, line.note) == ("squares", 0.0, "")
    (unknown,) = lines(judged(vision_suffices=None, accuracy=None))
    assert "accuracy is not known with image tokens shuffled and falls to chance" in unknown.text
    assert unknown.text.endswith("position comes from the vision encoder.")


def test_suites_at_chance_are_one_sentence() -> None:
    at = {"source": "cannot tell", "accuracy": share(0.52, 0.41, 0.6), "reason": "the accuracy"}
    *_, line = lines(judged(), judged("shapes", **at), judged("pairs_a", **at))
    assert (line.suite, line.short) == ("", 1.0)
    assert plain(line.text) == (
        "Where position comes from is not shown in Shapes (52 % [41, 60]) and Pairs (prompt A) (52 % [41, 60]): "
        "accuracy between two is not above chance, 50 %."
    )
    assert [one.suite for one in lines(judged("shapes", **at))] == ["shapes"]
    other = judged("shapes", source="cannot tell", reason="5 pictures were asked about, fewer than 10")
    (line,) = lines(other)
    assert line.text == (
        "Where position comes from is not shown in Shapes: 5 pictures were asked about, fewer than 10 (160 questions)."
    )


def test_the_null_is_the_presence_question() -> None:
    def null(*verdicts: Judged) -> str:
        return plain(sentences.null(verdicts, TITLES))

    control = {"shuffled": share(1.0, 0.96, 1.04), "removed": share(0.9, 0.7, 1.1), "cells": share(0.3, 0.2, 0.4)}
    held = (
        "Chance is 0 %; the presence question, which needs no spatial information, keeps at least 90 % [70, 110] of "
        "its accuracy above chance under either edit"
    )
    assert null(judged(control=control)) == f"{held}."
    assert null(judged(control=control), judged("shapes", control={})) == f"{held}; it is no control in Shapes."
    assert null(judged(control={})).endswith("there is no control, since no presence question could serve.")
    open_ = null(judged(control=control | {"shuffled": share(0.31, -1.13, 1.13)}))
    assert "as little as 31 % [-113, 113] of its accuracy above chance in Squares with image tokens shuffled" in open_
    assert open_.endswith("so that edit is not known to lose position only there.")


def test_what_to_know_before_a_verdict_is_believed() -> None:
    def note(asked: bool = True, **changes: Any) -> str:
        (line,) = lines(judged(**({"single_cells": None} | changes)), asked=asked)
        return plain(line.note)

    assert note() == ""
    assert note(asked=False, control={}) == "No control: the model could not be asked the presence question."
    assert note(control={}) == "No control: the presence question is not answered above chance."
    assert note(control={}, control_accuracy=share(0.73, 0.6, 0.84)) == (
        "No control: the presence question is answered with an accuracy of 73 % [60, 84], not known to be above 75 %."
    )
    held, lost, open_ = share(1.0, 0.9, 1.1), share(0.3, 0.2, 0.45), share(0.5, 0.3, 0.7)
    assert note(control={"shuffled": held, "removed": lost}) == (
        "The presence question does not hold with the vision encoder's order removed: 30 % [20, 45] of its accuracy "
        "above chance remains."
    )
    assert note(control={"shuffled": open_, "removed": held}).startswith("The presence question is not known to hold w")
    (line,) = lines(judged(control={}))
    assert line.short == 0.2
    agree, disagree = share(0.2, 0.0, 0.4), share(0.5, 0.4, 0.6)
    assert note(single_cells=agree) == ""
    assert note(single_cells=disagree) == (
        "Single cells in place of removal leave 50 % [40, 60]: the two edits do not give the same."
    )
    spent = {"source": "cannot tell", "reason": "undecided", "questions": 480, "budget": 480}
    assert note(**spent, accuracy=share(0.9, 0.8, 1.0, n=480)) == "All 480 questions were asked."


def test_axes_and_suites_stand_by_pathway(tmp_path: Path) -> None:
    of = {
        "vision": pathway("suffices", share(1.0, 0.9, 1.1)),
        "language": pathway("does not suffice", share(0, -0.1, 0.1)),
    }
    across = {"source": "vision", "accuracy": share(1.0, 0.9, 1.0, n=48), "pathways": of}
    whole = verdict(questions=96, budget=480, looks=[96, 480], pathways=of, axes={"horizontal": across})
    record = {"verdict": whole, "verdicts": {"squares": whole}}
    shown = plain(words(page_of(write_pathways(tmp_path / "s", pathways_rows(), **record))))
    assert (
        "Squares all suffices (100 % [90, 110]) does not suffice (0 % [-10, 10]) vision 160 of 480 Squares horizontal "
        "suffices (100 % [90, 110]) does not suffice (0 % [-10, 10]) vision 48"
    ) in shown


def test_rows_name_their_suite(tmp_path: Path) -> None:
    rows = [*pathways_rows(), *pathways_rows("shapes")]
    of = {name: {"outcome": "suffices"} for name in ("vision", "language")}
    folder = write_pathways(tmp_path / "s", rows, verdict=verdict(pathways=of))
    section = pathways(read_study(folder))
    assert section is not None and len(section.tables) == 4
    assert all(len(one.suites) == len(one.rows) for one in section.tables)
    assert section.tables[1].suites == ("squares", "squares", "shapes", "shapes")


def test_no_share_stands_of_a_presence_question_that_is_no_control(tmp_path: Path) -> None:
    rows = [row | ({"low_of_two": 0.7} if row["asked"] == "control" else {}) for row in pathways_rows()]
    said = words(page_of(write_pathways(tmp_path / "s", rows)))
    assert "Squares Presence 160 0.980 [0.700, 1.000] no control no control no control" in said


def test_the_claim_stands_in_the_section_and_its_rule_under_it(tmp_path: Path) -> None:
    folder = write_pathways(tmp_path / "s", pathways_rows(), verdict=verdict())
    section = pathways(read_study(folder))
    assert section is not None
    assert plain(section.claim) == f"Position comes from the vision encoder in Squares: {SHARES}"
    assert plain(section.null).endswith(
        "keeps at least 100 % [100, 100] of its accuracy above chance under either edit."
    )
    assert section.method[-1] == f"The verdict follows a fixed rule. {RULE}"
    html = plain(words(page_of(folder))).replace("&#39;", "'")
    assert plain(section.claim) in html and plain(section.null) in html and plain(section.statements[0].text) in html


def test_without_a_verdict_the_claim_says_so(tmp_path: Path) -> None:
    for number, nothing in enumerate((None, {}, 3, {"source": "the moon"}, {"source": None})):
        section = pathways(read_study(write_pathways(tmp_path / str(number), pathways_rows(), verdict=nothing)))
        assert section is not None and (section.statements, section.null) == ((), "")
        assert section.claim == "Where position comes from is not shown: the study holds no verdict."
        assert not any("follows a fixed rule" in one for one in section.method)


def test_without_the_table_there_is_neither(tmp_path: Path) -> None:
    assert pathways(read_study(write_study(tmp_path / "s", study_record("squares", verdict=verdict())))) is None


@pytest.mark.parametrize("broken", [None, 3, "0.7", {"value": 0.7}, share(float("nan"), 0.1, 0.2)])
def test_a_share_that_cannot_be_read_is_unknown(broken: object) -> None:
    words_of = claim(judged(vision_suffices=broken, accuracy=None))
    assert words_of.startswith("Position comes from the vision encoder in Squares: an unknown share of the accuracy ab")
    assert words_of.endswith("25 % [-4, 35] with the vision encoder's order removed.")


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


def test_a_model_that_cannot_be_asked_the_presence_question(tmp_path: Path) -> None:
    html = page_of(write_pathways(tmp_path / "s", pathways_rows(control=False), verdict=verdict(control={})))
    assert "No control: the model could not be asked the presence question." in words(html)
    assert "presence question: which of two things is there" not in html


def test_names_and_reasons_are_escaped(tmp_path: Path) -> None:
    hostile = verdict(source="cannot tell", reason=HOSTILE, suite=HOSTILE, rule=HOSTILE)
    folder = write_pathways(tmp_path / "s", pathways_rows(), verdict=hostile)
    Table.of(PATHWAYS_SUMMARY, pathways_rows(HOSTILE)).write(folder / "tables", "pathways_summary")
    html = page_of(folder)
    assert "<script>alert" not in html
    assert "in &lt;script&gt;alert(1)&lt;/script&gt; &lt;script&gt;alert(1)&lt;/script&gt;." in html  # suite, reason
    assert "<script" not in (tmp_path / "s" / "figures" / "pathways.svg").read_text()


def test_the_edited_questions_are_those_of_the_set(tmp_path: Path) -> None:
    record = study_record("squares")
    record["jobs"] = [{"name": "pathways/squares", "kind": "pathways", "set": "squares"}]
    folder = write_pathways(tmp_path / "s", pathways_rows(), sets=record["sets"], jobs=record["jobs"])
    section = pathways(read_study(folder))
    assert section is not None
    (sample,) = section.samples
    (picture,) = sample.pictures
    assert picture.uri.startswith("data:image/") and "ounterfactual" not in picture.caption
