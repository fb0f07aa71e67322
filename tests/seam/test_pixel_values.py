"""Pixel values by our own arithmetic are those of the processor itself, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from backsight.models.pixel_values import read
from backsight.models.vlm import VLM


def noise(size: tuple[int, int], seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def test_values_are_the_processors_own(vlm: VLM) -> None:
    """Pictures of the native size, of another one, and both in one batch."""
    assert vlm.prompter.arithmetic is not None
    native = vlm.prompter.native_size()
    other = (native[0] + 61, native[1] - 45)
    for sizes in ([native, native], [other], [native, other]):
        images = [noise(size, seed) for seed, size in enumerate(sizes)]
        found = vlm.prompter.pixels(images)
        expected = vlm.processor.image_processor(images, return_tensors="pt")
        assert found.keys() == expected.keys()
        assert all(torch.equal(torch.as_tensor(found[name]), torch.as_tensor(expected[name])) for name in found)
        assert found["pixel_values"].dtype == expected["pixel_values"].dtype


class Changed:
    """A processor that does something else than arithmetic on each level, or that cannot be asked for levels."""

    def __init__(self, processor: Any, how: str) -> None:
        self.processor, self.how = processor, how

    def __call__(self, images: list[Image.Image], **asked: Any) -> dict[str, torch.Tensor]:
        plain = "do_rescale" not in asked
        if not plain and self.how == "refuses":
            raise TypeError("unexpected keyword argument 'do_rescale'")
        if not plain and self.how == "does not listen":
            asked = {"return_tensors": "pt"}
        made = dict(self.processor(images, **asked))
        if plain and self.how == "shades":
            values = made["pixel_values"]
            made["pixel_values"] = values * torch.linspace(1, 2, values.shape[-1])
        return made


@pytest.mark.parametrize("how", ["refuses", "does not listen", "shades"])
def test_a_processor_of_its_own_kind_is_left_to_itself(vlm: VLM, how: str) -> None:
    assert read(Changed(vlm.processor.image_processor, how), vlm.prompter.native_size()) is None
