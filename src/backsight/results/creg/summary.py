"""The summary of CREG's rows: every number beside the baseline and the best possible, on the very same questions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.maths.grouping import SMALLEST, expect, groups, with_all
from backsight.maths.intervals import means_over_images
from backsight.maths.relevance import DEFAULT, FLOOR, NULL
from backsight.results.creg.schema import ROWS, SUMMARY
from backsight.tables import Table

METRICS = ("dae", "ea")
BARE = ("dae_null", "dae_floor", "ea_null", "ea_floor", "dae_chosen")  # without an interval
MEASURED = ("dae", "ea", "dae_gain", "ea_gain")  # with one
ENDS = ("", "_low", "_high")
COMPLETE = tuple(f"completeness{end}" for end in ENDS)
FIGURES = (*(f"{name}{end}" for name in MEASURED for end in ENDS), *BARE, "chosen_questions", *COMPLETE, "missing")
Row = dict[str, Any]
Floats = NDArray[np.float64]


def creg_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """DAE and EA by suite, prompt, samples, subset, method, target and projection.

    `rest` leaves out the pictures that choices are made on. Subsets (correct and incorrect answers, directions) are of
    the default projection. A method's null and floor are those of the very questions for which it has a compass.
    """
    expect(rows, ROWS.name)
    summary: list[Row] = []
    frame = rows.frame
    for (suite, prompt), group in groups(frame, ["suite", "prompt"]):
        place = {"suite": suite, "prompt": prompt}
        summary += [place | row for row in _missing(group)]
        asked = group[group["projection"].notna()]
        for samples, part in (("all", asked), ("rest", asked[asked["part"] == "rest"])):
            for projection, shown in part.groupby("projection", sort=False):
                subsets = _subsets(shown) if projection == DEFAULT else iter([("all", shown)])
                for subset, chosen in subsets:
                    named = {"samples": samples, "subset": subset, "projection": projection}
                    summary += [place | named | row for row in _methods(chosen, smallest)]
    return Table.of(SUMMARY, summary, rows.provenance)


def _missing(group: pd.DataFrame) -> Iterator[Row]:
    """A row for each method that the model cannot give."""
    cannot = group[group["method"].notna() & group["refused"].notna()]
    for method, part in cannot.groupby("method", sort=False):
        place = {"samples": "all", "subset": "all", "method": method, "target": None, "projection": DEFAULT}
        counted = {"questions": 0, "empty": len(part), "images": 0, "accuracy": None, "omitted": True}
        yield dict.fromkeys(FIGURES) | place | counted | {"missing": part["refused"].iloc[0]}


def _subsets(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    right = frame["correct"].astype(bool)
    yield from with_all(frame)
    yield "correct", frame[right]
    yield "incorrect", frame[~right]


def _methods(frame: pd.DataFrame, smallest: int) -> Iterator[Row]:
    """The rows of all methods over the same questions, from matrices (question, method)."""
    if len(frame) == 0:
        return
    question, ids = pd.factorize(frame["example_id"])
    targets = frame["target"].astype(object).where(frame["target"].notna(), None)
    pairs = list(zip(frame["method"], targets, strict=True))
    names = list(dict.fromkeys(pairs))
    method = np.array([names.index(pair) for pair in pairs])

    def matrix(column: str) -> Floats:
        values_of = np.full((len(ids), len(names)), np.nan)
        values_of[question, method] = frame[column].to_numpy(dtype=float, na_value=np.nan)
        return values_of

    once = frame.drop_duplicates("example_id")
    images, right = once["image_id"].to_numpy().astype(str), once["correct"].to_numpy(dtype=float)
    values = {name: matrix(name) for name in (*METRICS, "dae_chosen")}
    for metric, sign in (("dae", -1), ("ea", 1)):
        for name, reference in (("null", NULL), ("floor", FLOOR)):
            values[f"{metric}_{name}"] = values[metric][:, [names.index((reference, None))]]
        values[f"{metric}_gain"] = sign * (values[metric] - values[f"{metric}_null"])
    figures = _figures(values, images, smallest)
    complete = matrix("completeness") if "completeness" in frame else np.full_like(values["dae"], np.nan)
    for place, (name, target) in enumerate(names):
        full = ~np.isnan(values["dae"][:, place])
        asked = np.zeros(len(ids), dtype=bool)
        asked[question[method == place]] = True
        yield dict.fromkeys(FIGURES) | figures.get(place, {}) | _complete(complete[:, place]) | {
            "method": name, "target": target, "questions": int(full.sum()), "empty": int((asked & ~full).sum()),
            "images": len(set(images[full])), "accuracy": float(right[asked].mean()),
            "omitted": len(set(images[full])) < smallest,
        }  # fmt: skip


def _complete(shares: Floats) -> Row:
    """The median completeness of some questions, the least and the most; of other methods than integrated gradients
    none."""
    given = shares[~np.isnan(shares)]
    if not len(given):
        return {}
    return dict(zip(COMPLETE, (float(np.median(given)), float(given.min()), float(given.max())), strict=True))


def _figures(values: dict[str, Floats], images: NDArray[np.str_], smallest: int) -> dict[int, Row]:
    """Means of all columns, and intervals of the values and of the gains, of each method with enough questions.

    Enough are `smallest` images: questions about one picture are one sample. Methods with a compass on the same
    questions are drawn together.
    """
    full = ~np.isnan(values["dae"])
    alike: dict[bytes, list[int]] = {}
    for place, column in enumerate(full.T):
        if len(set(images[column])) >= smallest:
            alike.setdefault(column.tobytes(), []).append(place)
    by_method: dict[int, Row] = {}
    for places in alike.values():
        given = full[:, places[0]]
        columns = np.concatenate([values[name][given][:, places] for name in MEASURED], axis=1)
        shares = [name == "ea" for name in MEASURED for _ in places]
        intervals = iter(means_over_images(columns, images[given], shares=shares))
        rows: list[Row] = [{} for _ in places]
        for name in MEASURED:
            for row in rows:
                interval = next(intervals)
                row |= {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
        for name in BARE:
            for row, place in zip(rows, places, strict=True):
                column = values[name][given, place if values[name].shape[1] > 1 else 0]
                there = ~np.isnan(column)
                enough = name != "dae_chosen" or len(set(images[given][there])) >= smallest
                row[name] = float(column[there].mean()) if there.any() and enough else None
                if name == "dae_chosen":
                    row["chosen_questions"] = int(there.sum())
        by_method |= dict(zip(places, rows, strict=True))
    return by_method
