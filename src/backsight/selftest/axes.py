"""Controls of the axis verdict: models that were trained to answer one axis without the picture, or the wrong way
round, and the other axis properly."""

from __future__ import annotations

import pandas as pd

from backsight.measurements import Behaviour
from backsight.results.behaviour import behaviour_axes
from backsight.selftest.base import Bench, Control, Seen

EXPECTED = {"prior": ("vertical", "prior"), "inverted": ("horizontal", "inverted")}  # the faulty axis and its verdict


def axis_verdicts(bench: Bench) -> Seen:
    """The verdicts on both axes of Squares of both models."""
    by_model = {}
    for name in EXPECTED:
        vlm = bench.builtin(name)
        rows = bench.rows(vlm, Behaviour(batch=32), bench.squares(vlm), 2 * bench.count("rows"))
        by_model[name] = behaviour_axes(rows).frame.set_index("axis")
    return sorted_axes(by_model)


def sorted_axes(by_model: dict[str, pd.DataFrame]) -> Seen:
    """Verdicts by model, indexed by axis: the faulty axis has its word, the other one is grounded."""
    fired, did, fires, silent = [], [], True, True
    for name, (axis, word) in EXPECTED.items():
        verdicts = by_model[name]["verdict"]
        other = next(one for one in verdicts.index if one != axis)
        fired.append(f"{name}, {axis}: {verdicts[axis]}")
        did.append(f"{name}, {other}: {verdicts[other]}")
        fires &= bool(verdicts[axis] == word)
        silent &= bool(verdicts[other] == "grounded")
    return Seen("; ".join(fired), fires, "; ".join(did), silent)


CONTROLS: tuple[Control, ...] = (
    Control("behaviour", "axis verdict", "above and below of prior: prior; left and right of inverted: inverted",
            "the other axis of both: grounded", axis_verdicts, tuple(EXPECTED)),
)  # fmt: skip
