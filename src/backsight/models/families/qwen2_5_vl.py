"""Qwen2.5-VL: as Qwen2-VL, but its vision blocks run in window order, so that a token's patches are not found there."""

from __future__ import annotations

from dataclasses import replace

from backsight.models.families import qwen2_vl
from backsight.models.families.common import PATCH_ORDER

FAMILY = replace(
    qwen2_vl.FAMILY,
    model_type="qwen2_5_vl",
    name="Qwen2.5-VL",
    capabilities=qwen2_vl.FAMILY.capabilities - {PATCH_ORDER},
    stock_processor="Qwen2_5_VLProcessor",
    patches=None,
)
