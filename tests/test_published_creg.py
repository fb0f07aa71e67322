"""CREG's published figures: the file against the paper's own text cell by cell, its sums, and what is remarked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backsight.datasets import coco_pairs, vsr, vsr_relations
from backsight.errors import CannotAnswer
from backsight.grid import TokenGrid
from backsight.maths import compass
from backsight.maths.compass import Projection
from backsight.maths.relevance import REFERENCES
from backsight.measurements import creg, relevance
from backsight.published import Published, Remark, everything, figures, number
from backsight.stimuli.questions import CREG_PROMPTS, DIRECTIONS

BIG, SMALL = "Qwen/Qwen2-VL-7B-Instruct", "Qwen/Qwen2-VL-2B-Instruct"
SUITES = ("vsr", "coco_pairs")
FIGURES = [f for f in everything() if f.short == "CREG"]
SHARED = Path(__file__).parents[1].parent / "shared"
TEXT, SAMPLE = SHARED / "papers/002_abc1d7df3d9b11d9.txt", SHARED / "data/coco-sample"
on_the_text = pytest.mark.skipif(not TEXT.is_file(), reason=f"the text of CREG is not at {TEXT}")
on_the_sample = pytest.mark.skipif(not SAMPLE.is_dir(), reason=f"the COCO sample is not at {SAMPLE}")


def cell(table: str, suite: str | None, metric: str, row: str, model: str = BIG) -> Published:
    """The one figure of a table that is so described."""
    where = ("CREG", table, suite, metric, row)
    found = [f for f in figures(model) if (f.short, f.table, f.suite, f.metric, f.row) == where]
    assert len(found) == 1, where
    return found[0]


@pytest.mark.parametrize(
    ("where", "printed"),
    [
        (("1", "coco_pairs", "dae", "CREG (pred)"), "55.5"),
        (("1", "coco_pairs", "ea", "CREG (pred)"), ".553"),
        (("1", "vsr", "dae", "Attn. rollout"), "75.2"),
        (("1", "coco_pairs", "ea", "GradCAM"), ".310"),
        (("2", "coco_pairs", "dae", "CREG"), "57.1"),
        (("3", "vsr", "dae", "Incorrect, pred-targeted"), "66.8"),
        (("3", "coco_pairs", "accuracy", "VLM ACC"), "41.3%"),
        (("4", "vsr", "change", "True sector"), "-0.476"),
        (("4", "coco_pairs", "score", "True sector"), "+0.446"),
        (("5", "vsr", "dae", "No contrastive"), "82.3"),
        (("5", "vsr", "ea", "K = 4 sectors"), ".517"),
        (("6", "vsr", "accuracy", "Prompt B"), "0.367"),
        (("7", "vsr", "coverage", "Total"), "21.2%"),
        (("section 4", None, "dae", "Synthetic images"), "52.7°"),
        (("section 6.1", "vsr", "r", "CREG"), "-0.065"),
        (("section 6.2", "vsr", "accuracy", "Below"), "30.0%"),
    ],
)
def test_figures_as_the_paper_prints_them(where: tuple[str, str | None, str, str], printed: str) -> None:
    found = cell(*where)
    assert (found.printed, found.source) == (printed, "arXiv 2603.20475v1")


def test_each_table_has_all_its_cells() -> None:
    counts = Counter((f.table, f.model) for f in FIGURES)
    big, small = "Qwen2-VL-7B-Instruct", "Qwen2-VL-2B-Instruct"
    assert counts == {
        ("1", big): 32, ("2", big): 8, ("2", small): 8, ("3", big): 26, ("4", big): 6, ("5", big): 8, ("6", big): 6,
        ("7", None): 16, ("section 4", big): 5, ("section 6.1", big): 1, ("section 6.2", big): 4,
    }  # fmt: skip
    assert len(FIGURES) == 120


def test_each_model_has_its_figures_and_the_counts_of_data() -> None:
    assert [f for f in figures(SMALL) if f.short != "CREG"] == []
    assert Counter(f.table for f in figures(SMALL)) == {"2": 8, "7": 16}
    assert sum(f.short == "CREG" for f in figures(BIG)) == 120 - 8
    assert {f.short for f in figures("google/gemma-3-4b-it")} == {"Dual Mechanisms"}


def test_intervals_are_of_table_1_and_of_creg() -> None:
    assert {(f.table, f.row) for f in FIGURES if f.low or f.high} == {("1", "CREG (pred)"), ("1", "CREG (gt)")}
    both = cell("1", "vsr", "ea", "CREG (pred)")
    assert (both.low, both.high) == (".39", ".53")
    for f in FIGURES:
        if f.low is not None and f.high is not None:
            assert number(f.low) < f.value < number(f.high)


@pytest.mark.parametrize("one", FIGURES, ids=lambda f: f"{f.table}-{f.suite}-{f.row}-{f.metric}")
def test_every_entry_is_well_formed(one: Published) -> None:
    assert one.suite in (None, *SUITES) and one.direction in (None, "all", *DIRECTIONS)
    assert one.condition in ("relevance", "picture", "occlusion", "mirror", "validation", "audit")
    assert one.method is None or one.method in relevance.METHODS or one.method in REFERENCES
    if one.method in relevance.METHODS and one.condition in ("relevance", "mirror"):
        assert (one.target in relevance.TARGETS) == relevance.METHODS[one.method].targeted
    if one.condition == "relevance":
        assert one.projection in creg.PROJECTIONS and one.subset in ("all", "correct", "incorrect")
    assert one.prompt in CREG_PROMPTS or one.condition in ("audit", "validation")
    low, high = {"dae": (0, 180), "ea": (0, 1), "accuracy": (0, 1), "coverage": (0, 1), "r": (-1, 1)}.get(
        one.metric, (-1, 6000)
    )
    assert low <= one.value <= high and one.row


# The paper's tables against one another: no figure is mistyped that another one gives.


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize(("target", "of"), [("gt", "CREG (gt)"), ("pred", "CREG (pred)")])
def test_table_3_adds_up_to_table_1(suite: str, target: str, of: str) -> None:
    for metric, digit in (("dae", 0.05), ("ea", 0.0005)):
        parts = [cell("3", suite, metric, f"{subset}, {target}-targeted") for subset in ("Correct", "Incorrect")]
        whole = cell("3", suite, metric, f"All, {target}-targeted")
        assert whole.printed == cell("1", suite, metric, of).printed and whole.n == sum(p.n or 0 for p in parts)
        mean = sum(p.value * (p.n or 0) for p in parts) / (whole.n or 1)
        assert whole.value == pytest.approx(mean, abs=2 * digit)
    right = cell("3", suite, "ea", "Correct, gt-targeted").n or 0
    accuracy = cell("3", suite, "accuracy", "VLM ACC")
    assert accuracy.value == pytest.approx(right / (accuracy.n or 1), abs=0.0005)


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("metric", ["dae", "ea"])
def test_table_2_repeats_table_1(suite: str, metric: str) -> None:
    pairs = (("CREG", "CREG (gt)"), ("Best baseline", "Attn. rollout"))
    for two, one in pairs:
        repeated, first = cell("2", suite, metric, two), cell("1", suite, metric, one)
        assert (repeated.printed, repeated.method, repeated.target) == (first.printed, first.method, first.target)


@pytest.mark.parametrize("one", [f for f in FIGURES if f.metric == "ea" and f.n], ids=lambda f: f"{f.table}-{f.row}")
def test_shares_are_of_whole_questions(one: Published) -> None:
    assert one.n and abs(round(one.value * one.n) / one.n - one.value) <= 0.0005 + 1e-9


@pytest.mark.parametrize("suite", SUITES)
def test_table_4_is_a_difference(suite: str) -> None:
    own, across, score = (cell("4", suite, m, "True sector").value for m in ("change", "change_opposite", "score"))
    assert across - own == pytest.approx(score, abs=0.0015)


def test_table_7_adds_up_and_is_what_the_audit_prints() -> None:
    rows = {row: [cell("7", "vsr", m, row).value for m in ("positives", "matched", "coverage")] for row in SPLITS}
    for positives, matched, coverage in rows.values():
        assert coverage == pytest.approx(matched / positives, abs=0.0005)
    for column in (0, 1):
        assert rows["Total"][column] == sum(rows[row][column] for row in ("Test", "Dev", "Train"))
    for row in ("Test", "Dev", "Train"):
        found = vsr.PUBLISHED[f"random/{row.lower()}"]
        assert rows[row] == [found.positives, found.matched, pytest.approx(found.coverage / 100)]


# The paper's own text

NUMBER = r"[-+]?\d*\.?\d+%?°?"
SPLITS = ("Test", "Dev", "Train", "Total")


def table(number_: str) -> Iterator[list[str]]:
    """The lines with tabs under a table's heading, as cells without markup."""
    lines = TEXT.read_text(encoding="utf-8").split("\n")
    heads = [i for i, line in enumerate(lines) if line.startswith(f"Table {number_}: ") and "\t" in lines[i + 2]]
    assert len(heads) == 1
    for line in lines[heads[0] + 2 :]:
        if "\t" not in line:
            return
        yield [re.sub(r"</?[bi]>|\*\*", "", cell).strip() for cell in line.split("\t")]


def said(one: Published) -> str:
    """A figure with its interval as a table's cell has it."""
    return one.printed + (f" [{one.low}, {one.high}]" if one.low else "")


COLUMNS = [(suite, metric) for suite in SUITES for metric in ("dae", "ea")]


@on_the_text
def test_table_1_is_the_papers() -> None:
    header, _, *lines = table("1")
    assert "(n=240)" in header[1] and "(n=300)" in header[3]
    assert len(lines) == 8
    for row, *cells in lines:
        found = [cell("1", suite, metric, row) for suite, metric in COLUMNS]
        assert [said(one) for one in found] == cells
        assert [one.n for one in found] == [240, 240, 300, 300]


@on_the_text
def test_table_2_is_the_papers() -> None:
    lines = list(table("2"))[2:]
    for (_, row, *cells), model in zip(lines, (BIG, BIG, SMALL, SMALL), strict=True):
        found = [cell("2", suite, metric, row, model) for suite, metric in COLUMNS]
        assert [one.printed for one in found] == cells and {one.n for one in found} == {None}
    assert [line[0] for line in lines] == ["7B", "", "2B", ""]


@on_the_text
def test_table_3_is_the_papers() -> None:
    lines = list(table("3"))[2:]
    for suite, (heading, *rows) in zip(SUITES, (lines[:4], lines[4:]), strict=True):
        assert f"VLM ACC = {cell('3', suite, 'accuracy', 'VLM ACC').printed}" in heading[0]
        for label, *cells in rows:
            subset, n = label.rstrip(")").split(" (n=")
            targets = [(t, m) for t in ("gt", "pred") for m in ("dae", "ea")]
            found = [cell("3", suite, metric, f"{subset}, {target}-targeted") for target, metric in targets]
            assert [one.printed for one in found] == cells and {one.n for one in found} == {int(n)}


@on_the_text
def test_tables_4_and_5_are_the_papers() -> None:
    for suite, (_, n, *cells) in zip(SUITES, list(table("4"))[1:], strict=True):
        found = [cell("4", suite, metric, "True sector") for metric in ("change", "change_opposite", "score")]
        assert [one.printed for one in found] == cells and {one.n for one in found} == {int(n)}
    lines = list(table("5"))[1:]
    assert len(lines) == 4
    for label, *cells in lines:
        row = re.sub(r"(?<=\() | (?=\))", "", re.sub(r"\s+", " ", label.replace("$", "")))
        found = [cell("5", "vsr", metric, row) for metric in ("dae", "ea")]
        assert [one.printed for one in found] == cells and {one.n for one in found} == {60}


@on_the_text
def test_tables_6_and_7_are_the_papers() -> None:
    for (label, *cells), (name, prompt) in zip(list(table("6"))[1:], CREG_PROMPTS.items(), strict=True):
        assert label == f"{name}: “{prompt}”"
        assert [cell("6", "vsr", metric, f"Prompt {name}").printed for metric in ("accuracy", "dae")] == cells
    for row, positives, matched, share in list(table("7"))[1:]:
        found = [cell("7", "vsr", m, row).printed for m in ("positives", "matched", "coverage", "validity")]
        assert found == [positives, matched, *share.split(" / ")]


@on_the_text
def test_the_sections_figures_stand_in_the_text() -> None:
    text = re.sub(r"[\s$*]|\\text|\\(?=[%])|[{}]", "", TEXT.read_text(encoding="utf-8")).replace(r"^\circ", "°")
    for expected in (
        r"DAE\approx90°", r"EA\approx0.22", "DAE=52.7°", "EA=0.75", "VLMaccuracy=1.0", "r=-0.065,n=60",
        "left(73.8%)", "right(67.4%)", "above(58.7%)", "below(30.0%)",
    ):  # fmt: skip
        assert expected in text
    sections = [f for f in FIGURES if f.table.startswith("section")]
    assert all(f.printed.replace("≈", r"\approx") in text for f in sections) and len(sections) == 10


# What is known of the figures


def remarked(text: str) -> list[Published]:
    return [f for f in FIGURES if any(text in remark.text for remark in f.remarks)]


def test_only_the_oracle_is_wrong_and_has_nothing_in_its_stead() -> None:
    wrong = [f for f in FIGURES if f.correction is not None]
    assert {(f.table, f.row) for f in wrong} == {("1", "Geo. oracle")} and len(wrong) == 4
    assert all(f.correction and f.correction.printed == "" and f.best == "" for f in wrong)
    # A remark leaves a figure as it is.
    assert all(f.best == f.printed for f in FIGURES if f.remarks)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("random sector's", {("1", "Random")}),
        ("does at least as well", {("1", "CREG (pred)"), ("1", "CREG (gt)"), ("2", "CREG")}),
        ("Later versions", {("1", "CREG (pred)"), ("1", "CREG (gt)"), ("2", "CREG")}),
        ("gives all layers the same", {("1", "CREG (pred)"), ("1", "CREG (gt)"), ("2", "CREG")}),
        ("textbook form", {("1", "Integ. Grad")}),
        ("covers every positive", {("7", row) for row in SPLITS}),
        ("said in three ways", {("4", "True sector")}),
        ("single-layer baseline", {("5", "Single layer (l = -2)")}),
        ("r = 1 by construction", {("section 6.1", "CREG")}),
        ("two class sizes only", {("section 6.2", name.capitalize()) for name in DIRECTIONS}),
        ("calls these two a tie", {("2", "CREG"), ("2", "Best baseline")}),
    ],
)
def test_what_is_remarked_of_which_figures(text: str, rows: set[tuple[str, str]]) -> None:
    assert {(f.table, f.row) for f in remarked(text)} == rows


def test_remarks_say_what_and_where() -> None:
    remarks = {remark for f in FIGURES for remark in f.remarks}
    assert len(remarks) == 17 and all(isinstance(one, Remark) and one.text.endswith(".") for one in remarks)
    assert all(re.match(r"arXiv 2603\.20475v[12]|counted with this package|VSR's files", one.source) for one in remarks)
    assert {f.suite for f in remarked("does at least as well")} == {"coco_pairs"}
    assert {f.metric for f in remarked("covers every positive")} == {"matched", "coverage"}


def test_the_percentages_allow_two_class_sizes_only() -> None:
    """Of 240 questions, 134 right, four shares to one decimal: every way to have them, counted out."""
    shares = [cell("section 6.2", "vsr", "accuracy", name.capitalize()).printed for name in DIRECTIONS]
    ways = [
        {n: k for n in range(1, 240) for k in range(n + 1) if f"{100 * k / n:.1f}%" == printed} for printed in shares
    ]
    found = {
        (left, right, above, 240 - left - right - above)
        for left, one in ways[0].items()
        for right, two in ways[1].items()
        for above, three in ways[2].items()
        if one + two + three + ways[3].get(240 - left - right - above, 240) == 134
    }
    assert found == {(42, 46, 92, 60), (61, 46, 63, 70)}
    assert vsr_relations.PAPER_RELATIONS == ("above", "below", "on top of", "under", "on")


@on_the_sample
def test_the_layouts_numbers_in_the_remarks() -> None:
    pairs = [
        (TokenGrid.rectangle(24, 24, e.picture.size), e.boxes[str(e.reference)], e.boxes[str(e.subject)])
        for e in coco_pairs.load(SAMPLE)
    ]
    assert len(pairs) == 188

    rng = np.random.default_rng(0)

    def scored(projection: Projection, kind: str = "constant") -> tuple[str, str, int]:
        values = []
        for grid, reference, subject in pairs:
            map_ = compass.point(grid, subject) if kind == "point" else np.ones(len(grid))
            map_ = rng.random(len(grid)) if kind == "random" else map_
            true = compass.direction(reference, subject)
            try:
                shares = compass.compass(map_, compass.sector_weights(grid, reference, subject, projection))
            except CannotAnswer:
                continue
            values.append((compass.alignment_error(shares, true), compass.edge_accuracy(shares, true)))
        dae, ea = np.mean(values, axis=0)
        return f"{dae:.1f}", f"{ea:.3f}"[1:], len(pairs) - len(values)

    (remark,) = {r for f in FIGURES for r in f.remarks if "does at least as well" in r.text}
    default, kept = scored(Projection()), scored(Projection(beyond="kept"))
    both = scored(Projection(reference="dropped"))
    own = scored(Projection(beyond="kept", reference="dropped"))
    assert (default, kept) == (("52.4", ".610", 0), ("50.7", ".629", 0))
    assert (both, own) == (("39.8", ".738", 16), ("45.8", ".692", 6))
    for dae, ea, empty in (default, kept, both, own):
        assert f"{dae} and {ea}" in remark.text and (not empty or re.search(rf"\b{empty}\b", remark.text))
    oracle = cell("1", "coco_pairs", "dae", "Geo. oracle").correction
    dae, ea, _ = scored(Projection(), "point")
    assert oracle and f"a DAE of {dae} and an EA of {ea}" in oracle.reason
    # Relevance drawn at random scores about as constant relevance does, and nothing like the published Random.
    dae, ea, _ = scored(Projection(), "random")
    assert abs(float(dae) - 52.4) < 6 and abs(float(ea) - 0.61) < 0.06
