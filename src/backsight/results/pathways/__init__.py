"""Position pathways: what is answered with either ablated, and where position comes from."""

from __future__ import annotations

from backsight.results.base import Derived, Metric, Result
from backsight.results.pathways.figure import draw
from backsight.results.pathways.section import pathways
from backsight.results.pathways.tables import PATHWAYS, PATHWAYS_SUMMARY, pathways_summary

RESULT = Result(
    PATHWAYS,
    Derived(PATHWAYS_SUMMARY, pathways_summary),
    draw=draw,
    sections=(pathways,),
    metrics=(
        Metric(
            "pathways", "example_id", "correct_of_two", ("condition", "asked"), ("answer",),
            title="Accuracy between two, pathways ablated",
        ),
    ),
    earlier={"roads": "pathways", "roads_summary": "pathways_summary", "Roads": "Pathways"},
)  # fmt: skip

__all__ = ["PATHWAYS", "PATHWAYS_SUMMARY", "RESULT", "draw", "pathways_summary"]
