"""Controls of amplification: a model that fails because its own positional directions are weakened by a known factor.

In the hand-set model `order` scales the directions that are written into image tokens, and a prior for one answer wins
where they are weak. Amplified by the inverse along the very directions the model is what it was; random directions
bring nothing back.
"""

from __future__ import annotations

import pandas as pd
import torch

from backsight.maths import edits
from backsight.measurements import Amplify, Behaviour
from backsight.models import by_hand
from backsight.models.vlm import VLM
from backsight.repairs.amplification import Amplified
from backsight.results import RESULTS
from backsight.selftest import lookup
from backsight.selftest.base import Bench, Control, Seen
from backsight.stimuli.questions import DIRECTIONS

ALPHA = 4.0
WEAK = 1 / (1 + ALPHA)  # what amplification by alpha undoes
PRIOR = 0.5
DRAWS = 5


def written() -> torch.Tensor:
    """The directions (direction, d_model) that the hand-set model writes into image tokens."""
    return torch.eye(by_hand.WIDTH)[by_hand.WRITTEN]


def repair(bench: Bench) -> Seen:
    """Accuracy of the weakened model with its directions amplified by the inverse, and with random ones."""
    scenes = lookup.scenes(bench.count("scenes"))
    whole, weak = bench.lookup(prior=PRIOR), bench.lookup(order=WEAK, prior=PRIOR)
    turned = [edits.random_directions(written(), seed) for seed in range(DRAWS)]

    def right(vlm: VLM) -> float:
        return float(Behaviour(gray=False)(vlm, scenes).frame["choice_correct"].mean())

    with Amplified(written(), ALPHA).applied(weak):
        back = right(weak)
    random = []
    for directions in turned:
        with Amplified(directions, ALPHA).applied(weak):
            random.append(right(weak))
    return restored(right(whole), right(weak), back, max(random))


def restored(whole: float, weak: float, back: float, random: float) -> Seen:
    """Accuracies as made, weakened, amplified along the written directions, and along the best random ones."""
    return Seen(
        f"accuracy {whole:.2f}, weakened {weak:.2f}, amplified {back:.2f}", whole > weak and back == whole,
        f"random directions at most {random:.2f}", random <= (whole + weak) / 2,
    )  # fmt: skip


def amplify(bench: Bench) -> Seen:
    """The measurement, which has to find the directions by probes."""
    count = bench.count("repaired")
    rows = bench.rows(
        bench.lookup(order=WEAK, prior=PRIOR), Amplify(draws=4, every=2), lookup.scenes(count), count
    )  # fmt: skip
    result = RESULTS["amplify"]
    assert result.summary is not None
    return corrected(result.summary.make(rows).frame)


def corrected(summary: pd.DataFrame) -> Seen:
    """Shares of the failures that are corrected, by the summary of Amplify: probes above random, intervals apart."""
    one = summary[(summary["form"] == "projected") & (summary["suite"] == lookup.SUITE)].set_index("directions")
    probe, random = one.loc["probe"], one.loc["random"]
    if pd.isna(probe["corrected"]) or pd.isna(random["corrected"]):
        return Seen("too few failures", False, "too few failures", False)

    def words(row: pd.Series[float]) -> str:
        return f"{row['corrected']:.2f} [{row['corrected_low']:.2f}, {row['corrected_high']:.2f}] of failures corrected"

    return Seen(
        f"{words(probe)} (alpha {probe['alpha']:g})", bool(probe["corrected_low"] > random["corrected_high"]),
        f"{words(random)}", bool(random["corrected"] <= 0.25),
    )  # fmt: skip


WEAKENED = f"by hand, its {len(DIRECTIONS)} directions weakened to {WEAK:g}"
CONTROLS: tuple[Control, ...] = (
    Control("amplify", "directions found by probes", f"{WEAKENED}: failures corrected, above random directions",
            "random directions: few corrected", amplify),
    Control("amplify", "repair with the known directions", f"{WEAKENED}: amplified by {ALPHA:g}, as before",
            "random directions: less than half of the way", repair),
)  # fmt: skip
