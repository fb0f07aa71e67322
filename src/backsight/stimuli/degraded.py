"""Pictures that are harder to read, so that there are failures to repair: noise, and low contrast."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from PIL import Image

from backsight.examples import Example, ExampleSet, Picture

Damage = Literal["noise", "contrast"]
# Standard deviation of the noise in levels of 255; share of the contrast that is left, around middle gray.
STRENGTHS: Mapping[Damage, tuple[float, ...]] = {"noise": (40, 80, 120), "contrast": (0.4, 0.2, 0.1)}
STRONG: Mapping[Damage, tuple[float, ...]] = {"contrast": (0.1, 0.05)}


@dataclass(frozen=True)
class DegradedPicture(Picture):
    """Another picture with Gaussian noise added, or with its contrast lowered. Equal parameters give equal pixels."""

    original: Picture
    damage: Damage
    strength: float

    @property
    def id(self) -> str:
        return f"{self.original.id}-{self.damage}-{self.strength:g}"

    @property
    def size(self) -> tuple[int, int]:
        return self.original.size

    def open(self) -> Image.Image:
        pixels = np.asarray(self.original.open().convert("RGB"), dtype=float)
        if self.damage == "noise":
            rng = np.random.default_rng(zlib.crc32(self.id.encode()))
            pixels = pixels + rng.normal(0, self.strength, pixels.shape)
        else:
            pixels = 128 + (pixels - 128) * self.strength
        return Image.fromarray(np.clip(np.round(pixels), 0, 255).astype(np.uint8))


def degraded(
    examples: ExampleSet, *, seed: int = 0, strengths: Mapping[Damage, tuple[float, ...]] = STRENGTHS
) -> ExampleSet:
    """The same questions about degraded pictures, each picture with one damage and strength drawn for it."""
    choices = [(damage, strength) for damage, of in strengths.items() for strength in of]
    items: list[Example] = []
    for example in examples:
        damage, strength = choices[zlib.crc32(f"{seed}:{example.image_id}".encode()) % len(choices)]
        picture = DegradedPicture(example.picture, damage, strength)
        tags = {**example.tags, "damage": f"{damage} {strength:g}"}
        suite = f"degraded_{examples.name}"
        items.append(
            replace(example, id=f"{example.id}-{damage}-{strength:g}", picture=picture, suite=suite, tags=tags)
        )
    return replace(examples, name=f"degraded_{examples.name}", items=tuple(items), pair_makers={})
