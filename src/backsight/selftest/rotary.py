"""The control of rotary sensitivity: a model that reads rotary positions, and one that was trained without order.

`language` has no blocks in its vision encoder: a token holds its own pixels only, so that columns are told apart by
rotary positions and nothing else (causal order could tell rows). `vision` was trained on image tokens in random order,
so that their coordinates in the language model told it nothing.
"""

from __future__ import annotations

import pandas as pd

from backsight.measurements import Rotary
from backsight.results import RESULTS
from backsight.selftest.base import Bench, Control, Seen
from backsight.selftest.order import CLEARLY, HARDLY


def mirror(bench: Bench) -> Seen:
    """Shares of answers that become their mirror image with their own coordinate mirrored, and with the other one."""
    result, shown = RESULTS["rotary"], []
    assert result.summary is not None
    for name in ("language", "vision"):
        vlm = bench.builtin(name)
        rows = bench.rows(vlm, Rotary(steps=()), bench.squares(vlm), bench.count("rows"))
        shown.append(result.summary.make(rows).frame)
    return mirrored(*shown)


def mirrored(language: pd.DataFrame, vision: pd.DataFrame) -> Seen:
    """Both summaries: the one must mirror along each coordinate and stay along the other, the other must stay."""

    def shares(frame: pd.DataFrame, *, own: bool) -> list[float]:
        of = frame[(frame["edit"] == "mirror") & (frame["quantity"] == "mirrored") & ~frame["omitted"].astype(bool)]
        of = of[(of["along"] == of["given"]) == own]
        return [float(value) for value in of["value"]]

    mine, across, other = shares(language, own=True), shares(language, own=False), shares(vision, own=True)
    if len(mine) < 2 or len(across) < 2 or len(other) < 2:
        return Seen("too few right answers", False, "too few right answers", False)
    return Seen(
        f"at least {min(mine):.2f} of the answers", min(mine) >= CLEARLY,
        f"vision: at most {max(other):.2f}; language, along the other coordinate: at most {max(across):.2f}",
        max(*other, *across) <= HARDLY,
    )  # fmt: skip


CONTROLS: tuple[Control, ...] = (
    Control("rotary", "answers that mirror with their coordinate",
            "language: both coordinates, which rotary positions alone tell it",
            "vision: neither, it was trained on shuffled tokens; language: none along the other coordinate",
            mirror, ("language", "vision")),
)  # fmt: skip
