"""Sentences are functions of their numbers: each has rows that make it true and rows that make it false."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from backsight.maths.comparison import sign_flips, sign_flips_of
from backsight.maths.interchange import ANSWER
from backsight.results import RESULTS, controls
from backsight.results.controls import ControlPower, power
from backsight.results.creg.decision import decision_sentence
from backsight.results.creg.pairs import creg_pairs
from backsight.results.creg.reading import grouped
from backsight.results.creg.schema import ROWS as CREG
from backsight.results.creg.sentences import closer_methods
from backsight.results.creg.summary import creg_summary
from backsight.results.image_interchange import (
    IMAGE_INTERCHANGE,
    IMAGE_INTERCHANGE_SUMMARY,
    axes,
    flip_layers,
    image_interchange_summary,
)
from backsight.results.image_interchange.beside import pathway_sentence, suffices
from backsight.results.interchange import INTERCHANGE, interchange_summary, order_layers
from backsight.results.pages.layers import Words, claim, measured, power_words, silence, statements
from backsight.results.pages.study import Study
from backsight.tables import Schema, Table

Row = dict[str, Any]


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def last_token(p: tuple[float, float, float], top: list[str | None], **changes: Any) -> Row:
    """The row of `order_layers` of pairs with these probabilities at layer 0, a top outcome a pair."""
    rows = []
    for number, outcome in enumerate(top):
        row: Row = dict.fromkeys(INTERCHANGE.columns) | {"pair_id": f"p{number}", "image_id": f"i{number}"}
        row |= {"suite": "squares", "direction": "left", "layer": 0, "kept": True, "top_token": "the"}
        row |= dict(zip(("p_clean", "p_ordinal", "p_counterfactual"), p, strict=True)) | {"top_outcome": outcome}
        rows.append(row | changes)
    return order_layers(interchange_summary(Table.of(INTERCHANGE, rows))).rows()[0]


def swapped(clean: float, flipped: float, top: list[str | None]) -> Row:
    """The row of `flip_layers` of pairs with these probabilities at layer 0, a top outcome a pair."""
    rows = []
    for number, outcome in enumerate(top):
        row: Row = dict.fromkeys(IMAGE_INTERCHANGE.columns) | {"pair_id": f"p{number}", "image_id": f"i{number}"}
        row |= {"suite": "squares", "direction": "left", "vision": "intact", "tokens": "objects", "layer": 0}
        rows.append(row | {"p_clean": clean, "p_flipped": flipped, "kept": True, "top_outcome": outcome})
    return flip_layers(image_interchange_summary(Table.of(IMAGE_INTERCHANGE, rows))).rows()[0]


@pytest.mark.parametrize(
    ("p", "top", "layers", "leading"),
    [
        ((0.005, 0.8, 0.1), ["ordinal"] * 20, "0", ""),
        ((0.005, 0.4, 0.1), ["ordinal"] * 20, "0", ""),  # under one half, and yet the most probable of all tokens
        ((0.005, 0.03, 0.004), ["other"] * 20, "", ""),  # a word that no one asked for is far more probable
        ((0.005, 0.45, 0.1), ["ordinal"] * 9 + ["other"] * 11, "", "0"),  # in fewer than half
        ((0.005, 0.45, 0.1), ["ordinal"] * 12 + ["other"] * 8, "0", ""),
        ((0.3, 0.3, 0.1), ["ordinal"] * 20, "", ""),  # it does not lead
        ((0.005, 0.8, 0.1), [None] * 20, "0", ""),  # rows of an earlier release: above all else together
        ((0.005, 0.4, 0.1), [None] * 20, "", "0"),
    ],
)
def test_a_layer_needs_the_outcome_to_be_the_answer(
    p: tuple[float, float, float], top: list[str | None], layers: str, leading: str
) -> None:
    row = last_token(p, top)
    assert (row["layers"], row["leading"], row["found"]) == (layers, leading, bool(layers))
    flips = swapped(p[0], p[1], ["flipped" if one == "ordinal" else one for one in top])
    assert (flips["layers"], flips["leading"]) == (layers, leading)


WORDS = Words("swapped tokens flip the answer", "the answer flips")


def spoken(rows: list[Row], summary: list[Row]) -> str:
    """The statement of one suite."""
    (one,) = statements([measured(rows, summary, "flipped")], WORDS, str.capitalize, 6)
    return plain(one.text)


def curve(**changes: Any) -> list[Row]:
    """A summary's row of the flipped answer at layer 0, in 18 of 20 pairs the answer."""
    row: Row = {"suite": "a", "direction": "all", "layer": 0, "outcome": "flipped", "answer": 0.9}
    return [row | {"answer_low": 0.69, "answer_high": 0.98, "omitted": False} | changes]


def test_a_largest_of_tiny_probabilities_is_no_layer() -> None:
    none = curve(answer=0.0, answer_low=0.0, answer_high=0.18)
    tiny = swapped(0.01, 0.04, ["other"] * 20) | {"suite": "a"}
    most = "a: no layer is shown at which swapped tokens flip the answer: the answer flips in 0 % [0, 18]"
    assert spoken([tiny], none) == f"A{most[1:]} of 20 pairs."
    leading = swapped(0.01, 0.45, ["other"] * 20) | {"suite": "a"}
    led = "it leads without being the model's answer in A at layer 0"
    assert spoken([leading], none) == f"A{most[1:]} of 20 pairs; {led}."


def test_flips_in_words() -> None:
    row = swapped(0.1, 0.45, ["flipped"] * 18 + ["clean"] * 2) | {"suite": "a"}
    assert (
        spoken([row], curve()) == "A: swapped tokens flip the answer at layer 0 of 0-6, in 90 % [69, 98] of 20 pairs."
    )
    wide = row | {"layers": "0-2", "dropped": 3, "leading": "4"}
    assert spoken([wide], curve()) == (
        "A: swapped tokens flip the answer at layers 0-2 of 0-6, in 90 % [69, 98] of 20 pairs (3 dropped) at layer 0; "
        "it leads without being the model's answer at layer 4."
    )
    few = row | {"omitted": True, "found": False, "layers": ""}
    assert spoken([few], curve()) == "Omitted under 10 pairs: A (20 pairs)."
    beside = [row, row | {"direction": "left", "found": False}, row | {"direction": "horizontal", "found": False}]
    assert spoken(beside, curve()).endswith('; no layer is shown for "left" questions.')


def test_a_claim_names_what_is_missing_before_what_is_there() -> None:
    def of(name: str, spans: str, share: float | None, **changes: Any) -> Any:
        row: Row = {"suite": name, "direction": "all", "layers": spans, "found": bool(spans), "omitted": False}
        row |= {"pairs": 20, "dropped": 0, "peak_layer": 0} | changes
        return measured([row], curve(suite=name, answer=share), "flipped")

    def says(*some: Any) -> str:
        return plain(claim(some, WORDS, str.capitalize, None))

    low, high, none = of("a", "0", 0.7), of("b", "0", 0.9), of("c", "", 0.2)
    gone = of("d", "", None, omitted=True)
    assert (
        says(low, high)
        == "Swapped tokens flip the answer in A and B at layer 0; least in A, in 70 % [69, 98] of 20 pairs."
    )
    assert says(high, none, gone) == (
        "No layer is shown at which swapped tokens flip the answer in C: the answer flips in at most 20 % [69, 98] of "
        "20 pairs at layer 0; shown in B at layer 0, in 90 % [69, 98] of 20 pairs; omitted in D."
    )
    assert says(gone) == "Not shown: fewer than 10 pairs are answered correctly by both runs in D."
    far = of("e", "3-4, 6", 0.9)
    assert "in A and E at some of layers 0-6; least in A" in says(low, far)
    many = [of(name, "0", 0.9) for name in "abcde"]
    assert (
        says(*many) == "Swapped tokens flip the answer in all 5 suites at layer 0, each in 90 % [69, 98] of 20 pairs."
    )
    assert "in 5 of 6 suites at layer 0" in says(*many, none) and "answer in C: " in says(*many, none)
    silent = ((low, ("left", "right")), (high, ("right",)), (many[2], ("left", "right")), (none, ("above",)))
    quiet = [replace(one, silent=names) for one, names in silent]
    named = '"right" (2 of 2 suites) and "left" (1 of 2)'
    assert says(*quiet[:2]).endswith(f"; no layer is shown for questions of {named}.")
    assert says(*quiet).endswith('; no layer is shown for questions of "right" (3 of 3 suites) and "left" (2 of 3).')
    assert says(quiet[1]).endswith('; no layer is shown for "right" questions.')
    shorts = [round(one.short, 2) for one in (low, high, none, gone)]
    assert shorts == [0.3, 0.1, 1.0, 0.0]


# The positive control


STORED = {
    "power": {
        "interchange": [
            {"model": "builtin:staged", "layer": 3, "share": 0.9, "pairs": 12},
            {"model": "builtin:staged", "layer": 3, "share": 0.95, "pairs": 40},
            {"model": "broken", "layer": None, "share": 0.95, "pairs": 20},
        ],
        "image_interchange": [{"model": "builtin:staged", "layer": 3, "share": 0.4, "pairs": 12}],
    }
}


@pytest.mark.parametrize(("pairs", "share"), [(8, 0.9), (12, 0.9), (39, 0.9), (40, 0.95), (500, 0.95)])
def test_the_control_is_that_of_as_many_pairs(monkeypatch: pytest.MonkeyPatch, pairs: int, share: float) -> None:
    monkeypatch.setattr(controls, "_stored", lambda: STORED)
    shown = power("interchange", pairs)
    assert shown is not None and (shown.model, shown.layer, shown.share) == ("builtin:staged", 3, share)
    assert power("probes", pairs) is None


def test_no_layer_stands_beside_the_control(monkeypatch: pytest.MonkeyPatch) -> None:
    none: Row = {"found": False, "omitted": False, "pairs": 41}
    monkeypatch.setattr(controls, "_stored", dict)
    assert silence("interchange", [none]) == "The positive control was not measured for this version."
    assert silence("interchange", [none | {"found": True}]) == silence("interchange", [none | {"omitted": True}]) == ""
    monkeypatch.setattr(controls, "_stored", lambda: STORED)
    assert plain(silence("interchange", [none])) == (
        "Positive control: builtin:staged has the position at the last token at layer 3 in 95.0 % of 40 pairs."
    )
    assert plain(silence("backup", [none])) == (
        "Positive control: builtin:staged flips by object tokens without removal at layer 3 in 40.0 % of 12 pairs, too "
        "few to count: no layer says nothing here."
    )
    assert plain(power_words(ControlPower("m", 2, 1.0, 12), 10, "shows it")) == (
        "Positive control: m shows it at layer 2 in 100.0 % of 12 pairs; this study has fewer."
    )


# The pathway beside the swap


FLIPS: Row = {"layers": "3", "found": True, "pairs": 40, "dropped": 8, "omitted": False}
NONE = FLIPS | {"layers": "", "found": False}


@pytest.mark.parametrize(
    ("verdict", "known"),
    [
        ({"source": "language"}, True),
        ({"source": "both"}, True),
        ({"source": "vision"}, False),
        ({"source": "cannot tell"}, None),
        ({"source": "cannot tell", "pathways": {"language": {"outcome": "suffices"}}}, True),
        ({"source": "cannot tell", "pathways": {"language": {"outcome": "does not suffice"}}}, False),
        ({"source": "vision", "pathways": {"language": {"outcome": "cannot tell"}}}, None),
        ({"source": "cannot tell", "pathways": ["?"]}, None),
    ],
)
def test_the_language_models_pathway_is_read_with_care(verdict: Row, known: bool | None) -> None:
    assert suffices(verdict) is known


@pytest.mark.parametrize(
    ("source", "row", "said", "unsaid"),
    [
        ("language", FLIPS, "suffices, and it writes order into object tokens at layer 3", "Both can hold"),
        ("language", NONE, "suffices although swapped object tokens flip no answer. Both can hold", "does not"),
        ("vision", FLIPS, "does not suffice although it writes order into object tokens at layer 3. Both can", "none"),
        ("vision", NONE, "does not suffice, and swapped object tokens flip no answer", "Both can hold"),
        ("cannot tell", FLIPS, "position encoding suffices is not decided", "object tokens"),
        ("language", NONE | {"omitted": True}, "suffices; too few pairs", "flip"),
    ],
)
def test_what_the_pathway_says_beside_the_swap(source: str, row: Row, said: str, unsaid: str) -> None:
    sentence = pathway_sentence({"source": source}, "Squares", row)
    assert said in sentence and unsaid not in sentence
    assert pathway_sentence({}, "Squares", row) == ""


def test_the_sentence_of_the_flips_counts_the_pairs_that_are_left() -> None:
    sentence = pathway_sentence({"source": "vision"}, "Squares", FLIPS)
    assert "the flips are of the 40 pairs that are answered correctly after removal, 8 are not" in sentence


# Direction of relevance: the mean, its side, and whose it is


def creg_rows(gains: list[float]) -> Table:
    """Rows of CREG for the model's choice and of uniform relevance, a question a picture."""
    rows = []
    for number, gain in enumerate(gains):
        row: Row = dict.fromkeys(CREG.columns) | {"example_id": f"e{number}", "image_id": f"i{number}", "suite": "s"}
        row |= {"direction": "left", "projection": "default", "part": "rest", "correct": True, "ea": 0.5}
        for method, target, dae in (
            ("creg", "prediction", 70.0 - gain), ("constant", None, 70.0), ("point_at_subject", None, 10.0)
        ):  # fmt: skip
            rows.append(row | {"method": method, "target": target, "dae": dae})
    return Table.of(CREG, rows)


def beaten(gains: list[float]) -> str:
    rows = creg_rows(gains)
    study = Study(folder=None, data={}, tables={})  # type: ignore[arg-type]
    by_place = grouped(creg_summary(rows).rows())
    return " ".join(plain(one.text) for one in closer_methods(study, by_place, creg_pairs(rows).rows()))


def test_a_few_large_gains_are_no_nearer_evidence() -> None:
    """-5 degrees on four pictures of five, +60 on the fifth: a rank test calls that different, p < .001."""
    gains = [-5.0] * 160 + [60.0] * 40
    assert stats.wilcoxon(gains).pvalue < 0.001
    said = beaten(gains)
    assert "closer than uniform relevance" not in said and "Holm" not in said
    assert "closer on 20.0 % of pictures, further on 80.0 %" in said
    assert "points closer than uniform relevance, Holm's correction included" in beaten([5.0] * 80 + [-2.0] * 20)
    assert "No method is shown to point closer than uniform relevance" in beaten([-5.0] * 80 + [2.0] * 20)


def test_a_method_is_tested_on_its_side_alone() -> None:
    (nearer,) = creg_pairs(creg_rows([5.0] * 12)).rows()
    (further,) = creg_pairs(creg_rows([-5.0] * 12)).rows()
    assert (nearer["method"], nearer["other"]) == (further["method"], further["other"]) == ("creg", "constant")
    assert (nearer["p_value"], further["p_value"]) == (2**-12, 1.0)
    assert (nearer["nearer"], nearer["further"], further["further"]) == (1.0, 0.0, 1.0)


@pytest.mark.parametrize("alternative", ["two-sided", "less"])
def test_sign_flips_are_scipys_permutation_test(alternative: Any) -> None:
    rng = np.random.default_rng(1)
    for images in (9, 60):
        differences = rng.normal(-0.1, 1, images)
        theirs = stats.permutation_test(
            (differences,), np.mean, permutation_type="samples", alternative=alternative, n_resamples=20_000, rng=rng
        ).pvalue
        ours = sign_flips(differences, np.arange(images), alternative=alternative)
        assert ours == pytest.approx(theirs, abs=1e-9 if images == 9 else 0.015)
        both = sign_flips_of(np.stack([differences, -differences], 1), [alternative, alternative])
        assert both[0] == pytest.approx(ours)
        assert both[1] == pytest.approx(ours if alternative == "two-sided" else 1 - ours, abs=0.015)


def wrong(dae_chosen: float | None, dae: float, **changes: Any) -> Row:
    row: Row = {"method": "creg", "target": "prediction", "dae_chosen": dae_chosen, "dae": dae, "omitted": False}
    return row | {"questions": 30, "images": 20, "chosen_questions": 28, "dae_gain_low": 0.0} | changes


@pytest.mark.parametrize(
    ("to_choice", "to_truth", "uniform", "said"),
    [
        (38.0, 72.0, 50.0, "closer to the choice, and closer to the choice than uniform relevance (50.0°)"),
        (72.0, 38.0, 50.0, "closer to the truth, and further from the choice than uniform relevance (50.0°)"),
        (38.0, 72.0, 20.0, "closer to the choice, and further from the choice than uniform relevance (20.0°)"),
        (50.0, 50.0, 50.0, "as close to either, and as close to the choice as uniform relevance (50.0°)"),
        (38.0, 72.0, None, "closer to the choice (28 questions; means, not tested)."),
    ],
)
def test_evidence_for_the_decision_by_its_numbers(
    to_choice: float, to_truth: float, uniform: float | None, said: str
) -> None:
    sentence = decision_sentence("Pairs", wrong(to_choice, to_truth), wrong(uniform, 60.0))
    assert said in sentence
    assert f"points {to_choice:.1f}° off the chosen direction and {to_truth:.1f}° off the true one" in sentence


def test_without_numbers_nothing_is_said_of_the_decision() -> None:
    assert decision_sentence("Pairs", None, None) == decision_sentence("Pairs", wrong(None, 50.0), None) == ""
    assert decision_sentence("Pairs", wrong(38.0, 50.0, omitted=True), None) == ""


# Vertical against horizontal


def test_both_axes_are_compared_by_the_mean() -> None:
    """Vertical is .01 less in nine rows of ten and .3 more in the tenth: ranks differ, and the mean the other way."""
    rows = []
    for group in range(20):
        for direction, p in (("left", 0.4), ("above", 0.4 + (0.3 if group % 10 == 0 else -0.01))):
            row: Row = dict.fromkeys(IMAGE_INTERCHANGE.columns) | {"pair_id": f"{group}{direction}", "kept": True}
            row |= {"image_id": f"{group}{direction}", "group": str(group), "suite": "s", "vision": "intact"}
            rows.append(row | {"tokens": "objects", "direction": direction, "layer": 0, "p_flipped": p})
    (row,) = axes(Table.of(IMAGE_INTERCHANGE, rows)).rows()
    difference = np.where(np.arange(20) % 10 == 0, 0.3, -0.01)
    assert row["difference"] == pytest.approx(difference.mean())
    assert row["p_value"] == pytest.approx(sign_flips(difference, np.arange(20)), abs=0.01)
    assert row["p_value"] > 0.05 > stats.wilcoxon(difference).pvalue


# Studies of earlier releases


def test_an_earlier_summary_is_read_by_its_probabilities() -> None:
    later = (*ANSWER, "leading", "peak_layer", "peak_share")
    columns = {k: v for k, v in IMAGE_INTERCHANGE_SUMMARY.columns.items() if k not in later}
    old = Schema("image_interchange_summary", columns)
    common: Row = {"suite": "s", "vision": "intact", "tokens": "objects", "direction": "all", "pairs": 40, "dropped": 0}
    common |= {"interval": "bootstrap", "omitted": False}
    rows = []
    for layer, flipped in enumerate((0.04, 0.4, 0.9)):
        for outcome, p in (("clean", 0.01), ("flipped", flipped)):
            row = common | {"layer": layer, "outcome": outcome, "probability": p, "low": p - 0.005, "high": p + 0.005}
            rows.append(row)
    table = RESULTS["image_interchange"].updated(Table.of(old, rows))
    assert all(pd.isna(value) for value in table.frame["answer"])
    (row,) = flip_layers(table).rows()
    assert (row["layers"], row["leading"], row["peak_share"]) == ("2", "0-1", None)
    assert spoken([row], table.rows()) == (
        "S: swapped tokens flip the answer at layer 2 of 0-6 (40 pairs); it leads without being the model's answer at "
        "layers 0-1."
    )
