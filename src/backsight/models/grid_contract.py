"""The contract of the token grid: where a picture is changed is where its image tokens change.

A grid that is transposed, flipped or shifted by one gives every strip, box and probe the wrong tokens, and nothing
else would show it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from backsight.examples import MemoryPicture
from backsight.grid import Box, TokenGrid
from backsight.models.findings import Finding
from backsight.models.seam import Seam

NAME = "the token grid is right"
Move = Callable[[int, int, int, int], tuple[int, int]]  # row, column, rows, columns -> row, column
RIVALS: dict[str, Move] = {
    "flipped left to right": lambda r, c, rows, columns: (r, columns - 1 - c),
    "flipped top to bottom": lambda r, c, rows, columns: (rows - 1 - r, c),
    "turned by half": lambda r, c, rows, columns: (rows - 1 - r, columns - 1 - c),
    "transposed": lambda r, c, rows, columns: divmod(c * rows + r, columns),
    "shifted left": lambda r, c, rows, columns: (r, c - 1),
    "shifted right": lambda r, c, rows, columns: (r, c + 1),
    "shifted up": lambda r, c, rows, columns: (r - 1, c),
    "shifted down": lambda r, c, rows, columns: (r + 1, c),
}


def grid(vlm: Seam, *, cells: int) -> Finding:
    """Of a picture with one cell changed at a time, the tokens' relative changes fit the grid better than its rivals.

    Rivals are the transpose, both flips, the half turn and the shifts by one, each within a view, and the same cell of
    another view. A tie is a warning, a better rival a failure.
    """
    picture = MemoryPicture(Image.new("RGB", vlm.prompter.native_size(), (128, 128, 128)))
    tokens = vlm.grid_of(picture)
    chosen = _chosen(tokens, cells)
    pictures = [picture.open(), *(_with_cell(picture.open(), Box(*tokens.box[i])) for i in chosen)]
    embeds = _image_embeds(vlm, pictures)
    if embeds.shape[0] != len(pictures) * len(tokens):
        count = f"{embeds.shape[0]} image embeddings for {len(pictures)} pictures with grids of {len(tokens)} tokens"
        return Finding(NAME, False, count)
    base, *others = embeds.view(len(pictures), len(tokens), -1)
    shares = []
    for changed in others:
        change = (changed - base).norm(dim=-1) / base.norm(dim=-1).clamp_min(1e-9)
        shares.append((change / change.sum().clamp_min(1e-12)).float().cpu().numpy())
    own = _fit(shares, [int(i) for i in chosen])
    fits = {name: _fit(shares, named) for name, named in _rivals(tokens, chosen).items()}
    best = max(fits, key=lambda name: fits[name])
    detail = f"share of change at the named cell {own:.3f}; best rival ({best}) {fits[best]:.3f}"
    return Finding(NAME, own >= fits[best] > 0 or own > fits[best], detail, warning=own == fits[best])


def _sides(tokens: TokenGrid) -> dict[int, tuple[int, int]]:
    """Rows and columns of each view."""
    views = {int(view): tokens.view == view for view in np.unique(tokens.view)}
    return {view: (int(tokens.row[on].max()) + 1, int(tokens.column[on].max()) + 1) for view, on in views.items()}


def _chosen(tokens: TokenGrid, cells: int) -> list[int]:
    """Some cells at random that no rival leaves in place: off the middle and off the diagonal of their view."""
    sides = _sides(tokens)

    def tells(token: int) -> bool:
        row, column = int(tokens.row[token]), int(tokens.column[token])
        rows, columns = sides[int(tokens.view[token])]
        middle = row in (rows // 2, (rows - 1) // 2) and column in (columns // 2, (columns - 1) // 2)
        left, top, right, bottom = tokens.box[token]
        return tokens.kind[token] == "cell" and not middle and row != column and right > left and bottom > top

    order = np.random.default_rng(1).permutation(len(tokens))
    return [int(token) for token in order if tells(int(token))][:cells]


def _rivals(tokens: TokenGrid, chosen: list[int]) -> dict[str, list[int | None]]:
    """The token that each rival names for each of the chosen ones; None where it names none."""
    at = {
        (int(v), int(r), int(c)): i
        for i, (v, r, c) in enumerate(zip(tokens.view, tokens.row, tokens.column, strict=True))
    }
    sides = _sides(tokens)
    named: dict[str, list[int | None]] = {name: [] for name in RIVALS}
    for token in chosen:
        view, row, column = (int(part[token]) for part in (tokens.view, tokens.row, tokens.column))
        for name, move in RIVALS.items():
            named[name].append(at.get((view, *move(row, column, *sides[view]))))
    for step in range(1, len(sides)):
        named[f"{step} views further"] = [_in_view(tokens, at, list(sides), token, step) for token in chosen]
    return named


def _in_view(
    tokens: TokenGrid, at: dict[tuple[int, int, int], int], views: list[int], token: int, step: int
) -> int | None:
    """The same cell of a later view, in turn; None where it sees some of the token's own pixels, as a thumbnail may."""
    view = views[(views.index(int(tokens.view[token])) + step) % len(views)]
    other = at.get((view, int(tokens.row[token]), int(tokens.column[token])))
    return None if other is None or tokens.overlap(Box(*tokens.box[token]))[other] > 0 else other


def _fit(shares: list[Any], named: Sequence[int | None]) -> float:
    """The mean share of a picture's change that falls on the token which a rival names."""
    total = sum(float(share[token]) for share, token in zip(shares, named, strict=True) if token is not None)
    return total / max(1, len(shares))


def _with_cell(image: Image.Image, box: Box) -> Image.Image:
    """The picture with noise in one cell, around the ground's gray.

    Noise of full contrast is nothing that a small trained encoder has seen: all of its tokens may answer to it.
    """
    width, height = max(1, round(box.width)), max(1, round(box.height))
    noise = np.random.default_rng(2).integers(64, 193, (height, width, 3), dtype=np.uint8)
    image.paste(Image.fromarray(noise), (round(box.left), round(box.top)))
    return image


def _image_embeds(vlm: Seam, images: list[Image.Image]) -> Tensor:
    """Image tokens as they enter the language model, (image x token, d_model)."""
    pixels = {k: v.to(vlm.device) for k, v in vlm.prompter.pixels(images).items() if isinstance(v, Tensor)}
    pixels["pixel_values"] = pixels["pixel_values"].to(vlm.dtype)
    with torch.no_grad():
        return vlm.family.features(vlm.model, vlm.family.taken(pixels))
