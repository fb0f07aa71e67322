"""The vote of both sides: words and labels that change places, pictures in a mirror, and the mean of two answers."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

import backsight as bs
from backsight import repairs, stimuli
from backsight.errors import CannotAnswer
from backsight.examples import Example, ExampleSet
from backsight.models.sides import Sides, with_columns
from backsight.models.vlm import VLM
from backsight.repairs import Voted, choosing
from backsight.stimuli.questions import relation_question, whatsup_question
from backsight.stimuli.turned import TurnedPicture
from tests.seam.conftest import FAMILIES, parts

ROW = "The color of the square to the left of the green square is"
PROMPTS = [
    (ROW, ROW.replace("left", "right"), []),
    ("The color of the square above the green square is", None, []),
    ("The color of the leftmost square is", "The color of the rightmost square is", []),
    ("Left of the key?", "Right of the key?", []),
    (relation_question("A", "key", "bell"), None, ["1", "2"]),
    (relation_question("B", "key", "bell"), None, ["1", "2"]),
    (relation_question("C", "key", "bell"), None, ["1", "2"]),
    (whatsup_question("a", "mug", "table"), None, []),
    ("Where is it? A. left B. right", None, ["A", "B"]),
    ("Where is it?\n(a) on the left\n(b) on the right", None, ["A", "B"]),
    ("Is it left or right of the key?", None, []),
    ("Is it right or left of the key?", None, []),
    ("It is left of the key and right of the bell.", "It is right of the key and left of the bell.", []),
    ("Is it left of the key? Answer with left or right.", "Is it right of the key? Answer with left or right.", []),
    ("Give the right answer: is it left?", "Give the right answer: is it right?", []),
    ("The bright key, upright", None, []),
]


@pytest.fixture(scope="module")
def sides() -> Sides:
    return Sides(parts("qwen2_vl")[1].tokenizer, -1)


@pytest.mark.parametrize(("question", "expected", "labels"), PROMPTS)
def test_words_change_places_and_lists_change_their_labels(
    sides: Sides, question: str, expected: str | None, labels: list[str]
) -> None:
    ids = torch.tensor([sides.tokenizer.encode(question)])
    new, (pairs,) = sides.exchanged(ids)
    assert sides.tokenizer.decode(new[0]) == (expected or question)
    assert torch.equal(sides.exchanged(new)[0], ids)  # twice is nothing
    spelled = [[sides.tokenizer.decode([i]).strip() for i in pair] for pair in pairs]
    assert (labels in spelled) if labels else not spelled


@pytest.mark.parametrize("family", FAMILIES)
def test_a_piece_of_several_words_has_its_counterpart(family: str) -> None:
    """Some tokenizers join words; where the other piece is no token, the vote says so."""
    tokenizer = parts(family)[1].tokenizer
    sides = Sides(tokenizer, -1)
    new, _ = sides.exchanged(tokenizer(ROW, return_tensors="pt")["input_ids"])
    assert tokenizer.decode(new[0], skip_special_tokens=True).strip() == ROW.replace("left", "right")
    with pytest.raises(CannotAnswer, match="no counterpart of one token"):
        sides._counterpart(tokenizer.encode("ef", add_special_tokens=False)[0], "left")


def test_columns_change_places_by_hand() -> None:
    logits = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    assert with_columns(logits, [(0, 2), (1, 3)]).tolist() == [[3.0, 4.0, 1.0, 2.0]]
    assert with_columns(logits, []).tolist() == logits.tolist()


@pytest.mark.parametrize("family", FAMILIES)
def test_mirrored_pixels_are_those_of_the_mirrored_picture(family: str) -> None:
    vlm = VLM(*parts(family), name=family, check=False)
    pictures = [stimuli.squares()[0].image, stimuli.objects()[5].image.resize((200, 120))]
    plain, mirrored = vlm.prompter.pixels(pictures), vlm.prompter.pixels([ImageOps.mirror(p) for p in pictures])
    got = vlm.family.redrawn(vlm.model.config, plain, Voted().redraw)
    assert not torch.allclose(plain["pixel_values"], mirrored["pixel_values"], atol=0.1)
    torch.testing.assert_close(got["pixel_values"], mirrored["pixel_values"], atol=0.02, rtol=0)
    same = vlm.family.redrawn(vlm.model.config, plain, lambda raster: raster.clone())
    assert torch.equal(same["pixel_values"], plain["pixel_values"])


@pytest.mark.parametrize(("family", "size"), [("qwen2_vl", (224, 168)), ("gemma3", (112, 112))])
def test_shifted_pixels_are_those_of_the_shifted_picture(family: str, size: tuple[int, int]) -> None:
    """Of a picture of a size at which the processor leaves it."""
    vlm, fitted = VLM(*parts(family), name=family, check=False), Voted().control(3)
    picture = stimuli.objects()[5].image.resize(size)
    moved = fitted.redraw(torch.from_numpy(np.array(picture)).permute(2, 0, 1)).permute(1, 2, 0)
    plain, expected = vlm.prompter.pixels([picture]), vlm.prompter.pixels([Image.fromarray(moved.numpy())])
    got = vlm.family.redrawn(vlm.model.config, plain, fitted.redraw)
    torch.testing.assert_close(got["pixel_values"], expected["pixel_values"])
    assert not torch.allclose(got["pixel_values"], plain["pixel_values"], atol=0.1)


def by_hand(vlm: VLM, example: Example, swapped: list[str]) -> torch.Tensor:
    """The vote as two forward passes of two prepared questions, columns exchanged word by word."""

    def other(text: str) -> str:
        return re.sub("left|right", lambda m: "right" if m[0] == "left" else "left", text)

    picture = TurnedPicture(example.picture)
    question = example.question if swapped else other(example.question)
    mirrored = dataclasses.replace(example, picture=picture, question=question)
    plain, second = (torch.log_softmax(vlm.forward(vlm.prepare([e]))[0], -1) for e in (example, mirrored))
    index = torch.arange(len(plain))
    words = [("left", "right"), ("leftmost", "rightmost")]
    pairs = [(spell(one), spell(two)) for one, two in words for spell in (str.lower, str.capitalize, str.upper)]
    for one, two in [*pairs, *([(swapped[0], swapped[1])] if swapped else [])]:
        for lead in ("", " "):
            ids = [vlm.tokenizer.encode(lead + word, add_special_tokens=False) for word in (one, two)]
            if [len(i) for i in ids] == [1, 1]:
                index[ids[0][0]], index[ids[1][0]] = ids[1][0], ids[0][0]
    return (plain + second[index]) / 2


@pytest.mark.parametrize("family", FAMILIES)
def test_a_vote_is_the_mean_of_two_passes(family: str) -> None:
    vlm = VLM(*parts(family), name=family, check=False)
    row, listed = stimuli.squares()[0], stimuli.pairs()[1]
    assert "left" in row.question or "right" in row.question
    batch = vlm.prepare([row, listed])
    with Voted().applied(vlm):
        got = vlm.forward(batch)
    for logits, example, labels in zip(got, (row, listed), ([], ["1", "2"]), strict=True):
        expected = by_hand(vlm, example, labels)
        plain = torch.log_softmax(vlm.forward(vlm.prepare([example]))[0], -1)
        error, change = ((logits - other).abs().max() for other in (expected, plain))
        assert error < 0.05 * change and change > 1e-3  # the processor rounds mirrored pixels its own way


def test_several_answers_to_one_picture_are_voted_alike() -> None:
    """Beams and repeated answers ask about one encoded picture several times."""
    vlm = VLM(*parts("qwen2_vl"), check=False)
    batch = vlm.prepare(stimuli.squares()[:2])
    options: dict[str, Any] = {"max_new_tokens": 1, "do_sample": False, "num_beams": 2, "num_return_sequences": 2}
    with Voted().applied(vlm), torch.no_grad():
        expected = vlm.forward(batch)
        out = vlm.model.generate(**batch.inputs, **options, return_dict_in_generate=True, output_logits=True)
    torch.testing.assert_close(out.logits[0], expected.repeat_interleave(2, 0), atol=1e-4, rtol=1e-4)


def test_watchers_and_recordings_see_the_plain_side() -> None:
    vlm = VLM(*parts("qwen2_vl"), check=False)
    batch = vlm.prepare(stimuli.squares()[:2])
    with vlm.recording("resid_pre", layers=[2]) as recorded:
        vlm.forward(batch)
        plain = recorded["resid_pre", 2]
    seen: list[int] = []
    with (
        Voted().applied(vlm),
        vlm.recording("resid_pre", layers=[2]) as recorded,
        vlm.watching(lambda layer, _: seen.append(layer)),
    ):
        vlm.forward(batch)
        torch.testing.assert_close(recorded["resid_pre", 2], plain)
    assert seen == list(range(vlm.n_layers))
    assert "get_image_features" not in vars(vlm.parts.base)


@pytest.fixture(scope="module")
def plain_model() -> VLM:
    return bs.load("builtin:plain")


@pytest.mark.slow
def test_a_vote_keeps_the_answers_of_a_model_that_is_right(plain_model: VLM) -> None:
    """Rows whose answer is a colour or a thing, and pairs in the three forms of numbered options."""
    for examples in (stimuli.squares().limit(16), stimuli.objects().limit(16), stimuli.pairs().limit(24)):
        before, behind = (choosing.outcome(plain_model, examples, f).right for f in (None, Voted()))
        assert before.mean() > 0.9
        assert (before & ~behind).mean() <= 1 / 16, examples.name


def test_the_words_exchanged_are_what_keeps_them(plain_model: VLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the picture mirrored and the question as it was, the second side speaks against the first one."""
    rows = stimuli.squares().where(lambda e: e.direction in ("left", "right")).limit(16)
    sure = choosing.outcome(plain_model, rows, Voted()).confidence
    monkeypatch.setattr(Sides, "exchanged", lambda self, ids: (ids, [()] * len(ids)))
    split = choosing.outcome(plain_model, rows, Voted())
    assert sure.mean() > 0.99 > 0.9 > split.confidence.mean() and split.right.mean() < 0.9


def test_options_scored_as_sequences_are_mirrored_too(plain_model: VLM) -> None:
    """Captions of which one is true: in the mirror the other one, and the vote says what the picture says."""
    row = stimuli.squares().where(lambda e: e.direction == "left")[0]
    assert isinstance(row, Example)
    batch = plain_model.prepare([row])
    options = (" the left", " the right")
    with Voted().applied(plain_model):
        voted = plain_model.sequence_log_probabilities(batch, options)
    question = row.question.replace("left", "right")
    mirrored = dataclasses.replace(row, picture=TurnedPicture(row.picture), question=question)
    one, two = (plain_model.sequence_log_probabilities(plain_model.prepare([e]), options) for e in (row, mirrored))
    error, wrong = ((voted - (one + second) / 2).abs().max() for second in (two.flip(1), two))
    assert error < 0.1 < wrong


def test_there_is_nothing_to_fit(plain_model: VLM) -> None:
    assert repairs.BothSides().fit(plain_model, ExampleSet("nothing", ())) == Voted()
