"""Rows of one-cell squares on grids of any size, at the same cells or the same fractions."""

from __future__ import annotations

import numpy as np
import pytest

from backsight.errors import UsageError
from backsight.stimuli import rows
from backsight.stimuli.rows import held_out
from backsight.stimuli.whole_cells import Window, examples, on_grid, place, placed, scene


@pytest.mark.parametrize(
    ("cell", "grid", "placement", "wanted"),
    [
        ((0, 0), (12, 12), "fractions", (0, 0)),  # centre .5 / 8 = .0625 of 12 = .75
        ((7, 3), (12, 12), "fractions", (11, 5)),  # 7.5 / 8 of 12 = 11.25; 3.5 / 8 of 12 = 5.25
        ((2, 4), (12, 8), "fractions", (3, 4)),
        ((2, 4), (6, 6), "fractions", (1, 3)),  # 2.5 / 8 of 6 = 1.875; 4.5 / 8 of 6 = 3.375
        ((7, 3), (12, 12), "cells", (7, 3)),
        ((5, 5), (6, 6), "cells", (5, 5)),
    ],
)
def test_a_cell_on_another_grid(cell, grid, placement, wanted) -> None:  # type: ignore[no-untyped-def]
    assert on_grid(cell, *grid, placement) == wanted


def test_cells_beyond_a_smaller_grid_are_refused() -> None:
    with pytest.raises(UsageError, match="not on the grid"):
        on_grid((6, 0), 6, 6, "cells")


def test_a_row_stays_in_its_window_with_free_cells_between() -> None:
    rng, window = np.random.default_rng(0), Window(columns=(1, 7), rows=(2, 8))
    for axis, along in (("horizontal", 0), ("vertical", 1)):
        seen = set()
        for _ in range(200):
            one = place(window, axis, rng)  # type: ignore[arg-type]
            assert all(1 <= x < 7 and 2 <= y < 8 for x, y in one.cells)
            steps = np.diff([cell[along] for cell in one.cells])
            assert (steps >= 2).all()
            assert len({cell[1 - along] for cell in one.cells}) == 1
            assert {one.names, one.names[::-1]}.isdisjoint(held_out("squares"))
            seen.add(one.cells)
        assert len(seen) > 15  # 4 places along, 6 across: it moves


def test_a_window_that_is_too_short_is_refused() -> None:
    with pytest.raises(UsageError, match="does not fit"):
        place(Window(columns=(0, 4)), "horizontal", np.random.default_rng(0))


def test_the_same_rows_on_two_grids_ask_the_same_questions() -> None:
    windows = {"horizontal": Window(), "vertical": Window()}
    of = placed(windows, count=8, seed=0)  # type: ignore[arg-type]
    small, large = examples(of), examples(of, grid=(12, 12), placement="fractions")
    assert [(e.question, e.answer) for e in small] == [(e.question, e.answer) for e in large]
    assert small[0].picture.size == (112, 112) and large[0].picture.size == (168, 168)
    assert [e.source.axis for e in small[::2]] == ["horizontal", "vertical"] * 4
    assert isinstance(small[0].source, rows.Row)


def test_boxes_are_whole_cells_and_order_is_that_of_the_answer() -> None:
    of = placed({"horizontal": Window(), "vertical": Window()}, count=6, seed=3)
    for one in of:
        drawn = scene(one, 12, 8, 14, "fractions")
        assert drawn.size == (168, 112)
        at = [figure.box.center[0 if one.axis == "horizontal" else 1] for figure in drawn.figures]
        assert at == sorted(at) and len(set(at)) == 3
        assert all(figure.box.width == 14 and figure.box.left % 14 == 0 for figure in drawn.figures)
