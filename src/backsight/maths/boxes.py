"""Boxes as models write them, and how well a box fits another one.

A box in here is (left, top, right, bottom) in fractions of the picture, y growing downwards. A format is named, never
guessed: four bare numbers mean other things to other models. What can be told is told: numbers up to one are no
thousandths and no pixels. Pixels and thousandths of a picture cannot be told from each other. Of a text the first box
is read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from backsight.maths.box_forms import (
    FORMS,
    GRID_WORDS,
    KOSMOS_SIDES,
    SIDES,
    Form,
    Size,
    demand_form,
    snapped,
    write,
)

__all__ = [
    "FORMS",
    "GRID_WORDS",
    "SIDES",
    "Form",
    "Fractions",
    "Read",
    "Size",
    "demand_form",
    "iou",
    "location_error",
    "read",
    "snapped",
    "write",
]
SLACK = 0.01  # of the picture: a box may reach so far over its edge by a rounding, and is cut there


class Fractions(NamedTuple):
    """A box in fractions of a picture: left, top, right, bottom."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def center(self) -> tuple[float, float]:
        """The middle (x, y)."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    @property
    def area(self) -> float:
        """Width times height."""
        return (self.right - self.left) * (self.bottom - self.top)


@dataclass(frozen=True)
class Read:
    """What a text says: a box, or why none can be read (empty where one is)."""

    box: Fractions | None
    why: str = ""


NO_BOX, REVERSED, OUTSIDE, EMPTY = "no box in the text", "corners are reversed", "outside of the picture", "empty text"
FRACTIONS = "looks like fractions"
CUT_OFF = "cut off"  # of a text that is as long as a model was let write, and has no box
# Formats whose numbers are far above one, so that a box of numbers up to one is of another format.
_LARGE = frozenset({"qwen2", "json_pixels", "json_thousand", "yxyx"})

_N = r"\s*([-+]?(?:\d+\.?\d*|\.\d+))\s*"
_PAIR = rf"\({_N},{_N}\)"
_LIST = rf"\[{_N},{_N},{_N},{_N}\]"
_JSON = rf"""["']bbox_2d["']\s*:\s*\[?\s*{_LIST}"""
_PATTERNS: Mapping[Form, re.Pattern[str]] = {
    "qwen2": re.compile(rf"{_PAIR}\s*,\s*{_PAIR}"),
    "json_pixels": re.compile(_JSON),
    "json_thousand": re.compile(_JSON),
    "loc": re.compile(r"<loc(\d{4})>" * 4),
    "florence": re.compile(r"<loc_(\d+)>" * 4),
    "yxyx": re.compile(_LIST),
    "fractions": re.compile(_LIST),
    "square_fractions": re.compile(_LIST),
    "kosmos2": re.compile(r"<patch_index_(\d{4})>" * 2),
}


def read(text: str, form: Form, *, size: tuple[float, float], sides: int = SIDES) -> Read:
    """The first box of a text, in fractions of the picture, or why there is none.

    `size` is (width, height): for `json_pixels` of the picture as the model counts its pixels, for `square_fractions`
    of the picture itself, which the model sees padded by its longer side. `sides` are columns and rows of the form
    `grid`, in which exactly four numbers follow each other. A box that reaches over the edge by up to a hundredth of
    the picture is cut; one further out, or without width or height, is unreadable, and so are pixels or thousandths
    none of which is above one. UsageError for an unknown form.
    """
    demand_form(form)
    if not text.strip():
        return Read(None, EMPTY)
    numbers = _grid_numbers(text) if form == "grid" else _numbers(text, form)
    if numbers is None:
        return Read(None, NO_BOX)
    if form in _LARGE and max(numbers) <= 1:
        return Read(None, FRACTIONS)
    return _checked(_CORNERS[form](numbers, size, sides))


def iou(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two boxes (left, top, right, bottom) in one unit, from 0 to 1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return shared / (areas - shared) if areas > shared else 0.0


def location_error(one: Sequence[float], other: Sequence[float], size: tuple[float, float]) -> float:
    """The distance of two boxes' middles over the picture's diagonal; boxes in fractions of a picture of `size`."""
    x = ((one[0] + one[2]) - (other[0] + other[2])) / 2 * size[0]
    y = ((one[1] + one[3]) - (other[1] + other[3])) / 2 * size[1]
    return math.hypot(x, y) / math.hypot(*size)


def _numbers(text: str, form: Form) -> tuple[float, ...] | None:
    match = _PATTERNS[form].search(text)
    return None if match is None else tuple(map(float, match.groups()))


def _grid_numbers(text: str) -> tuple[float, ...] | None:
    """The first run of exactly four grid words or whole numbers with nothing but commas, hyphens or space between."""
    for sentence in re.split(r"[.;:!?](?=\s|$)|\n", text.lower()):
        run: list[float] = []
        for word in [*re.findall(r"(?:(?<![^\W_])-)?[^\W_]+(?:\.\d+)?", sentence), ""]:
            if word in GRID_WORDS:
                run.append(GRID_WORDS.index(word) + 1)
            elif word.removeprefix("-").isdecimal():
                run.append(float(word))  # of any length, unlike int
            elif len(run) == 4:
                return tuple(run)
            else:
                run = []
    return None


_Corners = Callable[[Sequence[float], Size, int], tuple[float, float, float, float] | str]


def _of(*by: float) -> _Corners:
    return lambda n, size, sides: (n[0] / by[0], n[1] / by[0], n[2] / by[0], n[3] / by[0])


def _turned(by: float) -> _Corners:
    return lambda n, size, sides: (n[1] / by, n[0] / by, n[3] / by, n[2] / by)


def _pixels(n: Sequence[float], size: Size, sides: int) -> tuple[float, float, float, float]:
    return n[0] / size[0], n[1] / size[1], n[2] / size[0], n[3] / size[1]


def _florence(n: Sequence[float], size: Size, sides: int) -> tuple[float, float, float, float]:
    a, b, c, d = ((value + 0.5) / 1000 for value in n)
    return a, b, c, d


def _off_square(n: Sequence[float], size: Size, sides: int) -> tuple[float, float, float, float]:
    longest = max(size)
    x, y = ((longest - side) / 2 for side in size)
    left, right = ((value * longest - x) / size[0] for value in (n[0], n[2]))
    top, bottom = ((value * longest - y) / size[1] for value in (n[1], n[3]))
    return left, top, right, bottom


def _kosmos(n: Sequence[float], size: Size, sides: int) -> tuple[float, float, float, float] | str:
    """Corners as Kosmos-2 has them: middles of the two cells, but whole cells where the box is one row or column."""
    (first, last), side = (int(value) for value in n), KOSMOS_SIDES
    if max(first, last) >= side * side:
        return OUTSIDE
    (y0, x0), (y1, x1) = divmod(first, side), divmod(last, side)
    low, high = (0.0, 1.0) if x0 == x1 or y0 == y1 else (0.5, 0.5)
    return (x0 + low) / side, (y0 + low) / side, (x1 + high) / side, (y1 + high) / side


def _grid(n: Sequence[float], size: Size, sides: int) -> tuple[float, float, float, float] | str:
    if min(n) < 1 or max(n) > sides:
        return OUTSIDE
    return (n[0] - 1) / sides, (n[1] - 1) / sides, n[2] / sides, n[3] / sides


_CORNERS: Mapping[Form, _Corners] = {
    "qwen2": _of(1000),
    "json_pixels": _pixels,
    "json_thousand": _of(1000),
    "loc": _turned(1024),
    "florence": _florence,
    "yxyx": _turned(1000),
    "fractions": _of(1),
    "square_fractions": _off_square,
    "kosmos2": _kosmos,
    "grid": _grid,
}


def _checked(corners: tuple[float, float, float, float] | str) -> Read:
    if isinstance(corners, str):
        return Read(None, corners)
    left, top, right, bottom = corners
    if right <= left or bottom <= top:
        return Read(None, REVERSED)
    if min(corners) < -SLACK or max(corners) > 1 + SLACK:
        return Read(None, OUTSIDE)
    cut = Fractions(*(min(1.0, max(0.0, value)) for value in corners))
    return Read(cut) if cut.area > 0 else Read(None, OUTSIDE)
