"""A model as it takes pictures of another size than its own, by its architecture's own means.

Qwen2-VL lays a grid of its own over any picture, once its processor's bounds on pixels are lifted. A SigLIP encoder has
a table of positions for one size: it is interpolated bicubically to the new one, as transformers' own
`interpolate_pos_encoding` does, or given anew where it follows a formula. Gemma-3 gives that encoder to its projector,
which reads a square: where a token is one patch there is nothing to pool, and any rectangle will do. Additions that
count rows and columns are given the new grid: a relative bias keeps its farthest offset for those beyond it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from backsight.errors import CannotAnswer
from backsight.models.any_size import UNBOUNDED


class Unpooled(nn.Module):
    """Gemma-3's projector where a token is one patch: normed and projected, (picture, patch, d_vision) of any shape."""

    def __init__(self, projector: Any) -> None:
        super().__init__()
        self.norm, self.weight = projector.mm_soft_emb_norm, projector.mm_input_projection_weight

    def forward(self, states: Tensor) -> Tensor:
        """(picture, image_token, d_model)."""
        return torch.matmul(self.norm(states), self.weight).type_as(states)


@contextmanager
def of_size(model: Any, processor: Any, columns: int, rows: int, table: Tensor | None = None) -> Iterator[Any]:
    """The processor with which a model takes pictures of `columns` x `rows` image tokens, each one patch.

    `table` (rows * columns, d_vision) is a SigLIP encoder's at that size, where it is not to be interpolated. The model
    is as it was behind the context. CannotAnswer for an architecture of which it is not known how, and where a token is
    several patches.
    """
    kind = str(model.config.model_type)
    if kind == "qwen2_vl":
        yield _unbounded(model, processor)
    elif kind == "gemma3":
        with _tabled(model, columns, rows, table), _counted(model, columns, rows):
            yield _sized(model, processor, columns, rows)
    else:
        raise CannotAnswer("It is not known how this architecture takes pictures of another size", got=kind)


def _unbounded(model: Any, processor: Any) -> Any:
    merge = int(model.config.vision_config.spatial_merge_size)
    if merge != 1:
        raise CannotAnswer("A token is several patches", got=f"{merge} a side")
    other = copy.copy(processor)
    other.image_processor = copy.copy(processor.image_processor)
    other.image_processor.size = type(processor.image_processor.size)(**UNBOUNDED)
    return other


def _sized(model: Any, processor: Any, columns: int, rows: int) -> Any:
    """A processor that keeps pictures of that size as they are and has a token for each patch."""
    patch, tokens = int(model.config.vision_config.patch_size), int(model.config.mm_tokens_per_image)
    other = copy.copy(processor)
    other.image_processor = copy.copy(processor.image_processor)
    size = type(processor.image_processor.size)
    other.image_processor.size = size(height=rows * patch, width=columns * patch)
    other.image_seq_length = columns * rows
    one = processor.tokenizer.image_token
    other.full_image_sequence = processor.full_image_sequence.replace(one * tokens, one * (columns * rows))
    return other


@contextmanager
def _tabled(model: Any, columns: int, rows: int, table: Tensor | None) -> Iterator[None]:
    """The encoder with a table of that many positions, and a projector that pools nothing."""
    vision, tokens = model.config.vision_config, int(model.config.mm_tokens_per_image)
    if tokens != (int(vision.image_size) // int(vision.patch_size)) ** 2:
        raise CannotAnswer("A token is several patches", got=f"{tokens} tokens of a picture of {vision.image_size} px")
    embeddings, base = model.get_submodule("model.vision_tower.embeddings"), model.model
    own, order, projector = embeddings.position_embedding, embeddings.position_ids, base.multi_modal_projector
    new = interpolated(own.weight, columns, rows) if table is None else table.to(own.weight)
    embeddings.position_embedding = nn.Embedding(new.shape[0], new.shape[1], _weight=new, _freeze=True)
    embeddings.position_ids = torch.arange(columns * rows, device=order.device).expand(1, -1)
    base.multi_modal_projector = Unpooled(projector)
    try:
        yield
    finally:
        embeddings.position_embedding, embeddings.position_ids = own, order
        base.multi_modal_projector = projector


@contextmanager
def _counted(model: Any, columns: int, rows: int) -> Iterator[None]:
    """Additions that count rows and columns, with those of the new grid."""
    hung = getattr(model, "backsight_additions", None)
    counting = [] if hung is None else [one for one in hung.values() if hasattr(one, "grid")]
    before = [one.grid for one in counting]
    for one in counting:
        one.grid = (rows, columns)
    try:
        yield
    finally:
        for one, grid in zip(counting, before, strict=True):
            one.grid = grid


def interpolated(table: Tensor, columns: int, rows: int) -> Tensor:
    """A table of positions (side * side, d) at another size (rows * columns, d): itself at its own, else bicubic."""
    side = round(len(table) ** 0.5)
    if (columns, rows) == (side, side):
        return table.detach().clone()
    square = table.detach().view(1, side, side, -1).permute(0, 3, 1, 2)
    bent = nn.functional.interpolate(square, size=(rows, columns), mode="bicubic", align_corners=False)
    return bent.permute(0, 2, 3, 1).reshape(rows * columns, -1).contiguous()
