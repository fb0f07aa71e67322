"""Pictures at their own size, whatever bounds a processor sets: a model's token grid at other sizes than its own.

A family of variable picture size lays a grid over any picture, and its processor keeps the number of tokens between
bounds. Inside `any_size` there are none: a picture of whole cells has as many tokens as cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from backsight.models.families.common import VARIABLE_SIZE
from backsight.models.seam import Seam

UNBOUNDED = {"shortest_edge": 1, "longest_edge": 2**40}  # pixels of a picture, at least and at most


@contextmanager
def any_size(vlm: Seam) -> Iterator[None]:
    """Lift the bounds that a processor sets on pixels; nothing changes for a family of one picture size."""
    if not vlm.family.can(VARIABLE_SIZE):
        yield
        return
    images: Any = vlm.processor.image_processor
    bounds, grids = images.size, dict(vlm._grids)
    images.size = type(bounds)(**UNBOUNDED)
    vlm._grids.clear()
    try:
        yield
    finally:
        images.size = bounds
        vlm._grids.clear()
        vlm._grids.update(grids)
