"""PaliGemma: a patch a token, no chat template, and a prompt that sees all of itself; only a suffix is causal."""

from __future__ import annotations

from backsight.models.families.common import CHAT, MIRRORS, PATCH_ORDER, USUAL, Family
from backsight.models.families.gemma3 import SIGLIP_BLOCKS

FAMILY = Family(
    "paligemma",
    "PaliGemma",
    SIGLIP_BLOCKS,
    capabilities=(USUAL | {PATCH_ORDER, MIRRORS}) - {CHAT},
    type_ids=("token_type_ids",),
    suffix_type=1,
    patches="raster",
)
