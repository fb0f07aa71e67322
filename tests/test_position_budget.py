"""The rotary phase range in the report: its claim has the smallest range first, and a whole turn is its null."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backsight.report.reading import read_study
from backsight.results.position_budget import POSITION_BUDGET, claim, null, positions
from backsight.tables import Table

from .test_report import study_record, write_study
from .test_report_pathways import pathways_rows, write_pathways

Row = dict[str, Any]


def rows(**ranges: float) -> list[Row]:
    """Two frequencies of each part and axis, as `language_row=2.0`; the second turns half as far."""
    built = []
    for name, radians in ranges.items():
        part, axis = name.split("_")
        for frequency in (0, 1):
            over = radians / (1 + frequency)
            row: Row = {"part": part, "layers": "all", "axis": axis, "frequency": frequency, "cells": 12}
            built.append(row | {"radians_cell": over / 11, "radians_grid": over})
    return built


def test_the_claim_has_the_smallest_range_first() -> None:
    assert claim(rows(vision_row=11.0, vision_column=11.0, language_row=11.0, language_column=6.19)) == (
        "The rotary phase range over the grid is at most 6.19 radians along columns and 11 along rows in the language "
        "model, and 11 along rows and columns in the vision encoder."
    )
    assert claim(rows(language_row=0.002)) == (
        "The rotary phase range over the grid is at most 0.002 radians along rows in the language model."
    )


def test_the_null_is_a_whole_turn() -> None:
    assert null(rows(language_row=11.0, language_column=6.19)) == (
        "A whole turn is 6.28 radians; the language model's columns have less."
    )
    assert null(rows(language_row=11.0)) == "A whole turn is 6.28 radians; no axis has less."


def test_the_section_has_the_accuracy_without_order_beside(tmp_path: Path) -> None:
    folder = write_pathways(tmp_path / "s", pathways_rows())
    Table.of(POSITION_BUDGET, rows(language_row=11.0, language_column=6.19)).write(folder / "tables", "position_budget")
    section = positions(read_study(folder))
    assert section is not None and section.claim.startswith("The rotary phase range over the grid")
    _, beside = section.tables
    assert beside.suites == ("squares",) and beside.rows[0][:3] == ("Squares", "columns", "6.19")
    assert positions(read_study(write_study(tmp_path / "t", study_record("squares")))) is None
