"""A picture with one compass sector around a reference filled, for the causal occlusion score (CREG, section 4).

What the paper leaves unsaid is a field of `Occlusion`: how far a sector reaches, whether the boxes of subject and
reference are spared, whether sectors are matched for area, and what fills them.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from backsight.grid import Box
from backsight.pictures import Picture

Fill = Literal["gray", "mean", "blur", "noise"]
GRAY = 128
FEWEST = 0.02  # share of the picture
BLUR = 0.08  # radius of the blur as a share of the picture's shorter side


@dataclass(frozen=True)
class Sectors:
    """The sectors of a picture of `size` (width, height) around a reference, as masks of pixels.

    Sector k of `count` is centred at k * 360 / count degrees, counted from the right and upwards; a pixel belongs to
    the sector that its centre lies in. `reach` is a length in pixels, None for the picture's edge. `spared` boxes
    belong to no sector. `matched` keeps of every sector as many pixels as the smallest one has, the nearest first; what
    holds less than a fiftieth of the picture is no measure for the others and is left as it is.
    """

    size: tuple[int, int]
    center: tuple[float, float]
    count: int = 8
    reach: float | None = None
    spared: tuple[Box, ...] = ()
    matched: bool = False

    def masks(self) -> NDArray[np.bool_]:
        """(sector, row, column) in pixels; no pixel is in two sectors. Not to be written to."""
        return _masks(self)


@lru_cache(maxsize=32)  # a batch's, each asked for once a sector
def _masks(of: Sectors) -> NDArray[np.bool_]:
    width, height = of.size
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    dx, dy = x - of.center[0], y - of.center[1]
    distance = np.hypot(dx, dy)
    inside = np.ones((height, width), dtype=bool) if of.reach is None else distance <= of.reach
    for box in of.spared:
        inside &= ~((x >= box.left) & (x < box.right) & (y >= box.top) & (y < box.bottom))
    sector = np.floor(np.degrees(np.arctan2(-dy, dx)) / (360 / of.count) + 0.5).astype(int) % of.count
    hidden = (sector == np.arange(of.count)[:, None, None]) & inside
    return _nearest(hidden, distance) if of.matched else hidden


def _nearest(masks: NDArray[np.bool_], distance: NDArray[np.float64]) -> NDArray[np.bool_]:
    areas = masks.sum((1, 2))
    keep = int(areas[areas >= FEWEST * masks[0].size].min(initial=masks[0].size))
    nearest = np.zeros_like(masks)
    for mask, kept in zip(masks, nearest, strict=True):
        pixels = np.flatnonzero(mask)
        order = pixels[np.argsort(distance.ravel()[pixels], kind="stable")][:keep]
        kept.ravel()[order] = True
    return nearest


@dataclass(frozen=True)
class OccludedPicture(Picture):
    """A picture with one sector filled: gray, the picture's mean colour, a blur of itself, or noise."""

    original: Picture
    sectors: Sectors
    sector: int
    fill: Fill = "gray"

    @property
    def id(self) -> str:
        return f"{self.original.id}-{self.fill}-{self.sector}-{zlib.crc32(repr(self.sectors).encode()):08x}"

    @property
    def size(self) -> tuple[int, int]:
        return self.original.size

    def open(self) -> Image.Image:
        image = self.original.open()
        mask = Image.fromarray(self.sectors.masks()[self.sector].astype(np.uint8) * 255)
        return Image.composite(self._filling(image), image, mask)

    def _filling(self, image: Image.Image) -> Image.Image:
        if self.fill == "blur":
            return image.filter(ImageFilter.GaussianBlur(BLUR * min(image.size)))
        if self.fill == "noise":
            rng = np.random.default_rng(zlib.crc32(self.original.id.encode()))
            return Image.fromarray(rng.integers(0, 256, (image.height, image.width, 3), dtype=np.uint8))
        mean = (GRAY,) * 3 if self.fill == "gray" else np.asarray(image).mean((0, 1)).round().astype(int).tolist()
        return Image.new("RGB", image.size, tuple(mean))
