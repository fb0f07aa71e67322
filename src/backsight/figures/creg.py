"""How far each method's evidence points from the subject, one panel a suite and prompt: lines of marks beside nulls.

A mark is a mean with its 95 % interval. Dashed is the null of the very questions that a line is over, so it may step
aside where a method has no compass for some of them. What a line is made of serves the figures of the controls too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from backsight.errors import DataError, UsageError
from backsight.maths.creg import DEFAULT
from backsight.results.drawing import panels, style
from backsight.tables import Table

Row = dict[str, Any]
METHOD_WORDS = {
    "creg": "CREG",
    "creg_plain": "CREG, not contrastive",
    "creg_meant_weights": "CREG, layer weights as meant",
    "creg_by_maximum": "CREG, scaled by the maximum",
    "creg_from_third": "CREG, without layer -2",
    "single_layer_contrastive": "Single layer, contrastive (table 5)",
    "single_layer": "Single layer (5.1)",
    "gradient_norm": "Gradient norm",
    "integrated_gradients": "Integrated gradients",
    "integrated_magnitudes": "Integrated gradients, magnitudes",
    "rollout": "Attention rollout",
    "gradcam": "GradCAM",
    "chefer": "Chefer",
}
REFERENCE_WORDS = {
    "true_sector": "True sector (COS-true)",
    "constant": "Layout (constant)",
    "random_relevance": "Random relevance",
    "random_sector": "Random sector",
    "point_at_subject": "Point at the subject (floor)",
    "subject_box": "Subject's box",
    "geometry": "True direction itself",
    "knockout": "The tokens' effects themselves",
}
ORDER = (*METHOD_WORDS, *REFERENCE_WORDS)
FILLED: dict[str, Any] = {"color": style.BLUE, "marker": "o", "markersize": 4.6}
HOLLOW: dict[str, Any] = FILLED | {"markerfacecolor": "white", "markeredgewidth": 1.1}
REFERENCE: dict[str, Any] = FILLED | {"color": style.SOFT, "marker": "D", "markersize": 3.6}
NULL_LINE: dict[str, Any] = {"color": style.ORANGE, "linewidth": 1.1, "linestyle": (0, (4, 2.5))}
FLOOR_LINE: dict[str, Any] = {"color": style.SOFT, "linewidth": 1.1, "linestyle": (0, (1, 2))}
CHANCE = 90.0  # degrees, of a sector drawn at random
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
    """One line of a panel: a method's marks, or what is said in their stead, with null and floor of its questions."""

    method: str
    marks: tuple[Mark, ...]
    said: str = ""
    null: float | None = None
    floor: float | None = None


def method_words(name: str) -> str:
    """What a person calls a method or a reference."""
    known = METHOD_WORDS | REFERENCE_WORDS
    return known.get(name) or (name.replace("_", " ")[:1].upper() + name.replace("_", " ")[1:])


def in_order(methods: Sequence[str]) -> list[str]:
    """Methods as tables and figures list them, unknown ones behind the known, references last."""
    known = {name: place for place, name in enumerate(ORDER)}
    middle = len(METHOD_WORDS) - 0.5
    return sorted(dict.fromkeys(methods), key=lambda name: known.get(name, middle))


def unavailable(row: Row) -> bool:
    """Whether a row of `creg_summary` is that of a method which the model cannot give."""
    return row["questions"] == 0 and row["empty"] > 0 and row["omitted"] and row["accuracy"] is None


def samples_of(rows: Sequence[Row]) -> list[Row]:
    """Of rows of `creg_summary` those that figures come from: without the samples for choices where there are others.

    A method that the model cannot give has a row for all samples alone, and keeps it.
    """
    chosen = "rest" if any(row["samples"] == "rest" for row in rows) else "all"
    return [row for row in rows if row["samples"] == chosen or unavailable(row)]


def creg_summary(
    table: Table,
    *,
    projection: str = DEFAULT,
    columns: int | None = None,
    titles: Mapping[str, str] | None = None,
) -> Figure:
    """DAE by method and target beside layout null and floor, one panel a suite and prompt, of one `projection`.

    `columns` is the number of panels across; 1 is for a phone. `titles` gives suites the names to print.
    """
    rows = table.rows()
    if not rows:
        raise DataError("The table has no rows to draw", where=table.schema.name)
    present = list(dict.fromkeys(row["projection"] for row in rows))
    if projection not in present:
        raise UsageError("There is no such projection", got=projection, do=f"choose from: {', '.join(present)}")
    groups = {
        key: samples_of(group)
        for key, group in by_prompt([r for r in rows if r["projection"] == projection and r["subset"] == "all"]).items()
    }
    where = Columns("dae", "dae_low", "dae_high", "dae_null", "dae_floor")
    shown = {key: lines_of(group, where) for key, group in groups.items()}
    marks = [mark for lines in shown.values() for line in lines for mark in line.marks]
    top = max([95.0, *(mark.value if mark.high is None else mark.high for mark in marks)])
    found = []
    for (suite, prompt), lines in shown.items():
        draw = partial(_panel, lines=lines, top=top)
        heading = style.suite_title(suite, titles)
        found.append(panels.Panel(heading, counts(groups[suite, prompt], prompt), draw, height=height(lines)))
    with style.style():
        return panels.draw(found, _entries(marks), columns)


def by_prompt(rows: Sequence[Row]) -> dict[tuple[str, str | None], list[Row]]:
    """Rows by suite and prompt, in the order of appearance."""
    groups: dict[tuple[str, str | None], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["suite"], row["prompt"]), []).append(row)
    return groups


def counts(group: Sequence[Row], prompt: str | None) -> str:
    """The line below a panel's title: the prompt, and the largest numbers of questions and pictures."""
    questions, images = (max(row[key] for row in group) for key in ("questions", "images"))
    said = f"{style.counted(questions, 'question')}, {style.counted(images, 'picture')}"
    return said if prompt is None else f"prompt {prompt}: {said}"


def look(row: Row) -> dict[str, Any]:
    """How a row's mark looks: hollow where the truth is explained, gray where no model is."""
    if row["method"] in REFERENCE_WORDS:
        return REFERENCE
    return HOLLOW if row["target"] == "truth" else FILLED


@dataclass(frozen=True)
class Columns:
    """Where a summary keeps what is drawn: a value, the ends of its interval, and null and floor where it has them."""

    value: str
    low: str
    high: str
    null: str = ""
    floor: str = ""


def lines_of(group: Sequence[Row], columns: Columns) -> list[Line]:
    """A line a method, in order: the prediction's mark above the truth's, and one mark where both are the same."""
    found = []
    drawn_from = (columns.value, columns.low, columns.high)
    for method in in_order([row["method"] for row in group]):
        mine = sorted((row for row in group if row["method"] == method), key=lambda row: row["target"] or "")
        drawn = [row for row in mine if not row["omitted"] and row[columns.value] is not None]
        if len({tuple(row[name] for name in drawn_from) for row in drawn}) == 1:
            drawn = drawn[:1]
        of = drawn[0] if drawn else mine[0]
        marks = tuple(Mark(row[columns.value], row[columns.low], row[columns.high], look(row)) for row in drawn)
        null, floor = (of[name] if name else None for name in (columns.null, columns.floor))
        found.append(Line(method, marks, "" if marks else _in_stead(mine), null, floor))
    return found


def _in_stead(mine: Sequence[Row]) -> str:
    if any("accuracy" in row and unavailable(row) for row in mine):
        return "not available"
    return f"omitted (n={mine[0]['questions']})" if mine[0]["omitted"] else "no value"


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
        if line.said:
            panels.note(axis, left, place, line.said)
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


def _panel(axis: Axes, lines: Sequence[Line], top: float) -> None:
    draw_lines(axis, lines, 2.0)
    axis.axvline(CHANCE, color=style.FAINT, linewidth=1.1, zorder=0)
    axis.set(xlim=(-2, min(180.0, top) + 2), xlabel="DAE in degrees")
    axis.set_xticks([tick for tick in (0, 45, 90, 135, 180) if tick <= top + 2])


def of_targets(marks: Sequence[Mark]) -> list[panels.Entry]:
    """The legend of what marks explain, as far as there are such marks."""
    words = (
        (FILLED, "the model's choice explained, 95 % interval"),
        (HOLLOW, "the right answer explained (hollow)"),
        (REFERENCE, "references: they know nothing of the model"),
    )
    there = [mark.look for mark in marks]
    return [(Line2D([], [], **one, linewidth=1.3), said) for one, said in words if one in there]


def null_entry() -> panels.Entry:
    """The legend of the null."""
    return Line2D([], [], **NULL_LINE), "layout null: constant relevance"


def _entries(marks: Sequence[Mark]) -> list[panels.Entry]:
    return [
        *of_targets(marks),
        null_entry(),
        (Line2D([], [], **FLOOR_LINE), "floor: all relevance at the subject"),
        (Line2D([], [], color=style.FAINT, linewidth=1.5), "90 degrees: a sector drawn at random"),
    ]
