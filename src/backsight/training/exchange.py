"""Training on an interchange, so that the answer is read from what stands in the image tokens at one decoder block.

At the input of block S the outer two things of a row take the states that they have in the reversed row, and the answer
asked for is that of the reversed row. What is read before S, or by position encoding, is then wrong. The same rows are
shown without the exchange, so that nothing but the states tells which answer is asked for. (Geiger et al. 2022,
"Inducing causal structure for interpretable neural networks".)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backsight.models import hooks
from backsight.stimuli.layouts import Layout
from backsight.training import positions
from backsight.training.packing import Packed
from backsight.training.questions import Asked


@contextmanager
def acting(model: Any, packed: Packed, asked: Sequence[Asked], block: int, layout: Layout) -> Iterator[None]:
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

    def exchange(states: Tensor) -> Tensor:
        by_image = states[image].view(len(asked), -1, states.shape[-1])
        taken = by_image.clone()
        taken[rows, tokens] = by_image[other_rows, other_tokens]
        return states.masked_scatter(image[:, :, None].expand_as(states), taken.flatten(0, 1))

    with hooks.at_block(model, block, exchange):
        yield
