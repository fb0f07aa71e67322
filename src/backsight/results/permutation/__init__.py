"""The permutation test: accuracy with image tokens shuffled, and the Position Sensitivity Index."""

from __future__ import annotations

from backsight.results.base import Derived, Metric, Result
from backsight.results.permutation.figure import draw
from backsight.results.permutation.section import permutation
from backsight.results.permutation.tables import PERMUTATION, PERMUTATION_SUMMARY, permutation_summary

RESULT = Result(
    PERMUTATION,
    Derived(PERMUTATION_SUMMARY, permutation_summary),
    draw=draw,
    sections=(permutation,),
    metrics=(
        Metric(
            "permutation", "example_id", "correct", ("kind", "norm", "order"), ("answer",),
            plotted={"norm": "own", "order": "kept"}, title="Accuracy, image tokens shuffled",
        ),
    ),
)  # fmt: skip

__all__ = ["PERMUTATION", "PERMUTATION_SUMMARY", "RESULT", "draw", "permutation_summary"]
