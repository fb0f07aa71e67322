"""The what/where gap in the report: its section and its tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backsight.results.behaviour.axes import DIRECTIONS
from backsight.results.behaviour.named import Key, with_ground
from backsight.results.gap import text
from backsight.results.gap.figure import draw
from backsight.results.gap.tables import GAP_SUMMARY
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.trimmed import trimmed
from backsight.results.pages.wording import PHOTOGRAPHS, decimal, unbroken, with_interval

Row = dict[str, Any]
Named = tuple[str, Row]  # a suite's title and a row of its summary


def gap(study: Study) -> Section | None:
    """The section; None without the summary."""
    rows = study.rows(GAP_SUMMARY.name)
    if not rows:
        return None
    suites: dict[Key, list[Row]] = {}
    for row in rows:
        suites.setdefault((row["suite"], row["ground"]), []).append(row)
    titles = {one: with_ground(common.title(study, one[0]), one, suites) for one in suites}
    worst_first = sorted(suites.items(), key=lambda item: -text.short(item[1]))
    headlines = [(titles[one], text.headline(group)) for one, group in worst_first]
    given = [row for _, row in headlines if row is not None]
    named = [(titles[one], row) for one, group in worst_first for row in group]
    return Section(
        anchor="gap",
        question="can",
        title="What and where",
        claim=text.claim(headlines, named),
        null=text.null([row for _, row in named if row["axis"] == "all" and not row["omitted"]]) if given else "",
        notes=(PHOTOGRAPHS,) if {suite for suite, _ in suites} & study.unseen_photographs else (),
        figures=(common.figure(study, "gap", draw, study.tables[GAP_SUMMARY.name], text.CAPTION),) if given else (),
        statements=tuple(
            Statement(
                text.sentence(titles[one], group), one[0], text.short(group),
                PHOTOGRAPHS if one[0] in study.unseen_photographs else "",
            )
            for one, group in worst_first
        ),
        tables=(_corrected(study, named), _corrected(study, named, by_axis=True), _accuracies(named)),
        method=text.METHOD,
        limits=text.LIMITS,
        samples=common.samples(study, "gap", {suite for suite, _ in suites}),
    )  # fmt: skip


def _corrected(study: Study, named: Sequence[Named], *, by_axis: bool = False) -> Grid:
    """What, where and the gap by kind, corrected for guessing: of all directions, or (folded) by axis."""
    shown = [(title, row) for title, row in named if (row["axis"] != "all") == by_axis and row["images"]]
    lines = tuple(
        (title, unbroken(DIRECTIONS.get(row["axis"], str(row["axis"]))), row["kind"], str(row["images"]), *_sides(row),
         "–" if row["omitted"] else with_interval(row["gap"], row["low"], row["high"]))
        for title, row in shown
    )  # fmt: skip
    columns = ("Suite", "Axis", "Kind of what", "Pictures", "What", "Where", "Gap")
    heading = "By axis" if by_axis else "What and where, corrected for guessing"
    note = "" if by_axis else text.left_out(named)
    grid = Grid(
        heading, columns, lines, words=3, folded=by_axis, note=note, suites=tuple(row["suite"] for _, row in shown),
        files=() if by_axis else study.files(GAP_SUMMARY.name),
    )  # fmt: skip
    return grid if by_axis else _without_axis(grid)


def _without_axis(grid: Grid) -> Grid:
    return Grid(
        grid.title, (grid.columns[0], *grid.columns[2:]), tuple((row[0], *row[2:]) for row in grid.rows), words=2,
        files=grid.files, note=grid.note, suites=grid.suites,
    )  # fmt: skip


def _sides(row: Row) -> tuple[str, str]:
    if row["omitted"]:
        return (f"omitted (n={row['images']})",) * 2
    what, where = (
        with_interval(row[f"{name}_corrected"], row[f"{name}_low"], row[f"{name}_high"]) for name in ("what", "where")
    )
    return what, where


def _accuracies(named: Sequence[Named]) -> Grid:
    """What the corrected numbers are made of: accuracies with the picture and with a gray one, and chance."""
    shown = [(title, row) for title, row in named if row["axis"] == "all" and not row["omitted"]]
    sides = [f"{name}{end}" for name in ("what", "where") for end in ("", "_blank", "_chance")]
    lines = tuple((title, row["kind"], *(decimal(row[side]) for side in sides)) for title, row in shown)
    columns = ("Suite", "Kind", "What", "Gray picture", "Chance", "Where", "Gray picture", "Chance")
    suites = tuple(row["suite"] for _, row in shown)
    note = "Accuracies; those of where are of the pictures that both questions are asked about."
    return trimmed(Grid("Accuracies before the correction", columns, lines, 2, folded=True, note=note, suites=suites))
