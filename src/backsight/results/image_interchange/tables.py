"""Tables of interchanged image tokens: curves by layer, the layers that flip, and one axis against the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from backsight.maths.comparison import sign_flips
from backsight.maths.grouping import SMALLEST, expect, groups, with_axes
from backsight.maths.interchange import curves, standing_out
from backsight.maths.intervals import mean_over_images
from backsight.tables import Schema, Table

IMAGE_INTERCHANGE = Schema(
    "image_interchange",
    {
        "pair_id": "str",
        "image_id": "str",  # of the clean example
        "group": "str",  # the same row asked along the other axis has the same group
        "suite": "str",
        "direction": "str",
        "vision": "str",  # intact, or removed: the order that the vision encoder wrote is taken out of both runs
        "tokens": "str",  # objects, strips
        "layer": "int",  # missing in the single row of a pair that was dropped
        "p_clean": "float",
        "p_flipped": "float",  # of the entity on the other side
        "top_token": "str",
        "top_outcome": "str",  # the outcome that the top token is: clean, flipped; other
        "kept": "bool",  # both runs answer correctly
        "clean_choice": "str",
        "counterfactual_choice": "str",
    },
    "Interchange of image tokens, one row a pair, set of tokens and layer",
)
IMAGE_INTERCHANGE_SUMMARY = Schema(
    "image_interchange_summary",
    {
        "suite": "str",
        "vision": "str",
        "tokens": "str",
        "direction": "str",  # or horizontal, vertical, all
        "layer": "int",
        "outcome": "str",  # clean, flipped
        "probability": "float",
        "low": "float",
        "high": "float",
        "pairs": "int",
        "dropped": "int",
        "interval": "str",
        "answer": "float",  # share of the pairs in which the outcome is the model's answer
        "answer_low": "float",
        "answer_high": "float",
        "omitted": "bool",
    },
    "Probability of the clean and the flipped answer by layer, with 95 % intervals",
)
FLIP_LAYERS = Schema(
    "flip_layers",
    {
        "suite": "str",
        "vision": "str",
        "tokens": "str",
        "direction": "str",
        "layers": "str",  # as 3-5, 7; empty where there is none
        "found": "bool",
        "leading": "str",  # layers where the flipped answer leads the clean one and is not the model's
        "peak_layer": "int",  # the first layer at which it is the model's answer in most pairs
        "peak_share": "float",  # and the share of the pairs in which it is
        "pairs": "int",
        "dropped": "int",
        "omitted": "bool",
    },
    "Layers at which swapped image tokens flip the answer",
)
AXES = Schema(
    "axes",
    {
        "suite": "str",
        "vision": "str",
        "tokens": "str",
        "rows": "int",  # of three things, asked along both axes and kept along both
        "vertical": "float",
        "horizontal": "float",
        "difference": "float",  # vertical - horizontal, of the flipped answer's mean probability over all layers
        "low": "float",
        "high": "float",
        "p_value": "float",  # of the mean difference: sign flips over rows, two-sided
        "omitted": "bool",
    },
    "Vertical against horizontal: the flipped answer's probability over all layers",
)
OUTCOMES = ("clean", "flipped")


def image_interchange_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """The clean and the flipped answer's probability by layer of `image_interchange` rows.

    By suite, vision (intact, removed), tokens (objects, strips) and direction, with both axes and all together.
    """
    expect(rows, "image_interchange")
    summary: list[dict[str, Any]] = []
    keys = ["suite", "vision", "tokens"]
    for values, group in groups(rows.frame, keys):
        for direction, part in with_axes(group):
            common = dict(zip(keys, values, strict=True)) | {"direction": direction}
            summary += [common | row for row in curves(part, OUTCOMES, smallest)]
    return Table.of(IMAGE_INTERCHANGE_SUMMARY, summary, rows.provenance)


def flip_layers(summary: Table) -> Table:
    """The layers where the flipped answer exceeds the clean one with disjoint intervals (Dual Mechanisms, 5.3.2).

    It must be the model's answer there, by `maths.interchange.is_answer`.
    """
    expect(summary, "image_interchange_summary")
    layers = []
    keys = ["suite", "vision", "tokens", "direction"]
    for values, group in groups(summary.frame, keys):
        layers.append(dict(zip(keys, values, strict=True)) | standing_out(group, "flipped"))
    return Table.of(FLIP_LAYERS, layers, summary.provenance)


def axes(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Vertical against horizontal: the flipped answer's mean probability over all layers, the same rows both ways.

    Pairs of one group ask the same three things along either axis; only groups of which both were kept count. The
    difference (vertical - horizontal) has a bootstrap interval over groups and a two-sided test of its mean, by sign
    flips over groups. Source of the claim: Dual Mechanisms, 5.3.2 (vertical arrangements strengthen the language
    model's own order).
    """
    expect(rows, "image_interchange")
    compared = []
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
        tested = None if omitted else sign_flips(difference, np.arange(count))
        numbers = {
            "vertical": float(both["vertical"].mean()), "horizontal": float(both["horizontal"].mean()),
            "difference": interval.mean, "low": interval.low, "high": interval.high,
        }  # fmt: skip
        compared.append(
            dict(zip(keys, values, strict=True))
            | {"rows": count, "p_value": tested, "omitted": omitted}
            | {name: None if omitted else value for name, value in numbers.items()}
        )
    return Table.of(AXES, compared, rows.provenance)
