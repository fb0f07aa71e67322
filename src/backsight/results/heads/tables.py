"""What ablating heads does to answers, from the rows of Heads."""

from __future__ import annotations

from typing import Any

import pandas as pd

from backsight.maths.comparison import sign_flips
from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.intervals import difference_over_images, holm, mean_over_images
from backsight.results import by_head
from backsight.tables import Schema, Table

Row = dict[str, Any]
ROWS = Schema(
    "heads",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "prompt": "str",
        "direction": "str",
        "condition": "str",  # plain, chosen, random
        "ablation": "str",  # zero, mean; missing for plain
        "draw": "int",  # of random heads
        "heads": "str",  # layer.head of each
        "chance": "float",
        "choice": "str",
        "correct": "bool",
        "p_answer": "float",
        "auroc": "float",  # of the ablated heads as the model is, the mean over them
        "gray": "float",  # the same on a gray picture
        "auroc_first": "float",  # the same heads on the pictures that they were chosen on
    },
    "Answers with heads ablated, one row a question and condition",
)
SUMMARY = Schema(
    "heads_summary",
    {
        "suite": "str",
        "prompt": "str",
        "condition": "str",
        "ablation": "str",
        "heads": "str",
        "questions": "int",
        "images": "int",
        "chance": "float",
        "auroc": "float",
        "auroc_first": "float",
        "gray": "float",
        "over": "float",  # auroc - gray
        "over_low": "float",
        "over_high": "float",
        "accuracy": "float",
        "low": "float",
        "high": "float",
        "change": "float",  # of the accuracy, from plain
        "change_low": "float",
        "change_high": "float",
        "change_p": "float",  # Holm's, over all comparisons of a suite
        "beyond": "float",  # chosen heads: accuracy less that under random ones
        "beyond_low": "float",
        "beyond_high": "float",
        "beyond_p": "float",
        "omitted": "bool",
    },
    "What ablating the heads that find the boxes does to answers, with 95 % intervals",
)


def heads_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Accuracy by suite, prompt, condition and ablation, paired with the plain answers and with random heads."""
    expect(rows, ROWS.name)
    summary: list[Row] = []
    for (suite, prompt), group in groups(rows.frame, ["suite", "prompt"]):
        summary += _of({"suite": suite, "prompt": prompt}, group, smallest)
    return Table.of(SUMMARY, summary, rows.provenance)


def _of(about: Row, frame: pd.DataFrame, smallest: int) -> list[Row]:
    images = frame.groupby("example_id")["image_id"].first()
    by_kind = {key: part for key, part in groups(frame, ["condition", "ablation"])}
    answers = {key: part["correct"].astype(float).groupby(part["example_id"]).mean().reindex(images.index)
               for key, part in by_kind.items()}  # fmt: skip
    plain = answers["plain", None]
    built: list[Row] = []
    for key, part in by_kind.items():
        row: Row = dict.fromkeys(SUMMARY.columns) | about | dict(zip(("condition", "ablation"), key, strict=True))
        row |= {"questions": len(images), "images": images.nunique(), "omitted": len(images) < smallest}
        row |= {"chance": float(part["chance"].mean()), "heads": _heads(part) if key[0] != "plain" else None}
        if not row["omitted"]:
            right = answers[key]
            row |= by_head.named(mean_over_images(right, images), "accuracy")
            if key[0] != "plain":
                row |= _looked(part) | _paired(right - plain, images, "change")
            if key[0] == "chosen":
                row |= _paired(right - answers["random", key[1]], images, "beyond")
        built.append(row)
    _correct(built)
    return built


def _heads(part: pd.DataFrame) -> str:
    return "; ".join(dict.fromkeys(part["heads"].dropna()))


def _looked(part: pd.DataFrame) -> Row:
    row: Row = {
        name: by_head.finite(float(part[name].astype(float).mean())) for name in ("auroc", "auroc_first", "gray")
    }
    there = part[part["auroc"].notna()]
    over = (there["auroc"] - there["gray"]).to_numpy(float)
    if len(over):
        row |= by_head.named(difference_over_images(over, there["image_id"].astype(str)), "over", "over")
    return row


def _paired(difference: pd.Series[float], images: pd.Series[str], name: str) -> Row:
    interval = difference_over_images(difference, images)
    return by_head.named(interval, name, name) | {f"{name}_p": sign_flips(difference, images)}


def _correct(rows: list[Row]) -> None:
    """Holm's correction in place of the p-values, over all comparisons of the rows."""
    at = [(row, name) for row in rows for name in ("change_p", "beyond_p") if row[name] is not None]
    for (row, name), value in zip(at, holm([row[name] for row, name in at]), strict=True):
        row[name] = value
