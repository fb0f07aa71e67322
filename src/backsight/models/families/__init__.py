"""The supported architectures: one file each, one line here. Another one is given to `load` or `VLM` from outside."""

from __future__ import annotations

from typing import Any

from backsight.errors import ModelError
from backsight.models.families import gemma3, paligemma, qwen2_5_vl, qwen2_vl, qwen3_vl
from backsight.models.families.common import Family

__all__ = ["FAMILIES", "Family", "family_of"]

FAMILIES: dict[str, Family] = {
    family.model_type: family
    for family in (
        qwen2_vl.FAMILY,
        qwen2_5_vl.FAMILY,
        qwen3_vl.FAMILY,
        gemma3.FAMILY,
        paligemma.FAMILY,
    )
}


def family_of(config: Any) -> Family:
    """The family of a configuration's architecture; ModelError names the supported ones."""
    kind = getattr(config, "model_type", None)
    if kind not in FAMILIES:
        known = ", ".join(f"{family.name} ({key})" for key, family in FAMILIES.items())
        raise ModelError("This architecture is not supported", got=kind, do=f"supported: {known}; or give a family")
    return FAMILIES[str(kind)]
