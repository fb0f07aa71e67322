"""What a repair does to each class of question: one that turns every "right" into "left" must be seen.

A class is the direction asked about, or where a set has none the answer. Where each class of a suite has one answer
(relations, not the colours of a row), the table also says how often that answer was given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from backsight.maths.comparison import sign_flips
from backsight.maths.grouping import SMALLEST, expect
from backsight.maths.intervals import Interval, difference_over_images, holm, mean_over_images
from backsight.results.tournament import schema as of
from backsight.tables import Table

Row = dict[str, Any]


def classes(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Held-out accuracy by suite, class and repair, without and with it; `lost` where it falls, after Holm's correction
    over all classes and repairs. Classes of fewer questions than `smallest` have their number alone."""
    expect(rows, "tournament")
    frame = rows.frame
    scored = frame[(frame["part"] == of.SCORE) & frame["control"].isna() & (frame["repair"] != of.BLANK)]
    matched: list[Row] = []
    for suite, group in scored.groupby("suite", sort=False):
        named = group["direction"] if group["direction"].notna().all() else group["answer"]
        group = group.assign(**{"class": named.astype(str)})
        answers = group.groupby("class")["answer"].nunique()
        closed = group.groupby("class")["answer"].first() if (answers == 1).all() else None
        before = group[group["repair"] == of.NONE]
        for repair, after in group[group["repair"] != of.NONE].groupby("repair", sort=False):
            for name in before["class"].drop_duplicates():
                row = {"suite": suite, "repair": repair, "class": name}
                matched.append(row | _numbers(before, after, str(name), smallest))
                if closed is not None:
                    matched[-1]["given_before"] = float((before["choice"] == closed[name]).mean())
                    matched[-1]["given_after"] = float((after["choice"] == closed[name]).mean())
    known = [row for row in matched if "p_holm" in row]
    for row, adjusted in zip(known, holm([row["p_holm"] for row in known]), strict=True):
        row |= {"p_holm": adjusted, "lost": adjusted < of.LEVEL and row["difference"] < 0}
    return Table.of(of.CLASSES, [dict.fromkeys(of.CLASSES.columns) | row for row in matched], rows.provenance)


def _numbers(before: pd.DataFrame, after: pd.DataFrame, name: str, smallest: int) -> Row:
    """Both accuracies of a class and their difference; the p-value is not corrected yet."""
    mine = before[before["class"] == name].set_index("example_id")
    number: Row = {"questions": len(mine), "lost": False}
    if len(mine) < smallest:
        return number
    one = mine["correct"].astype(float)
    other = after.set_index("example_id")["correct"].astype(float).reindex(mine.index)
    images = mine["image_id"].astype(str)
    values = {"before": mean_over_images(one, images), "after": mean_over_images(other, images)}
    values["difference"] = difference_over_images(other - one, images)
    number["p_holm"] = sign_flips(other - one, images)
    return number | {key: value for column, of_ in values.items() for key, value in _ends(column, of_).items()}


def _ends(column: str, interval: Interval) -> Row:
    return {column: interval.mean, f"{column}_low": interval.low, f"{column}_high": interval.high}


def lost_by(rows: Sequence[Row]) -> dict[str, str]:
    """By repair the classes that it loses, in words with both accuracies."""
    suites = {row["suite"] for row in rows}
    lost: dict[str, list[str]] = {}
    for row in rows:
        if row["lost"]:
            where = f" in {row['suite'].replace('_', ' ')}" if len(suites) > 1 else ""
            ends = f"{100 * row['before']:.0f} to {100 * row['after']:.0f} %"
            lost.setdefault(row["repair"], []).append(f"{row['class']}{where} ({ends})")
    return {repair: ", ".join(names) for repair, names in lost.items()}
