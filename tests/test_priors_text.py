"""Text against picture: the sentences, what is measured, and what is made of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from backsight import stimuli
from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet, PairSet, PlainPicture
from backsight.measurements import Text
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.results.text import TEXT, followed, text_summary
from backsight.results.text.section import _by_suite
from backsight.results.text.text import claim, lost, null, sentence, short
from backsight.selftest import lookup
from backsight.selftest import priors as controls
from backsight.stimuli.statements import stated
from backsight.tables import Table
from backsight.training.questions import corpus

Row = dict[str, Any]
NUMBERED = {"left": "1", "right": "2", "above": "3", "below": "4"}


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def relation(**changes: Any) -> Example:
    example = Example(
        "one", PlainPicture((56, 56)), "Where is it?", ("left", "right", "on", "under"), "on", direction="on",
        subject="cup", reference="table",
    )  # fmt: skip
    return replace(example, **changes)


# The sentences


def test_a_false_sentence_states_the_opposite() -> None:
    one = stated(relation())
    assert one is not None and one.wrong == "under" and one.words == ("on", "under")
    assert one.true.question == "The cup is on the table. Where is it?"
    assert one.false.question == "The cup is under the table. Where is it?"
    assert [e.question for e in one.neutral] == ["The cup is with the table. Where is it?"]
    numbers = relation(options=("1", "2", "3", "4"), answer="1", direction="left")
    left = stated(numbers)
    assert left is not None and left.wrong == "2"
    assert left.false.question.startswith("The cup is to the right of the table. ")
    assert left.neutral[0].question.startswith("The cup is in the image with the table. ")
    front = stated(relation(options=("front", "behind"), answer="behind", direction="behind"))
    assert front is not None and front.false.question.startswith("The cup is in front of the table.")


@pytest.mark.parametrize("suite, noun", [("squares", " square"), ("shapes", " shape"), ("objects", "")])
def test_of_a_row_the_false_sentence_speaks_of_the_other_end(suite: str, noun: str) -> None:
    for example in stimuli.build(suite).limit(8):
        one, (first, middle, last) = stated(example), example.source.names
        assert one is not None and {one.wrong, example.answer} == {first, last}
        assert one.false.question.startswith(f"The {one.wrong}{noun} is ")
        assert f"the {middle}{noun}. " in one.false.question
        assert one.true.question == one.false.question.replace(f"The {one.wrong}", f"The {example.answer}")


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": None},
        {"direction": None},
        {"direction": "near"},
        {"options": ("on", "beside")},  # the opposite is no option
        {"options": ("yes", "no"), "answer": "yes"},
        {"options": ("on", "under"), "answer": "under"},  # the answer is not the direction
    ],
)
def test_what_no_sentence_can_state(changes: Row) -> None:
    assert stated(relation(**changes)) is None


def test_the_neutral_sentence_is_the_one_nearest_in_length() -> None:
    one = stated(relation(options=("front", "behind"), answer="behind", direction="behind"))
    assert one is not None and len(one.neutral) == 2

    def pieces(question: str, system: str | None) -> int:
        return len(question.split()) + 5 * ("relation" in question)

    assert "one object with" in one.nearest(pieces).question
    assert "in relation to" in one.nearest(lambda question, system: len(question.split())).question


# The measurement


def test_every_sentence_is_asked_with_picture_and_blank(tiny_vlm: VLM) -> None:
    pairs = stimuli.pairs(tiny_vlm.grid, scenes=4).where(lambda e: e.tags["prompt"] == "A")
    rows = Text()(tiny_vlm, pairs).frame
    assert rows.groupby(["shown", "sentence"]).size().to_dict() == {
        (shown, name): 4 for shown in ("picture", "blank") for name in ("none", "neutral", "true", "false")
    }
    tokens = rows.pivot_table(index="example_id", columns="sentence", values="tokens")
    assert (tokens["none"] == 0).all() and (tokens["neutral"] == tokens["false"]).all() and (tokens["true"] > 5).all()
    assert len(Text(blank=False)(tiny_vlm, pairs)) == 16


def test_what_cannot_be_asked_is_refused(tiny_vlm: VLM) -> None:
    with pytest.raises(CannotAnswer, match="No sentence can state the opposite"):
        Text()(tiny_vlm, [relation(subject=None)])
    with pytest.raises(UsageError, match="takes an example set"):
        Text()(tiny_vlm, PairSet("p", (), "last_token"))
    mixed = ExampleSet("mixed", (relation(), relation(id="two", subject=None)))
    assert Text().applies(mixed) and set(Text()(tiny_vlm, mixed).frame["example_id"]) == {"one"}


def test_a_tokenizer_without_the_words_is_named() -> None:
    """A number can be asked for by a model that has no token for the direction in the sentence."""
    words = [text for text in corpus() if "under" not in text.lower() and "below" not in text.lower()]
    vlm = VLM(*tiny("qwen2_vl", words), check=False)
    asked = relation(options=("1", "2", "3", "4"), answer="4", direction="below")
    with pytest.raises(CannotAnswer, match="no single token for some words of the sentences") as caught:
        Text()(vlm, [asked])
    assert caught.value.got == ["below"]


@pytest.mark.parametrize("evidence, follows", [("text", 1.0), ("subject", 0.0)])
def test_models_that_read_one_of_both(evidence: Any, follows: float) -> None:
    """By hand: one reads the sentence and no picture, the other the picture and no sentence."""
    rows = Text(blank=False)(lookup.lookup(evidence, prior=0.5), lookup.scenes(8))
    false = followed(rows.frame)
    assert len(false) == 8 and (false["share"] == follows).all()


# The summary and its sentences


def answered(
    count: int = 16, *, false: str = "picture", neutral: str = "picture", blank: str = "neither", none: str = "picture"
) -> list[Row]:
    """Rows in which all answers behind a sentence follow picture, text or neither; behind a true one the picture."""
    rows: list[Row] = []
    for n in range(count):
        row: Row = dict.fromkeys(TEXT.columns) | {"example_id": f"e{n}", "image_id": f"i{n}", "suite": "pairs"}
        row |= {"answer": "1", "wrong": "2", "options": 4, "tokens": 9}
        choice = {"picture": "1", "text": "2", "neither": "3"}
        for name, spoken in {"none": none, "neutral": neutral, "true": "picture", "false": false}.items():
            rows.append(row | {"sentence": name, "shown": "picture", "choice": choice[spoken]})
            unseen = blank if name == "false" else "neither"
            rows.append(row | {"sentence": name, "shown": "blank", "choice": choice[unseen]})
    return rows


def by_sentence(rows: list[Row]) -> Any:
    return _by_suite(text_summary(Table.of(TEXT, rows)).rows())["pairs", None]


def test_what_a_false_sentence_changes() -> None:
    rows = by_sentence(answered(false="text", blank="text"))
    row = rows["picture", "false"]
    assert (row["text"], row["picture"], row["text_difference"], row["picture_difference"]) == (1, 0, 1, -1)
    assert row["chance"] == 0.25 and row["tokens_apart"] == 0
    assert rows["picture", "neutral"]["picture_difference"] == 0 and rows["picture", "none"]["text_difference"] is None
    assert plain(sentence("Pairs", rows)).startswith("Pairs: 100.0 % [") and short(rows) == 1
    assert "not shown to be followed" not in sentence("Pairs", rows) and "no sign" not in sentence("Pairs", rows)
    assert plain(claim([("Pairs", rows)])).startswith(
        "A false sentence before the question turns answers on 1 of 1 suite (most on Pairs: +100.0 points ["
    )
    assert (
        plain(null([("Pairs", rows)])) == "Behind a neutral sentence the same answer comes in 0.0 %; chance is 25.0 %."
    )


def test_what_the_null_gives_already_is_no_trust_in_text() -> None:
    rows = by_sentence(answered(false="text", neutral="text", none="text"))
    assert rows["picture", "false"]["text"] == 1 and rows["picture", "false"]["text_difference"] == 0
    assert "(not shown to be followed, difference 0.0 points [" in plain(sentence("Pairs", rows))
    assert "shows no sign of reading" in claim([("Pairs", by_sentence(answered()))])
    read = plain(claim([("Pairs", by_sentence(answered(blank="text")))]))
    assert "shown to turn answers, though it is read (most on Pairs: 0.0 points [" in read


def test_a_model_that_no_sentence_may_precede_is_not_tested() -> None:
    rows = by_sentence(answered(false="neither", neutral="neither"))
    assert lost(rows) and "costs correct answers (-100.0 points" in sentence("Pairs", rows).replace("\u00a0", " ")
    assert "down to guessing (25.0 %)" in plain(sentence("Pairs", rows))
    spoken = plain(claim([("Pairs", rows)]))
    assert spoken.startswith(
        "A sentence before the question, even a neutral one, costs correct answers on Pairs: 100.0 % without, 0.0 % "
        "with it (-100.0 points ["
    )
    untested = (
        "Text against picture cannot be tested on this model: behind a neutral sentence answers on Pairs (0.0 % ["
    )
    assert f"]). {untested}" in spoken
    wide = rows | {("picture", "neutral"): rows["picture", "neutral"] | {"picture_difference_high": 0.01}}
    assert plain(claim([("Pairs", wide)])).startswith(untested)
    fine = by_sentence(answered())
    assert not lost(fine) and "costs correct answers" not in sentence("Pairs", fine)
    both = claim([("A", rows), ("B", fine)])
    assert "; behind a neutral sentence answers on A (0.0" in both
    assert " costs correct answers on 1 of 2 suites; most on A: " in both and "costs" not in claim([("B", fine)])
    never = by_sentence(answered(false="neither", neutral="neither", none="neither"))
    assert "answers are no better than guesses (25.0 %)" in plain(sentence("A", never))
    # A model that follows the sentence is told of, whatever it does behind a neutral one.
    reads = by_sentence(answered(false="text", neutral="neither"))
    assert "). A false sentence before the question turns answers on 1 of 1 suite (most on A" in claim([("A", reads)])


def test_few_questions_are_omitted() -> None:
    rows = by_sentence(answered(8))
    assert sentence("Pairs", rows) == "Pairs: omitted (8 questions, 10 needed)." and short(rows) == 0.5
    assert claim([("Pairs", rows)]) == "Not tested: no suite has enough questions." and null([("Pairs", rows)]) == ""


@pytest.mark.parametrize(
    ("reading", "looking", "expected"),
    [
        ((1.0, 0.7, 0.5), (0.0, 0.0, 1.0), (True, True)),
        ((1.0, 0.7, -0.1), (0.0, 0.0, 1.0), (False, True)),
        ((0.9, 0.7, 0.5), (0.1, 0.1, 0.9), (False, False)),
    ],
)
def test_the_control_is_judged(
    reading: tuple[float, ...], looking: tuple[float, ...], expected: tuple[bool, bool]
) -> None:
    common = {"shown": "picture", "sentence": "false"}
    one = {"text": reading[0], "text_difference": reading[1], "text_difference_low": reading[2]}
    other = {"text": looking[0], "text_difference": looking[1], "picture": looking[2]}
    seen = controls.believed(pd.DataFrame([common | one]), pd.DataFrame([common | other]))
    assert (seen.fires, seen.silent) == expected
