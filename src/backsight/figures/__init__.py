"""Figures: a table in, a matplotlib figure out, chosen by the table's schema.

A figure reads a table and nothing else, so it can be drawn again without the model. Rows are summarised
first, so that rows and their summary give the same figure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from matplotlib.figure import Figure

from backsight.errors import UsageError
from backsight.figures.behaviour import behaviour_summary
from backsight.figures.interchange import OUTCOME_WORDS, interchange_summary
from backsight.figures.style import suite_title, to_svg
from backsight.maths.summaries import SUMMARIES
from backsight.tables import Table

FIGURES: dict[str, Callable[..., Figure]] = {
    "behaviour_summary": behaviour_summary,
    "interchange_summary": interchange_summary,
}


def plot(table: Table, **options: Any) -> Figure:
    """The figure of a table; `options` are those of the function that draws its schema.

    UsageError where no figure is known for the schema, DataError where the table holds nothing to draw.
    """
    name = table.schema.name
    if name in SUMMARIES:
        table = SUMMARIES[name](table)
    if table.schema.name not in FIGURES:
        known = ", ".join([*SUMMARIES, *FIGURES])
        raise UsageError("There is no figure for tables of this schema", got=name, do=f"give one of: {known}")
    return FIGURES[table.schema.name](table, **options)


__all__ = ["FIGURES", "OUTCOME_WORDS", "plot", "suite_title", "to_svg"]
