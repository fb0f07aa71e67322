"""The contract of the token grid: where a picture is changed is where its image tokens change.

A grid that is transposed, flipped or shifted by one gives every strip, box and probe the wrong tokens, and nothing
else would show it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from backsight.examples import MemoryPicture
from backsight.grid import Box
from backsight.models.findings import Finding

if TYPE_CHECKING:
    from backsight.models.vlm import VLM


def grid(vlm: VLM, *, cells: int) -> Finding:
    """Of a picture with one cell changed at a time, the tokens' relative changes fit the grid better than its rivals.

    Rivals are the transpose, both flips, the half turn and the shifts by one. A tie is a warning, a better rival a
    failure.
    """
    picture = MemoryPicture(Image.new("RGB", vlm.prompter.native_size(), (128, 128, 128)))
    layout = vlm.grid_of(picture)
    rows, columns = layout.rows, layout.columns
    rng = np.random.default_rng(1)
    chosen = rng.permutation(rows * columns)
    middle = {(r, c) for r in (rows // 2, (rows - 1) // 2) for c in (columns // 2, (columns - 1) // 2)}
    chosen = np.array(
        [i for i in chosen if divmod(int(i), columns) not in middle and i // columns != i % columns][:cells]
    )
    pictures = [picture.open(), *(_with_cell(picture.open(), Box(*layout.box[i])) for i in chosen)]
    base, *others = _image_embeds(vlm, pictures)
    shares = []
    for changed in others:
        change = (changed - base).norm(dim=-1) / base.norm(dim=-1).clamp_min(1e-9)
        shares.append((change / change.sum().clamp_min(1e-12)).view(rows, columns).float().cpu().numpy())
    fits = {name: _fit(shares, chosen, columns, move) for name, move in _rivals(rows, columns).items()}
    own = fits.pop("grid")
    best = max(fits, key=lambda name: fits[name])
    detail = f"share of change at the named cell {own:.3f}; best rival ({best}) {fits[best]:.3f}"
    return Finding(
        "the token grid is right", own >= fits[best] > 0 or own > fits[best], detail, warning=own == fits[best]
    )


def _rivals(rows: int, columns: int) -> dict[str, Callable[[int, int], tuple[int, int]]]:
    found: dict[str, Callable[[int, int], tuple[int, int]]] = {
        "grid": lambda r, c: (r, c),
        "flipped left to right": lambda r, c: (r, columns - 1 - c),
        "flipped top to bottom": lambda r, c: (rows - 1 - r, c),
        "turned by half": lambda r, c: (rows - 1 - r, columns - 1 - c),
        "transposed": lambda r, c: divmod(c * rows + r, columns),
        "shifted left": lambda r, c: (r, c - 1),
        "shifted right": lambda r, c: (r, c + 1),
        "shifted up": lambda r, c: (r - 1, c),
        "shifted down": lambda r, c: (r + 1, c),
    }
    return found


def _fit(shares: list[Any], chosen: Any, columns: int, move: Callable[[int, int], tuple[int, int]]) -> float:
    """The mean share of a picture's change that falls on the token which a rival names."""
    total = 0.0
    for share, index in zip(shares, chosen, strict=True):
        row, column = move(*divmod(int(index), columns))
        if 0 <= row < share.shape[0] and 0 <= column < share.shape[1]:
            total += float(share[row, column])
    return total / max(1, len(shares))


def _with_cell(image: Image.Image, box: Box) -> Image.Image:
    """The picture with noise in one cell, around the ground's gray.

    Noise of full contrast is nothing that a small trained encoder has seen: all of its tokens may answer to it.
    """
    width, height = max(1, round(box.width)), max(1, round(box.height))
    noise = np.random.default_rng(2).integers(64, 193, (height, width, 3), dtype=np.uint8)
    image.paste(Image.fromarray(noise), (round(box.left), round(box.top)))
    return image


def _image_embeds(vlm: VLM, images: list[Image.Image]) -> Tensor:
    """Image tokens as they enter the language model, (image, token, d_model)."""
    pixels = {k: v.to(vlm.device) for k, v in vlm.prompter.pixels(images).items() if isinstance(v, Tensor)}
    pixels["pixel_values"] = pixels["pixel_values"].to(vlm.dtype)
    known = ("pixel_values", "image_grid_thw")
    with torch.no_grad():
        output = vlm.model.base_model.get_image_features(
            **{k: pixels[k] for k in known if k in pixels}, return_dict=True
        )
    features = output.pooler_output
    stacked: Tensor = torch.stack(list(features)) if not isinstance(features, Tensor) else features
    return stacked.view(len(images), -1, stacked.shape[-1])
