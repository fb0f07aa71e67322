"""Image tokens in another order, by picture and seed: the permutations that all measurements take; and the text's."""

from __future__ import annotations

import zlib

import numpy as np
import torch
from torch import Tensor

from backsight.models.prompts import Batch


def orders(batch: Batch, seed: int) -> list[Tensor]:
    """For each picture the token (image_token,) that stands at each position; it depends on picture and seed alone."""
    sampled = []
    for example, grid in zip(batch.examples, batch.grids, strict=True):
        rng = np.random.default_rng([seed, zlib.crc32(example.image_id.encode())])
        sampled.append(torch.from_numpy(rng.permutation(len(grid))).to(batch.input_ids.device))
    return sampled


def shuffled(plain: Tensor, batch: Batch, seed: int) -> Tensor:
    """Image embeddings (image_token, d_model) with each picture's in an order drawn for the picture and `seed`."""
    parts = torch.split(plain, [len(grid) for grid in batch.grids])
    return torch.cat([part[order.to(part.device)] for part, order in zip(parts, orders(batch, seed), strict=True)])


def text_mask(batch: Batch) -> Tensor:
    """(batch, position): tokens of the prompt that are neither of the picture nor padding."""
    return batch.attention_mask.bool() & ~batch.image_mask
