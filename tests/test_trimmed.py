"""Tables without the columns that tell no row from another."""

from __future__ import annotations

from backsight.results.pages.content import Grid
from backsight.results.pages.trimmed import trimmed

COLUMNS = ("Suite", "Prompt", "Chance", "Picture")


def test_columns_that_never_vary_go_to_the_note() -> None:
    grid = trimmed(Grid("T", COLUMNS, (("One", "A", "0.250", "0.9"), ("Two", "A", "0.250", "0.8")), 2, note="Read so."))
    assert (grid.columns, grid.rows, grid.words) == (("Suite", "Picture"), (("One", "0.9"), ("Two", "0.8")), 1)
    assert grid.note == "In every row: prompt A, chance 0.250. Read so."


def test_columns_that_vary_stay_and_empty_ones_go_in_silence() -> None:
    rows = (("One", "–", "0.250", "0.9"), ("Two", "–", "0.125", "0.9 "))
    grid = trimmed(Grid("T", COLUMNS, rows, 2, suites=("one", "two")))
    assert grid.columns == ("Suite", "Chance", "Picture") and grid.note == "" and grid.suites == ("one", "two")


def test_the_first_column_and_those_of_a_single_row_stay() -> None:
    assert trimmed(Grid("T", COLUMNS, (("One", "A", "0.250", "0.9"),))).columns == COLUMNS
    alike = trimmed(Grid("T", COLUMNS, (("One", "A", "0.250", "0.9"),) * 2))
    assert alike.columns == ("Suite",)
    assert trimmed(Grid("T", COLUMNS, ())).rows == ()


def test_numbers_with_intervals_stay() -> None:
    rows = (("One", "0.250 [0.111, 0.461]"), ("Two", "0.250 [0.111, 0.461]"))
    assert trimmed(Grid("T", ("Suite", "Picture"), rows)).columns == ("Suite", "Picture")
