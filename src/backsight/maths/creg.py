"""Direction of relevance from the rows of Creg: every number beside its null and its floor, and methods in pairs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from backsight import schemas
from backsight.maths.grouping import SMALLEST, expect, groups, with_all
from backsight.maths.intervals import holm, means_over_images
from backsight.tables import Table

NULL, FLOOR, DEFAULT = "constant", "point_at_subject", "default"
METRICS = ("dae", "ea")
APART = ("point_at_subject", "subject_box", "random_sector", "geometry")  # references that are no rivals
BARE = ("dae_null", "dae_floor", "ea_null", "ea_floor", "dae_chosen")  # without an interval
FIGURES = (*(f"{name}{end}" for name in ("dae", "ea", "dae_gain", "ea_gain") for end in ("", "_low", "_high")), *BARE)
Row = dict[str, Any]


def creg_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """DAE and EA by suite, prompt, samples, subset, method, target and projection.

    `rest` leaves out the pictures that choices are made on. Subsets (right and wrong answers, directions) are of the
    default projection. A method's null and floor are those of the very questions for which it has a compass.
    """
    expect(rows, "creg")
    found: list[Row] = []
    frame = rows.frame
    for (suite, prompt), group in groups(frame, ["suite", "prompt"]):
        place = {"suite": suite, "prompt": prompt}
        found += [place | row for row in _missing(group)]
        asked = _beside(group[group["projection"].notna()])
        for samples, part in (("all", asked), ("rest", asked[asked["part"] == "rest"])):
            for projection, shown in part.groupby("projection", sort=False):
                subsets = _subsets(shown) if projection == DEFAULT else iter([("all", shown)])
                for subset, chosen in subsets:
                    named = {"samples": samples, "subset": subset, "projection": projection}
                    found += [place | named | row for row in _methods(chosen, smallest)]
    return Table.of(schemas.CREG_SUMMARY, found, rows.provenance)


def _missing(group: pd.DataFrame) -> Iterator[Row]:
    """A row for each method that the model cannot give."""
    cannot = group[group["method"].notna() & group["refused"].notna()]
    for method, part in cannot.groupby("method", sort=False):
        place = {"samples": "all", "subset": "all", "method": method, "target": None, "projection": DEFAULT}
        counted = {"questions": 0, "empty": len(part), "images": 0, "accuracy": None, "omitted": True}
        yield dict.fromkeys(FIGURES) | place | counted


def _subsets(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    right = frame["correct"].astype(bool)
    yield from with_all(frame)
    yield "correct", frame[right]
    yield "incorrect", frame[~right]


def _beside(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows with null and floor of the same question and projection as columns, and what is gained on the null."""
    keys = ["example_id", "projection"]
    for name, method in (("null", NULL), ("floor", FLOOR)):
        of = frame[frame["method"] == method].set_index(keys)[list(METRICS)]
        frame = frame.join(of.rename(columns={metric: f"{metric}_{name}" for metric in METRICS}), on=keys)
    return frame.assign(dae_gain=frame["dae_null"] - frame["dae"], ea_gain=frame["ea"] - frame["ea_null"])


def _methods(frame: pd.DataFrame, smallest: int) -> Iterator[Row]:
    """The rows of all methods over the same questions."""
    for values, part in groups(frame, ["method", "target"]):
        full = part[part["dae"].notna()]
        counted = dict(zip(("method", "target"), values, strict=True)) | {
            "questions": len(full), "empty": len(part) - len(full), "images": full["image_id"].nunique(),
            "accuracy": float(part["correct"].astype(float).mean()), "omitted": len(full) < smallest,
        }  # fmt: skip
        yield dict.fromkeys(FIGURES) | counted | ({} if counted["omitted"] else _figures(full))


def _figures(full: pd.DataFrame) -> Row:
    """Means of all columns, and intervals of the values and of the gains."""
    drawn = [name for name in FIGURES if f"{name}_low" in FIGURES]
    found: Row = {name: None if full[name].isna().all() else float(full[name].mean()) for name in BARE}
    intervals = means_over_images(full[drawn].to_numpy(dtype=float), full["image_id"].astype(str))
    for name, interval in zip(drawn, intervals, strict=True):
        found |= {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return found


def creg_pairs(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Every method's DAE less every other's for the same target, default projection, where both have a compass.

    Methods without a target, the layout null and random relevance stand beside both targets, and beside one another
    once, with the truth's. Wilcoxon's signed-rank test over images (its normal form, as angles tie), with Holm's
    correction over all pairs of a suite, prompt and target.
    """
    expect(rows, "creg")
    found: list[Row] = []
    frame = rows.frame
    frame = frame[(frame["projection"] == DEFAULT) & (frame["part"] == "rest") & ~frame["method"].isin(APART)]
    for (suite, prompt), group in groups(frame, ["suite", "prompt"]):
        for target in ("truth", "prediction"):
            part = group[group["target"].isna() | (group["target"] == target)]
            if not (part["target"] == target).any():
                continue
            found += [{"suite": suite, "prompt": prompt} | row for row in _pairs(part, target, smallest)]
    return Table.of(schemas.CREG_PAIRS, found, rows.provenance)


def _pairs(part: pd.DataFrame, target: str, smallest: int) -> list[Row]:
    """All pairs of the methods of one target."""
    table = part.pivot_table(index=["image_id", "example_id"], columns="method", values="dae", sort=False)
    names = [name for name in dict.fromkeys(part["method"]) if name in table]
    targeted = set(part.loc[part["target"].notna(), "method"])
    images = table.index.get_level_values("image_id").to_numpy().astype(str)
    values = {name: table[name].to_numpy(dtype=float) for name in names}
    made = []
    for one, other in combinations(names, 2):
        if target == "prediction" and not targeted & {one, other}:
            continue
        row = _pair(values[one] - values[other], images, smallest)
        row |= {"method": one, "target": target if one in targeted else None}
        made.append(row | {"other": other, "other_target": target if other in targeted else None})
    tested = [row for row in made if row["p_value"] is not None]
    for row, p in zip(tested, holm([row["p_value"] for row in tested]), strict=True):
        row["p_holm"] = p
    return made


def _pair(difference: NDArray[np.float64], images: NDArray[np.str_], smallest: int) -> Row:
    """The figures of one pair from the differences of all questions, missing where one side is."""
    given = ~np.isnan(difference)
    difference, images = difference[given], images[given]
    counted: Row = {"questions": len(difference), "images": len(set(images.tolist())), "p_value": None, "p_holm": None}
    if len(difference) < smallest:
        return counted | {"difference": None, "low": None, "high": None, "omitted": True}
    interval = means_over_images(difference[:, None], images)[0]
    _, index = np.unique(images, return_inverse=True)
    by_image = np.bincount(index, weights=difference) / np.bincount(index)
    p = float(stats.wilcoxon(by_image, method="approx").pvalue) if np.abs(by_image).max() > 0 else 1.0
    figures = {"difference": interval.mean, "low": interval.low, "high": interval.high}
    return counted | figures | {"p_value": p, "omitted": False}
