"""Resolution: the same scenes at other sizes, grids that follow them, and probes that read across."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backsight import stimuli
from backsight.errors import CannotAnswer, UsageError
from backsight.examples import ExampleSet, PlainPicture
from backsight.grid import Box
from backsight.measurements import Resolution
from backsight.models.any_size import any_size
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.results import plot
from backsight.results.resolution import RESOLUTION, resolution_probes, resolution_summary
from backsight.results.resolution.text import claim, label, null, probe_sentence, probe_short, sentence, short
from backsight.selftest import priors as controls
from backsight.stimuli.relations import relation
from backsight.stimuli.resized import resized
from backsight.tables import Table
from backsight.training.questions import corpus

Row = dict[str, Any]


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


# The scenes


def test_a_picture_is_resized_with_its_boxes() -> None:
    example = stimuli.squares()[0]
    other = resized(example, (224, 168))
    assert other is not None and other.image.size == (224, 168) == other.picture.size
    name, box = next(iter(example.boxes.items()))
    assert other.boxes[name] == pytest.approx(Box(box.left * 2 / 3, box.top / 2, box.right * 2 / 3, box.bottom / 2))
    assert other.answer == example.answer and other.picture.id != example.picture.id
    x, y = (round(c) for c in other.boxes[example.answer].center)
    was = tuple(round(c) for c in example.boxes[example.answer].center)
    assert other.image.getpixel((x, y)) == example.image.getpixel(was)


def test_a_relation_that_other_proportions_take_away_is_left_out() -> None:
    pairs = stimuli.pairs(scenes=60).where(lambda e: e.tags["prompt"] == "A")
    assert all(resized(e, (224, 224)) is not None for e in pairs)
    flat = [(e, resized(e, (336, 112))) for e in pairs]
    assert any(other is None for _, other in flat) and any(other is not None for _, other in flat)
    for example, other in flat:
        if other is not None:
            assert relation(other.boxes[str(other.subject)], other.boxes[str(other.reference)]) == example.direction


# The seam


def test_bounds_are_lifted_and_put_back(tiny_vlm: VLM) -> None:
    small, before = PlainPicture((28 * 4, 28 * 3)), tiny_vlm.processor.image_processor.size
    bounded = tiny_vlm.grid_of(small)
    with pytest.raises(ZeroDivisionError), any_size(tiny_vlm):
        grid = tiny_vlm.grid_of(small)
        assert (grid.columns, grid.rows) == (4, 3)
        raise ZeroDivisionError
    assert tiny_vlm.grid_of(small) == bounded != grid
    assert tiny_vlm.processor.image_processor.size is before


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl", "gemma3", "paligemma"])
def test_every_family_is_asked_at_every_size(family: str) -> None:
    vlm = VLM(*tiny(family, corpus()), check=False)
    pairs = stimuli.pairs(scenes=4).where(lambda e: e.tags["prompt"] == "A")
    pairs = replace(pairs, items=tuple(e for e in pairs if resized(e, (336, 224)) is not None)[:2])
    rows = Resolution(batch=2)(vlm, pairs).frame
    grids = {size: (part["columns"].iloc[0], part["rows"].iloc[0]) for size, part in rows.groupby("size")}
    own = grids["own"]
    variable = family.startswith("qwen")
    expected = {"8x8": (2 / 3, 2 / 3), "16x16": (4 / 3, 4 / 3), "12x8": (1, 2 / 3)}
    for size, (across, down) in expected.items():
        want = (round(own[0] * across), round(own[1] * down)) if variable else own
        assert grids[size] == want
    assert (rows["kind"] == "answer").all() and len(rows) == 8  # too few pictures to fit a probe on


# The measurement


def test_a_probe_is_scored_on_pictures_that_it_was_not_fitted_on(tiny_vlm: VLM) -> None:
    pairs = stimuli.pairs(tiny_vlm.grid, scenes=24).where(lambda e: e.tags["prompt"] == "A")
    rows = Resolution(sizes=((8, 8),))(tiny_vlm, pairs).frame
    probed = rows[rows["kind"] == "probe"]
    assert set(zip(probed["fitted"], probed["size"], strict=True)) == {
        (a, b) for a in ("own", "8x8") for b in ("own", "8x8")
    }
    assert set(probed["layer"]) == {0, 2} and set(probed["axis"]) == {"columns", "rows"}
    once = probed.groupby(["axis", "layer", "fitted", "size", "image_id"]).size()
    assert (once == 1).all()
    assert probed["share"].between(0, 1).all() and probed["share_shuffled"].between(0, 1).all()
    assert set(Resolution(sizes=((8, 8),), probe=False)(tiny_vlm, pairs).frame["kind"]) == {"answer"}


def test_questions_without_boxes_are_asked_and_not_probed(tiny_vlm: VLM) -> None:
    bare = [replace(e, boxes={}) for e in stimuli.squares(tiny_vlm.grid)[:3]]
    rows = Resolution(sizes=((8, 8),))(tiny_vlm, bare).frame
    assert rows["kind"].tolist() == ["answer"] * 6


def test_wrong_sizes_and_options_are_refused(tiny_vlm: VLM) -> None:
    for sizes in ((), ((0, 8),), ((12, 12),)):
        with pytest.raises(UsageError, match="takes other sizes"):
            Resolution(sizes=sizes)
    alike = [replace(stimuli.squares(tiny_vlm.grid)[0], options=("red", "Red"), answer="red")]
    with pytest.raises(CannotAnswer):
        Resolution()(tiny_vlm, ExampleSet("alike", tuple(alike)))


# What is made of the rows


def rows_of(right: dict[str, int], count: int = 20) -> Table:
    """Rows of which at each size the first so many are right."""
    rows = []
    for size, number in right.items():
        for n in range(count):
            row: Row = dict.fromkeys(RESOLUTION.columns) | {"example_id": f"e{n:02d}", "image_id": f"i{n}"}
            row |= {"suite": "pairs", "kind": "answer", "size": size, "columns": 8 if size == "8x8" else 12}
            row |= {"rows": row["columns"], "options": 4, "correct": n < number, "answer": "1", "choice": "1"}
            rows.append(row)
    return Table.of(RESOLUTION, rows)


def test_accuracy_by_size_and_its_difference() -> None:
    own, small = resolution_summary(rows_of({"own": 20, "8x8": 8})).rows()
    assert own["accuracy"] == 1 and own["difference"] is None and own["low"] < 1
    assert small["accuracy"] == 0.4 and small["difference"] == pytest.approx(-0.6) and small["difference_high"] < 0
    assert small["chance"] == 0.25 and label(small) == "8 x 8" and label(own) == "12 x 12 (own)"


def test_sentences_are_of_their_numbers() -> None:
    fallen = resolution_summary(rows_of({"own": 20, "8x8": 8})).rows()
    assert "; lower at 8 x 8 (40.0 %, -60.0 points [" in plain(sentence("Pairs", fallen))
    assert plain(claim([("Pairs", fallen)])).startswith(
        "Accuracy falls in 1 of 1 test of a suite at another size, most on Pairs at 8 x 8 tokens: 40.0 % ["
    )
    assert plain(claim([("Pairs", fallen)])).split(" correct, ")[1].startswith("-60.0 points [")
    same = resolution_summary(rows_of({"own": 20, "8x8": 20})).rows()
    assert "; not shown to differ at 8 x 8 (" in sentence("Pairs", same) and "lower" not in sentence("Pairs", same)
    assert claim([("Pairs", same)]).startswith(
        "In none of 1 test of a suite at another size is accuracy shown to fall (lowest on Pairs at 8 x 8 tokens: 100.0"
    )
    assert "; higher at" in sentence("Pairs", resolution_summary(rows_of({"own": 12, "8x8": 20})).rows())
    guessed = resolution_summary(rows_of({"own": 5, "8x8": 0})).rows()
    assert "nothing can fall" in sentence("Pairs", guessed)
    few = resolution_summary(rows_of({"own": 5, "8x8": 5}, count=6)).rows()
    assert sentence("Pairs", few) == "Pairs: omitted (6 questions, 10 needed)."
    for untold in (guessed, few):
        assert claim([("Pairs", untold)]).startswith("Whether accuracy falls at another size cannot be told")
    assert claim([]).startswith("Whether accuracy falls at another size cannot be told")
    assert (
        plain(null([("Pairs", fallen), ("Rows", guessed)]))
        == "At the own size 25.0 to 100.0 % are correct; chance is 25.0 %."
    )
    assert null([("Pairs", few)]) == ""
    assert [round(short(rows), 2) for rows in (same, fallen, guessed, few)] == [0, 0.8, 1, 0.5]


def probed(shares: dict[tuple[str, str], float], count: int = 12) -> Table:
    rows = []
    for (fitted, size), share in shares.items():
        for n in range(count):
            row: Row = dict.fromkeys(RESOLUTION.columns) | {"example_id": f"e{n:02d}", "image_id": f"i{n}"}
            row |= {"suite": "pairs", "kind": "probe", "axis": "columns", "layer": 3, "fitted": fitted, "size": size}
            rows.append(row | {"share": share, "share_shuffled": (0.3, 0.36)[n % 2]})
    return Table.of(RESOLUTION, rows)


def test_what_a_probe_reads_across_sizes() -> None:
    lines = resolution_probes(probed({("own", "own"): 0.9, ("own", "8x8"): 0.33})).rows()
    assert [round(row["gain"], 2) for row in lines] == [0.57, 0.0] and lines[0]["shuffled"] == pytest.approx(0.33)
    spoken = plain(probe_sentence("Pairs", lines))
    assert (
        "columns at layer 3, 90.0 % at the own size and 33.0 % at others (not above shuffled thirds at 8x8)" in spoken
    )
    assert probe_short(lines) == 0.5
    both = resolution_probes(probed({("own", "own"): 0.9, ("own", "8x8"): 0.8})).rows()
    assert "not above" not in probe_sentence("Pairs", both)
    none = resolution_probes(probed({("own", "own"): 0.33, ("own", "8x8"): 0.3})).rows()
    assert "(at no size above shuffled thirds: columns at layer 3; " in probe_sentence("Pairs", none)
    few = resolution_probes(probed({("own", "own"): 0.9}, count=3)).rows()
    assert probe_sentence("Pairs", few) == "Pairs: no probe was scored on enough pictures."


def test_the_figure_draws_accuracy_where_it_is() -> None:
    axes = plot(rows_of({"own": 20, "8x8": 8})).axes[0]
    marks = [line.get_xydata() for line in axes.lines if line.get_marker() == "o"]
    drawn = {(float(x), float(y)) for x, y in np.concatenate(marks)}
    assert drawn == {(1.0, 0.0), (0.4, 1.0)}
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["12 x 12 (own)", "8 x 8"]


@pytest.mark.parametrize(
    ("there", "nowhere", "expected"),
    [
        ([0.4, 0.3], [0.0, -0.1], (True, True)),
        ([0.4, -0.1], [0.0, 0.0], (False, True)),
        ([0.4, 0.3], [0.0, 0.5], (True, False)),
        ([], [], (False, False)),
    ],
)
def test_the_control_is_judged(there: list[float], nowhere: list[float], expected: tuple[bool, bool]) -> None:
    frames = (pd.DataFrame({"gain": lows, "gain_low": lows}, dtype=float) for lows in (there, nowhere))
    seen = controls.reads(*frames)
    assert (seen.fires, seen.silent) == expected
