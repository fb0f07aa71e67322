"""The causal checks of relevance: claims, nulls, statements and tables follow their numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backsight.results.relevance.claims import Finding, Wording, apart, over_all, together

from .test_figures_creg import direction_rows, flip_rows, interval, knockout_rows, moved_rows, occlusion_rows
from .test_report_creg import CHECKS, SCHEMAS, lines, note, plain, section, texts

Row = dict[str, Any]
WORDS = Wording(
    "does", "does the contrary", "does not", "is not shown to do", "it does", "more is not shown", "by", "by"
)


def finding(value: float, half: float, where: str = "on A") -> Finding:
    return Finding(where, value, value - half, value + half, f"{value} +- {half}", str(value))


# Any claim over suites


@pytest.mark.parametrize(
    ("findings", "said"),
    [
        ([(2.0, 1.0)], "M does on A (by 2.0 +- 1.0)."),
        ([(-2.0, 1.0)], "M does the contrary on A (by -2.0 +- 1.0)."),
        ([(-1.0, 1.0)], "M does not on A (by -1.0 +- 1.0)."),
        ([(0.0, 1.0)], "M does not on A (by 0.0 +- 1.0)."),
        ([(1.0, 1.0)], "M is not shown to do on A (by 1.0 +- 1.0)."),
        ([(3.0, 1.0), (2.0, 1.0)], "M does on both suites, least on B (by 2.0 +- 1.0)."),
        ([(3.0, 1.0), (0.5, 1.0)], "M is not shown to do on B (by 0.5 +- 1.0); it does on A (3.0 +- 1.0)."),
        (
            [(0.7, 1.0), (0.5, 1.0)],
            "M is not shown to do on B (by 0.5 +- 1.0); more is not shown on A either (by 0.7).",
        ),
        ([], ""),
    ],
)
def test_a_claim_over_suites(findings: list[tuple[float, float]], said: str) -> None:
    named = [finding(value, half, f"on {name}") for name, (value, half) in zip("AB", findings, strict=False)]
    assert over_all("M", WORDS, named) == said


def test_names_with_commas_are_set_apart() -> None:
    assert [apart(of) for of in (["A"], ["A", "B"], ["A", "B", "C"])] == ["A", "A and B", "A, B and C"]
    assert apart(["A, B", "C"]) == "A, B; and C"
    (one,) = together([("A", "few"), ("B", "none"), ("C", "few")], "Not on")
    assert one.text == "Not on A and C, few; and B, none." and together([], "Not on") == ()


# Knockout


def test_the_claim_on_knockout_has_the_form_that_agrees_least_first(tmp_path: Path) -> None:
    shown = section(tmp_path / "s", "knockout", knockout_summary=knockout_rows())
    assert shown.claim == (
        "CREG is not shown to agree more than the subject's box with the image tokens' causal effects on Pairs with "
        "attention to a token cut (rank correlation 0.300 [0.200, 0.400], the subject's box 0.250); it agrees on Pairs "
        "with a token's embedding replaced (0.600 [0.500, 0.700], the subject's box 0.250)."
    )
    assert shown.null == (
        "In rank correlation with the effects, the subject's box, which knows nothing of the model, gives 0.250. CREG "
        "agrees more than the box in 1 of 2 cases, less in 0."
    )


@pytest.mark.parametrize(
    ("correlation", "said"),
    [
        (-0.3, "CREG runs against the image tokens' causal effects on Pairs with attention to a token cut (rank "
               "correlation -0.300 [-0.400, -0.200], the subject's box 0.250); it agrees on Pairs with a token's "
            "embedding replaced (0.600"),
        (0.05, "CREG is not shown to agree with the image tokens' causal effects on Pairs with attention to a token "
               "cut (rank correlation 0.050 [-0.050, 0.150], the subject's box 0.250); it agrees"),
        (-0.05, "CREG does not agree with the image tokens' causal effects on Pairs with attention"),
    ],
)  # fmt: skip
def test_the_claim_on_knockout_follows_its_numbers(tmp_path: Path, correlation: float, said: str) -> None:
    rows = [
        row
        | (interval("correlation", correlation, 0.1) if (row["method"], row["form"]) == ("creg", "attention") else {})
        for row in knockout_rows()
    ]
    shown = section(tmp_path / "s", "knockout", knockout_summary=rows)
    assert shown.claim.startswith(said)
    first = next(one for one in shown.statements if "attention to a token cut" in one.text)
    assert first.short == min(1.0, 1.0 - correlation)


@pytest.mark.parametrize(
    ("boxes", "said", "null"),
    [
        ((0.5, 0.4), "CREG agrees less than the subject's box with the image tokens' causal effects on Pairs with "
         "attention to a token cut (rank correlation 0.300 [0.200, 0.400], the subject's box 0.500); it agrees on "
         "Pairs with a token's embedding replaced (0.600 [0.500, 0.700], the subject's box 0.400).",
         "more than the box in 1 of 2 cases, less in 1."),
        ((0.1, 0.9), "CREG agrees less than the subject's box with the image tokens' causal effects on Pairs with a "
         "token's embedding replaced (rank correlation 0.600", "more than the box in 1 of 2 cases, less in 1."),
        ((0.35, 0.6), "CREG is not shown to agree more than the subject's box with the image tokens' causal effects on "
         "Pairs with attention to a token cut (rank correlation 0.300 [0.200, 0.400], the subject's box 0.350); more "
         "agreement than the box's is not shown on Pairs with a token's embedding replaced either",
         "more than the box in 0 of 2 cases, less in 0."),
        ((-0.3, 0.1), "CREG agrees with the image tokens' causal effects in both cases, least", "in 2 of 2"),
        ((None, None), "CREG agrees with the image tokens' causal effects in both cases, least", None),
    ],
)  # fmt: skip
def test_agreement_is_agreement_above_the_subjects_box(
    tmp_path: Path, boxes: tuple[float | None, ...], said: str, null: str | None
) -> None:
    of = dict(zip(("attention", "embedding"), boxes, strict=True))
    rows = [
        row | ({"correlation": of[row["form"]]} if row["method"] == "subject_box" else {}) for row in knockout_rows()
    ]
    shown = section(tmp_path / "s", "knockout", knockout_summary=rows)
    assert shown.claim.startswith(said)
    assert shown.null == "" if null is None else null in shown.null


def test_a_claim_begins_with_what_does_not_hold_even_where_a_lesser_value_does() -> None:
    named = [finding(0.5, 0.1, "on A"), finding(0.7, 1.0, "on B")]
    assert over_all("M", WORDS, named) == "M is not shown to do on B (by 0.7 +- 1.0); it does on A (0.5 +- 0.1)."


def test_statements_on_knockout_name_the_highest_and_the_effects_own_direction(tmp_path: Path) -> None:
    said = texts(section(tmp_path / "s", "knockout", knockout_summary=knockout_rows()))
    assert (
        "On Pairs with attention to a token cut, CREG has a rank correlation with the effects of 0.300 [0.200, 0.400], "
        "the subject's box 0.250; highest is Attention rollout, 0.500 [0.400, 0.600] (12 questions). Its compass comes "
        "closer to that of the effects than uniform relevance does (improvement 10.0° [2.0, 18.0])."
    ) in said
    assert any("highest is" not in text and "replaced, CREG" in text for text in said)
    assert (
        "On Pairs, the effects themselves point away from the object by 30.0° with attention to a token cut and 30.0° "
        "with a token's embedding replaced; uniform relevance 30.0° (means over 12 questions)."
    ) in said


@pytest.mark.parametrize(
    ("gain", "low", "high", "said"),
    [
        (10.0, -2.0, 22.0, "is not shown to come closer"), (-10.0, -22.0, 2.0, "comes no closer"),
        (-10.0, -18.0, -2.0, "stays further"),
    ],
)  # fmt: skip
def test_whether_the_compass_comes_closer_to_that_of_the_effects(
    tmp_path: Path, gain: float, low: float, high: float, said: str
) -> None:
    rows = [row | {"angle_gain": gain, "gain_low": low, "gain_high": high} for row in knockout_rows()]
    shown = texts(section(tmp_path / "s", "knockout", knockout_summary=rows))
    assert any(f"Its compass {said} to that of the effects" in text for text in shown)


def test_both_forms_stand_side_by_side(tmp_path: Path) -> None:
    rows = [*knockout_rows(), knockout_rows()[0] | {"method": "single_layer", "omitted": True, "missing": "zero: x"}]
    shown = section(tmp_path / "s", "knockout", knockout_summary=rows)
    assert lines(shown, "Agreement with the image tokens' causal effects: Pairs") == [
        "Method | Attention cut: correlation | Attention cut: closer | Embedding replaced: correlation | Embedding "
        "replaced: closer",
        "CREG | 0.300 [0.200, 0.400] | 10.0 [2.0, 18.0] | 0.600 [0.500, 0.700] | 10.0 [2.0, 18.0]",
        "Attention rollout | 0.500 [0.400, 0.600] | -5.0 [-13.0, 3.0] | 0.200 [0.100, 0.300] | -5.0 [-13.0, 3.0]",
        "Subject's box | 0.250 [0.150, 0.350] | 5.0 [-3.0, 13.0] | 0.250 [0.150, 0.350] | 5.0 [-3.0, 13.0]",
    ]
    assert note(shown, "Agreement").endswith("Questions: 12 in every line.")


# Occlusion


def gained(low: float, high: float, **changes: Any) -> list[Row]:
    """Rows in which CREG's score is above that of uniform relevance by the middle of an interval."""
    own = {"gain": (low + high) / 2, "gain_low": low, "gain_high": high}
    return [row | (own if row["method"] == "creg" else {}) | changes for row in occlusion_rows()]


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.1, 0.5, "points at a sector that the answer needs more than"),
        (-0.5, -0.1, "points at a sector that the answer needs less than"),
        (-0.5, 0.1, "points at a sector that the answer needs no more than"),
        (-0.1, 0.5, "is not shown to point at a sector that the answer needs more than"),
    ],
)
def test_the_claim_on_occlusion_follows_its_numbers(tmp_path: Path, low: float, high: float, said: str) -> None:
    shown = section(tmp_path / "s", "occlusion", occlusion_summary=gained(low, high))
    assert shown.claim == (
        f"CREG {said} that of uniform relevance on Pairs (improvement in COS {(low + high) / 2:.3f} [{low:.3f}, "
        f"{high:.3f}])."
    )
    assert shown.null == (
        "Hiding the sector of uniform relevance, which knows nothing but both boxes, gives a COS of 0.350."
    )


@pytest.mark.parametrize(
    ("across", "beside", "said"),
    [
        (0.4, 0.3, ("a larger loss than hiding the opposite one (COS 0.400 [", "a larger loss than hiding its")),
        (0.4, 0.05, ("opposite one (COS 0.400 [", "not shown to be a larger loss than hiding its")),
        (
            -0.4,
            -0.3,
            ("a smaller loss than hiding the opposite one (COS -0.400", "a smaller loss than hiding its"),
        ),
    ],
)
def test_what_the_true_sector_shows(tmp_path: Path, across: float, beside: float, said: tuple[str, str]) -> None:
    numbers = {"score": across, "low": across - 0.1, "high": across + 0.1, "against_adjacent": beside}
    numbers |= {"adjacent_low": beside - 0.1, "adjacent_high": beside + 0.1}
    rows = [row | (numbers if row["sector"] == "true" else {}) for row in occlusion_rows()]
    (one,) = (
        text for text in texts(section(tmp_path / "s", "occlusion", occlusion_summary=rows)) if "own sector" in text
    )
    assert all(words in one for words in said) and "changes log p of the correct answer by -0.500" in one


def test_tables_of_occlusion_rank_methods_beside_uniform_relevance(tmp_path: Path) -> None:
    shown = section(tmp_path / "s", "occlusion", occlusion_summary=occlusion_rows())
    assert lines(shown, "Occlusion of the sector that a method indicates: Pairs") == [
        "Method | COS | Improvement",
        "CREG | 0.300 [0.200, 0.400] | -0.050 [-0.200, 0.100]",
        "Uniform relevance | 0.350 [0.250, 0.450] | –",
    ]
    assert note(shown, "Occlusion of the sector").endswith("Questions: 30 in every line.")
    assert lines(shown, "Occlusion under every variant")[-1] == (
        "Pairs | CREG's | Blurred | 0.300 [0.200, 0.400] | 0.050 [-0.050, 0.150] | 30"
    )
    one = [row for row in occlusion_rows() if row["variant"] == "gray"]
    assert not lines(section(tmp_path / "t", "occlusion", occlusion_summary=one), "Occlusion under every variant")


def test_the_true_sector_stands_where_no_method_was_measured(tmp_path: Path) -> None:
    rows = [row for row in occlusion_rows() if row["sector"] == "true"]
    shown = section(tmp_path / "s", "occlusion", occlusion_summary=rows)
    assert shown.claim.startswith("On Pairs, hiding the object's own sector") and shown.null == ""


# Mirror and move


@pytest.mark.parametrize(
    ("r", "half", "said"),
    [
        (0.6, 0.1, "turns with the picture in a mirror on Pairs (r 0.600 [0.500, 0.700])."),
        (0.05, 0.1, "is not shown to turn with the picture in a mirror on Pairs"),
        (-0.05, 0.1, "does not turn with the picture in a mirror on Pairs"),
        (-0.6, 0.1, "turns against the picture in a mirror on Pairs"),
    ],
)
def test_the_claim_on_the_mirror_follows_its_numbers(tmp_path: Path, r: float, half: float, said: str) -> None:
    own = {"r": r, "low": r - half, "high": r + half}
    rows = [row | (own if row["method"] == "creg" else {}) for row in flip_rows()]
    shown = section(tmp_path / "s", "flip", flip_summary=rows)
    assert shown.claim.startswith(f"The compass of CREG {said}")
    assert shown.null == (
        "In a mirror, uniform relevance, which turns with both boxes, has r = 1.000, so that a high r is no merit by "
        "itself."
    )
    shown = section(tmp_path / "t", "flip", flip_summary=[row | {"r_null": 0.2} for row in rows])
    assert "has r = 0.200." in shown.null


def test_several_suites_in_the_mirror_have_a_sentence_each(tmp_path: Path) -> None:
    rows = [*flip_rows(), *(row | {"r": 0.7, "r_pooled": 0.8} for row in flip_rows("squares"))]
    shown = section(tmp_path / "s", "flip", flip_summary=rows)
    assert texts(shown)[1] == (
        "On Squares and in its mirror image, the compass of CREG has r = 0.700 [0.500, 0.700], that of uniform "
        "relevance 1.000 (24 questions)."
    )
    assert lines(shown, "The compass in a mirror") == [
        "Suite | Method | r | Pooled",
        "Pairs | CREG | 0.600 [0.500, 0.700] | 0.650",
        "Squares | CREG | 0.700 [0.500, 0.700] | 0.800",
    ]
    assert "Uniform: r: 1.000 in every line. Questions: 24 in every line." in note(shown, "The compass in a mirror")


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (1.0, 19.0, "follows a moved object closer than uniform relevance does"),
        (-19.0, -1.0, "follows a moved object less closely than uniform relevance does"),
        (-19.0, 1.0, "follows a moved object no closer than uniform relevance does"),
        (0.0, 20.0, "is not shown to follow a moved object closer than uniform relevance does"),
    ],
)
def test_the_claim_on_the_move_follows_its_numbers(tmp_path: Path, low: float, high: float, said: str) -> None:
    own = {"gain": (low + high) / 2, "gain_low": low, "gain_high": high}
    rows = [row | (own if row["method"] == "creg" else {}) for row in moved_rows()]
    shown = section(tmp_path / "s", "moved", moved_summary=rows)
    assert plain(shown.claim) == (
        f"The compass of CREG {said} on Pairs (improvement {(low + high) / 2:.1f}° [{low:.1f}, {high:.1f}])."
    )
    assert plain(shown.null) == (
        "With the object moved, uniform relevance is 80.0° off its turn, a compass that does not turn 110.0°."
    )
    assert texts(shown) == []
    several = section(tmp_path / "t", "moved", moved_summary=[*rows, *moved_rows("squares")])
    said = "On Pairs, with the object moved, the compass of CREG is 70.0° [61.0, 79.0] off its turn, uniform relevance"
    assert texts(several)[0].startswith(said) and several.statements[0].short == 70 / 80


# All checks


@pytest.mark.parametrize("name", CHECKS)
def test_groups_that_are_omitted_are_counted_and_not_drawn(tmp_path: Path, name: str) -> None:
    columns = SCHEMAS[name].columns
    few = [
        {k: None if columns[k] == "float" else v for k, v in row.items()}
        | {"omitted": True, "questions": 4, "images": 3}
        for row in CHECKS[name]()
    ]
    shown = section(tmp_path / "s", name.removesuffix("_summary"), **{name: few})
    counted = "3 pictures" if name == "occlusion_summary" else "4 questions"
    assert "is not shown: Pairs, omitted" in shown.claim and counted in shown.claim
    assert shown.figures == () and shown.null == "" and shown.statements == ()
    some = section(tmp_path / "t", name.removesuffix("_summary"), **{name: [*CHECKS[name]("squares"), *few]})
    assert any(f"not shown: Pairs, omitted ({counted}" in text for text in texts(some)) and some.figures


def test_a_check_behind_another_has_its_null_beside_its_claim(tmp_path: Path) -> None:
    first = section(tmp_path / "s", "moved", moved_summary=moved_rows())
    later = section(tmp_path / "t", "moved", moved_summary=moved_rows(), knockout_summary=knockout_rows())
    assert first.null and (later.claim, later.null) == (f"{first.claim} {first.null}", "")


def test_several_suites_of_occlusion_have_a_sentence_each(tmp_path: Path) -> None:
    rows = [*gained(0.1, 0.5), *gained(-0.5, 0.1, suite="squares")]
    shown = section(tmp_path / "s", "occlusion", occlusion_summary=rows)
    assert shown.claim == (
        "CREG points at a sector that the answer needs no more than that of uniform relevance on Squares (improvement "
        "in COS -0.200 [-0.500, 0.100]); it is needed more on Pairs (0.300 [0.100, 0.500])."
    )
    assert texts(shown)[0] == (
        "On Pairs, log p of the choice loses 0.300 [0.200, 0.400] more with the sector hidden that CREG points at than "
        "with the opposite one (COS); improvement over uniform relevance 0.300 [0.100, 0.500] (30 questions)."
    )
    assert [one.short for one in shown.statements[:2]] == [0.0, 1.0]


def test_the_questions_stand_once(tmp_path: Path) -> None:
    shown = section(tmp_path / "s", "flip", flip_summary=flip_rows(), creg_summary=direction_rows())
    assert shown.samples == () and shown.anchor == "causal" and shown.question == "why"
