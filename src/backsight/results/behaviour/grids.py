"""The tables of the section on behaviour, the worst suite first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backsight.results.behaviour.named import with_ground
from backsight.results.behaviour.sentences import accuracy
from backsight.results.behaviour.worst import ALL, accuracies, by_worst
from backsight.results.pages import common
from backsight.results.pages.content import Grid
from backsight.results.pages.study import Study
from backsight.results.pages.trimmed import trimmed
from backsight.results.pages.wording import decimal, with_interval

Row = Mapping[str, Any]
FREE = "Free: the top token of the whole vocabulary."
SHOWN = 12  # directions in a table
WHATSUP = (
    "Pair: both of two opposite pictures are answered correctly. Set: all four. The interval is over sets. A constant "
    "answer gets no pair."
)


def together(study: Study) -> Grid:
    """Accuracy of all directions together, by suite and prompt."""
    rows = study.rows("behaviour_summary")
    index = {(*_about(row), row["condition"], row["read_out"]): row for row in rows}
    grounds = {(row["suite"], row["ground"]) for row in rows}
    lines, suites = [], []
    for about in dict.fromkeys(_about(row) for row in by_worst(rows) if row["direction"] == ALL):
        picture, gray, free = (
            index.get((*about, condition, out))
            for condition, out in (("picture", "options"), ("gray", "options"), ("picture", "free"))
        )
        one: Row = picture or gray or free or {}
        title = with_ground(common.title(study, about[0]), (about[0], about[1]), grounds)
        start = (title, about[2] or "–", str(one["questions"]), str(one["images"]))
        lines.append((*start, accuracy(picture), accuracy(gray), decimal(one["chance"]), accuracy(free)))
        suites.append(about[0])
    columns = ("Suite", "Prompt", "Questions", "Images", "Picture", "Gray picture", "Chance", "Picture, free")
    title, files = "All directions together", study.files("behaviour_summary")
    return trimmed(Grid(title, columns, tuple(lines), words=2, files=files, note=FREE, suites=tuple(suites)))


def directions(study: Study) -> Grid:
    """The directions that are answered worst, at most `SHOWN` of them; folded."""
    parts = [one for one in accuracies(study) if one.direction != ALL]
    shown = sorted(parts, key=lambda one: one.gained)[:SHOWN]
    lines = tuple(
        (one.title, one.prompt or "–", one.direction, str(one.questions),
         with_interval(one.accuracy, one.low, one.high), decimal(one.gray), decimal(one.chance))
        for one in shown
    )  # fmt: skip
    columns = ("Suite", "Prompt", "Direction", "Questions", "Picture", "Gray picture", "Chance")
    few = len(parts) <= SHOWN
    title = "Each direction, the worst first" if few else f"The worst {SHOWN} of {len(parts)} directions"
    note = "" if few else "All are in the figure by direction, and in the files of the table before."
    suites = tuple(one.suite for one in shown)
    return trimmed(Grid(title, columns, lines, words=3, folded=True, note=note, suites=suites))


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
