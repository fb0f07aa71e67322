"""Resolution: what is made of the rows of `Resolution`."""

from __future__ import annotations

from backsight.results.base import Derived, Metric, Result
from backsight.results.resolution.section import draw, section
from backsight.results.resolution.tables import (
    RESOLUTION,
    RESOLUTION_PROBES,
    RESOLUTION_SUMMARY,
    answers,
    resolution_probes,
    resolution_summary,
)

__all__ = ["RESOLUTION", "RESOLUTION_PROBES", "RESOLUTION_SUMMARY", "RESULT", "draw", "resolution_probes",
           "resolution_summary"]  # fmt: skip

RESULT = Result(
    RESOLUTION,
    summary=Derived(RESOLUTION_SUMMARY, resolution_summary),
    further=(Derived(RESOLUTION_PROBES, resolution_probes),),
    draw=draw,
    sections=(section,),
    metrics=(
        Metric("accuracy_by_size", "example_id", "right", ("size", "prompt"), ("direction",), answers,
               title="Accuracy at each size"),
    ),
)  # fmt: skip
