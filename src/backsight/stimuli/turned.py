"""Pictures in a mirror and upside down, with the questions about them: boxes and answers turn, words stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from PIL import Image, ImageOps

from backsight.examples import Example
from backsight.grid import Box
from backsight.pictures import Picture
from backsight.stimuli.isolated import NUMBERS, OPPOSITES, alternatives
from backsight.stimuli.questions import NUMBER, OPPOSITE

Turn = Literal["mirrored", "upside down"]
OPERATIONS: Mapping[Turn, Callable[[Image.Image], Image.Image]] = {"mirrored": ImageOps.mirror,
                                                                   "upside down": lambda i: i.rotate(180)}  # fmt: skip
# The directions that a turn exchanges with their opposites.
EXCHANGED: Mapping[Turn, frozenset[str]] = {"mirrored": frozenset({"left", "right"}),
                                            "upside down": frozenset(OPPOSITE)}  # fmt: skip


@dataclass(frozen=True)
class TurnedPicture(Picture):
    """A picture with left and right exchanged, or turned by half a turn."""

    original: Picture
    turn: Turn = "mirrored"

    @property
    def id(self) -> str:
        return f"{self.original.id}-{self.turn.replace(' ', '-')}"

    @property
    def size(self) -> tuple[int, int]:
        return self.original.size

    def open(self) -> Image.Image:
        return OPERATIONS[self.turn](self.original.open())


def turned(example: Example, turn: Turn = "mirrored") -> Example | None:
    """The question about the turned picture, with boxes, direction and answer turned; the words stay.

    An answer that names a direction becomes its opposite where the turn exchanges both, that of a row of three the
    thing at the other end. None where an answer's direction is known and what the turned answer is is not, as of a
    caption that is true or false.
    """
    if example.direction is None and example.answer in OPPOSITES:
        return None
    exchanged = example.direction in EXCHANGED[turn]
    answer: str | None = example.answer
    if exchanged:
        assert example.direction is not None
        other: str = OPPOSITE[example.direction]  # type: ignore[index]
        by_name = {example.direction: other}
        if set(example.options) <= NUMBERS:
            by_name = {NUMBER[one]: NUMBER[two] for one, two in OPPOSITE.items()}
        answer = by_name.get(example.answer) or _other_end(example)
    if answer is None or answer not in example.options:
        return None
    width, height = example.picture.size
    boxes = {name: _box(box, width, height, turn) for name, box in example.boxes.items()}
    direction = OPPOSITE[example.direction] if exchanged else example.direction  # type: ignore[index]
    return replace(
        example, id=f"{example.id}-{turn.replace(' ', '-')}", picture=TurnedPicture(example.picture, turn), boxes=boxes,
        answer=answer, direction=direction, source=None,
    )  # fmt: skip


def _other_end(example: Example) -> str | None:
    """Of a row of three the thing at the end that is not asked for."""
    names, two = getattr(example.source, "names", None), alternatives(example)
    if not isinstance(names, tuple) or two is None:
        return None
    return two[1] if example.answer == two[0] else two[0]


def _box(box: Box, width: int, height: int, turn: Turn) -> Box:
    if turn == "mirrored":
        return Box(width - box.right, box.top, width - box.left, box.bottom)
    return Box(width - box.right, height - box.bottom, width - box.left, height - box.top)
