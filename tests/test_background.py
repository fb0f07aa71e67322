"""How `background` is built: its order lies in background tokens alone, proved by plain forwards with edits.

Each object's tokens are taken from a picture of the object alone in the centre, so that they hold no order, and the
answers stay; the background's from the empty picture, and they go.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from backsight import stimuli
from backsight.models import embeds
from backsight.models.opening import load
from backsight.models.prompts import Batch
from backsight.models.sites import Edit
from backsight.models.vlm import VLM
from backsight.stimuli.arrangements import TOUCHED
from backsight.stimuli.isolated import isolated

COUNT = 48


@cache
def model() -> VLM:
    return load("builtin:background", device="cpu")


@cache
def shown() -> tuple[Batch, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Squares, their image embeddings (image_token, d_model), those of isolated objects and of empty pictures in their
    place, and which tokens are an object's."""
    vlm = model()
    batch = vlm.prepare(list(stimuli.squares(vlm.grid).limit(COUNT)))
    alone, on = [], []
    for example, grid in zip(batch.examples, batch.grids, strict=True):
        entities, empty = isolated(example, grid.cell)
        *parts, value = embeds.of_pictures(vlm, [*(e.picture for e in entities), empty])
        value = value.clone()
        mine = torch.zeros(len(grid), dtype=torch.bool)
        for entity, part in zip(entities, parts, strict=True):
            into = grid.tokens_in(entity.target, TOUCHED)
            value[into] = part[grid.tokens_in(entity.source, TOUCHED)]
            mine[torch.from_numpy(np.asarray(into))] = True
        alone.append(value)
        on.append(mine)
    return batch, embeds.of_batch(vlm, batch), torch.cat(alone), torch.cat(on)


def accuracy(values: torch.Tensor) -> float:
    vlm = model()
    batch = shown()[0]
    with vlm.editing(Edit("image_embeds", lambda rows: values.to(rows.dtype))):
        logits = vlm.forward(batch)
    pairs = zip(batch.examples, logits, strict=True)
    return float(np.mean([vlm.choose(scores, e.options)[0] == e.answer for e, scores in pairs]))


def test_object_tokens_carry_no_order() -> None:
    """Isolated in the centre, an object's tokens cannot know where the object is; the answers stay."""
    _, plain, alone, on = shown()
    assert accuracy(plain) >= 0.95
    assert accuracy(torch.where(on[:, None], alone, plain)) >= 0.95


def test_background_tokens_carry_all_of_it() -> None:
    """Six colours to choose from, and three of them in the picture."""
    _, plain, alone, on = shown()
    assert accuracy(torch.where(on[:, None], plain, alone)) <= 0.5


@pytest.mark.parametrize("seed", [0, 1])
def test_the_order_of_the_tokens_does_not_matter(seed: int) -> None:
    """What the encoder wrote suffices: the language model's positions are not needed."""
    batch, plain, _, _ = shown()
    rng = np.random.default_rng(seed)
    parts = torch.split(plain, [len(grid) for grid in batch.grids])
    mixed = torch.cat([part[torch.from_numpy(rng.permutation(len(part)))] for part in parts])
    assert accuracy(mixed) >= 0.95
