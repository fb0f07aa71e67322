"""Boxes as models write them, and how well a box fits another one.

A box in here is (left, top, right, bottom) in fractions of the picture, y growing downwards. A format is named, never
guessed: four bare numbers mean other things to other models. Of a text the first box is read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from backsight.errors import UsageError

Form = Literal[
    "qwen2",
    "json_pixels",
    "json_thousand",
    "loc",
    "florence",
    "yxyx",
    "fractions",
    "square_fractions",
    "kosmos2",
    "grid",
]
# What each form is, for docs and errors.
FORMS: Mapping[Form, str] = {
    "qwen2": "(x1,y1),(x2,y2) in thousandths, between <|box_start|> and <|box_end|>, <box> and </box>, or bare",
    "json_pixels": 'JSON {"bbox_2d": [x1, y1, x2, y2]} in pixels of the picture as the model is shown it',
    "json_thousand": 'JSON {"bbox_2d": [x1, y1, x2, y2]} in thousandths',
    "loc": "<locYMIN><locXMIN><locYMAX><locXMAX>, bins of 1024",
    "florence": "<loc_X1><loc_Y1><loc_X2><loc_Y2>, the middles of bins of 1000",
    "yxyx": "[ymin, xmin, ymax, xmax] in thousandths",
    "fractions": "[x1, y1, x2, y2] in fractions of the picture",
    "square_fractions": "[x1, y1, x2, y2] in fractions of the picture padded to a square, the picture in its middle",
    "kosmos2": "<patch_index_UPPERLEFT><patch_index_LOWERRIGHT>, cells of a grid of 32 x 32 in raster order",
    "grid": "first column, first row, last column and last row of a grid, from one, as words or numbers",
}
GRID_WORDS = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen",
)  # fmt: skip
SIDES = 16  # columns and rows of the form `grid`, as PIN snaps boxes
KOSMOS_SIDES = 32
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

_N = r"\s*(-?\d+(?:\.\d+)?)\s*"
_PAIR = rf"\({_N},{_N}\)"
_LIST = rf"\[{_N},{_N},{_N},{_N}\]"
_PATTERNS: Mapping[Form, re.Pattern[str]] = {
    "qwen2": re.compile(rf"{_PAIR}\s*,\s*{_PAIR}"),
    "json_pixels": re.compile(rf'"bbox_2d"\s*:\s*{_LIST}'),
    "json_thousand": re.compile(rf'"bbox_2d"\s*:\s*{_LIST}'),
    "loc": re.compile(r"<loc(\d{4})>" * 4),
    "florence": re.compile(r"<loc_(\d+)>" * 4),
    "yxyx": re.compile(_LIST),
    "fractions": re.compile(_LIST),
    "square_fractions": re.compile(_LIST),
    "kosmos2": re.compile(r"<patch_index_(\d{4})>" * 2),
}


def demand_form(form: str) -> None:
    """UsageError for a format that is not known."""
    if form not in FORMS:
        raise UsageError("There is no such format of boxes", got=form, do=f"choose from: {', '.join(FORMS)}")


def read(text: str, form: Form, *, size: tuple[float, float], sides: int = SIDES) -> Read:
    """The first box of a text, in fractions of the picture, or why there is none.

    `size` is (width, height) of the picture as the model counts its pixels: `json_pixels` is divided by it, and
    `square_fractions` padded by its longer side. `sides` are columns and rows of the form `grid`. A box that reaches
    over the edge by up to a hundredth of the picture is cut; one further out, or without width or height, is
    unreadable. UsageError for an unknown form.
    """
    demand_form(form)
    if not text.strip():
        return Read(None, EMPTY)
    numbers = _grid_numbers(text) if form == "grid" else _numbers(text, form)
    if numbers is None:
        return Read(None, NO_BOX)
    return _checked(_CORNERS[form](numbers, size, sides))


def write(box: Sequence[float], form: Form, *, size: tuple[float, float], sides: int = SIDES) -> str:
    """A box (left, top, right, bottom) in fractions as a model of a form writes it, rounded as the form asks.

    A side of the form `grid` is snapped to the nearest line, at least a cell apart. UsageError for an unknown form, and
    for a grid of more than sixteen words.
    """
    demand_form(form)
    left, top, right, bottom = box
    if form == "grid":
        return _grid_text(left, top, right, bottom, sides)
    if form == "kosmos2":
        return _kosmos_text(left, top, right, bottom)
    thousand = [round(1000 * value) for value in (left, top, right, bottom)]
    pixels = [round(value * side) for value, side in zip((left, top, right, bottom), (*size, *size), strict=True)]
    padded = [f"{value:.2f}" for value in _onto_square(left, top, right, bottom, size)]
    bins = [min(1023, int(1024 * value)) for value in (top, left, bottom, right)]
    florence = [min(999, int(1000 * value)) for value in (left, top, right, bottom)]
    texts: dict[Form, str] = {
        "qwen2": "<|box_start|>({},{}),({},{})<|box_end|>".format(*thousand),
        "json_pixels": '{{"bbox_2d": [{}, {}, {}, {}]}}'.format(*pixels),
        "json_thousand": '{{"bbox_2d": [{}, {}, {}, {}]}}'.format(*thousand),
        "loc": "".join(f"<loc{one:04d}>" for one in bins),
        "florence": "".join(f"<loc_{one}>" for one in florence),
        "yxyx": "[{1}, {0}, {3}, {2}]".format(*thousand),
        "fractions": f"[{left:.2f}, {top:.2f}, {right:.2f}, {bottom:.2f}]",
        "square_fractions": f"[{', '.join(padded)}]",
    }
    return texts[form]


def snapped(low: float, high: float, sides: int) -> tuple[int, int]:
    """The lines of a grid of `sides` cells that are nearest to a span's ends (fractions).

    Where one line is nearest to both, those of the cell in which the span's middle lies.
    """
    first, last = (min(sides, max(0, math.floor(end * sides + 0.5))) for end in (low, high))
    if first < last:
        return first, last
    middle = min(sides - 1, max(0, math.floor((low + high) / 2 * sides)))
    return middle, middle + 1


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
    """The first four grid words or whole numbers of a text, which follow each other with nothing but marks between."""
    words: list[float] = []
    for word in re.findall(r"[^\W_]+(?:\.\d+)?", text.lower()):
        if word in GRID_WORDS:
            words.append(GRID_WORDS.index(word) + 1)
        elif word.isdecimal():
            words.append(int(word))
        else:
            words = []
        if len(words) == 4:
            return tuple(words)
    return None


Size = tuple[float, float]
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


def _onto_square(left: float, top: float, right: float, bottom: float, size: Size) -> tuple[float, ...]:
    longest = max(size)
    x, y = ((longest - side) / 2 for side in size)
    spots = ((left, size[0], x), (top, size[1], y), (right, size[0], x), (bottom, size[1], y))
    return tuple((value * side + before) / longest for value, side, before in spots)


def _kosmos(n: Sequence[float], size: Size, sides: int) -> tuple[float, float, float, float] | str:
    """Corners as Kosmos-2 has them: middles of the two cells, but whole cells where the box is one row or column."""
    (first, last), side = (int(value) for value in n), KOSMOS_SIDES
    if max(first, last) >= side * side:
        return OUTSIDE
    (y0, x0), (y1, x1) = divmod(first, side), divmod(last, side)
    low, high = (0.0, 1.0) if x0 == x1 or y0 == y1 else (0.5, 0.5)
    return (x0 + low) / side, (y0 + low) / side, (x1 + high) / side, (y1 + high) / side


def _kosmos_text(left: float, top: float, right: float, bottom: float) -> str:
    x0, y0, x1, y1 = (min(KOSMOS_SIDES - 1, int(value * KOSMOS_SIDES)) for value in (left, top, right, bottom))
    return f"<patch_index_{y0 * KOSMOS_SIDES + x0:04d}><patch_index_{y1 * KOSMOS_SIDES + x1:04d}>"


def _grid(n: Sequence[float], size: Size, sides: int) -> tuple[float, float, float, float] | str:
    if min(n) < 1 or max(n) > sides:
        return OUTSIDE
    return (n[0] - 1) / sides, (n[1] - 1) / sides, n[2] / sides, n[3] / sides


def _grid_text(left: float, top: float, right: float, bottom: float, sides: int) -> str:
    if not 1 <= sides <= len(GRID_WORDS):
        raise UsageError(
            "A grid of boxes has one to sixteen columns and rows, each a word", got=sides, do="give sides=16 or fewer"
        )
    (x0, x1), (y0, y1) = snapped(left, right, sides), snapped(top, bottom, sides)
    return " ".join(GRID_WORDS[line] for line in (x0, y0, x1 - 1, y1 - 1))


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
