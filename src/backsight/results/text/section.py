"""The section on text against picture, from `text_summary`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from backsight.errors import DataError
from backsight.results.drawing import panels, stacked, style
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.follows import cell
from backsight.results.pages.study import Study
from backsight.results.pages.trimmed import trimmed
from backsight.results.text import text
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
Key = tuple[str, str | None]  # suite and prompt
NAMES = ("picture", "text", "neither")
WORDS = ("the picture", "the false sentence", "neither")
LABELS = {"none": "no sentence", "neutral": "neutral", "true": "true", "false": "false"}


def draw(table: Table, *, columns: int | None = None, titles: Mapping[str, str] | None = None) -> Figure:
    """Shares of answers that follow picture, text and neither behind each sentence, a panel a suite and prompt."""
    by_suite = _by_suite(table.rows())
    if not by_suite:
        raise DataError("The table has no rows to draw", where=table.schema.name)
    shown = []
    for key, rows in by_suite.items():
        bars = []
        for sentence, label in LABELS.items():
            if ("picture", sentence) in rows:
                row, blank = rows["picture", sentence], rows.get(("blank", sentence), {})
                nulls = {f"{name}_blank": blank.get(name) for name in NAMES}
                bars.append(stacked.bar(label, {**row, **nulls}, NAMES, null="_blank"))
        one = rows["picture", next(iter(LABELS))]
        below = f"{style.counted(one['questions'], 'question')}, {style.counted(one['images'], 'picture')}"
        title = panels.with_prompt(style.suite_title(key[0], titles), key, by_suite)
        shown.append(panels.Panel(title, below, partial(stacked.draw, bars=bars), height=stacked.height(len(bars))))
    with style.style():
        return panels.draw(shown, stacked.entries(WORDS), columns)


def _by_suite(rows: Sequence[Row]) -> dict[Key, dict[tuple[str, str], Row]]:
    """Rows by suite and prompt, and there by image and sentence."""
    by_suite: dict[Key, dict[tuple[str, str], Row]] = {}
    for row in rows:
        by_suite.setdefault((row["suite"], row["prompt"]), {})[row["shown"], row["sentence"]] = row
    return by_suite


def section(study: Study) -> Section | None:
    """The section and its answer; None without the summary."""
    if "text_summary" not in study.tables:
        return None
    table = study.tables["text_summary"]
    by_suite = _by_suite(table.rows())
    named = [(panels.with_prompt(common.title(study, key[0]), key, by_suite), rows) for key, rows in by_suite.items()]
    statements = tuple(
        Statement(sentence, key[0], text.short(rows))
        for key, (title, rows) in zip(by_suite, named, strict=True)
        if (sentence := text.sentence(title, rows))
    )
    figure = common.figure(study, "text", draw, table, text.CAPTION)
    return Section(
        anchor="text", question="can", title="Text against picture", claim=text.claim(named), null=text.null(named),
        figures=(figure,), statements=statements, tables=(_table(study, by_suite, named),),
        method=text.METHOD, limits=text.LIMITS,
        samples=common.samples(study, "text", {key[0] for key in by_suite}),
    )  # fmt: skip


def _table(study: Study, keys: Iterable[Key], named: Sequence[tuple[str, Mapping[tuple[str, str], Row]]]) -> Grid:
    lines, suites = [], []
    for (suite, _), (title, rows) in zip(keys, named, strict=True):
        for (shown, sentence), row in rows.items():
            suites.append(suite)
            start = (title, shown, LABELS[sentence], str(row["questions"]))
            if row["omitted"]:
                lines.append((*start, "omitted", *["–"] * 3))
                continue
            apart = "–" if row["tokens_apart"] is None else f"{row['tokens_apart']:.1f}"
            lines.append((*start, cell(row, "picture"), cell(row, "text"), cell(row, "text_difference"), apart))
    columns = ("Suite", "Image", "Sentence", "Questions", "Picture", "Text", "Difference", "Tokens apart")
    files = study.files("text_summary")
    grid = Grid("Shares of answers", columns, tuple(lines), 3, files=files, note=text.NOTE, suites=tuple(suites))
    return trimmed(grid)
