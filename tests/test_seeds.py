"""What seeds say: Student's interval and test, a sweep's summary, its sentences and its figure."""

from __future__ import annotations

from typing import Any

import pytest
from scipy import stats

from backsight.errors import DataError
from backsight.maths.seeds import over_seeds
from backsight.report import sweep_words
from backsight.report.sweep import means_claim, shortened
from backsight.results import plot, seeds
from backsight.studies.sweep_file import Asked, Sweep, Training
from backsight.tables import Table

VALUES = (0.2, 0.5, 0.9, 0.45)


def test_an_interval_over_seeds_is_students() -> None:
    one = over_seeds(VALUES)
    theirs = stats.ttest_1samp(VALUES, 0.0)
    interval = theirs.confidence_interval(0.95)
    assert (one.low, one.high) == pytest.approx((interval.low, interval.high))
    assert one.p_value == pytest.approx(theirs.pvalue) and one.seeds == 4
    # By hand: 1, 2, 3 have a spread of 1, and Student's quantile of two degrees of freedom is 4.303.
    three = over_seeds([1.0, 2.0, 3.0])
    assert (three.mean, three.low, three.high) == pytest.approx(
        (2.0, 2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5), rel=1e-4
    )


@pytest.mark.parametrize("values", [[0.3], [0.3, 0.9], [0.1 + 0.2, 0.3, 0.3], [0.0] * 5])
def test_few_seeds_and_equal_ones_have_no_interval(values: list[float]) -> None:
    one = over_seeds(values)
    assert (one.low, one.high, one.p_value) == (None, None, None)
    assert one.mean == pytest.approx(sum(values) / len(values)) and one.seeds == len(values)


def row(recipe: str, seed: int, metric: str, value: float | None, **more: Any) -> dict[str, Any]:
    family, of, *keys = metric.split("/")
    return dict(
        recipe=recipe, seed=seed, metric=metric, family=family, title=family.capitalize(), set=of, keys="/".join(keys),
        better="more", drawn=True, layer=None, samples=20, images=20, value=value,
    ) | more  # fmt: skip


def runs(*rows: dict[str, Any]) -> Table:
    return Table.of(seeds.RUNS, rows)


def of(recipe: str, metric: str, *values: float | None, **more: Any) -> list[dict[str, Any]]:
    return [row(recipe, seed, metric, value, **more) for seed, value in enumerate(values)]


TABLE = runs(
    *of("plain", "accuracy/squares", 0.50, 0.52, 0.51),
    *of("new", "accuracy/squares", 0.90, 0.93, 0.90),
    *of("plain", "accuracy/shapes", 0.50, 0.60, 0.40),
    *of("new", "accuracy/shapes", 0.55, 0.50, 0.50),
    *of("plain", "dae/pairs", 40.0, 41.0, 42.0, better="less"),
    *of("new", "dae/pairs", 60.0, 61.5, 62.0, better="less"),
    *of("new", "gap/squares", 1.0, 1.0, 1.0),
    *of("plain", "gap/squares", 1.0, 1.0, 1.0),
    *of("new", "text/squares", 0.1, None, 0.3),
    *of("plain", "text/squares", 0.2, 0.2, 0.2),
    *of("new", "own/squares", 0.1, 0.2, 0.3),
    *of("new", "accuracy/squares/left", 0.9, 0.8, 0.7, drawn=False),
    *of("plain", "accuracy/squares/left", 0.1, 0.2, 0.1, drawn=False),
)


def summary(baseline: str | None = "plain") -> dict[tuple[str, str], dict[str, Any]]:
    return {(r["recipe"], r["metric"]): r for r in seeds.summarised(TABLE, baseline).rows()}


def test_a_summary_pairs_by_seed_and_corrects_by_family() -> None:
    rows = summary()
    one = rows["new", "accuracy/squares"]
    theirs = stats.ttest_rel([0.90, 0.93, 0.90], [0.50, 0.52, 0.51])
    ends = theirs.confidence_interval(0.95)
    assert one["mean"] == pytest.approx(0.91) and one["difference"] == pytest.approx(0.4)
    assert (one["difference_low"], one["difference_high"]) == pytest.approx((ends.low, ends.high))
    assert one["p_value"] == pytest.approx(theirs.pvalue)
    # Two metrics of the family are judged, the smaller p is doubled; the other family has one.
    assert one["p_holm"] == pytest.approx(2 * theirs.pvalue) and one["moved"] == "better"
    assert rows["new", "accuracy/shapes"]["moved"] == "no"
    dae = rows["new", "dae/pairs"]
    assert dae["p_holm"] == dae["p_value"] and dae["moved"] == "worse"  # less is better
    assert rows["new", "gap/squares"]["pairs"] == 3 and rows["new", "gap/squares"]["moved"] is None
    assert (rows["new", "text/squares"]["seeds"], rows["new", "text/squares"]["pairs"]) == (2, 2)
    assert rows["new", "text/squares"]["p_value"] is None
    assert rows["new", "own/squares"]["pairs"] == 0 and rows["new", "own/squares"]["difference"] is None
    left = rows["new", "accuracy/squares/left"]
    assert left["p_value"] < 0.05 and left["p_holm"] is None and left["moved"] is None
    assert all(r["baseline"] is None for (recipe, _), r in rows.items() if recipe == "plain")
    assert {r["moved"] for r in summary(None).values()} == {None}


def test_the_claim_of_a_recipe_follows_its_numbers() -> None:
    rows = [r for (recipe, _), r in summary().items() if recipe == "new"]
    text = sweep_words.claim(rows, "plain")
    assert text.startswith(
        "Against plain, of 3 metrics of whole sets 1 is worse and 1 is better; the worst is Dae, Pairs"
    )
    assert "+20.2\u00a0degrees [" in text
    better = [r for r in rows if r["moved"] != "worse"]
    assert "of 2 metrics of whole sets 1 is better; the best is Accuracy, Squares, +0.400 [" in (
        sweep_words.claim(better, "plain")
    )
    still = [r for r in rows if r["moved"] == "no"]
    assert sweep_words.claim(still, "plain") == "No difference from plain is shown in any of 1 metric of whole sets."
    none = [r for r in rows if r["moved"] is None]
    assert sweep_words.claim(none, "plain").startswith(
        "Not shown: no metric of whole sets could be tested against plain"
    )
    assert sweep_words.null(none) == ""
    assert "put 0.15 of these 3 metrics below p = .05 without correction; 2 are" in sweep_words.null(rows)
    assert "; 0 are" in sweep_words.null(still)


def test_sentences_of_metrics_name_seeds_and_what_was_not_judged() -> None:
    rows = [r for (recipe, _), r in summary().items() if recipe == "new"]
    worst, *rest, left = (one.text for one in sweep_words.statements(rows, "plain"))
    assert worst.startswith("Dae, Pairs: 61.167 [") and "over 3 seeds; against plain +20.2" in worst
    assert worst.endswith(": worse.") and any(text.endswith(": not shown to differ.") for text in rest)
    assert left == (
        "Not judged: 2 metrics with fewer than 3 shared seeds (text/squares, own/squares); 1 metric whose difference "
        "is the same on every seed (gap/squares)."
    )
    assert sweep_words.left_out([]) == "Not judged: none."
    judged = sweep_words.judged(rows)
    assert len(sweep_words.statements(judged, "plain")) == len(judged)


def test_the_first_sentence_says_what_is_there_and_what_is_tested() -> None:
    rows = [r for r in summary().values() if r["drawn"]]
    assert means_claim(rows, ("plain", "new"), "plain") == (
        "6 metrics of whole sets of 2 recipes, over 2 to 3 seeds, each beside plain."
    )
    three = [r for r in rows if r["seeds"] == 3]
    assert "over 3 seeds; no baseline is named, so no difference is tested." in means_claim(three, ("a", "b"), None)
    assert "the baseline c has no study" in means_claim(three, ("a", "b"), "c")
    assert means_claim([], (), None) == "No run has a metric of a whole set."


def test_the_figure_has_a_dot_a_seed_a_mean_and_an_interval() -> None:
    figure = plot(TABLE)
    first = figure.axes[0]
    dots = [line for line in first.lines if line.get_marker() == "."]
    assert [list(line.get_xdata()) for line in dots[:2]] == [[0.50, 0.52, 0.51], [0.90, 0.93, 0.90]]
    means = [
        float(line.get_xdata()[0])
        for line in first.lines
        if line.get_marker() in ("o", "s") and len(line.get_xdata()) == 1
    ]
    assert means[:2] == pytest.approx([0.51, 0.91])
    alike = next(axis for axis in figure.axes if axis.get_title(loc="left") == "Gap")
    assert not [line for line in alike.lines if len(line.get_xdata()) == 2 and line.get_linewidth() == 1.2]
    with pytest.raises(DataError, match="no metric to draw"):
        seeds.draw(runs(*of("a", "accuracy/squares", None)))


def test_a_sweep_that_is_shorter_than_its_recipes_says_so() -> None:
    whole = Sweep(("a",), (0, 1))
    assert shortened(whole) == ""
    short = Sweep(("a",), (0,), train=Training(steps=10), study=Asked(limit=12, quick=True))
    assert shortened(short) == (
        " Shortened: at most 10 steps of each phase were trained; studies are cut by limit = 12, quick = true."
    )
