"""The Position Sensitivity Index: how much of a model's accuracy goes when its image tokens are shuffled.

As published it is (accuracy - accuracy shuffled) / accuracy (Beyond Semantics, arXiv 2503.17349), so a model that falls
to chance among four has an index of .75 at most. Beside it stands the form that is corrected for chance,
(accuracy - accuracy shuffled) / (accuracy - chance): 0 where nothing is lost, 1 where chance is left. Either is one
less a ratio, whose interval is Fieller's over images (`maths.shares`). Where the accuracy is not told from chance there
is nothing to lose, and neither is given.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from backsight.maths.shares import fieller


class Index(NamedTuple):
    """An index with the ends of its 95 % interval over images."""

    value: float
    low: float
    high: float


class Psi(NamedTuple):
    """Both forms of the Position Sensitivity Index."""

    published: Index
    corrected: Index


def psi(plain: ArrayLike, shuffled: ArrayLike, chance: ArrayLike, images: ArrayLike) -> Psi | None:
    """Both forms from `plain` and `shuffled` (question,), right (1) or wrong (0) or the mean over several shuffles.

    `chance` (question,) is what a guess gets, `images` (question,) the picture of each. None without questions, or
    where the accuracy is not told from chance, so that the corrected index has no ends.
    """
    _, index = np.unique(np.asarray(images), return_inverse=True)
    if not len(index):
        return None
    counts = np.bincount(index).astype(float)
    sums = [np.bincount(index, np.asarray(of, dtype=float)).astype(float) for of in (plain, shuffled, chance)]
    whole, broken, guessed = sums
    corrected = fieller(broken, whole, counts, chance=guessed / counts)
    published = fieller(broken, whole, counts, chance=0.0)
    if corrected is None or published is None:
        return None
    return Psi(_lost(published, most=1.0), _lost(corrected))


def _lost(left: tuple[float, float, float], most: float = np.inf) -> Index:
    """One less a share that is left, with its ends; `most` is the largest that an index can be."""
    value, low, high = left
    return Index(1 - value, min(1 - high, most), min(1 - low, most))
