"""Controls of relevance: against the tokens' causal effects, in a mirror, and with the subject moved.

Every figure stands beside that of constant relevance on the very same questions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from backsight import schemas
from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.intervals import Interval, means_over_images
from backsight.tables import Table

NULL = "constant"
Row = dict[str, Any]


def knockout_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Rank correlation with the tokens' effects and angle to their compass, by suite, prompt, form and method."""
    expect(rows, "knockout")
    found: list[Row] = []
    keys = ["suite", "prompt", "form"]
    for values, group in groups(rows.frame, keys):
        null = group[group["method"] == NULL].set_index("example_id")["angle"]
        for (method,), part in groups(group, ["method"]):
            row: Row = dict.fromkeys(schemas.KNOCKOUT_SUMMARY.columns) | dict(zip(keys, values, strict=True))
            row |= {"method": method, "questions": len(part), "images": part["image_id"].nunique()}
            row |= {"angles": int(part["angle"].notna().sum()), "omitted": len(part) < smallest}
            if not row["omitted"]:
                before = part["example_id"].map(null).where(part["angle"].notna())
                gained = before - part["angle"]
                row |= _named("correlation", _mean(part["correlation"], part), "correlation")
                row |= _named("angle", _mean(part["angle"], part), "angle")
                row |= _named("angle_gain", _mean(gained, part), "gain")
                row["angle_null"] = _plain(before)
                row |= {"dae": _plain(part["dae"]), "ea": _plain(part["ea"])}
            found.append(row)
    return Table.of(schemas.KNOCKOUT_SUMMARY, found, rows.provenance)


def flip_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Pearson's r of compass and mirrored compass, the mean over questions and pooled, by suite, prompt and method.

    A question whose compass is the same in every sector has no r of its own.
    """
    expect(rows, "flip")
    found: list[Row] = []
    for (suite, prompt), group in groups(rows.frame, ["suite", "prompt"]):
        null = group[group["method"] == NULL]
        own = null.groupby("example_id", sort=False)[["share", "share_mirrored"]].apply(equivariance)
        for (method, target), part in groups(group, ["method", "target"]):
            each = part.groupby("example_id", sort=False)[["share", "share_mirrored"]].apply(equivariance)
            images = part.drop_duplicates("example_id").set_index("example_id")["image_id"]
            row: Row = dict.fromkeys(schemas.FLIP_SUMMARY.columns) | {"suite": suite, "prompt": prompt}
            row |= {"method": method, "target": target, "questions": len(each), "images": images.nunique()}
            row["omitted"] = len(each) < smallest
            if not row["omitted"]:
                interval = _mean(each, pd.DataFrame({"image_id": images.loc[each.index]}))
                row |= _named("r", interval, "") | {"r_pooled": equivariance(part)}
                same = null[null["example_id"].isin(each.index)]
                row |= {"r_null": _plain(own.loc[own.index.isin(each.index)]), "r_pooled_null": equivariance(same)}
            found.append(row)
    return Table.of(schemas.FLIP_SUMMARY, found, rows.provenance)


def moved_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """How near the compass's turn comes to the subject's, by suite, prompt, method and target."""
    expect(rows, "moved")
    found: list[Row] = []
    for (suite, prompt), group in groups(rows.frame, ["suite", "prompt"]):
        null = group[group["method"] == NULL].set_index("example_id")["followed"]
        for (method, target), part in groups(group, ["method", "target"]):
            row: Row = dict.fromkeys(schemas.MOVED_SUMMARY.columns) | {"suite": suite, "prompt": prompt}
            row |= {"method": method, "target": target, "questions": len(part), "images": part["image_id"].nunique()}
            row["omitted"] = len(part) < smallest
            if not row["omitted"]:
                before = part["example_id"].map(null)
                row |= _named("followed", _mean(part["followed"], part), "")
                row |= _named("gain", _mean(before - part["followed"], part), "gain")
                row |= {name: _plain(part[name]) for name in ("turned", "dae", "dae_moved")}
                row["followed_null"] = _plain(before)
            found.append(row)
    return Table.of(schemas.MOVED_SUMMARY, found, rows.provenance)


def _mean(values: pd.Series[float], part: pd.DataFrame) -> Interval | None:
    """The mean with its interval over images, of the questions that have a value."""
    given = values.notna().to_numpy()
    if not given.any():
        return None
    return means_over_images(
        values[given].to_numpy(dtype=float)[:, None], part["image_id"].to_numpy()[given].astype(str)
    )[0]


def _named(name: str, interval: Interval | None, ends: str) -> Row:
    """A mean under its name and the ends of its interval as `ends`_low and `ends`_high."""
    if interval is None:
        return {}
    low, high = (f"{ends}_low", f"{ends}_high") if ends else ("low", "high")
    return {name: interval.mean, low: interval.low, high: interval.high}


def _plain(values: pd.Series[float]) -> float | None:
    return float(values.mean()) if values.notna().any() else None


def equivariance(shares: pd.DataFrame) -> float:
    """Pearson's r of the two compasses; not a number where one of them is the same everywhere."""
    one, other = shares["share"].to_numpy(), shares["share_mirrored"].to_numpy()
    return float(np.corrcoef(one, other)[0, 1]) if np.ptp(one) > 0 and np.ptp(other) > 0 else float("nan")
