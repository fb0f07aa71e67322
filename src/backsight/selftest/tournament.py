"""Controls of the tournament: the hand-set model, weakened by a known factor, as made, and with nothing to repair.

Weakened, its failures are amplification's to correct (`selftest.repairs`), and random directions do nothing. As made it
has no failure. Where the picture does not come through, no change of image embeddings can bring an answer back.
"""

from __future__ import annotations

from typing import Any

from backsight.measurements import Tournament
from backsight.models.vlm import VLM
from backsight.results.tournament import WINS, summary
from backsight.selftest import lookup
from backsight.selftest.base import Bench, Control, Seen
from backsight.selftest.repairs import PRIOR, WEAK, WEAKENED

ENTERED = ("amplification", "norm_rescale")


def tournament(bench: Bench) -> Seen:
    """Which repairs are named on all three."""
    weak = _won(bench, bench.lookup(order=WEAK, prior=PRIOR))
    return named(weak, _won(bench, bench.lookup()), _won(bench, bench.lookup("nowhere")))


def _won(bench: Bench, vlm: VLM) -> list[str]:
    count = bench.count("repaired")
    rows: list[dict[str, Any]] = summary(
        bench.rows(vlm, Tournament(repairs=ENTERED, absent=0), lookup.scenes(count), count)
    ).rows()
    return [row["repair"] for row in rows if row["verdict"] == WINS]


def named(weak: list[str], whole: list[str], blind: list[str]) -> Seen:
    """The repairs named on the weakened model, on the one as made, and on the one without evidence."""
    return Seen(
        f"worth having: {', '.join(weak) or 'none'}", "amplification" in weak,
        f"as made: {', '.join(whole) or 'none'}; without evidence: {', '.join(blind) or 'none'}",
        not whole and not blind,
    )  # fmt: skip


CONTROLS: tuple[Control, ...] = (
    Control("tournament", "which repair is worth having", f"{WEAKENED}: amplification",
            "as made, without failures: none; evidence nowhere: none", tournament),
)  # fmt: skip
