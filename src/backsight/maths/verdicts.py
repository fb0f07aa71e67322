"""One rule for what seeds say of a sentence: confirmed, not confirmed or undecided.

A sentence says that a number lies above or below a bound. It is confirmed where Student's interval over seeds lies
wholly on that side, not confirmed where it lies wholly on the other, undecided else: also with fewer than `FEWEST`
seeds, and where all seeds give the same number, whose spread is then unknown. Several sentences of one page are
corrected together by Holm: `corrected` puts the adjusted p-values in, and p < .05 then says what the interval at
Holm's level would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from backsight.maths.intervals import holm
from backsight.maths.seeds import FEWEST, over_seeds

__all__ = ["FEWEST", "LEVEL", "Judged", "Side", "Verdict", "corrected", "holm", "judged", "verdict", "verdicts"]

Side = Literal["above", "below"]
Verdict = Literal["confirmed", "not confirmed", "undecided"]
LEVEL = 0.05  # of p, so that p < LEVEL and a 95 % interval beside the bound are the same


@dataclass(frozen=True)
class Judged:
    """A mean over `n` seeds with its 95 % interval, and the two-sided p-value of its difference from `bound`.

    `low`, `high` and `p` are None where the seeds give no interval. `side` is where the sentence puts the mean.
    """

    mean: float
    low: float | None
    high: float | None
    n: int
    p: float | None
    side: Side
    bound: float


def judged(numbers_by_seed: Sequence[float], side: Side, bound: float, *, least_error: float = 0.0) -> Judged:
    """What numbers (seed,), at least one, say of "the mean lies `side` of `bound`".

    `least_error` is the standard error that the mean has from what all seeds share, such as the pictures that they are
    asked about: the interval is no narrower than that, so that seeds that agree by luck have one too.
    """
    shifted = over_seeds([value - bound for value in numbers_by_seed], least_error=least_error)
    low = None if shifted.low is None else shifted.low + bound
    high = None if shifted.high is None else shifted.high + bound
    return Judged(shifted.mean + bound, low, high, shifted.seeds, shifted.p_value, side, bound)


def corrected(family: Sequence[Judged]) -> list[Judged]:
    """The same with Holm's adjusted p-values over those of the family that have one."""
    adjusted = iter(holm([one.p for one in family if one.p is not None]))
    return [one if one.p is None else replace(one, p=next(adjusted)) for one in family]


def verdict(judged: Judged, level: float = LEVEL) -> Verdict:
    """Whether the mean is shown on the side that the sentence says, on the other one, or on neither (p >= level)."""
    if judged.p is None or judged.p >= level:
        return "undecided"
    return "confirmed" if (judged.mean > judged.bound) == (judged.side == "above") else "not confirmed"


def verdicts(family: Sequence[Judged], level: float = LEVEL) -> list[Verdict]:
    """Of all sentences of a page, after Holm over them."""
    return [verdict(one, level) for one in corrected(family)]
