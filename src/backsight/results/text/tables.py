"""Tables of text against picture: rows a question, sentence and image, and the shares that follow either."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.intervals import Interval, difference_over_images, mean_over_images
from backsight.tables import Schema, Table

TEXT = Schema(
    "text",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "prompt": "str",
        "direction": "str",
        "sentence": "str",  # none, neutral, true or false
        "shown": "str",  # picture, or blank
        "question": "str",  # with the sentence before it
        "tokens": "int",  # of the sentence
        "answer": "str",  # right of the picture
        "wrong": "str",  # what follows the false sentence
        "options": "int",
        "choice": "str",
    },
    "Answers behind a false, a true, a neutral sentence and none, one row a question, sentence and image",
)
TEXT_SUMMARY = Schema(
    "text_summary",
    {
        "suite": "str",
        "prompt": "str",
        "shown": "str",
        "sentence": "str",
        "questions": "int",
        "images": "int",
        **{
            f"{name}{end}": "float"
            for name in ("picture", "text", "neither")  # shares of the answers: right, what the false sentence says
            for end in ("", "_low", "_high")
        },
        "chance": "float",
        # less the same share behind the neutral sentence, paired; of the neutral one, less that without a sentence
        **{f"{name}_difference{end}": "float" for name in ("picture", "text") for end in ("", "_low", "_high")},
        "tokens_apart": "float",  # the mean of |tokens of this sentence - tokens of the neutral one|
        "omitted": "bool",
    },
    "Shares of answers that follow picture, text and neither, with 95 % intervals",
)
SENTENCES = ("none", "neutral", "true", "false")
Row = dict[str, object]


def text_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """The shares by suite, prompt, image and sentence, and what a sentence changes against the neutral one.

    `text` is the share of answers that the false sentence says, whatever sentence is there: behind the neutral one it
    is the null, how often that answer is given without anybody saying so.
    """
    expect(rows, TEXT.name)
    summary: list[Row] = []
    for (suite, prompt, shown), group in groups(rows.frame, ["suite", "prompt", "shown"]):
        by_sentence = {name: group[group["sentence"] == name].set_index("example_id") for name in SENTENCES}
        base = {"neutral": by_sentence["none"], "true": by_sentence["neutral"], "false": by_sentence["neutral"]}
        for name, part in by_sentence.items():
            if part.empty:
                continue
            row: Row = dict.fromkeys(TEXT_SUMMARY.columns)
            row |= {"suite": suite, "prompt": prompt, "shown": shown, "sentence": name, "questions": len(part)}
            row |= {"images": part["image_id"].nunique(), "omitted": len(part) < smallest}
            if not row["omitted"]:
                row |= _shares(part) | {"chance": float((1 / part["options"].astype(float)).mean())}
                if name in base and len(base[name]):
                    row |= _against(part, base[name].loc[part.index])
            summary.append(row)
    return Table.of(TEXT_SUMMARY, summary, rows.provenance)


def _shares(part: pd.DataFrame) -> Row:
    picture, text = _equal(part, "answer"), _equal(part, "wrong")
    row: Row = {}
    for name, values in {"picture": picture, "text": text, "neither": 1 - picture - text}.items():
        row |= _named(name, mean_over_images(values, part["image_id"].astype(str)))
    return row


def _against(part: pd.DataFrame, neutral: pd.DataFrame) -> Row:
    """What a sentence changes against the neutral one of the same question, or that one against none."""
    row: Row = {}
    images = part["image_id"].astype(str)
    for name, column in (("picture", "answer"), ("text", "wrong")):
        difference = _equal(part, column) - _equal(neutral, column)
        row |= _named(f"{name}_difference", difference_over_images(difference, images))
    apart = part["tokens"].to_numpy(dtype=float) - neutral["tokens"].to_numpy(dtype=float)
    return row | {"tokens_apart": float(np.abs(apart).mean())}


def _equal(part: pd.DataFrame, column: str) -> np.ndarray:  # type: ignore[type-arg]
    same: np.ndarray = part["choice"].to_numpy(dtype=object) == part[column].to_numpy(dtype=object)  # type: ignore[type-arg]
    return same.astype(float)


def _named(name: str, interval: Interval) -> Row:
    return {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
