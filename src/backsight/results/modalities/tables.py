"""What image, system prompt and question get of attention, from the rows of Modalities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from backsight.maths.attention import PARTS, balance
from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.results import by_head
from backsight.tables import Schema, Table

Row = dict[str, Any]
ROWS = Schema(
    "modalities",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "prompt": "str",
        "direction": "str",
        "correct": "bool",  # missing where single tokens cannot tell the options apart
        "queries": "str",  # last: the last position; question: the mean over the question's tokens
        "layer": "int",
        "head": "int",  # missing: the mean over the layer's heads
        "image": "float",
        "system": "float",  # all text before the picture
        "question": "float",  # all text behind it
        "first": "float",  # the prompt's first position, which is in one of the three
        "image_uniform": "float",  # of attention that is the same for every position the queries see
        "system_uniform": "float",
        "question_uniform": "float",
        "first_part": "str",  # which of the three the first position is in
    },
    "Attention to the parts of the prompt, one row a question, layer and head",
)
SUMMARY = Schema(
    "modalities_summary",
    {
        "suite": "str",
        "prompt": "str",
        "queries": "str",
        "layer": "int",
        "head": "int",
        "questions": "int",
        "images": "int",
        "image": "float",
        "low": "float",
        "high": "float",
        "system": "float",
        "question": "float",
        "first": "float",
        "first_part": "str",
        "image_uniform": "float",
        "system_uniform": "float",
        "question_uniform": "float",
        "over": "float",  # image - image_uniform
        "over_low": "float",
        "over_high": "float",
        "p_holm": "float",  # over all layers, or over all heads, of a suite and prompt
        "balance": "float",  # image / (image + question)
        "balance_low": "float",
        "balance_high": "float",
        "balance_uniform": "float",
        "omitted": "bool",
    },
    "Attention to image, system prompt and question, with 95 % intervals",
)


def modalities_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Shares by suite, prompt, queries, layer and head, with intervals over images."""
    expect(rows, ROWS.name)
    summary: list[Row] = []
    for values, group in groups(rows.frame, list(by_head.KEYS)):
        summary += _of(dict(zip(by_head.KEYS, values, strict=True)), by_head.indexed(group), smallest)
    return Table.of(SUMMARY, summary, rows.provenance)


def _of(common_: Row, rows: pd.DataFrame, smallest: int) -> list[Row]:
    shares = {name: by_head.matrix(rows, name) for name in (*PARTS, "first", *(f"{n}_uniform" for n in PARTS))}
    images = by_head.images_of(rows)
    null = shares["image_uniform"]
    balances = shares["image"].copy()
    balances[:] = balance(shares["image"].to_numpy(), shares["question"].to_numpy())
    uniform = balance(null.to_numpy(), shares["question_uniform"].to_numpy())
    difference = shares["image"] - null
    of = {
        "image": by_head.means(shares["image"], images, shares=True),
        "balance": by_head.means(balances, images, shares=True),
        "over": by_head.means(difference, images, shares=False),
    }
    plain = {name: values.mean().to_numpy() for name, values in shares.items()}
    first_part = rows["first_part"].mode().iloc[0]
    p = by_head.corrected(by_head.p_values(difference, images), by_head.places(difference))
    summary: list[Row] = []
    for number, (layer, head) in enumerate(by_head.places(null)):
        row: Row = dict.fromkeys(SUMMARY.columns) | common_ | {"layer": layer, "questions": len(null)}
        row |= {"head": None if head == by_head.MEAN else head, "images": len(set(images))}
        row |= {"omitted": len(null) < smallest, "first_part": first_part}
        if not row["omitted"]:
            row |= {name: float(values[number]) for name, values in plain.items()}
            row |= by_head.named(of["image"][number], "image")
            row |= by_head.named(of["balance"][number], "balance", "balance")
            row |= by_head.named(of["over"][number], "over", "over")
            row |= {"p_holm": p[number], "balance_uniform": by_head.finite(float(np.mean(uniform[:, number])))}
        summary.append(row)
    return summary
