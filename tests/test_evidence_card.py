"""The card of the first screen on where the evidence points: the suite it takes, and a verdict that follows numbers."""

from __future__ import annotations

from typing import Any

import pytest

from backsight.results.creg.card import EvidenceCard, evidence_card, verdict
from backsight.results.creg.schema import PAIRS, SUMMARY
from backsight.results.pages.study import Study
from backsight.tables import Table

from .test_figures_creg import LAYOUT, direction_row, direction_rows, missing, nothing
from .test_report_creg import pair_row

Row = dict[str, Any]


def study_of(tmp_path: Any, rows: list[Row]) -> Study:
    sets = [{"name": name, "title": name.capitalize().replace("_a", ", prompt A")} for name in ("pairs", "pairs_a")]
    tables = {SUMMARY.name: Table.of(SUMMARY, rows)} if rows else {}
    return Study(tmp_path, {"sets": sets}, tables)


def improved(by: float, low: float, high: float, suite: str = "pairs", **changes: Any) -> Row:
    row = direction_row(suite, "creg", "prediction", LAYOUT - by, **changes)
    return row | {"dae_gain_low": low, "dae_gain_high": high}


@pytest.mark.parametrize(
    ("by", "low", "high", "side", "words"),
    [
        (12.0, 5.0, 19.0, "above", "The evidence points closer to the object than uniform relevance."),
        (-12.0, -19.0, -5.0, "below", "The evidence points further from the object than uniform relevance."),
        (-5.8, -19.1, 7.9, "over", "The evidence points no closer to the object than uniform relevance."),
        (5.8, -7.9, 19.1, "over", "The evidence is not shown to point closer than uniform relevance."),
        (5.8, 0.0, 19.1, "over", "The evidence is not shown to point closer than uniform relevance."),
        (0.0, 0.0, 0.0, "over", "The evidence points no closer to the object than uniform relevance."),
    ],
)
def test_the_verdict_follows_the_improvement(
    tmp_path: Any, by: float, low: float, high: float, side: str, words: str
) -> None:
    card = evidence_card(study_of(tmp_path, [improved(by, low, high)]))
    assert card is not None and (card.side, card.verdict) == (side, words)
    assert len(words.split()) <= 12 and verdict(improved(by, low, high)) == words


def test_the_card_takes_the_least_improvement_and_counts_the_others(tmp_path: Any) -> None:
    rows = [improved(12.0, 5.0, 19.0, "squares"), improved(3.0, -4.0, 10.0), improved(20.0, 13.0, 27.0, "shapes")]
    assert evidence_card(study_of(tmp_path, rows)) == EvidenceCard(
        suite="pairs", title="Pairs", method="CREG", dae=47.0, dae_low=41.0, dae_high=53.0, null=50.0, best=12.0,
        improvement=3.0, improvement_low=-4.0, improvement_high=10.0, side="over", questions=40, closer=2, places=3,
        verdict="The evidence is not shown to point closer than uniform relevance.",
    )  # fmt: skip


def test_a_suite_that_compares_prompts_gives_way_to_its_own_set(tmp_path: Any) -> None:
    compared = [improved(-20.0, -30.0, -10.0, "pairs", prompt=prompt) for prompt in "ABC"]
    own = improved(12.0, 5.0, 19.0, "pairs_a", prompt="A")
    card = evidence_card(study_of(tmp_path, [*compared, own]))
    assert card is not None and (card.title, card.places, card.side) == ("Pairs, prompt A", 1, "above")
    card = evidence_card(study_of(tmp_path, compared))
    assert card is not None and (card.title, card.places, card.side) == ("Pairs with prompt A", 3, "below")


def with_pairs(tmp_path: Any, rows: list[Row], *pairs: Row) -> str:
    study = study_of(tmp_path, rows)
    study.tables[PAIRS.name] = Table.of(PAIRS, [dict.fromkeys(PAIRS.columns) | row for row in pairs])  # type: ignore[index]
    card = evidence_card(study)
    assert card is not None and len(card.closer_methods.split()) <= 12
    return card.closer_methods.replace("\u00a0", " ")


def test_other_methods_that_are_closer_after_correction_are_named(tmp_path: Any) -> None:
    rows = [
        improved(12.0, 5.0, 19.0),
        improved(-5.0, -19.0, 8.0, "squares"),
        improved(40.4, 21.3, 58.8, "squares") | {"method": "chefer"},
        improved(9.0, 1.0, 17.0) | {"method": "gradcam"},
        improved(9.0, 1.0, 17.0) | {"method": "creg_by_maximum"},
    ]
    squares = {"suite": "squares"}
    chefer, gradcam = pair_row("chefer", "prediction", 0.0007, **squares), pair_row("gradcam", "prediction", 0.0004)
    assert with_pairs(tmp_path, rows, chefer) == "Chefer: closer on Squares, 40.4° [21.3, 58.8]."
    assert with_pairs(tmp_path, rows, chefer, gradcam) == "2 other methods are closer on a set; most Chefer."
    for unsure in (
        (), [chefer | {"p_holm": 0.05}], [chefer | {"nearer": 0.2, "further": 0.8}],
        [pair_row(name, "prediction", 0.0004) for name in ("creg", "creg_by_maximum")],
    ):  # fmt: skip
        assert with_pairs(tmp_path, rows, *unsure) == ""


def test_without_numbers_there_is_no_card(tmp_path: Any) -> None:
    few = [nothing(row, questions=14, images=8) for row in direction_rows()]
    assert evidence_card(study_of(tmp_path, [])) is None
    assert evidence_card(study_of(tmp_path, few)) is None
    assert evidence_card(study_of(tmp_path, [missing("pairs", "creg")])) is None
    card = evidence_card(study_of(tmp_path, [*few, improved(12.0, 5.0, 19.0, "squares")]))
    assert card is not None and (card.suite, card.places) == ("squares", 1)
