"""Image embeddings without the language model: all families, against what a plain call hands to its decoder."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from backsight.errors import CannotAnswer, EditError
from backsight.examples import Example, MemoryPicture
from backsight.models import embeds, replay
from backsight.models.vlm import VLM

from .conftest import parts
from .plain import decoder_inputs, patched

CLOSE = dict(atol=1e-5, rtol=0)


def test_the_embeddings_of_a_batch_are_what_the_decoder_gets(vlm: VLM, questions: list[Example]) -> None:
    batch = vlm.prepare(questions)
    seen, _ = decoder_inputs(vlm.model, batch.inputs)
    torch.testing.assert_close(embeds.of_batch(vlm, batch), seen[0][batch.image_mask], **CLOSE)


def test_the_embeddings_of_pictures_are_those_of_their_prompts(vlm: VLM, questions: list[Example]) -> None:
    pictures = [e.picture for e in (*questions, questions[0])]
    before = vlm.forward_equivalents
    found = embeds.of_pictures(vlm, pictures)
    assert vlm.forward_equivalents - before == pytest.approx(3 * vlm.vision_share)  # the fourth is the first again
    assert 0 < vlm.vision_share < 1
    assert torch.equal(found[0], found[3])
    torch.testing.assert_close(torch.cat(found[:3]), embeds.of_batch(vlm, vlm.prepare(questions)), **CLOSE)


@pytest.mark.parametrize("layer", [0, 2])
def test_replaced_image_tokens_equal_a_plain_patched_forward(vlm: VLM, questions: list[Example], layer: int) -> None:
    """Other tokens in each example, so that the rows of a batch are a union."""
    batch = vlm.prepare(questions)
    trace = replay.record(vlm, batch)
    mask = batch.image_mask.clone()
    for example, keep in enumerate((slice(0, 4), slice(5, 9), slice(7, 8))):
        places = mask[example].nonzero().flatten()
        mask[example] = False
        mask[example, places[keep]] = True
    values = torch.randn(int(mask.sum()), trace.final.shape[-1], generator=torch.Generator().manual_seed(0))

    def placed(hidden: torch.Tensor) -> torch.Tensor:
        hidden = hidden.clone()
        hidden[mask] = values
        return hidden

    found = trace.with_states(layer, mask, values)
    torch.testing.assert_close(found, patched(vlm.model, batch.inputs, layer, placed), atol=1e-4, rtol=0)
    assert (found - trace.logits).abs().max() > 1e-4
    with pytest.raises(EditError, match="Not one state for each position"):
        trace.with_states(layer, mask, values[1:])


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl"])
def test_a_cell_alone_is_a_function_of_its_own_pixels(family: str) -> None:
    vlm = VLM(*parts(family))
    noise = np.random.default_rng(0).integers(0, 256, (168, 224, 3), dtype=np.uint8)
    changed = noise.copy()
    changed[28:56, 56:84] = 0  # row 1, column 2 of 6 x 8 cells
    asked = [
        Example(str(n), MemoryPicture(Image.fromarray(p)), "Where?", (), "") for n, p in enumerate((noise, changed))
    ]
    one, two = (vlm.prepare([e]) for e in asked)
    alone = embeds.of_single_cells(vlm, one), embeds.of_single_cells(vlm, two)
    assert ((alone[0] - alone[1]).abs() > 1e-6).any(-1).nonzero().flatten().tolist() == [10]
    whole = embeds.of_batch(vlm, one), embeds.of_batch(vlm, two)
    assert ((whole[0] - whole[1]).abs() > 1e-6).any(-1).sum() > 1  # in the whole picture its neighbours see it


@pytest.mark.parametrize("family", ["qwen3_vl", "gemma3", "paligemma"])
def test_where_a_cell_cannot_be_alone_it_is_said(family: str, questions: list[Example]) -> None:
    vlm = VLM(*parts(family))
    with pytest.raises(CannotAnswer, match="cannot take a cell by itself"):
        embeds.of_single_cells(vlm, vlm.prepare(questions[:1]))
