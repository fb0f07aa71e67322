"""Figures that have a line a method: marks with their intervals, beside the null of the very same questions.

A mark is a mean with its 95 % interval. Dashed is the null of the very questions that a line is over, so it may step
aside where a method has no compass for some of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

from backsight.errors import DataError
from backsight.maths.relevance import TRUTH
from backsight.results.drawing import panels, style
from backsight.results.relevance.words import (
    REFERENCE_WORDS,
    by_prompt,
    in_order,
    left_out_words,
    method_words,
    unavailable,
    why_missing,
)
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
FILLED: dict[str, Any] = {"color": style.BLUE, "marker": "o", "markersize": 4.6}
HOLLOW: dict[str, Any] = FILLED | {"markerfacecolor": "white", "markeredgewidth": 1.1}
REFERENCE: dict[str, Any] = FILLED | {"color": style.SOFT, "marker": "D", "markersize": 3.6}
NULL_LINE: dict[str, Any] = {"color": style.ORANGE, "linewidth": 1.1, "linestyle": (0, (4, 2.5))}
FLOOR_LINE: dict[str, Any] = {"color": style.SOFT, "linewidth": 1.1, "linestyle": (0, (1, 2))}
ZERO: dict[str, Any] = {"color": style.SOFT, "linewidth": 0.8}
LINE = 0.23  # inches, of a line
APART = 0.2  # between two marks on a line, in lines
GAP = 0.7  # before the references, in lines


@dataclass(frozen=True)
class Mark:
    """A mean with the ends of its interval, where it has one, and how it looks."""

    value: float
    low: float | None
    high: float | None
    look: Mapping[str, Any]


@dataclass(frozen=True)
class Line:
    """One line of a panel: a method's marks, or the words in their stead, with null and floor of its questions."""

    method: str
    marks: tuple[Mark, ...]
    words: str = ""
    null: float | None = None
    floor: float | None = None


@dataclass(frozen=True)
class Columns:
    """Where a summary keeps what is drawn: a value, the ends of its interval, and null and floor where it has them."""

    value: str
    low: str
    high: str
    null: str = ""
    floor: str = ""


def counts(group: Sequence[Row], prompt: str | None) -> str:
    """The line below a panel's title: the prompt, and the largest numbers of questions and pictures."""
    questions, images = (max(row[key] for row in group) for key in ("questions", "images"))
    numbers = f"{style.counted(questions, 'question')}, {style.counted(images, 'picture')}"
    return numbers if prompt is None else f"prompt {prompt}: {numbers}"


def look(row: Row) -> dict[str, Any]:
    """How a row's mark looks: hollow where the truth is explained, gray where no model is."""
    if row["method"] in REFERENCE_WORDS:
        return REFERENCE
    return HOLLOW if row["target"] == TRUTH else FILLED


def lines_of(group: Sequence[Row], columns: Columns, rule: str = "picture") -> list[Line]:
    """A line a method, in order: the prediction's mark above the truth's, and one mark where both are the same.

    `rule` is what an omitted method has too few of, picture or question.
    """
    lines = []
    drawn_from = (columns.value, columns.low, columns.high)
    for method in in_order([row["method"] for row in group]):
        mine = sorted((row for row in group if row["method"] == method), key=lambda row: row["target"] or "")
        drawn = [row for row in mine if not row["omitted"] and row[columns.value] is not None]
        if len({tuple(row[name] for name in drawn_from) for row in drawn}) == 1:
            drawn = drawn[:1]
        of = drawn[0] if drawn else mine[0]
        marks = tuple(Mark(row[columns.value], row[columns.low], row[columns.high], look(row)) for row in drawn)
        null, floor = (of[name] if name else None for name in (columns.null, columns.floor))
        lines.append(Line(method, marks, "" if marks else _in_stead(mine, rule), null, floor))
    return lines


def _in_stead(mine: Sequence[Row], rule: str) -> str:
    if any(row.get("missing") or ("accuracy" in row and unavailable(row)) for row in mine):
        return why_missing(mine[0])
    return left_out_words(mine[0], rule) if mine[0]["omitted"] else "no value"


def height(lines: Sequence[Line]) -> float:
    """Of a panel with these lines, in inches."""
    return 0.62 + LINE * (len(lines) + GAP)


def places(lines: Sequence[Line]) -> list[float]:
    """Where the lines stand, downwards: the references apart from the methods."""
    methods = sum(line.method not in REFERENCE_WORDS for line in lines)
    return [number + (GAP if number >= methods > 0 else 0.0) for number in range(len(lines))]


def draw_lines(axis: Axes, lines: Sequence[Line], left: float) -> None:
    """Lines with their marks, nulls and floors; words in place of marks begin at `left`."""
    at = places(lines)
    for place, line in zip(at, lines, strict=True):
        axis.axhline(place, color=style.FAINT, linewidth=0.6, zorder=0)
        if line.words:
            panels.note(axis, left, place, line.words)
        for number, mark in enumerate(line.marks):
            y = place + (number - (len(line.marks) - 1) / 2) * 2 * APART
            if mark.low is not None and mark.high is not None:
                ends = [mark.low, mark.high]
                axis.plot(ends, [y, y], color=mark.look["color"], linewidth=1.3, zorder=3, clip_on=False)
            axis.plot([mark.value], [y], **mark.look, linestyle="none", zorder=4, clip_on=False)
    _strokes(axis, [(place, line.null) for place, line in zip(at, lines, strict=True)], NULL_LINE)
    _strokes(axis, [(place, line.floor) for place, line in zip(at, lines, strict=True)], FLOOR_LINE)
    axis.set(ylim=(at[-1] + 0.6, -0.6))
    axis.set_yticks(at, labels=[method_words(line.method) for line in lines])
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def _strokes(axis: Axes, values: Sequence[tuple[float, float | None]], look: Mapping[str, Any]) -> None:
    """A stroke over each run of lines that have one value; lines without a value take that of the line above."""
    known: list[tuple[float, float]] = []
    for place, value in values:
        if value is None and not known:
            value = next((other for _, other in values if other is not None), None)
        if value is not None or known:
            known.append((place, known[-1][1] if value is None else value))
    for value, run in groupby(known, key=lambda one: one[1]):
        ends = [place for place, _ in run]
        axis.plot([value, value], [ends[0] - 0.5, ends[-1] + 0.5], **look, zorder=2)


def of_targets(marks: Sequence[Mark]) -> list[panels.Entry]:
    """The legend of what marks explain, as far as there are such marks."""
    words = (
        (FILLED, "the model's choice explained, 95 % interval"),
        (HOLLOW, "the correct answer explained (hollow)"),
        (REFERENCE, "references: they know nothing of the model"),
    )
    there = [mark.look for mark in marks]
    return [(panels.line(**one, linewidth=1.3), meaning) for one, meaning in words if one in there]


def null_entry() -> panels.Entry:
    """The legend of the null."""
    return panels.line(**NULL_LINE), "baseline: uniform relevance"


def beside_null(
    table: Table, where: Columns, label: str, columns: int | None, titles: Mapping[str, str] | None, *,
    shares: bool = False,
) -> Figure:  # fmt: skip
    shown_panels, marks = [], []
    for (suite, prompt), group in by_prompt(rows_of(table)).items():
        lines = [line for line in lines_of(group, where, "question") if line.method not in REFERENCE_WORDS]
        marks += [mark for line in lines for mark in line.marks]
        shown_panels.append(panel(suite, prompt, group, lines, label, titles, shares=shares))
    with style.style():
        return panels.draw(shown_panels, [*of_targets(marks), null_entry()], columns)


def rows_of(table: Table) -> list[Row]:
    rows = table.rows()
    if not rows:
        raise DataError("The table has no rows to draw", where=table.schema.name)
    return rows


def panel(
    suite: str, prompt: str | None, group: Sequence[Row], lines: Sequence[Line], label: str,
    titles: Mapping[str, str] | None, *, shares: bool = False, rule: str = "question",
) -> panels.Panel:  # fmt: skip
    """A panel of lines around zero; where all of them are omitted it says so, by what the `rule` counts."""
    empty = ""
    if not any(line.marks for line in lines):
        omitted = [row for row in group if row["omitted"]]
        most = max(omitted, key=lambda row: (int(row["images"]), int(row["questions"])), default=None)
        empty = "no value" if most is None else left_out_words(most, rule)
    title, below = style.suite_title(suite, titles), counts(group, prompt)
    draw = partial(_panel, lines=lines, label=label, shares=shares)
    return panels.Panel(title, below, draw, empty, height=height(lines))


def _panel(axis: Axes, lines: Sequence[Line], label: str, shares: bool) -> None:
    """The lines; `shares` says that no value lies beyond one."""
    ends = [end for line in lines for mark in line.marks for end in (mark.low, mark.high, mark.value)]
    given = [0.0, *(end for end in ends if end is not None), *(line.null for line in lines if line.null is not None)]
    low, high = min(given), 1.0 if shares else max(given)
    space = 0.05 * ((high - low) or 1.0)
    axis.axvline(0.0, **ZERO, zorder=1)
    draw_lines(axis, lines, low)
    axis.set(xlim=(low - space, high + space), xlabel=label)


def legend(
    words: Sequence[tuple[Mapping[str, Any], str]], marks: Sequence[Mark]
) -> list[panels.Entry]:  # fmt: skip
    """An entry for each look that some mark has."""
    there = [mark.look for mark in marks]
    return [(panels.line(**look, linewidth=1.3), meaning) for look, meaning in words if look in there]
