"""Training in which the answer can be read only from what stands in the image tokens at one decoder block.

At the input of block S the image tokens of each picture change places (`mixed`), so the blocks from S on cannot tell
by position encoding which token stood where: they read what blocks below S and the vision encoder wrote into it.
`relayed` closes the other way as well: below S no text token sees an image token.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backsight.training.packing import Packed
from backsight.training.pathways import Pathway


@contextmanager
def closed(model: Any, packed: Packed, pathway: Pathway, block: int, rng: np.random.Generator) -> Iterator[None]:
    """Close in the language model what `relayed` and `mixed` close; any other pathway leaves it as it is."""
    if pathway not in ("relayed", "mixed"):
        yield
        return
    image = packed.inputs["input_ids"] == model.config.image_token_id
    blind = ~(~image[:, None, :, None] & image[:, None, None, :])  # false where a text token would see an image token
    order = torch.from_numpy(np.stack([rng.permutation(int(row.sum())) for row in image]))

    def mix(_: Any, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        states = given[0]
        by_image = states[image].view(len(image), -1, states.shape[-1])
        moved = torch.gather(by_image, 1, order[:, :, None].expand_as(by_image)).flatten(0, 1)
        return (states.masked_scatter(image[:, :, None].expand_as(states), moved), *given[1:])

    def blinded(_: Any, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return given, {**named, "attention_mask": named["attention_mask"] & blind}

    layers = model.get_decoder().layers
    handles = [layers[block].register_forward_pre_hook(mix)]
    if pathway == "relayed":
        handles += [layers[i].register_forward_pre_hook(blinded, with_kwargs=True) for i in range(block)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
