"""Direction of relevance from the rows of Creg: every number beside its null and its floor, and methods in pairs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pandas as pd
from scipy import stats

from backsight import schemas
from backsight.maths.grouping import SMALLEST, expect, groups, with_all
from backsight.maths.intervals import holm, means_over_images
from backsight.tables import Table

NULL, FLOOR, DEFAULT = "constant", "point_at_subject", "default"
METRICS = ("dae", "ea")
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


def _key(frame: pd.DataFrame) -> pd.Series[str]:
    """Method and target in one word, so that references and methods stand side by side as columns."""
    return frame["method"].where(frame["target"].isna(), frame["method"] + ":" + frame["target"].astype(str))


def creg_pairs(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Every method's DAE less every other's, on the questions for which both have a compass, default projection.

    Wilcoxon's signed-rank test over images, with Holm's correction over all pairs of a suite and prompt. References
    take part by their layout null and by random relevance.
    """
    expect(rows, "creg")
    found: list[Row] = []
    frame = rows.frame
    frame = frame[(frame["projection"] == DEFAULT) & (frame["part"] == "rest")]
    for (suite, prompt), group in groups(frame, ["suite", "prompt"]):
        table = group.pivot_table(index=["image_id", "example_id"], columns=_key(group), values="dae", sort=False)
        names = [
            n
            for n in dict.fromkeys(_key(group))
            if n in table and (":" in n or n in ("rollout", NULL, "random_relevance"))
        ]
        made = [_pair(table, one, other, smallest) for one, other in combinations(names, 2)]
        tested = [row for row in made if row["p_value"] is not None]
        for row, p in zip(tested, holm([row["p_value"] for row in tested]), strict=True):
            row["p_holm"] = p
        found += [{"suite": suite, "prompt": prompt} | row for row in made]
    return Table.of(schemas.CREG_PAIRS, found, rows.provenance)


def _pair(table: pd.DataFrame, one: str, other: str, smallest: int) -> Row:
    both = table[[one, other]].dropna()
    difference = both[one] - both[other]
    images = both.index.get_level_values("image_id").astype(str)
    names: Row = {}
    for column, name in (("method", one), ("other", other)):
        method, _, target = name.partition(":")
        names |= {column: method, "target" if column == "method" else "other_target": target or None}
    counted = names | {"questions": len(both), "images": images.nunique(), "p_value": None, "p_holm": None}
    if len(both) < smallest:
        return counted | {"difference": None, "low": None, "high": None, "omitted": True}
    interval = means_over_images(difference.to_numpy()[:, None], images)[0]
    by_image = difference.groupby(images).mean()
    p = 1.0 if not by_image.abs().max() > 0 else float(stats.wilcoxon(by_image).pvalue)
    low, high = interval.low, interval.high
    return counted | {"difference": interval.mean, "low": low, "high": high, "p_value": p, "omitted": False}
