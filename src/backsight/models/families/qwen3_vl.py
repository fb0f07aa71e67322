"""Qwen3-VL: as Qwen2-VL, with vision features added between decoder blocks as well (DeepStack).

Its vision encoder adds a table of positions to the patches, so that a cell by itself would be a cell at the first one.
"""

from __future__ import annotations

from dataclasses import replace

from backsight.models.families import qwen2_vl
from backsight.models.families.common import ENTERS_ONCE, SINGLE_CELLS

FAMILY = replace(
    qwen2_vl.FAMILY,
    model_type="qwen3_vl",
    name="Qwen3-VL",
    capabilities=qwen2_vl.FAMILY.capabilities - {ENTERS_ONCE, SINGLE_CELLS},
    projector="model.visual.merger.linear_fc2",  # of the main merger: DeepStack's do not give the image embeddings
    stock_processor="Qwen3VLProcessor",
)
