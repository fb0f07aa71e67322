"""Scenes with captions: coloured shapes anywhere, what each is called, and the caption of the whole picture.

A caption names what there is; `positions` adds where each thing stands, in ninths of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backsight.grid import Box
from backsight.stimuli import rows, scattered
from backsight.stimuli.layouts import Layout
from backsight.stimuli.render import render
from backsight.stimuli.scene import Scene

GRID = Layout(8, 8, 14, 1, 1)  # 8 x 8 image tokens of 14 px
SIDE = GRID.size[0]
KINDS = tuple(rows.SHAPE_OF.values())
NAMES = tuple(f"{color} {kind}" for color in rows.COLORS for kind in KINDS)
FEWEST, MOST = 1, 4  # things in a scene
SIZES = (1, 2)  # cells, times 0.65 to 1.3 (`stimuli.scattered`)
TEXTURED = 0.3
_ACROSS = ("left", "middle", "right")
_DOWN = ("top", "center", "bottom")


@dataclass(frozen=True)
class Batch:
    """Captioned scenes. `named` (scene, thing) are indices into NAMES and `boxes` (scene, thing, 4) left, top, right
    and bottom as shares of the picture, both of `MOST` things; `there` (scene, thing) is false where a scene has fewer.
    `contents` numbers scenes by what is in them, whatever the order: equal numbers are equal captions.
    """

    pixels: Tensor
    captions: tuple[str, ...]
    contents: Tensor
    named: Tensor
    boxes: Tensor
    there: Tensor


def described(name: str) -> str:
    """The text of a region, as the captions name it."""
    return f"a {name}"


def where(box: Box) -> str:
    """The ninth of the picture that a box's centre lies in, such as "top left"."""
    x, y = box.center
    return f"{_DOWN[min(2, int(3 * y / SIDE))]} {_ACROSS[min(2, int(3 * x / SIDE))]}"


def caption(scene: Scene, *, positions: bool = False) -> str:
    """The caption of a scene: "a red square, a blue circle and a black star"."""
    parts = [
        described(figure.name) + (f" at the {where(figure.box)}" if positions else "") for figure in scene.named
    ]  # fmt: skip
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def scene(
    rng: np.random.Generator, *, count: int | None = None, names: tuple[str, ...] = (), textured: float = TEXTURED
) -> Scene:
    """A scene of the named things, or of `count` different ones (default: one to four), anywhere, none touching
    another.
    """
    while True:
        chosen = names
        if not names:
            things = int(rng.integers(FEWEST, MOST + 1)) if count is None else count
            chosen = tuple(NAMES[int(k)] for k in rng.choice(len(NAMES), things, replace=False))
        cells = int(rng.choice(SIZES))
        ground: scattered.Ground = "textured" if rng.random() < textured else "plain"
        layout = Layout(GRID.rows, GRID.columns, GRID.cell, cells, cells)
        drawn = scattered.scattered(chosen, layout, rng, ground=ground)
        if drawn is not None:
            return drawn


def batch(key: Sequence[int], images: int, *, count: int | None = None, positions: bool = False) -> Batch:
    """`images` captioned scenes, a function of the key alone."""
    rng = np.random.default_rng(list(key))
    return of_scenes([scene(rng, count=count) for _ in range(images)], positions=positions)


def of_scenes(scenes: Sequence[Scene], *, positions: bool = False) -> Batch:
    """The batch of given scenes."""
    named = torch.zeros(len(scenes), MOST, dtype=torch.long)
    boxes = torch.zeros(len(scenes), MOST, 4)
    there = torch.zeros(len(scenes), MOST, dtype=torch.bool)
    for i, one in enumerate(scenes):
        for k, figure in enumerate(one.named):
            box = figure.box
            named[i, k], there[i, k] = NAMES.index(figure.name), True
            boxes[i, k] = torch.tensor([box.left, box.top, box.right, box.bottom]) / SIDE
    captions = tuple(caption(one, positions=positions) for one in scenes)
    known: dict[Any, int] = {}
    keys = [
        frozenset((figure.name, where(figure.box) if positions else "") for figure in one.named) for one in scenes
    ]  # fmt: skip
    contents = torch.tensor([known.setdefault(key, len(known)) for key in keys])
    return Batch(pixels([render(one) for one in scenes]), captions, contents, named, boxes, there)


def pixels(images: Sequence[Any]) -> Tensor:
    """Pictures as SigLIP takes them, (scene, 3, height, width) from -1 to 1."""
    stacked = torch.from_numpy(np.stack([np.asarray(image) for image in images]))
    return stacked.permute(0, 3, 1, 2).float() / 127.5 - 1


def corpus() -> list[str]:
    """Every text that a caption is made of, so that each word is one token."""
    words = [*rows.COLORS, *KINDS, *_ACROSS, *_DOWN, "a", "at", "the", "and"]
    ends = [f"{kind}," for kind in KINDS] + [f"{across}," for across in _ACROSS]
    return [form for word in [*words, *ends] for form in (word, f" {word}")]
