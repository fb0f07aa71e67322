"""TokenGrid: positions are pixel boxes of the original picture, and a grid refuses what it cannot answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backsight.errors import GridError
from backsight.grid import Box, TokenGrid

GRID = TokenGrid.rectangle(2, 3, (60, 40))


def test_a_box_knows_its_middle_and_sides() -> None:
    box = Box(10, 20, 40, 30)
    assert (box.center, box.width, box.height) == ((25, 25), 30, 10)


def test_a_rectangle_lists_its_cells_row_by_row() -> None:
    assert len(GRID) == 6
    assert GRID.row.tolist() == [0, 0, 0, 1, 1, 1]
    assert GRID.column.tolist() == [0, 1, 2, 0, 1, 2]
    assert GRID.box[0].tolist() == [0, 0, 20, 20]
    assert GRID.box[4].tolist() == [20, 20, 40, 40]
    assert GRID.centers[5].tolist() == [50, 30]
    assert (GRID.rows, GRID.columns, GRID.cell) == (2, 3, (20, 20))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 500), st.integers(1, 500))
def test_the_cells_of_a_rectangle_tile_the_picture(rows: int, columns: int, width: int, height: int) -> None:
    grid = TokenGrid.rectangle(rows, columns, (width, height))
    areas = np.prod(grid.box[:, 2:] - grid.box[:, :2], axis=1)
    assert grid.is_rectangle and (grid.rows, grid.columns) == (rows, columns)
    assert areas.sum() == pytest.approx(width * height)
    assert np.allclose(grid.overlap(Box(0, 0, width, height)), 1)


def test_a_grid_needs_rows_and_columns() -> None:
    with pytest.raises(GridError, match="at least one row and one column\n  got:   0 x 3"):
        TokenGrid.rectangle(0, 3, (60, 40))


def test_overlap_is_the_share_of_each_token_in_the_box() -> None:
    assert GRID.overlap(Box(10, 5, 40, 20)).tolist() == pytest.approx([0.375, 0.75, 0, 0, 0, 0])
    assert GRID.overlap(Box(100, 100, 120, 120)).tolist() == [0] * 6


@given(st.integers(0, 59), st.integers(0, 39), st.integers(1, 60), st.integers(1, 40))
def test_overlaps_add_up_to_the_area_of_the_box(x: int, y: int, width: int, height: int) -> None:
    box = Box(x, y, min(60, x + width), min(40, y + height))
    assert GRID.overlap(box).sum() * 400 == pytest.approx(box.width * box.height)


def test_tokens_in_takes_those_that_lie_in_the_box_by_half() -> None:
    assert GRID.tokens_in(Box(10, 0, 40, 40)).tolist() == [0, 1, 3, 4]
    assert GRID.tokens_in(Box(11, 0, 40, 40)).tolist() == [1, 4]
    assert GRID.tokens_in(Box(11, 0, 40, 40), share=0.4).tolist() == [0, 1, 3, 4]


def test_a_box_without_tokens_is_refused() -> None:
    with pytest.raises(GridError, match="No image token lies in the box") as caught:
        GRID.tokens_in(Box(0, 0, 5, 5))
    assert caught.value.got == "TokenGrid(2x3 over 60x40 px)"
    assert caught.value.where == (0, 0, 5, 5)


def test_padding_has_an_empty_box_and_overlaps_nothing() -> None:
    box = GRID.box.copy()
    box[5] = [40, 40, 60, 40]
    assert replace(GRID, box=box).overlap(Box(0, 0, 60, 40)).tolist() == [1, 1, 1, 1, 1, 0]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", np.array(["cell"] * 5 + ["newline"])),
        ("view", np.array([0, 0, 0, 1, 1, 1])),
        ("row", np.array([1, 1, 1, 0, 0, 0])),
        ("column", np.array([0, 1, 2, 3, 1, 2])),
    ],
)
def test_anything_but_one_rectangle_has_no_rows(field: str, value: np.ndarray) -> None:
    odd = replace(GRID, **{field: value})
    assert not odd.is_rectangle and repr(odd) == "TokenGrid(6 tokens over 60x40 px)"
    for name in ("rows", "columns", "cell"):
        with pytest.raises(GridError, match=r"do:    work on the tokens' pixel boxes \(grid.box\)"):
            getattr(odd, name)


def test_grids_are_equal_by_content() -> None:
    same = TokenGrid.rectangle(2, 3, (60, 40))
    assert same == GRID and hash(same) == hash(GRID)
    assert TokenGrid.rectangle(3, 2, (60, 40)) != GRID
    assert TokenGrid.rectangle(2, 3, (60, 41)) != GRID
    assert replace(GRID, box=GRID.box + 1) != GRID
    assert GRID != "a grid"
