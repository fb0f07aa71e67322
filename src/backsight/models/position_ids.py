"""Position ids: where the language model is told that each token stands, and how to tell it something else.

The ids are what rotary positions are made from. Tokens, their order and the attention mask stay as they are when the
ids change, so that what changes then changes through the rotary positions and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from backsight.errors import CannotAnswer, UsageError
from backsight.grid import TokenGrid
from backsight.models import blocks
from backsight.models.prompts import POSITIONS, Batch
from backsight.models.seam import Seam
from backsight.models.sites import Edit

Axis = Literal["row", "column"]
TOLERANCE = {True: 1e-3, False: 0.05}  # relative, of keys in float32 and in shorter dtypes


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


def moved(batch: Batch, ids: Tensor, step: Sequence[Sequence[int]]) -> Tensor:
    """Position ids with a `step` added to those of every image token: for each prompt one number an axis of ids."""
    added = torch.tensor(step, dtype=ids.dtype, device=ids.device).T[..., None]
    return torch.where(batch.image_mask, ids + (added if ids.ndim == 3 else added[0]), ids)


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


def turning(
    vlm: Seam, grids: Sequence[TokenGrid], cells: tuple[int, int], signs: Sequence[Tensor] | None = None
) -> tuple[Edit, ...]:
    """Edits that turn the keys of image tokens by so many cells (rows, columns), and no query.

    A turn by p and one by d are a turn by p + d, so that no key is made again: R(p + d) k = R(d) R(p) k. `signs`, a
    tensor (image_token, pair of features) of 1 and -1 a picture, turn each pair of each token by the same angle to
    either side: each key moves as far, to no one position.
    """
    check(vlm)
    parts = []
    for grid in grids:
        rows, columns = (torch.tensor(steps(vlm, grid, axis)) for axis in ("row", "column"))  # type: ignore[arg-type]
        parts.append((cells[0] * rows + cells[1] * columns)[:, None].expand(-1, len(grid)))
    ids = torch.cat(parts, 1).to(vlm.device)[:, None]
    ids = ids if vlm.family.rotary.language == "sections" else ids[0]
    kinds, edits = blocks.rotary_kinds(vlm.parts.decoder), []
    for kind in dict.fromkeys(kinds):
        cosine, sine = (one[0] for one in blocks.turns(vlm.parts.decoder, ids, kind))
        if signs is not None:
            sign = torch.cat(list(signs)).to(sine)
            sine = sine * torch.cat([sign, sign], 1)
        layers = tuple(index for index, one in enumerate(kinds) if one == kind)
        edits.append(Edit("keys", partial(rotated, cosine=cosine, sine=sine), layers, "image"))
    return tuple(edits)


def pairs(vlm: Seam) -> int:
    """How many pairs of features of a key are turned."""
    check(vlm)
    kind = blocks.rotary_kinds(vlm.parts.decoder)[0]
    axes = (3, 1, 1) if vlm.family.rotary.language == "sections" else (1, 1)
    ids = torch.zeros(axes, dtype=torch.long, device=vlm.device)
    return int(blocks.turns(vlm.parts.decoder, ids, kind)[0].shape[-1]) // 2


def rotated(keys: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Keys (row, key_value_head, head_dim) turned by angles (row, features) whose cosine and sine these are.

    Feature i turns with feature i + features / 2; features behind those that have an angle stay.
    """
    width = cosine.shape[-1]
    part = keys[..., :width].float()
    one, other = part.chunk(2, -1)
    new = part * cosine[:, None] + torch.cat([-other, one], -1) * sine[:, None]
    return torch.cat([new.to(keys.dtype), keys[..., width:]], -1)


def confirm(vlm: Seam, keys: Tensor, others: Tensor, step: Tensor) -> None:
    """CannotAnswer unless keys that are turned by a step are those that position ids moved by it gave.

    `keys` and `others` (row, key_value_head, head_dim) are of the first decoder block, whose keys depend on embeddings
    and ids only; `step` is (axis, row) or (row,), the difference of the ids.
    """
    ids = step[..., None, :]
    cosine, sine = (one[0] for one in blocks.turns(vlm.parts.decoder, ids, blocks.rotary_kinds(vlm.parts.decoder)[0]))
    gap = float((rotated(keys, cosine, sine) - others).abs().max() / others.abs().max())
    if gap > TOLERANCE[vlm.dtype == torch.float32]:
        raise CannotAnswer(
            "Keys turned by a step are not those of position ids moved by it",
            got=f"{vlm.family.name}, off by {gap:.1e}",
        )
