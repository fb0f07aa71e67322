"""How long a picture takes to be made ready, by the image processor itself and by our arithmetic with the same bits.

python benchmarks/pictures.py: milliseconds a picture of the native size, batches of eight, the best of five.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from PIL import Image

from backsight.models.opening import load

BATCH, TRIES = 8, 5


def main() -> None:
    for name in ("plain", "gemma"):
        prompter = load(f"builtin:{name}").prompter
        width, height = prompter.native_size()
        rng = np.random.default_rng(0)
        images = [Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)) for _ in range(BATCH)]
        own = milliseconds(lambda prompter=prompter, images=images: prompter.pixels(images))
        plain = milliseconds(
            lambda prompter=prompter, images=images: prompter.processor.image_processor(images, return_tensors="pt")
        )
        print(f"{name}, {width} x {height}: processor {plain:.1f} ms a picture, here {own:.1f} ms")


def milliseconds(call: Callable[[], object]) -> float:
    """The best time a picture, after a first call."""
    call()
    times = []
    for _ in range(TRIES):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * min(times) / BATCH


if __name__ == "__main__":
    main()
