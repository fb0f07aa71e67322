"""Summaries: pure functions from rows to summary tables, chosen by the rows' schema.

Below `SMALLEST` samples a summary keeps its count and says `omitted`: no figure is drawn from a handful. `FURTHER`
holds tables made of a summary or of the same rows, by name.
"""

from __future__ import annotations

from collections.abc import Callable

from backsight.maths.amplification import amplify_summary
from backsight.maths.behaviour import behaviour_summary
from backsight.maths.grouping import SMALLEST, spans
from backsight.maths.interchange import (
    OUTCOMES,
    axes,
    flip_layers,
    image_interchange_summary,
    interchange_summary,
    order_layers,
)
from backsight.maths.probing import probes_summary
from backsight.maths.roads import roads_summary
from backsight.maths.whatsup import whatsup_summary
from backsight.tables import Table

SUMMARIES: dict[str, Callable[..., Table]] = {
    "behaviour": behaviour_summary,
    "interchange": interchange_summary,
    "image_interchange": image_interchange_summary,
    "roads": roads_summary,
    "probes": probes_summary,
    "amplify": amplify_summary,
}
# What else is made of rows of a schema: by the new table's name, whether it is made of the summary, and how.
FURTHER: dict[str, dict[str, tuple[bool, Callable[[Table], Table]]]] = {
    "behaviour": {"whatsup_summary": (False, whatsup_summary)},
    "interchange": {"order_layers": (True, order_layers)},
    "image_interchange": {"flip_layers": (True, flip_layers), "axes": (False, axes)},
}

__all__ = [
    "FURTHER",
    "OUTCOMES",
    "SMALLEST",
    "SUMMARIES",
    "amplify_summary",
    "axes",
    "behaviour_summary",
    "flip_layers",
    "image_interchange_summary",
    "interchange_summary",
    "order_layers",
    "probes_summary",
    "roads_summary",
    "spans",
    "whatsup_summary",
]
