"""Qwen2-VL: pictures of any size, rotary positions in the vision encoder, three axes of them in the language model."""

from __future__ import annotations

from typing import Any

from backsight.grid import TokenGrid
from backsight.models.families.common import (
    PATCH_ORDER,
    SINGLE_CELLS,
    USUAL,
    VARIABLE_SIZE,
    Family,
    Processed,
    Rotary,
    Size,
)  # fmt: skip


def grid(config: Any, size: Size, processed: Processed, index: int) -> TokenGrid:
    """The cells of a picture: patches as the processor counts them, merged side by side."""
    _, height, width = (int(n) for n in processed["image_grid_thw"][index])
    merge = int(config.vision_config.spatial_merge_size)
    return TokenGrid.rectangle(height // merge, width // merge, size)


FAMILY = Family(
    "qwen2_vl",
    "Qwen2-VL",
    ("model.visual.blocks",),
    projector="model.visual.merger.mlp.2",
    capabilities=USUAL | {VARIABLE_SIZE, SINGLE_CELLS, PATCH_ORDER},
    image_inputs=("pixel_values", "image_grid_thw"),
    type_ids=("mm_token_type_ids",),
    stock_processor="Qwen2VLProcessor",
    patches="merged",
    rotary=Rotary(vision="axial", language="sections"),
    grid=grid,
)
