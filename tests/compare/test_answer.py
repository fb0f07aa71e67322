"""What a comparison says first, and what its parameters and sets have to do with it."""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path

import pytest

from backsight.errors import DataError
from backsight.report.compare_words import claim, null, statements
from backsight.results import RESULTS
from backsight.results.compared import MANY, by_family, change_words, draw_counts, keys_words, reach
from backsight.results.comparison import ROWS as COMPARED
from backsight.results.comparison import draw
from backsight.studies.compare import compare
from backsight.studies.compare_answer import Gate, Judged, judged
from backsight.studies.compare_parameters import differing, parameters
from backsight.tables import Table

from ..conftest import Command
from ..test_report import words
from .by_hand import ALL, BASE, TUNED, Row, answers, by_metric, make, two


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
        "tuned against base: of 3 metrics of whole sets 1 worse, 1 better, 1 not shown to differ; 1 with p < .05 by "
        "Holm's correction over them.",
        "Worse: accuracy/a by -0.500 [-0.600, -0.400], 12 samples, 12 images. Better: accuracy/b by +0.200 [+0.100, "
        "+0.300], 12 samples, 12 images.",
        "Not judged: 1 metric with too few shared samples (accuracy/d); 1 metric that only one of the studies has "
        "(accuracy/e).",
    )


def test_the_answer_is_of_what_is_asked_for() -> None:
    gate = Gate(("dae",))
    rows = gate.corrected(ROWS)
    assert [one["p_holm"] for one in rows] == [None, None, None, 0.01, None, None]
    assert judged(gate, rows, "tuned", "base").lines() == (
        "tuned against base: of 1 metric asked for 1 worse, 0 better, 0 not shown to differ; 1 with p < .05 by Holm's "
        "correction over them.",
        "Worse: dae/a by -0.700 [-0.800, -0.600], 12 samples, 12 images. Better: none.",
        "Not judged: none.",
    )


def test_an_answer_without_numbers_says_so() -> None:
    assert judged(Gate(), [], "tuned", "base").lines() == (
        "tuned against base: no metric of whole sets could be compared paired.", "Worse: none. Better: none.",
        "Not judged: none.",
    )  # fmt: skip
    many = [row(f"accuracy/{n}", 0.1 + n / 100, "better", 0.01) for n in range(5)]
    second = judged(Gate(), Gate().corrected(many), "tuned", "base").lines()[1]
    assert second.startswith("Worse: none. Better: accuracy/4 by +0.140") and second.endswith("12 images and 2 more.")


def test_the_terminal_the_page_and_the_record_say_the_same(command: Command, pair: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, printed, err = command("compare", *pair, "--out", out)
    lines = list(compare(pair).judged[0].lines())
    assert (code, err) == (0, "") and printed.splitlines() == [*lines, str((out / "report.html").resolve())]
    page = unescape(words((out / "report.html").read_text()))
    assert (
        lines[2] in page
        and "1 of 1 metric of whole sets is worse, none better; the worst is Accuracy, Squares," in page
    )
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


def of_study(*rows: Row, asked: tuple[str, ...] = ()) -> Judged:
    gate = Gate(asked)
    named = [
        {"family": one["metric"].split("/")[0], "set": one["metric"].split("/")[1], "title": "Accuracy"} | one
        for one in rows
    ]
    return judged(gate, gate.corrected(named), "tuned", "base")


WORSE, BETTER, SAME = (
    row("accuracy/pairs/all/A/options", -0.5, "worse", 0.01),
    row("accuracy/shapes/all/free", 0.2, "better", 0.03),
    row("accuracy/vsr/all/options", 0.05, "no", 0.5),
)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ((WORSE, BETTER, SAME), "1 of 3 metrics of whole sets is worse, 1 better; the worst is Accuracy, Pairs (prompt "
         "A), -0.500 [-0.600, -0.400]."),
        ((WORSE,), "1 of 1 metric of whole sets is worse, none better; the worst is Accuracy, Pairs (prompt A), -0.500 "
         "[-0.600, -0.400]."),
        ((BETTER, SAME), "None of 2 metrics of whole sets is shown to be worse, 1 is better; the best is Accuracy, "
         "Shapes (read freely), +0.200 [+0.100, +0.300]."),
        ((SAME,), "No difference is shown in any of 1 metric of whole sets."),
        ((), "Not shown: no metric of whole sets could be compared paired."),
    ],
)  # fmt: skip
def test_the_claim_says_first_what_got_worse(rows: tuple[Row, ...], text: str) -> None:
    assert claim(of_study(*rows)).replace("\u00a0", " ") == text


def test_the_null_is_what_chance_would_call_worse() -> None:
    """2.5 % of three metrics; Holm of 0.01, 0.03 and 0.5 leaves one below .05."""
    assert null(of_study(WORSE, BETTER, SAME)) == (
        "Were the two studies alike, chance would call at most 0.1 of 3 metrics worse and as many better. After Holm's "
        "correction over all 3, 1 has p below .05."
    )
    assert null(of_study(SAME)).endswith("over all 1, 0 have p below .05.") and null(of_study()) == ""


def test_each_set_is_a_sentence_the_worst_first_and_those_that_stayed_are_one() -> None:
    rows = (
        BETTER,
        SAME,
        row("accuracy/vsr/left/options", 0.0, "no", 1.0),
        WORSE,
        row("accuracy/a/all", 0.0, "no", 1.0),
    )
    first, second, still, left = statements(of_study(*rows), [])
    assert (first.text.replace("\u00a0", " "), first.suite, first.short) == (
        "Pairs, 1 metric. 1 worse: Accuracy (prompt A) -0.500 [-0.600, -0.400].", "pairs", 1.0,
    )  # fmt: skip
    assert second.text.startswith("Shapes, 1 metric. 1 better: Accuracy (read freely) +0.200") and second.short == 0
    assert still.text == "No judged metric is shown to differ in VSR and A."
    assert left.text == "Not judged: none."


@pytest.mark.parametrize(
    ("metric", "set_", "words_"),
    [
        ("accuracy/pairs_a/all/A/options", "pairs_a", "Pairs, prompt A"),
        ("accuracy/squares/left/free", "squares", "Squares (left, read freely)"),
        ("dae/squares/creg_plain/truth", "squares", "Squares (CREG, not contrastive, of the correct answer)"),
        ("pathways/squares/removed/control", "squares", "Squares (language model's order removed, presence question)"),
        ("repair_broken/hard/norm_rescale", "hard", "Hard questions (norm rescaling)"),
        ("new/squares/some_key", "squares", "Squares (some key)"),
    ],
)
def test_a_metric_is_called_by_words(metric: str, set_: str, words_: str) -> None:
    assert keys_words({"metric": metric, "family": metric.split("/")[0], "set": set_}) == words_


def test_a_change_has_its_unit_and_is_ordered_by_how_far_it_can_go() -> None:
    degrees = row("dae/a", 17.46, "worse", 0.01) | {"family": "dae"}
    share = row("accuracy/a", -0.3, "worse", 0.01) | {"family": "accuracy"}
    assert change_words(degrees).replace("\u00a0", " ") == "+17.5 degrees [+17.4, +17.6]"
    assert change_words(share | {"low": -0.3, "high": -0.3}) == "-0.300 on each image"
    assert change_words(share | {"difference": 0.0, "low": 0.0, "high": 0.0}) == "no difference on any image"
    assert reach(degrees) == pytest.approx(17.46 / 180) and reach(share) == pytest.approx(0.3)
    assert of_study(degrees, share).moved("worse")[0]["metric"] == "accuracy/a"


def test_many_metrics_are_counted_by_family_first(command: Command, tmp_path: Path) -> None:
    sets = [f"s{n}" for n in range(MANY + 1)]
    folders = two(
        tmp_path, {f"b/{name}": answers(BASE) for name in sets},
        {f"b/{name}": answers([0] * 24 if name == "s0" else BASE) for name in sets},
    )  # fmt: skip
    out = tmp_path / "out"
    assert command("compare", *folders, "--out", out).code == 0
    assert (out / "figures" / "compare-study-1.svg").is_file() and (out / "figures" / "compare.svg").is_file()
    rows = compare(folders).rows
    assert by_family([one for one in rows if one["drawn"]]) == {"Accuracy": (1, 0, MANY)}
    figure = draw_counts(compare(folders).table())
    assert [patch.get_width() for patch in figure.axes[0].patches] == [-1, 0, MANY]
    page = words((out / "report.html").read_text())
    assert (
        "1 of 13 metrics of whole sets is worse, none better; the worst is Accuracy, S0, -1.000 on each image." in page
    )
    fewer = two(tmp_path / "few", {"b/squares": answers(BASE)}, {"b/squares": answers(TUNED)})
    assert command("compare", *fewer, "--out", out).code == 0
    assert [path.name for path in (out / "figures").iterdir()] == ["compare.svg"]
    with pytest.raises(DataError, match="no paired differences to draw"):
        draw_counts(Table.of(COMPARED, []))
