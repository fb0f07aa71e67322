"""Cells and tables of the page on relevance: a line a method, a suite and prompt open and the others folded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from backsight.maths.grouping import SMALLEST
from backsight.maths.intervals import RESAMPLES
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section
from backsight.results.pages.study import Study
from backsight.results.pages.wording import unbroken
from backsight.results.relevance.words import (
    TARGET_WORDS,
    by_prompt,
    in_order,
    left_out_words,
    short,
    unavailable,
    why_missing,
)

Row = dict[str, Any]
Place = tuple[str, str | None]  # suite and prompt
Cells = tuple[str, ...]
INTERVALS = (
    f"Intervals hold 95 %: percentile bootstrap over pictures ({RESAMPLES:,} draws); gains are paired. Groups of fewer "
    f"than {SMALLEST} questions are omitted, for occlusion those of fewer than {SMALLEST} pictures."
)


def place_words(study: Study, place: Place) -> str:
    """A suite with its prompt, as it is spoken of."""
    suite, prompt = place
    return common.title(study, suite) + with_prompt(common.title(study, suite), prompt)


def with_prompt(title: str, prompt: str | None) -> str:
    """What stands behind a suite's title that does not name the prompt itself."""
    return "" if prompt is None or f"prompt {prompt}" in title else f" with prompt {prompt}"


def place_cells(study: Study, place: Place) -> Cells:
    """A suite and its prompt, for a table."""
    return unbroken(common.title(study, place[0])), place[1] or "–"


def split(
    study: Study, by_place: Mapping[Place, Sequence[Cells]], first: Place, title: str, columns: tuple[Cells, Cells],
    note: str = "", file: str = "",
) -> Iterator[Grid]:  # fmt: skip
    """The lines of the suite and prompt that comes `first` as an open table, those of all others in a folded one.

    `columns` are those of words and of numbers.
    """
    shown = {place: lines for place, lines in by_place.items() if lines}
    if not shown:
        return
    words, numbers = columns
    first = first if first in shown else next(iter(shown))
    files = study.files(file) if file else ()
    heading = f"{title}: {place_words(study, first)}"
    yield Grid(heading, (*words, *numbers), tuple(shown.pop(first)), words=len(words), files=files, note=note)
    rest = tuple((*place_cells(study, place), *line) for place, lines in shown.items() for line in lines)
    if rest:
        heading = f"{title}: the other suites and prompts"
        yield Grid(heading, ("Suite", "Prompt", *words, *numbers), rest, words=len(words) + 2, folded=True)


def degrees(value: float | None) -> str:
    """One decimal; a dash where there is no number."""
    return "–" if value is None else f"{value:.1f}"


def degrees_between(value: float | None, low: float | None, high: float | None) -> str:
    """Degrees with their interval, for a table."""
    ends = "" if low is None or high is None else f" [{low:.1f}, {high:.1f}]"
    return f"{degrees(value)}{ends}"


def said_degrees(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """Degrees with their interval, for a sentence; spaces do not break."""
    if value is None:
        return "nowhere"
    ends = "" if low is None or high is None else f"\u00a0[{low:.1f},\u00a0{high:.1f}]"
    return f"{value:.1f}\u00b0{ends}"


def missing_reason(row: Row | None, rule: str = "picture") -> str:
    """What stands for the numbers of a row that has none; empty where it has them.

    `rule` is what an omitted row has too few of: picture (CREG and occlusion) or question.
    """
    if row is None:
        return "–"
    if row.get("missing") or ("accuracy" in row and "empty" in row and unavailable(row)):
        return why_missing(row)
    if row["omitted"]:
        return left_out_words(row, rule)
    return "no baseline to compare with" if "dae_gain_low" in row and row["dae_gain_low"] is None else ""


def first(rows: Sequence[Row]) -> Place:
    """The first suite and prompt that is not wholly omitted, which stands open."""
    groups = by_prompt(rows)
    return next((place for place, group in groups.items() if not all(r["omitted"] for r in group)), next(iter(groups)))


def left_out(group: Sequence[Row], words: int, numbers: int) -> Cells:
    """The one line of a group that is wholly omitted, as it has too few questions."""
    missing = left_out_words(max(group, key=lambda row: int(row["questions"])), "question")
    return "all methods", *["–"] * (words - 1), missing, *["–"] * (numbers - 1)


def _lines(group: Sequence[Row], cells: Callable[[Row], Cells], numbers: int) -> list[Cells]:
    """A line a method and target, one where both give the same; a group that is wholly omitted has one."""
    if all(row["omitted"] for row in group):
        return [left_out(group, 2, numbers)]
    lines: list[Cells] = []
    for method in in_order([row["method"] for row in group]):
        mine = sorted((row for row in group if row["method"] == method), key=lambda row: row["target"] or "")
        shown = [
            (missing_reason(row, "question"), *["–"] * (numbers - 1)) if row["omitted"] else cells(row) for row in mine
        ]
        alike = len(mine) > 1 and len(set(shown)) == 1
        for row, of in list(zip(mine, shown, strict=True))[: 1 if alike else None]:
            target = "both" if alike else TARGET_WORDS.get(row["target"], str(row["target"]))
            lines.append((short(method), target, *of))
    return lines


def beside(
    study: Study, rows: Sequence[Row], title: str, numbers: Cells, cells: Callable[[Row], Cells], note: str, file: str
) -> Iterator[Grid]:
    by_place = {place: _lines(group, cells, len(numbers)) for place, group in by_prompt(rows).items()}
    yield from split(study, by_place, first(rows), title, (("Method", "Target"), numbers), note, file)


def check(
    study: Study, name: str, draw: common.Draw, tables: Callable[[Study, Sequence[Row]], Iterator[Grid]], *,
    caption: str, method: str, limits: tuple[str, ...],
) -> Section | None:  # fmt: skip
    """One causal check's part of the section, from the summary of the rows NAME; None where the study has none.

    Without a figure where every group is omitted. The compass says it in the opening, so there is no answer.
    """
    rows = study.rows(f"{name}_summary")
    if not rows:
        return None
    drawn = any(not row["omitted"] for row in rows)
    figures = (common.figure(study, name, draw, study.tables[f"{name}_summary"], caption),) if drawn else ()
    section = Section(
        anchor="causal",
        question="why",
        title="Causal checks of relevance",
        notes=common.asked_apart(study, name),
        figures=figures,
        tables=tuple(tables(study, rows)),
        method=(INTERVALS, method),
        limits=limits,
        samples=common.samples(study, name, set()),
    )
    return section
