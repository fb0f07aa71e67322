"""Relations from geometry: laws that hold for any two boxes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backsight.errors import UsageError
from backsight.grid import Box
from backsight.stimuli.relations import neighbour, overlaps, relation

MIRRORED = {"left": "right", "right": "left", "above": "above", "below": "below", None: None}
OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above", None: None}
TURNED = {"left": "above", "above": "left", "right": "below", "below": "right", None: None}

boxes = st.builds(
    lambda x, y, w, h: Box(x, y, x + 2 * w, y + 2 * h),
    st.integers(0, 300), st.integers(0, 300), st.integers(1, 40), st.integers(1, 40),
)  # fmt: skip
ratios = st.sampled_from([1, 1.25, 1.5, 2, 4])


def mirrored(box: Box, width: float = 400) -> Box:
    return Box(width - box.right, box.top, width - box.left, box.bottom)


def test_the_four_relations_by_hand() -> None:
    reference = Box(100, 100, 120, 120)
    assert relation(Box(10, 100, 30, 120), reference) == "left"
    assert relation(Box(190, 100, 210, 120), reference) == "right"
    assert relation(Box(100, 10, 120, 30), reference) == "above"  # y grows downwards
    assert relation(Box(100, 190, 120, 210), reference) == "below"


@pytest.mark.parametrize(
    ("right", "down", "found"),
    [(30, 20, None), (31, 20, "right"), (20, 30, None), (20, 31, "below"), (25, 25, None), (0, 0, None)],
)
def test_the_margin_shuts_out_the_diagonal(right: int, down: int, found: str | None) -> None:
    assert relation(Box(right, down, right + 8, down + 8), Box(0, 0, 8, 8), ratio=1.5) == found


@given(boxes, boxes, ratios)
def test_a_mirrored_scene_gives_the_mirrored_relation(one: Box, two: Box, ratio: float) -> None:
    assert relation(mirrored(one), mirrored(two), ratio=ratio) == MIRRORED[relation(one, two, ratio=ratio)]


@given(boxes, boxes, ratios)
def test_swapping_subject_and_reference_gives_the_opposite(one: Box, two: Box, ratio: float) -> None:
    assert relation(two, one, ratio=ratio) == OPPOSITE[relation(one, two, ratio=ratio)]


@given(boxes, boxes, ratios)
def test_transposing_turns_left_into_above(one: Box, two: Box, ratio: float) -> None:
    turned = [Box(b.top, b.left, b.bottom, b.right) for b in (one, two)]
    assert relation(turned[0], turned[1], ratio=ratio) == TURNED[relation(one, two, ratio=ratio)]


@given(boxes, boxes, ratios, st.integers(1, 50), st.integers(-500, 500))
def test_scaling_and_shifting_change_nothing(one: Box, two: Box, ratio: float, scale: int, shift: int) -> None:
    moved = [Box(*(scale * edge + shift for edge in box)) for box in (one, two)]
    assert relation(moved[0], moved[1], ratio=ratio) == relation(one, two, ratio=ratio)


@given(boxes, boxes, ratios, ratios)
def test_a_wider_margin_only_takes_relations_away(one: Box, two: Box, first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert relation(one, two, ratio=high) in (None, relation(one, two, ratio=low))


def test_a_ratio_below_one_is_refused() -> None:
    with pytest.raises(UsageError, match=r"would allow two relations at once\n  got:   0\.9"):
        relation(Box(0, 0, 1, 1), Box(5, 5, 6, 6), ratio=0.9)


def test_the_neighbour_is_the_next_box_in_a_direction() -> None:
    row = [Box(x, 0, x + 10, 10) for x in (40, 0, 80, 20)]
    assert [neighbour(row, 3, "left"), neighbour(row, 3, "right")] == [1, 0]
    assert [neighbour(row, 1, "left"), neighbour(row, 2, "right"), neighbour(row, 3, "above")] == [None] * 3
    column = [Box(0, y, 10, y + 10) for y in (40, 0, 80)]
    assert [neighbour(column, 0, "above"), neighbour(column, 0, "below")] == [1, 2]


@given(boxes, boxes, st.integers(0, 10))
def test_overlap_is_symmetric_and_means_a_shared_area(one: Box, two: Box, gap: int) -> None:
    wide = min(one.right, two.right) - max(one.left, two.left)
    high = min(one.bottom, two.bottom) - max(one.top, two.top)
    assert overlaps(one, two, gap=gap) == overlaps(two, one, gap=gap) == (wide > -gap and high > -gap)


def test_boxes_that_touch_do_not_overlap() -> None:
    assert not overlaps(Box(0, 0, 10, 10), Box(10, 0, 20, 10))
    assert overlaps(Box(0, 0, 10, 10), Box(10, 0, 20, 10), gap=1)
