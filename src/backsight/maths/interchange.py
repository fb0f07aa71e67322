"""Curves by layer, and the layers that stand out, from the rows of interchange interventions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from backsight.maths.grouping import spans
from backsight.maths.intervals import mean_over_images


def curves(part: pd.DataFrame, outcomes: Sequence[str], smallest: int) -> Iterator[dict[str, Any]]:
    """A row a layer and outcome with the mean probability over kept pairs; one row, omitted, where they are few."""
    kept = part[part["kept"].fillna(False)]
    pairs, dropped = kept["pair_id"].nunique(), part.loc[~part["kept"].fillna(False), "pair_id"].nunique()
    common: dict[str, Any] = {"pairs": pairs, "dropped": dropped}
    if pairs < smallest:
        empty = dict.fromkeys(("layer", "outcome", "probability", "low", "high", "interval"))
        yield common | empty | {"omitted": True}
        return
    for layer, at in kept.groupby("layer", sort=True):
        for outcome in outcomes:
            interval = mean_over_images(at[f"p_{outcome}"].astype(float), at["image_id"].astype(str))
            yield (
                common
                | {"layer": int(str(layer)), "outcome": outcome, "probability": interval.mean}
                | {"low": interval.low, "high": interval.high, "interval": interval.kind, "omitted": False}
            )


def standing_out(group: pd.DataFrame, outcome: str) -> dict[str, Any]:
    """The layers of a curve at which an outcome's interval lies above those of all others."""
    omitted = bool(group["omitted"].any())
    layers: list[int] = []
    if not omitted:
        low = group.pivot(index="layer", columns="outcome", values="low")
        high = group.pivot(index="layer", columns="outcome", values="high").drop(columns=outcome)
        above = high.lt(low[outcome], axis=0).all(axis=1)
        layers = [int(layer) for layer in low.index[above.to_numpy(dtype=bool)]]
    counts = {"pairs": int(group["pairs"].max()), "dropped": int(group["dropped"].max())}
    return {"layers": spans(layers), "found": bool(layers), "omitted": omitted} | counts
