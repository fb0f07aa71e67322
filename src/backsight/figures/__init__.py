"""Figures: a table in, a matplotlib figure out, chosen by the table's schema.

A figure reads a table and nothing else, so it can be drawn again without the model. Rows are summarised
first, so that rows and their summary give the same figure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from matplotlib.figure import Figure

from backsight.errors import UsageError
from backsight.figures.amplification import amplify_summary
from backsight.figures.behaviour import behaviour_summary
from backsight.figures.comparison import compare
from backsight.figures.controls import flip_summary, knockout_summary, moved_summary, occlusion_summary
from backsight.figures.creg import creg_summary
from backsight.figures.image_interchange import FLIP_WORDS, image_interchange_summary
from backsight.figures.interchange import OUTCOME_WORDS, interchange_summary
from backsight.figures.position_budget import position_budget
from backsight.figures.probe_maps import probe_maps
from backsight.figures.probes import probes_summary
from backsight.figures.roads import roads_summary
from backsight.figures.style import suite_title, to_svg
from backsight.maths.summaries import SUMMARIES
from backsight.tables import Table

FIGURES: dict[str, Callable[..., Figure]] = {
    "behaviour_summary": behaviour_summary,
    "interchange_summary": interchange_summary,
    "image_interchange_summary": image_interchange_summary,
    "roads_summary": roads_summary,
    "probes_summary": probes_summary,
    "probe_maps": probe_maps,
    "amplify_summary": amplify_summary,
    "position_budget": position_budget,
    "creg_summary": creg_summary,
    "knockout_summary": knockout_summary,
    "occlusion_summary": occlusion_summary,
    "moved_summary": moved_summary,
    "flip_summary": flip_summary,
    "compare": compare,
}


def plot(table: Table, **options: Any) -> Figure:
    """The figure of a table; `options` are those of the function that draws its schema.

    UsageError where no figure is known for the schema, DataError where the table holds nothing to draw.
    """
    name = table.schema.name
    drawn = f"{name}_summary" if name in SUMMARIES else name
    if drawn not in FIGURES:
        known = ", ".join([*(rows for rows in SUMMARIES if f"{rows}_summary" in FIGURES), *FIGURES])
        raise UsageError("There is no figure for tables of this schema", got=name, do=f"give one of: {known}")
    return FIGURES[drawn](SUMMARIES[name](table) if name in SUMMARIES else table, **options)


__all__ = ["FIGURES", "FLIP_WORDS", "OUTCOME_WORDS", "plot", "suite_title", "to_svg"]
