"""The control of localization: what is written is set by hand, as a function of the pixels that the model is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from backsight.maths import boxes
from backsight.measurements import Localization
from backsight.models.prompts import Batch
from backsight.models.vlm import VLM
from backsight.results.localization import localization_summary
from backsight.selftest import lookup
from backsight.selftest.base import Bench, Control, Seen

Write = Callable[[Tensor], str]  # of a picture's pixels (channel, row, column), from -1 to 1


def localization(bench: Bench) -> Seen:
    """Boxes of the red cell of the hand-set model's scenes, by what is red in the pixels, or always the same."""
    vlm, scenes = bench.lookup("subject"), lookup.scenes(bench.count("scenes"))
    lines = []
    for write in (of_red, of_nothing):
        with writing(vlm, write):
            (line,) = localization_summary(Localization(form="fractions")(vlm, scenes)).rows()
        lines.append(line)
    return located(*lines)


def located(red: Mapping[str, Any], nothing: Mapping[str, Any]) -> Seen:
    """Rows of the summary: every box right and above the baselines, and one that is not above them."""
    return Seen(
        f"mean IoU {red['iou']:.2f}, {red['boxes']} of {red['questions']} readable",
        red["iou"] > 0.9 and red["above_low"] > 0,
        f"mean IoU above the best baseline by {nothing['above']:.2f}, at least {nothing['above_low']:.2f}",
        nothing["boxes"] == nothing["questions"] and nothing["above_low"] <= 0,
    )


def of_red(pixels: Tensor) -> str:
    """The box of all red pixels as fractions; no box where nothing is red."""
    red = (pixels[0] > 0) & (pixels[1:] < 0).all(0)
    rows, columns = red.any(1).nonzero().flatten(), red.any(0).nonzero().flatten()
    if not len(rows):
        return "There is none."
    height, width = red.shape
    box = (columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height)
    return boxes.write([float(edge) for edge in box], "fractions", size=(width, height))


def of_nothing(pixels: Tensor) -> str:
    """The middle of the picture, whatever it shows."""
    return "[0.30, 0.30, 0.70, 0.70]"


@contextmanager
def writing(vlm: VLM, write: Write) -> Iterator[None]:
    """A model that writes what is set by hand of the pixels of each prompt's picture."""

    def generate(batch: Batch, *, max_new_tokens: int = 8) -> list[str]:
        return [write(pixels) for pixels in batch.inputs["pixel_values"]]

    vlm.generate = generate  # type: ignore[method-assign]
    try:
        yield
    finally:
        del vlm.generate


CONTROLS: tuple[Control, ...] = (
    Control("localization", "boxes in the text",
            "by hand, the box of the red pixels: every box correct",
            "by hand, one box whatever the picture: not above the baselines", localization),
)  # fmt: skip
