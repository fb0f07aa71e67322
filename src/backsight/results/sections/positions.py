"""The position budget beside the accuracy after removal, from `position_budget` and `roads_summary`."""

from __future__ import annotations

from typing import Any

from backsight.figures.position_budget import PART_WORDS, position_budget
from backsight.results import methods
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section
from backsight.results.pages.study import Study
from backsight.results.pages.wording import unbroken, with_interval

Row = dict[str, Any]
DIRECTIONS = {"row": ("above", "below"), "column": ("left", "right")}


def positions(study: Study) -> common.Part | None:
    """The section; None without the table, or where nothing is given by rotation."""
    rows = study.rows("position_budget")
    if not rows:
        return None
    section = Section(
        anchor="positions",
        title="Position budget",
        notes=(),
        figures=(
            common.figure(
                study, "position_budget", position_budget, study.tables["position_budget"], methods.POSITIONS_CAPTION
            ),
        ),
        tables=(_budget(study, rows), *_beside(study, rows)),
        method=methods.POSITIONS,
        limits=methods.POSITIONS_LIMITS,
        samples=(),
        folded=True,
    )
    return common.Part(section, None)


def _budget(study: Study, rows: list[Row]) -> Grid:
    lines = []
    for part, layers, axis in dict.fromkeys((r["part"], r["layers"], r["axis"]) for r in rows):
        mine = [r for r in rows if (r["part"], r["layers"], r["axis"]) == (part, layers, axis)]
        cell, grid = (max(r[name] for r in mine) for name in ("radians_cell", "radians_grid"))
        words = PART_WORDS[part] + (f", {layers.replace('_', ' ')}" if layers != "all" else "")
        lines.append((unbroken(words), f"{axis}s", str(len(mine)), f"{cell:.3g}", f"{grid:.3g}"))
    columns = ("Part", "Axis", "Frequencies", "Radians a cell, at most", "Radians over the grid, at most")
    return Grid("Budget", columns, tuple(lines), words=2, files=study.files("position_budget"))


def _beside(study: Study, rows: list[Row]) -> tuple[Grid, ...]:
    """The language model's budget of each axis beside the accuracy after removal along it; none without roads."""
    found = {
        (r["suite"], r["direction"]): r
        for r in study.rows("roads_summary")
        if r["condition"] == "removed" and r["asked"] == "order" and not r["omitted"]
    }
    lines = []
    for suite in dict.fromkeys(suite for suite, _ in found):
        for axis, directions in DIRECTIONS.items():
            of = [found[suite, d] for d in directions if (suite, d) in found]
            turns = [r["radians_grid"] for r in rows if (r["part"], r["axis"]) == ("language", axis)]
            if of and turns:
                shown = (with_interval(r["accuracy_of_two"], r["low_of_two"], r["high_of_two"]) for r in of)
                named = ", ".join(f"{r['direction']} {s}" for r, s in zip(of, shown, strict=True))
                lines.append((common.title(study, suite), f"{axis}s", f"{max(turns):.3g}", named))
    if not lines:
        return ()
    columns = ("Suite", "Axis", "Radians over the grid, at most", "Accuracy of two after removal")
    return (Grid("The language model's budget beside what it answers without the vision encoder's order", columns,
                 tuple(lines), words=2),)  # fmt: skip
