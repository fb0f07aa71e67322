"""The same scene at another size: the picture resized, boxes with it, and the answer where it is still the same."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PIL import Image

from backsight.examples import Example
from backsight.grid import Box
from backsight.pictures import Picture
from backsight.stimuli.questions import DIRECTIONS
from backsight.stimuli.relations import relation

RATIO = 1.5  # of the displacements along both axes, beyond which a relation is clear (CREG, section 5.1)


@dataclass(frozen=True)
class ResizedPicture(Picture):
    """A picture at another size (width, height) in pixels, by Lanczos' filter."""

    original: Picture
    extent: tuple[int, int]

    @property
    def id(self) -> str:
        return f"{self.original.id}-{self.extent[0]}x{self.extent[1]}"

    @property
    def size(self) -> tuple[int, int]:
        return self.extent

    def open(self) -> Image.Image:
        return self.original.open().resize(self.extent, Image.Resampling.LANCZOS)


def resized(example: Example, size: tuple[int, int]) -> Example | None:
    """The question about its picture at another size (width, height), with the boxes scaled.

    None where a change of the picture's proportions takes the relation away: where subject and reference were in a
    clear one and no longer are, or in another.
    """
    width, height = example.picture.size
    across, down = size[0] / width, size[1] / height
    boxes = {
        name: Box(box.left * across, box.top * down, box.right * across, box.bottom * down)
        for name, box in example.boxes.items()
    }
    named = [name for name in (example.subject, example.reference) if name is not None]
    if example.direction in DIRECTIONS and len(named) == 2 and all(name in boxes for name in named):
        before, after = (relation(of[named[0]], of[named[1]], ratio=RATIO) for of in (example.boxes, boxes))
        if before == example.direction and after != before:
            return None
    return replace(
        example, id=f"{example.id}-{size[0]}x{size[1]}", picture=ResizedPicture(example.picture, size), boxes=boxes,
        source=None,
    )  # fmt: skip
