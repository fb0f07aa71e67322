"""What seeds say of a recipe: the mean over trainings that differ in their seed only, with Student's interval.

A seed draws weights and batches anew, so that the spread over seeds is that of the training, which no interval over
pictures knows. Two recipes are compared seed by seed, since the same seed shows both the same batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backsight.maths.intervals import LEVEL

NORMAL = 1.959964  # the normal quantile of 97.5 %
FEWEST = 3  # seeds, below which there is no interval: Student's quantile of two is 12.7


@dataclass(frozen=True)
class OverSeeds:
    """A mean over seeds with its 95 % interval, and the p-value of Student's test that the mean is zero.

    `low`, `high` and `p_value` are None for fewer than `FEWEST` seeds, and where all seeds give the same number and no
    other error is given: the spread that they would be measured by is not known then.
    """

    seeds: int
    mean: float
    low: float | None = None
    high: float | None = None
    p_value: float | None = None


def over_seeds(values: Sequence[float], *, least_error: float = 0.0) -> OverSeeds:
    """The mean of `values` (seed,), at least one: mean -+ t(n - 1, .975) s / sqrt(n) (Student, 1908), two-sided p.

    `least_error` is a standard error of the mean that no agreement of seeds makes smaller, of what they share, such as
    the pictures that all are asked about. Of Student's interval and the normal one of that error the wider holds, and
    the larger p.
    """
    value = np.asarray(values, dtype=float)
    count, mean = len(value), float(value.mean())
    error = float(value.std(ddof=1)) / count**0.5 if count >= FEWEST else 0.0
    if error <= 1e-12 * max(1.0, abs(mean)):  # rounding, and no spread
        error = 0.0
    if count < FEWEST or not (error or least_error):
        return OverSeeds(count, mean)
    from scipy import special  # scipy.stats takes a second to import, which a page has not

    reach = max(-float(special.stdtrit(count - 1, (1 - LEVEL) / 2)) * error, NORMAL * least_error)
    p_value = 2 * float(special.stdtr(count - 1, -abs(mean) / error)) if error else 0.0
    if least_error:
        p_value = max(p_value, 2 * float(special.ndtr(-abs(mean) / least_error)))
    return OverSeeds(count, mean, mean - reach, mean + reach, p_value)
