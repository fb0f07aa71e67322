"""Teaching the vision encoder the order of things by itself, before the language model learns to ask for it.

Where the language model's own road is closed from the start, no gradient says what the vision encoder should write
until the language model reads it, and the language model has nothing to read (LOG.md). A linear read-out of each
thing's place on its image tokens breaks the circle; it is thrown away behind its stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backsight.errors import UsageError
from backsight.grid import TokenGrid
from backsight.models import embeds
from backsight.stimuli.arrangements import TOUCHED
from backsight.stimuli.layouts import Layout
from backsight.training.packing import Packed
from backsight.training.questions import Asked

PLACES = 6  # first to last of a horizontal row, first to last of a vertical one


def reader(width: int, seed: int) -> torch.nn.Linear:
    """A new linear read-out from image embeddings of `width` to the places."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return torch.nn.Linear(width, PLACES)


def labels(asked: Sequence[Asked], layout: Layout) -> Tensor:
    """The place of the thing on each image token (image_token,), -1 on the ground; UsageError for other than rows."""
    grid = TokenGrid.rectangle(layout.rows, layout.columns, layout.size)
    found = np.full((len(asked), len(grid)), -1)
    for one, places in zip(asked, found, strict=True):
        if one.row is None:
            raise UsageError("Places are taught on rows of three", do="give a mixture of squares, shapes, objects")
        axis, boxes = one.row
        for place, box in enumerate(boxes, 0 if axis == "horizontal" else PLACES // 2):
            places[grid.tokens_in(box, TOUCHED)] = place
    return torch.from_numpy(found).flatten()


def read(model: Any, head: torch.nn.Linear, packed: Packed, places: Tensor) -> tuple[Tensor, Tensor]:
    """Read-outs (token, place) of the tokens on which a thing is, and the places there."""
    states = embeds.features(model, packed.inputs["pixel_values"], packed.inputs.get("image_grid_thw"))
    on = places >= 0
    return head(states[on]), places[on]
