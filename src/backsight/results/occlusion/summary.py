"""Causal occlusion scores: of the true sector, and of the one that a method indicates. Rows and their summary.

Every score is that of `maths.occlusion`, of log p of the truth and of the model's choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from backsight.maths.compass import sector_of
from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.intervals import means_over_images
from backsight.maths.occlusion import Sectors, changes_at
from backsight.maths.relevance import CHOICE, DEFAULT, NULL, ORACLE, TRUTH
from backsight.results.creg.schema import ROWS as CREG_ROWS
from backsight.tables import Schema, Table

ROWS = Schema(
    "occlusion",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "prompt": "str",
        "direction": "str",
        "part": "str",  # dev, rest
        "refused": "str",  # why a sample has no direction, in its single row
        "variant": "str",  # what is hidden and by what; missing where nothing is
        "sector": "float",  # degrees of the middle of the hidden sector; missing where nothing is hidden
        "true": "float",
        "area": "float",  # share of the picture, or of the image tokens, that is hidden
        "answer": "str",
        "choice": "str",
        "log_p": "float",  # of the answer among the options, natural logarithm
        "log_p_vocabulary": "float",  # over the whole vocabulary
        "log_p_chosen": "float",  # of what the model chooses where nothing is hidden, among the options
        "log_p_chosen_vocabulary": "float",
    },
    "Answers with one compass sector hidden, one row a question, variant and sector",
)


SUMMARY = Schema(
    "occlusion_summary",
    {
        "suite": "str",
        "prompt": "str",
        "variant": "str",
        "over": "str",  # options, vocabulary: what log p is over
        "of": "str",  # truth, prediction: whose log p; what the model chooses where nothing is hidden
        "sector": "str",  # true: the sector that the subject lies in; indicated: a method's own peak
        "method": "str",  # missing for the true sector, which is the same for every method
        "target": "str",
        "questions": "int",
        "images": "int",
        "change": "float",  # of log p with the sector hidden
        "change_opposite": "float",
        "change_adjacent": "float",  # the mean of its two neighbours
        "score": "float",  # COS: change_opposite - change
        "low": "float",
        "high": "float",
        "against_adjacent": "float",  # change_adjacent - change
        "adjacent_low": "float",
        "adjacent_high": "float",
        "gain": "float",  # score less that of uniform relevance's own peak, on the questions where both have one peak
        "gain_low": "float",
        "gain_high": "float",
        "gain_questions": "int",
        "omitted": "bool",
    },
    "Causal occlusion scores, of the true sector and of the one that a method indicates, with 95 % intervals",
)


READ = {  # whose log p, over what: the column
    (TRUTH, "options"): "log_p",
    (TRUTH, "vocabulary"): "log_p_vocabulary",
    (CHOICE, "options"): "log_p_chosen",
    (CHOICE, "vocabulary"): "log_p_chosen_vocabulary",
}
SCORED = ("change", "change_opposite", "change_adjacent", "score", "low", "high",
          "against_adjacent", "adjacent_low", "adjacent_high")  # fmt: skip
GAINED = ("gain", "gain_low", "gain_high", "gain_questions")
Row = dict[str, Any]


def occlusion_summary(rows: Table, relevance: Table | None = None, *, smallest: int = SMALLEST) -> Table:
    """Scores by suite, prompt, variant, read-out and sector, from rows of Occlusion and, for methods, those of Creg.

    A method's sector is its peak under the default projection; a question whose peak is shared by several sectors, or
    whose compass is empty, is left out for that method. Every score is of log p of the truth and of the model's choice.
    A method's gain is on the peak of uniform relevance.
    """
    expect(rows, ROWS.name)
    summary: list[Row] = []
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
                summary.append(place | {"sector": "true"} | scored.row(scored.places(true)))
                at = [scored.places(peaks) for _, peaks in methods]
                baseline = [own for (names, _), own in zip(methods, at, strict=True) if names["method"] == NULL]
                for (names, _), own in zip(methods, at, strict=True):
                    gained = scored.gain(own, baseline[0]) if baseline and names["method"] != NULL else {}
                    summary.append(place | {"sector": "indicated"} | scored.row(own) | names | gained)
    return Table.of(SUMMARY, summary, rows.provenance)


class _Changes:
    """Changes of log p of some questions, (question, sector)."""

    def __init__(self, changes: pd.DataFrame, images: pd.Series[str], smallest: int) -> None:
        self.questions, self.values, self.smallest = changes.index, changes.to_numpy(dtype=float), smallest
        self.images = images.loc[changes.index].to_numpy().astype(str)

    def places(self, sectors: pd.Series[int]) -> Sectors:
        """The sector of each question, (question,), -1 where it has none; `sectors` is indexed by example_id."""
        return np.asarray(sectors.reindex(self.questions).fillna(-1), dtype=np.int64)

    def row(self, places: Sectors) -> Row:
        """The scores of one sector a question."""
        rows = np.flatnonzero(places >= 0)
        images = self.images[rows]
        bare: Row = dict.fromkeys((*SCORED, *GAINED)) | {"method": None, "target": None}
        counted = bare | {"questions": len(rows), "images": len(set(images))}
        if counted["images"] < self.smallest:
            return counted | {"omitted": True}
        own, across, beside = changes_at(self.values[rows], places[rows])
        figures = np.stack([own, across, beside, across - own, beside - own], 1)
        change, opposite, adjacent, score, against = means_over_images(figures, images)
        return counted | {
            "change": change.mean, "change_opposite": opposite.mean, "change_adjacent": adjacent.mean,
            "score": score.mean, "low": score.low, "high": score.high, "against_adjacent": against.mean,
            "adjacent_low": against.low, "adjacent_high": against.high, "omitted": False,
        }  # fmt: skip

    def gain(self, places: Sectors, null: Sectors) -> Row:
        """The score of a method's sectors less that of the baseline's, on the questions that both have."""
        rows = np.flatnonzero((places >= 0) & (null >= 0))
        images = self.images[rows]
        if len(set(images)) < self.smallest:
            return {"gain_questions": len(rows)}
        (own, across, _), (plain, beyond, _) = (changes_at(self.values[rows], at[rows]) for at in (places, null))
        gain = means_over_images(((across - own) - (beyond - plain))[:, None], images)[0]
        return {"gain": gain.mean, "gain_low": gain.low, "gain_high": gain.high, "gain_questions": len(rows)}


def _peaks(relevance: Table) -> pd.DataFrame:
    """The rows of methods with one peak under the default projection."""
    expect(relevance, CREG_ROWS.name)
    frame = relevance.frame
    single = (frame["projection"] == DEFAULT) & (frame["tied"] == 1) & frame["peak"].notna()
    return frame[single & (frame["method"] != ORACLE)]


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
