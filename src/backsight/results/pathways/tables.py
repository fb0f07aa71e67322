"""Tables of answers with a pathway ablated, and the share of the accuracy above chance that is left."""

from __future__ import annotations

from typing import Any

import pandas as pd

from backsight.maths.grouping import SMALLEST, expect, groups, with_all
from backsight.maths.intervals import mean_over_images
from backsight.maths.pathways import CONTROL, share
from backsight.tables import Schema, Table

PATHWAYS = Schema(
    "pathways",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "direction": "str",
        "asked": "str",  # order: the suite's question; control: the presence question, which of two things is there
        "condition": "str",  # plain, removed, cells, shuffled
        "seed": "int",  # of a shuffle
        "answer": "str",
        "choice": "str",  # among all options
        "correct": "bool",
        "choice_of_two": "str",  # between the two entities that the question does not name
        "correct_of_two": "bool",
        "p_answer_of_two": "float",
    },
    "Answers with one position pathway ablated, one row a question and condition",
)
PATHWAYS_SUMMARY = Schema(
    "pathways_summary",
    {
        "suite": "str",
        "asked": "str",
        "direction": "str",  # or all
        "condition": "str",
        "questions": "int",
        "images": "int",
        "accuracy": "float",  # among all options
        "low": "float",
        "high": "float",
        "accuracy_of_two": "float",
        "low_of_two": "float",
        "high_of_two": "float",
        # Of the accuracy of two above one half that is left; missing for plain, and where that accuracy is too small.
        "share": "float",
        "share_low": "float",
        "share_high": "float",
        "omitted": "bool",
    },
    "Accuracy with a pathway ablated, and the share above chance that is left, with 95 % intervals",
)


def pathways_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Accuracy of `pathways` rows by suite, question, condition and direction, and the share of it above chance."""
    expect(rows, "pathways")
    summary: list[dict[str, Any]] = []
    for (suite, asked), group in groups(rows.frame, ["suite", "asked"]):
        for direction, part in with_all(group):
            for condition, at in part.groupby("condition", sort=False):
                questions = at["example_id"].nunique()
                omitted = questions < smallest
                images = at["image_id"].astype(str)
                two = mean_over_images(at["correct_of_two"].astype(float), images)
                every = mean_over_images(at["correct"].astype(float), images)
                known = asked != "control" or _known(part)
                left = share(part, str(condition)) if known and not omitted and condition != "plain" else None
                numbers = {
                    "accuracy": every.mean, "low": every.low, "high": every.high,
                    "accuracy_of_two": two.mean, "low_of_two": two.low, "high_of_two": two.high,
                    "share": left and left.value, "share_low": left and left.low, "share_high": left and left.high,
                }  # fmt: skip
                summary.append(
                    {"suite": suite, "asked": asked, "direction": direction, "condition": str(condition)}
                    | {"questions": questions, "images": images.nunique(), "omitted": omitted}
                    | {name: None if omitted else value for name, value in numbers.items()}
                )
    return Table.of(PATHWAYS_SUMMARY, summary, rows.provenance)


def _known(part: pd.DataFrame) -> bool:
    """Whether the presence question is a control here: its accuracy is known to be above `CONTROL`."""
    plain = part[part["condition"] == "plain"]
    return mean_over_images(plain["correct_of_two"].astype(float), plain["image_id"].astype(str)).low > CONTROL
