"""Dual Mechanisms of Spatial Reasoning beside this study: its tables 1 to 6.

Tables 1 and 4 are read from `behaviour_summary`, 2 and 5 from `pathways_summary`, 3 from `amplify_summary`, and 6 from
the record of the model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from backsight.errors import CannotAnswer
from backsight.maths.grouping import SMALLEST
from backsight.published import Published
from backsight.report.published.shared import (
    Compared,
    Measured,
    Ours,
    comparable,
    corrected,
    inside,
    notes,
    printed,
    statement,
)
from backsight.results.amplification.tables import CHOOSING
from backsight.results.pages import common
from backsight.results.pages.content import Grid
from backsight.results.pages.study import Study, mapping, text
from backsight.results.pages.wording import decimal, listed, omitted, unbroken, with_interval
from backsight.stimuli import Layout

SHORT = "Dual Mechanisms"
ROWS = {"squares", "shapes", "objects"}
KINDS = {"picture": "accuracy", "removed": "accuracy after removal", "setting": "settings"}
AMPLIFIED = {"none": "none", "random": "random", "probe": "probes'"}
METRICS = {
    "accuracy": "Accuracy",
    "corrected": "Failures corrected",
    "image_tokens": "Side of a picture, tokens",
    "token_pixels": "Side of a token, pixels",
    "object_tokens": "Side of an object, tokens",
    "object_spacing": "Gap between objects, tokens",
    "strip_width": "Width of an outer strip, tokens",
}
METHOD = (
    "Dual Mechanisms: n beside a published figure is that of the authors' code, as the paper prints none. A figure in "
    "another's stead is that of the authors' code too.",
    "Dual Mechanisms, accuracy: the most probable token of the whole vocabulary has to be the answer, as in the paper "
    "(free, under Behaviour), and the questions are the paper's to the letter. Objects are drawn for this package; the "
    "paper has photographs. What'sUp composites are all of the folder whose names a tokenizer spells with one token; "
    "their question ends with 'is', as in the paper, where the authors' public code has 'is a(n)'.",
    "Dual Mechanisms, accuracy after removal: this study takes the most probable of the options, the paper that of the "
    "whole vocabulary. It asks a part of the questions; how stands under Position pathways.",
    "Dual Mechanisms, amplification: this study chooses alpha on other pictures than it scores, asks what was answered "
    "correctly again, and takes the mean of several random directions. By default its probes are fitted by logistic "
    f"regression on the {100 * CHOOSING:.0f} % of the composites that alpha is chosen on; the paper's by AdamW on "
    "What'sUp itself.",
)
LIMITS = ("The interval is this study's alone. Dual Mechanisms gives none.",)


def tables(measured: Measured, listed_figures: Sequence[Published]) -> list[Compared]:
    """The paper's tables beside this study, in its order."""
    by_table: dict[str, list[tuple[Published, Ours]]] = {}
    for one in listed_figures:
        by_table.setdefault(one.table, []).append((one, _ours(measured, one)))
    return [_compared(measured.study, pairs) for pairs in by_table.values()]


def _compared(study: Study, pairs: Sequence[tuple[Published, Ours]]) -> Compared:
    """One table beside this study; settings have no interval to lie in."""
    first = pairs[0][0]
    insides = tuple(inside(one, ours) for one, ours in pairs if comparable(one, ours))
    replaced = sum(one.correction is not None for one, ours in pairs if comparable(one, ours))
    words = f"Table {first.table}, {_kind(first)}{_directions(pairs)}"
    note = f"Compared as corrected: {replaced}." if replaced else ""
    counted = () if first.condition == "setting" else insides
    return Compared(_table(study, pairs), counted, statement(words, insides, note, _lies(first)))


def _lies(one: Published) -> str:
    return "the same" if one.condition == "setting" else "inside"


def _table(study: Study, pairs: Sequence[tuple[Published, Ours]]) -> Grid:
    """One table of the paper, a line a figure, with what is wrong and what was not measured below it."""
    first = pairs[0][0]
    wrong = any(one.correction is not None for one, _ in pairs)
    rows = tuple(
        (*_about(study, one), printed(one), *([corrected(one)] if wrong else []), _cell(one, ours))
        for one, ours in pairs
    )
    words = {"setting": ("Setting",), "picture": ("Suite", "Direction"), "removed": ("Suite", "Direction")}.get(
        first.condition, ("Suite", "Directions", "Figure")
    )
    heading = f"Table {first.table} of {first.source}: {_kind(first)}{_directions(pairs)}"
    columns = (*words, "Published", *(["Corrected"] if wrong else []), "This study")
    suites = tuple(one.suite or "" for one, _ in pairs)
    folded = bool(_directions(pairs))
    return Grid(heading, columns, rows, words=len(words), folded=folded, note=_below(study, pairs), suites=suites)


def _below(study: Study, pairs: Sequence[tuple[Published, Ours]]) -> str:
    """What is wrong with which figures, and what was not measured and why."""
    return " ".join(notes(pairs, lambda of: listed(dict.fromkeys(_label(study, one) for one in of))))


def _label(study: Study, one: Published) -> str:
    if one.suite is not None:
        title = common.title(study, one.suite)
        return title if one.condition in KINDS else f"{title} ({AMPLIFIED[one.condition]})"
    return METRICS[one.metric].partition(",")[0].lower()


def _about(study: Study, one: Published) -> tuple[str, ...]:
    """A line's leading cells: what the figure is about."""
    if one.suite is None:
        return (unbroken(METRICS[one.metric]),)
    title = common.title(study, one.suite)
    if one.condition in KINDS:
        return (title, one.direction or "–")
    return (title, AMPLIFIED[one.condition], unbroken(METRICS[one.metric]))


def _kind(one: Published) -> str:
    return KINDS.get(one.condition, "amplification")


def _directions(pairs: Sequence[tuple[Published, Ours]]) -> str:
    return ", each direction" if len({one.direction for one, _ in pairs}) > 1 else ""


def _cell(one: Published, ours: Ours) -> str:
    if ours.why:
        return "not measured"
    if ours.value is None:
        return ours.few
    if one.condition == "setting":
        return f"{ours.value:g}×{ours.value:g}" if "×" in one.printed else f"{ours.value:g}"
    value = decimal(ours.value) if ours.low is None else with_interval(ours.value, ours.low, ours.high)
    return f"{value} (n={ours.n})"


def _ours(measured: Measured, one: Published) -> Ours:
    """What this study measured of the quantity that a figure is of."""
    if one.condition == "setting":
        return _setting(measured, one.metric)
    wanted: dict[str, Any] = {"suite": one.suite}
    if one.condition == "picture":
        wanted |= {"direction": one.direction, "condition": "picture", "read_out": "free"}
        return _row(measured, "behaviour", wanted, "accuracy", "questions")
    if one.condition == "removed":
        wanted |= {"direction": one.direction, "condition": "removed", "asked": "order"}
        return _row(measured, "pathways", wanted, "accuracy", "questions")
    wanted |= {"directions": one.condition, "form": None if one.condition == "none" else "projected"}
    return _row(measured, "amplify", wanted, one.metric, "failures" if one.metric == "corrected" else "questions")


def _row(measured: Measured, kind: str, wanted: dict[str, Any], name: str, count: str) -> Ours:
    """The number of the one row of a summary that is as wanted."""
    row = measured.row(kind, wanted, "not asked in this direction or read-out")
    if isinstance(row, str):
        return Ours(why=row)
    prefix = "" if name == "accuracy" else f"{name}_"
    few = omitted(row[count], count[:-1]) if row[count] < SMALLEST else "omitted (too few answers)"
    return Ours(row[name], row[f"{prefix}low"], row[f"{prefix}high"], row[count], few=few)


def _setting(measured: Measured, metric: str) -> Ours:
    """A setting of the rows of three, from the model's token grid and the rule that lays rows out on it."""
    study = measured.study
    grid = mapping(mapping(study.data.get("model")).get("grid"))
    rows, columns, cell = grid.get("rows"), grid.get("columns"), grid.get("cell")
    square = isinstance(rows, int) and rows == columns and isinstance(cell, list) and len(set(cell)) == 1
    if not isinstance(rows, int) or not square or not cell:
        return Ours(why="the token grid is not on record as a square")
    if metric == "strip_width":
        return _strip_width(measured, rows)
    if metric in ("object_tokens", "object_spacing") and not ROWS & study.titles.keys():
        return Ours(why="there are no rows of three in it")
    try:
        layout = Layout.for_grid(rows, rows, int(cell[0]))
    except CannotAnswer:
        return Ours(why="the token grid is too small for rows of three")
    settings = {"object_tokens": layout.entity, "object_spacing": layout.spacing}
    return Ours({"image_tokens": rows, "token_pixels": cell[0]}.get(metric, settings.get(metric)))


def _strip_width(measured: Measured, side: int) -> Ours:
    """The width of the outer strips that were swapped: a third of the grid unless the measurement says otherwise."""
    jobs = [text(job.get("measurement")) for job in measured.study.jobs if job.get("kind") == "imageinterchange"]
    swapped = [row for row in measured.rows("image_interchange_summary") if row["tokens"] == "strips"]
    if not swapped:
        return Ours(why="no strips were swapped")
    given = {int(width) for job in jobs for width in re.findall(r"strip_width=(\d+)", job)}
    return Ours(given.pop() if given else side // 3)
