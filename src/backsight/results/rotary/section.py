"""Rotary sensitivity in the report, from `rotary_summary` and, beside it, the rotary phase range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import decimal, unbroken, with_interval
from backsight.results.rotary import text
from backsight.results.rotary.figure import draw

Row = dict[str, Any]
ALONG = {"column": "Left and right", "row": "Above and below", "neither": "No place"}
ANCHOR = "figure-rotary"


def rotary(study: Study) -> Section | None:
    """The section, and how much of the answer depends on the rotary coordinates; None without the summary."""
    rows = study.rows("rotary_summary")
    if not rows:
        return None
    table = study.tables["rotary_summary"]
    section = Section(
        anchor="rotary",
        question="where",
        title="Rotary sensitivity",
        notes=(),
        figures=(common.figure(study, "rotary", draw, table, text.CAPTION),),
        tables=tuple(grid for make in (_mirrored, _turned, _layers) if (grid := make(study, rows)).rows),
        method=text.METHOD,
        limits=text.LIMITS,
        samples=common.samples(study, "rotary", {row["suite"] for row in rows}),
    )
    statements = tuple(_statements(study, rows))
    return section.concluding(text.LEAD, statements)


def _statements(study: Study, rows: Sequence[Row]) -> list[Statement]:
    """What becomes of the answers of every suite under mirrored coordinates; the rest of the first suite that has it,
    the tables have the others."""
    statements: list[Statement] = []
    turned: list[Statement] = []
    beside: list[Statement] = []
    for suite in dict.fromkeys(row["suite"] for row in rows):
        own, title = [row for row in rows if row["suite"] == suite], common.title(study, suite)
        by_about = {(r["along"], r["given"], r["quantity"]): r for r in own if r["edit"] == "mirror"}
        mirrored = [text.mirror_sentence(along, by_about) for along in text.QUESTIONS]
        statements += [Statement(f"{title}, {one}") for one in mirrored if one]
        if one := text.turn_sentence(own):
            turned.append(Statement(f"{title}, {one}"))
        if one := text.budget_sentence(_ranges(study), by_about):
            beside.append(Statement(f"{title}. {one}"))
    return [*statements, *turned[:1], *beside[:1]]


def _ranges(study: Study) -> dict[str, float]:
    """The language model's widest rotary phase range by axis, radians over the grid."""
    ranges: dict[str, float] = {}
    for row in study.rows("position_budget"):
        if row["part"] == "language":
            ranges[row["axis"]] = max(ranges.get(row["axis"], 0.0), float(row["radians_grid"]))
    return ranges


def _mirrored(study: Study, rows: Sequence[Row]) -> Grid:
    """Shares of answers under mirrored coordinates, those of a gray picture and the paired difference beside."""
    by_about = {(r["suite"], r["along"], r["given"], r["quantity"]): r for r in rows if r["edit"] == "mirror"}
    lines = []
    for suite, along, given in dict.fromkeys(key[:3] for key in by_about):
        of = {name: by_about.get((suite, along, given, name)) for name in ("mirrored", "stays", "other")}
        stays = of["stays"]
        start = (
            common.title(study, suite),
            unbroken(ALONG[along]),
            f"{given}s",
            str(stays["questions"]) if stays else "–",
        )
        mirrored = of["mirrored"]
        gray = "–" if mirrored is None else _interval(mirrored, "null")
        gap = "–" if mirrored is None else _interval(mirrored, "difference")
        lines.append((*start, *(_interval(of[name], "value") for name in of), gray, gap))
    columns = (
        "Suite", "Questions of", "Mirrored", "Right before", "Mirror image", "Stays", "Another", "Mirror image, gray",
        "Difference",
    )  # fmt: skip
    title = "Answers with one coordinate of the image tokens mirrored"
    return Grid(title, columns, tuple(lines), words=3, files=study.files("rotary_summary"))


def _turned(study: Study, rows: Sequence[Row]) -> Grid:
    """Answers with image keys turned, those with keys turned to no position and the paired difference beside."""
    turn = {
        (r["suite"], r["given"], r["steps"], r["quantity"]): r
        for r in rows if r["edit"] == "turn" and r["layer"] is None
    }  # fmt: skip
    lines = []
    for suite, given, steps in dict.fromkeys(key[:3] for key in turn):
        changed, log_p = turn[suite, given, steps, "changed"], turn[suite, given, steps, "log_p"]
        start = (common.title(study, suite), given, str(steps), str(changed["questions"]))
        cells = [_interval(row, name) for row in (changed, log_p) for name in ("value", "null", "difference")]
        lines.append((*start, *cells))
    columns = (
        "Suite", "Along", "Cells", "Questions", "Answers changed", "To no position", "Difference", "Change of log p",
        "To no position", "Difference",
    )  # fmt: skip
    return Grid("Answers with the image keys turned", columns, tuple(lines), words=2)


def _layers(study: Study, rows: Sequence[Row]) -> Grid:
    """The image's share of the last position's attention by layer, and how it and the attention within move."""
    by_about = {
        (r["suite"], r["given"], r["steps"], r["layer"], r["quantity"]): r
        for r in rows if r["edit"] == "turn" and r["layer"] is not None and not r["omitted"]
    }  # fmt: skip
    lines = []
    for suite, given, steps, layer in dict.fromkeys(key[:4] for key in by_about):
        of = {key[4]: row for key, row in by_about.items() if key[:4] == (suite, given, steps, layer)}
        start = (common.title(study, suite), given, str(steps), str(layer), decimal(of["share"]["value"]))
        moved = [
            cell
            for name in ("share_change", "share_moved", "map_moved")
            for cell in (_interval(of[name], "value"), decimal(of[name]["null"]))
        ]
        lines.append((*start, *moved))
    columns = (
        "Suite", "Along", "Cells", "Layer", "Image's share", "Change", "Null", "Absolute change", "Null",
        "Moved within the image", "Null",
    )  # fmt: skip
    title = "Attention of the last position by layer, mean over heads"
    return Grid(title, columns, tuple(lines), words=2, folded=True)


def _interval(row: Row | None, name: str) -> str:
    if row is None:
        return "–"
    if row["omitted"]:
        return "omitted"
    start = "" if name == "value" else f"{name}_"
    return with_interval(row[name], row[f"{start}low"], row[f"{start}high"])
