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
from backsight.results.contrastive.claims import POSITION, WHAT
from backsight.results.drawing import canvas, style
from backsight.tables import Table

Key = tuple[str, str]
CLOSED: Key = ("relations", "closed")
ERROR = 0.001  # of each number, from the pictures


def row(recipe: str, seed: int, value: float, *, of: Key = CLOSED, chance: float = 0.5) -> Any:
    measure, part = of
    return {
        "recipe": recipe, "seed": seed, "measure": measure, "part": part, "value": value, "chance": chance,
        "error": ERROR, "samples": 400,
    }  # fmt: skip


def summed(clip: Sequence[float], cloc: Sequence[float], of: Key = CLOSED) -> Table:
    rows = [row("clip", seed, value, of=of) for seed, value in enumerate(clip)]
    rows += [row("cloc", seed, value, of=of) for seed, value in enumerate(cloc)]
    return contrastive.summary(Table.of(contrastive.EXAMINED, rows))


def test_intervals_over_seeds_are_students_and_take_three() -> None:
    values = [0.2, 0.5, 0.35, 0.9]
    theirs = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    (one,) = summed(values, values[:2]).rows()
    assert (one["clip_low"], one["clip_high"]) == pytest.approx((theirs.low, theirs.high))
    assert one["cloc"] == pytest.approx(0.35) and one["cloc_low"] is None and one["difference_low"] is None
    (none,) = summed([], values).rows()
    assert (none["clip"], none["clip_low"], none["clip_seeds"], none["difference"]) == (None, None, 0, None)


def test_seeds_that_agree_are_as_uncertain_as_the_pictures_that_they_share() -> None:
    (one,) = summed([0.5] * 3, [0.9] * 3).rows()
    quantile = float(stats.norm.ppf(0.975))
    assert one["clip_high"] - 0.5 == pytest.approx(quantile * ERROR)
    assert one["difference_high"] - 0.4 == pytest.approx(quantile * ERROR * 2**0.5)


def test_differences_are_paired_by_seed() -> None:
    """Encoders that differ more between seeds than between recipes: paired, the difference is clear."""
    (one,) = summed([0.5, 0.7, 0.9], [0.6, 0.81, 0.99]).rows()
    assert one["difference"] == pytest.approx(0.1)
    assert one["difference_low"] > 0.06 and one["clip_high"] > one["cloc_low"]
    (other,) = summed([0.5, 0.7, 0.9], [0.6]).rows()
    assert (other["difference_seeds"], other["difference_low"]) == (1, None)


LOW, HIGH = [0.5, 0.52, 0.51], [0.9, 0.93, 0.91]
KEYS = [key for keys in POSITION.values() for key in keys] + [key for keys in WHAT.values() for key in keys]


def examined(clip: Sequence[float], cloc: Sequence[float], keys: Sequence[Key], chance: float = 0.5) -> Table:
    rows = [
        row(of, seed, value, of=key, chance=chance)
        for key in keys
        for of, values in (("clip", clip), ("cloc", cloc))
        for seed, value in enumerate(values)
    ]
    return Table.of(contrastive.EXAMINED, rows)


def of(table: Table, kind: str) -> dict[str, dict[str, Any]]:
    return {one["measure"]: one for one in contrastive.claims(table).rows() if one["claim"] == kind}


@pytest.mark.parametrize(
    ("clip", "cloc", "more", "none"),
    [
        (LOW, HIGH, "confirmed", "confirmed"),
        (HIGH, LOW, "not confirmed", "not confirmed"),
        ([0.5, 0.51, 0.5], [0.5, 0.5, 0.51], "not confirmed", "confirmed"),
        ([0.93, 0.931, 0.929], [0.95, 0.951, 0.949], "not confirmed", "not confirmed"),  # more, and too little to count
        ([0.5, 0.6, 0.7], [0.9, 0.5, 0.6], "undecided", "undecided"),
        (LOW[:2], HIGH[:2], "undecided", "undecided"),  # two seeds
        ([0.5], [0.9], "undecided", "undecided"),
        ([0.5] * 3, [0.9] * 3, "confirmed", "confirmed"),  # the pictures' error in place of none
    ],
)
def test_the_verdicts_follow_the_numbers(clip: Sequence[float], cloc: Sequence[float], more: str, none: str) -> None:
    table = examined(clip, cloc, [CLOSED])
    name = "relations, language pathway closed"
    assert (of(table, "more")[name]["verdict"], of(table, "none")[name]["verdict"]) == (more, none)
    others = [one["verdict"] for kind in ("more", "none") for key, one in of(table, kind).items() if key != name]
    assert set(others) == {"undecided"}


def test_an_encoder_with_position_in_it_never_has_none() -> None:
    """.93 of CLIP-style encoders beside .95 of CLOC-style ones says nothing for "captions leave none"."""
    made = page.page(examined([0.93, 0.931, 0.929], [0.95, 0.951, 0.949], KEYS, chance=0.14))
    assert "**Not confirmed by all 4 measures**: CLIP-style pre-training, on captions only, leaves no position" in made
    assert "**Not confirmed by all 4 measures**: CLOC-style pre-training leaves more position" in made
    assert "**Confirmed" not in made


def test_claims_are_corrected_over_the_page() -> None:
    values = ([0.5, 0.52, 0.49], [0.7, 0.81, 0.72])
    one = of(examined(*values, [CLOSED]), "more")["relations, language pathway closed"]
    raw = stats.ttest_1samp([0.2, 0.29, 0.23], 0.05).pvalue
    assert one["p_holm"] == pytest.approx(max(raw, one["p_holm"])) and one["p_holm"] >= raw
    every = of(examined(*values, KEYS), "more")["relations, language pathway closed"]
    assert every["p_holm"] > 4 * raw and every["verdict"] == "undecided"


def test_probes_are_judged_by_the_mean_of_column_and_row() -> None:
    rows = [row(of, seed, value, of=(f"{axis} probe", "output"), chance=chance)
            for axis, chance in (("column", 0.1), ("row", 0.2)) for of, at in (("clip", 0.5), ("cloc", 0.7))
            for seed, value in enumerate([at, at + (0.1 if axis == "row" else 0.0)])]  # fmt: skip
    one = of(Table.of(contrastive.EXAMINED, rows), "none")["column and row probes, output"]
    assert (one["clip"], one["chance"], one["seeds"]) == (pytest.approx(0.525), pytest.approx(0.15), 2)
    half = Table.of(contrastive.EXAMINED, [one for one in rows if one["measure"] == "row probe"])
    assert of(half, "none")["column and row probes, output"]["mean"] is None


def test_a_claim_shows_the_means_of_the_seeds_that_it_compares() -> None:
    table = examined([0.5, 0.6, 0.9], [0.7, 0.8], [CLOSED])
    one = of(table, "more")["relations, language pathway closed"]
    assert (one["clip"], one["cloc"], one["mean"]) == pytest.approx((0.55, 0.75, 0.2)) and one["seeds"] == 2
    assert of(table, "none")["relations, language pathway closed"]["clip"] == pytest.approx(2 / 3)


def test_a_claim_says_by_how_many_measures() -> None:
    rows = contrastive.claims(examined(LOW, HIGH, [CLOSED])).rows()
    assert text.claim("more", rows) == (
        "**Confirmed by 1 and undecided by 3 of 4 measures**: CLOC-style pre-training leaves more position in the "
        "encoder than CLIP-style, by at least 0.05."
    )
    assert text.claim("cost", rows).startswith("**Undecided by all 3 measures**: ")


def test_a_measure_names_its_numbers() -> None:
    def line(table: Table, kind: str, measure: str = "relations, language pathway closed") -> list[str]:
        lines = text.judgements([of(table, kind)[measure]]).splitlines()
        return [cell.strip() for cell in lines[-1].split("|")[1:-1]]

    table = examined(LOW, HIGH, [CLOSED])
    shown = line(table, "more")
    assert shown[1:5] == ["relations, language pathway closed", "0.500", "0.510", "0.913"]
    assert shown[5].startswith("difference +0.403 [") and shown[6] == "3" and float(shown[7]) < 0.05
    assert shown[8] == "confirmed"
    none = line(table, "none")
    assert none[2:5] == ["0.500", "0.510", ""] and none[5].startswith("CLIP-style less chance +0.010 [")
    missing = line(table, "more", "column and row probes, output")
    assert missing[2:] == ["", "", "", "not measured for both in any seed", "0", "", "undecided"]
    one = line(examined([0.5], [0.9], [CLOSED]), "more")
    assert one[5:] == ["difference +0.400", "1", "", "undecided"]


def test_each_claim_is_written_once() -> None:
    lines = text.judgements(contrastive.claims(examined(LOW, HIGH, [CLOSED])).rows()).splitlines()[2:]
    heads = [line.split("|")[1].strip() for line in lines]
    assert len(lines) == 11 and [head for head in heads if head] == [
        text.SENTENCES[kind] for kind in ("more", "none", "cost")
    ]


@pytest.mark.parametrize(
    ("clip", "cloc", "word"),
    [(HIGH, LOW, "confirmed"), (LOW, HIGH, "not confirmed"), ([0.5, 0.6, 0.7], [0.7, 0.5, 0.6], "undecided")],
)
def test_the_cost_follows_the_numbers(clip: Sequence[float], cloc: Sequence[float], word: str) -> None:
    assert of(examined(clip, cloc, [("naming", "")]), "cost")["naming a thing"]["verdict"] == word


def test_what_probes_read_before_the_first_block_is_said() -> None:
    rows = [row(of, 0, value, of=(probe, part)) for of in ("clip", "cloc") for probe in ("column probe", "row probe")
            for part, value in (("block 0", 0.98), ("output", 0.8 if of == "clip" else 0.95))]  # fmt: skip
    said = text.start(contrastive.summary(Table.of(contrastive.EXAMINED, rows)))
    assert "goes from 0.98 to 0.80 with CLIP-style and from 0.98 to 0.95 with CLOC-style." in said
    assert text.start(summed(LOW, HIGH)) == ""


def test_rows_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(DataError, match="no such recipe of encoders"):
        contrastive.summary(Table.of(contrastive.EXAMINED, [row("siglip", 0, 0.5)]))
    with pytest.raises(DataError, match="twice"):
        contrastive.summary(Table.of(contrastive.EXAMINED, [row("clip", 0, 0.5), row("clip", 0, 0.6)]))


def test_the_table_in_markdown() -> None:
    rows = [row("clip", seed, 0.5 + seed / 10) for seed in range(2)]
    rows += [row("cloc", seed, 0.25, of=("box IoU", "prompter"), chance=0.04) for seed in range(3)]
    rows += [row("clip", 0, 0.5, of=("<b>", "block 1"))]
    table = text.markdown(contrastive.summary(Table.of(contrastive.EXAMINED, rows))).splitlines()
    assert table[2] == "| relations, language pathway closed | 0.500 | 0.550 | none | none |"
    assert table[3] == "| IoU of the box of a text, prompter | 0.040 | none | 0.250 [0.248, 0.252] | none |"
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
    last = len(tables.WHERE) - 0.5, len(tables.WHAT) - 0.5, 2.3, 2.3
    for axis, along, ends in zip(drawn.axes, (1, 1, 0, 0), last, strict=True):
        dashed = [line for line in axis.lines if line.get_linestyle() == "--"]
        assert len(dashed) == 1
        places = np.asarray(dashed[0].get_xydata())[:, along]
        assert places.max() == pytest.approx(ends) and places.min() < 0
    chances = np.asarray(drawn.axes[0].lines[0].get_xydata())[:, 0]
    assert chances.tolist() == pytest.approx(np.repeat([0.1 + 0.01 * n for n in range(len(tables.WHERE))], 2).tolist())


def test_the_page_says_what_the_numbers_say() -> None:
    table = examined(LOW, HIGH, KEYS)
    made = page.page(Table(table.schema, table.frame, {"hardware": ["4 CPU cores (<x>)"]}))
    assert made.startswith(
        "# CLIP-style against CLOC-style pre-training\n\nColumn and row probes, output, 0.510 CLIP-style and 0.913 "
    )
    assert "**Not confirmed by all 3 measures**: CLOC-style pre-training costs" in made
    assert page.COMMAND in made and "Holm over those of all 11 that have 3 seeds or more" in " ".join(made.split())
    assert "Examined on 4 CPU cores (&lt;x&gt;), one thread" in made
    facts = {"side": 112, "grid": "8 x 8", "encoder": "vision 2 blocks of width 64", "encoder_steps": 123,
             "encoder_images": 7, "language": "3 blocks of width 128", "steps": 456, "images": 9}  # fmt: skip
    sized = page.page(Table(table.schema, table.frame, {"facts": facts}))
    assert "123 steps of 7 pictures" in " ".join(sized.split())
    assert "steps of" not in made
    without = page.page(examined(LOW, [], KEYS))
    assert "**Undecided by all 4 measures**: CLOC-style" in without and "Examined on" not in without


RESULTS = Path(__file__).parent.parent / "docs" / "results"


def test_the_recorded_page_is_that_of_the_recorded_rows() -> None:
    table = Table.read(RESULTS / "clip-cloc.parquet")
    summary = contrastive.summary(table)
    assert (RESULTS / "clip-cloc.md").read_text(encoding="utf-8") == page.page(table)
    svg = (RESULTS.parent / "images" / "clip-cloc.svg").read_text(encoding="utf-8")
    assert all(line in svg for row in summary.rows()[:3] for line in figure.broken(row).splitlines() if "'" not in line)
