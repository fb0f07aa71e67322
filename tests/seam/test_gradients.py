"""Gradients of a recording equal those of plain autograd through the whole model, and of captum; knockout by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients, LayerGradientXActivation
from scipy import integrate
from torch import Tensor

from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example
from backsight.maths import saliency
from backsight.models import gradients, replay
from backsight.models.sites import Edit
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.training.questions import corpus

from .plain import decoder_inputs

CLOSE = dict(atol=1e-4, rtol=0)
FIRST, SECOND = 5, 9  # two tokens of the vocabulary: a score is the difference of their logits


def score(logits: Tensor) -> Tensor:
    return logits[:, FIRST] - logits[:, SECOND]


def called_with_ids(vlm: VLM, inputs: dict[str, Tensor]) -> Any:
    """A function of the token ids, as captum wants it: the score of each prompt."""

    def forward(ids: Tensor) -> Tensor:
        with torch.enable_grad():
            return score(vlm.model(**{**inputs, "input_ids": ids}, use_cache=False).logits[:, -1])

    return forward


@pytest.mark.parametrize("back", [1, 3])
def test_gradients_times_states_are_captums(vlm: VLM, questions: list[Example], back: int) -> None:
    """Captum's forward and backward pass through the whole model, summed over a token's features: Eq. 2 before | |."""
    batch = vlm.prepare(questions)
    upper = gradients.Upper.of(replay.record(vlm, batch), 3)
    found = upper.gradients(score)[back - 1] * upper.states[back - 1]
    block = vlm.model.get_decoder().layers[vlm.n_layers - back]
    with torch.enable_grad():
        vlm.model.get_input_embeddings().weight.requires_grad_(True)
        try:
            captum = LayerGradientXActivation(called_with_ids(vlm, batch.inputs), block)
            expected = captum.attribute(batch.input_ids, attribute_to_layer_input=True)
        finally:
            vlm.model.requires_grad_(False)
    expected = expected[0] if isinstance(expected, tuple) else expected
    real = batch.attention_mask.bool()
    torch.testing.assert_close(found.detach()[real], expected.detach()[real], **CLOSE)
    assert expected.abs().max() > 1e-3


Rule = tuple[list[float], list[float]]  # shares alpha of the state, and the weight of each point
RULES: dict[str, Rule] = {
    "right sums": ([k / 50 for k in range(1, 51)], saliency.right_weights(50)),
    "log alpha": (saliency.log_points(4, 9), saliency.log_weights(4, 9)),
}


@pytest.mark.parametrize("rule", list(RULES))
def test_integrated_gradients_are_captums_by_the_same_rule(vlm: VLM, questions: list[Example], rule: str) -> None:
    """From a zero state at the input of the last block, summed over a token's features; captum is given the points."""
    alphas, weights = RULES[rule]
    batch = vlm.prepare(questions[:1])
    trace = replay.record(vlm, batch)
    layer = vlm.n_layers - 1
    state = trace.resid_pre(layer)

    def forward(points: Tensor) -> Tensor:
        """The score of a plain forward pass with each of some states put in at the layer."""
        found = []
        for point in points:
            change = Edit("resid_pre", lambda rows, point=point: point.reshape(rows.shape), (layer,))  # type: ignore[misc]
            with vlm.editing(change), torch.enable_grad():
                found.append(score(vlm.model(**batch.inputs, use_cache=False).logits[:, -1]))
        return torch.cat(found)

    expected = IntegratedGradients(forward)._attribute(
        (state,), (torch.zeros_like(state),), n_steps=len(alphas), step_sizes_and_alphas=(weights, alphas)
    )[0]
    (found,) = gradients.along_path(trace, layer, [alpha * state for alpha in alphas], [score])
    torch.testing.assert_close(saliency.attributed(found, state, weights), expected.sum(-1), **CLOSE)
    assert expected.abs().max() > 1e-3


@pytest.mark.parametrize("family", ["qwen2_vl", "gemma3"])
def test_integrated_gradients_equal_an_adaptive_quadrature(family: str, questions: list[Example]) -> None:
    """In double precision by scipy's quad_vec over log alpha, each token; all tokens together give f(h) - f(0)."""
    model, processor = tiny(family, corpus())
    vlm = VLM(model.double(), processor, check=False)
    batch = vlm.prepare(questions[:1])
    trace, layer = replay.record(vlm, batch), vlm.n_layers - 1
    state = trace.resid_pre(layer)

    def integrand(log_alpha: float) -> np.ndarray:  # type: ignore[type-arg]
        alpha = float(np.exp(log_alpha))
        ((slope,),) = gradients.along_path(trace, layer, [alpha * state], [score])
        return (alpha * slope * state).sum(-1)[0].numpy()  # type: ignore[no-any-return]

    expected, _ = integrate.quad_vec(integrand, np.log(1e-20), 0, epsabs=1e-6, epsrel=1e-4, limit=200)
    _, empty = trace.forward_from(layer, torch.zeros_like(state))
    whole = float(score(trace.logits) - score(empty))
    assert expected.sum() == pytest.approx(whole, rel=1e-3)
    (found,) = gradients.along_path(trace, layer, [alpha * state for alpha in saliency.log_points()], [score])
    attributed = saliency.attributed(found, state, saliency.log_weights())[0].numpy()
    assert attributed.sum() == pytest.approx(whole, rel=0.05)
    np.testing.assert_allclose(attributed, expected, atol=0.05 * np.abs(expected).max())


def test_upper_layers_run_again_give_the_recorded_logits(vlm: VLM, questions: list[Example]) -> None:
    trace = replay.record(vlm, vlm.prepare(questions))
    upper = gradients.Upper.of(trace, 3)
    torch.testing.assert_close(upper.logits.detach(), trace.logits, **CLOSE)
    assert [state.requires_grad for state in upper.states] == [True] * 3
    real = trace.batch.attention_mask.bool()
    for back, state in enumerate(upper.states):
        expected = trace.resid_pre(vlm.n_layers - 1 - back)
        torch.testing.assert_close(state.detach()[real], expected[real], **CLOSE)


def test_more_layers_than_there_are_cannot_be_asked(vlm: VLM, questions: list[Example]) -> None:
    with pytest.raises(CannotAnswer, match="fewer layers"):
        gradients.Upper.of(replay.record(vlm, vlm.prepare(questions[:1])), vlm.n_layers + 1)


def test_attention_weights_are_those_of_eager_attention(vlm: VLM, questions: list[Example]) -> None:
    batch = vlm.prepare(questions)
    whole = gradients.Whole.of(vlm, batch)
    before = vlm.attention
    vlm.model.set_attn_implementation({"text_config": "eager"})
    try:
        with torch.no_grad():
            expected = vlm.model(**batch.inputs, use_cache=False, output_attentions=True).attentions
    finally:
        vlm.model.set_attn_implementation({"text_config": before})
    assert len(whole.attentions) == len(expected) == vlm.n_layers
    real = batch.attention_mask.bool()
    for found, weights in zip(whole.attentions, expected, strict=True):
        rows = found.transpose(1, 2)[real], weights.transpose(1, 2)[real]
        torch.testing.assert_close(rows[0].detach(), rows[1], **CLOSE)
    assert vlm.attention == before
    _, logits = decoder_inputs(vlm.model, batch.inputs)
    torch.testing.assert_close(whole.logits.detach(), logits, **CLOSE)


def test_gradients_reach_weights_and_vision_encoder(vlm: VLM, questions: list[Example]) -> None:
    """By finite differences: the score changes as the gradient at the vision encoder's last block says."""
    batch = vlm.prepare(questions[:1])
    whole = gradients.Whole.of(vlm, batch)
    by_weights, by_vision = whole.gradients(score)
    assert whole.vision is not None and by_vision is not None
    assert [g.shape for g in by_weights] == [a.shape for a in whole.attentions]
    assert all(g.abs().max() > 0 for g in by_weights)
    step = 1e-2 * by_vision / by_vision.norm()
    last = len(vlm.parts.vision_blocks) - 1
    moved = []
    for sign in (-1, 1):
        with vlm.editing(Edit("vision", lambda value, sign=sign: value + sign * step, (last,))):  # type: ignore[misc]
            moved.append(float(score(vlm.forward(batch))))
    expected = float((by_vision * 2 * step).sum())
    assert moved[1] - moved[0] == pytest.approx(expected, rel=0.02)


def test_a_model_without_vision_blocks_has_no_gradients_there() -> None:
    from .conftest import parts

    model, processor = parts("qwen2_vl")
    blocks = model.model.visual.blocks
    model.model.visual.blocks, model.config.vision_config.depth = torch.nn.ModuleList(), 0
    try:
        vlm = VLM(model, processor, check=False)
        with pytest.raises(UsageError, match="no blocks"), vlm.recording("vision", grad_from="vision"):
            pass
    finally:
        model.model.visual.blocks, model.config.vision_config.depth = blocks, len(blocks)


@pytest.mark.parametrize("tokens", [[0], [4, 20], list(range(36))])
def test_positions_that_none_sees_equal_attention_cut_by_edits(
    vlm: VLM, questions: list[Example], tokens: list[int]
) -> None:
    """The knockout of image tokens: in every block and head, for every position but themselves."""
    batch = vlm.prepare(questions)
    tokens = [t for t in tokens if t < len(batch.grids[0])]
    hidden = torch.zeros_like(batch.image_mask)
    for row in range(len(batch)):
        hidden[row, batch.image_mask[row].nonzero().flatten()[tokens]] = True
    own = torch.eye(hidden.shape[1], dtype=torch.bool)
    cut = (hidden[:, None, :] & ~own).flatten(0, 1)[:, None]  # (query, 1, key), as an edit of scores gets its rows

    with vlm.editing(Edit("scores", lambda rows: rows.masked_fill(cut, torch.finfo(rows.dtype).min))):
        expected = vlm.forward(batch)
    trace = replay.record(vlm, batch)
    torch.testing.assert_close(trace.knockout(hidden), expected, **CLOSE)
    assert (expected - trace.logits).abs().max() > 1e-5
    assert torch.equal(trace.knockout(torch.zeros_like(hidden)), trace.logits)
