"""Intervals: the bootstrap draws images, and Wilson's formula stands in where it has no width."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from backsight.maths.intervals import RESAMPLES, Interval, holm, mean_over_images, means_over_images

Z2 = 1.959963984540054**2


def width(interval: Interval) -> float:
    return interval.high - interval.low


def test_two_images_by_hand() -> None:
    # Draws of two images from a (2 of 3 right) and b (0 of 1): aa gives 2/3, bb gives 0, ab gives 2/4; the
    # outer two come up a quarter of the time each, far more often than 2.5 %.
    found = mean_over_images([1, 1, 0, 0], ["a", "a", "a", "b"])
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
    groups = [rng.integers(0, 2, size) for size in rng.integers(1, 6, 60)]
    found = mean_over_images(np.concatenate(groups), np.repeat(np.arange(60), [len(g) for g in groups]))
    means = []
    for _ in range(4000):
        means.append(np.concatenate([groups[k] for k in rng.integers(0, 60, 60)]).mean())
    low, high = np.percentile(means, [2.5, 97.5])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.015)


def test_two_equal_answers_about_an_image_count_once() -> None:
    answers = np.random.default_rng(1).integers(0, 2, 150)
    together = mean_over_images(np.repeat(answers, 2), np.repeat(np.arange(150), 2))
    apart = mean_over_images(np.repeat(answers, 2), np.arange(300))
    once = mean_over_images(answers, np.arange(150))
    assert width(together) / width(apart) == pytest.approx(math.sqrt(2), rel=0.1)
    assert together == once


@pytest.mark.parametrize("images", [1, 20, 300])
def test_all_right_and_all_wrong_take_wilsons_formula(images: int) -> None:
    right = mean_over_images(np.ones(images), np.arange(images))
    wrong = mean_over_images(np.zeros(images), np.arange(images))
    assert right == Interval(1.0, pytest.approx(images / (images + Z2)), pytest.approx(1.0), "wilson")
    assert wrong == Interval(0.0, pytest.approx(0.0, abs=1e-12), pytest.approx(Z2 / (images + Z2)), "wilson")


def test_wilson_counts_images_and_not_questions() -> None:
    assert mean_over_images(np.ones(60), np.repeat(np.arange(20), 3)).low == pytest.approx(20 / (20 + Z2))


def test_without_spread_there_is_no_interval_and_it_says_so() -> None:
    assert mean_over_images([1, 0, 1, 0], [1, 1, 2, 2]) == Interval(0.5, 0.5, 0.5, "none")
    assert mean_over_images([0.0, 0.0], [1, 2], shares=False) == Interval(0.0, 0.0, 0.0, "none")
    assert mean_over_images([0.3], ["one"], shares=False) == Interval(0.3, 0.3, 0.3, "none")


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
    assert one == two


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
    assert mean_over_images(values, images, seed=1) == mean_over_images(values, images, seed=1)
    assert mean_over_images(values, images, seed=1) != mean_over_images(values, images, seed=2)


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
    assert [one.kind for one in together] == ["bootstrap", "bootstrap", "wilson", "none"]
    default = means_over_images(columns, images)
    assert default[0][:3] == pytest.approx(mean_over_images(columns[:, 0], images, shares=False)[:3], abs=1e-12)
    assert default[2] == Interval(1.0, 1.0, 1.0, "none")  # nobody said that these are shares


def test_holm_by_hand() -> None:
    """Four values: .01 x 4, then .02 x 3 = .06, then .03 x 2 = .06 (not below the one before), then .4."""
    assert holm([0.03, 0.01, 0.4, 0.02]) == pytest.approx([0.06, 0.04, 0.4, 0.06])
    assert holm([0.6, 0.5]) == [1.0, 1.0] and holm([]) == []
