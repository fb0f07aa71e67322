"""Image embeddings, without running the language model: what the vision encoder and the projector make of pictures.

Rows are image tokens (image_token, d_model) in batch-major order, as they enter the first decoder block and as an
edit of `image_embeds` gets them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from backsight.examples import Picture
from backsight.models.families.common import PATCH_ORDER, SINGLE_CELLS, demand, image_features
from backsight.models.flops import Call
from backsight.models.prompts import Batch
from backsight.models.seam import Seam


def of_batch(vlm: Seam, batch: Batch) -> Tensor:
    """The image embeddings of a prepared batch."""
    call = vlm.call(batch)
    vlm.charge(call, call.shown(call.patches))
    return _features(vlm, batch.inputs)


def of_pictures(vlm: Seam, pictures: Sequence[Picture], call: Call | None = None) -> list[Tensor]:
    """The image embeddings (image_token, d_model) of each picture; equal pictures go through once.

    `call` is the batch that they are for, of which the cost is stated in forward equivalents.
    """
    distinct = {picture.id: picture for picture in pictures}
    opened = [picture.open() for picture in distinct.values()]
    processed = vlm.prompter.pixels(opened)
    counts = [len(vlm.prompter.grid(image.size, processed, i)) for i, image in enumerate(opened)]
    inputs = {k: v.to(vlm.device, vlm.dtype if v.is_floating_point() else v.dtype) for k, v in processed.items()}
    call = call or vlm.reference
    vlm.charge(call, call.shown(vlm.prompter.patches(image.size) for image in opened))
    parts = dict(zip(distinct, torch.split(_features(vlm, inputs), counts), strict=True))
    return [parts[picture.id] for picture in pictures]


def of_single_cells(vlm: Seam, batch: Batch) -> Tensor:
    """The image embeddings of a batch with every cell isolated in the vision encoder.

    CannotAnswer where the architecture has no such form: its encoder gives a patch its position by a table, so a
    cell by itself would be a cell at the first position.
    """
    demand(vlm.family, {SINGLE_CELLS})
    pixels, call = batch.inputs["pixel_values"], vlm.call(batch)
    side = int(vlm.model.config.vision_config.spatial_merge_size)
    distinct = torch.unique(pixels.reshape(-1, side * side * pixels.shape[-1]), dim=0)
    vlm.charge(call, call.shown([side * side] * len(distinct)))
    with torch.no_grad():
        return single_cells(vlm.model, pixels)


def single_cells(model: Any, pixels: Tensor) -> Tensor:
    """Image embeddings (cell, d_model) of a Qwen-VL model with every cell isolated in the vision encoder.

    Equal cells have equal embeddings, so each kind of cell goes through once.
    """
    side = int(model.config.vision_config.spatial_merge_size)
    cells = pixels.reshape(-1, side * side * pixels.shape[-1])
    distinct, index = torch.unique(cells, dim=0, return_inverse=True)
    grid = torch.tensor([[1, side, side]], device=pixels.device).repeat(len(distinct), 1)
    return features(model, distinct.reshape(-1, pixels.shape[-1]), grid)[index]


def by_cell(vlm: Seam, value: Tensor, batch: Batch) -> Tensor:
    """The output of a block of the vision encoder, one row (image_token, d_vision) a token: the mean of its patches.

    CannotAnswer where an architecture keeps its patches in an order of its own.
    """
    demand(vlm.family, {PATCH_ORDER})
    tokens = sum(len(grid) for grid in batch.grids)
    if vlm.family.patches == "merged":
        return value.reshape(tokens, -1, value.shape[-1]).mean(1)
    rows, columns = batch.grids[0].rows, batch.grids[0].columns
    side = math.isqrt(value.shape[1] // (rows * columns))
    blocks = value.reshape(len(batch), rows, side, columns, side, -1)
    return blocks.mean((2, 4)).flatten(0, 2)


def features(model: Any, pixels: Tensor, grid: Tensor | None = None) -> Tensor:
    """Image embeddings (image_token, d_model) of pixels as the processor gives them, with gradients."""
    return image_features(model, {"pixel_values": pixels} | ({} if grid is None else {"image_grid_thw": grid}))


def _features(vlm: Seam, inputs: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        return vlm.family.features(vlm.model, vlm.family.taken(inputs))
