"""The seam's recordings, edits and replays equal those of nnsight, a library for the same things by other hands."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from nnsight import NNsight
from torch import Tensor

from backsight.examples import Example
from backsight.models import replay
from backsight.models.sites import Edit
from backsight.models.vlm import VLM

CLOSE = dict(atol=1e-4, rtol=0)


def layers_of(model: Any, traced: Any) -> Any:
    """The decoder's blocks inside nnsight's wrapper of a model, found by the path that they have in the model."""
    first = model.get_decoder().layers
    path = next(name for name, module in model.named_modules() if module is first)
    for name in path.split("."):
        traced = getattr(traced, name)
    return traced


def seen(model: Any, inputs: dict[str, Tensor], layer: int) -> Tensor:
    """The input of a block, as nnsight saves it."""
    traced = NNsight(model)
    with torch.no_grad(), traced.trace(**inputs, use_cache=False):
        state = layers_of(model, traced)[layer].input.clone().save()
    return state  # type: ignore[no-any-return]


def last_replaced(model: Any, inputs: dict[str, Tensor], layer: int, value: Tensor) -> Tensor:
    """Next-token logits with `value` (batch, d_model) at the last position before a block, as nnsight patches it."""
    traced = NNsight(model)
    with torch.no_grad(), traced.trace(**inputs, use_cache=False):
        layers_of(model, traced)[layer].input[:, -1] = value
        logits = traced.output.logits[:, -1].save()
    return logits  # type: ignore[no-any-return]


def flipped(model: Any, inputs: dict[str, Tensor], layer: int, mask: Tensor) -> Tensor:
    """Next-token logits with the features of some positions reversed before a block, as nnsight patches it."""
    traced = NNsight(model)
    with torch.no_grad(), traced.trace(**inputs, use_cache=False):
        states = layers_of(model, traced)[layer].input
        states[mask] = states[mask].flip(-1)
        logits = traced.output.logits[:, -1].save()
    return logits  # type: ignore[no-any-return]


@pytest.mark.parametrize("layer", [0, 2])
def test_recorded_states_are_those_that_nnsight_saves(vlm: VLM, questions: list[Example], layer: int) -> None:
    batch = vlm.prepare(questions)
    with vlm.recording("resid_pre", layers=[layer]) as recording:
        vlm.forward(batch)
    expected = seen(vlm.model, batch.inputs, layer)
    real = batch.attention_mask.bool()
    torch.testing.assert_close(recording.values["resid_pre", layer][real], expected[real], **CLOSE)


def test_the_last_token_sweep_is_nnsights_patching(vlm: VLM, questions: list[Example]) -> None:
    """The interchange of the last token: states of the questions in turned order put into each prompt."""
    batch, turned = vlm.prepare(questions), vlm.prepare(questions[::-1])
    source = replay.record(vlm, turned)
    states = torch.stack([source.resid_pre(layer)[:, -1] for layer in range(vlm.n_layers + 1)])
    swept = replay.record(vlm, batch).sweep_last(states)
    untouched = vlm.forward(batch)
    for layer in range(vlm.n_layers):
        expected = last_replaced(vlm.model, batch.inputs, layer, states[layer])
        torch.testing.assert_close(swept[layer], expected, **CLOSE)
    assert (swept[vlm.n_layers - 1] - untouched).abs().max() > 1e-4


@pytest.mark.parametrize("layer", [0, 1, 3])
def test_edited_image_tokens_and_their_replay_are_nnsights(vlm: VLM, questions: list[Example], layer: int) -> None:
    """Features of image tokens reversed before a block: by an edit, by a replay from there, and by nnsight."""
    batch = vlm.prepare(questions)
    expected = flipped(vlm.model, batch.inputs, layer, batch.image_mask)
    with vlm.editing(Edit("resid_pre", lambda rows: rows.flip(-1), (layer,), "image")):
        torch.testing.assert_close(vlm.forward(batch), expected, **CLOSE)
    trace = replay.record(vlm, batch)
    rows = batch.image_mask.any(0).nonzero().flatten()
    before = trace.resid_pre(layer)
    found = trace.replay(layer, torch.where(batch.image_mask[..., None], before.flip(-1), before)[:, rows], rows)
    torch.testing.assert_close(found, expected, **CLOSE)
    assert (expected - trace.logits).abs().max() > 1e-4
