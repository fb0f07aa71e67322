"""What amplification corrects and breaks, from the rows of Amplify."""

from __future__ import annotations

from typing import Any

import pandas as pd

from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.intervals import mean_over_images
from backsight.tables import Schema, Table

AMPLIFY = Schema(
    "amplify",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "direction": "str",
        "ground": "str",
        "part": "str",  # choose: alpha is chosen on these; score: and scored on these
        "form": "str",  # projected, printed; missing without amplification
        "directions": "str",  # none, probe, random
        "draw": "int",
        "alpha": "float",
        "choice": "str",
        "correct": "bool",
        "p_answer": "float",
        "chosen": "bool",  # the alpha that the first part chose
        "probe": "float",  # accuracy of the probes whose directions these are, on pictures they were not fitted on
    },
    "Answers with order amplified, one row a question, form, kind of directions, draw and alpha",
)
AMPLIFY_SUMMARY = Schema(
    "amplify_summary",
    {
        "suite": "str",
        "form": "str",
        "directions": "str",  # none, probe, random, oracle: the best alpha on the scored part itself
        "alpha": "float",
        "questions": "int",
        "failures": "int",  # without amplification
        "accuracy": "float",
        "low": "float",
        "high": "float",
        "corrected": "float",  # share of the failures
        "corrected_low": "float",
        "corrected_high": "float",
        "broken": "float",  # share of the correct answers
        "broken_low": "float",
        "broken_high": "float",
        "probe": "float",  # accuracy of the probes on pictures they were not fitted on
        "omitted": "bool",  # fewer failures than the stated smallest number: no shares of them
    },
    "What amplification corrects and breaks on pictures that alpha was not chosen on, with 95 % intervals",
)
ALL = "all"
CHOOSING = 0.35  # share of the pictures that alpha is chosen on
ENOUGH = 100  # failures, below which a share of them says little


def amplify_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Accuracy, corrected failures and broken correct answers of the scored part, by suite, form and directions.

    Where there are several suites, those of `ALL` are all of them together.
    `random` is the mean over the draws, at the alpha chosen for the probes. `oracle` takes the alpha that does best on
    the scored part itself: it shows what there is to gain, not what one would get.
    """
    expect(rows, "amplify")
    summary: list[dict[str, Any]] = []
    scored = rows.frame[rows.frame["part"] == "score"]
    parts: list[tuple[Any, pd.DataFrame]] = [(suite, group) for (suite,), group in groups(scored, ["suite"])]
    if len(parts) > 1:
        parts = [(ALL, scored), *parts]
    for suite, group in parts:
        plain = group[group["directions"] == "none"].set_index("example_id")["correct"].astype(bool)
        common = {"suite": suite, "questions": len(plain), "failures": int((~plain).sum())}
        common |= {"probe": float(group["probe"].iloc[0])}
        before = group[group["directions"] == "none"]
        summary.append(common | {"form": None, "directions": "none", "alpha": 0.0} | _numbers(before, plain, smallest))
        for (form,), of in groups(group[group["form"].notna()], ["form"]):
            probe, random = of[of["directions"] == "probe"], of[of["directions"] == "random"]
            chosen = probe[probe["chosen"].astype(bool)]
            best = probe.groupby("alpha")["correct"].mean().idxmax()
            for kind, part in (("probe", chosen), ("random", random), ("oracle", probe[probe["alpha"] == best])):
                if len(part):
                    named = {"form": form, "directions": kind, "alpha": float(part["alpha"].iloc[0])}
                    summary.append(common | named | _numbers(part, plain, smallest))
    return Table.of(AMPLIFY_SUMMARY, summary, rows.provenance)


def _numbers(part: pd.DataFrame, plain: pd.Series[bool], smallest: int) -> dict[str, Any]:
    right = part["correct"].astype(float)
    was_right = part["example_id"].map(plain).astype(bool)
    numbers: dict[str, Any] = {"omitted": int((~plain).sum()) < smallest}
    shares = {"": right, "corrected_": right[~was_right], "broken_": 1 - right[was_right]}
    for name, values in shares.items():
        few = values.empty or part.loc[values.index, "example_id"].nunique() < smallest
        interval = None if few else mean_over_images(values, part.loc[values.index, "image_id"].astype(str))
        numbers[name.rstrip("_") or "accuracy"] = interval and interval.mean
        numbers |= {f"{name}low": interval and interval.low, f"{name}high": interval and interval.high}
    return numbers
