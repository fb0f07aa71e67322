"""Intervals: of shares one that always has width and covers at its rate; of other values a bootstrap over images."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from backsight.errors import UsageError
from backsight.maths.intervals import (
    RESAMPLES,
    Interval,
    difference_over_images,
    holm,
    mean_over_images,
    means_over_images,
    of_shares,
)


def width(interval: Interval) -> float:
    return interval.high - interval.low


def test_two_images_by_hand() -> None:
    # Draws of two images from a (2 of 3) and b (0 of 1): aa gives 2/3, bb gives 0, ab gives 2/4; the outer two come up
    # a quarter of the time each, far more often than 2.5 %.
    found = mean_over_images([1, 1, 0, 0], ["a", "a", "a", "b"], shares=False)
    assert found == Interval(0.5, 0.0, pytest.approx(2 / 3), "bootstrap")


def test_one_question_an_image_equals_scipy() -> None:
    values = np.random.default_rng(3).uniform(size=40)
    found = mean_over_images(values, np.arange(40), seed=5, shares=False)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(5)
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.mean == pytest.approx(values.mean())


def test_uneven_images_equal_a_bootstrap_written_out() -> None:
    rng = np.random.default_rng(0)
    groups = [rng.normal(size=size) + rng.normal() for size in rng.integers(1, 6, 60)]
    found = mean_over_images(
        np.concatenate(groups), np.repeat(np.arange(60), [len(g) for g in groups]), shares=False
    )  # fmt: skip
    means = []
    for _ in range(4000):
        means.append(np.concatenate([groups[k] for k in rng.integers(0, 60, 60)]).mean())
    low, high = np.percentile(means, [2.5, 97.5])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.04)


def test_two_equal_answers_about_an_image_count_once() -> None:
    answers = np.random.default_rng(1).integers(0, 2, 150)
    together = mean_over_images(np.repeat(answers, 2), np.repeat(np.arange(150), 2))
    apart = mean_over_images(np.repeat(answers, 2), np.arange(300))
    once = mean_over_images(answers, np.arange(150))
    assert width(together) / width(apart) == pytest.approx(math.sqrt(2), rel=0.1)
    assert together[:3] == pytest.approx(once[:3])


@pytest.mark.parametrize("right", [0, 1, 8, 19, 20])
def test_one_question_an_image_is_agresti_and_coulls_plus_four(right: int) -> None:
    """Twenty images by hand: (x + 2) / 24, and Student's quantile of 23 degrees, 2.069, times its binomial error."""
    found = mean_over_images([1.0] * right + [0.0] * (20 - right), np.arange(20))
    centre = (right + 2) / 24
    reach = 2.0687 * math.sqrt(centre * (1 - centre) / 24)
    assert found == Interval(
        right / 20, pytest.approx(max(0, centre - reach), abs=1e-4), pytest.approx(min(1, centre + reach), abs=1e-4),
        "agresti-coull",
    )  # fmt: skip


def test_images_that_score_alike_count_and_not_their_questions() -> None:
    for value in (0.0, 1.0):
        whole = mean_over_images(np.full(60, value), np.repeat(np.arange(20), 3))
        assert whole[:3] == pytest.approx(mean_over_images(np.full(20, value), np.arange(20))[:3])


@pytest.mark.parametrize("images", [2, 10, 16, 50, 240])
@pytest.mark.parametrize("asked", [1, 2, 4, 8, 12])
@pytest.mark.parametrize("packed", [False, True])
def test_no_wrong_answer_makes_an_interval_better(images: int, asked: int, packed: bool) -> None:
    """All right has the highest lower end, also where the first wrong answers show how little images go together."""
    names = np.repeat(np.arange(images), asked)
    order = np.argsort(names if packed else np.tile(np.arange(asked), images), kind="stable")
    lows = []
    for wrong in range(min(images * asked, 16)):
        values = np.ones(images * asked)
        values[order[:wrong]] = 0
        lows.append(mean_over_images(values, names).low)
    assert max(lows) == lows[0] < 1
    if asked == 1:
        assert lows == sorted(lows, reverse=True)


def test_sixteen_of_sixteen_and_fifty_of_fifty() -> None:
    """What percentile bootstrap and Wilson together got wrong: no width, and one wrong above none wrong."""
    assert mean_over_images(np.full(16, 0.9999), np.arange(16)).low < 0.9
    all_right = mean_over_images(np.ones(50), np.arange(50))
    one_wrong = mean_over_images(np.r_[0.0, np.ones(49)], np.arange(50))
    assert 0.85 < one_wrong.low < all_right.low < 0.95


def test_probabilities_have_width_too_and_other_units_are_refused() -> None:
    alike = mean_over_images(np.full(30, 0.3), np.arange(30))
    assert 0.15 < alike.low < 0.3 < alike.high < 0.45
    spread = np.random.default_rng(0).uniform(size=300)
    found = mean_over_images(spread, np.arange(300))
    by_bootstrap = mean_over_images(spread, np.arange(300), shares=False)
    assert width(found) == pytest.approx(width(by_bootstrap), rel=0.15)
    with pytest.raises(UsageError, match="no shares"):
        mean_over_images([2.0, 0.5], [1, 2])


def test_values_of_other_units_without_spread_have_no_interval_and_it_says_so() -> None:
    assert mean_over_images([0.0, 0.0], [1, 2], shares=False) == Interval(0.0, 0.0, 0.0, "none")
    assert mean_over_images([0.3], ["one"], shares=False) == Interval(0.3, 0.3, 0.3, "none")


def answered(rng: np.random.Generator, runs: int, images: int, asked: int, right: float, alike: float) -> Any:
    """Numbers of right answers, (run, image); two answers about an image correlate by `alike`."""
    whole = rng.random((runs, images, 1)) < right
    own = rng.random((runs, images, asked)) < right
    copied = rng.random((runs, images, asked)) < math.sqrt(alike)
    return np.where(copied, whole, own).sum(2).astype(float)


@pytest.mark.parametrize("asked", [1, 2, 4, 8])
def test_it_covers_at_its_rate(asked: int) -> None:
    """10 to 500 questions, 1 to 8 an image that correlate by 0 to 1, accuracies from .5 to 1: 95 % or more, less what
    800 runs leave to chance (3.5 standard errors), from five images on; with answers that go together it is no wider
    than half as much again as the truth's own, from 30 images on."""
    rng, runs = np.random.default_rng(asked), 800
    for questions in (10, 32, 100, 500):
        images = round(questions / asked)
        if images < 5:
            continue
        for right, alike in itertools.product((0.5, 0.7, 0.9, 0.98, 1.0), (0.0, 0.5, 1.0)):
            sums = answered(rng, runs, images, asked, right, alike)
            low, high = of_shares(sums.T, np.full(images, float(asked)))
            covered = float(((low <= right + 1e-9) & (right - 1e-9 <= high)).mean())
            assert covered >= 0.95 - 3.5 * math.sqrt(0.95 * 0.05 / runs), (questions, asked, right, alike, covered)
            if images >= 30 and right in (0.5, 0.7) and alike > 0:
                true = math.sqrt(right * (1 - right) * (1 + (asked - 1) * alike) / (images * asked))
                assert np.median(high - low) < 1.5 * 2 * 1.96 * true


def test_nothing_gives_not_a_number() -> None:
    found = mean_over_images([], [])
    assert found.kind == "none" and all(math.isnan(v) for v in found[:3])


samples = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), min_size=2, max_size=30)


@settings(deadline=None, max_examples=40)
@given(samples, st.randoms())
def test_the_order_of_rows_and_the_names_of_images_change_nothing(rows: list[tuple[int, int]], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one = mean_over_images([v for v, _ in rows], [i for _, i in rows])
    two = mean_over_images([v for v, _ in shuffled], [f"image {i}" for _, i in shuffled])
    assert one[:3] == pytest.approx(two[:3]) and one.kind == two.kind


@settings(deadline=None, max_examples=40)
@given(samples)
def test_right_and_wrong_mirror_each_other(rows: list[tuple[int, int]]) -> None:
    values, images = np.array(rows).T
    right, wrong = mean_over_images(values, images), mean_over_images(1 - values, images)
    assert (1 - wrong.mean, 1 - wrong.high, 1 - wrong.low) == pytest.approx(right[:3])
    assert right.kind == wrong.kind
    assert right.low <= right.mean <= right.high


def test_an_interval_repeats_for_a_seed() -> None:
    values, images = np.random.default_rng(2).uniform(size=30), np.arange(30)
    one, other = (mean_over_images(values, images, seed=seed, shares=False) for seed in (1, 2))
    assert one == mean_over_images(values, images, seed=1, shares=False) != other


def test_columns_of_one_product_equal_scipys_bootstrap_of_each() -> None:
    """Uneven images, four kinds of column: measured values, shares, a share that is always right, one that is flat."""
    rng = np.random.default_rng(5)
    images = np.array([f"i{n}" for n in (0, 0, 0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 6, 6)])
    count = len(images)
    columns = np.stack(
        [rng.normal(3.0, 2.0, count), rng.integers(0, 2, count).astype(float), np.ones(count), np.full(count, 0.5)], 1
    )
    shares = (False, True, True, False)
    for seed in (0, 7):
        together = means_over_images(columns, images, seed=seed, shares=shares)
        alone = [mean_over_images(c, images, seed=seed, shares=s) for c, s in zip(columns.T, shares, strict=True)]
        for one, other in zip(together, alone, strict=True):
            assert one.kind == other.kind and one[:3] == pytest.approx(other[:3], abs=1e-12)
    assert [one.kind for one in together] == ["bootstrap", "agresti-coull", "agresti-coull", "none"]
    default = means_over_images(columns, images)
    assert default[0][:3] == pytest.approx(mean_over_images(columns[:, 0], images, shares=False)[:3], abs=1e-12)
    assert default[2] == Interval(1.0, 1.0, 1.0, "none")  # nobody said that these are shares


def test_holm_by_hand() -> None:
    """Four values: .01 x 4, then .02 x 3 = .06, then .03 x 2 = .06 (not below the one before), then .4."""
    assert holm([0.03, 0.01, 0.4, 0.02]) == pytest.approx([0.06, 0.04, 0.4, 0.06])
    assert holm([0.6, 0.5]) == [1.0, 1.0] and holm([]) == []


def test_a_paired_difference_always_has_width_and_never_says_more_than_its_questions() -> None:
    """Of 24 questions of which none changed the difference is known to about a fifth, of 240 to about a fiftieth."""
    for count, reach in ((24, 0.2), (240, 0.02)):
        same = difference_over_images(np.zeros(count), np.arange(count))
        assert same.mean == 0 and same.low == pytest.approx(-same.high)
        assert 0.5 * reach < same.high < reach


def test_a_paired_difference_by_hand() -> None:
    """6 of 48 lost: the centre is -6 / 50, the error sqrt(6 .88^2 + 42 .12^2 + .88^2 + 1.12^2 + 2 .12^2) / 50."""
    of = difference_over_images([-1] * 6 + [0] * 42, range(48))
    error = math.sqrt(6 * 0.88**2 + 42 * 0.12**2 + 0.88**2 + 1.12**2 + 2 * 0.12**2) / 50
    reach = stats.t.isf(0.025, 48 + 4 - 1) * error
    assert of == Interval(-0.125, pytest.approx(-0.12 - reach), pytest.approx(-0.12 + reach), "agresti-min")
    assert of.high < 0  # as the exact test of McNemar, p = .031
    doubled = difference_over_images([-2] * 6 + [0] * 42, range(48), reach=2)
    assert doubled[:3] == pytest.approx([2 * end for end in of[:3]])
    with pytest.raises(UsageError, match="beyond their reach"):
        difference_over_images([-2.0, 0], [0, 1])


def test_questions_of_one_image_count_as_one() -> None:
    apart = difference_over_images([1, 0, 0, 0] * 12, range(48))
    together = difference_over_images(sorted([1, 0, 0, 0] * 12), np.repeat(range(12), 4))
    assert apart.mean == together.mean == 0.25
    assert width(together) > 1.5 * width(apart)


@pytest.mark.parametrize(("better", "worse"), [(0.1, 0.02), (0.3, 0.1), (0.5, 0.0), (0.2, 0.2)])
@pytest.mark.parametrize("count", [24, 100])
def test_intervals_of_paired_differences_cover(better: float, worse: float, count: int) -> None:
    """At .95 the simulated share of 400 runs stays above .92 (three standard errors below)."""
    rng = np.random.default_rng([count, round(100 * better)])
    covered = 0
    for _ in range(400):
        draw = rng.random(count)
        values = np.where(draw < better, 1.0, np.where(draw < better + worse, -1.0, 0.0))
        interval = difference_over_images(values, np.arange(count))
        covered += interval.low <= better - worse <= interval.high
    assert covered / 400 > 0.92
