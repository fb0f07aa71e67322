"""The summary of CREG as figure, tables and sentences read it: by suite and prompt, then by what a row is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backsight.maths.relevance import DEFAULT, LEADING, TRUTH
from backsight.results.relevance.cells import Place, Row, degrees_between
from backsight.results.relevance.words import REFERENCE_WORDS, by_prompt, unavailable

About = tuple[str, str, str | None, str]  # subset, method, target, projection
Group = Mapping[About, Row]
PROJECTION_WORDS = {
    DEFAULT: "Default",
    "beyond kept": "Beyond r_max kept",
    "reference dropped": "Reference's box dropped",
    "beyond kept, reference dropped": "Both",
    "middle to the right": "Centre cell to the right",
    "cells to the edges": "Cells to the edges",
    "4 sectors": "4 sectors",
    "16 sectors": "16 sectors",
    "random centre": "Random centre",
    "swapped": "Swapped",
}


def samples_of(rows: Sequence[Row]) -> list[Row]:
    """Of rows of `creg_summary` those that figures come from: without the development split where there are others.

    A method that the model cannot give has a row for all samples alone, and keeps it.
    """
    chosen = "rest" if any(row["samples"] == "rest" for row in rows) else "all"
    return [row for row in rows if row["samples"] == chosen or unavailable(row)]


def grouped(rows: Sequence[Row], *, every: bool = False) -> dict[Place, Group]:
    """Rows of `creg_summary` by suite and prompt, then by what they are about.

    Those without the development split, or of all samples where `every`.
    """
    by_place: dict[Place, Group] = {}
    for place, group in by_prompt(rows).items():
        mine = [row for row in group if row["samples"] == "all"] if every else samples_of(group)
        by_place[place] = {(r["subset"], r["method"], r["target"], r["projection"]): r for r in mine}
    return by_place


def without_twins(by_place: Mapping[Place, Group]) -> dict[Place, Group]:
    """The suites and prompts without those that compare prompts on few questions, where the same suite has its own set.

    Pairs with prompts A, B and C ("pairs") shares its kind of picture with Pairs with prompt A ("pairs_a"), which has
    more questions of it: one suite has one number, and the comparison of prompts stands in a table of its own.
    """
    suites = {suite for suite, _ in by_place}
    return {place: group for place, group in by_place.items() if f"{place[0]}_a" not in suites}


def listed_methods(group: Group) -> list[tuple[str, str | None]]:
    """Methods with the target that leads: the model's choice, or none; in the order of appearance."""
    keys = dict.fromkeys((method, target) for _, method, target, _ in group if target != TRUTH)
    have = {method for method, target in keys if target is not None}
    return [(m, t) for m, t in keys if t is not None or m not in have]


def leading(group: Group) -> Row | None:
    """The row that the opening goes by: CREG for the model's choice, or the first method that there is."""
    rows = [group.get(("all", m, t, DEFAULT)) for m, t in listed_methods(group) if m not in REFERENCE_WORDS]
    given = [row for row in rows if row is not None]
    return next((row for row in given if row["method"] == LEADING), given[0] if given else None)


def dae_cell(row: Row) -> str:
    return degrees_between(row["dae"], row["dae_low"], row["dae_high"])


def gain_cell(row: Row) -> str:
    return degrees_between(row["dae_gain"], row["dae_gain_low"], row["dae_gain_high"])


def value_of(row: Row | None, name: str) -> float | None:
    return None if row is None else row[name]
