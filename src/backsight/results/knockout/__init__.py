"""Token knockout: relevance beside the causal effect of every image token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.relevance import EFFECTS, LEADING, NULL
from backsight.results.base import Derived, Metric, Result
from backsight.results.drawing import panels, style
from backsight.results.knockout import page
from backsight.results.pages.content import Section
from backsight.results.pages.study import Study
from backsight.results.relevance import drawing
from backsight.results.relevance.cells import Row, check
from backsight.results.relevance.drawing import Columns, Line, Mark
from backsight.results.relevance.summaries import mean, named, of_methods, plain_mean
from backsight.results.relevance.words import REFERENCE_WORDS, by_prompt, in_order, left_out_words, why_missing
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
        ("rank correlation", Columns("correlation", "correlation_low", "correlation_high"), "rank correlation"),
        ("compass", Columns("angle_gain", "gain_low", "gain_high"), "improvement over uniform relevance, degrees"),
    )
    shown_panels, marks = [], []
    for (suite, prompt), group in by_prompt(rows).items():
        ranked = _by_correlation(group)
        for name, where, label in views:
            lines = [_both_forms(group, method, where) for method in ranked]
            marks += [mark for line in lines for mark in line.marks]
            one = drawing.panel(suite, prompt, group, lines, label, titles, shares=name == "rank correlation")
            shown_panels.append(replace(one, title=f"{one.title}: {name}"))
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


def section(study: Study) -> Section | None:
    """This check's part of the section on causal checks."""
    return check(
        study, ROWS.name, draw, page.tables, page.say, caption=page.CAPTION, method=page.METHOD, limits=page.LIMITS
    )


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
