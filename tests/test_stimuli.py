"""Squares, Shapes and Objects: geometry, counts, prompts and answers as Dual Mechanisms prints them."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backsight import stimuli
from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example
from backsight.grid import Box, TokenGrid
from backsight.stimuli.layouts import PRESETS, Axis, Layout
from backsight.stimuli.suites import layout_for

ROW_SUITES = ("squares", "shapes", "objects")
SIDE = {"left": (0, -1), "right": (0, 1), "above": (1, -1), "below": (1, 1)}  # which axis, and which way


def cells(boxes: tuple[Box, ...], cell: int) -> list[tuple[float, ...]]:
    return [tuple(edge / cell for edge in box) for box in boxes]


@pytest.mark.parametrize(
    ("name", "tokens", "cell", "entity", "spacing", "pixels", "starts", "across", "strips"),
    [
        ("qwen2-vl", 12, 28, 2, 2, 336, (1, 5, 9), 5, (4, 4, 4)),
        ("gemma-3", 16, 56, 3, 3, 896, (0, 6, 12), 6, (5, 6, 5)),
        ("pixtral", 15, 16, 2, 2, 240, (2, 6, 10), 6, (5, 5, 5)),
    ],
)
def test_the_rule_gives_the_geometry_of_the_paper(
    name: str,
    tokens: int,
    cell: int,
    entity: int,
    spacing: int,
    pixels: int,
    starts: tuple[int, ...],
    across: int,
    strips: tuple[int, ...],
) -> None:
    layout = Layout.for_grid(tokens, tokens, cell)
    assert layout == PRESETS[name] == Layout(tokens, tokens, cell, entity, spacing)
    assert layout.size == (pixels, pixels)
    assert cells(layout.boxes("horizontal"), cell) == [(s, across, s + entity, across + entity) for s in starts]
    assert cells(layout.boxes("vertical"), cell) == [(across, s, across + entity, s + entity) for s in starts]
    assert tuple(s.width / cell for s in layout.strips("horizontal")) == strips
    assert tuple(s.height / cell for s in layout.strips("vertical")) == strips


@given(st.integers(6, 40), st.integers(6, 40), st.integers(1, 60), st.sampled_from(get_args(Axis)))
def test_strips_tile_the_picture_and_entities_stand_evenly(rows: int, columns: int, cell: int, axis: Axis) -> None:
    layout = Layout.for_grid(rows, columns, cell)
    width, height = layout.size
    strips, boxes = layout.strips(axis), layout.boxes(axis)
    start, end = (0, 2) if axis == "horizontal" else (1, 3)
    assert sum(s.width * s.height for s in strips) == width * height
    assert strips[0][end] - strips[0][start] == strips[2][end] - strips[2][start] > 0
    assert all(one[end] == two[start] for one, two in pairwise(strips))
    assert all(edge % cell == 0 for box in (*strips, *boxes) for edge in box)
    assert all(one[end] + layout.spacing * cell == two[start] for one, two in pairwise(boxes))
    for box in boxes:
        assert 0 <= box.left < box.right <= width and 0 <= box.top < box.bottom <= height


@pytest.mark.parametrize(("rows", "columns"), [(5, 5), (12, 5), (3, 24)])
def test_a_grid_too_small_is_said(rows: int, columns: int) -> None:
    with pytest.raises(CannotAnswer, match=f"too small for three entities in a row\n  got:   {rows} x {columns} cells"):
        stimuli.squares(TokenGrid.rectangle(rows, columns, (28 * columns, 28 * rows)))


def test_layouts_follow_the_token_grid_of_a_model() -> None:
    assert layout_for(None) == PRESETS["qwen2-vl"]
    assert layout_for(TokenGrid.rectangle(16, 16, (896, 896))) == PRESETS["gemma-3"]
    assert layout_for(TokenGrid.rectangle(12, 18, (18 * 28, 12 * 28))) == Layout(12, 18, 28, 2, 2)
    assert layout_for(PRESETS["pixtral"]) is PRESETS["pixtral"]
    two = TokenGrid.rectangle(6, 6, (60, 60))
    two.view[18:] = 1
    with pytest.raises(CannotAnswer, match="no rows and columns to lay a suite out on") as caught:
        layout_for(two)
    assert caught.value.got == "36 tokens in 2 view(s)"


@pytest.mark.parametrize(("suite", "count"), [("squares", 480), ("shapes", 480), ("objects", 1344)])
def test_a_suite_holds_every_ordered_triple_in_every_direction(suite: str, count: int) -> None:
    items = stimuli.build(suite)
    assert len(items) == len({e.id for e in items}) == count
    assert Counter(e.direction for e in items) == dict.fromkeys(("left", "right", "above", "below"), count // 4)
    assert len({e.image_id for e in items}) == count // 2  # each picture is asked in two directions
    asked = {(e.direction, tuple(sorted(e.boxes, key=lambda name: e.boxes[name].center))) for e in items}
    assert len(asked) == count


PRINTED = {
    ("squares", "left"): "The color of the square to the left of the red square is",
    ("squares", "right"): "The color of the square to the right of the red square is",
    ("squares", "above"): "The color of the square above the red square is",
    ("squares", "below"): "The color of the square below the red square is",
    ("shapes", "left"): "The color of the shape to the left of the red is",
    ("shapes", "right"): "The color of the shape to the right of the red is",
    ("shapes", "above"): "The color of the shape above the red is",
    ("shapes", "below"): "The color of the shape below the red is",
    ("objects", "left"): "The object to the left of the red is",
    ("objects", "right"): "The object to the right of the red is",
    ("objects", "above"): "The object above the red is",
    ("objects", "below"): "The object below the red is",
}


@pytest.mark.parametrize("suite", [*ROW_SUITES, *(f"jittered_{suite}" for suite in ROW_SUITES)])
def test_prompts_are_those_of_appendix_a3(suite: str) -> None:
    for example in stimuli.build(suite):
        printed = PRINTED[suite.removeprefix("jittered_"), str(example.direction)]
        assert example.question == printed.replace("red", str(example.reference))
        assert example.system == "You are a helpful assistant. You respond in one token."


def test_options_are_what_appendix_a2_lists() -> None:
    colors = ("red", "green", "blue", "black", "brown", "gray")
    things = ("orange", "apple", "pot", "bell", "hat", "rose", "key", "bomb")
    expected = {"squares": {colors}, "shapes": {colors}, "objects": {things}}
    assert {suite: {e.options for e in stimuli.build(suite)} for suite in ROW_SUITES} == expected


def seen_there(example: Example) -> list[str]:
    """What the boxes alone say lies in the asked direction of the reference."""
    axis, way = SIDE[str(example.direction)]
    start = example.boxes[str(example.reference)]
    return [
        name
        for name, box in example.boxes.items()
        if way * (box[axis] - start[axis]) > 0 and way * (box[axis + 2] - start[axis + 2]) > 0
    ]


@pytest.mark.parametrize("suite", [*ROW_SUITES, *(f"jittered_{suite}" for suite in ROW_SUITES)])
@pytest.mark.parametrize("preset", PRESETS)
def test_answers_agree_with_the_boxes(suite: str, preset: str) -> None:
    layout = PRESETS[preset]
    items = stimuli.SUITES[suite](layout, count=60) if "jittered" in suite else stimuli.build(suite, layout)
    for example in items:
        assert seen_there(example) == [example.answer] == [example.subject]
        assert len(example.boxes) == 3


@pytest.mark.parametrize("preset", PRESETS)
def test_exact_boxes_fall_on_whole_cells(preset: str) -> None:
    layout = PRESETS[preset]
    grid = TokenGrid.rectangle(layout.rows, layout.columns, layout.size)
    for example in stimuli.squares(layout)[::40]:
        for box in example.boxes.values():
            shares = grid.overlap(box)
            assert set(shares.tolist()) == {0.0, 1.0} and shares.sum() == layout.entity**2


def test_an_unknown_suite_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        UsageError, match="no suite of this name\n  got:   circles\n  do:    choose from: squares, shapes"
    ):
        stimuli.build("circles")


@pytest.mark.parametrize("suite", stimuli.SUITES)
def test_a_suite_repeats_for_a_seed(suite: str) -> None:
    assert stimuli.build(suite, seed=3).fingerprint == stimuli.build(suite, seed=3).fingerprint
    if suite not in ROW_SUITES:  # those hold all there is, whatever the seed
        assert stimuli.build(suite, seed=3).fingerprint != stimuli.build(suite, seed=4).fingerprint
