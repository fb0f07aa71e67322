"""`--fail-if-worse`: what fails, what passes, what is wrong usage."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from backsight.studies.compare import compare, matches

from ..conftest import Command
from ..test_report import words
from .by_hand import ALL, BASE, amplified, answers, by_metric, make, two


@pytest.mark.parametrize(
    ("asked", "metric", "found"),
    [("accuracy", ALL, True), ("accuracy/squares", ALL, True), ("accuracy/squares/", ALL, True), (ALL, ALL, True),
     ("accuracy/squ", ALL, False), ("acc", ALL, False), ("", ALL, False), ("/", ALL, False), (ALL + "/x", ALL, False)],
)  # fmt: skip
def test_a_metric_is_asked_for_by_its_name_or_its_first_parts(asked: str, metric: str, found: bool) -> None:
    assert matches(asked, metric) is found


def test_a_worse_metric_fails_with_a_line_that_says_how_much(
    command: Command, pair: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code, printed, err = command("compare", *pair, "--out", out, "--fail-if-worse", "accuracy/squares/all/options")
    assert code == 1 and printed.splitlines()[-1] == str((out / "report.html").resolve())
    row = by_metric(compare(pair))[ALL]
    interval = f"-0.333 [{row['low']:+.3f}, {row['high']:+.3f}]"
    assert err == f"backsight: worse: tuned: {ALL} by {interval}, 24 samples, 12 images\n"
    page = words((out / "report.html").read_text())
    assert f"Asked to fail if worse: {ALL}. It failed: 1 metric worse." in page
    assert json.loads((out / "compare.json").read_text())["fail_if_worse"]["worse"] == [["tuned", ALL]]


def test_a_family_fails_with_a_line_for_each_of_its_metrics(command: Command, pair: list[Path], tmp_path: Path) -> None:
    code, _, err = command("compare", *pair, "--out", tmp_path / "out", "--fail-if-worse", "accuracy",
                           "--fail-if-worse", ALL)  # fmt: skip
    assert code == 1
    worse = [row["metric"] for row in compare(pair).rows if row["moved"] == "worse"]
    assert sorted(re.findall(r"worse: tuned: (\S+) by", err)) == sorted(worse)
    assert len(worse) == 4  # all and left, by two read-outs; once each


def test_what_is_better_or_the_same_passes(command: Command, pair: list[Path], tmp_path: Path) -> None:
    arguments = ("--fail-if-worse", "accuracy", "--out", tmp_path / "out")
    code, _, err = command("compare", *pair[::-1], *arguments)
    assert (code, err) == (0, "")
    assert "It passed." in words((tmp_path / "out" / "report.html").read_text())
    code, _, _ = command("compare", *pair, "--fail-if-worse", "accuracy/squares/right", "--out", tmp_path / "out")
    assert code == 0  # lower by one question of twelve: the interval holds zero
    assert command("compare", *pair, "--out", tmp_path / "out").code == 0  # worse, but nobody asked


def test_more_broken_is_worse_and_less_is_not(command: Command, tmp_path: Path) -> None:
    few, many = amplified([1] * 24, [1] * 24), amplified([1] * 24, [0] * 12 + [1] * 12)
    folders = two(tmp_path, {"amplify/degraded": few}, {"amplify/degraded": many})
    arguments = ("--fail-if-worse", "broken", "--out", tmp_path / "out")
    code, _, err = command("compare", *folders, *arguments)
    assert code == 1 and "worse: tuned: broken/degraded/projected by +0.500 [+" in err
    assert command("compare", *folders[::-1], *arguments).code == 0


def test_any_comparison_can_fail(command: Command, pair: list[Path], tmp_path: Path) -> None:
    same = make(tmp_path / "same", {"behaviour/squares": answers(BASE)})
    arguments = ("--fail-if-worse", ALL, "--out", tmp_path / "out")
    code, _, err = command("compare", pair[0], same, pair[1], *arguments)
    assert code == 1 and err.count("worse:") == 1 and "worse: tuned: " in err


def test_the_interval_decides_and_not_holm(command: Command, pair: list[Path], tmp_path: Path) -> None:
    row = by_metric(compare(pair).gated(["accuracy"]))[ALL]
    assert row["p_holm"] > 0.05 > row["p_value"]
    assert command("compare", *pair, "--fail-if-worse", ALL, "--out", tmp_path / "out").code == 1


@pytest.mark.parametrize("asked", ["accuracy/squres", "acc", ""])
def test_a_metric_that_is_none_is_wrong_usage(command: Command, pair: list[Path], tmp_path: Path, asked: str) -> None:
    code, out, err = command("compare", *pair, "--out", tmp_path / "out", "--fail-if-worse", asked,
                             "--fail-if-worse", "accuracy")  # fmt: skip
    assert (code, out) == (2, "")
    assert err.startswith(f"backsight: --fail-if-worse names no metric of these studies\n  got:   {asked}\n")
    assert f"do:    choose from: accuracy, accuracy/squares/all/free, {ALL}, accuracy/squares/left" in err
    assert not (tmp_path / "out").exists()


def test_a_metric_that_is_not_paired_is_wrong_usage(command: Command, pair: list[Path], tmp_path: Path) -> None:
    """Paired with one study is not enough: the metric has to be judged in each comparison."""
    tables = {"b/squares": answers(BASE, seed=1), "b/shapes": answers(BASE)}
    other = make(tmp_path / "other", tables)
    code, out, err = command("compare", *pair, other, "--out", tmp_path / "out", "--fail-if-worse", ALL)
    assert (code, out) == (2, "")
    assert "--fail-if-worse names a metric that cannot be compared paired\n  where: other against base\n" in err
    assert f"got:   {ALL}: 24 and 24 samples, 0 shared, at least 10 of two images are needed\n" in err
    assert "do:    no metric is compared paired" in err
    code, _, err = command("compare", *pair, other, "--out", tmp_path / "out", "--fail-if-worse", "accuracy/shapes")
    assert code == 2 and "names no metric of these studies" in err
    code, _, err = command("compare", pair[0], other, "--out", tmp_path / "out", "--fail-if-worse", "accuracy/shapes")
    assert code == 2 and "accuracy/shapes/all/options: only one of the studies has it; " in err


def test_what_of_a_family_is_not_judged_is_said(command: Command, tmp_path: Path) -> None:
    one = {"b/squares": answers(BASE), "b/shapes": answers(BASE)}
    folders = two(tmp_path, one, {"b/squares": answers(BASE)})
    code, printed, err = command("compare", *folders, "--out", tmp_path / "out", "--fail-if-worse", "accuracy")
    assert code == 0 and err == ""
    metrics = "accuracy/shapes/all/free, accuracy/shapes/all/options, accuracy/shapes/left/free and 3 more"
    said = f"Not judged: 6 metrics that only one of the studies has ({metrics})."
    assert printed.splitlines()[2] == said
    page = words((tmp_path / "out" / "report.html").read_text())
    assert "Asked to fail if worse: accuracy. It passed." in page and said in page
    record = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert len(record["fail_if_worse"]["not_judged"]) == 6
