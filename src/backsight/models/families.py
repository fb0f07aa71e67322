"""One row an architecture; no logic.

What the families share (`get_decoder`, `get_placeholder_mask`, `image_token_id`, raster order of image tokens)
stands in the code that uses the rows. A row says only where they differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Family:
    """How one architecture differs.

    `model_type` is the configuration's. `vision_blocks` is the path of the vision encoder's blocks from the model.
    `grid` says where a picture's token grid is read: `thw` from the processor's `image_grid_thw` (one size a
    picture), `pooled` from `mm_tokens_per_image`, `patches` from image size and patch size. `type_ids` are inputs
    without which transformers silently computes something else. `stock_processor` names a processor class that
    must be opened without its video half. `chat` says whether prompts go through a chat template; without one the
    prompt is the question alone behind the picture, without the system sentence. `suffix_type` is the type id of
    tokens behind the prompt. `cells_alone` says whether the vision encoder can take a cell by itself, `deepstack` that
    vision features are added between decoder blocks as well. `patches` is the order of patches in the vision encoder:
    `merged` when those of a token follow one another, `raster`, or None where it is another.
    """

    model_type: str
    name: str
    vision_blocks: str
    grid: Literal["thw", "pooled", "patches"]
    type_ids: tuple[str, ...] = ()
    stock_processor: str | None = None
    chat: bool = True
    suffix_type: int = 0
    cells_alone: bool = False
    deepstack: bool = False
    patches: Literal["merged", "raster"] | None = None


FAMILIES: dict[str, Family] = {
    row.model_type: row
    for row in (
        Family(
            "qwen2_vl", "Qwen2-VL", "model.visual.blocks", "thw",
            type_ids=("mm_token_type_ids",), stock_processor="Qwen2VLProcessor",
            cells_alone=True, patches="merged",
        ),
        Family(
            "qwen2_5_vl", "Qwen2.5-VL", "model.visual.blocks", "thw",
            type_ids=("mm_token_type_ids",), stock_processor="Qwen2_5_VLProcessor",
            cells_alone=True,
        ),
        Family(
            "qwen3_vl", "Qwen3-VL", "model.visual.blocks", "thw",
            type_ids=("mm_token_type_ids",), stock_processor="Qwen3VLProcessor",
            deepstack=True, patches="merged",
        ),
        Family(
            "gemma3", "Gemma-3", "model.vision_tower.encoder.layers", "pooled",
            type_ids=("token_type_ids",), patches="raster",
        ),
        Family(
            "paligemma", "PaliGemma", "model.vision_tower.encoder.layers", "patches",
            type_ids=("token_type_ids",), chat=False, suffix_type=1, patches="raster",
        ),
    )
}  # fmt: skip
