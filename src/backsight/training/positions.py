"""Teaching the vision encoder the order of things by itself, before the language model learns to ask for it.

Where the language model's own pathway is ablated, no gradient says what the vision encoder should write until the
language model reads it, and the language model has nothing to read (LOG.md). A linear read-out of each thing's
position, and of what it is, on its image tokens breaks the circle; it is thrown away with the optimiser.
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
from backsight.stimuli import object_pictures, rows
from backsight.stimuli.arrangements import TOUCHED
from backsight.stimuli.layouts import Layout
from backsight.training.packing import Packed
from backsight.training.questions import Asked

POSITIONS = 6  # first to last of a horizontal row, first to last of a vertical one
KEPT = 0.3  # weight of the names, which only have to stay readable
NAMES = (*rows.COLORS, *object_pictures.NAMES)


def reader(width: int, seed: int) -> torch.nn.Linear:
    """A new linear read-out from image embeddings of `width` to the positions and the names."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return torch.nn.Linear(width, POSITIONS + len(NAMES))


def labels(asked: Sequence[Asked], layout: Layout) -> Tensor:
    """Position and name of the thing on each image token (image_token, 2), -1 on ground; UsageError for non-rows."""
    grid = TokenGrid.rectangle(layout.rows, layout.columns, layout.size)
    labelled = np.full((len(asked), len(grid), 2), -1)
    for one, on in zip(asked, labelled, strict=True):
        if one.row is None:
            raise UsageError("Positions are taught on rows of three", do="give a mixture of squares, shapes, objects")
        axis, things = one.row
        for position, (name, box) in enumerate(things, 0 if axis == "horizontal" else POSITIONS // 2):
            on[grid.tokens_in(box, TOUCHED)] = position, NAMES.index(name)
    return torch.from_numpy(labelled).flatten(0, 1)


def read(model: Any, head: torch.nn.Linear, packed: Packed, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """The loss of both read-outs on the tokens on which a thing is, and for each whether its position is read right."""
    states = embeds.features(model, packed.inputs["pixel_values"], packed.inputs.get("image_grid_thw"))
    on = wanted[:, 0] >= 0
    position, name = head(states[on]).split([POSITIONS, len(NAMES)], dim=1)
    entropy = torch.nn.functional.cross_entropy
    loss = entropy(position, wanted[on, 0]) + KEPT * entropy(name, wanted[on, 1])
    return loss, (position.argmax(-1) == wanted[on, 0]).float()
