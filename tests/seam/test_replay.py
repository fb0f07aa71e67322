"""Replay equals plain hooked forwards: all families, several prompt lengths in one batch."""

from __future__ import annotations

import pytest
import torch

from backsight.errors import EditError
from backsight.examples import Example
from backsight.models import replay
from backsight.models.sites import Edit
from backsight.models.vlm import VLM

from .plain import decoder_inputs, patched, with_last

CLOSE = dict(atol=1e-4, rtol=0)


def test_the_last_token_sweep_equals_patched_forwards(vlm: VLM, questions: list[Example]) -> None:
    batch = vlm.prepare(questions)
    other, _ = decoder_inputs(vlm.model, vlm.prepare(questions[::-1]).inputs)
    source = torch.stack([state[:, -1] for state in other])
    swept = replay.record(vlm, batch).sweep_last(source)
    assert swept.shape == (vlm.n_layers + 1, 3, vlm.model.config.get_text_config().vocab_size)
    _, untouched = decoder_inputs(vlm.model, batch.inputs)
    for layer in range(vlm.n_layers + 1):
        expected = patched(vlm.model, batch.inputs, layer, with_last(source[layer]))
        torch.testing.assert_close(swept[layer], expected, **CLOSE)
        if layer > 0:
            assert (expected - untouched).abs().max() > 1e-4  # the comparison is not of nothing with nothing


def test_a_recording_holds_what_plain_hooks_see(vlm: VLM, questions: list[Example]) -> None:
    batch = vlm.prepare(questions)
    seen, logits = decoder_inputs(vlm.model, batch.inputs)
    trace = replay.record(vlm, batch)
    torch.testing.assert_close(trace.logits, logits, **CLOSE)
    for layer, state in enumerate(seen):
        real = batch.attention_mask.bool()
        torch.testing.assert_close(trace.resid_pre(layer)[real], state[real], **CLOSE)


@pytest.mark.parametrize("start", [0, 1, 3])
def test_a_change_of_image_tokens_is_replayed(vlm: VLM, questions: list[Example], start: int) -> None:
    """Image tokens with their features reversed before a block, in a batch whose prompts differ in length."""
    batch = vlm.prepare(questions)
    trace = replay.record(vlm, batch)
    rows = batch.image_mask.any(0).nonzero().flatten()
    hidden = torch.where(batch.image_mask[..., None], trace.resid_pre(start).flip(-1), trace.resid_pre(start))
    found = trace.replay(start, hidden[:, rows], rows)
    expected = patched(
        vlm.model, batch.inputs, start, lambda h: torch.where(batch.image_mask[..., None], h.flip(-1), h)
    )
    torch.testing.assert_close(found, expected, **CLOSE)
    assert (expected - trace.logits).abs().max() > 1e-5


def test_reach_follows_the_masks(vlm: VLM, questions: list[Example]) -> None:
    """Behind the last position nothing is reached in a causal prompt; PaliGemma's prompt sees it from everywhere."""
    trace = replay.record(vlm, vlm.prepare(questions))
    length = trace.final.shape[1]
    reached = trace.reach(0, torch.tensor([length - 1]))
    assert (reached.tolist() == [length - 1]) == (vlm.family.model_type != "paligemma")
    image = trace.batch.image_mask[0].nonzero().flatten()
    from_last_image_token = set(trace.reach(0, image[-1:]).tolist())
    both_ways = vlm.family.model_type in ("gemma3", "paligemma")
    assert (int(image[0]) in from_last_image_token) == both_ways


def test_gemma_slides_and_stays_whole(questions: list[Example]) -> None:
    """The sliding layers' masks differ from the full ones, and keys and values are recorded whole."""
    from .conftest import parts

    vlm = VLM(*parts("gemma3"))
    trace = replay.record(vlm, vlm.prepare(questions))
    length = trace.final.shape[1]
    sliding, full = trace.blocks[0], trace.blocks[1]
    assert length > 24 and sliding.keys is not None and sliding.keys.shape[2] == length
    open_ = [int((call.mask[0, 0, -1] == 0).sum()) for call in (sliding, full)]
    assert open_[0] == 24 and open_[1] > 24


def test_what_stands_between_blocks_is_recorded(questions: list[Example]) -> None:
    from .conftest import parts

    vlm = VLM(*parts("qwen3_vl"))
    batch = vlm.prepare(questions)
    added = replay.record(vlm, batch).added
    assert [a is not None for a in added] == [True, True, False, False]
    assert added[0] is not None
    assert (added[0][~batch.image_mask] == 0).all() and (added[0][batch.image_mask] != 0).any()


def test_a_replay_runs_only_the_rows_it_must(qwen: VLM, questions: list[Example]) -> None:
    trace = replay.record(qwen, qwen.prepare(questions))
    before = qwen.forward_equivalents
    trace.sweep_last(torch.stack([trace.resid_pre(k)[:, -1] for k in range(qwen.n_layers + 1)]))
    spent = qwen.forward_equivalents - before
    layers, length, work = qwen.n_layers, trace.final.shape[1], qwen.work
    rows, plain = layers * (layers + 1) / 2, qwen.seen.of(trace.call.plain()) / 3
    keys = sum(k * (length - 1 + k) for k in range(1, layers + 1))
    by_hand = rows * work.linear + keys * work.pair + (layers + 1) * work.logit
    assert spent == pytest.approx(3 * by_hand / plain)


def test_a_replay_in_an_editing_context_is_refused(qwen: VLM, questions: list[Example]) -> None:
    trace = replay.record(qwen, qwen.prepare(questions))
    with pytest.raises(EditError, match="lose the edits"), qwen.editing(Edit("resid_pre", torch.clone)):
        trace.replay(0, trace.resid_pre(0)[:, -1:], torch.tensor([trace.final.shape[1] - 1]))


def test_a_sweep_wants_a_state_for_every_layer(qwen: VLM, questions: list[Example]) -> None:
    trace = replay.record(qwen, qwen.prepare(questions))
    with pytest.raises(EditError, match="a state for every layer"):
        trace.sweep_last(trace.resid_pre(0)[None, :, -1])


def test_edits_are_in_what_is_recorded(qwen: VLM, questions: list[Example]) -> None:
    """An edit made while recording stays in the trace: a replay from above it goes on from the edited stream."""
    batch = qwen.prepare(questions)
    with qwen.editing(Edit("resid_pre", lambda rows: rows * 3, (1,), "image")):
        trace = replay.record(qwen, batch)
    expected = patched(qwen.model, batch.inputs, 1, lambda h: torch.where(batch.image_mask[..., None], h * 3, h))
    rows = torch.arange(trace.final.shape[1])
    torch.testing.assert_close(trace.replay(2, trace.resid_pre(2), rows), expected, **CLOSE)
