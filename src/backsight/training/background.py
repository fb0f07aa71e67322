"""Training in which order can be read from the ground alone.

Each thing's image tokens come from a picture in which that thing stands isolated in the centre, all others from the
picture itself. So what a thing's tokens carry says what it is and nothing of where it stands. With the tokens shuffled
on their way into the language model, order is left to what the vision encoder writes into the ground.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from backsight.models import embeds
from backsight.stimuli.layouts import Layout
from backsight.training import positions
from backsight.training.packing import Packer
from backsight.training.questions import Asked


def features(model: Any, packer: Packer, asked: Sequence[Asked], layout: Layout) -> Tensor:
    """Image embeddings (image_token, d_model) of rows of three, each thing's own from a picture of it isolated."""
    isolated = [isolate(one, number, layout) for one in asked for number in range(3)]
    pictures = [one.image for one in asked] + [image for image, _ in isolated]
    pixels = packer.processor.image_processor(pictures, return_tensors="pt")
    every = embeds.features(model, pixels["pixel_values"], pixels["image_grid_thw"])
    every = every.view(len(pictures), layout.rows * layout.columns, -1)
    rows, centred = every[: len(asked)].clone(), every[len(asked) :]
    for i, one in enumerate(asked):
        standing = positions.owners(one, layout)
        for number in range(3):
            tokens = np.flatnonzero(standing == number)
            rows[i, tokens] = centred[3 * i + number, tokens + isolated[3 * i + number][1]]
    return rows.flatten(0, 1)


def isolate(asked: Asked, number: int, layout: Layout) -> tuple[Image.Image, int]:
    """One thing of a row alone, moved by whole cells to the centre, and by how many image tokens it was moved."""
    assert asked.row is not None
    box, (width, height) = asked.row[1][number][1], layout.size
    x, y = box.center
    columns, rows = round((width / 2 - x) / layout.cell), round((height / 2 - y) / layout.cell)
    pixels = np.asarray(asked.image.convert("RGB"))
    alone = np.empty_like(pixels)
    alone[:] = pixels[0, 0]
    left, top, right, bottom = (round(side) for side in (box.left, box.top, box.right, box.bottom))
    dx, dy = columns * layout.cell, rows * layout.cell
    alone[top + dy : bottom + dy, left + dx : right + dx] = pixels[top:bottom, left:right]
    return Image.fromarray(alone), rows * layout.columns + columns
