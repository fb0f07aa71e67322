"""Rotary sensitivity in the report, from `rotary_summary` and, beside it, the rotary phase range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section
from backsight.results.pages.study import Study
from backsight.results.pages.wording import decimal, in_list, unbroken, with_interval
from backsight.results.rotary import sentences, text
from backsight.results.rotary.figure import draw

Row = dict[str, Any]
ALONG = {"column": "Left and right", "row": "Above and below", "neither": "No place"}
TURNED = {"changed": "Answers changed", "log_p": "Change of log p"}


def rotary(study: Study) -> Section | None:
    """The section; None without the summary."""
    rows = study.rows("rotary_summary")
    if not rows:
        return None
    titles = {row["suite"]: in_list(common.title(study, row["suite"])) for row in rows}
    table = study.tables["rotary_summary"]
    return Section(
        anchor="rotary",
        question="where",
        title="Rotary sensitivity",
        claim=sentences.claim(rows, titles),
        null=sentences.null(rows),
        figures=(common.figure(study, "rotary", draw, table, text.CAPTION),),
        statements=sentences.statements(rows, titles, _ranges(study)),
        tables=tuple(grid for make in (_mirrored, _turned, _layers) if (grid := make(study, rows)).rows),
        method=text.METHOD,
        limits=text.LIMITS,
        samples=common.samples(study, "rotary", set(titles)),
    )


def _ranges(study: Study) -> dict[str, float]:
    """The language model's widest rotary phase range by axis, radians over the grid."""
    ranges: dict[str, float] = {}
    for row in study.rows("position_budget"):
        if row["part"] == "language":
            ranges[row["axis"]] = max(ranges.get(row["axis"], 0.0), float(row["radians_grid"]))
    return ranges


def _mirrored(study: Study, rows: Sequence[Row]) -> Grid:
    """Shares of answers under mirrored coordinates, that of a gray picture and the paired difference beside."""
    by_about = {(r["suite"], r["along"], r["given"], r["quantity"]): r for r in rows if r["edit"] == "mirror"}
    lines, suites = [], []
    for suite, along, given in dict.fromkeys(key[:3] for key in by_about):
        became, stays = (by_about.get((suite, along, given, name)) for name in ("mirrored", "stays"))
        count = str(stays["questions"]) if stays else "–"
        start = (common.title(study, suite), unbroken(ALONG[along]), f"{given}s", count)
        gray = "–" if became is None else "omitted" if became["omitted"] else decimal(became["null"])
        lines.append((*start, _interval(became), _interval(stays), gray, _interval(became, "difference")))
        suites.append(suite)
    columns = ("Suite", "Questions of", "Mirrored", "Correct", "Mirror image", "Stays", "Gray", "Difference")
    note = (
        "Correct: answers that were correct before. Gray: those that are the mirror image with a gray picture; the "
        "difference from it is paired. What neither stays nor mirrors becomes another answer."
    )
    return Grid(
        "Answers with one coordinate of the image tokens mirrored", columns, tuple(lines), words=3,
        files=study.files("rotary_summary"), note=note, suites=tuple(suites),
    )  # fmt: skip


def _turned(study: Study, rows: Sequence[Row]) -> Grid:
    """Answers with image keys turned, those with keys turned to no position and the paired difference beside."""
    turn = [row for row in rows if row["edit"] == "turn" and row["layer"] is None]
    lines = [
        (
            *(common.title(study, row["suite"]), unbroken(TURNED[row["quantity"]]), row["given"], str(row["steps"])),
            *(str(row["questions"]), *(_interval(row, name) for name in ("value", "null", "difference"))),
        )
        for row in turn
    ]
    columns = ("Suite", "What", "Along", "Cells", "Questions", "Value", "To no position", "Difference")
    suites = tuple(row["suite"] for row in turn)
    return Grid("Answers with the image keys turned", columns, tuple(lines), words=3, suites=suites, folded=True)


def _layers(study: Study, rows: Sequence[Row]) -> Grid:
    """The image's share of the last position's attention by layer, and how it and the attention within move."""
    by_about = {
        (r["suite"], r["given"], r["steps"], r["layer"], r["quantity"]): r
        for r in rows if r["edit"] == "turn" and r["layer"] is not None and not r["omitted"]
    }  # fmt: skip
    lines, suites = [], []
    for suite, given, steps, layer in dict.fromkeys(key[:4] for key in by_about):
        of = {key[4]: row for key, row in by_about.items() if key[:4] == (suite, given, steps, layer)}
        start = (common.title(study, suite), given, str(steps), str(layer), decimal(of["share"]["value"]))
        moved = (of[name] for name in ("share_change", "share_moved", "map_moved"))
        lines.append((*start, *(f"{_interval(row)} ({decimal(row['null'])})" for row in moved)))
        suites.append(suite)
    columns = ("Suite", "Along", "Cells", "Layer", "Image's share", "Change", "Absolute change", "Moved within")
    return Grid(
        "Attention of the last position by layer, mean over heads", columns, tuple(lines), words=2, folded=True,
        note="In brackets behind: with keys turned as far, to no position.", suites=tuple(suites),
    )  # fmt: skip


def _interval(row: Row | None, name: str = "value") -> str:
    if row is None:
        return "–"
    if row["omitted"]:
        return "omitted"
    start = "" if name == "value" else f"{name}_"
    return with_interval(row[name], row[f"{start}low"], row[f"{start}high"])
