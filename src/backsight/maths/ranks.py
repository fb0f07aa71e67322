"""Rank correlation of values of which the nearest cannot be told apart.

Ranks jump where two values change places, and values that are zero but for rounding change places from one batch to
the next. So two values closer than a tolerance share their places in proportion to how near they are: equal ones
evenly, as in Spearman's own rule for ties, and those further apart than it not at all. Without near ones this is
Spearman's coefficient.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NEAR = 0.01  # of the largest absolute value: two values that are nearer share their places


def ranks(values: Floats, near: float = NEAR) -> Floats:
    """The rank of each of some values (value,), 1 the lowest; values nearer than `near` of the largest share places."""
    width = near * float(np.abs(values).max())
    apart = values[:, None] - values[None, :]
    above = np.clip(apart / width, -1, 1) if width > 0 else np.sign(apart)
    ranked: Floats = 0.5 + (above + 1).sum(1) / 2
    return ranked


def rank_correlation(one: Floats, other: Floats, near: float = NEAR) -> float | None:
    """Pearson's r of the ranks of two lists of values (value,); None where one of them is all but the same everywhere.

    That is where its values lie within `near` of the largest of one another: their order is not to be told.
    """
    if any(np.ptp(values) <= near * np.abs(values).max() for values in (one, other)):
        return None
    return float(np.corrcoef(ranks(one, near), ranks(other, near))[0, 1])
