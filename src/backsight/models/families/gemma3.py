"""Gemma-3: pictures of one size, pooled to a square of tokens that see each other both ways."""

from __future__ import annotations

from backsight.models.families.common import MIRRORS, PATCH_ORDER, USUAL, Family

# The second path is that of older releases, which keep the encoder one level deeper.
SIGLIP_BLOCKS = ("model.vision_tower.encoder.layers", "model.vision_tower.vision_model.encoder.layers")

FAMILY = Family(
    "gemma3",
    "Gemma-3",
    SIGLIP_BLOCKS,
    capabilities=USUAL | {PATCH_ORDER, MIRRORS},
    type_ids=("token_type_ids",),
    patches="raster",
)
