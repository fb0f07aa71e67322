"""Language prior against pixels: reversed scenes, pictures upside down, and what the section says of either."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from backsight import stimuli
from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet, MemoryPicture, PairSet
from backsight.measurements import Priors
from backsight.models.vlm import VLM
from backsight.results.priors import PRIORS, followed, priors_summary
from backsight.results.priors.section import _counts
from backsight.results.priors.text import claim, guesses, null, omitted_sentence, prior_shows, sentence, short
from backsight.selftest import priors as controls
from backsight.stimuli import tabletop
from backsight.stimuli.tabletop_world import relation_of
from backsight.stimuli.usual import USUAL, twin, usual
from backsight.tables import Table

Row = dict[str, Any]
TURNED = {"1": "2", "2": "1", "3": "4", "4": "3"}


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


# The scenes


def test_what_is_stated_is_of_this_world() -> None:
    pairs = set(tabletop.all_pairs())
    assert USUAL.keys() <= pairs and set(USUAL.values()) == {"on", "under"}
    assert len(USUAL.keys() & tabletop.held_out()) >= 3  # or the suites ask nothing of it


def test_a_twin_is_the_same_scene_with_the_opposite_relation() -> None:
    scenes = stimuli.tabletop_a(sets=5)
    twins = {e.id: other for e in scenes if (other := twin(e)) is not None}
    assert len(twins) >= 6
    for example in scenes:
        other = twins.get(example.id)
        if other is None:
            assert usual(example) is None or example.answer in ("left", "right")
            continue
        assert {example.answer, other.answer} == {"on", "under"}
        assert relation_of(other.source.thing, other.source.stage.furniture) == other.answer
        assert other.source.stage == example.source.stage and other.question == example.question
        assert replace(other.source.thing, x=0, y=0, z=0) == replace(example.source.thing, x=0, y=0, z=0)
        assert other.picture.id != example.picture.id and twin(example) == other


def test_photographs_and_other_options_have_no_twin() -> None:
    scene = next(e for e in stimuli.tabletop_a(sets=5) if twin(e))
    assert twin(replace(scene, source=None)) is None
    assert usual(replace(scene, options=("1", "2"), answer="1")) is None
    assert all(twin(e) is None for e in stimuli.tabletop_b(sets=1))


# The measurement


def test_every_condition_is_asked(tiny_vlm: VLM) -> None:
    pairs = stimuli.pairs(tiny_vlm.grid, scenes=4).where(lambda e: e.tags["prompt"] == "A")
    rows = Priors()(tiny_vlm, pairs).frame
    asked = rows.groupby(["asked", "condition"]).size().to_dict()
    assert asked == {("where", "upright"): 4, ("where", "upside down"): 4, ("where", "blank"): 4,
                     ("presence", "upright"): 4, ("presence", "upside down"): 4}  # fmt: skip
    turned = rows[(rows["asked"] == "where") & (rows["condition"] == "upside down")]
    assert (turned["answer"] == turned["upright"].map(TURNED)).all()
    assert len(Priors(presence=False)(tiny_vlm, pairs)) == 12
    scenes = Priors()(tiny_vlm, stimuli.tabletop_a(tiny_vlm.grid, sets=2)).frame
    assert set(scenes["condition"]) == {"upright", "blank", "twin", "upside down"}
    vertical = scenes[scenes["direction"].isin(["on", "under"])]
    assert "upside down" not in set(vertical["condition"])  # whether a cup hangs on or under its table nobody says


def own(name: str = "one", **changes: Any) -> Example:
    picture = MemoryPicture(Image.new("RGB", (56, 56), (200, 90, 90)))
    return replace(Example(name, picture, "Where is the cup?", ("left", "right"), "left", direction="left"), **changes)


def test_what_cannot_be_asked_is_left_out_or_refused(tiny_vlm: VLM) -> None:
    named = ExampleSet("own", (own(), own("two", direction=None)), scoring="auto")
    rows = Priors()(tiny_vlm, named).frame
    assert set(rows["example_id"]) == {"one"} and set(rows["condition"]) == {"upright", "upside down", "blank"}
    captions = own(options=("a cup", "a key"), answer="a cup", direction=None)
    with pytest.raises(CannotAnswer, match="No question of this set has an opposite answer"):
        Priors()(tiny_vlm, [captions])
    assert not Priors().applies(ExampleSet("c", (captions,))) and Priors().applies(named)
    with pytest.raises(UsageError, match="takes an example set"):
        Priors()(tiny_vlm, PairSet("p", (), "last_token"))


def test_options_of_several_tokens_are_scored_as_sequences(tiny_vlm: VLM) -> None:
    rows = Priors()(tiny_vlm, [own(options=("left", "right", "neither of both"))]).frame
    assert len(rows) == 3 and set(rows["choice"]) <= {"left", "right", "neither of both"}


# The summary, on answers worked out by hand


def answered(
    count: int = 16, *, turned: str = "pixels", presence: str = "right", usual: str | None = None, twins: str = "",
    options: int = 4,
) -> list[Row]:  # fmt: skip
    """Rows of `count` questions, left and right by turns, right upright: upside down all follow pixels or prior."""
    rows: list[Row] = []
    for n in range(count):
        upright = "12"[n % 2]
        row: Row = dict.fromkeys(PRIORS.columns) | {"example_id": f"e{n}", "image_id": f"i{n}", "suite": "pairs"}
        row |= {"direction": ("left", "right")[n % 2], "upright": upright, "answer": upright, "options": options}
        row |= {"asked": "where", "usual": usual, "subject": "a", "reference": f"b{n}"}
        down = {"pixels": TURNED[upright], "prior": upright, "neither": "3"}[turned]
        rows += [row | {"condition": "upright", "choice": upright}, row | {"condition": "blank", "choice": "4"}]
        rows.append(row | {"condition": "upside down", "answer": TURNED[upright], "choice": down})
        there = row | {"asked": "presence", "answer": "apple", "upright": upright}
        seen = {"right": "apple", "wrong": "key"}[presence]
        rows += [
            there | {"condition": "upright", "choice": "apple"},
            there | {"condition": "upside down", "choice": seen},
        ]
        if twins:
            spoken = {"pixels": TURNED[upright], "prior": upright, "usual": str(usual)}[twins]
            rows.append(row | {"condition": "twin", "answer": TURNED[upright], "choice": spoken})
    return rows


def lines(rows: list[Row], condition: str, source: str | None = None, **given: Any) -> Row:
    summary = priors_summary(Table.of(PRIORS, rows), **given).rows()
    return next(r for r in summary if r["condition"] == condition and source in (None, r["source"]))


def test_answers_that_turn_follow_the_pixels() -> None:
    row = lines(answered(), "upside down")
    assert (row["pixels"], row["prior"], row["neither"], row["difference"], row["excess"]) == (1, 0, 0, 0, 0)
    assert row["pixels_low"] < 1 and row["questions"] == 16 and row["presence_difference"] == 0
    assert (row["pixels_blank"], row["prior_blank"], row["neither_blank"]) == (0, 0, 1)
    assert not prior_shows(row)


def test_answers_that_stay_follow_the_prior() -> None:
    row = lines(answered(turned="prior", presence="wrong"), "upside down")
    assert (row["pixels"], row["prior"], row["difference"], row["excess"]) == (0, 1, -1, 1)
    assert row["presence"] == 0 and row["presence_difference_high"] < 0
    assert not prior_shows(row)  # things are no longer recognised
    assert prior_shows(lines(answered(turned="prior"), "upside down"))
    assert lines(answered(turned="neither"), "upside down")["neither"] == 1


def test_a_constant_answer_is_no_prior_upside_down() -> None:
    """A model that always answers "1" stays as it was in half of the cases: the same error that it makes upright."""
    rows = [row | ({"choice": "1"} if row["asked"] == "where" else {}) for row in answered()]
    row = lines(rows, "upside down")
    assert row["prior"] == 0.5 and row["excess"] == 0 and not prior_shows(row)
    # Where only one answer is asked for, that cannot be told.
    left = [row | {"example_id": f"{row['example_id']}-{k}", "image_id": f"{row['image_id']}-{k}"}
            for row in rows if row["direction"] == "left" for k in (1, 2)]  # fmt: skip
    one = lines(left, "upside down")
    assert one["prior"] == 1 and one["excess_of"] == "one answer" and not prior_shows(one)
    assert "a prior cannot be told from a leaning to one answer" in sentence("Pairs", one, None)


def test_twins_are_paired() -> None:
    """Of eight things each is usual, half by "1": the scene as given has it, and the twin is answered as given."""
    rows = [row | {"usual": row["upright"]} for row in answered(24, twins="prior")]
    row = lines(rows, "reversed")
    assert (row["source"], row["pixels"], row["prior"], row["difference"], row["excess"]) == ("stated", 0, 1, -1, 1)
    assert row["prior_blank"] == 0 and row["excess_of"] == "same error" and prior_shows(row)
    assert lines(rows, "usual")["prior"] is None
    same = lines([row | {"usual": row["upright"]} for row in answered(24, twins="pixels")], "reversed")
    assert (same["pixels"], same["difference"], same["excess"]) == (1, 0, 0) and not prior_shows(same)


def test_the_usual_relation_of_a_set_is_that_of_most_others() -> None:
    """Eleven pictures of one pair of things, ten of them left; of the eleventh left is the usual relation."""
    rows = []
    for row in answered(22):
        n = int(row["example_id"][1:])
        group, place = n % 2, n // 2
        upright = "1" if place else "2"
        changed = {"upright": upright, "answer": upright, "reference": f"b{group}", "direction": "left"}
        rows += (
            [row | changed | {"choice": "1"}]
            if row["condition"] in ("upright", "blank") and row["asked"] == "where"
            else []
        )
    few = lines(rows, "reversed", "majority", smallest=1)
    assert few["questions"] == 2 and few["prior"] == 1 and few["pixels"] == 0
    assert lines(rows, "usual", "majority", smallest=1)["questions"] == 20
    # Of five others there are too few where each picture is left out: then the blank image's answer is the prior.
    small = [row for row in rows if int(row["example_id"][1:]) < 10]
    assert {r["source"] for r in priors_summary(Table.of(PRIORS, small), smallest=1).rows()} == {"blank image"}


def test_the_blank_images_answer_is_measured_against_even_errors() -> None:
    """Half of the errors are the blank answer "4", of two wrong ones that are not the opposite: 1/2 - 1/2 over even
    ones; and where all are, 1 - 1/2."""
    rows = []
    for row in answered(24):
        if row["asked"] == "where" and row["condition"] == "upright":
            row = row | {"choice": "4" if int(row["example_id"][1:]) % 2 else "3"}
        rows.append(row)
    row = lines(rows, "reversed", "blank image")
    assert row["prior"] == 0.5 and row["prior_blank"] is None and row["excess_of"] == "even errors"
    assert row["excess"] == pytest.approx(1 / 2 - 1 / 2)
    always = [
        row | ({"choice": "4"} if row["condition"] == "upright" and row["asked"] == "where" else {}) for row in rows
    ]
    assert lines(always, "reversed", "blank image")["excess"] == pytest.approx(1 - 1 / 2)


def test_with_two_options_nothing_is_told_of_the_blank_images_answer() -> None:
    """There the prior is the only error, whatever it comes from: "no prior is shown" would be said of one that is."""
    rows = [
        row | {"options": 2, "choice": "2" if row["answer"] == "1" else "1"}
        | ({"choice": "1"} if row["condition"] == "blank" else {})
        for row in answered(24)
    ]  # fmt: skip
    row = lines(rows, "reversed", "blank image")
    assert row["prior"] == 1 and row["excess"] is None
    spoken = sentence("Pairs", row, None)
    assert "no prior is shown" not in spoken and "more often" not in spoken


def test_few_questions_are_omitted() -> None:
    row = lines(answered(8), "upside down")
    assert row["omitted"] and row["pixels"] is None
    assert omitted_sentence([("Pairs", row)]) == "Omitted, with fewer than 10 questions: Pairs, upside down (8)."


def test_axes_stand_apart_where_both_are_asked() -> None:
    both = answered() + [row | {"example_id": f"{row['example_id']}v", "direction": "above"} for row in answered()]
    directions = [r["direction"] for r in priors_summary(Table.of(PRIORS, both)).rows()]
    assert set(directions) == {"all", "horizontal", "vertical"}


def test_a_leaning_to_one_answer_is_no_usual_relation() -> None:
    """ "1" is always answered, and usual of three things in four: both answers weigh alike, so that it cancels."""
    rows = []
    for row in answered(32, twins="pixels"):
        number = int(row["example_id"][1:])
        usual = "2" if number % 4 == 1 else "1"
        upright = usual if row["condition"] != "twin" else TURNED[usual]
        changed = {"usual": usual, "upright": usual, "answer": upright, "choice": "1"}
        rows += [row | changed] if row["asked"] == "where" and row["condition"] != "upside down" else []
    row = lines(rows, "reversed")
    assert row["prior"] == 0.75 and not prior_shows(row)
    assert row["excess"] == pytest.approx(0) and row["difference"] == pytest.approx(0)


def test_reversed_is_the_opposite_and_nothing_else() -> None:
    beside = [row | {"usual": "3"} for row in answered()]  # of left and right none is the opposite of above
    assert {r["test"] for r in priors_summary(Table.of(PRIORS, beside)).rows()} == {"upside down"}


# The sentences


def test_sentences_are_of_their_numbers() -> None:
    follows = plain(sentence("Pairs", lines(answered(), "upside down"), lines(answered(), "upright")))
    assert follows.startswith("Pairs, upside down: 100.0 % [") and "No prior is shown: " in follows
    assert (
        "The presence question is not shown to fall" in follows and "(upright 100.0 %, difference 0.0 points" in follows
    )
    stays = answered(turned="prior", presence="wrong")
    kept = plain(sentence("Pairs", lines(stays, "upside down"), None))
    assert "The prior's answer comes more often than the same error upright (+100.0 points" in kept
    assert (
        "The presence question falls as well" in kept
        and "No prior is shown" not in kept
        and "upright 100.0 %," not in kept
    )
    blind = [row | ({"choice": "key"} if row["asked"] == "presence" else {}) for row in answered()]
    assert "guessed upright too (0.0 % of two)" in plain(sentence("Pairs", lines(blind, "upside down"), None))
    unknown = [row for row in answered() if row["asked"] == "where"]
    assert "No presence question fits" in sentence("Pairs", lines(unknown, "upside down"), None)


def test_the_claim_names_where_a_prior_shows() -> None:
    quiet, loud = lines(answered(), "upside down"), lines(answered(turned="prior"), "upside down")
    assert plain(claim([("A", quiet, None)])).startswith(
        "No language prior is shown against the pixels: in none of 1 test is its answer shown to come more often than "
        "errors give it (most on A, upside down: 0.0 points ["
    )
    assert plain(claim([("A", quiet, None), ("B", loud, None)])).startswith(
        "A language prior shows against the pixels in 1 of 2 tests (by 95 % intervals, not corrected for 2 tests): its "
        "answer comes more often than errors give it, most on B, upside down: +100.0 points ["
    )
    unknown = "Whether a language prior wins over the pixels cannot be told: "
    few = lines(answered(8), "upside down")
    assert claim([("A", few, None)]).startswith(unknown) and claim([]).startswith(unknown)
    assert omitted_sentence([("A", few)]) == "Omitted, with fewer than 10 questions: A, upside down (8)."
    assert (short(quiet), short(loud), short(few)) == (0.0, 1.0, 0.5)


def test_the_null_is_the_same_error_and_the_blank_image() -> None:
    rows = answered()
    row, before = lines(rows, "upside down"), lines(rows, "upright")
    given = plain(null([("A", row, before), ("B", row | {"prior_blank": 0.5}, before | {"prior": 0.1})]))
    assert given.startswith(
        "A, upside down: 0.0 % against 0.0 % by the same error upright, every answer of the prior weighing alike; "
        "upside down, the same error comes in 0.0 to 10.0 % of answers upright; a blank image gives the prior's"
    )
    assert (
        plain(null([("A", row | {"prior_blank": 0.25, "excess_null": None}, None)]))
        == "A blank image gives the prior's answer in 25.0 %."
    )
    assert null([("A", lines(answered(8), "upside down"), None)]) == null([]) == ""


def test_the_null_is_that_of_the_test_that_the_claim_names() -> None:
    """Twelve things are usually "1" and four "2". Reversed, "1" stays in six of twelve; in their usual scenes one of
    the four has the same error: (1/2 + 0) / 2 against (0 + 1/4) / 2, where the plain shares are 6/16 and 1/16."""
    rows = []
    for row in answered(16, twins="pixels"):
        n = int(row["example_id"][1:])
        upright = "1" if n < 12 else "2"
        turned = row["condition"] in ("twin", "upside down")
        row = row | {"upright": upright, "usual": upright}
        if row["asked"] == "where" and row["condition"] != "blank":
            right = TURNED[upright] if turned else upright
            stays = row["condition"] == "twin" and n < 6
            errs = row["condition"] == "upright" and n == 12
            row |= {"answer": right, "choice": TURNED[right] if stays or errs else right}
        rows.append(row)
    one = lines(rows, "reversed", "stated")
    assert one["prior"] == 6 / 16 and one["excess_null"] == pytest.approx(1 / 8)
    assert one["excess"] == pytest.approx(1 / 4 - 1 / 8)
    flat = lines(answered(), "upside down")
    spoken = plain(null([("B", flat, None), ("A", one, None)]))
    assert spoken.startswith(
        "A, usual relation reversed: 25.0 % against 12.5 % by the same error in usual scenes, every answer of the "
        "prior weighing alike; "
    )
    old, before = one | {"excess_null": None}, lines(rows, "usual", "stated")
    assert plain(null([("A", old, before)])).startswith(
        "A, usual relation reversed: in usual scenes 6.2 % of answers are errors, of any kind"
    )
    assert "most on A, usual relation reversed: +12.5 points" in plain(claim([("B", flat, None), ("A", one, None)]))


def test_a_panel_counts_by_its_lines() -> None:
    rows = [{"questions": 16, "images": 8}, {"questions": 20, "images": 8}]
    assert _counts(rows, "questions", "question") == "16 to 20 questions"
    assert _counts(rows, "images", "picture") == "8 pictures" and _counts(rows[:1], "images", "picture") == "8 pictures"


def test_guessing_upright_tells_nothing() -> None:
    """Two of sixteen right upright among four answers: what is said upside down is no evidence of anything."""
    rows = [
        row | ({"choice": "3"} if row["condition"] == "upright" and int(row["example_id"][1:]) > 1 else {})
        for row in answered(turned="prior")
    ]
    before, row = lines(rows, "upright"), lines(rows, "upside down")
    assert guesses(before) and "no better than by guessing" in sentence("A", row, before)
    assert "prior's answer comes" not in sentence("A", row, before)
    assert "cannot be told" in claim([("A", row, before)])
    sure = lines(answered(turned="prior"), "upright")
    assert not guesses(sure) and "guessing" not in sentence("A", row, sure)


def test_two_studies_are_compared_by_what_follows() -> None:
    frame = followed(Table.of(PRIORS, answered(turned="prior")).frame)
    assert frame.groupby("follows")["share"].mean().to_dict() == {"pixels": 0, "prior": 1}


# The controls


@pytest.mark.parametrize(
    ("blind", "seeing", "expected"),
    [
        ({"prior": 1.0, "excess_low": 0.5}, {"prior": 0.0, "pixels": 1.0}, (True, True)),
        ({"prior": 1.0, "excess_low": -0.1}, {"prior": 0.0, "pixels": 1.0}, (False, True)),
        ({"prior": 0.9, "excess_low": 0.5}, {"prior": 0.1, "pixels": 0.9}, (False, False)),
        ({"prior": 1.0, "excess_low": 0.5}, {"prior": 0.0, "pixels": 0.9}, (True, False)),
    ],
)
def test_the_control_is_judged(blind: Row, seeing: Row, expected: tuple[bool, bool]) -> None:
    def frame(row: Row) -> Any:
        both = [{"direction": "all", "condition": c, "excess": 0.5} | row for c in ("reversed", "upside down")]
        return pd.DataFrame(both)

    seen = controls.stays(frame(blind), frame(seeing))
    assert (seen.fires, seen.silent) == expected


def test_shares_add_up() -> None:
    for row in priors_summary(Table.of(PRIORS, answered(twins="pixels"))).rows():
        if row["prior"] is not None:
            assert np.isclose(row["pixels"] + row["prior"] + row["neither"], 1)
