"""The tables of the section on behaviour, the worst suite first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from backsight.results.behaviour.named import with_ground
from backsight.results.behaviour.sentences import accuracy
from backsight.results.behaviour.worst import ALL, by_worst
from backsight.results.pages import common
from backsight.results.pages.content import Grid
from backsight.results.pages.study import Study
from backsight.results.pages.trimmed import trimmed
from backsight.results.pages.wording import decimal, with_interval

Row = Mapping[str, Any]
FREE = "Free: the top token of the whole vocabulary."
WHATSUP = (
    "Pair: both of two opposite pictures are answered correctly. Set: all four. The interval is over sets. A constant "
    "answer gets no pair."
)


def together(study: Study) -> Grid:
    """Accuracy of all directions together, by suite and prompt."""
    lines = _lines(study, lambda direction: direction == ALL)
    columns = ("Suite", "Prompt", "Questions", "Images", "Picture", "Gray picture", "Chance", "Picture, free")
    rows = tuple((*line[:2], *line[3:]) for _, line in lines)
    suites = tuple(suite for suite, _ in lines)
    title, files = "All directions together", study.files("behaviour_summary")
    return trimmed(Grid(title, columns, rows, words=2, files=files, note=FREE, suites=suites))


def directions(study: Study) -> Grid:
    """Accuracy of each direction, by suite and prompt; folded."""
    lines = _lines(study, lambda direction: direction != ALL)
    columns = ("Suite", "Prompt", "Direction", "Questions", "Picture", "Gray picture", "Chance", "Picture, free")
    rows = tuple((*line[:4], *line[5:]) for _, line in lines)
    suites = tuple(suite for suite, _ in lines)
    return trimmed(Grid("Each direction", columns, rows, words=3, folded=True, note=FREE, suites=suites))


def _lines(study: Study, wanted: Callable[[str], bool]) -> list[tuple[str, tuple[str, ...]]]:
    """By suite: title, prompt, direction, questions, images, picture, gray picture, chance, free."""
    rows = study.rows("behaviour_summary")
    index = {(*_about(row), row["condition"], row["read_out"]): row for row in rows}
    grounds = {(row["suite"], row["ground"]) for row in rows}
    lines: list[tuple[str, tuple[str, ...]]] = []
    for about in dict.fromkeys(_about(row) for row in by_worst(rows)):
        suite, ground, prompt, direction = about
        picture, gray, free = (
            index.get((*about, condition, out))
            for condition, out in (("picture", "options"), ("gray", "options"), ("picture", "free"))
        )
        one = picture or gray or free
        if one is None or not wanted(direction):
            continue
        title = with_ground(common.title(study, suite), (suite, ground), grounds)
        counts = (str(one["questions"]), str(one["images"]))
        shown = (accuracy(picture), accuracy(gray), decimal(one["chance"]), accuracy(free))
        lines.append((suite, (title, prompt or "–", direction, *counts, *shown)))
    return lines


def _about(row: Row) -> tuple[Any, ...]:
    return (row["suite"], row["ground"], row["prompt"], row["direction"])


def whatsup(study: Study) -> tuple[Grid, ...]:
    """Pairs and sets of What'sUp, and of scenes in its form, answered correctly; none where there are none.

    Single pictures are the accuracy of the other tables.
    """
    rows = [r for r in study.rows("whatsup_summary") if r["read_out"] == "options" and r["metric"] != "individual"]
    index = {(r["suite"], r["metric"], r["condition"]): r for r in rows}
    keys = list(dict.fromkeys((r["suite"], r["metric"]) for r in rows))
    lines = []
    for suite, metric in keys:
        picture, gray = (index.get((suite, metric, condition)) for condition in ("picture", "gray"))
        one: Row = picture or gray or {}
        lines.append(
            (common.title(study, suite), metric, str(one["n"]), _share(picture), _share(gray), decimal(one["chance"]))
        )
    if not lines:
        return ()
    columns = ("Suite", "Correct", "Number", "Picture", "Gray picture", "Chance")
    suites, files = tuple(suite for suite, _ in keys), study.files("whatsup_summary")
    return (
        Grid(
            "Pairs and sets of pictures (What'sUp)",
            columns,
            tuple(lines),
            words=2,
            files=files,
            note=WHATSUP,
            suites=suites,
        ),
    )


def _share(row: Row | None) -> str:
    if row is None:
        return "–"
    return "omitted" if row["omitted"] else with_interval(row["accuracy"], row["low"], row["high"])
