"""The two pathways by which position reaches the answer, and training with one of them ablated.

What the vision encoder writes into the image tokens is the first pathway, the language model's position encoding the
second. `shuffled` puts each picture's image tokens in a random order on their way into the language model, which
ablates the second. `cells` takes each cell through the vision encoder by itself, which ablates the first.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from backsight.models import embeds
from backsight.training.packing import Packed

Pathway = Literal["plain", "shuffled", "cells"]


def inputs(model: Any, packed: Packed, pathway: Pathway, rng: np.random.Generator) -> dict[str, Tensor]:
    """The arguments of a packed step with one pathway ablated or none (`plain`); gradients reach the vision encoder."""
    if pathway == "plain":
        return packed.inputs
    given = dict(packed.inputs)
    pixels, grid = given.pop("pixel_values"), given.pop("image_grid_thw")
    ids, images = given.pop("input_ids"), len(grid)
    features = embeds.single_cells(model, pixels) if pathway == "cells" else embeds.features(model, pixels, grid)
    if pathway == "shuffled":
        features = features.view(images, -1, features.shape[-1])
        order = torch.from_numpy(np.stack([rng.permutation(features.shape[1]) for _ in range(images)]))
        features = torch.gather(features, 1, order[:, :, None].expand_as(features)).flatten(0, 1)
    text = model.get_input_embeddings()(ids)
    at = (ids == model.config.image_token_id)[:, :, None].expand_as(text)
    return {**given, "inputs_embeds": text.masked_scatter(at, features)}
