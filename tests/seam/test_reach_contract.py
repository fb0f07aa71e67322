"""Where gradient times state is zero by construction: tried on every family, and false of a block without a norm."""

from __future__ import annotations

import pytest
import torch

from backsight.examples import Example
from backsight.maths import saliency
from backsight.measurements import relevance
from backsight.models import by_hand, gradients, reach_contract, replay
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.training.questions import corpus

from .test_gradients import score


def test_every_family_is_blind_to_length_at_the_last_blocks_input_and_no_further(vlm: VLM) -> None:
    assert reach_contract.blind(vlm) == (vlm.n_layers - 1,)
    finding = reach_contract.reach(vlm)
    assert finding.passed and finding.detail.startswith("layer -2: zero by construction (")
    assert ", layer -3: not zero (" in finding.detail
    assert finding in vlm.findings


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_the_precision_does_not_decide(dtype: torch.dtype) -> None:
    model, processor = tiny("qwen2_vl", corpus())
    vlm = VLM(model.to(dtype), processor, check=False)
    assert reach_contract.blind(vlm) == (vlm.n_layers - 1,)


def without_norm() -> VLM:
    """A model whose last block has no norm in front of its attention."""
    model, processor = tiny("qwen2_vl", corpus())
    model.get_decoder().layers[-1].input_layernorm = torch.nn.Identity()
    return VLM(model, processor)


def test_a_block_without_a_norm_sees_the_length(questions: list[Example]) -> None:
    """There the cosine of gradient and state is large, layer -2 is evidence, and the methods that rest on it count."""
    vlm = without_norm()
    assert reach_contract.blind(vlm) == () and "layer -2: not zero" in reach_contract.reach(vlm).detail
    batch = vlm.prepare(questions)
    upper = gradients.Upper.of(replay.record(vlm, batch), 1)
    slope, state = (of[0][batch.image_mask] for of in (upper.gradients(score), upper.states))
    cosine = torch.cosine_similarity(slope, state.detach(), dim=-1).abs().median()
    assert cosine > 0.02
    made = relevance.maps(vlm, batch, ["creg", "single_layer", relevance.THIRD, "integrated_gradients_right"], depth=2)
    assert made.missing == {}
    for one, other in zip(made.relevance["creg", "truth"], made.relevance[relevance.THIRD, "truth"], strict=True):
        assert abs(one - other).max() > 0.01


def test_a_share_of_length_is_read_by_hand() -> None:
    """Rounding, or what the epsilon of a norm does: sixteen times less of a state that is four times longer."""
    unit = torch.finfo(torch.float32).eps

    def blind(plain: float, longer: float, dtype: torch.dtype = torch.float32, within: float = 1e-4) -> bool:
        return reach_contract.is_blind(plain, longer, dtype=dtype, within=within)

    assert blind(30 * unit, 30 * unit)
    assert blind(1e-3, 1e-3 / 16)
    assert not blind(1e-3, 1e-3 / 4)
    assert not blind(1e-3, 1e-3 / 16, within=1e-6)  # far more than an epsilon does: something is added across the state
    assert not blind(1e-1, 1e-1 / 4, torch.bfloat16)
    assert blind(1e-2, 1e-2, torch.bfloat16)  # 2 units of bfloat16 are .0156


def test_what_is_added_across_the_state_is_seen() -> None:
    """The hand-set model's block before the last adds a constant in a feature of its own: CREG has evidence there."""
    vlm = VLM(*by_hand.lookup(corpus()), check=False)
    assert reach_contract.blind(vlm) == (vlm.n_layers - 1,)


def test_without_a_gradient_nothing_is_known() -> None:
    """No answer of this hand-set model reads the picture."""
    vlm = VLM(*by_hand.lookup(corpus(), "nowhere"), check=False)
    assert reach_contract.blind(vlm) == () and reach_contract.reach(vlm).detail == "layer -2: no gradient"


def test_gradient_times_state_within_its_rounding_is_no_evidence() -> None:
    """By hand: products of 3 and -3 cancel to nothing, of 3 and 4 to 7 of a norm of 5."""
    gradient, state = torch.tensor([[1.0, -1.0], [0.0, 0.0]]), torch.tensor([[3.0, 3.0], [5.0, 5.0]])
    assert float(saliency.share_of_length(gradient, state)) == 0.0
    assert not saliency.is_evidence(gradient, state, torch.float32)
    seen = torch.tensor([[1.0, 1.0], [0.0, 0.0]]), torch.tensor([[3.0, 4.0], [5.0, 5.0]])
    assert float(saliency.share_of_length(*seen)) == pytest.approx(7 / 5)
    assert saliency.is_evidence(*seen, torch.float32)
    assert (
        float(saliency.share_of_length(torch.zeros(2, 2), state)) == 0.0
    )  # no gradient: keys shared with a layer below
