"""Curves by layer, and the layers that stand out, from the rows of interchange interventions.

A layer stands out where an outcome leads the others and is what the model says: among tiny probabilities one is always
the largest, and says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from backsight.maths.grouping import spans
from backsight.maths.intervals import mean_over_images

ANSWERED = 0.5  # of the pairs at least: in fewer than half the model says something else more often than this
GUESSED = 1 / 3  # a model that names one of a row's three things blindly; the share's interval must lie above it
NEITHER = "other"  # the top token is none of the outcomes
ANSWER = ("answer", "answer_low", "answer_high")


def curves(part: pd.DataFrame, outcomes: Sequence[str], smallest: int) -> Iterator[dict[str, Any]]:
    """A row a layer and outcome with the mean probability over kept pairs; one row, omitted, where they are few.

    `answer` is the share of the pairs in which the outcome is the model's answer.
    """
    kept = part[part["kept"].fillna(False)]
    pairs, dropped = kept["pair_id"].nunique(), part.loc[~part["kept"].fillna(False), "pair_id"].nunique()
    common: dict[str, Any] = {"pairs": pairs, "dropped": dropped}
    if pairs < smallest:
        empty = dict.fromkeys(("layer", "outcome", "probability", "low", "high", "interval", *ANSWER))
        yield common | empty | {"omitted": True}
        return
    for layer, at in kept.groupby("layer", sort=True):
        images = at["image_id"].astype(str)
        for outcome in outcomes:
            interval = mean_over_images(at[f"p_{outcome}"].astype(float), images)
            answer = mean_over_images(_answered(at, outcome).astype(float), images)
            yield (
                common
                | {"layer": int(str(layer)), "outcome": outcome, "probability": interval.mean}
                | {"low": interval.low, "high": interval.high, "interval": interval.kind, "omitted": False}
                | dict(zip(ANSWER, (answer.mean, answer.low, answer.high), strict=True))
            )


def _answered(rows: pd.DataFrame, outcome: str) -> pd.Series[bool]:
    """Whether an outcome is the model's answer: its most probable token, or more probable than all else together.

    The latter is all that rows of earlier releases tell, which do not say what their top token is.
    """
    return rows["top_outcome"].eq(outcome).fillna(False) | rows[f"p_{outcome}"].gt(0.5).fillna(False)


def standing_out(group: pd.DataFrame, outcome: str) -> dict[str, Any]:
    """The layers of a curve at which an outcome's interval lies above those of all others and it is the answer.

    `leading` are those at which it lies above them and is not. `peak_layer` is the first layer at which the outcome is
    the answer in most pairs, and `peak_share` in how many; missing in a summary of an earlier release, of which those
    layers count at which the probability's interval lies above one half.
    """
    row: dict[str, Any] = {"layers": "", "leading": "", "peak_layer": None, "peak_share": None}
    omitted = bool(group["omitted"].any())
    if not omitted:
        of = group[group["outcome"] == outcome].sort_values("layer")
        layers = [int(layer) for layer in of["layer"]]
        highest: dict[int, float] = {}
        others = group[group["outcome"] != outcome]
        for layer, high in zip(others["layer"].tolist(), others["high"].tolist(), strict=True):
            highest[layer] = max(high, highest.get(layer, high))
        lows = zip(layers, of["low"].tolist(), strict=True)
        leads = [bool(highest.get(layer, float("-inf")) < low) for layer, low in lows]
        ends = zip(of["answer"], of["answer_low"], of["low"], strict=True)
        counting = [is_answer(*one) for one in ends]
        row["layers"] = spans([n for n, lead, yes in zip(layers, leads, counting, strict=True) if lead and yes])
        row["leading"] = spans([n for n, lead, yes in zip(layers, leads, counting, strict=True) if lead and not yes])
        if of["answer"].notna().any():
            shares = of["answer"].to_numpy(dtype=float, na_value=float("-inf"))
            row |= {"peak_layer": layers[shares.argmax()], "peak_share": float(shares.max())}
    numbers = {"pairs": int(group["pairs"].max()), "dropped": int(group["dropped"].max())}
    return row | {"found": bool(row["layers"]), "omitted": omitted} | numbers


def is_answer(share: float, share_low: float, low: float) -> bool:
    """Whether an outcome is the model's answer at a layer: the share of pairs in which it is, with its lower end.

    `low` is that of its mean probability, which decides where the share is missing.
    """
    if pd.isna(share):
        return bool(low > 0.5)
    return bool(share >= ANSWERED and share_low > GUESSED)
