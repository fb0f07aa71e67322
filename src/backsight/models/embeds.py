"""Image embeddings, without running the language model: what the vision encoder and the projector make of pictures.

Rows are image tokens (image_token, d_model) in batch-major order, as they enter the first decoder block and as an
edit of `image_embeds` gets them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from backsight.errors import CannotAnswer
from backsight.examples import Example, Picture, PlainPicture
from backsight.models import blocks

if TYPE_CHECKING:
    from backsight.models.prompts import Batch
    from backsight.models.vlm import VLM


def of_batch(vlm: VLM, batch: Batch) -> Tensor:
    """The image embeddings of a prepared batch."""
    return _features(vlm, batch.inputs)


def of_pictures(vlm: VLM, pictures: Sequence[Picture]) -> list[Tensor]:
    """The image embeddings (image_token, d_model) of each picture; equal pictures go through once."""
    distinct = {picture.id: picture for picture in pictures}
    opened = [picture.open() for picture in distinct.values()]
    made = vlm.prompter.pixels(opened)
    counts = [len(vlm.prompter.grid(image.size, made, i)) for i, image in enumerate(opened)]
    inputs = {k: v.to(vlm.device, vlm.dtype if v.is_floating_point() else v.dtype) for k, v in made.items()}
    parts = dict(zip(distinct, torch.split(_features(vlm, inputs), counts), strict=True))
    return [parts[picture.id] for picture in pictures]


def of_single_cells(vlm: VLM, batch: Batch) -> Tensor:
    """The image embeddings of a batch with every cell alone in the vision encoder.

    CannotAnswer where the architecture has no such form: its encoder gives a patch its place by a table, so a cell
    by itself would be a cell at the first place.
    """
    if not vlm.family.cells_alone:
        raise CannotAnswer("The vision encoder of this architecture cannot take a cell by itself", got=vlm.family.name)
    with torch.no_grad():
        return single_cells(vlm.model, batch.inputs["pixel_values"])


def single_cells(model: Any, pixels: Tensor) -> Tensor:
    """Image embeddings (cell, d_model) of a Qwen-VL model with every cell alone in the vision encoder.

    Equal cells have equal embeddings, so each kind of cell goes through once.
    """
    side = int(model.config.vision_config.spatial_merge_size)
    cells = pixels.reshape(-1, side * side * pixels.shape[-1])
    distinct, index = torch.unique(cells, dim=0, return_inverse=True)
    grid = torch.tensor([[1, side, side]], device=pixels.device).repeat(len(distinct), 1)
    return features(model, distinct.reshape(-1, pixels.shape[-1]), grid)[index]


def by_cell(vlm: VLM, value: Tensor, batch: Batch) -> Tensor:
    """The output of a block of the vision encoder, one row (image_token, d_vision) a token: the mean of its patches.

    CannotAnswer where an architecture keeps its patches in an order of its own.
    """
    order = vlm.family.patches
    if order is None:
        raise CannotAnswer("The order of this vision encoder's patches is not known", got=vlm.family.name)
    tokens = sum(len(grid) for grid in batch.grids)
    if order == "merged":
        return value.reshape(tokens, -1, value.shape[-1]).mean(1)
    rows, columns = batch.grids[0].rows, batch.grids[0].columns
    side = math.isqrt(value.shape[1] // (rows * columns))
    blocks = value.reshape(len(batch), rows, side, columns, side, -1)
    return blocks.mean((2, 4)).flatten(0, 2)


def features(model: Any, pixels: Tensor, grid: Tensor | None = None) -> Tensor:
    """Image embeddings (image_token, d_model) of pixels as the processor gives them, with gradients."""
    given = (pixels,) if grid is None else (pixels, grid)
    made = model.model.get_image_features(*given, return_dict=True).pooler_output
    found: Tensor = torch.cat(list(made)) if isinstance(made, (tuple, list)) else made.flatten(0, -2)
    return found


def _features(vlm: VLM, inputs: dict[str, Tensor]) -> Tensor:
    grid = inputs.get("image_grid_thw")
    vlm.forward_equivalents += vlm.vision_share * (len(inputs["pixel_values"]) if grid is None else len(grid))
    with torch.no_grad():
        return features(vlm.model, inputs["pixel_values"], grid)


def share(vlm: VLM) -> float:
    """The vision encoder's and projector's share of the FLOPs of one plain forward."""
    picture = PlainPicture(vlm.prompter.native_size())
    inputs = vlm.prepare([Example("share", picture, "Where is it?", (), "")]).inputs
    grid = inputs.get("image_grid_thw")
    with torch.no_grad(), FlopCounterMode(display=False) as vision:
        features(vlm.model, inputs["pixel_values"], grid)
    with torch.no_grad(), FlopCounterMode(display=False) as whole:
        vlm.model(**inputs, **blocks.WHOLE_PROMPT, logits_to_keep=1)
    return float(vision.get_total_flops() / whole.get_total_flops())
