"""The formats in which models write boxes, and a box in each of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

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
Size = tuple[float, float]


def demand_form(form: str) -> None:
    """UsageError for a format that is not known."""
    if form not in FORMS:
        raise UsageError("There is no such format of boxes", got=form, do=f"choose from: {', '.join(FORMS)}")


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


def _onto_square(left: float, top: float, right: float, bottom: float, size: Size) -> tuple[float, ...]:
    longest = max(size)
    x, y = ((longest - side) / 2 for side in size)
    spots = ((left, size[0], x), (top, size[1], y), (right, size[0], x), (bottom, size[1], y))
    return tuple((value * side + before) / longest for value, side, before in spots)


def _kosmos_text(left: float, top: float, right: float, bottom: float) -> str:
    """The cells of the two corners as transformers has them (`coordinate_to_patch_index`): an edge on a line belongs to
    the cell inside."""
    x0, y0 = (min(KOSMOS_SIDES - 1, math.floor(value * KOSMOS_SIDES)) for value in (left, top))
    x1, y1 = (max(low, math.ceil(value * KOSMOS_SIDES - 1)) for low, value in ((x0, right), (y0, bottom)))
    return f"<patch_index_{y0 * KOSMOS_SIDES + x0:04d}><patch_index_{y1 * KOSMOS_SIDES + x1:04d}>"


def _grid_text(left: float, top: float, right: float, bottom: float, sides: int) -> str:
    if not 1 <= sides <= len(GRID_WORDS):
        raise UsageError(
            "A grid of boxes has one to sixteen columns and rows, each a word", got=sides, do="give sides=16 or fewer"
        )
    (x0, x1), (y0, y1) = snapped(left, right, sides), snapped(top, bottom, sides)
    return " ".join(GRID_WORDS[line] for line in (x0, y0, x1 - 1, y1 - 1))
