"""Summaries are pure functions of rows: counts, omissions and windows on rows made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from backsight.errors import DataError
from backsight.maths.grouping import SMALLEST, spans
from backsight.results.behaviour import BEHAVIOUR, BEHAVIOUR_SUMMARY, behaviour_summary
from backsight.results.interchange import INTERCHANGE, interchange_summary, order_layers
from backsight.tables import Table

OUTCOMES = ("clean", "ordinal", "counterfactual")


def answered(number: int, **changed: Any) -> dict[str, Any]:
    row = dict.fromkeys(BEHAVIOUR.columns) | {
        "example_id": f"e{number}",
        "image_id": f"i{number}",
        "suite": "squares",
        "direction": "left",
        "condition": "picture",
        "options": 6,
        "choice_correct": True,
        "free_correct": True,
        "p_answer": 0.5,
        "scoring": "token",
    }
    assert changed.keys() <= row.keys()
    return row | changed


def behaviour(rows: list[dict[str, Any]], **options: Any) -> list[dict[str, Any]]:
    return behaviour_summary(Table.of(BEHAVIOUR, rows, {"model": "toy"}), **options).rows()


def one(rows: list[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    found = [row for row in rows if wanted.items() <= row.items()]
    assert len(found) == 1, found
    return found[0]


def test_accuracy_is_counted_by_direction_and_read_out() -> None:
    rows = [answered(n, choice_correct=n < 9, free_correct=n < 6) for n in range(12)]
    rows += [answered(n, direction="above", options=2) for n in range(12, 24)]
    found = behaviour(rows)
    assert {(r["direction"], r["read_out"]) for r in found} == {
        (direction, read_out) for direction in ("all", "left", "above") for read_out in ("free", "options")
    }
    left = one(found, direction="left", read_out="options")
    assert (left["accuracy"], left["questions"], left["images"], left["omitted"]) == (0.75, 12, 12, False)
    assert left["low"] < 0.75 < left["high"] and left["interval"] == "agresti-coull"
    assert one(found, direction="left", read_out="free")["accuracy"] == 0.5
    assert one(found, direction="all", read_out="options")["accuracy"] == 21 / 24
    assert one(found, direction="above", read_out="free")["high"] == 1.0
    assert left["chance"] == pytest.approx(1 / 6)
    assert one(found, direction="all", read_out="free")["chance"] == pytest.approx((1 / 6 + 1 / 2) / 2)


def test_conditions_prompts_and_grounds_are_kept_apart() -> None:
    rows = [
        answered(n, condition=condition, prompt=prompt, ground="plain", choice_correct=condition == "picture")
        for n in range(10)
        for condition in ("picture", "gray")
        for prompt in ("A", "B")
    ]
    found = [r for r in behaviour(rows) if r["direction"] == "all" and r["read_out"] == "options"]
    assert {(r["condition"], r["prompt"]): r["accuracy"] for r in found} == {
        ("picture", "A"): 1,
        ("picture", "B"): 1,
        ("gray", "A"): 0,
        ("gray", "B"): 0,
    }
    assert {r["ground"] for r in found} == {"plain"}


def test_images_are_counted_once_and_questions_each() -> None:
    found = one(behaviour([answered(n, image_id=f"i{n // 4}") for n in range(12)]), direction="all", read_out="free")
    assert (found["questions"], found["images"]) == (12, 3)


def test_sequences_have_no_free_read_out() -> None:
    found = behaviour([answered(n, free_correct=None, scoring="sequence") for n in range(12)])
    assert {r["read_out"] for r in found} == {"options"}


@pytest.mark.parametrize(("count", "omitted"), [(SMALLEST - 1, True), (SMALLEST, False)])
def test_below_the_smallest_number_only_the_count_is_said(count: int, omitted: bool) -> None:
    found = one(behaviour([answered(n) for n in range(count)]), direction="left", read_out="free")
    assert (found["questions"], found["omitted"]) == (count, omitted)
    assert all((found[name] is None) == omitted for name in ("accuracy", "low", "high", "p_answer"))


def test_a_summary_carries_the_provenance_of_its_rows() -> None:
    table = Table.of(BEHAVIOUR, [answered(0)], {"model": "toy"})
    assert behaviour_summary(table).provenance == {"model": "toy"}
    assert behaviour_summary(table).schema is BEHAVIOUR_SUMMARY


def swept(pair: int, by_layer: dict[int, tuple[float, float, float]], **changed: Any) -> list[dict[str, Any]]:
    """The rows of one kept pair: the probabilities of the outcomes at each layer, a little off for each pair."""
    common = {
        "pair_id": f"p{pair}",
        "image_id": f"i{pair}",
        "suite": "squares",
        "direction": "left",
        "site": "resid_pre",
        "position": "last",
        "top_token": "red",
        "top_outcome": None,
        "kept": True,
        "clean_choice": "red",
        "counterfactual_choice": "blue",
    } | changed
    off = pair / 1000
    rows = []
    for layer, probabilities in by_layer.items():
        top = OUTCOMES[max(range(3), key=lambda n: probabilities[n])]
        of = {f"p_{name}": p + off for name, p in zip(OUTCOMES, probabilities, strict=True)}
        rows.append(common | {"layer": layer, "top_outcome": top} | of | changed)
    return rows


def dropped(pair: int, **changed: Any) -> list[dict[str, Any]]:
    row = swept(pair, {0: (0, 0, 0)}, kept=False, **changed)[0]
    return [row | dict.fromkeys(("layer", "p_clean", "p_ordinal", "p_counterfactual", "top_token", "top_outcome"))]


def interchange(rows: list[dict[str, Any]], **options: Any) -> Table:
    return interchange_summary(Table.of(INTERCHANGE, rows, {"model": "toy"}), **options)


CLEAN, ORDINAL, OTHER = (0.8, 0.1, 0.0), (0.1, 0.8, 0.0), (0.0, 0.1, 0.8)
WINDOW = {0: CLEAN, 1: CLEAN, 2: ORDINAL, 3: ORDINAL, 4: OTHER, 5: ORDINAL}


def test_each_layer_has_the_mean_of_each_outcome_over_kept_pairs() -> None:
    rows = [row for pair in range(11) for row in swept(pair, WINDOW)] + dropped(11) + dropped(12)
    found = interchange(rows).rows()
    assert len(found) == 2 * 6 * 3  # all and left, layers, outcomes
    at = one(found, direction="all", layer=2, outcome="ordinal")
    assert at["probability"] == pytest.approx(0.8 + 0.005)
    assert at["low"] < at["probability"] < at["high"]
    assert {(r["pairs"], r["dropped"], r["omitted"]) for r in found} == {(11, 2, False)}


def test_equal_probabilities_have_an_interval_too() -> None:
    rows = [row | {"p_clean": 1.0} for pair in range(10) for row in swept(pair, {0: CLEAN})]
    at = one(interchange(rows).rows(), direction="all", layer=0, outcome="clean")
    assert (at["probability"], at["high"], at["interval"]) == (1, 1, "agresti-coull")
    assert 0.6 < at["low"] < 0.8  # ten pairs, all at one, tell no more


def test_too_few_kept_pairs_give_one_row_with_the_counts() -> None:
    rows = [row for pair in range(9) for row in swept(pair, WINDOW)] + dropped(9)
    rows += [row for pair in range(20, 31) for row in swept(pair, WINDOW, direction="right")]
    found = interchange(rows).rows()
    left = one(found, direction="left")
    assert (left["pairs"], left["dropped"], left["omitted"]) == (9, 1, True)
    assert left["layer"] is None and left["probability"] is None and left["outcome"] is None
    assert one(found, direction="right", layer=0, outcome="clean")["pairs"] == 11
    assert one(found, direction="all", layer=0, outcome="clean")["pairs"] == 20


def test_where_every_pair_was_dropped_the_count_remains() -> None:
    found = interchange([row for pair in range(12) for row in dropped(pair)])
    assert {(r["direction"], r["pairs"], r["dropped"], r["omitted"]) for r in found.rows()} == {
        ("all", 0, 12, True),
        ("left", 0, 12, True),
    }
    assert {(r["layers"], r["found"], r["omitted"]) for r in order_layers(found).rows()} == {("", False, True)}


def test_order_layers_are_those_where_the_ordinal_outcome_leads() -> None:
    rows = [row for pair in range(12) for row in swept(pair, WINDOW)] + dropped(12)
    found = order_layers(interchange(rows)).rows()
    expected = {"layers": "2-3, 5", "found": True, "omitted": False, "pairs": 12, "dropped": 1}
    assert one(found, direction="all").items() >= expected.items()
    assert one(found, direction="left")["layers"] == "2-3, 5"


def test_there_may_be_no_order_layer() -> None:
    rows = [row for pair in range(12) for row in swept(pair, {0: CLEAN, 1: OTHER})]
    assert {(r["layers"], r["found"]) for r in order_layers(interchange(rows)).rows()} == {("", False)}


def test_a_lead_with_overlapping_intervals_is_no_order_layer() -> None:
    close = {0: (0.400, 0.401, 0.0), 1: (0.0, 0.400, 0.401), 2: (0.200, 0.800, 0.0)}
    rows = [row for pair in range(12) for row in swept(pair, close)]
    assert {r["layers"] for r in order_layers(interchange(rows)).rows()} == {"2"}


def test_suites_are_summed_up_apart() -> None:
    rows = [row for pair in range(10) for row in swept(pair, {0: ORDINAL})]
    rows += [row for pair in range(10) for row in swept(pair, {0: CLEAN}, suite="shapes")]
    found = order_layers(interchange(rows)).rows()
    assert {(r["suite"], r["found"]) for r in found} == {("squares", True), ("shapes", False)}


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([], ""), ([4], "4"), ([3, 4, 5, 7], "3-5, 7"), ([9, 1, 2], "1-2, 9"), ([0, 2, 4], "0, 2, 4")],
)
def test_spans_join_neighbours(numbers: list[int], text: str) -> None:
    assert spans(numbers) == text


@pytest.mark.parametrize("summary", [interchange_summary, order_layers])
def test_a_summary_refuses_other_rows(summary: Any) -> None:
    with pytest.raises(DataError, match=r"made of other rows\n  got:   behaviour\n  do:    give a '\w+' table"):
        summary(Table.of(BEHAVIOUR, []))
