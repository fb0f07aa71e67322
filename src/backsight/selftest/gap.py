"""The control of the what/where gap: a model that was trained to see what is there and to ignore above and below."""

from __future__ import annotations

import pandas as pd

from backsight.measurements import Gap
from backsight.results.gap import gap_summary
from backsight.selftest.base import Bench, Control, Seen


def what_where(bench: Bench) -> Seen:
    """The gap of presence on above and below of Squares, and on all of Squares of a model that answers both."""
    summaries = {}
    for name in ("prior", "plain"):
        vlm = bench.builtin(name)
        rows = bench.rows(vlm, Gap(batch=32), bench.squares(vlm), bench.count("rows"))
        summaries[name] = gap_summary(rows).frame
    return apart(*summaries.values())


def apart(prior: pd.DataFrame, plain: pd.DataFrame) -> Seen:
    """Summaries of both models: a gap on the axis that one ignores, none where both kinds are answered."""
    wide = prior[prior["headline"] & (prior["axis"] == "vertical")].iloc[0]
    none = plain[plain["headline"] & (plain["axis"] == "all")].iloc[0]
    return Seen(_words(wide), wide["verdict"] == "what", _words(none), none["verdict"] == "none")


def _words(row: pd.Series[float]) -> str:
    return f"gap {row['gap']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"


CONTROLS: tuple[Control, ...] = (
    Control("gap", "presence less relation", "above and below of prior: a gap", "Squares of plain: none", what_where,
            ("prior", "plain")),
)  # fmt: skip
