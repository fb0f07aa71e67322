"""Behaviour: how well the model answers, from `behaviour_summary`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backsight.results.behaviour import overview, sentences
from backsight.results.behaviour.figure import draw
from backsight.results.behaviour.grids import directions, together, whatsup
from backsight.results.behaviour.named import with_ground
from backsight.results.behaviour.worst import ALL, Accuracy, accuracies, per_suite, worst
from backsight.results.pages import common
from backsight.results.pages.content import Section, Statement
from backsight.results.pages.pictures import FigureView
from backsight.results.pages.study import Study
from backsight.results.pages.wording import PHOTOGRAPHS

Row = dict[str, Any]
CAPTION = (
    "Accuracy by the direction that is asked for, the worst suite first. Filled: with the picture, with its 95 % "
    "interval. Hollow: the same questions about a gray picture; the distance between the two is what the picture adds."
)
METHOD = (
    "Each question is put to the model with its picture, in the model's own chat template, and again with a uniform "
    "gray picture of the same size: what that gives, the question gives away.",
    "Options, which all sentences and the figure go by: the most probable of the listed options, the spellings of each "
    "added up, or of whole options where they are longer than a token. Free, in the tables: the most probable token of "
    "the whole vocabulary. Both come from one forward pass.",
    "Worst is the accuracy that comes least far from chance to 1. Guessing is chance, or the gray picture's accuracy "
    "where that is higher; better than guessing is an interval that lies above it. A suite with several prompts counts "
    "by the worst of them.",
)
ROWS = (
    "Questions in rows of three are those of The Dual Mechanisms of Spatial Reasoning in Vision-Language Models (arXiv "
    "2603.22278, section 3.1 and appendix A.3)."
)
CREG_PROMPTS = "Prompts A, B and C are those of CREG (arXiv 2603.20475, table 6)."
LIMITS = (
    "A correct answer does not say how it was reached.",
    "The worst direction is the lowest of many numbers, each of few questions: some of its distance from the others is "
    "luck, which its interval does not allow for.",
    "The gray picture controls for what the question gives away, not for what else in a picture may.",
)
EXACT = (
    "Rows that are not jittered all start at the same position, so that the third thing in a row is always in the same "
    "column: order and position are not told apart there."
)
FEW = 3  # suites; fewer need no figure that shows them together
IN_ROWS = ("squares", "shapes", "objects")


def behaviour(study: Study) -> Section | None:
    """The section; None without the summary."""
    rows = [row for row in study.rows("behaviour_summary") if row["read_out"] == "options"]
    if not rows:
        return None
    measured = accuracies(study)
    suites = {row["suite"] for row in rows}
    prompts = any(row["prompt"] for row in rows)
    return Section(
        anchor="behaviour",
        question="can",
        title="Behaviour",
        claim=sentences.claim(worst(study), per_suite(study)),
        null=sentences.null(measured),
        notes=(PHOTOGRAPHS,) if suites & study.unseen_photographs else (),
        figures=_figures(study),
        statements=_statements(study, rows, measured),
        tables=(together(study), directions(study), *whatsup(study)),
        method=(
            *METHOD,
            *([ROWS] if any(suite.endswith(IN_ROWS) for suite in suites) else []),
            *([CREG_PROMPTS] if prompts else []),
        ),
        limits=(*LIMITS, *([EXACT] if suites & set(IN_ROWS) else [])),
        samples=common.samples(study, "behaviour", suites),
    )


def _figures(study: Study) -> tuple[FigureView, ...]:
    """All suites in one panel where there are several, and each by direction."""
    table = study.tables["behaviour_summary"]
    by_direction = common.figure(study, "behaviour", draw, table, CAPTION)
    if len(per_suite(study)) < FEW:
        return (by_direction,)
    return (common.figure(study, "suites", overview.draw, table, overview.CAPTION), by_direction)


def _statements(study: Study, rows: Sequence[Row], measured: Sequence[Accuracy]) -> tuple[Statement, ...]:
    """A sentence a suite; one for all that are answered without an error, and one for all that are omitted."""
    statements: list[Statement] = []
    few: list[tuple[str, Row]] = []
    perfect: list[tuple[str, list[Accuracy]]] = []
    keys = list(dict.fromkeys((row["suite"], row["ground"]) for row in rows))
    for suite, ground in keys:
        title = with_ground(common.title(study, suite), (suite, ground), keys)
        of = [one for one in measured if (one.suite, one.title) == (suite, title)]
        prompts = [one for one in of if one.direction == ALL]
        omitted = [row for row in rows if _omitted(row, suite, ground)]
        if not prompts:
            few += [(title, row) for row in omitted]
            continue
        note = PHOTOGRAPHS if suite in study.unseen_photographs else ""
        if not omitted and not note and all(one.accuracy == 1 and one.above_guessing for one in prompts):
            perfect.append((suite, prompts))
        text = sentences.suite_sentence(prompts, [one for one in of if one.direction != ALL], omitted)
        statements.append(Statement(text, suite, max(one.short for one in prompts), note))
    if len(perfect) > 1:
        without = {suite for suite, _ in perfect}
        joined = sentences.perfect_sentence([one for _, of in perfect for one in of])
        statements = [*(one for one in statements if one.suite not in without), Statement(joined)]
    if few:
        statements.append(Statement(sentences.omitted_sentence(few), short=sentences.UNKNOWN))
    return tuple(statements)


def _omitted(row: Row, suite: str, ground: str | None) -> bool:
    whole = row["direction"] == ALL and row["condition"] == "picture"
    return bool(whole and row["omitted"] and (row["suite"], row["ground"]) == (suite, ground))
