"""Causal occlusion scores: what hiding a compass sector costs, beside what hiding another one does.

COS = change of log p with the opposite sector hidden, less the change with the sector itself hidden (CREG, equation
8): above zero, the sector matters more to the answer than what lies across. The same against its two neighbours is
stricter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Sectors = NDArray[np.int64]


def opposite(sector: Sectors, sectors: int) -> Sectors:
    """The sectors that lie across, (question,), of a compass of K sectors; of an odd number the one before."""
    return (sector + sectors // 2) % sectors


def changes_at(changes: Floats, sector: Sectors) -> tuple[Floats, Floats, Floats]:
    """Changes with each question's sector hidden, with the opposite one, and the mean of both neighbours'.

    `changes` is (question, sector), `sector` (question,), and so are all three.
    """
    rows, count = np.arange(len(changes)), changes.shape[1]
    beside = (changes[rows, (sector + 1) % count] + changes[rows, (sector - 1) % count]) / 2
    return changes[rows, sector], changes[rows, opposite(sector, count)], beside
