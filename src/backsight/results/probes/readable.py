"""Where a thing's position counts as readable by a probe: the rule that sentences and figures share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]
READABLE = 0.95  # of the object tokens given their position
RULE = f"at least {100 * READABLE:.0f}\u00a0%"


def missing(at: Mapping[str, Row]) -> bool:
    """Whether the rows of a site and layer, by measure, say nothing of the objects: absent or omitted."""
    return any(at.get(name) is None or at[name]["omitted"] for name in ("objects", "selectivity"))


def is_readable(at: Mapping[str, Row]) -> bool:
    """Whether enough object tokens are given their position, with a lead over a probe of shuffled positions."""
    return bool(at["selectivity"]["low"] > 0 and at["objects"]["share"] >= READABLE)
