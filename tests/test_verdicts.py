"""One rule for sentences: by hand, against scipy, and how often it is wrong where nothing is there."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from backsight.maths.verdicts import Judged, corrected, judged, verdict, verdicts


def test_a_mean_beyond_a_bound_by_hand() -> None:
    # 1, 2, 3: mean 2, spread 1, Student's quantile of two degrees of freedom 4.3027, reach 2.4841.
    one = judged([1.0, 2.0, 3.0], "above", 0.5)
    assert (one.mean, one.low, one.high, one.n) == pytest.approx((2.0, -0.4841, 4.4841, 3), abs=1e-4)
    assert one.p == pytest.approx(stats.ttest_1samp([1.0, 2.0, 3.0], 0.5).pvalue)
    assert verdict(one) == "undecided"
    assert verdict(judged([1.0, 2.0, 3.0], "above", -0.5)) == "confirmed"  # -.48 is above -.5
    assert verdict(judged([1.0, 2.0, 3.0], "above", -0.47)) == "undecided"
    assert verdict(judged([1.0, 2.0, 3.0], "below", -0.5)) == "not confirmed"
    assert verdict(judged([1.0, 2.0, 3.0], "below", 4.5)) == "confirmed"
    assert verdict(judged([1.0, 2.0, 3.0], "above", 4.5)) == "not confirmed"


@pytest.mark.parametrize("numbers", [[5.0], [5.0, 5.1], [5.0, 5.0, 5.0]])
def test_few_seeds_and_equal_ones_decide_nothing(numbers: list[float]) -> None:
    one = judged(numbers, "above", 0.0)
    assert (one.low, one.high, one.p) == (None, None, None)
    assert verdict(one) == "undecided" and one.n == len(numbers)


def test_an_error_that_seeds_share_is_not_divided_by_them() -> None:
    one = judged([1.0, 1.0, 1.0], "above", 0.9, least_error=0.02)
    assert (one.low, one.high) == pytest.approx((1 - 1.96 * 0.02, 1 + 1.96 * 0.02), abs=1e-5)
    assert one.p == pytest.approx(2 * stats.norm.sf(5))
    assert verdict(one) == "confirmed"
    assert verdict(judged([1.0, 1.0, 1.0], "above", 0.97, least_error=0.02)) == "undecided"
    spread = judged([1.0, 2.0, 3.0], "above", 0.0, least_error=0.02)
    assert spread == judged([1.0, 2.0, 3.0], "above", 0.0)  # the seeds' own interval is wider


def test_holm_over_a_page_by_hand() -> None:
    def of(p: float | None) -> Judged:
        return Judged(1.0, 0.5, 1.5, 3, p, "above", 0.0)

    assert [one.p for one in corrected([of(0.04), of(None), of(0.01)])] == [0.04, None, 0.02]
    assert verdicts([of(0.04), of(None), of(0.03)]) == ["undecided", "undecided", "undecided"]  # .03 x 2 = .06
    assert verdicts([of(0.04), of(None), of(0.02)]) == ["confirmed", "undecided", "confirmed"]


@pytest.mark.parametrize("side", ["above", "below"])
def test_where_nothing_is_there_one_page_in_twenty_decides_anything(side: str) -> None:
    rng = np.random.default_rng(0)
    pages = rng.normal(0.3, 0.05, (1500, 5, 3))  # five sentences of three seeds, the mean on the bound
    decided = [[verdict(judged(list(of), side, 0.3)) for of in page] for page in pages]  # type: ignore[arg-type]
    one = np.array(decided) != "undecided"
    assert one.mean() == pytest.approx(0.05, abs=0.01)
    assert (np.array(decided) == "confirmed").mean() == pytest.approx(0.025, abs=0.007)
    family = [verdicts([judged(list(of), side, 0.3) for of in page]) for page in pages]  # type: ignore[arg-type]
    assert np.mean([set(page) != {"undecided"} for page in family]) < 0.06
    assert one.any(1).mean() > 0.15  # without Holm
