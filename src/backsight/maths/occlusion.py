"""Causal occlusion scores: of the true sector, and of the one that a method indicates.

COS = change of log p with the opposite sector hidden, less the change with the sector itself hidden (CREG, equation
8): above zero, the sector matters more to the answer than what lies across. The same against its two neighbours is
stricter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from backsight import schemas
from backsight.maths.compass import sector_of
from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.intervals import means_over_images
from backsight.tables import Table

DEFAULT = "default"
OVER = {"options": "log_p", "vocabulary": "log_p_vocabulary"}
FIGURES = ("change", "change_opposite", "change_adjacent", "score", "low", "high",
           "against_adjacent", "adjacent_low", "adjacent_high")  # fmt: skip
Row = dict[str, Any]


def occlusion_summary(rows: Table, relevance: Table | None = None, *, smallest: int = SMALLEST) -> Table:
    """Scores by suite, prompt, variant, read-out and sector, from rows of Occlusion and, for methods, those of Creg.

    A method's sector is its peak under the default projection; a question whose peak is shared by several sectors, or
    whose compass is empty, is left out for that method.
    """
    expect(rows, "occlusion")
    found: list[Row] = []
    frame = rows.frame[rows.frame["refused"].isna()]
    indicated = None if relevance is None else _peaks(relevance)
    for (suite, prompt), group in groups(frame, ["suite", "prompt"]):
        plain = group[group["variant"].isna()].set_index("example_id")
        methods = list(_of(indicated, suite, prompt))
        for variant, hidden in group[group["variant"].notna()].groupby("variant", sort=False):
            for over, column in OVER.items():
                place = {"suite": suite, "prompt": prompt, "variant": variant, "over": over}
                changes = hidden.pivot_table(index="example_id", columns="sector", values=column, sort=False)
                changes = changes.sort_index(axis=1).sub(plain[column], axis=0).dropna()
                scored = _Changes(changes, plain["image_id"])
                true = plain.loc[changes.index, "true"].map(lambda a, n=changes.shape[1]: sector_of(a, n))
                found.append(place | {"sector": "true"} | scored.row(true, smallest))
                for names, peaks in methods:
                    found.append(place | {"sector": "indicated"} | scored.row(peaks, smallest) | names)
    return Table.of(schemas.OCCLUSION_SUMMARY, found, rows.provenance)


class _Changes:
    """Changes of log p of some questions, (question, sector)."""

    def __init__(self, changes: pd.DataFrame, images: pd.Series[str]) -> None:
        self.changes, self.images = changes, images

    def row(self, sectors: pd.Series[int], smallest: int) -> Row:
        """The scores of one sector a question; `sectors` is indexed by example_id."""
        chosen = sectors[sectors.index.isin(self.changes.index)].astype(int)
        values = self.changes.loc[chosen.index].to_numpy(dtype=float)
        images = self.images.loc[chosen.index].astype(str)
        counted: Row = {"method": None, "target": None, "questions": len(chosen), "images": images.nunique()}
        if images.nunique() < smallest:
            return dict.fromkeys(FIGURES) | counted | {"omitted": True}
        at, count = chosen.to_numpy(), values.shape[1]
        rows = np.arange(len(at))
        own, across = values[rows, at], values[rows, (at + count // 2) % count]
        beside = (values[rows, (at + 1) % count] + values[rows, (at - 1) % count]) / 2
        figures = np.stack([own, across, beside, across - own, beside - own], 1)
        change, opposite, adjacent, score, against = means_over_images(figures, images)
        return counted | {
            "change": change.mean, "change_opposite": opposite.mean, "change_adjacent": adjacent.mean,
            "score": score.mean, "low": score.low, "high": score.high, "against_adjacent": against.mean,
            "adjacent_low": against.low, "adjacent_high": against.high, "omitted": False,
        }  # fmt: skip


def _peaks(relevance: Table) -> pd.DataFrame:
    """The rows of methods with one peak under the default projection."""
    expect(relevance, "creg")
    frame = relevance.frame
    single = (frame["projection"] == DEFAULT) & (frame["tied"] == 1) & frame["peak"].notna()
    return frame[single & (frame["method"] != "geometry")]


def _of(peaks: pd.DataFrame | None, suite: object, prompt: object) -> Iterator[tuple[Row, pd.Series[int]]]:
    """Each method's sectors on the questions of a suite and prompt."""
    if peaks is None:
        return
    same = peaks["prompt"].isna() if prompt is None else peaks["prompt"] == prompt
    for (method, target), part in groups(peaks[(peaks["suite"] == suite) & same], ["method", "target"]):
        sectors = part.set_index("example_id")
        yield (
            {"method": method, "target": target},
            pd.Series([sector_of(a, n) for a, n in zip(sectors["peak"], sectors["sectors"], strict=True)],
                      index=sectors.index),
        )  # fmt: skip
