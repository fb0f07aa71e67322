"""The section on language prior against pixels, from `priors_summary`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from backsight.errors import DataError
from backsight.results.behaviour.axes import DIRECTIONS
from backsight.results.drawing import panels, stacked, style
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.follows import cell
from backsight.results.pages.study import Study
from backsight.results.pages.wording import decimal, unbroken
from backsight.results.priors import text
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
NAMES = ("pixels", "prior", "neither")
WORDS = ("the pixels", "the prior", "neither")
SOURCES = {"stated": "stated", "majority": "by majority", "blank image": "by blank image"}


def draw(
    table: Table, *, direction: str = "all", columns: int | None = None, titles: Mapping[str, str] | None = None
) -> Figure:
    """Shares of answers that follow pixels, prior and neither, a panel a suite and prompt, of one `direction`.

    Scenes with too few questions are left out of a panel that has others.
    """
    rows = [row for row in table.rows() if row["direction"] == direction]
    if not rows:
        raise DataError("The table has no rows to draw", where=table.schema.name, got=f"direction {direction!r}")
    by_suite: dict[tuple[str, str | None], list[Row]] = {}
    for row in rows:
        by_suite.setdefault((row["suite"], row["prompt"]), []).append(row)
    shown = []
    for (suite, prompt), group in by_suite.items():
        title = style.suite_title(suite, titles) + (f", prompt {prompt}" if prompt and _several(rows, suite) else "")
        given = [row for row in group if not row["omitted"]] or group
        bars = [stacked.bar(_label(row), row, NAMES, null="_blank") for row in given]
        below = f"{_counts(given, 'questions', 'question')}, {_counts(given, 'images', 'picture')}"
        height = stacked.height(len(bars))
        shown.append(panels.Panel(title, below, partial(stacked.draw, bars=bars), height=height, suite=suite))
    with style.style():
        return panels.draw(shown, stacked.entries(WORDS), columns)


def _counts(rows: Sequence[Row], column: str, noun: str) -> str:
    """How many there are in the lines of a panel: "16 to 20 questions"."""
    few, most = min(row[column] for row in rows), max(row[column] for row in rows)
    return style.counted(most, noun) if few == most else f"{few} to {style.counted(most, noun)}"


def _several(rows: Sequence[Row], suite: str) -> bool:
    return len({row["prompt"] for row in rows if row["suite"] == suite}) > 1


def _label(row: Row) -> str:
    if row["test"] == "upside down":
        return str(row["condition"])
    return f"{row['condition']},\n{SOURCES[row['source']]}"


def section(study: Study) -> Section | None:
    """The section; None without the summary."""
    if "priors_summary" not in study.tables:
        return None
    table = study.tables["priors_summary"]
    rows = table.rows()
    judged = list(_judged(study, rows))
    statements = [
        Statement(text.sentence(title, row, before), row["suite"], text.short(row))
        for title, row, before in judged
        if not row["omitted"]
    ]
    few = [(title, row) for title, row, _ in judged if row["omitted"]]
    statements += [Statement(text.omitted_sentence(few), short=text.UNKNOWN)] if few else []
    figure = common.figure(study, "priors", draw, table, text.CAPTION)
    return Section(
        anchor="priors", question="can", title="Language prior against pixels", claim=text.claim(judged),
        null=text.null(judged), figures=(figure,), statements=tuple(statements),
        tables=(_table(study, rows), *_by_axis(study, rows)), method=text.METHOD, limits=text.LIMITS,
        samples=common.samples(study, "priors", {row["suite"] for row in rows}),
    )  # fmt: skip


def _judged(study: Study, rows: Sequence[Row]) -> Iterator[tuple[str, Row, Row | None]]:
    """Each test's row turned or reversed, of all directions, with the suite's title and the row before it."""
    keys = ("suite", "prompt", "direction", "test", "source")
    for number, row in enumerate(rows):
        if row["direction"] == "all" and row["condition"] in ("upside down", "reversed"):
            before = rows[number - 1] if number else None
            same = before is not None and all(before[key] == row[key] for key in keys)
            prompt = f", prompt {row['prompt']}" if row["prompt"] and _several(rows, row["suite"]) else ""
            yield common.title(study, row["suite"]) + prompt, row, before if same else None


def _table(study: Study, rows: Sequence[Row]) -> Grid:
    """The shares of all directions together."""
    shown = [row for row in rows if row["direction"] == "all"]
    return _grid(study, rows, shown, "Shares of answers", study.files("priors_summary"))


def _by_axis(study: Study, rows: Sequence[Row]) -> tuple[Grid, ...]:
    """The same by axis, folded; none where one axis is asked."""
    shown = [row for row in rows if row["direction"] != "all"]
    return (_grid(study, rows, shown, "By axis", (), folded=True),) if shown else ()


def _grid(
    study: Study, rows: Sequence[Row], shown: Sequence[Row], title: str, files: tuple[tuple[str, str], ...],
    folded: bool = False,
) -> Grid:  # fmt: skip
    lines = []
    for row in shown:
        prompt = f", prompt {row['prompt']}" if row["prompt"] and _several(rows, row["suite"]) else ""
        scene = row["condition"] if row["test"] == "upside down" else f"{row['condition']} ({row['source']})"
        start = (common.title(study, row["suite"]) + prompt, _axis(row["direction"]), scene, str(row["questions"]))
        numbers = (cell(row, "pixels"), cell(row, "prior"), decimal(row["prior_blank"]), cell(row, "excess"))
        lines.append((*start, *(("omitted", "–", "–", "–") if row["omitted"] else numbers)))
    columns = ("Suite", "Axis", "Scene", "Questions", "Pixels", "Prior", "Prior, blank image", "Excess")
    kept = range(len(columns)) if folded else [n for n, name in enumerate(columns) if name != "Axis"]
    return Grid(
        title, tuple(columns[n] for n in kept), tuple(tuple(line[n] for n in kept) for line in lines),
        words=len(kept) - 5, folded=folded, files=files, note=text.NOTE, suites=tuple(row["suite"] for row in shown),
    )  # fmt: skip


def _axis(direction: str) -> str:
    return unbroken(DIRECTIONS.get(direction, direction))
