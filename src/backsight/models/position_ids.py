"""Position ids: where the language model is told that each token stands, and how to tell it something else.

The ids are what rotary positions are made from. Tokens, their order and the attention mask stay as they are when the
ids change, so that what changes then changes through the rotary positions and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from backsight.errors import CannotAnswer, UsageError
from backsight.grid import TokenGrid
from backsight.models import blocks
from backsight.models.prompts import POSITIONS, Batch
from backsight.models.seam import Seam

Axis = Literal["row", "column"]


def check(vlm: Seam) -> None:
    """CannotAnswer where the language model has no rotary positions that ids could change."""
    if blocks.rotary(vlm.parts.decoder) is None:
        raise CannotAnswer("The language model has no rotary positions", got=vlm.family.name)
    if vlm.family.rotary.language == "sections" and not hasattr(vlm.parts.base, "get_rope_index"):
        raise CannotAnswer("The position ids of this architecture are not known", got=vlm.family.name)


def default(vlm: Seam, batch: Batch) -> Tensor:
    """The position ids of a plain call of a batch: (axis, batch, position) with axes time, row and column where rotary
    features are shared among them, else (batch, position). A call with them gives the same logits exactly.

    One-dimensional ids count padding on the left too, as transformers does. CannotAnswer where there are none.
    """
    check(vlm)
    if vlm.family.rotary.language == "sections":
        named = {k: v for k, v in batch.inputs.items() if k in ("image_grid_thw", *vlm.family.type_ids)}
        ids: Tensor = vlm.parts.base.get_rope_index(  # type: ignore[operator]
            batch.input_ids, attention_mask=batch.attention_mask, **named
        )[0]
        return ids
    rows, length = batch.input_ids.shape
    first = vlm.family.rotary.first
    return torch.arange(first, first + length, device=batch.input_ids.device).expand(rows, -1).clone()


def with_ids(batch: Batch, ids: Tensor) -> Batch:
    """The batch with position ids (axis, batch, position) or (batch, position) of its own, to run or to record.

    UsageError where they do not fit the prompts.
    """
    if ids.shape[-2:] != batch.input_ids.shape or ids.ndim not in (2, 3):
        raise UsageError(
            "Position ids must fit the prompts",
            got=tuple(ids.shape), do=f"give (..., batch, position) with {tuple(batch.input_ids.shape)}",
        )  # fmt: skip
    return replace(batch, inputs={**batch.inputs, POSITIONS: ids})


def exchanged(batch: Batch, ids: Tensor, orders: Sequence[Sequence[int] | np.ndarray]) -> Tensor:
    """Position ids in which image token i of each prompt has those of image token `order[i]`, an order a prompt.

    Text tokens keep theirs. UsageError where an order is no permutation of a prompt's image tokens.
    """
    new = ids.clone()
    if len(orders) != len(batch):
        raise UsageError("Not one order for each prompt", got=len(orders), do=f"give {len(batch)}")
    for row, order in enumerate(orders):
        image = batch.image_mask[row].nonzero().flatten()
        taken = torch.as_tensor(np.asarray(order), dtype=torch.long, device=image.device)
        if not torch.equal(taken.sort().values, torch.arange(len(image), device=image.device)):
            raise UsageError(
                "An order of image tokens must be a permutation of them",
                where=f"example {batch.examples[row].id}", got=f"{len(taken)} numbers",
                do=f"give each of 0 to {len(image) - 1} once",
            )  # fmt: skip
        new[..., row, image] = ids[..., row, image[taken]]
    return new


def moved(batch: Batch, ids: Tensor, order: Sequence[int | Sequence[int]] | Tensor) -> Tensor:
    """Position ids with `order` added to those of every image token: one number, or one an axis."""
    step = torch.as_tensor(order, dtype=ids.dtype, device=ids.device)
    step = step if ids.ndim == 2 else step.view(-1, 1, 1)
    return torch.where(batch.image_mask, ids + step, ids)


def mirror(grid: TokenGrid, axis: Axis) -> np.ndarray:
    """The order of a grid's tokens (image_token,) that exchanges its columns, or rows, with those across the middle.

    Along the other axis every token keeps its coordinate; a token in the middle keeps both.
    """
    rows, columns = grid.row, grid.column
    if axis == "column":
        columns = grid.columns - 1 - columns
    else:
        rows = grid.rows - 1 - rows
    return np.asarray(rows * grid.columns + columns)


def mirrored(batch: Batch, ids: Tensor, axis: Axis) -> Tensor:
    """Position ids with the picture's columns (or rows) mirrored: column c has the coordinates of W - 1 - c."""
    return exchanged(batch, ids, [mirror(grid, axis) for grid in batch.grids])


def steps(vlm: Seam, grid: TokenGrid, axis: Axis) -> tuple[int, ...]:
    """What is added to an image token's ids, an axis of ids each, for one cell down (row) or to the right (column).

    Where ids count tokens in raster order, a column is one position and a row a whole row of them.
    """
    if vlm.family.rotary.language == "sections":
        return (0, 1, 0) if axis == "row" else (0, 0, 1)
    return (grid.columns if axis == "row" else 1,)
