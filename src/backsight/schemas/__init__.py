"""The schemas of tables whose results do not hold them yet."""

from backsight.schemas.answers import COMPARE
from backsight.schemas.relevance import (
    CREG,
    CREG_CHOICES,
    CREG_PAIRS,
    CREG_SUMMARY,
    FLIP,
    FLIP_SUMMARY,
    KNOCKOUT,
    KNOCKOUT_SUMMARY,
    MOVED,
    MOVED_SUMMARY,
    OCCLUSION,
    OCCLUSION_SUMMARY,
)

__all__ = [
    "COMPARE",
    "CREG",
    "CREG_CHOICES",
    "CREG_PAIRS",
    "CREG_SUMMARY",
    "FLIP",
    "FLIP_SUMMARY",
    "KNOCKOUT",
    "KNOCKOUT_SUMMARY",
    "MOVED",
    "MOVED_SUMMARY",
    "OCCLUSION",
    "OCCLUSION_SUMMARY",
]
