"""Relations from geometry, with a margin.

y grows downwards in pictures: *above* is the smaller y.
"""

from __future__ import annotations

from collections.abc import Sequence

from backsight.errors import UsageError
from backsight.grid import Box
from backsight.stimuli.questions import Direction


def relation(subject: Box, reference: Box, *, ratio: float = 1.5) -> Direction | None:
    """Where the centre of `subject` lies relative to that of `reference`, or None where it is not clear.

    Clear means: the displacement along one axis is more than `ratio` times the other (CREG, section 5.1).
    """
    if ratio < 1:
        raise UsageError("A displacement ratio below 1 would allow two relations at once", got=ratio)
    (xs, ys), (xr, yr) = subject.center, reference.center
    dx, dy = xs - xr, ys - yr
    if abs(dx) > ratio * abs(dy):
        return "right" if dx > 0 else "left"
    if abs(dy) > ratio * abs(dx):
        return "below" if dy > 0 else "above"
    return None


def neighbour(boxes: Sequence[Box], of: int, direction: Direction) -> int | None:
    """Index of the box that is next to box `of` in `direction` along the row or column, or None."""
    axis = 0 if direction in ("left", "right") else 1
    sign = -1 if direction in ("left", "above") else 1
    start = boxes[of].center[axis]
    ahead = [(sign * (b.center[axis] - start), i) for i, b in enumerate(boxes) if sign * (b.center[axis] - start) > 0]
    return min(ahead)[1] if ahead else None


def overlaps(one: Box, two: Box, *, gap: float = 0.0) -> bool:
    """Whether two boxes share an area, or come closer than `gap` pixels."""
    return (
        one.left < two.right + gap
        and two.left < one.right + gap
        and one.top < two.bottom + gap
        and two.top < one.bottom + gap
    )
