"""Position probes: where the position of each thing is readable."""

from __future__ import annotations

import pandas as pd

from backsight.results.base import Derived, Metric, Result
from backsight.results.probes.figure import draw
from backsight.results.probes.section import probes
from backsight.results.probes.tables import PROBES, PROBES_SUMMARY, probes_summary


def _standard(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["shown"] == "standard"]


RESULT = Result(
    PROBES,
    Derived(PROBES_SUMMARY, probes_summary),
    draw=draw,
    sections=(probes,),
    metrics=(
        Metric(
            "probes", "example_id", "objects", ("arrangement", "site"), rows=_standard, layered=True, title="Probes"
        ),
    ),
)  # fmt: skip

__all__ = ["PROBES", "PROBES_SUMMARY", "RESULT", "draw", "probes_summary"]
