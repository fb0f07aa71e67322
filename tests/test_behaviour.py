"""Behaviour and Interchange against Hugging Face itself: rows by plain calls, without the package's seam."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from backsight import stimuli
from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet, PairSet
from backsight.measurements import Behaviour, Interchange
from backsight.models.answers import normalise
from backsight.models.opening import load
from backsight.models.sizes import facts
from backsight.models.vlm import VLM
from tests.seam.plain import decoder_inputs, patched, with_last

CLOSE = {"abs": 1e-6, "rel": 1e-4}  # fp32; the batch is padded, the plain call is not


def plain_inputs(vlm: VLM, example: Example, image: Image.Image | None = None) -> dict[str, Tensor]:
    """What the processor alone makes of one question, without padding."""
    content = [{"type": "image"}, {"type": "text", "text": example.question}]
    messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
    if example.system is not None:
        messages.insert(0, {"role": "system", "content": [{"type": "text", "text": example.system}]})
    text = vlm.processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    made = vlm.processor(text=[text], images=[[image or example.image]], return_tensors="pt", add_special_tokens=False)
    return dict(made)


def plain_logits(vlm: VLM, example: Example, image: Image.Image | None = None) -> Tensor:
    with torch.no_grad():
        found: Tensor = vlm.model(**plain_inputs(vlm, example, image)).logits[0, -1]
    return found


def mass(vlm: VLM, logits: Tensor, word: str) -> float:
    """The probability of a word: in both cases, with and without a space, where that is one token."""
    found = set()
    for form in (word, word.capitalize(), f" {word}", f" {word.capitalize()}"):
        ids = vlm.tokenizer(form)["input_ids"]
        if len(ids) == 1:
            found.add(ids[0])
    assert len(found) == 4
    return float(torch.softmax(logits, -1)[sorted(found)].sum())


@pytest.fixture(scope="module")
def some(tiny_vlm: VLM) -> ExampleSet:
    """Questions of different lengths, so that the batch is padded."""
    squares, objects = stimuli.squares(tiny_vlm.grid), stimuli.objects(tiny_vlm.grid)
    return ExampleSet("some", (*squares.limit(4).items, *objects.limit(4).items))


def test_rows_equal_plain_calls(tiny_vlm: VLM, some: ExampleSet) -> None:
    rows = Behaviour()(tiny_vlm, some).rows()
    assert [(r["example_id"], r["condition"]) for r in rows] == [
        (e.id, condition) for e in some for condition in ("picture", "gray")
    ]
    for example, row, gray in zip(some, rows[::2], rows[1::2], strict=True):
        for found, image in ((row, None), (gray, Image.new("RGB", example.picture.size, (128, 128, 128)))):
            logits = plain_logits(tiny_vlm, example, image)
            masses = [mass(tiny_vlm, logits, option) for option in example.options]
            answer = masses[example.options.index(example.answer)]
            assert found["p_answer"] == pytest.approx(answer, **CLOSE)
            assert found["p_answer_of_options"] == pytest.approx(answer / sum(masses), **CLOSE)
            assert found["p_choice"] == pytest.approx(max(masses), **CLOSE)
            assert found["choice"] == example.options[masses.index(max(masses))]
            assert found["choice_correct"] is (found["choice"] == example.answer)
            assert found["top_token"] == tiny_vlm.tokenizer.decode([int(logits.argmax())])
            assert (found["scoring"], found["options"]) == ("token", len(example.options))
            assert (found["question"], found["image_id"]) == (example.question, example.image_id)


def test_the_free_read_out_takes_case_and_space_as_nothing(tiny_vlm: VLM, monkeypatch: pytest.MonkeyPatch) -> None:
    example = stimuli.squares(tiny_vlm.grid)[0]
    ids = {form: tiny_vlm.tokenizer.encode(form)[0] for form in (example.answer, f" {example.answer.capitalize()}")}
    other = next(o for o in example.options if o != example.answer)
    ids[other] = tiny_vlm.tokenizer.encode(other)[0]
    for form, number in ids.items():
        logits = torch.zeros(1, len(tiny_vlm.tokenizer))
        logits[0, number] = 9.0
        monkeypatch.setattr(tiny_vlm, "forward", lambda batch, found=logits: found)
        (row,) = Behaviour(gray=False)(tiny_vlm, ExampleSet("one", (example,))).rows()
        assert row["free_correct"] is (form != other)
        assert row["choice_correct"] is (form != other)


def test_equal_gray_questions_are_asked_once_and_give_each_its_row(
    tiny_vlm: VLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    squares = stimuli.squares(tiny_vlm.grid)
    same = [e for e in squares if e.question == squares[0].question][:4]
    asked: list[int] = []
    forward = VLM.forward
    monkeypatch.setattr(VLM, "forward", lambda self, batch: asked.append(len(batch)) or forward(self, batch))
    rows = Behaviour()(tiny_vlm, ExampleSet("same", tuple(same))).rows()
    assert asked == [4, 1]
    gray = [r for r in rows if r["condition"] == "gray"]
    assert len(gray) == 4 and len({r["top_token"] for r in gray}) == 1
    assert [r["answer"] for r in gray] == [e.answer for e in same]


@pytest.mark.parametrize("gray", [True, False])
def test_options_of_several_tokens_are_scored_as_sequences(tiny_vlm: VLM, some: ExampleSet, gray: bool) -> None:
    options = ("to the left of it", "behind", "on the table")
    items = tuple(replace(e, options=options, answer=options[i % 3]) for i, e in enumerate(some[:4]))
    measurement = Behaviour(gray=gray)
    examples = ExampleSet("sentences", items, scoring="auto")
    before = tiny_vlm.forward_equivalents
    rows = [r for r in measurement(tiny_vlm, examples).rows() if r["condition"] == "picture"]
    assert tiny_vlm.forward_equivalents - before == pytest.approx(measurement.cost(facts(tiny_vlm, examples), examples))
    for example, row in zip(examples, rows, strict=True):
        found = [sequence(tiny_vlm, example, option) for option in options]
        assert row["p_answer"] == pytest.approx(found[options.index(example.answer)], rel=1e-3)
        assert row["p_answer_of_options"] == pytest.approx(found[options.index(example.answer)] / sum(found), rel=1e-3)
        assert row["choice"] == options[found.index(max(found))]
        assert (row["scoring"], row["free_correct"]) == ("sequence", None)


def sequence(vlm: VLM, example: Example, option: str) -> float:
    """The probability of an option's tokens, one plain call a token."""
    inputs = plain_inputs(vlm, example)
    total = 0.0
    for number in vlm.tokenizer(option)["input_ids"]:
        with torch.no_grad():
            logits = vlm.model(**inputs, use_cache=False).logits[0, -1]
        total += float(torch.log_softmax(logits, -1)[number])
        tail = torch.tensor([[number]])
        inputs["input_ids"] = torch.cat([inputs["input_ids"], tail], 1)
        for name, value in (("attention_mask", 1), ("mm_token_type_ids", 0)):
            inputs[name] = torch.cat([inputs[name], torch.full_like(tail, value)], 1)
    return float(torch.tensor(total).exp())


def test_a_set_that_demands_tokens_is_refused_where_there_are_none(tiny_vlm: VLM, some: ExampleSet) -> None:
    items = tuple(replace(e, options=("to the left of", "red"), answer="red") for e in some[:1])
    with pytest.raises(CannotAnswer) as caught:
        Behaviour()(tiny_vlm, ExampleSet("mine", items))
    assert caught.value.got == ["to the left of"] and caught.value.where == "suite mine"
    with pytest.raises(UsageError, match="Behaviour takes an example set, not pairs"):
        Behaviour()(tiny_vlm, stimuli.squares(tiny_vlm.grid).pairs("last_token"))


def test_the_estimate_of_tokens_and_gray_questions_is_what_is_spent(tiny_vlm: VLM, some: ExampleSet) -> None:
    for measurement in (Behaviour(), Behaviour(batch=3), Behaviour(gray=False)):
        before = tiny_vlm.forward_equivalents
        measurement(tiny_vlm, some)
        assert tiny_vlm.forward_equivalents - before == pytest.approx(measurement.cost(facts(tiny_vlm, some), some))


@pytest.fixture(scope="module")
def pairs(tiny_vlm: VLM) -> PairSet:
    """Six pairs of which the model answers four right in both runs: their answers are made to be what it says."""
    made = stimuli.squares(tiny_vlm.grid).pairs("last_token").limit(6)
    fitted = []
    for number, pair in enumerate(made):
        clean, other = (chosen(tiny_vlm, e) for e in (pair.clean, pair.counterfactual))
        wrong = next(o for o in pair.clean.options if o not in (clean, other))
        clean, other = (wrong if number == 1 else clean), (wrong if number == 4 else other)
        fitted.append(
            replace(
                pair, clean=replace(pair.clean, answer=clean), counterfactual=replace(pair.counterfactual, answer=other)
            )
        )
    return PairSet("fitted", tuple(fitted), "last_token")


def chosen(vlm: VLM, example: Example) -> str:
    logits = plain_logits(vlm, example)
    return max(example.options, key=lambda option: mass(vlm, logits, option))


def test_pairs_that_either_run_answers_wrong_are_dropped(tiny_vlm: VLM, pairs: PairSet) -> None:
    rows = Interchange()(tiny_vlm, pairs).rows()
    by_pair = {pair.id: [r for r in rows if r["pair_id"] == pair.id] for pair in pairs}
    for number, pair in enumerate(pairs):
        found = by_pair[pair.id]
        assert {r["clean_choice"] for r in found} == {chosen(tiny_vlm, pair.clean)}
        assert {r["counterfactual_choice"] for r in found} == {chosen(tiny_vlm, pair.counterfactual)}
        if number in (1, 4):
            (row,) = found
            assert row["kept"] is False
            assert {
                row[c] for c in ("layer", "p_clean", "p_ordinal", "p_counterfactual", "top_token", "top_outcome")
            } == {None}
        else:
            assert [r["layer"] for r in found] == list(range(tiny_vlm.n_layers + 1))
            assert all(r["kept"] for r in found)


def test_kept_curves_equal_a_sweep_with_plain_hooks(tiny_vlm: VLM, pairs: PairSet) -> None:
    rows = {(r["pair_id"], r["layer"]): r for r in Interchange(batch=4)(tiny_vlm, pairs).rows()}
    for pair in (pairs[0], pairs[5]):
        source, _ = decoder_inputs(tiny_vlm.model, plain_inputs(tiny_vlm, pair.counterfactual))
        clean = plain_inputs(tiny_vlm, pair.clean)
        for layer, hidden in enumerate(source):
            logits = patched(tiny_vlm.model, clean, layer, with_last(hidden[:, -1]))[0]
            row = rows[pair.id, layer]
            for outcome in ("clean", "ordinal", "counterfactual"):
                expected = mass(tiny_vlm, logits, pair.outcomes[outcome])
                assert row[f"p_{outcome}"] == pytest.approx(expected, **CLOSE)
            assert row["top_token"] == tiny_vlm.tokenizer.decode([int(logits.argmax())])
            named = [name for name, option in pair.outcomes.items() if normalise(option) == normalise(row["top_token"])]
            assert row["top_outcome"] == (named[0] if named else "other")
        behind, other = rows[pair.id, tiny_vlm.n_layers], plain_logits(tiny_vlm, pair.counterfactual)
        assert behind["p_counterfactual"] == pytest.approx(
            mass(tiny_vlm, other, pair.outcomes["counterfactual"]), **CLOSE
        )


def test_an_interchange_takes_pairs_whose_options_are_tokens(
    tiny_vlm: VLM, colourless_checkpoint: Any, pairs: PairSet
) -> None:
    with pytest.raises(UsageError) as caught:
        Interchange()(tiny_vlm, stimuli.squares(tiny_vlm.grid))
    assert caught.value.do == 'give examples.pairs("last_token")'
    with pytest.raises(CannotAnswer, match="no single token"):
        Interchange()(load(colourless_checkpoint, device="cpu"), pairs)
    equal = replace(pairs[0], outcomes=dict(pairs[0].outcomes, ordinal=pairs[0].outcomes["clean"]))
    with pytest.raises(CannotAnswer, match="no single token of its own"):
        Interchange()(tiny_vlm, PairSet("equal", (equal,), "last_token"))
    with pytest.raises(UsageError, match="A pair does not name its outcomes") as caught:
        Interchange()(tiny_vlm, PairSet("less", (replace(equal, outcomes={"clean": "red"}),), "last_token"))
    assert caught.value.got == "no ordinal, counterfactual"
    with pytest.raises(UsageError, match="This interchange is not offered"):
        Interchange(at="first")  # type: ignore[arg-type]


def test_an_interchange_costs_about_what_it_says(tiny_vlm: VLM, pairs: PairSet) -> None:
    before = tiny_vlm.forward_equivalents
    Interchange()(tiny_vlm, pairs)
    spent = tiny_vlm.forward_equivalents - before
    stated = Interchange().cost(facts(tiny_vlm, pairs), pairs)
    assert 0.9 * stated < spent < 1.1 * stated
