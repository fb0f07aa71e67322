"""Curves by layer, and the layers that stand out, from the rows of interchange interventions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from backsight import schemas
from backsight.maths.grouping import SMALLEST, expect, groups, spans, with_all, with_axes
from backsight.maths.intervals import mean_over_images
from backsight.tables import Table

OUTCOMES = ("clean", "ordinal", "counterfactual")
IMAGE_OUTCOMES = ("clean", "flipped")


def interchange_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """The probability of each outcome by layer of `interchange` rows, by suite and direction (and all).

    Where fewer than `smallest` pairs were kept there is one row, marked omitted, with the counts.
    """
    expect(rows, "interchange")
    found: list[dict[str, Any]] = []
    for (suite,), group in groups(rows.frame, ["suite"]):
        for direction, part in with_all(group):
            found += [{"suite": suite, "direction": direction} | row for row in curves(part, OUTCOMES, smallest)]
    return Table.of(schemas.INTERCHANGE_SUMMARY, found, rows.provenance)


def order_layers(summary: Table) -> Table:
    """The layers where the ordinal outcome exceeds both others with disjoint intervals (Dual Mechanisms, 5.1)."""
    expect(summary, "interchange_summary")
    found = []
    for (suite, direction), group in groups(summary.frame, ["suite", "direction"]):
        found.append({"suite": suite, "direction": direction} | standing_out(group, "ordinal"))
    return Table.of(schemas.ORDER_LAYERS, found, summary.provenance)


def image_interchange_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """The clean and the flipped answer's probability by layer of `image_interchange` rows.

    By suite, vision (intact, removed), tokens (objects, strips) and direction, with both axes and all together.
    """
    expect(rows, "image_interchange")
    found: list[dict[str, Any]] = []
    keys = ["suite", "vision", "tokens"]
    for values, group in groups(rows.frame, keys):
        for direction, part in with_axes(group):
            common = dict(zip(keys, values, strict=True)) | {"direction": direction}
            found += [common | row for row in curves(part, IMAGE_OUTCOMES, smallest)]
    return Table.of(schemas.IMAGE_INTERCHANGE_SUMMARY, found, rows.provenance)


def flip_layers(summary: Table) -> Table:
    """The layers where the flipped answer exceeds the clean one with disjoint intervals (Dual Mechanisms, 5.3.2)."""
    expect(summary, "image_interchange_summary")
    found = []
    keys = ["suite", "vision", "tokens", "direction"]
    for values, group in groups(summary.frame, keys):
        found.append(dict(zip(keys, values, strict=True)) | standing_out(group, "flipped"))
    return Table.of(schemas.FLIP_LAYERS, found, summary.provenance)


def axes(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Vertical against horizontal: the flipped answer's mean probability over all layers, the same rows both ways.

    Pairs of one group ask the same three things along either axis; only groups of which both were kept count. The
    difference (vertical - horizontal) has a bootstrap interval over groups and Wilcoxon's signed-rank test. Source
    of the claim: Dual Mechanisms, 5.3.2 (vertical arrangements strengthen the language model's own order).
    """
    from scipy import stats  # a second of imports that nothing else before a summary needs

    expect(rows, "image_interchange")
    found = []
    keys = ["suite", "vision", "tokens"]
    for values, group in groups(rows.frame[rows.frame["kept"].fillna(False)], keys):
        means = group.groupby(["group", "pair_id", "direction"])["p_flipped"].mean().reset_index()
        means["axis"] = np.where(means["direction"].isin(["left", "right"]), "horizontal", "vertical")
        both = means.pivot_table(index="group", columns="axis", values="p_flipped", aggfunc="mean").dropna()
        if not {"horizontal", "vertical"} <= set(both.columns):
            continue
        count, omitted = len(both), len(both) < smallest
        difference = (both["vertical"] - both["horizontal"]).to_numpy(float)
        interval = mean_over_images(difference, np.arange(count), shares=False)
        tested = None if omitted or not difference.any() else float(stats.wilcoxon(difference).pvalue)
        numbers = {
            "vertical": float(both["vertical"].mean()), "horizontal": float(both["horizontal"].mean()),
            "difference": interval.mean, "low": interval.low, "high": interval.high,
        }  # fmt: skip
        found.append(
            dict(zip(keys, values, strict=True))
            | {"rows": count, "p_value": tested, "omitted": omitted}
            | {name: None if omitted else value for name, value in numbers.items()}
        )
    return Table.of(schemas.AXES, found, rows.provenance)


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
            interval = mean_over_images(at[f"p_{outcome}"].astype(float), at["image_id"].astype(str), shares=False)
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
