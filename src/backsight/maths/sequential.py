"""Looking at a sample while it grows, with an error rate that holds over all looks.

Whoever tests at 5 % whenever some samples more have come in is wrong far more often than 5 %. An alpha-spending
function says how much of the error may be used up by the time a fraction of all samples is there (Lan and DeMets,
Discrete sequential boundaries for clinical trials, 1983). This is their form of Pocock's bounds, which are nearly the
same at every look: what is plain is decided early, and the last look asks for little more than a single one would.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from backsight.errors import UsageError
from backsight.maths.intervals import LEVEL

POINTS = 801  # of the grid on which the density of what was not stopped is carried from look to look
FAR = 8.0  # standard errors beyond which a normal density counts as nothing


def bounds(looks: Sequence[int]) -> tuple[float, ...]:
    """The normal quantile that a two-sided 5 % test must pass at each of some looks, at `looks` samples.

    For a single look 1.96. UsageError unless the numbers are positive and grow.
    """
    counts = tuple(looks)
    if not counts or counts[0] < 1 or any(b <= a for a, b in pairwise(counts)):
        raise UsageError("Looks are numbers of samples that grow", got=counts, do="give them as (96, 192, 480)")
    return _bounds(tuple(count / counts[-1] for count in counts))


def spent(fraction: float) -> float:
    """The share of wrong decisions, of both sides, that is allowed by a fraction of the samples: Pocock's form."""
    return (1 - LEVEL) * math.log(1 + (math.e - 1) * fraction)


@lru_cache(maxsize=32)
def _bounds(fractions: tuple[float, ...]) -> tuple[float, ...]:
    """The bounds at fractions of all samples, by recursive integration (Armitage, McPherson and Rowe, 1969).

    What is carried is the sum of the samples' scores, a random walk whose variance is the fraction: its density among
    the runs that were not stopped, on a grid.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    quantiles: list[float] = []
    before, used = 0.0, 0.0
    at: NDArray[np.float64] = np.zeros(1)
    mass: NDArray[np.float64] = np.ones(1)  # probability at each point of the grid
    for fraction in fractions:
        step = np.sqrt(fraction - before)
        allowed = spent(fraction) - used

        def beyond(
            quantile: float, root: float = np.sqrt(fraction), step: float = step, mass: NDArray[np.float64] = mass,
            at: NDArray[np.float64] = at,
        ) -> float:  # fmt: skip
            return float(mass @ (norm.sf((quantile * root - at) / step) + norm.cdf((-quantile * root - at) / step)))

        quantile = float(brentq(lambda q, beyond=beyond, allowed=allowed: beyond(q) - allowed, 0.0, FAR + 1))
        edge = quantile * np.sqrt(fraction)
        grid = np.linspace(-edge, edge, POINTS)
        weights = np.full(POINTS, grid[1] - grid[0])
        weights[[0, -1]] /= 2
        mass = weights * (norm.pdf((grid[:, None] - at[None, :]) / step) @ mass) / step
        quantiles.append(quantile)
        at, before, used = grid, fraction, spent(fraction)
    return tuple(quantiles)
