"""What the page of a sweep says: a claim a recipe, its null, a sentence a metric, and how the seeds were compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backsight.maths.grouping import SMALLEST
from backsight.maths.seeds import FEWEST
from backsight.results.compared import change_words, metric_words, reach
from backsight.results.drawing.style import counted
from backsight.results.pages.content import Statement
from backsight.results.pages.wording import listed, p_value, with_interval
from backsight.results.seeds import ALPHA

Row = dict[str, Any]
METHOD = (
    "A run is a recipe trained with one seed, which draws its weights and its batches, and then studied; all runs are "
    "asked questions drawn with one other seed. A metric of a run is the mean over the run's own samples, "
    f"of at least {SMALLEST}; interchanges and probes are those of the layer with the highest mean, each run's own.",
    f"Brackets hold Student's 95 % interval over seeds, from {FEWEST} seeds on. It is missing for fewer, and where all "
    "seeds give the same number: then the spread is not known. An interval of a share may reach beyond 0 or 1.",
    "A difference is the recipe's value less the baseline's, seed by seed, and then the mean over the seeds that both "
    "have; p is that of Student's paired test over seeds, two-sided.",
    "Judged are the metrics of whole sets that a figure plots. Holm's correction is over the judged metrics of one "
    "family, of all recipes; a metric is called better or worse where that p is below .05.",
)
LIMITS = (
    "Few seeds see large differences only: with three, a mean difference must be 2.5 times its spread over seeds for p "
    "below .05, before any correction.",
    "The interval is over seeds, at one set of pictures; it is not over other pictures, nor over other sizes of model.",
    "Student's interval takes the values of seeds as normal, which those of a share near 0 or 1 are not.",
    "Where recipes differ in their grids of image tokens, their questions are drawn for the grid of each.",
)


def judged(rows: Sequence[Row]) -> list[Row]:
    """The rows that a test judged."""
    return [row for row in rows if row["moved"] is not None]


def change(row: Row) -> str:
    """A difference with its interval over seeds; without one where there is none."""
    return change_words(row | {"low": row["difference_low"], "high": row["difference_high"]})


def claim(rows: Sequence[Row], baseline: str) -> str:
    """How many judged metrics of a recipe are worse and better than the baseline's, and the one furthest off."""
    mine = judged(rows)
    if not mine:
        return f"Not shown: no metric of whole sets could be tested against {baseline} over {FEWEST} seeds or more."
    of = f"of {counted(len(mine), 'metric')} of whole sets"
    ways = {way: sorted((row for row in mine if row["moved"] == way), key=lambda row: -reach(row))
            for way in ("worse", "better")}  # fmt: skip
    if not ways["worse"] and not ways["better"]:
        return f"No difference from {baseline} is shown in any {of}."
    counts = [f"{len(rows)} {'is' if len(rows) == 1 else 'are'} {way}" for way, rows in ways.items() if rows]
    first = (ways["worse"] or ways["better"])[0]
    named = f"the {'worst' if ways['worse'] else 'best'} is {metric_words(first)}, {change(first)}"
    return f"Against {baseline}, {of} {listed(counts)}; {named}."


def null(rows: Sequence[Row]) -> str:
    """What chance would show; empty where nothing was judged."""
    mine = judged(rows)
    if not mine:
        return ""
    raw = sum(row["p_value"] < ALPHA for row in mine)
    return (
        f"Were the recipe and the baseline alike, chance would put {ALPHA * len(mine):.2f} of these "
        f"{counted(len(mine), 'metric')} below p = .05 without correction; {raw} {'is' if raw == 1 else 'are'}. "
        "With Holm's correction, a family holds a false difference in at most one sweep of twenty."
    )


def statements(rows: Sequence[Row], baseline: str) -> tuple[Statement, ...]:
    """A sentence a judged metric, what is worse first; and what was not judged."""
    shown = [
        Statement(
            f"{metric_words(row)}: {with_interval(row['mean'], row['low'], row['high'])} over "
            f"{counted(row['seeds'], 'seed')}; against {baseline} {change(row)}, p {p_value(row['p_value'])}, by Holm "
            f"{p_value(row['p_holm'])}: {'not shown to differ' if row['moved'] == 'no' else row['moved']}.",
            row["set"],
            {"worse": 1.0, "better": 0.5, "no": 0.0}[row["moved"]],
        )
        for row in judged(rows)
    ]
    shown.sort(key=lambda one: -one.short)
    left = [row for row in rows if row["drawn"] and row["moved"] is None]
    return (*shown, Statement(left_out(left))) if left else tuple(shown)


def left_out(rows: Sequence[Row]) -> str:
    """Which metrics of whole sets were not judged, by the reason."""
    few = [row["metric"] for row in rows if row["pairs"] < FEWEST]
    alike = [row["metric"] for row in rows if row["pairs"] >= FEWEST]
    parts = [f"{counted(len(few), 'metric')} with fewer than {FEWEST} shared seeds ({_first(few)})"] if few else []
    if alike:
        parts.append(f"{counted(len(alike), 'metric')} whose difference is the same on every seed ({_first(alike)})")
    return f"Not judged: {'; '.join(parts) or 'none'}."


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")
