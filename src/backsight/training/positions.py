"""Teaching image tokens the order of things, before anything learns to ask for it.

Where a pathway is ablated, no gradient says what should be written into an image token until the language model reads
it, and the language model has nothing to read (LOG.md). A linear read-out of each thing's position, and of what it
is, on its image tokens breaks the circle; it is thrown away with the optimiser.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backsight.errors import UsageError
from backsight.grid import TokenGrid
from backsight.models import embeds, hooks
from backsight.stimuli import object_pictures, rows
from backsight.stimuli.arrangements import TOUCHED
from backsight.stimuli.layouts import Layout
from backsight.training.packing import Packed
from backsight.training.questions import Asked

POSITIONS = 6  # first to last of a horizontal row, first to last of a vertical one
KEPT = 0.3  # weight of the names, which only have to stay readable
NAMES = (*rows.COLORS, *object_pictures.NAMES)


@dataclass(frozen=True)
class Teaching:
    """What a linear read-out is trained to read along with a stage, and where.

    `layer` is the decoder block at whose input it reads; None: the image embeddings, which teaches the vision encoder.
    `on`: the tokens of the things, or those of the ground, which carry the nearest thing (its third of the row).
    `position` and `name` weigh the two losses.
    """

    layer: int | None = None
    on: Literal["things", "ground"] = "things"
    position: float = 1.0
    name: float = KEPT


def reader(width: int, seed: int) -> torch.nn.Linear:
    """A new linear read-out from image embeddings of `width` to the positions and the names."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return torch.nn.Linear(width, POSITIONS + len(NAMES))


def labels(asked: Sequence[Asked], layout: Layout, on: Literal["things", "ground"] = "things") -> Tensor:
    """Position and name to be read on each image token (image_token, 2), -1 where nothing is to be read.

    On things: each thing's own. On ground: those of the thing whose strip of the row a token lies in; strips meet in
    the middle between two things. UsageError for pictures that are no rows of three.
    """
    grid = TokenGrid.rectangle(layout.rows, layout.columns, layout.size)
    labelled = np.full((len(asked), len(grid), 2), -1)
    for one, row in zip(asked, labelled, strict=True):
        if one.row is None:
            raise UsageError("Positions are taught on rows of three", do="give a mixture of squares, shapes, objects")
        axis, things = one.row
        first = 0 if axis == "horizontal" else POSITIONS // 2
        carried = [(first + k, NAMES.index(name)) for k, (name, _) in enumerate(things)]
        cells = owners(one, layout)
        if on == "things":
            for k, label in enumerate(carried):
                row[cells == k] = label
        else:
            ground = cells < 0
            row[ground] = np.array(carried)[strips(one, layout)[ground]]
    return torch.from_numpy(labelled).flatten(0, 1)


def owners(asked: Asked, layout: Layout) -> NDArray[np.int64]:
    """Which thing of a row stands on each image token (image_token,), -1 on ground."""
    assert asked.row is not None
    grid = TokenGrid.rectangle(layout.rows, layout.columns, layout.size)
    standing = np.full(len(grid), -1)
    for k, (_, box) in enumerate(asked.row[1]):
        standing[grid.tokens_in(box, TOUCHED)] = k
    return standing


def strips(asked: Asked, layout: Layout) -> NDArray[np.int64]:
    """Which thing of a row is nearest along its axis to each image token (image_token,)."""
    assert asked.row is not None
    axis, things = asked.row
    grid = TokenGrid.rectangle(layout.rows, layout.columns, layout.size)
    centers = [box.center[0 if axis == "horizontal" else 1] / layout.cell for _, box in things]
    along = np.asarray(grid.column if axis == "horizontal" else grid.row)
    nearest: NDArray[np.int64] = np.digitize(along + 0.5, [(a + b) / 2 for a, b in pairwise(centers)])
    return nearest


@contextmanager
def listening(model: Any, layer: int | None) -> Iterator[list[Tensor]]:
    """Collects the input (row, position, d_model) of a decoder block with gradients; nothing where `layer` is None."""
    heard: list[Tensor] = []
    if layer is None:
        yield heard
        return
    with hooks.at_block(model, layer, heard.append):
        yield heard


def image_states(model: Any, packed: Packed, heard: Sequence[Tensor]) -> Tensor:
    """The states (image_token, d_model) that a read-out reads: those heard in the language model, else embeddings."""
    if heard:
        return heard[-1][packed.inputs["input_ids"] == model.config.image_token_id]
    return embeds.features(model, packed.inputs["pixel_values"], packed.inputs.get("image_grid_thw"))


def read(head: torch.nn.Linear, states: Tensor, wanted: Tensor, taught: Teaching) -> tuple[Tensor, Tensor]:
    """The loss of both read-outs where something is to be read, and for each token whether its position is right."""
    on = wanted[:, 0] >= 0
    position, name = head(states[on]).split([POSITIONS, len(NAMES)], dim=1)
    entropy = torch.nn.functional.cross_entropy
    loss = taught.position * entropy(position, wanted[on, 0]) + taught.name * entropy(name, wanted[on, 1])
    return loss, (position.argmax(-1) == wanted[on, 0]).float()
