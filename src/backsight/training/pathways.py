"""The two pathways by which position reaches the answer, and training with one of them ablated.

What the vision encoder writes into the image tokens is the first pathway, the language model's position encoding the
second. `shuffled` puts each picture's image tokens in a random order on their way into the language model, which
ablates the second. `cells` takes each cell through the vision encoder by itself, which ablates the first. `background`
leaves the first to the tokens of the ground alone (`training.background`); `exchanged` acts inside the language
model (`training.exchange`), and `reversible` shows the same rows without it.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from backsight.models import embeds
from backsight.training.packing import Packed

Pathway = Literal["plain", "shuffled", "cells", "background", "exchanged", "reversible"]


def inputs(
    model: Any, packed: Packed, pathway: Literal["shuffled", "cells"], rng: np.random.Generator
) -> dict[str, Tensor]:
    """The arguments of a packed step with one pathway ablated; gradients reach the vision encoder."""
    pixels, grid = packed.inputs["pixel_values"], packed.inputs["image_grid_thw"]
    if pathway == "cells":
        return with_features(model, packed, embeds.single_cells(model, pixels))
    return with_features(model, packed, shuffled(embeds.features(model, pixels, grid), len(grid), rng))


def shuffled(features: Tensor, images: int, rng: np.random.Generator) -> Tensor:
    """Image embeddings (image_token, d_model) with the tokens of each picture in a random order of its own."""
    by_image = features.view(images, -1, features.shape[-1])
    order = torch.from_numpy(np.stack([rng.permutation(by_image.shape[1]) for _ in range(images)]))
    return torch.gather(by_image, 1, order[:, :, None].expand_as(by_image)).flatten(0, 1)


def with_features(model: Any, packed: Packed, features: Tensor) -> dict[str, Tensor]:
    """The arguments of a packed step with these image embeddings in place of those of its pictures."""
    given = {k: v for k, v in packed.inputs.items() if k not in ("pixel_values", "image_grid_thw", "input_ids")}
    ids = packed.inputs["input_ids"]
    text = model.get_input_embeddings()(ids)
    at = (ids == model.config.image_token_id)[:, :, None].expand_as(text)
    return {**given, "inputs_embeds": text.masked_scatter(at, features)}
