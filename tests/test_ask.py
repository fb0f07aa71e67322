"""`ask` and what a prompt may hold: wrong input is refused in words, and long options are scored by token as well."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from backsight.errors import CannotAnswer, DataError, UsageError
from backsight.examples import Example, ExampleSet, MemoryPicture
from backsight.measurements import Behaviour
from backsight.models import answers
from backsight.models.sizes import facts
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.training.questions import corpus
from tests.conftest import Command

RED = Image.new("RGB", (168, 168), (200, 0, 0))
LONG = ("the red square on the left", "red")


def test_options_are_a_list(tiny_vlm: VLM) -> None:
    with pytest.raises(UsageError, match="Options are several strings, not one") as caught:
        tiny_vlm.ask(RED, "Where is it?", options="red")
    assert caught.value.got == "'red'"


def test_a_missing_picture_and_an_unreadable_one_are_told_apart(tiny_vlm: VLM, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="A picture is missing"):
        tiny_vlm.ask(tmp_path / "none.png", "Where is it?", ["left", "right"])
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(DataError, match="A picture cannot be read"):
        tiny_vlm.ask(str(tmp_path / "text.png"), "Where is it?", ["left", "right"])
    RED.save(tmp_path / "red.png")
    from_file = tiny_vlm.ask(str(tmp_path / "red.png"), "Where is it?", ["left", "right"])
    assert from_file == tiny_vlm.ask(RED, "Where is it?", ["left", "right"])
    assert sum(from_file.probabilities.values()) == pytest.approx(1) and from_file.per_token == {}


@pytest.mark.parametrize("family", ["qwen2_vl", "gemma3", "paligemma"])
def test_a_special_token_in_a_prompt_is_refused(family: str) -> None:
    model, processor = tiny(family, corpus())
    vlm = VLM(model, processor, check=False)
    mark = str(processor.image_token)
    with pytest.raises(UsageError, match="The text of a prompt spells a special token of this model") as caught:
        vlm.ask(RED, f"Where is the {mark}?", ["left", "right"])
    assert (caught.value.where, caught.value.got) == (f"question 'Where is the {mark}?'", mark)
    assert "leave it out" in (caught.value.do or "")
    with pytest.raises(UsageError) as caught:
        vlm.ask(RED, "Where is it?", ["left", "right"], system=f"Look{mark}")
    assert caught.value.where == f"system sentence 'Look{mark}'"
    end = str(processor.tokenizer.eos_token)
    with pytest.raises(UsageError) as caught:
        vlm.ask(RED, f"Where{end} is it?")
    assert caught.value.got == end
    assert vlm.ask(RED, "Where is the <b>cup</b> | pad?").text is not None  # other marks are text as any


def test_options_that_are_the_same_tokens_are_refused(tiny_vlm: VLM) -> None:
    same = "The tokenizer cannot tell some options apart: they are the same tokens"
    twice = ("the red square", "the blue square", "the red square")
    with pytest.raises(CannotAnswer) as caught:
        answers.sequences(tiny_vlm.tokenizer, twice)
    assert (caught.value.what, caught.value.got) == (same, ["the red square", "the red square"])
    with pytest.raises(CannotAnswer, match="no token for some options") as caught:
        answers.sequences(tiny_vlm.tokenizer, ("the red square", ""))
    assert caught.value.got == [""]

    class Blind:
        """A tokenizer that knows one word, as one trained on other words does."""

        unk_token_id = 0
        pad_token_id = 0

        def encode(self, text: str, **_: object) -> list[int]:
            return [0] * len(text.split())

    with pytest.raises(CannotAnswer, match=same):
        answers.sequences(Blind(), ("a cup", "a plate"))
    assert answers.sequences(Blind(), ("a cup", "cup")) == [[0, 0], [0]]
    example = Example("one", MemoryPicture(RED), "Which?", ("a cup", "a plate"), "a cup")
    blind = replace(facts(tiny_vlm, [example], priced=False), tokens={"a cup": (0, 0), "a plate": (0, 0)})
    with pytest.raises(CannotAnswer, match=same) as caught:
        Behaviour().check(blind, ExampleSet("mine", (example,), scoring="sequence"))
    assert caught.value.where == "suite mine"


def test_a_long_option_is_scored_by_its_mean_beside_its_sum(tiny_vlm: VLM) -> None:
    """By hand: the sum of log p over an option's tokens, and the same over their number."""
    example = Example("one", MemoryPicture(RED), "What is it?", LONG, LONG[0])
    batch = tiny_vlm.prepare([example])
    start = batch.input_ids.shape[1]
    sums, lengths = [], []
    for option in LONG:
        ids = tiny_vlm.tokenizer.encode(option, add_special_tokens=False)
        longer = batch.extended([ids], 0, dict.fromkeys(tiny_vlm.family.type_ids, 0))
        with torch.no_grad():
            log = torch.log_softmax(tiny_vlm.model(**longer.inputs).logits[0, start - 1 :].float(), -1)
        sums.append(sum(float(log[place, token]) for place, token in enumerate(ids)))
        lengths.append(len(ids))
    assert lengths[0] > 3 and lengths[1] == 1
    means = [total / length for total, length in zip(sums, lengths, strict=True)]
    assert tiny_vlm.sequence_log_probabilities(batch, LONG)[0].tolist() == pytest.approx(sums, abs=1e-4)
    answer = tiny_vlm.ask(RED, "What is it?", LONG)
    weights = torch.tensor(means).exp()
    assert list(answer.per_token.values()) == pytest.approx((weights / weights.sum()).tolist(), abs=1e-5)

    row = Behaviour(gray=False)(tiny_vlm, ExampleSet("mine", (example,), scoring="sequence")).rows()[0]
    best = max(range(2), key=lambda i: means[i])
    assert (row["choice_per_token"], row["choice_per_token_correct"]) == (LONG[best], best == 0)
    assert row["p_answer_per_token"] == pytest.approx(float(weights[0]), abs=1e-6)
    assert row["p_answer"] == pytest.approx(float(torch.tensor(sums[0]).exp()), rel=1e-3)
    single = replace(example, options=("left", "right"), answer="left")
    row = Behaviour(gray=False)(tiny_vlm, ExampleSet("mine", (single,))).rows()[0]
    assert [row[name] for name in row if name.startswith("choice_per_token")] == [None, None]


@pytest.mark.parametrize("where", ["--subject", "--system"])
def test_a_special_token_on_the_command_line_is_wrong_usage(
    command: Command, tiny_checkpoint: Path, tmp_path: Path, where: str
) -> None:
    RED.save(tmp_path / "red.png")
    subject = "<|image_pad|>" if where == "--subject" else "cup"
    system = ("--system", "Look <|image_pad|>") if where == "--system" else ()
    code, _, err = command(
        "explain", tiny_checkpoint, tmp_path / "red.png", "--subject", subject, 10, 10, 40, 40,
        "--reference", "plate", 100, 10, 40, 40, *system,
    )  # fmt: skip
    assert code == 2
    assert "The text of a prompt spells a special token of this model" in err and "got:   <|image_pad|>" in err
    assert ("question '" if where == "--subject" else "system sentence 'Look <|image_pad|>'") in err
