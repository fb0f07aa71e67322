"""A ratio of two sums over pictures, with its interval."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from backsight.maths.intervals import LEVEL


class Share(NamedTuple):
    """A ratio of two sums over pictures with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def share(part: ArrayLike, whole: ArrayLike) -> Share:
    """sum(part) / sum(whole) of pictures (picture,), with Student's interval of a ratio over pictures.

    The error is that of the ratio estimator, linearised (Cochran, Sampling Techniques, 1977, section 6.2): the wholes
    are sums of squares and far from zero.
    """
    from scipy import stats  # a second of imports that nothing else before a summary needs

    x, y = np.asarray(part, dtype=float), np.asarray(whole, dtype=float)
    value = float(x.sum() / y.sum())
    count = len(x)
    if count < 2:
        return Share(value, float("nan"), float("nan"))
    error = np.sqrt(count / (count - 1) * ((x - value * y) ** 2).sum()) / y.sum()
    reach = float(stats.t.isf((1 - LEVEL) / 2, count - 1) * error)
    return Share(value, value - reach, value + reach)
