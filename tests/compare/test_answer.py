"""What a comparison says first, and what its parameters and sets have to do with it."""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path

import pytest

from backsight.results import RESULTS
from backsight.results.comparison import draw
from backsight.studies.compare import compare
from backsight.studies.compare_answer import Gate, judged
from backsight.studies.compare_parameters import differing, parameters

from ..conftest import Command
from ..test_report import words
from .by_hand import ALL, BASE, Row, answers, by_metric, make, two


def row(metric: str, difference: float, moved: str, p_value: float, **more: object) -> Row:
    low, high = difference - 0.1, difference + 0.1
    common = {"metric": metric, "how": "paired", "drawn": True, "shared": 12, "images": 12, "p_value": p_value}
    return common | {"difference": difference, "low": low, "high": high, "moved": moved} | more


ROWS = [
    row("accuracy/a", -0.5, "worse", 0.01),
    row("accuracy/b", 0.2, "better", 0.03),
    row("accuracy/c", 0.05, "no", 0.5),
    row("dae/a", -0.7, "worse", 0.01, drawn=False),
    {"metric": "accuracy/d", "how": "unpaired", "drawn": True},
    {"metric": "accuracy/e", "how": "study", "drawn": True},
]


def test_the_answer_is_three_lines_of_the_plotted_metrics() -> None:
    """Holm over 0.01, 0.03 and 0.5 of three: 0.03, 0.06, 0.5, so that one is left below .05."""
    gate = Gate()
    rows = gate.corrected(ROWS)
    assert [one.get("p_holm") for one in rows] == [pytest.approx(0.03), pytest.approx(0.06), 0.5, None, None, None]
    assert judged(gate, rows, "tuned", "base").lines() == (
        "tuned against base: of 3 metrics of whole sets 1 better, 1 worse, 1 not shown to differ; 1 with p < .05 by "
        "Holm's correction over them.",
        "Moved: accuracy/a worse by -0.500 [-0.600, -0.400], 12 samples, 12 images; accuracy/b better by +0.200 "
        "[+0.100, +0.300], 12 samples, 12 images.",
        "Not judged: 1 metric with too few shared samples (accuracy/d); 1 metric that only one of the studies has "
        "(accuracy/e).",
    )


def test_the_answer_is_of_what_is_asked_for() -> None:
    gate = Gate(("dae",))
    rows = gate.corrected(ROWS)
    assert [one["p_holm"] for one in rows] == [None, None, None, 0.01, None, None]
    assert judged(gate, rows, "tuned", "base").lines() == (
        "tuned against base: of 1 metric asked for 0 better, 1 worse, 0 not shown to differ; 1 with p < .05 by Holm's "
        "correction over them.",
        "Moved: dae/a worse by -0.700 [-0.800, -0.600], 12 samples, 12 images.",
        "Not judged: none.",
    )


def test_an_answer_without_numbers_says_so() -> None:
    assert judged(Gate(), [], "tuned", "base").lines() == (
        "tuned against base: no metric of whole sets could be compared paired.", "Moved: none.", "Not judged: none.",
    )  # fmt: skip
    many = [row(f"accuracy/{n}", 0.1 + n / 100, "better", 0.01) for n in range(5)]
    second = judged(Gate(), Gate().corrected(many), "tuned", "base").lines()[1]
    assert second.startswith("Moved: accuracy/4 better by +0.140") and second.endswith("12 images and 2 more.")


def test_the_terminal_the_page_and_the_record_say_the_same(command: Command, pair: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, printed, err = command("compare", *pair, "--out", out)
    lines = list(compare(pair).judged[0].lines())
    assert (code, err) == (0, "") and printed.splitlines() == [*lines, str((out / "report.html").resolve())]
    page = unescape(words((out / "report.html").read_text()))
    assert lines[0] in page and lines[2] in page
    (record,) = json.loads((out / "compare.json").read_text())["judged"]
    assert record == {"study": "tuned", "family": "plotted", "metrics": [ALL], "better": [], "worse": [ALL],
                      "not_judged": [], "answer": lines}  # fmt: skip


def test_what_is_not_judged_fails_where_that_is_asked(command: Command, tmp_path: Path) -> None:
    """Shapes are in the baseline alone: nothing is worse, and yet it fails; without the option it passes."""
    folders = two(tmp_path, {"b/squares": answers(BASE), "b/shapes": answers(BASE)}, {"b/squares": answers(BASE)})
    out = tmp_path / "out"
    assert command("compare", *folders, "--out", out, "--fail-if-worse", "accuracy").code == 0
    code, _, err = command("compare", *folders, "--out", out, "--fail-if-worse", "accuracy", "--fail-if-not-judged")
    assert (code, err) == (1, "backsight: failed: a metric could not be judged\n")
    page = words((out / "report.html").read_text())
    assert "Asked to fail if worse: accuracy, or if not judged. It failed: 6 metrics not judged." in page
    assert json.loads((out / "compare.json").read_text())["fail_if_worse"]["failed"] is True
    assert command("compare", *folders, "--out", out, "--fail-if-not-judged").code == 1  # of those that are plotted
    only = ("--fail-if-worse", "accuracy/squares", "--fail-if-not-judged")
    assert command("compare", *folders, "--out", out, *only).code == 0


def test_hollow_is_what_is_not_shown_to_differ(tmp_path: Path) -> None:
    """Four pictures lost of twelve: the interval lies below zero and p is .125, so the mark is hollow."""
    lost = answers([0] * 4 + [1] * 8, per_image=1)
    made = compare(two(tmp_path, {"b/squares": answers([1] * 12, per_image=1)}, {"b/squares": lost}))
    one = by_metric(made)[ALL]
    assert one["high"] < 0 and one["p_value"] == 0.125 and one["moved"] == "no"
    figure = draw(made.table())
    (mark,) = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert mark.get_markerfacecolor() == "white"
    said = " ".join(one.get_text() for one in figure.legends[0].get_texts())
    assert "not shown to differ: the interval holds zero, or p is .05 or more (hollow)" in " ".join(said.split())


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ("M(batch=16, most=150, gray=True)", "M(batch=4, most=None, gray=True)", []),
        ("M(batch=16, most=150, gray=True)", "M(gray=True, max_samples=150, batch=16)", []),
        ("M(batch=16, depth=4)", "M(batch=16, depth=2)", ["depth 4, 2"]),
        ("M(names=('a',  'b'))", "M(names=('a', 'b'))", []),
        ("M(depth=4)", "M(depth=4, steps=50)", ["steps none, 50"]),
        ("M(depth=4)", "N(depth=4)", ["M, N"]),
        ("M(kind=<K.A: 1>)", "M(kind=<K.B: 2>)", ["M(kind=<K.A: 1>), M(kind=<K.B: 2>)"]),
    ],
)
def test_parameters_are_compared_by_their_meaning(one: str, other: str, said: list[str]) -> None:
    assert differing(one, other) == said


def test_a_measurement_has_its_parameters_by_name() -> None:
    assert parameters("M(batch=16, depth=4, inner=P(batch=2))") == {"": "M", "depth": "4", "inner": "P(batch=2)"}


def test_two_devices_of_different_memory_measure_alike(tmp_path: Path) -> None:
    tables = {"b/squares": answers(BASE)}
    folders = [make(tmp_path / name, tables, measured={"b/squares": {"measurement": f"M(batch={batch}, most={most})"}})
               for name, batch, most in (("small", 2, 150), ("large", 64, None))]  # fmt: skip
    assert compare(folders).notes == ()


def test_sets_that_are_not_asked_alike_are_said(tmp_path: Path) -> None:
    """Rendered pairs have a system sentence, photographs have none."""
    tables = {"b/pairs": answers(BASE), "b/vsr": answers(BASE), "b/shapes": answers(BASE)}
    sets = [
        {"name": "pairs", "title": "Pairs", "sample": {"question": "?", "system": "One token."}},
        {"name": "vsr", "title": "VSR", "sample": {"question": "?", "system": None}},
        {"name": "shapes", "title": "Shapes"},
    ]
    folders = two(tmp_path, tables, tables, sets=sets)
    assert compare(folders).notes == (
        'Not all sets are asked alike: Pairs with the system sentence "One token."; VSR without a system sentence. '
        "Numbers of theirs in one table differ by that too.",
    )
    alike = make(tmp_path / "alike", tables, sets=sets[:1])
    assert compare([folders[0], alike]).notes == ()


def test_every_family_of_metrics_has_a_title() -> None:
    metrics = [metric for result in RESULTS.values() for metric in result.metrics]
    assert len(metrics) > 10 and all(metric.title for metric in metrics)
    titles = [metric.title for metric in metrics]
    assert len(set(titles)) == len(titles)
