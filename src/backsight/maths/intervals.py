"""Confidence intervals over images.

An image is asked several questions, so questions are no independent samples: the bootstrap draws images. Where
every image scores exactly 0 or exactly 1 the bootstrap has no width, and Wilson's interval over the number of
images takes its place and is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
RESAMPLES = 1000


class Interval(NamedTuple):
    """A mean with the ends of its interval; `kind` is bootstrap, wilson, or none (one image, or no spread)."""

    mean: float
    low: float
    high: float
    kind: str


def mean_over_images(values: ArrayLike, images: ArrayLike, *, seed: int = 0, shares: bool = True) -> Interval:
    """The mean of `values` (sample,) with a 95 % percentile-bootstrap interval over `images` (sample,).

    `shares` says that the values are 0 or 1, so that Wilson's interval may step in where all are equal.
    """
    value = np.asarray(values, dtype=float)
    if value.size == 0:
        return Interval(float("nan"), float("nan"), float("nan"), "none")
    _, index = np.unique(np.asarray(images), return_inverse=True)
    sums = np.bincount(index, weights=value).astype(float)
    counts = np.bincount(index).astype(float)
    mean = float(value.mean())
    if np.ptp(sums / counts) == 0:
        if shares and mean in (0.0, 1.0):
            return Interval(mean, *wilson(mean, len(sums)), "wilson")
        return Interval(mean, mean, mean, "none")
    low, high = _bootstrap(sums, counts, seed)
    return Interval(mean, low, high, "bootstrap")


def means_over_images(
    values: ArrayLike, images: ArrayLike, *, seed: int = 0, shares: Sequence[bool] | None = None
) -> list[Interval]:
    """As `mean_over_images` for each column of `values` (sample, column), with the same draws of images for all.

    `shares` says of each column whether it holds shares. It is one matrix product where scipy's bootstrap, whose draws
    these are, takes a call a column.
    """
    value = np.asarray(values, dtype=float)
    _, index = np.unique(np.asarray(images), return_inverse=True)
    counts = np.bincount(index).astype(float)
    sums = np.stack([np.bincount(index, weights=column) for column in value.T], 1)
    times = _times_drawn(len(counts), seed)
    resampled = times @ sums / (times @ counts)[:, None]
    low, high = np.percentile(resampled, [50 * (1 - LEVEL), 50 * (1 + LEVEL)], axis=0)
    flat = np.ptp(sums / counts[:, None], axis=0) == 0
    means = value.mean(0)
    intervals = []
    for column, mean in enumerate(means.tolist()):
        if not flat[column]:
            intervals.append(Interval(mean, float(low[column]), float(high[column]), "bootstrap"))
        elif shares is not None and shares[column] and mean in (0.0, 1.0):
            intervals.append(Interval(mean, *wilson(mean, len(counts)), "wilson"))
        else:
            intervals.append(Interval(mean, mean, mean, "none"))
    return intervals


@lru_cache(maxsize=64)
def _times_drawn(images: int, seed: int) -> NDArray[np.float64]:
    """How often each image is drawn in each resample, (resample, image), by the draws of scipy's bootstrap."""
    drawn = np.random.default_rng(seed).integers(0, images, (RESAMPLES, images))
    places = drawn + images * np.arange(RESAMPLES)[:, None]
    return np.bincount(places.ravel(), minlength=RESAMPLES * images).reshape(RESAMPLES, images).astype(float)


def wilson(share: float, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of `count` independent samples."""
    from scipy import stats  # a second of imports that nothing else before a summary needs

    ends = stats.binomtest(round(share * count), count).proportion_ci(LEVEL, method="wilson")
    return float(ends.low), float(ends.high)


def _bootstrap(sums: NDArray[np.float64], counts: NDArray[np.float64], seed: int) -> tuple[float, float]:
    from scipy import stats  # a second of imports that nothing else before a summary needs

    def ratio(s: NDArray[np.float64], n: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
        result: NDArray[np.float64] = s.sum(axis) / n.sum(axis)
        return result

    result = stats.bootstrap(
        (sums, counts), ratio, paired=True, vectorized=True, n_resamples=RESAMPLES, confidence_level=LEVEL,
        method="percentile", rng=np.random.default_rng(seed),
    )  # fmt: skip
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given: the chance of any false one below .05 among them is at most .05.

    The smallest is multiplied by the number of comparisons, the next by one less, and so on; none falls below the one
    before it, nor rises above one (Holm, A simple sequentially rejective multiple test procedure, 1979).
    """
    adjusted, before = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda n: p_values[n])):
        before = max(before, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = before
    return adjusted
