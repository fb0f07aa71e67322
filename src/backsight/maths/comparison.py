"""Two models on the same samples: the mean difference, its interval over images, and a paired test.

An image is asked several questions, so both the bootstrap and the test take the image as the unit: what is drawn, or
turned round, are all samples of an image together.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backsight.maths.intervals import Interval, mean_over_images

Alternative = Literal["two-sided", "less"]
Better = Literal["more", "less"]
Moved = Literal["better", "worse", "no"]

LEVEL = 0.05  # of p, below which a difference is shown
ROUNDING = 1e-5  # a sample's difference below it is float32's rounding in another batch, and counts as none
EXACT = 13  # images with a difference, up to which every pattern of signs is tried (8,192)
DRAWS = 19_999  # random patterns of signs beyond that; the smallest p-value is then 1 / 20,000
CHUNK = 1_000  # patterns at a time


@dataclass(frozen=True)
class Paired:
    """Two models' means over shared samples; the difference is the second's mean less the first's."""

    samples: int
    images: int
    first: float
    second: float
    difference: Interval
    p_value: float


def paired(first: ArrayLike, second: ArrayLike, images: ArrayLike) -> Paired:
    """Values of two models on the same samples (sample,) with each sample's image (sample,); at least one sample."""
    one, two, image = np.asarray(first, dtype=float), np.asarray(second, dtype=float), np.asarray(images)
    differences = two - one
    differences[np.abs(differences) < ROUNDING] = 0.0
    return Paired(
        len(differences), len(np.unique(image)), float(one.mean()), float(two.mean()),
        mean_over_images(differences, image, shares=False), sign_flips(differences, image),
    )  # fmt: skip


def alone(values: ArrayLike, images: ArrayLike) -> Interval:
    """The mean of one model's values (sample,) with its interval over images: that of shares for answers, 0 or 1."""
    value = np.asarray(values, dtype=float)
    return mean_over_images(value, images, shares=bool(np.isin(value, (0.0, 1.0)).all()))


def sign_flips(
    differences: ArrayLike, images: ArrayLike, *, seed: int = 0, alternative: Alternative = "two-sided"
) -> float:
    """The p-value of Fisher's paired randomisation test of a mean difference, with images as its units.

    Were it all the same which of the two is which, the sum of an image's differences could as well have the other sign.
    The p-value is the share of patterns of signs whose total is at least as far from zero as the one found ("less": at
    least as far below). Patterns are all up to `EXACT` images that differ, else `DRAWS` random ones and the one found.
    """
    _, index = np.unique(np.asarray(images), return_inverse=True)
    sums = np.bincount(index, weights=np.asarray(differences, dtype=float))
    return sign_flips_of(sums[sums != 0][:, None], [alternative], seed=seed)[0]


def sign_flips_of(sums: NDArray[np.float64], alternatives: Sequence[Alternative], *, seed: int = 0) -> list[float]:
    """As `sign_flips` of each column of `sums` (image, column), with the same signs for all.

    An image that a column has nothing of has the sum 0 in it.
    """
    below = np.array([alternative == "less" for alternative in alternatives])

    def far(totals: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far totals (pattern, column) lie in the direction that counts."""
        return np.where(below, -totals, np.abs(totals))

    # Totals that are equal but for rounding count as equal.
    reached = far(sums.sum(0)[None])[0] - 1e-9 * np.abs(sums).sum(0)
    if len(sums) <= EXACT:
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=len(sums)))).reshape(2 ** len(sums), len(sums))
        return [float(p) for p in (far(signs @ sums) >= reached).mean(0)]
    rng = np.random.default_rng(seed)
    hits = np.zeros(sums.shape[1])
    for start in range(0, DRAWS, CHUNK):
        hits += (far(_signs(rng, min(CHUNK, DRAWS - start), len(sums)) @ sums) >= reached).sum(0)
    return [float(p) for p in (hits + 1) / (DRAWS + 1)]


def _signs(rng: np.random.Generator, draws: int, images: int) -> NDArray[np.float64]:
    """Random signs (draw, image)."""
    return np.where(rng.integers(0, 2, (draws, images), dtype=bool), 1.0, -1.0)


def moved(paired: Paired, better: Better) -> Moved:
    """Whether a difference is shown, and whether it is for the worse.

    It is where its interval lies wholly on one side of zero and p is below `LEVEL`: where few images differ the
    interval alone is too ready (four lost of twelve and none won are wholly below zero, at p = .125).
    """
    difference = paired.difference
    if difference.low <= 0 <= difference.high or paired.p_value >= LEVEL:
        return "no"
    return "better" if (difference.low > 0) == (better == "more") else "worse"
