"""The rescale of image embeddings: by hand, on a development split, and what it keeps."""

from __future__ import annotations

import pytest
import torch

from backsight import repairs, stimuli
from backsight.errors import UsageError
from backsight.models.vlm import VLM
from backsight.repairs import NormRescale, Rescaled
from backsight.repairs.norms import lengths
from tests.seam.conftest import FAMILIES, parts

STATES = torch.tensor([[3.0, 4.0], [0.0, 1.0]])


def test_each_mode_by_hand() -> None:
    """Lengths 5 and 1, text 2: each to 2; or all times 2 / 4; then what is longer than 1.5 cut to it."""
    torch.testing.assert_close(Rescaled(2.0, 4.0)(STATES), torch.tensor([[1.2, 1.6], [0.0, 2.0]]))
    torch.testing.assert_close(Rescaled(2.0, 4.0, "fixed")(STATES), STATES / 2)
    clipped = Rescaled(2.0, 4.0, "fixed", 1.5)(STATES)
    torch.testing.assert_close(clipped, torch.tensor([[0.9, 1.2], [0.0, 0.5]]))
    assert Rescaled(2.0, 4.0)(STATES.bfloat16()).dtype == torch.bfloat16
    assert Rescaled(2.0, 4.0)(torch.zeros(1, 2)).tolist() == [[0.0, 0.0]]  # no direction to keep, and no nan


def test_the_control_changes_each_length_as_much_up_or_down_by_the_tokens_number() -> None:
    states = torch.randn(60, 8, generator=torch.Generator().manual_seed(0))
    prompts = torch.arange(2).repeat_interleave(30)
    fitted = Rescaled(2.0, 5.0)
    control = fitted.control(4)
    change, dealt = (
        (new.norm(dim=-1) / states.norm(dim=-1)).log() for new in (fitted(states), control(states, prompts))
    )
    torch.testing.assert_close(dealt.abs(), change.abs(), atol=1e-5, rtol=1e-5)
    turned = dealt * change < 0
    assert 5 < int(turned[:30].sum()) < 25 and torch.equal(turned[:30], turned[30:])
    torch.testing.assert_close(control(states[30:]), control(states, prompts)[30:])  # whatever else is in the batch
    other = fitted.control(5)(states, prompts)
    assert not torch.allclose(other, control(states, prompts))
    directions = torch.nn.functional.cosine_similarity(control(states, prompts), states)
    torch.testing.assert_close(directions, torch.ones(60))


@pytest.mark.parametrize("family", FAMILIES)
def test_lengths_are_those_at_the_language_models_input(family: str) -> None:
    """Of a recording: text and image tokens as they enter the decoder, or their ratio where it scales both there."""
    vlm, examples = VLM(*parts(family), name=family, check=False), stimuli.squares().limit(2)
    text, image = lengths(vlm, examples)
    batch = vlm.prepare(examples)
    with vlm.recording("resid_pre", layers=[0]) as recorded:
        vlm.forward(batch)
    states = recorded["resid_pre", 0].norm(dim=-1)
    seen = batch.attention_mask.bool() & ~batch.image_mask
    torch.testing.assert_close(image.mean() / text.mean(), states[batch.image_mask].mean() / states[seen].mean())
    assert len(text) == int(seen.sum()) and len(image) == int(batch.image_mask.sum())


def test_a_fit_takes_its_lengths_from_the_development_split() -> None:
    vlm, dev = VLM(*parts("qwen2_vl"), check=False), stimuli.squares().limit(4)
    text, image = lengths(vlm, dev)
    fitted = NormRescale().fit(vlm, dev)
    assert (fitted.text, fitted.image) == (pytest.approx(float(text.mean())), pytest.approx(float(image.mean())))
    assert (
        fitted.clip == pytest.approx(float(text.max())) and NormRescale("fixed", clip=False).fit(vlm, dev).clip is None
    )
    batch = vlm.prepare(dev)
    with fitted.applied(vlm), vlm.recording("image_embeds") as recorded:
        vlm.forward(batch)
    value = recorded["image_embeds", 0]
    rows = value[batch.image_mask] if value.ndim == 3 else value
    torch.testing.assert_close(rows.norm(dim=-1), torch.full((len(rows),), fitted.text), atol=1e-4, rtol=1e-4)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(UsageError, match="token, fixed"):
        repairs.NormRescale("layer")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="token, fixed"):
        Rescaled(1.0, 1.0, "layer")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="image 0, clip -1"):
        Rescaled(1.0, 0.0, "fixed", -1.0)
