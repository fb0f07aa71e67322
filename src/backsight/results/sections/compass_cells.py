"""Cells of the tables on the compass."""

from __future__ import annotations

from backsight.results.pages.wording import decimal, with_interval
from backsight.results.sections.compass_words import Cells, Row, degrees, degrees_between, in_stead


def dae_cell(row: Row) -> str:
    return degrees_between(row["dae"], row["dae_low"], row["dae_high"])


def gain_cell(row: Row) -> str:
    return degrees_between(row["dae_gain"], row["dae_gain_low"], row["dae_gain_high"])


def with_layout(row: Row | None) -> str:
    """DAE with the layout's in brackets."""
    return in_stead(row) or (f"{degrees(row['dae'])} ({degrees(row['dae_null'])})" if row else "–")


def figure_cells(row: Row, *, ends: bool = True) -> Cells:
    """n, DAE, EA (with its interval where `ends`), the layout's DAE and the gain."""
    if said := in_stead(row):
        return str(row["questions"]), said, "–", "–", "–"
    ea = with_interval(row["ea"], row["ea_low"], row["ea_high"]) if ends else decimal(row["ea"])
    return str(row["questions"]), dae_cell(row), ea, degrees(row["dae_null"]), gain_cell(row)


def value_of(row: Row | None, name: str) -> float | None:
    return None if row is None else row[name]
