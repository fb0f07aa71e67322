"""Position pathways: what is answered with either closed, and where the order comes from."""

from __future__ import annotations

from backsight.results.base import Derived, Metric, Result
from backsight.results.pathways.figure import draw
from backsight.results.pathways.section import roads
from backsight.results.pathways.tables import ROADS, ROADS_SUMMARY, roads_summary

RESULT = Result(
    ROADS,
    Derived(ROADS_SUMMARY, roads_summary),
    draw=draw,
    sections=(roads,),
    metrics=(
        Metric(
            "roads", "example_id", "correct_of_two", ("condition", "asked"), ("answer",),
            title="Accuracy between two, roads closed",
        ),
    ),
    leads=True,
)  # fmt: skip

__all__ = ["RESULT", "ROADS", "ROADS_SUMMARY", "draw", "roads_summary"]
