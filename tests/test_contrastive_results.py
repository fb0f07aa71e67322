"""The comparison of CLIP-style and CLOC-style encoders: intervals, verdicts, words, figure, on numbers by hand."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from backsight.errors import DataError
from backsight.results import contrastive
from backsight.results.contrastive import figure, page, tables, text
from backsight.results.drawing import canvas, style
from backsight.tables import Table

Key = tuple[str, str]
CLOSED: Key = ("relations", "closed")


def row(recipe: str, seed: int, value: float, *, of: Key = CLOSED, chance: float = 0.5) -> Any:
    measure, part = of
    return {
        "recipe": recipe, "seed": seed, "measure": measure, "part": part, "value": value, "chance": chance,
        "samples": 400,
    }  # fmt: skip


def summed(clip: Sequence[float], cloc: Sequence[float], of: Key = CLOSED) -> Table:
    rows = [row("clip", seed, value, of=of) for seed, value in enumerate(clip)]
    rows += [row("cloc", seed, value, of=of) for seed, value in enumerate(cloc)]
    return contrastive.summary(Table.of(contrastive.EXAMINED, rows))


def test_intervals_over_seeds_are_students() -> None:
    mean, low, high = contrastive.over_seeds([1.0, 2.0, 3.0])
    assert (mean, low, high) == pytest.approx((2, 2 - 4.30265 / np.sqrt(3), 2 + 4.30265 / np.sqrt(3)), rel=1e-5)
    values = [0.2, 0.5, 0.35, 0.9]
    theirs = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert contrastive.over_seeds(values)[1:] == pytest.approx((theirs.low, theirs.high))
    assert contrastive.over_seeds([0.5]) == (0.5, None, None)
    assert contrastive.over_seeds([]) == (None, None, None)


def test_differences_are_paired_by_seed() -> None:
    """Encoders that differ more between seeds than between recipes: paired, the difference is clear."""
    (one,) = summed([0.5, 0.7, 0.9], [0.6, 0.81, 0.99]).rows()
    assert one["difference"] == pytest.approx(0.1)
    assert one["difference_low"] > 0.07 and one["clip_high"] > one["cloc_low"]
    (other,) = summed([0.5, 0.7, 0.9], [0.6]).rows()
    assert (other["difference_seeds"], other["difference_low"]) == (1, None)


@pytest.mark.parametrize(
    ("clip", "cloc", "word"),
    [
        ([0.5, 0.52, 0.51], [0.9, 0.93, 0.91], "confirmed"),
        ([0.9, 0.93, 0.91], [0.5, 0.52, 0.51], "not confirmed"),
        ([0.5, 0.51, 0.5], [0.5, 0.5, 0.51], "not confirmed"),
        ([0.5, 0.6, 0.7], [0.9, 0.5, 0.6], "undecided"),
        ([0.5], [0.9], "undecided"),
        ([0.25, 0.5], [0.5, 0.75], "undecided"),
    ],
)
def test_the_verdict_follows_the_interval(clip: Sequence[float], cloc: Sequence[float], word: str) -> None:
    assert text.verdict(summed(clip, cloc).rows()[0]) == word


LOW, HIGH = [0.5, 0.52, 0.51], [0.9, 0.93, 0.91]


def judged(**values: tuple[Sequence[float], Sequence[float]]) -> str:
    """The claim where every measure that it is judged by goes from LOW to HIGH but those given by their first word."""
    rows = []
    for key in text.JUDGED:
        for of, seeds in zip(("clip", "cloc"), values.get(key[0].split()[0], (LOW, HIGH)), strict=True):
            rows += [row(of, seed, value, of=key) for seed, value in enumerate(seeds)]
    return text.claim(contrastive.summary(Table.of(contrastive.EXAMINED, rows)))


def test_the_claim_needs_every_measure() -> None:
    assert judged().startswith(f"**Confirmed**: {text.CLAIM} Region of a text, encoder's own pooling: confirmed, ")
    assert judged(relations=(HIGH, LOW)).startswith("**Not confirmed**")
    assert judged(relations=([0.5, 0.6, 0.7], [0.9, 0.5, 0.6])).startswith("**Undecided**")
    missing = judged(relations=(LOW, []))
    assert missing.startswith("**Undecided**")
    assert missing.endswith("Relations, language pathway closed: undecided, not measured for both.")
    only = text.claim(summed(LOW, HIGH, ("naming", "")))
    assert only.startswith("**Undecided**") and only.count("not measured for both.") == len(text.JUDGED)


def test_the_claim_names_its_numbers() -> None:
    claim = judged()
    assert (
        "Relations, language pathway closed: confirmed, 0.510 [0.485, 0.535] CLIP-style and 0.913 [0.875, 0.951] "
        "CLOC-style (chance 0.50), +0.403 [" in claim
    )
    assert "paired over 3 seeds." in claim and "above chance" not in claim
    assert judged(relations=([0.5, 0.51, 0.5], [0.5, 0.5, 0.51])).endswith("seeds. Neither is above chance.")
    assert "paired over 1 seed." in judged(relations=([0.5], [0.9]))


@pytest.mark.parametrize(
    ("clip", "cloc", "words"),
    [
        ([0.5, 0.52, 0.51], [0.9, 0.93, 0.91], "more correct with CLOC-style pre-training (+0.403"),
        ([0.9, 0.93, 0.91], [0.5, 0.52, 0.51], "fewer correct with CLOC-style pre-training (-0.403"),
        ([0.5, 0.51, 0.5], [0.5, 0.5, 0.51], "no difference of 0.05 or more (+0.000 ["),
        ([0.5, 0.6, 0.7], [0.9, 0.5, 0.6], "undecided, the interval holds both"),
        ([0.25, 0.5], [0.5, 0.75], "undecided, seeds differ by the same"),
        ([0.5], [0.9], "one common seed, so no interval (+0.400)"),
    ],
)
def test_the_cost_follows_the_interval(clip: Sequence[float], cloc: Sequence[float], words: str) -> None:
    (sentence,) = text.cost(summed(clip, cloc, ("naming", "")))
    assert sentence.startswith("Naming a thing: ") and words in sentence
    assert text.cost(summed([], [0.5], ("naming", ""))) == []


def test_rows_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(DataError, match="no such recipe of encoders"):
        contrastive.summary(Table.of(contrastive.EXAMINED, [row("siglip", 0, 0.5)]))
    with pytest.raises(DataError, match="twice"):
        contrastive.summary(Table.of(contrastive.EXAMINED, [row("clip", 0, 0.5), row("clip", 0, 0.6)]))


def test_the_table_in_markdown() -> None:
    rows = [row("clip", seed, 0.5 + seed / 10) for seed in range(2)]
    rows += [row("cloc", seed, 0.25, of=("box IoU", "prompter"), chance=0.04) for seed in range(2)]
    rows += [row("clip", 0, 0.5, of=("<b>", "block 1"))]
    table = text.markdown(contrastive.summary(Table.of(contrastive.EXAMINED, rows))).splitlines()
    assert table[2] == "| relations, language pathway closed | 0.500 | 0.550 [0.000, 1.000] | none | none |"
    assert table[3] == "| IoU of the box of a text, prompter | 0.040 | none | 0.250 [0.250, 0.250] | none |"
    assert table[4].startswith("| &lt;b&gt;, block 1 | ")


def test_the_figure_draws_what_there_is_and_says_what_there_is_not() -> None:
    svg = style.to_svg(figure.draw(summed([0.5, 0.52], [0.9, 0.93])))
    assert "relations, language" in svg and "pathway closed" in svg and svg.count("Not measured.") == 3
    rows = [row(of, seed, 0.5, of=("column probe", part)) for of in ("clip", "cloc") for seed in range(2)
            for part in ("block 0", "block 1")]  # fmt: skip
    rows.append(row("cloc", 0, 0.3, of=("box IoU", "prompter")))
    svg = style.to_svg(figure.draw(contrastive.summary(Table.of(contrastive.EXAMINED, rows))))
    assert "before block" in svg and "IoU of the box" in svg and svg.count("Not measured.") == 2
    assert svg == style.to_svg(figure.draw(contrastive.summary(Table.of(contrastive.EXAMINED, rows))))
    with pytest.raises(DataError, match="no rows"):
        figure.draw(contrastive.summary(Table.of(contrastive.EXAMINED, [])))


def test_labels_stand_apart_and_chance_goes_across_each_panel() -> None:
    keys = [*tables.WHERE, *tables.WHAT, *((of, f"block {k}") for of in tables.PROBES for k in range(3))]
    rows = [row(of, seed, 0.6, of=key, chance=0.1 + 0.01 * n) for of in ("clip", "cloc") for seed in range(3)
            for n, key in enumerate(keys)]  # fmt: skip
    drawn = figure.draw(contrastive.summary(Table.of(contrastive.EXAMINED, rows)))
    width, height = drawn.get_size_inches()
    assert width > 6 and height < 8  # two columns
    with canvas.measured(drawn) as renderer:
        for axis in drawn.axes[:2]:
            boxes = [label.get_window_extent(renderer) for label in axis.get_yticklabels()]
            assert len(boxes) > 4 and all(one.y0 >= two.y1 for one, two in pairwise(boxes))
    for axis, along, ends in zip(drawn.axes, (1, 1, 0, 0), (4.5, 6.5, 2.3, 2.3), strict=True):
        dashed = [line for line in axis.lines if line.get_linestyle() == "--"]
        assert len(dashed) == 1
        places = np.asarray(dashed[0].get_xydata())[:, along]
        assert places.max() == pytest.approx(ends) and places.min() < 0
    chances = np.asarray(drawn.axes[0].lines[0].get_xydata())[:, 0]
    assert chances.tolist() == pytest.approx(np.repeat([0.1 + 0.01 * n for n in range(5)], 2).tolist())


def test_the_page_says_what_the_numbers_say() -> None:
    rows = [row(of, seed, value + value * seed / 100, of=key) for of, value in (("clip", 0.3), ("cloc", 0.8))
            for key in (CLOSED, ("naming", "")) for seed in range(3)]  # fmt: skip
    made = page.page(contrastive.summary(Table.of(contrastive.EXAMINED, rows)))
    assert made.startswith("# CLIP-style against CLOC-style pre-training\n\n**Undecided**: ")
    assert "**What it costs in *what*.** Naming a thing: more correct with CLOC-style" in made
    assert page.COMMAND in made and page.HARDWARE in made
    without = page.page(contrastive.summary(Table.of(contrastive.EXAMINED, rows[:3])))
    assert "What it costs" not in without and "**Undecided**: " in without


RESULTS = Path(__file__).parent.parent / "docs" / "results"


@pytest.mark.skipif(not (RESULTS / "clip-cloc.parquet").is_file(), reason="not recorded yet")
def test_the_recorded_page_is_that_of_the_recorded_rows() -> None:
    summary = contrastive.summary(Table.read(RESULTS / "clip-cloc.parquet"))
    assert (RESULTS / "clip-cloc.md").read_text(encoding="utf-8") == page.page(summary)
    svg = (RESULTS.parent / "images" / "clip-cloc.svg").read_text(encoding="utf-8")
    assert all(line in svg for row in summary.rows()[:3] for line in figure.broken(row).splitlines() if "'" not in line)
