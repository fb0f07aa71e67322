"""The maths of a paired comparison, by hand and against scipy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from backsight.maths import comparison
from backsight.maths.intervals import RESAMPLES, Interval


def test_a_paired_difference_by_hand() -> None:
    """Pictures a and b with two questions each, c with one: differences -1, -1 | 0, -1 | +1; their mean is -2/5."""
    found = comparison.paired([1, 1, 1, 1, 0], [0, 0, 1, 0, 1], ["a", "a", "b", "b", "c"])
    assert (found.samples, found.images) == (5, 3)
    assert (found.first, found.second) == (0.8, pytest.approx(0.4))
    assert found.difference.mean == pytest.approx(-0.4)
    # Totals -2, -1, +1: |total| is 2 as found; of the eight patterns of signs +-2 +-1 +-1 six reach 2 (4, 2, 2 and
    # their opposites), two give 0.
    assert found.p_value == 6 / 8


def test_the_interval_is_scipys_bootstrap_over_images() -> None:
    rng = np.random.default_rng(3)
    images = np.repeat(np.arange(20), 3)
    one, other = rng.random(60), rng.random(60)
    found = comparison.paired(one, other, images).difference
    sums = np.array([(other - one)[images == n].sum() for n in range(20)])
    drawn = stats.bootstrap(
        (sums, np.full(20, 3.0)), lambda s, n, axis=-1: s.sum(axis) / n.sum(axis), paired=True, n_resamples=RESAMPLES,
        method="percentile", rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    assert found == Interval(pytest.approx((other - one).mean()), pytest.approx(drawn.low), pytest.approx(drawn.high),
                             "bootstrap")  # fmt: skip


def test_the_interval_of_two_images_by_hand() -> None:
    """Two pictures of one question each, differences 0 and -1: the mean of a resample is 0, -1/2 or -1."""
    found = comparison.paired([1, 1], [1, 0], ["a", "b"])
    assert found.difference == Interval(-0.5, -1.0, 0.0, "bootstrap")


def test_the_test_is_scipys_permutation_test_of_pairs() -> None:
    rng = np.random.default_rng(5)
    few = rng.normal(0.3, 1, 11)
    exact = stats.permutation_test((few,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert comparison.sign_flips(few, np.arange(11)) == pytest.approx(exact.pvalue)
    many = rng.normal(0, 1, 60)
    many += 0.25 - many.mean()
    drawn = stats.permutation_test(
        (many,), np.sum, permutation_type="samples", n_resamples=20_000, rng=np.random.default_rng(1)
    )
    found = comparison.sign_flips(many, np.arange(60))
    assert found == pytest.approx(drawn.pvalue, abs=0.01) and 0.001 < found < 0.2
    assert comparison.sign_flips(many, np.arange(60)) == found  # the seed is fixed


def test_for_single_answers_the_test_is_mcnemars() -> None:
    """Eight discordant questions of one picture each, seven of them lost: the sign test of 7 in 8."""
    differences = [-1.0] * 7 + [1.0] + [0.0] * 30
    expected = stats.binomtest(1, 8).pvalue
    assert comparison.sign_flips(differences, np.arange(38)) == pytest.approx(expected)


def test_the_test_takes_the_image_as_its_unit() -> None:
    """Five pictures lost whole, four questions each: 2 of 2^5 patterns, not 2 of 2^20."""
    assert comparison.sign_flips([-1.0] * 20, np.repeat(np.arange(5), 4)) == 2 / 32
    assert comparison.sign_flips([-1.0, 1.0] * 10, np.repeat(np.arange(10), 2)) == 1.0
    assert comparison.sign_flips([0.0] * 4, np.arange(4)) == 1.0


def test_where_nothing_can_reach_it_the_smallest_p_is_that_of_the_draws() -> None:
    assert comparison.sign_flips([-1.0] * 200, np.arange(200)) == 1 / 20_000


def test_rounding_is_no_difference() -> None:
    found = comparison.paired([0.5] * 12, [0.5 - 1e-6] * 12, np.arange(12))
    assert found.difference == Interval(0.0, 0.0, 0.0, "none") and found.p_value == 1.0


@pytest.mark.parametrize(
    ("low", "high", "more", "less"),
    [(-0.2, -0.1, "worse", "better"), (0.1, 0.2, "better", "worse"), (-0.1, 0.1, "no", "no"), (-0.1, 0.0, "no", "no"),
     (0.0, 0.1, "no", "no"), (0.0, 0.0, "no", "no"), (-1.0, -1.0, "worse", "better")],
)  # fmt: skip
def test_what_moved_goes_by_the_interval_and_by_p(low: float, high: float, more: str, less: str) -> None:
    found = comparison.Paired(12, 12, 1.0, 1.0, Interval((low + high) / 2, low, high, "bootstrap"), 0.049)
    assert comparison.moved(found, "more") == more
    assert comparison.moved(found, "less") == less
    assert comparison.moved(replace(found, p_value=0.05), "more") == "no"


def test_four_lost_of_twelve_are_not_shown() -> None:
    found = comparison.paired([1.0] * 12, [0.0] * 4 + [1.0] * 8, np.arange(12))
    assert found.difference.high < 0 and found.p_value == pytest.approx(0.125)
    assert comparison.moved(found, "more") == "no"


def test_one_study_alone_has_the_interval_of_shares_for_answers_only() -> None:
    """Answers have one interval, all right or mixed; a mean of other values without spread has none."""
    images = [str(number) for number in range(12)]
    right = comparison.alone([1.0] * 12, images)
    assert (right.mean, right.high, right.kind) == (1.0, 1.0, "agresti-coull") and right.low == pytest.approx(
        0.6988, abs=1e-4
    )
    wrong = comparison.alone([0.0] * 12, images)
    assert (wrong.mean, wrong.low, wrong.kind) == (0.0, 0.0, "agresti-coull")
    assert comparison.alone([2.0] * 12, images).kind == "none"
    assert comparison.alone([1.0, 0.0] * 6, images).kind == "agresti-coull"
    assert comparison.alone([1.5, 0.0] * 6, images).kind == "bootstrap"


def test_differences_that_cancel_are_reached_by_every_pattern_of_signs() -> None:
    """The total is zero, so each of the random patterns reaches it: p is one, and not a pattern more is counted."""
    images = [str(number) for number in range(comparison.EXACT + 1)]
    assert comparison.sign_flips([1.0, -1.0] * (len(images) // 2), images) == 1.0
