"""Qwen2-VL: pictures of any size, rotary positions in the vision encoder, three axes of them in the language model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from backsight.grid import TokenGrid
from backsight.models.families.common import (
    MIRRORS,
    PATCH_ORDER,
    SINGLE_CELLS,
    USUAL,
    VARIABLE_SIZE,
    Family,
    Processed,
    Redraw,
    Rotary,
    Size,
)  # fmt: skip


def grid(config: Any, size: Size, processed: Processed, index: int) -> TokenGrid:
    """The cells of a picture: patches as the processor counts them, merged side by side."""
    _, height, width = (int(n) for n in processed["image_grid_thw"][index])
    merge = int(config.vision_config.spatial_merge_size)
    return TokenGrid.rectangle(height // merge, width // merge, size)


def redrawn(config: Any, inputs: Mapping[str, Tensor], act: Redraw) -> dict[str, Tensor]:
    """Inputs with their pictures redrawn.

    A picture is (time, block row, block column, row, column) of patches, each (channel, time, row, column).
    """
    vision, new = config.vision_config, []
    side, frames, patch = (int(n) for n in (vision.spatial_merge_size, vision.temporal_patch_size, vision.patch_size))
    grids = inputs["image_grid_thw"].tolist()
    pictures = torch.split(inputs["pixel_values"], [time * height * width for time, height, width in grids])
    for picture, (time, height, width) in zip(pictures, grids, strict=True):
        cut = picture.view(time, height // side, width // side, side, side, -1, frames, patch, patch)
        raster = cut.permute(0, 5, 6, 1, 3, 7, 2, 4, 8)
        whole = act(raster.reshape(time, -1, frames, height * patch, width * patch)).reshape(raster.shape)
        new.append(whole.permute(0, 3, 6, 4, 7, 1, 2, 5, 8).reshape(picture.shape))
    return {**inputs, "pixel_values": torch.cat(new)}


FAMILY = Family(
    "qwen2_vl",
    "Qwen2-VL",
    ("model.visual.blocks",),
    capabilities=USUAL | {VARIABLE_SIZE, SINGLE_CELLS, PATCH_ORDER, MIRRORS},
    image_inputs=("pixel_values", "image_grid_thw"),
    type_ids=("mm_token_type_ids",),
    stock_processor="Qwen2VLProcessor",
    patches="merged",
    rotary=Rotary(vision="axial", language="sections"),
    grid=grid,
    redrawn=redrawn,
)
