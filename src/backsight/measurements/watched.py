"""The attention of one forward pass, reduced while it runs: a layer's weights stand in memory, and no two layers'.

What is kept of a layer is the attention of one query a prompt (of its last position, or the mean over its question's
tokens), and the same of uniform attention over what those queries see. Both are distributions over positions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from backsight.maths.attention import Floats, Prompt, parts_of
from backsight.measurements import memory
from backsight.models.facts import Sizes
from backsight.models.prompts import Batch
from backsight.models.vlm import VLM

Queries = Literal["last", "question"]
QUERIES: tuple[Queries, ...] = ("last", "question")


@dataclass(frozen=True)
class Layer:
    """Of one layer: attention (batch, head, position), and that of uniform attention (batch, position)."""

    attention: Floats
    uniform: Floats


@dataclass(frozen=True)
class Watched:
    """What a forward pass of a batch attends to. A layer without attention weights is not among `layers`."""

    prompts: tuple[Prompt, ...]
    layers: dict[int, Layer]


def watched(vlm: VLM, batch: Batch, queries: Queries) -> tuple[Tensor, Watched]:
    """Next-token logits (batch, vocabulary) of one forward pass, and its attention."""
    watcher = Watcher(batch, queries)
    with vlm.watching(watcher):
        logits = vlm.forward(batch)
    return logits, watcher.watched


class Watcher:
    """Reduces each layer's attention as it passes by."""

    def __init__(self, batch: Batch, queries: Queries) -> None:
        image, seen = batch.image_mask.cpu().numpy(), batch.attention_mask.bool().cpu().numpy()
        prompts = tuple(parts_of(one, there) for one, there in zip(image, seen, strict=True))
        self.watched = Watched(prompts, {})
        length = image.shape[1]
        self._start = length - 1
        if queries == "question":
            self._start = min(int(prompt.question.nonzero()[0][0]) for prompt in prompts)
        asking = torch.zeros(len(prompts), length - self._start, dtype=torch.float32)
        asking[:, -1] = 1.0  # prompts are padded on the left
        if queries == "question":
            asking = torch.stack([torch.from_numpy(prompt.question[self._start :]).float() for prompt in prompts])
        self._asking = asking / asking.sum(1, keepdim=True)

    def __call__(self, layer: int, weights: Tensor) -> None:
        """Keep what is wanted of the weights (batch, head, query, key) of a layer.

        A position counts as seen where any head gives it weight: what a mask hides has exactly none.
        """
        rows = weights[:, :, self._start :].float()
        asking = self._asking.to(rows.device)
        attention = torch.einsum("bhqk,bq->bhk", rows, asking)
        seen = (rows > 0).any(1).float()
        uniform = torch.einsum("bqk,bq->bk", seen / seen.sum(-1, keepdim=True).clamp(min=1), asking)
        self.watched.layers[layer] = Layer(attention.double().cpu().numpy(), uniform.double().cpu().numpy())


def bytes_each(sizes: Sizes, queries: Queries) -> int:
    """The bytes that one watched prompt takes at most: a forward with its scores in memory, one layer's reduced rows,
    and the reduced rows of all layers."""
    eager = replace(sizes, text=replace(sizes.text, eager=True))
    rows = sizes.tokens if queries == "question" else 1
    reduced = sizes.text.heads * rows * sizes.tokens * (memory.FLOAT + 1)
    kept = sizes.text.layers * (sizes.text.heads + 1) * sizes.tokens * 2 * memory.FLOAT
    return memory.forward(eager) + reduced + kept
