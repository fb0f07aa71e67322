"""Token knockout: relevance beside the causal effect of every image token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.relevance import EFFECTS, LEADING, NULL
from backsight.results.base import Derived, Metric, Result
from backsight.results.drawing import panels, style
from backsight.results.pages.content import Grid, Section
from backsight.results.pages.study import Study
from backsight.results.pages.wording import with_interval
from backsight.results.relevance import drawing
from backsight.results.relevance.cells import (
    Cells,
    Row,
    check,
    degrees,
    degrees_between,
    first,
    left_out,
    missing_reason,
    split,
)
from backsight.results.relevance.drawing import Columns, Line, Mark
from backsight.results.relevance.summaries import mean, named, of_methods, plain_mean
from backsight.results.relevance.words import REFERENCE_WORDS, by_prompt, in_order, left_out_words, short, why_missing
from backsight.tables import Schema, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS = Schema(
    "knockout",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "prompt": "str",
        "direction": "str",
        "form": "str",  # attention: cut to the token; embedding: that of the empty picture
        "correct": "bool",
        "method": "str",  # knockout is the tokens' effects themselves
        "true": "float",
        "correlation": "float",  # of ranks, with the absolute effects of the tokens: maths.ranks
        "angle": "float",  # degrees between the peaks of both compasses; missing where one is empty
        "dae": "float",
        "ea": "float",
        "refused": "str",  # why the model cannot give a method
    },
    "Relevance beside the causal effect of every image token, one row a question, form and method",
)


SUMMARY = Schema(
    "knockout_summary",
    {
        "suite": "str",
        "prompt": "str",
        "form": "str",
        "method": "str",
        "questions": "int",
        "images": "int",
        "correlation": "float",
        "correlation_low": "float",
        "correlation_high": "float",
        "angle": "float",
        "angle_low": "float",
        "angle_high": "float",
        "angle_null": "float",  # of uniform relevance on the same questions
        "angles": "int",  # questions where neither compass is empty: angles and gain are over these
        "angle_gain": "float",  # angle_null - angle, paired
        "gain_low": "float",
        "gain_high": "float",
        "dae": "float",
        "ea": "float",
        "missing": "str",  # why the model cannot give a method
        "omitted": "bool",
    },
    "Methods beside the causal effect of every image token, with 95 % intervals",
)


FORMS = {"attention": "attention to the token cut", "embedding": "embedding of the empty picture"}
CAPTION = (
    "Agreement with the causal effect of each image token, the mean with its 95 % interval; more is better. Left: rank "
    "correlation over tokens. Right: how much nearer the compass comes to that of the effects than the compass of "
    "uniform relevance does, so that zero is the baseline. Filled: attention to the token is cut; hollow: its "
    "embedding is the empty picture's."
)
METHOD = (
    "Knockout: each image token is taken away in turn, and the effect is how much the logit of the model's choice less "
    "that of its strongest rival falls (equation 1). Either attention to the token is cut for all other positions in "
    "every block, or its embedding is that of the empty picture. The size of the effects is relevance like any other: "
    "methods are compared with it token by token (Spearman's rank correlation, where values nearer than 1 % of the "
    "largest share their places) and by the peaks of both compasses. "
    "This check is not in the paper."
)
LIMITS = (
    "Tokens are taken away one at a time: what several tell together, or each by itself, has no effect there. A token "
    "without attention, or with the empty picture's embedding, is nothing that the model was trained on.",
    "A method may agree with the effects by lighting the subject: the subject's box, which knows nothing of the model, "
    "stands beside.",
)
NOTE = (
    "Angle is between a method's peak and that of the effects, in degrees; uniform is that of uniform relevance on the "
    "same questions, gain is the improvement over it, and rank is by gain. DAE is of the method's own compass on these "
    "questions. The target is the model's choice. The effects' own DAE says how near to the true direction the effects "
    "themselves point."
)


def knockout_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Rank correlation with the tokens' effects and angle to their compass, by suite, prompt, form and method."""
    expect(rows, ROWS.name)
    summary: list[Row] = []
    keys = ["suite", "prompt", "form"]
    for values, group in groups(rows.frame, keys):
        null = group[group["method"] == NULL].set_index("example_id")["angle"]
        for (method,), part in groups(group, ["method"]):
            row: Row = dict.fromkeys(SUMMARY.columns) | dict(zip(keys, values, strict=True))
            row |= {"method": method, "questions": len(part), "images": part["image_id"].nunique()}
            row |= {"angles": int(part["angle"].notna().sum()), "omitted": len(part) < smallest}
            if "refused" in part and part["refused"].notna().any():
                row |= {"missing": part["refused"].iloc[0], "omitted": True}
            if not row["omitted"]:
                before = part["example_id"].map(null).where(part["angle"].notna())
                gained = before - part["angle"]
                row |= named("correlation", mean(part["correlation"], part), "correlation")
                row |= named("angle", mean(part["angle"], part), "angle")
                row |= named("angle_gain", mean(gained, part), "gain")
                row["angle_null"] = plain_mean(before)
                row |= {"dae": plain_mean(part["dae"]), "ea": plain_mean(part["ea"])}
            summary.append(row)
    return Table.of(SUMMARY, summary, rows.provenance)


def draw(
    table: Table, *, columns: int | None = None, titles: Mapping[str, str] | None = None
) -> Figure:  # fmt: skip
    """Rank correlation with the tokens' effects, and what is gained over uniform relevance in angle to their compass.

    Two panels a suite and prompt. Filled: attention to a token is cut; hollow: its embedding is the empty picture's.
    """
    rows = [row for row in drawing.rows_of(table) if row["method"] != EFFECTS]
    views = (
        ("correlation", Columns("correlation", "correlation_low", "correlation_high"), "rank correlation"),
        ("gain", Columns("angle_gain", "gain_low", "gain_high"), "improvement over uniform relevance, degrees"),
    )
    shown_panels, marks = [], []
    for (suite, prompt), group in by_prompt(rows).items():
        ranked = _by_correlation(group)
        for name, where, label in views:
            lines = [_both_forms(group, method, where) for method in ranked]
            marks += [mark for line in lines for mark in line.marks]
            shown_panels.append(drawing.panel(suite, prompt, group, lines, label, titles, shares=name == "correlation"))
    words = ((drawing.FILLED, "attention to the token cut, 95 % interval"),
             (drawing.HOLLOW, "embedding of the empty picture (hollow)"))  # fmt: skip
    entries = [*drawing.legend(words, marks), *drawing.legend([(drawing.REFERENCE, "references")], marks)]
    with style.style():
        return panels.draw(shown_panels, entries, columns if columns == 1 else 2)


def _by_correlation(group: Sequence[Row]) -> list[str]:
    """Methods by their correlation, the highest first, as the attention to a token is cut; references behind them."""
    of = {row["method"]: row["correlation"] for row in group if row["form"] == "attention"}
    methods = in_order([row["method"] for row in group])

    def rank(method: str) -> tuple[bool, float]:
        value = of.get(method)
        return method in REFERENCE_WORDS, 2.0 if value is None else -float(value)

    return sorted(methods, key=rank)


def _both_forms(group: Sequence[Row], method: str, where: Columns) -> Line:
    mine = [row for row in group if row["method"] == method]
    marks = []
    for row in mine:
        if not row["omitted"] and row[where.value] is not None:
            plain = drawing.REFERENCE if method in REFERENCE_WORDS else drawing.FILLED
            hollow = {"markerfacecolor": "white", "markeredgewidth": 1.1}
            looks = plain if row["form"] == "attention" else {**plain, **hollow}
            marks.append(Mark(row[where.value], row[where.low], row[where.high], looks))
    words = why_missing(mine[0]) if mine[0].get("missing") else left_out_words(mine[0], "question")
    missing = words if mine[0]["omitted"] else "the same everywhere: no ranks"
    return Line(method, tuple(marks), "" if marks else missing)


def tables(study: Study, rows: Sequence[Row]) -> Iterator[Grid]:
    """Methods ranked by rank correlation, with the place that each has by its gain in angle; a table a form."""
    columns = (("Method",), ("Rank correlation", "Angle", "Uniform", "Gain", "Rank", "DAE", "n"))
    for form, words in FORMS.items():
        mine = [row for row in rows if row["form"] == form]
        by_place = {place: _agreement(group) for place, group in by_prompt(mine).items()}
        if by_place:
            note, file = (NOTE, "knockout_summary") if form == "attention" else ("", "")
            title = f"Agreement with the tokens' causal effects, {words}"
            yield from split(study, by_place, first(mine), title, columns, note, file)


def _agreement(group: Sequence[Row]) -> list[Cells]:
    if all(row["omitted"] for row in group):
        return [left_out(group, 1, 7)]
    lines: list[Cells] = []
    ranks = _ranks(group, "angle_gain")
    for row in _ranked(group):
        if missing := missing_reason(row, "question"):
            lines.append((short(row["method"]), missing, *["–"] * 6))
            continue
        correlation = with_interval(row["correlation"], row["correlation_low"], row["correlation_high"])
        gain = degrees_between(row["angle_gain"], row["gain_low"], row["gain_high"])
        plain = (degrees(row["angle"]), degrees(row["angle_null"]))
        rank = ranks.get(row["method"], "–")
        questions = str(row["questions"])
        lines.append((short(row["method"]), correlation, *plain, gain, rank, degrees(row["dae"]), questions))
    return lines


def _ranked(rows: Sequence[Row]) -> list[Row]:
    """Methods by their correlation, the highest first; then references, and the effects themselves."""
    order = {name: place for place, name in enumerate(in_order([row["method"] for row in rows]))}

    def rank(row: Row) -> tuple[bool, bool, float, int]:
        own = 2.0 if row["correlation"] is None else -float(row["correlation"])
        return row["method"] == EFFECTS, row["method"] in REFERENCE_WORDS, own, order[row["method"]]

    return sorted(rows, key=rank)


def _ranks(rows: Sequence[Row], value: str) -> dict[str, str]:
    """The place of each method by a value, the highest first; equal ones share a place."""
    own = {r["method"]: r[value] for r in rows if r["method"] not in REFERENCE_WORDS and r[value] is not None}
    return {method: str(1 + sum(other > mine for other in own.values())) for method, mine in own.items()}


def section(study: Study) -> Section | None:
    """This check's part of the section on causal checks."""
    return check(study, ROWS.name, draw, tables, caption=CAPTION, method=METHOD, limits=LIMITS)


RESULT = Result(
    ROWS,
    summary=Derived(SUMMARY, knockout_summary),
    draw=draw,
    sections=(section,),
    metrics=(
        Metric("knockout", "example_id", "correlation", ("form", "method"), rows=of_methods,
               plotted={"form": "attention", "method": LEADING},
               title="Rank correlation with the tokens' causal effects"),
    ),
    later=("refused", "missing"),
)  # fmt: skip
