"""How `staged` is built: what its construction says, proved by plain forwards and edits and by no measurement.

All of it holds for random weights as well, so a model of another depth is built here beside those that the package
carries. S, the number of sliding layers below all full ones, is read from the configuration.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from backsight import stimuli
from backsight.errors import UsageError
from backsight.examples import Example, MemoryPicture
from backsight.models import embeds, replay, small
from backsight.models.opening import load
from backsight.models.sites import Edit, ImageTokens
from backsight.models.vlm import VLM
from backsight.selftest.base import reading_layer
from backsight.stimuli.arrangements import TOUCHED
from backsight.training.questions import corpus
from backsight.training.recipes import build_staged

BUILT = "random weights"
SHIPPED = {"staged": (3, 7), "staged-2": (2, 6)}  # S, layers
each = pytest.mark.parametrize("name", [BUILT, *SHIPPED])


@cache
def model(name: str) -> VLM:
    return VLM(*built(), name=BUILT, check=False) if name == BUILT else load(f"builtin:{name}", device="cpu")


def built() -> tuple[Any, Any]:
    """The recipe's own architecture at random weights, two sliding layers below two full ones."""
    model, processor = build_staged(0, blind=2, blocks=4)
    return model.eval(), processor


def asked(vlm: VLM) -> list[Example]:
    return [stimuli.squares(vlm.grid)[i] for i in (0, 1, 7)]


@pytest.mark.parametrize("name", list(SHIPPED))
def test_the_layer_that_is_named_is_that_of_the_card(name: str) -> None:
    vlm = model(name)
    assert (reading_layer(vlm), vlm.n_layers) == SHIPPED[name]


def test_a_model_that_is_built_otherwise_has_no_known_answer() -> None:
    assert reading_layer(model(BUILT)) == 2
    mixed = VLM(*small.tiny("gemma3", corpus()), check=False)  # sliding and full in turns
    other = VLM(*small.tiny("qwen2_vl", corpus()), check=False)
    for vlm in (mixed, other):
        with pytest.raises(UsageError, match="no known answer"):
            reading_layer(vlm)


@each
def test_image_tokens_enter_without_position(name: str) -> None:
    """The encoder has no blocks and no table: cells shuffled in the picture are their embeddings shuffled, exactly."""
    vlm = model(name)
    assert vlm.parts.count("vision") == 0
    table = next(p for n, p in vlm.model.named_parameters() if n.endswith("position_embedding.weight"))
    assert not table.any()
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (192, 192, 3), dtype=np.uint8)
    order = rng.permutation(144)
    cells = noise.reshape(12, 16, 12, 16, 3).transpose(0, 2, 1, 3, 4).reshape(144, 16, 16, 3)
    moved = cells[order].reshape(12, 12, 16, 16, 3).transpose(0, 2, 1, 3, 4).reshape(192, 192, 3)

    def embedded(pixels: Any) -> torch.Tensor:
        shown = Example("noise", MemoryPicture(Image.fromarray(pixels)), "Where is it?", (), "")
        return embeds.of_batch(vlm, vlm.prepare([shown]))

    one, other = embedded(noise), embedded(moved)
    torch.testing.assert_close(other, one[torch.from_numpy(order)], atol=1e-5, rtol=0)
    assert not torch.allclose(other, one, atol=1e-3)


def changed(vlm: VLM, token: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Whether states (layer, batch, position) change at all with one image token, how far (batch, position) each
    position stands behind that token, and which of them are text behind the picture."""
    batch = vlm.prepare(asked(vlm))

    def states() -> torch.Tensor:
        with vlm.recording("resid_pre") as recorded:
            vlm.forward(batch)
        every = [recorded["resid_pre", layer] for layer in range(vlm.n_layers + 1)]
        return torch.stack([state.reshape(*batch.input_ids.shape, -1) for state in every])

    plain = states()
    with vlm.editing(Edit("image_embeds", lambda rows: rows + 3.0, positions=ImageTokens([token]))):
        other = states()
    places = torch.arange(batch.input_ids.shape[1])
    at = torch.stack([mask.nonzero().flatten()[[token, -1]] for mask in batch.image_mask])
    differs = ((plain - other).abs() > 1e-6).any(-1)
    return differs, places - at[:, :1], places > at[:, 1:]


@each
@pytest.mark.parametrize("token", [5, 100, 143])
def test_below_s_a_text_token_sees_seven_tokens_back_a_layer(name: str, token: int) -> None:
    """A window of eight holds the token itself. From S on every text token sees the whole picture."""
    vlm = model(name)
    differs, behind, text = changed(vlm, token)
    at = reading_layer(vlm)
    for layer in range(at + 1):
        assert not differs[layer][text & (behind > 7 * layer)].any(), layer
    assert differs[at + 1][text].all()


def test_the_last_image_tokens_are_seen_from_the_first_layer_on() -> None:
    """Or the test above would look at nothing."""
    differs, behind, text = changed(model(BUILT), 143)
    assert differs[1][text & (behind <= 7)].all()


@each
def test_no_token_of_a_thing_in_squares_is_near_enough_to_reach_the_last_position_until_s(name: str) -> None:
    vlm = model(name)
    grid, at = vlm.grid, reading_layer(vlm)
    (mask,) = vlm.prepare(asked(vlm)[:1]).image_mask
    behind = len(mask) - 1 - int(mask.nonzero().max())  # positions from the last image token to the last of all
    for example in stimuli.squares(grid):
        things = [grid.tokens_in(box, TOUCHED) for box in example.boxes.values()]
        assert len(things) == 3
        assert len(grid) - 1 - max(int(tokens.max()) for tokens in things) + behind > 7 * at


@each
def test_from_s_on_image_tokens_have_no_position(name: str) -> None:
    """Their states at S in another order leave the answer as it is; below S the same changes it."""
    vlm = model(name)
    batch = vlm.prepare(asked(vlm))
    trace = replay.record(vlm, batch)
    order = torch.from_numpy(np.random.default_rng(1).permutation(144))

    def permuted(layer: int) -> torch.Tensor:
        state = trace.resid_pre(layer)
        rows = torch.cat([state[i][mask][order] for i, mask in enumerate(batch.image_mask)])
        return trace.with_states(layer, batch.image_mask, rows)

    at = reading_layer(vlm)
    for layer in range(at, vlm.n_layers + 1):
        torch.testing.assert_close(permuted(layer), trace.logits, atol=1e-4, rtol=0)
    assert (permuted(0) - trace.logits).abs().max() > 1e-3
