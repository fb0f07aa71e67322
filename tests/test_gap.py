"""The what/where gap: numbers by hand, sentences on rows that make them false, and models whose gap is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from backsight import stimuli
from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet, MemoryPicture
from backsight.maths import gap as maths
from backsight.measurements import Gap
from backsight.measurements.gap import LACKING, UNKNOWN
from backsight.models.sizes import facts as facts_of
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.results import plot
from backsight.results.drawing.style import to_svg
from backsight.results.gap import GAP, gap_summary, text
from backsight.selftest.gap import apart
from backsight.tables import Table
from backsight.training.questions import corpus

Right = Callable[[int], bool]


def side(right: Right, blank: Right, count: int, options: int) -> pd.DataFrame:
    numbers = range(count)
    return pd.DataFrame(
        {"image_id": [f"i{n}" for n in numbers], "options": options}
        | {"correct": [right(n) for n in numbers], "blank": [blank(n) for n in numbers]}
    )


def half(n: int) -> bool:
    return n % 2 == 0


def fourth(n: int) -> bool:
    return n % 4 == 1


def test_the_gap_by_hand() -> None:
    """What all right of two options: 1. Where .5 right of four: (.5 - .25) / .75 = 1/3."""
    one = maths.gap(side(lambda n: True, half, 96, 2), side(half, fourth, 96, 4))
    assert one is not None and one.word == "what" and one.images == 96
    assert one.what.corrected.value == 1 and one.where.corrected.value == pytest.approx(1 / 3)
    assert one.gap.value == pytest.approx(2 / 3) and one.gap.low < 2 / 3 < one.gap.high
    assert (one.where.accuracy, one.where.blank, one.where.chance, one.where.guessing) == (0.5, 0.25, 0.25, 0.25)


def test_guessing_is_the_gray_picture_where_it_is_right_more_often_and_never_below_chance() -> None:
    """A gray picture right in .75 leaves a quarter: (.875 - .75) / .25; one that is never right leaves chance."""
    seen = side(lambda n: n % 8 > 0, lambda n: not fourth(n), 96, 2)
    one = maths.gap(seen, side(lambda n: True, lambda n: False, 96, 4))
    assert one is not None and one.what.guessing == 0.75 and one.what.corrected.value == pytest.approx(0.5)
    guesses = side(fourth, lambda n: False, 96, 4)
    other = maths.gap(seen, guesses)
    assert other is not None and other.where.guessing == 0.25 and other.where.corrected.value == 0


def test_a_constant_answer_is_guessing_where_answers_are_skewed() -> None:
    """ "left" is right in 54 of 60 questions: who always says it knows nothing, whatever a gray picture gets."""
    always = side(lambda n: n % 10 > 0, lambda n: n % 10 == 0, 60, 4)
    known = side(lambda n: True, half, 60, 2)
    skewed = maths.gap(known, always.assign(answer=["right" if n % 10 == 0 else "left" for n in range(60)]))
    assert skewed is not None and skewed.where.chance == skewed.where.guessing == pytest.approx(0.9)
    assert skewed.where.corrected.value == pytest.approx(0) and skewed.word == "what"
    unaware = maths.gap(known, always)
    assert unaware is not None and unaware.where.corrected.value > 0.8


def test_nothing_is_left_to_correct_where_the_gray_picture_is_always_right() -> None:
    always = side(lambda n: True, lambda n: True, 96, 2)
    assert maths.gap(always, side(half, fourth, 96, 4)) is None
    assert maths.gap(always.iloc[:0], always) is None


@pytest.mark.parametrize(
    ("what", "where", "expected"),
    [
        ((lambda n: True), half, "what"),
        ((lambda n: n % 4 > 0), (lambda n: True), "where"),
        ((lambda n: True), (lambda n: True), "none"),
        (half, fourth, "cannot tell"),  # neither is above guessing
        ((lambda n: n % 5 > 0), (lambda n: n % 10 > 2), "cannot tell"),  # .6 and .6, too wide
    ],
)
def test_the_words(what: Right, where: Right, expected: str) -> None:
    one = maths.gap(side(what, half, 60, 2), side(where, fourth, 60, 4))
    assert one is not None and one.word == expected, one


def test_pictures_of_one_question_only_do_not_count() -> None:
    what, where = side(lambda n: True, half, 40, 2), side(half, fourth, 60, 4)
    one = maths.gap(what, where)
    assert one is not None and one.images == 40


@pytest.mark.slow
def test_the_interval_covers() -> None:
    """Of 300 draws at .8 and .7 with guessing at .5 and .25: at least .93 hold the gap of 0."""
    rng, holds, count = np.random.default_rng(0), 0, 60
    for _ in range(300):
        what, where, blank, other = (rng.random(count) < share for share in (0.8, 0.7, 0.5, 0.25))
        one = maths.gap(
            side(what.__getitem__, blank.__getitem__, count, 2), side(where.__getitem__, other.__getitem__, count, 4)
        )
        assert one is not None
        holds += one.gap.low <= 0 <= one.gap.high
    assert holds / 300 >= 0.93


def rows(right: Callable[[str, str, int], bool], count: int = 60, **changes: Any) -> Table:
    """Gap's rows: presence and relation about each of `count` pictures, right by kind, direction and number; with a
    gray picture half of presence and a quarter of relations."""
    built = []
    for n in range(count):
        direction = ("left", "right", "above", "below")[n % 4]
        for kind, options, blank in (("relation", 4, n % 16 < 4), ("presence", 2, n // 4 % 2 == 0)):
            row: dict[str, Any] = dict.fromkeys(GAP.columns)
            row |= {"example_id": f"e{n}", "image_id": f"i{n}", "suite": "pairs", "direction": direction}
            row |= {"kind": kind, "options": options, "absence": "known"} | changes
            built.append(row | {"condition": "picture", "correct": right(kind, direction, n)})
            built.append(row | {"condition": "gray", "correct": blank})
        for kind in ("naming", "colour"):
            row = dict.fromkeys(GAP.columns) | {"example_id": f"e{n}", "image_id": f"i{n}", "suite": "pairs"}
            built.append(row | {"kind": kind, "skipped": UNKNOWN})
    return Table.of(GAP, built)


def sentence(table: Table) -> str:
    return text.sentence("Pairs", gap_summary(table).rows()).replace("\u00a0", " ")


def claim(**tables: Table) -> str:
    """The claim over suites, each called as its keyword."""
    named = [(name, text.headline(gap_summary(table).rows())) for name, table in tables.items()]
    every = [(name, row) for name, table in tables.items() for row in gap_summary(table).rows()]
    return text.claim(named, every).replace("\u00a0", " ")


WHAT = rows(lambda kind, direction, n: kind == "presence" or direction in ("left", "right"), 96)
WHERE = rows(lambda kind, direction, n: kind == "relation" or n // 4 % 4 > 0)
ALIKE = rows(lambda kind, direction, n: True, 96)
GUESSES = rows(lambda kind, direction, n: n % 16 < 4 if kind == "relation" else n // 4 % 2 == 1)
WIDE = rows(lambda kind, direction, n: n % 5 > 0 if kind == "presence" else n % 10 > 2)
FEW = rows(lambda kind, direction, n: True, 9)


def test_each_verdict_has_its_sentence_with_its_numbers_and_no_other() -> None:
    spoken = sentence(WHAT)
    assert spoken.startswith("Pairs: where things are is answered worse than what they are, gap 0.")
    assert "(presence 1.00 [" in spoken and ", relation 0." in spoken and spoken.endswith("; 96 pictures).")
    assert sentence(WHERE).startswith("Pairs: what things are is answered worse than where they are, gap -0.")
    assert sentence(ALIKE).startswith("Pairs: what things are and where are answered alike, within 0.2, gap 0.00 [")
    assert "neither what things are nor where is answered better than by guessing" in sentence(GUESSES)
    assert "which of what and where is answered better cannot be told" in sentence(WIDE)
    assert sentence(FEW) == "Pairs: omitted, 9 pictures with both questions (10 needed)."
    assumed = sentence(rows(lambda kind, direction, n: True, absence="assumed"))
    assert assumed.endswith("; that the names are absent is assumed).") and "assumed" not in sentence(ALIKE)


def test_the_claim_says_first_where_where_is_answered_worse() -> None:
    assert claim(A=WHAT).startswith("By presence, where things are is answered worse than what they are in A (gap 0.")
    assert "; both are answered alike, within 0.2, in A; lowest of all is the relation in B: 0." in claim(
        A=ALIKE, B=WHAT
    )
    assert claim(A=ALIKE) == "By presence, both are answered alike, within 0.2, in A."
    two = claim(A=rows(lambda kind, direction, n: kind == "presence" or direction == "left", 96), B=WHAT)
    assert " in A and B (largest gap in A: gap " in two
    assert claim(A=ALIKE, B=GUESSES).startswith(
        "By presence, neither what nor where is answered better than by guessing in B; both"
    )
    assert claim(A=WHERE).startswith("By presence, what things are is answered worse than where they are in A (gap -0.")
    assert claim(A=WIDE, B=FEW).startswith(
        "By presence, which is answered better cannot be told in A; lowest of all is"
    )
    assert claim(A=FEW) == "No gap is given: no suite has 10 pictures with both questions."


def test_the_claim_ends_with_the_lowest_of_all_kinds() -> None:
    """Naming below guessing beside presence without an error; by how far its interval reaches the remark goes."""
    (main,) = [row for row in gap_summary(ALIKE).rows() if row["headline"] and row["axis"] == "all"]
    naming = main | {
        "kind": "naming", "headline": False, "what": 0.229, "what_blank": 0.15, "what_chance": 0.417,
        "what_corrected": -0.32, "what_low": -0.49, "what_high": -0.08, "gap": -1.13, "low": -1.33, "high": -0.76,
    }  # fmt: skip

    def said(**changes: Any) -> str:
        return text.claim([("A", main)], [("A", main), ("A", naming | changes)]).replace("\u00a0", " ")

    assert said() == (
        "By presence, both are answered alike, within 0.2, in A; lowest of all is naming in A, worse than guessing: "
        "-0.32 [-0.49, -0.08] corrected for guessing (22.9 % correct, guessing 41.7 %)."
    )
    assert "naming in A, not shown to be better than guessing: -0.32" in said(what_high=0.1)
    assert "lowest of all is naming in A: 0.30 [0.10, 0.50]" in said(what_corrected=0.3, what_low=0.1, what_high=0.5)
    assert "lowest" not in said(omitted=True) and "lowest" not in said(what_corrected=1.0)
    assert text.short([main]) == 0 and text.short([main, naming]) == 1
    spoken = text.sentence("A", [main, naming]).replace("\u00a0", " ")
    assert spoken.endswith("; 96 pictures); naming -0.32 [-0.49, -0.08], gap -1.13 [-1.33, -0.76].")
    mixed = text.claim([("A", main), ("B", main | {"kind": "naming"})])
    assert mixed == "Both are answered alike, within 0.2, in A by presence and B by naming."


def test_the_null_is_what_guessing_gives() -> None:
    main = [row for row in gap_summary(ALIKE).rows() if row["headline"] and row["axis"] == "all"]
    assert text.null(main).replace("\u00a0", " ") == (
        "0 is guessing, chance or the gray picture's accuracy where that is higher; it gives 50.0 % of what and 25.0 % "
        "of where."
    )
    assert "50.0 to 70.0" in text.null([main[0], main[0] | {"what_blank": 0.7}])


def test_what_is_missing_is_that_of_the_worse_of_both() -> None:
    shorts = [text.short(gap_summary(table).rows()) for table in (ALIKE, WHAT, GUESSES, FEW)]
    assert shorts[0] == 0 < shorts[1] < shorts[2] and shorts[3] == text.UNKNOWN


def test_kinds_that_are_not_asked_are_named_with_the_reason() -> None:
    named = [(title, row) for title in ("A", "B") for row in gap_summary(ALIKE).rows()]
    assert (
        text.left_out(named)
        == f"Left out: naming in A and B: {UNKNOWN} (96 pictures); colour in A and B: {UNKNOWN} (96 pictures)."
    )
    assert text.left_out([(title, row | {"skipped": None}) for title, row in named]) == ""


def test_the_headline_is_presence_and_where_there_is_none_naming() -> None:
    table = rows(lambda kind, direction, n: True)
    summary = gap_summary(table).frame
    assert set(summary[summary["headline"]]["kind"]) == {"presence"}
    assert summary[summary["kind"] == "naming"]["skipped"].iloc[0] == f"{UNKNOWN} (60 pictures)"
    renamed = table.frame[table.frame["skipped"].isna()].replace({"kind": {"presence": "naming"}})
    assert sentence(Table(GAP, renamed)).count("(naming 1.00 [") == 1


def test_the_figure_shows_what_where_and_the_gap() -> None:
    drawn = to_svg(plot(rows(lambda kind, direction, n: kind == "presence" or n % 2 == 0)))
    for words in ("presence", "relation", "left and right", "gap 0.", "60 pictures", "accuracy corrected for guessing"):
        assert words in drawn, words


def test_the_control_judges() -> None:
    ignored = gap_summary(rows(lambda kind, direction, n: kind == "presence" or direction in ("left", "right"))).frame
    both = gap_summary(rows(lambda kind, direction, n: True, 96)).frame
    seen = apart(ignored, both)
    assert (seen.fires, seen.silent) == (True, True)
    assert (apart(both, ignored).fires, apart(both, ignored).silent) == (False, False)


# The measurement.


@pytest.fixture(scope="module")
def vlm() -> VLM:
    return VLM(*tiny("qwen2_vl", corpus()), name="tiny")


def test_every_picture_is_asked_what_and_where_with_and_without_it(vlm: VLM) -> None:
    pairs = stimuli.pairs(vlm.grid, scenes=4).where(lambda e: e.tags["prompt"] == "A")
    frame = Gap(batch=3)(vlm, pairs).frame
    asked = frame[frame["condition"].notna()]
    assert asked.groupby(["kind", "condition"]).size().to_dict() == {
        (kind, condition): 4 for kind in ("relation", "presence", "naming") for condition in ("picture", "gray")
    }
    assert set(frame[frame["kind"] == "colour"]["skipped"]) == {UNKNOWN} and asked["choice"].notna().all()
    relation = asked[(asked["kind"] == "relation") & (asked["condition"] == "picture")]
    assert list(relation["question"]) == [e.question for e in pairs]
    assert (asked["correct"].astype(bool) == (asked["choice"] == asked["answer"])).all()


def test_the_choices_are_those_of_plain_questions(vlm: VLM) -> None:
    from backsight.measurements import Behaviour
    from backsight.stimuli.what import what

    squares = stimuli.squares(vlm.grid).limit(6)
    frame = Gap()(vlm, squares).frame
    for kind in ("presence", "colour"):
        questions = [what(e)[kind] for e in squares]  # type: ignore[index]
        plain = Behaviour()(vlm, ExampleSet("what", tuple(questions), "auto")).frame
        for condition in ("picture", "gray"):
            mine = frame[(frame["kind"] == kind) & (frame["condition"] == condition)]
            other = plain[plain["condition"] == condition]
            assert list(mine["choice"]) == list(other["choice"]), (kind, condition)


def test_words_that_a_small_vocabulary_lacks_are_left_out_and_listed(vlm: VLM) -> None:
    scenes = ExampleSet("tabletop", tuple(e for e in stimuli.tabletop_a(vlm.grid) if e.source.thing.color)[:3])
    frame = Gap()(vlm, scenes).frame
    assert set(frame[frame["kind"] == "colour"]["skipped"]) == {LACKING}  # it knows no purple
    assert frame[frame["kind"] == "naming"]["skipped"].isna().all()


def own(count: int, name: Callable[[int], str | None]) -> ExampleSet:
    pictures = [MemoryPicture(Image.new("RGB", (64, 64), (40 * n, 0, 0))) for n in range(count)]
    return ExampleSet(
        "mine",
        tuple(
            Example(f"q{n}", one, "Where is it?", ("left", "right"), "left", direction="left", subject=name(n),
                    reference="table")
            for n, one in enumerate(pictures)
        ),
        scoring="auto",
    )  # fmt: skip


def test_pictures_of_ones_own_are_asked_of_each_others_things(vlm: VLM) -> None:
    frame = Gap()(vlm, own(3, ("apple", "key", "bell").__getitem__)).frame
    presence = frame[(frame["kind"] == "presence") & (frame["condition"] == "picture")]
    assert list(presence["answer"]) == ["apple", "key", "bell"] and set(presence["absence"]) == {"assumed"}


STRANGE = ("xylem", "quark", "zither")


@pytest.mark.parametrize(("names", "got"), [((lambda n: None), UNKNOWN), (STRANGE.__getitem__, LACKING)])
def test_what_cannot_be_asked_is_refused_with_the_reason(vlm: VLM, names: Callable[[int], Any], got: str) -> None:
    with pytest.raises(CannotAnswer, match="Nothing can be asked of what these pictures show") as error:
        Gap()(vlm, own(3, names))
    assert str(error.value.got) == got


def test_names_of_several_tokens_are_asked_of_a_vocabulary_of_pieces(vlm: VLM, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backsight.measurements.gap.OF_WORDS", 100)
    frame = Gap()(vlm, own(3, STRANGE.__getitem__)).frame
    assert frame["skipped"].notna().sum() == 3 and frame[frame["kind"] == "presence"]["choice"].notna().all()  # colour


def test_it_applies_where_a_reference_is_named(vlm: VLM) -> None:
    squares = stimuli.squares(vlm.grid).limit(2)
    assert Gap().applies(squares) and not Gap().applies(stimuli.grid(vlm.grid, side=2))
    with pytest.raises(UsageError):
        Gap()(vlm, stimuli.squares(vlm.grid).pairs("last_token").limit(2))


@pytest.mark.parametrize("sequences", [False, True])
def test_what_is_planned_is_what_is_charged(vlm: VLM, sequences: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backsight.measurements.gap.OF_WORDS", 100)
    names = STRANGE if sequences else ("apple", "key", "bell")
    examples, gap = own(3, names.__getitem__), Gap(batch=2)
    facts = facts_of(vlm, gap.asked(examples, vlm.grid), priced=True)
    before = vlm.forward_equivalents
    gap(vlm, examples)
    assert vlm.forward_equivalents - before == pytest.approx(gap.cost(facts, examples), rel=1e-6)


def test_batches_do_not_matter(vlm: VLM) -> None:
    pairs = stimuli.pairs(vlm.grid, scenes=5)
    one, many = (replace(Gap(), batch=batch)(vlm, pairs).frame for batch in (1, 16))
    pd.testing.assert_frame_equal(one, many)


@cache
def known(name: str) -> VLM:
    from backsight.models.opening import load

    return load(f"builtin:{name}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "axis", "low", "high"),
    [
        ("plain", "all", -0.2, 0.2),
        ("prior", "horizontal", -0.3, 0.3),
        ("prior", "vertical", 0.6, 1.3),  # guesses
        ("inverted", "vertical", -0.3, 0.3),
        ("inverted", "horizontal", 0.9, 1.6),  # and is misled
    ],
)
def test_models_have_the_gap_that_they_were_trained_for(name: str, axis: str, low: float, high: float) -> None:
    summary = _summary(name)
    row = summary[summary["headline"] & (summary["axis"] == axis)].iloc[0]
    assert low < row["gap"] < high and (row["verdict"] == "what") == (low > 0), row.to_dict()


@cache
def _summary(name: str) -> pd.DataFrame:
    return gap_summary(Gap(batch=32)(known(name), stimuli.squares(known(name).grid).limit(64))).frame
