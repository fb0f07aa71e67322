"""The card of repairs: its verdict, its numbers and their null, and what it falls back on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backsight.results.amplification import AMPLIFY, amplify_summary
from backsight.results.amplification.gains import gains
from backsight.results.amplification.titles import filtered, titled
from backsight.results.pages.study import Study
from backsight.results.tournament import repair_card, summary
from backsight.results.tournament.card import verdict_of
from backsight.results.tournament.schema import BOUND, CONTROL, FEW, HARMS, NOTHING, WINS
from backsight.tables import Table

from .test_tournament import entered, fixed, table

Row = dict[str, Any]


def row(repair: str, verdict: str, gain: float = 0.1, suite: str = "hard") -> Row:
    return {"repair": repair, "verdict": verdict, "gain": gain, "suite": suite, "part": "score", "control": None}


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([row("norm_rescale", WINS), row("adaptvis", NOTHING)], "Norm rescaling is worth having."),
        (
            [row("adaptvis", WINS), row("norm_rescale", WINS, 0.2)],
            "Norm rescaling is worth having; so is one other.",
        ),
        (
            [row("adaptvis", WINS), row("norm_rescale", WINS, 0.2), row("scalingvis", WINS)],
            "Norm rescaling is worth having; so are 2 others.",
        ),
        (
            [row("adaptvis", WINS), row("adaptvis", NOTHING, suite="mine")],
            "AdaptVis is worth having on 1 of 2 sets.",
        ),
        ([row("adaptvis", CONTROL), row("norm_rescale", HARMS)], "No repair is shown to be worth having."),
        ([row("adaptvis", HARMS)], "No repair is shown to be worth having."),
        (
            [row("adaptvis", FEW), row("norm_rescale", HARMS)],
            "Too few failures to tell whether a repair is worth having.",
        ),
        ([row("box_attention", BOUND, 0.5)], "Nothing but an upper bound could be tried."),
    ],
)
def test_the_verdict_follows_from_what_was_shown(rows: list[Row], verdict: str) -> None:
    assert verdict_of(rows) == verdict
    assert len(verdict.split()) <= 12


def of_tournament(*of: list[Row], **more: Any) -> Study:
    return Study(Path(), {}, {"tournament_summary": summary(table(*of, **more))})


def test_the_card_holds_the_best_repair_beside_its_hardest_control() -> None:
    """20 of 40 failures corrected and 2 of 40 broken in 80 is 18 more; its control corrects 2."""
    study = of_tournament(
        entered("amplification", fixed(20, 2), fixed(2)), entered("box_attention", fixed(30)),
        entered("adaptvis", fixed(1, 1), fixed(1)),
    )  # fmt: skip
    card = repair_card(study)
    assert card is not None
    assert (card.verdict, card.repair, card.control) == (
        "Amplification is worth having.", "Amplification", "random directions",
    )  # fmt: skip
    assert (card.questions, card.failures, card.anchor) == (80, 40, "tournament")
    assert (card.gain, card.control_gain, card.lead) == pytest.approx((18 / 80, 2 / 80, 16 / 80))
    assert card.gain_low is not None and card.gain_high is not None and card.lead_low is not None
    assert 0 < card.gain_low < 18 / 80 < card.gain_high and card.lead_low > 0


def test_repairs_that_lower_accuracy_are_counted() -> None:
    """An upper bound is none of them, and an interval that reaches zero shows no loss."""
    study = of_tournament(
        entered("amplification", fixed(0, 20)), entered("norm_rescale", fixed(0, 9)), entered("adaptvis", fixed(0, 1)),
        entered("box_attention", fixed(0, 20)),
    )  # fmt: skip
    card = repair_card(study)
    assert card is not None and (card.lowering, card.tried) == (2, 3)
    none = repair_card(of_tournament(entered("adaptvis", fixed(3))))
    assert none is not None and (none.lowering, none.tried) == (0, 1)


def test_an_upper_bound_is_never_the_best_repair() -> None:
    card = repair_card(of_tournament(entered("box_attention", fixed(30)), entered("adaptvis", fixed(1, 3))))
    assert card is not None and card.repair == "AdaptVis" and card.gain == pytest.approx(-2 / 80)
    assert card.verdict == "No repair is shown to be worth having."
    alone = repair_card(of_tournament(entered("box_attention", fixed(30))))
    assert alone is not None and (alone.repair, alone.gain, alone.control_gain) == ("", None, None)


def amplified(probe: np.ndarray, random: np.ndarray, *, before: np.ndarray | None = None, suite: str = "s") -> Table:
    """The scored rows of 60 questions, of which 30 were right before, with the probes' and with random directions."""
    plain = np.arange(60) < 30 if before is None else before
    rows: list[Row] = []
    for kind, form, values in (("none", None, plain), ("probe", "projected", probe), ("random", "projected", random)):
        common: Row = {"suite": suite, "part": "score", "form": form, "directions": kind, "draw": 0, "probe": 0.9}
        common |= {"alpha": 4.0 if form else 0.0, "chosen": form is not None, "direction": "left", "choice": "left"}
        common |= {"p_answer": 0.5, "ground": None}
        rows += [
            common | {"example_id": f"{suite}{n}", "image_id": f"{suite}{n}", "correct": bool(value)}
            for n, value in enumerate(values)
        ]
    return Table.of(AMPLIFY, rows)


def of_amplification(folder: Path, *tables: Table, name: str = "hard", stored: bool = True) -> Study:
    rows = Table.concat(tables)
    if stored:
        rows.write(folder / "tables", "amplify.hard")
    job = {"kind": "amplify", "set": name, "tables": ["amplify.hard"]}
    data = {"sets": [{"name": name}], "jobs": [job]}
    return Study(folder, data, {"amplify_summary": amplify_summary(rows)})


def first(count: int) -> np.ndarray:
    return np.arange(60) < count


def test_without_a_tournament_it_is_amplification_beside_random_directions(tmp_path: Path) -> None:
    card = repair_card(of_amplification(tmp_path, amplified(first(50), first(33))))
    assert card is not None
    assert (card.verdict, card.anchor) == ("Amplification is worth having.", "amplification")
    assert (card.gain, card.control_gain, card.lead) == pytest.approx((20 / 60, 3 / 60, 17 / 60))
    assert (card.questions, card.failures, card.control) == (60, 30, "random directions")
    assert card.gain_low is not None and card.gain_low > 0


@pytest.mark.parametrize(
    ("probe", "random", "verdict"),
    [
        (50, 50, "Amplification is not shown to be worth having."),
        (31, 30, "Amplification is not shown to be worth having."),
        (10, 30, "Amplification breaks more answers than it corrects."),
    ],
)
def test_amplification_that_gains_no_more_than_chance(tmp_path: Path, probe: int, random: int, verdict: str) -> None:
    card = repair_card(of_amplification(tmp_path, amplified(first(probe), first(random))))
    assert card is not None and card.verdict == verdict


def test_several_suites_count_together_and_without_rows_there_is_no_gain(tmp_path: Path) -> None:
    tables = (amplified(first(50), first(33), suite="degraded_squares"), amplified(first(30), first(30), suite="b"))
    study = of_amplification(tmp_path / "a", *tables)
    card = repair_card(study)
    assert card is not None and card.suite == "All hard questions" and card.gain == pytest.approx(20 / 120)
    assert list(gains(Table.concat(tables))) == ["all", "degraded_squares", "b"]
    missing = repair_card(of_amplification(tmp_path / "b", *tables, stored=False))
    assert missing is not None and missing.gain is None
    assert missing.verdict == "Amplification is not shown to be worth having."


def test_too_few_failures_and_nothing_tried(tmp_path: Path) -> None:
    few = repair_card(of_amplification(tmp_path, amplified(first(60), first(55), before=first(55))))
    assert few is not None and few.verdict == "Too few failures to tell whether amplification is worth having."
    assert repair_card(Study(Path(), {}, {})) is None
    assert repair_card(Study(Path(), {}, {"tournament_summary": summary(table())})) is None


def test_parts_of_the_hard_set_have_names_of_their_own(tmp_path: Path) -> None:
    hard = of_amplification(tmp_path / "a", amplified(first(50), first(33), suite="degraded_squares"))
    assert titled(hard, "amplify", "degraded_squares") == "Hard squares (5 or 10 % contrast)"
    assert filtered(hard, "amplify", "degraded_squares") == "hard"
    mine = of_amplification(tmp_path / "b", amplified(first(50), first(33), suite="degraded_squares"), name="mine")
    assert titled(mine, "amplify", "degraded_squares") == "Degraded squares"
    assert filtered(mine, "amplify", "degraded_squares") == "degraded_squares"
    assert filtered(mine, "amplify", "all") == ""
