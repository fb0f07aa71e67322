"""Where the diagram's parts stand, in inches from the lower left: wide for a desk, one column for a phone."""

from __future__ import annotations

from typing import NamedTuple

from backsight.results.drawing import style


class Span(NamedTuple):
    """From left to right, in inches."""

    left: float
    right: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2


class Layout(NamedTuple):
    """Where stages stand from left to right, and rows from above to below.

    `rows` are the lower edges of the pathways' scales and of the lanes; `track` is the height of a lane's bars. Where
    `beside` holds, a row's words stand beside it, else above. `tokens` is where the tokens of lanes are named.
    """

    width: float
    height: float
    vision: Span
    projector: Span
    language: Span
    tokens: float
    beside: bool
    letters: int  # that a line of the title holds
    words: int  # letters that a line of a row's words holds
    title: float  # its upper edge
    stages: float  # the middle of the stages' names
    rows: tuple[float, float, float, float]
    track: float
    ticks: float
    above: float  # from a lane to its words above it


LEFT = 0.08  # where words begin
WIDE = Layout(
    style.WIDTH, 2.7, Span(2.94, 4.28), Span(4.56, 5.36), Span(5.64, 8.0), 8.14, True, 84, 44,
    title=2.64, stages=2.14, rows=(1.5, 1.1, 0.7, 0.3), track=0.27, ticks=0.14, above=0.0,
)  # fmt: skip
PHONE = Layout(
    style.NARROW, 3.2, Span(0.08, 1.2), Span(1.4, 1.78), Span(1.98, 3.52), 3.68, False, 48, 64,
    title=3.17, stages=2.52, rows=(1.73, 1.24, 0.76, 0.28), track=0.25, ticks=0.13, above=0.11,
)  # fmt: skip
