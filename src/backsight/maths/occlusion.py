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
from numpy.typing import NDArray

from backsight import schemas
from backsight.maths.compass import sector_of
from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.intervals import means_over_images
from backsight.tables import Table

DEFAULT = "default"
READ = {  # whose log p, over what: the column
    ("truth", "options"): "log_p",
    ("truth", "vocabulary"): "log_p_vocabulary",
    ("prediction", "options"): "log_p_chosen",
    ("prediction", "vocabulary"): "log_p_chosen_vocabulary",
}
NULL = "constant"
SCORED = ("change", "change_opposite", "change_adjacent", "score", "low", "high",
          "against_adjacent", "adjacent_low", "adjacent_high")  # fmt: skip
GAINED = ("gain", "gain_low", "gain_high", "gain_questions")
Row = dict[str, Any]
Floats = NDArray[np.float64]
Places = NDArray[np.int64]


def occlusion_summary(rows: Table, relevance: Table | None = None, *, smallest: int = SMALLEST) -> Table:
    """Scores by suite, prompt, variant, read-out and sector, from rows of Occlusion and, for methods, those of Creg.

    A method's sector is its peak under the default projection; a question whose peak is shared by several sectors, or
    whose compass is empty, is left out for that method. Every score is of log p of the truth and of the model's choice.
    A method's gain is on the layout's own peak.
    """
    expect(rows, "occlusion")
    found: list[Row] = []
    frame = rows.frame[rows.frame["refused"].isna()]
    indicated = None if relevance is None else _peaks(relevance)
    for (suite, prompt), group in groups(frame, ["suite", "prompt"]):
        plain = group[group["variant"].isna()].set_index("example_id")
        methods = list(_of(indicated, suite, prompt))
        for variant, hidden in group[group["variant"].notna()].groupby("variant", sort=False):
            for (of, over), column in READ.items():
                place = {"suite": suite, "prompt": prompt, "variant": variant, "over": over, "of": of}
                changes = hidden.pivot_table(index="example_id", columns="sector", values=column, sort=False)
                changes = changes.sort_index(axis=1).sub(plain[column], axis=0).dropna()
                if changes.shape[1] == 0:  # not one finite number
                    continue
                scored = _Changes(changes, plain["image_id"], smallest)
                true = plain.loc[changes.index, "true"].map(lambda a, n=changes.shape[1]: sector_of(a, n))
                found.append(place | {"sector": "true"} | scored.row(scored.places(true)))
                at = [scored.places(peaks) for _, peaks in methods]
                layouts = [own for (names, _), own in zip(methods, at, strict=True) if names["method"] == NULL]
                for (names, _), own in zip(methods, at, strict=True):
                    gained = scored.gain(own, layouts[0]) if layouts and names["method"] != NULL else {}
                    found.append(place | {"sector": "indicated"} | scored.row(own) | names | gained)
    return Table.of(schemas.OCCLUSION_SUMMARY, found, rows.provenance)


class _Changes:
    """Changes of log p of some questions, (question, sector)."""

    def __init__(self, changes: pd.DataFrame, images: pd.Series[str], smallest: int) -> None:
        self.questions, self.values, self.smallest = changes.index, changes.to_numpy(dtype=float), smallest
        self.images = images.loc[changes.index].to_numpy().astype(str)

    def places(self, sectors: pd.Series[int]) -> Places:
        """The sector of each question, (question,), -1 where it has none; `sectors` is indexed by example_id."""
        return np.asarray(sectors.reindex(self.questions).fillna(-1), dtype=np.int64)

    def row(self, places: Places) -> Row:
        """The scores of one sector a question."""
        rows = np.flatnonzero(places >= 0)
        images = self.images[rows]
        bare: Row = dict.fromkeys((*SCORED, *GAINED)) | {"method": None, "target": None}
        counted = bare | {"questions": len(rows), "images": len(set(images))}
        if counted["images"] < self.smallest:
            return counted | {"omitted": True}
        own, across, beside = self._at(rows, places)
        figures = np.stack([own, across, beside, across - own, beside - own], 1)
        change, opposite, adjacent, score, against = means_over_images(figures, images)
        return counted | {
            "change": change.mean, "change_opposite": opposite.mean, "change_adjacent": adjacent.mean,
            "score": score.mean, "low": score.low, "high": score.high, "against_adjacent": against.mean,
            "adjacent_low": against.low, "adjacent_high": against.high, "omitted": False,
        }  # fmt: skip

    def gain(self, places: Places, layout: Places) -> Row:
        """The score of a method's sectors less that of the layout's, on the questions that both have."""
        rows = np.flatnonzero((places >= 0) & (layout >= 0))
        images = self.images[rows]
        if len(set(images)) < self.smallest:
            return {"gain_questions": len(rows)}
        (own, across, _), (plain, beyond, _) = self._at(rows, places), self._at(rows, layout)
        gain = means_over_images(((across - own) - (beyond - plain))[:, None], images)[0]
        return {"gain": gain.mean, "gain_low": gain.low, "gain_high": gain.high, "gain_questions": len(rows)}

    def _at(self, rows: Places, places: Places) -> tuple[Floats, Floats, Floats]:
        """The changes with each question's sector hidden, with the opposite one, and the mean of both neighbours'."""
        at, count = places[rows], self.values.shape[1]
        beside = (self.values[rows, (at + 1) % count] + self.values[rows, (at - 1) % count]) / 2
        return self.values[rows, at], self.values[rows, (at + count // 2) % count], beside


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
