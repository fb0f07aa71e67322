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


def ranks(values: Floats, near: float = NEAR, floor: float = 0.0) -> Floats:
    """The rank of each of some values (value,), 1 the lowest.

    Values nearer than the share `near` of the largest, or than `floor`, share places.
    """
    width = max(near * float(np.abs(values).max()), floor)
    apart = values[:, None] - values[None, :]
    above = np.clip(apart / width, -1, 1) if width > 0 else np.sign(apart)
    ranked: Floats = 0.5 + (above + 1).sum(1) / 2
    return ranked


def rank_correlation(one: Floats, other: Floats, *, floor: float = 0.0) -> float | None:
    """Pearson's r of the ranks of two lists of values (value,), `floor` being that of the `other`.

    None where one of them is all but the same everywhere: all its values share places, and their order is not to be
    told.
    """
    widths = (NEAR * np.abs(one).max(), max(NEAR * np.abs(other).max(), floor))
    if any(np.ptp(values) <= width for values, width in zip((one, other), widths, strict=True)):
        return None
    return float(np.corrcoef(ranks(one), ranks(other, floor=floor))[0, 1])
