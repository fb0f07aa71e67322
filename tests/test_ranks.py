"""Ranks of which the nearest share their places: Spearman's where none are near, and steady where they are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from backsight.maths.ranks import rank_correlation, ranks


def test_ranks_by_hand() -> None:
    assert ranks(np.array([1.0, 3.0, 2.0])).tolist() == [1, 3, 2]
    assert ranks(np.array([1.0, 3.0, 3.0, 0.0])).tolist() == [2, 3.5, 3.5, 1]
    # Half as far apart as the width of .1: three quarters of the place goes to the larger one.
    assert ranks(np.array([10.0, 0.0, 0.05]), 0.01).tolist() == [3, 1.25, 1.75]


def test_without_near_values_it_is_spearmans() -> None:
    one, other = (np.random.default_rng(seed).permutation(40.0 + np.arange(40)) for seed in (0, 1))
    assert rank_correlation(one, other) == pytest.approx(stats.spearmanr(one, other).statistic)
    tied = np.repeat(np.arange(10.0), 4)
    assert rank_correlation(tied, other) == pytest.approx(stats.spearmanr(tied, other).statistic)


def test_rounding_moves_no_correlation() -> None:
    """Most values are all but zero, as effects of tokens are: Spearman's own coefficient moves by more than a tenth."""
    rng = np.random.default_rng(0)
    values = np.where(rng.random(144) < 0.8, 1e-6 * rng.random(144), rng.random(144))
    moved = values + 1e-6 * rng.standard_normal(144)
    other = rng.random(144)
    assert abs(stats.spearmanr(values, other).statistic - stats.spearmanr(moved, other).statistic) > 0.01
    assert rank_correlation(values, other) == pytest.approx(rank_correlation(moved, other), abs=1e-4)


def test_what_is_the_same_everywhere_has_no_ranks() -> None:
    other = np.arange(5.0)
    assert rank_correlation(np.ones(5), other) is None
    assert rank_correlation(np.zeros(5), other) is None
    assert rank_correlation(1 + 1e-7 * other[::-1], other) is None  # rounding, all of it
    assert rank_correlation(other, other) == pytest.approx(1)


def test_what_is_below_a_floor_has_no_ranks() -> None:
    other = np.arange(5.0)
    assert rank_correlation(other, 1e-5 * other) == pytest.approx(1)
    assert rank_correlation(other, 1e-5 * other, floor=1e-4) is None
