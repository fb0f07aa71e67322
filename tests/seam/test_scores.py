"""Edits of single scores, edits that a prompt's own answer gates, and attention that is watched and not kept."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from backsight.errors import UsageError
from backsight.examples import Example
from backsight.models.contracts import hook_count
from backsight.models.sites import Edit
from backsight.models.vlm import VLM


def attention_of(vlm: VLM, batch: Any) -> dict[int, Tensor]:
    kept: dict[int, Tensor] = {}
    with vlm.watching(kept.__setitem__):
        vlm.forward(batch)
    return kept


def test_watched_attention_is_that_of_the_eager_model(vlm: VLM, questions: list[Example]) -> None:
    batch, before = vlm.prepare(questions), hook_count(vlm)
    watched = attention_of(vlm, batch)
    assert hook_count(vlm) == before and len(watched) == vlm.n_layers
    vlm.model.set_attn_implementation({"text_config": "eager"})
    try:
        with torch.no_grad():
            plain = vlm.model(**batch.inputs, use_cache=False, output_attentions=True).attentions
    finally:
        vlm.model.set_attn_implementation({"text_config": "sdpa"})
    seen = batch.attention_mask.bool()
    for layer, weights in watched.items():
        rows = seen[:, None, :, None] & torch.ones_like(weights, dtype=torch.bool)
        torch.testing.assert_close(weights[rows], plain[layer][rows], atol=1e-5, rtol=0)


def test_watching_some_layers_and_generation_sees_the_prompt_only(qwen: VLM, questions: list[Example]) -> None:
    seen: list[tuple[int, int]] = []
    batch = qwen.prepare(questions)
    with qwen.watching(lambda layer, weights: seen.append((layer, weights.shape[2])), [1, 3]):
        qwen.generate(batch, max_new_tokens=3)
    assert seen == [(1, batch.input_ids.shape[1]), (3, batch.input_ids.shape[1])]
    with pytest.raises(UsageError, match="no such layer"), qwen.watching(lambda *_: None, [9]):
        pass


def test_a_watcher_inside_another_gives_it_back(qwen: VLM, questions: list[Example]) -> None:
    outer: list[int] = []
    batch = qwen.prepare(questions)
    with qwen.watching(lambda layer, _: outer.append(layer)):
        with qwen.watching(lambda *_: None):
            qwen.forward(batch)
        assert outer == []
        qwen.forward(batch)
    assert outer == list(range(qwen.n_layers))


def test_keys_choose_the_columns_of_the_scores(vlm: VLM, questions: list[Example]) -> None:
    """Image columns of the last row are set apart; every other entry stays as it was."""
    batch = vlm.prepare(questions)
    kept: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        return lambda layer, weights: kept.__setitem__(name, weights) if layer == 1 else None

    with vlm.watching(keep("plain")):
        vlm.forward(batch)
    gone = Edit("scores", lambda scores: torch.full_like(scores, -1e4), (1,), "last", keys="image")
    with vlm.editing(gone), vlm.watching(keep("edited")):
        vlm.forward(batch)
    plain, edited = kept["plain"], kept["edited"]
    image = batch.image_mask[:, None, :].expand(plain[:, :, -1].shape)
    assert plain[:, :, -1][image].max() > 1e-3 and edited[:, :, -1][image].max() == 0
    text = plain[:, :, -1].masked_fill(image, 0)
    torch.testing.assert_close(edited[:, :, -1], text / text.sum(-1, keepdim=True), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(edited[:, :, :-1], plain[:, :, :-1])


def test_a_gate_gets_the_plain_logits_and_gives_each_row_its_prompts_number(vlm: VLM, questions: list[Example]) -> None:
    batch = vlm.prepare(questions)
    plain = vlm.forward(batch)
    given: list[Tensor] = []
    numbers = torch.tensor([0.0, 1.0, 2.0])

    def gate(logits: Tensor) -> Tensor:
        given.append(logits)
        return numbers

    edit = Edit("scores", lambda rows, number: rows * number[:, None], positions="last", keys="image", gate=gate)
    constant = [Edit("scores", lambda rows, f=f: rows * f, positions="last", keys="image") for f in numbers.tolist()]
    with vlm.editing(edit):
        gated = vlm.forward(batch)
    torch.testing.assert_close(given[0], plain, atol=1e-5, rtol=0)
    for number, one in enumerate(constant):
        with vlm.editing(one):
            torch.testing.assert_close(gated[number], vlm.forward(batch)[number], atol=1e-5, rtol=0)


def test_a_gate_holds_inside_generate(vlm: VLM, questions: list[Example]) -> None:
    batch = vlm.prepare(questions[:1])
    passes: list[int] = []

    def gate(logits: Tensor) -> Tensor:
        passes.append(len(logits))
        return torch.ones(len(logits))

    # The gate sees 1 and the function ignores it: the last state is replaced, so generation must begin otherwise.
    edit = Edit("resid_pre", lambda rows, one: rows * 0 + one[:, None], (vlm.n_layers,), "last", gate=gate)
    with vlm.editing(edit):
        with torch.no_grad():
            ids = vlm.model.generate(**batch.inputs, max_new_tokens=3, do_sample=False)
        first = int(vlm.forward(batch).argmax())
    assert passes == [1, 1] and int(ids[0, batch.input_ids.shape[1]]) == first


def test_a_gate_sees_other_edits_and_costs_a_second_pass(qwen: VLM, questions: list[Example]) -> None:
    batch = qwen.prepare(questions)
    given: list[Tensor] = []
    gated = Edit("heads", lambda rows, _: rows, positions="last",
                 gate=lambda logits: (given.append(logits), torch.ones(len(logits)))[1])  # fmt: skip
    moved = Edit("image_embeds", lambda rows: rows + 1.0)
    with qwen.editing(moved):
        expected = qwen.forward(batch)
        before = qwen.forward_equivalents
        qwen.forward(batch)
        once = qwen.forward_equivalents - before
        with qwen.editing(gated):
            before = qwen.forward_equivalents
            qwen.forward(batch)
    assert qwen.forward_equivalents - before == pytest.approx(2 * once)
    torch.testing.assert_close(given[0], expected, atol=1e-5, rtol=0)


def test_keys_and_gates_belong_to_prompts() -> None:
    with pytest.raises(UsageError, match="keys"):
        Edit("heads", lambda rows: rows, keys="image")
    with pytest.raises(UsageError, match="gate"):
        Edit("scores", lambda rows, _: rows, decoded=True, gate=lambda logits: logits[:, 0])
