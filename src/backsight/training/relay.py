"""Training in which the answer can be read only from what stands in the image tokens at one decoder block.

`relayed`: below block S no text token sees an image token, and at its input the image tokens of each picture change
places, so that the blocks from there on cannot tell by position encoding which token stood where. They read what the
blocks below and the vision encoder wrote into it.

`exchanged` leaves everything open, and at the input of block S the outer two things of a row take the states that they
have in the reversed row; the answer asked for is that of the reversed row. What is read before S, or by position
encoding, is then wrong. (Training on an interchange: Geiger et al. 2022, "Inducing causal structure".)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backsight.stimuli.layouts import Layout
from backsight.training import positions
from backsight.training.packing import Packed
from backsight.training.questions import Asked


@contextmanager
def closed(model: Any, packed: Packed, block: int, rng: np.random.Generator) -> Iterator[None]:
    """Text tokens that see no image token below a block, and image tokens in another order from there on."""
    image = packed.inputs["input_ids"] == model.config.image_token_id
    blind = ~(~image[:, None, :, None] & image[:, None, None, :])  # false where a text token would see an image token
    order = torch.from_numpy(np.stack([rng.permutation(int(row.sum())) for row in image]))

    def mix(_: Any, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        states = given[0]
        by_image = states[image].view(len(image), -1, states.shape[-1])
        moved = torch.gather(by_image, 1, order[:, :, None].expand_as(by_image)).flatten(0, 1)
        return (states.masked_scatter(image[:, :, None].expand_as(states), moved), *given[1:])

    def blinded(_: Any, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return given, {**named, "attention_mask": named["attention_mask"] & blind}

    layers = model.get_decoder().layers
    handles = [layers[block].register_forward_pre_hook(mix)]
    handles += [layers[i].register_forward_pre_hook(blinded, with_kwargs=True) for i in range(block)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def exchanged(model: Any, packed: Packed, asked: Sequence[Asked], block: int, layout: Layout) -> Iterator[None]:
    """The outer things of each row with their states of its reversed row, which stands half a batch away."""
    half = len(asked) // 2
    image = packed.inputs["input_ids"] == model.config.image_token_id
    to, source = [], []  # (row of the batch, its image token) that takes a state, and whose it takes
    for i, one in enumerate(asked):
        partner = (i + half) % len(asked)
        here, there = positions.owners(one, layout), positions.owners(asked[partner], layout)
        for thing in (0, 2):
            taking, giving = np.flatnonzero(here == thing), np.flatnonzero(there == 2 - thing)
            to += [(i, token) for token in taking]
            source += [(partner, token) for token in giving]
    rows, tokens = torch.tensor(to).T
    other_rows, other_tokens = torch.tensor(source).T

    def exchange(_: Any, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        states = given[0]
        by_image = states[image].view(len(asked), -1, states.shape[-1])
        taken = by_image.clone()
        taken[rows, tokens] = by_image[other_rows, other_tokens]
        return (states.masked_scatter(image[:, :, None].expand_as(states), taken.flatten(0, 1)), *given[1:])

    handle = model.get_decoder().layers[block].register_forward_pre_hook(exchange)
    try:
        yield
    finally:
        handle.remove()
