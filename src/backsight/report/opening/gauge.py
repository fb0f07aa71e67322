"""The small figure of a card: values with their intervals on one scale, each beside its null.

It is drawn here and not by matplotlib because a page has four of them, each with a dozen marks: as plain SVG elements
with classes they take the page's colours, light or dark, and a few hundred bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH = 200  # units of the drawing, of which the scale takes what the labels leave
EDGE = 4
BELOW = 18  # the words of the lines of reference


@dataclass(frozen=True)
class Mark:
    """A value with the ends of its interval, and its null where it has one. `strong` marks what the card speaks of."""

    value: float
    low: float
    high: float
    null: float | None = None
    label: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Gauge:
    """Marks from above to below on a scale from `start` to `end`; `lines` are values of reference with their words.

    `words` says for those who do not see it what it shows. Values beyond an end are drawn at it.
    """

    marks: tuple[Mark, ...]
    start: float
    end: float
    lines: tuple[tuple[float, str], ...]
    words: str


def drawn(gauge: Gauge) -> Markup:
    """The gauge as an SVG for the page; an empty one where there is nothing to draw."""
    marks = gauge.marks
    if not marks:
        return Markup("")
    labelled = any(mark.label for mark in marks)
    each = 17 if labelled else min(12.0, 64 / len(marks))
    left = 84 if labelled else EDGE
    height = each * len(marks) + BELOW

    def x(value: float) -> str:
        share = (min(max(value, gauge.start), gauge.end) - gauge.start) / (gauge.end - gauge.start)
        return f"{left + share * (WIDTH - left - EDGE):.1f}"

    parts = [_reference(x(value), height - BELOW + 3, word) for value, word in gauge.lines]
    for number, mark in enumerate(marks):
        parts.append(_mark(mark, x, each * (number + 0.5)))
    size = f'viewBox="0 0 {WIDTH} {height:.0f}"'
    inside = "".join(parts)
    return Markup(f'<svg class="gauge" role="img" aria-label="{escape(gauge.words)}" {size}>{inside}</svg>')


def _reference(x: str, bottom: float, word: str) -> str:
    anchor = "start" if float(x) < WIDTH / 3 else "end" if float(x) > 2 * WIDTH / 3 else "middle"
    text = f'<text x="{x}" y="{bottom + 10:.1f}" text-anchor="{anchor}">{escape(word)}</text>'
    return f'<line class="reference" x1="{x}" x2="{x}" y1="0" y2="{bottom:.1f}"/>{text}'


def _mark(mark: Mark, x: Callable[[float], str], y: float) -> str:
    kind = "mark strong" if mark.strong else "mark"
    parts = [f'<line x1="{x(mark.low)}" x2="{x(mark.high)}" y1="{y:.1f}" y2="{y:.1f}"/>']
    if mark.null is not None:
        parts.append(f'<circle class="null" cx="{x(mark.null)}" cy="{y:.1f}" r="2.4"/>')
    parts.append(f'<circle cx="{x(mark.value)}" cy="{y:.1f}" r="{3.2 if mark.strong else 2.4}"/>')
    if mark.label:
        parts.append(f'<text x="0" y="{y + 3:.1f}">{escape(mark.label)}</text>')
    return f'<g class="{kind}">{"".join(parts)}</g>'


def scale(values: Sequence[float], *, least: float = 0.0) -> tuple[float, float]:
    """Ends of a scale that holds all values and zero, with some room; `least` is the least width on either side."""
    low, high = min([0.0, -least, *values]), max([0.0, least, *values])
    room = 0.06 * (high - low) or 1.0
    return low - room, high + room
