"""Pixel values as an image processor gives them, bit for bit, in less time.

A processor ends by rescaling and normalising in numpy: for pictures of 896 x 896 that takes longer than a small model.
Here it is asked for levels of 0 to 255, and the arithmetic is done in place. Whether that gives the very same bits is
tried on a picture of noise; a processor for which it does not is left to itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

CHANNELS = 3
NAME = "pixel_values"


@dataclass(frozen=True)
class Arithmetic:
    """A processor's last two steps. `mean` and `std` are (channel, 1); pictures of `size` (width, height) stay so."""

    size: tuple[int, int] | None
    highest: float
    mean: Tensor
    std: Tensor

    def arguments(self, images: Sequence[Image.Image]) -> dict[str, bool]:
        """How to ask the processor for levels instead of values."""
        asked = {"do_rescale": False, "do_normalize": False}
        return asked | ({"do_resize": False} if all(image.size == self.size for image in images) else {})

    def finished(self, processed: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The processor's output with values for levels, of which a row holds all of one channel after another."""
        levels = processed[NAME]
        values = levels.reshape(len(levels), CHANNELS, -1).to(self.mean.dtype, copy=True)
        values = values.div_(self.highest).sub_(self.mean).div_(self.std)
        return {**processed, NAME: values.reshape(levels.shape)}


def read(processor: Any, size: tuple[int, int]) -> Arithmetic | None:
    """The arithmetic of an image processor, tried on a picture of `size`; None where it does something else.

    The processor's settings are read here: they must not change afterwards.
    """
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (size[1], size[0], CHANNELS), dtype=np.uint8))
    whole: Tensor = processor([noise], return_tensors="pt")[NAME]
    for unchanged in (size, None):  # it may resize pictures of this size
        try:
            mean, std = (
                torch.tensor(given, dtype=whole.dtype)[:, None] for given in (processor.image_mean, processor.image_std)
            )
            arithmetic = Arithmetic(unchanged, float(round(1 / processor.rescale_factor)), mean, std)
            processed = dict(processor([noise], return_tensors="pt", **arithmetic.arguments([noise])))
            if torch.equal(arithmetic.finished(processed)[NAME], whole):
                return arithmetic
        except (AttributeError, ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
            continue  # a processor of its own kind, which cannot be asked so
    return None
