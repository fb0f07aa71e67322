"""Confidence intervals over images.

An image is asked several questions, so questions are no independent samples: whatever is sampled is images.

Shares (values from 0 to 1: right or wrong, probabilities) have one interval, Agresti and Coull's "plus four" with the
effective number of questions: fewer than were asked by the factor by which the answers about one image go
together. That factor is measured with pseudo-images added, `PSEUDO` wholly right and as many wholly wrong, so that it
is known where every image scores alike, and an interval always has width. Values of other units, such as degrees, have
a percentile bootstrap that draws images.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backsight.errors import UsageError

LEVEL = 0.95
RESAMPLES = 1000
# Of each kind, in the factor by which answers about an image go together. With fewer, one wrong answer about an image
# that is asked many questions can make the interval narrower than none: up to 12 questions an image, three are enough.
PSEUDO = 3.0
ADDED = 4  # Agresti and Coull's: two right, two wrong
SLACK = 1e-6  # beyond 0 or 1, of sums of probabilities


class Interval(NamedTuple):
    """A mean with the ends of its interval.

    `kind` is agresti-coull (of shares), agresti-min (of their differences), bootstrap, or none: no sample, or values of
    other units without any spread.
    """

    mean: float
    low: float
    high: float
    kind: str


def mean_over_images(
    values: ArrayLike, images: ArrayLike, *, seed: int = 0, shares: bool = True, quantile: float | None = None
) -> Interval:
    """The mean of `values` (sample,) with a 95 % interval over `images` (sample,).

    `shares` says that the values are from 0 to 1; UsageError where they are not. `quantile` is the normal quantile that
    the interval of shares reaches to, where it is to be another than that of 95 %.
    """
    value = np.asarray(values, dtype=float)
    if value.size == 0:
        return Interval(float("nan"), float("nan"), float("nan"), "none")
    _, index = np.unique(np.asarray(images), return_inverse=True)
    sums = np.bincount(index, weights=value).astype(float)
    counts = np.bincount(index).astype(float)
    mean = float(value.mean())
    if shares:
        low, high = of_shares(sums[:, None], counts, quantile)
        return Interval(mean, float(low[0]), float(high[0]), "agresti-coull")
    if np.ptp(sums / counts) == 0:
        return Interval(mean, mean, mean, "none")
    return Interval(mean, *_bootstrap(sums, counts, seed), "bootstrap")


def difference_over_images(values: ArrayLike, images: ArrayLike, *, reach: float = 1.0) -> Interval:
    """The mean of paired differences `values` (sample,) of shares, from -reach to reach, with a 95 % interval.

    Agresti and Min's way (Simple improved confidence intervals for comparing matched proportions, 2005) with pseudo-
    images: two in the mean, half a one better, half a one worse, and four in its error, so that the interval never
    lacks width, where a bootstrap of differences that are all zero says "0 [0, 0]" of however few. The given mean is
    that of the values. Simulated on answers that are right or wrong (10 to 300 images) it covers .925 at worst, .976 on
    average. UsageError for a difference beyond reach.
    """
    value = np.asarray(values, dtype=float) / reach
    if value.size == 0:
        return Interval(float("nan"), float("nan"), float("nan"), "none")
    if np.abs(value).max() > 1 + SLACK:
        got = f"{reach * value.min():g} to {reach * value.max():g}"
        raise UsageError("These differences are beyond their reach", got=got, do=f"give a reach above {reach:g}")
    _, index = np.unique(np.asarray(images), return_inverse=True)
    sums, counts = np.bincount(index, weights=value).astype(float), np.bincount(index).astype(float)
    size, total = counts.mean(), counts.sum() + 2 * counts.mean()
    centre = sums.sum() / total
    pseudo = size**2 * ((1 - centre) ** 2 + (1 + centre) ** 2 + 2 * centre**2)
    error = np.sqrt(((sums - counts * centre) ** 2).sum() + pseudo) / total
    ends = np.clip(centre + student(len(counts)) * error * np.array([-1.0, 1.0]), -1, 1) * reach
    return Interval(float(value.mean()) * reach, float(ends[0]), float(ends[1]), "agresti-min")


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
    sums = np.stack([np.bincount(index, weights=column) for column in value.T], 1).astype(float)
    means = value.mean(0).tolist()
    is_share = np.zeros(len(means), dtype=bool) if shares is None else np.asarray(shares, dtype=bool)
    low, high = np.full(len(means), np.nan), np.full(len(means), np.nan)
    if is_share.any():
        low[is_share], high[is_share] = of_shares(sums[:, is_share], counts)
    if not is_share.all():
        times = _times_drawn(len(counts), seed)
        resampled = times @ sums[:, ~is_share] / (times @ counts)[:, None]
        low[~is_share], high[~is_share] = np.percentile(resampled, [50 * (1 - LEVEL), 50 * (1 + LEVEL)], axis=0)
    flat = np.ptp(sums / counts[:, None], axis=0) == 0
    intervals = []
    for column, mean in enumerate(means):
        ends = float(low[column]), float(high[column])
        if is_share[column]:
            intervals.append(Interval(mean, *ends, "agresti-coull"))
        else:
            intervals.append(Interval(mean, mean, mean, "none") if flat[column] else Interval(mean, *ends, "bootstrap"))
    return intervals


def of_shares(
    sums: NDArray[np.float64], counts: NDArray[np.float64], quantile: float | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both ends of the interval of a share: `sums` (image, column) of values from 0 to 1, `counts` (image,) of them.

    (p n + 2) / (n + 4) and its binomial error (Agresti and Coull, Approximate is better than "exact" for interval
    estimation of binomial proportions, 1998), n the number of questions over the design effect (Kish, Survey Sampling,
    1965): the variance between images over the binomial one, `PSEUDO` images of each kind added. With one question an
    image it is n itself, where all images are right or wrong as a whole it is their number. The quantile is Student's.
    UsageError where a value is below 0 or above 1.
    """
    if (sums < -SLACK * counts[:, None]).any() or (sums > (1 + SLACK) * counts[:, None]).any():
        got = f"means of images from {(sums / counts[:, None]).min():g} to {(sums / counts[:, None]).max():g}"
        raise UsageError("These values are no shares: they are not from 0 to 1", got=got, do="give shares=False")
    size, total = counts.mean(), counts.sum()
    padded = total + 2 * PSEUDO * size
    mean = (sums.sum(0) + PSEUDO * size) / padded
    pseudo = PSEUDO * size**2 * ((1 - mean) ** 2 + mean**2)
    between = ((sums - counts[:, None] * mean) ** 2).sum(0) + pseudo
    number = total * padded * mean * (1 - mean) / between
    centre = (sums.sum(0) / total * number + ADDED / 2) / (number + ADDED)
    reach = student(len(counts), quantile) * np.sqrt(centre * (1 - centre) / (number + ADDED))
    return np.clip(centre - reach, 0, 1), np.clip(centre + reach, 0, 1)


@lru_cache(maxsize=4096)
def student(images: int, quantile: float | None = None) -> float:
    """Student's quantile that leaves out as much as a normal one (that of 95 % where None), of images and `ADDED`."""
    from scipy import special  # scipy.stats takes a second to import, which a report has not

    beyond = (1 - LEVEL) / 2 if quantile is None else float(special.ndtr(-quantile))
    return -float(special.stdtrit(images + ADDED - 1, beyond))


@lru_cache(maxsize=64)
def _times_drawn(images: int, seed: int) -> NDArray[np.float64]:
    """How often each image is drawn in each resample, (resample, image), by the draws of scipy's bootstrap."""
    drawn = np.random.default_rng(seed).integers(0, images, (RESAMPLES, images))
    places = drawn + images * np.arange(RESAMPLES)[:, None]
    return np.bincount(places.ravel(), minlength=RESAMPLES * images).reshape(RESAMPLES, images).astype(float)


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
