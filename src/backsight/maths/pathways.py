"""From answers with a pathway ablated to shares, and to the verdict on where the order comes from.

A share says how much of the accuracy above chance is left when a pathway is ablated: (accuracy ablated - .5) /
(accuracy - .5), read out between the two entities that the question does not name. The rule of the verdict was fixed
before any model was scored by it; `RULE` is its text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.maths.grouping import SMALLEST, expect
from backsight.maths.intervals import LEVEL, RESAMPLES, Interval, mean_over_images, wilson
from backsight.tables import Table

Source = Literal["vision", "language", "both", "cannot tell"]
CHANCE = 0.5
TINY = 1e-9  # in place of an accuracy exactly at chance in a resample: the share is then as good as unbounded
BOUND = 0.5  # a pathway suffices when more than half of the accuracy above chance goes by it alone

RULE = (
    "Answers are read out between the two entities that a question does not name, so chance is one half. "
    "vision_suffices = (accuracy with shuffled image tokens - .5) / (accuracy - .5); language_suffices = (accuracy "
    "after removal - .5) / (accuracy - .5); 95 % bootstrap intervals over images. The verdict is `vision`, `language` "
    "or `both` where that one's or both intervals lie wholly above one half, and for a single one the other's wholly "
    f"below. It is `cannot tell` where fewer than {SMALLEST} pictures were asked about, where the accuracy's interval "
    "is not wholly above one half, where neither of these holds, or where the presence question, which needs no "
    "spatial information, is answered above chance and loses half or more of that under the edit that the verdict "
    "rests on (its interval not wholly above one half)."
)


@dataclass(frozen=True)
class Share:
    """A share of the accuracy above chance, with its 95 % interval and the number of questions."""

    value: float
    low: float
    high: float
    n: int

    @property
    def suffices(self) -> bool:
        """Whether the interval lies wholly above the bound."""
        return self.low > BOUND

    @property
    def fails(self) -> bool:
        """Whether the interval lies wholly below the bound."""
        return self.high < BOUND

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True)
class Verdict:
    """Where the order comes from, what that rests on, and why."""

    source: Source
    reason: str
    suite: str
    accuracy: Interval
    n: int
    vision_suffices: Share | None
    language_suffices: Share | None
    cells_suffices: Share | None
    control: tuple[tuple[str, Share], ...]  # of the presence question, by condition

    def as_dict(self) -> dict[str, Any]:
        """The verdict as it stands in study.json."""

        def plain(share: Share | None) -> dict[str, float] | None:
            return None if share is None else {"value": share.value, "low": share.low, "high": share.high, "n": share.n}

        return {
            "source": self.source,
            "reason": self.reason,
            "suite": self.suite,
            "accuracy": {
                "value": self.accuracy.mean,
                "low": self.accuracy.low,
                "high": self.accuracy.high,
                "n": self.n,
            },
            "vision_suffices": plain(self.vision_suffices),
            "language_suffices": plain(self.language_suffices),
            "single_cells": plain(self.cells_suffices),
            "control": {condition: plain(share) for condition, share in self.control},
            "rule": RULE,
        }


def verdict(rows: Table) -> Verdict:
    """The verdict of one suite's `pathways` rows, by `RULE`."""
    expect(rows, "pathways")
    frame = rows.frame
    order, asked = frame[frame["asked"] == "order"], frame[frame["asked"] == "control"]
    plain = order[order["condition"] == "plain"]
    accuracy = mean_over_images(plain["correct_of_two"].astype(float), plain["image_id"].astype(str))
    shares, control = _shares(order), _shares(asked)
    pictures = plain["image_id"].nunique()
    source: Source = "cannot tell"
    if pictures < SMALLEST:
        reason = f"{pictures} pictures were asked about, fewer than {SMALLEST}"
    else:
        source, reason = _decide(accuracy, shares, control)
    if source != "cannot tell" and not control:
        reason += (
            "; the model does not answer the presence question above chance" if len(asked)
            else "; the model could not be asked the presence question"
        )  # fmt: skip
    return Verdict(
        source, reason, str(frame["suite"].iloc[0]), accuracy, plain["example_id"].nunique(),
        shares.get("shuffled"), shares.get("removed"), shares.get("cells"), tuple(control.items()),
    )  # fmt: skip


def _shares(asked: pd.DataFrame) -> dict[str, Share]:
    """Shares of a question by condition; empty where it was not asked, or not answered above chance."""
    every = {c: share(asked, c) for c in ("shuffled", "removed", "cells") if (asked["condition"] == c).any()}
    return {condition: one for condition, one in every.items() if one is not None}


def _decide(accuracy: Interval, shares: dict[str, Share], control: dict[str, Share]) -> tuple[Source, str]:
    if not accuracy.low > CHANCE:
        measured = f"{accuracy.mean:.2f} [{accuracy.low:.2f}, {accuracy.high:.2f}]"
        return "cannot tell", f"the accuracy, {measured}, is not above chance (.5)"
    vision, language = shares["shuffled"], shares["removed"]
    for name, condition in (("shuffling", "shuffled"), ("removal", "removed")):
        if condition in control and not control[condition].suffices:
            left = control[condition]
            return "cannot tell", f"under {name} the presence question keeps only {left} of its accuracy above chance"
    shares_left = f"shuffled, {vision} of the accuracy above chance is left; after removal {language}"
    if vision.suffices and language.suffices:
        return "both", shares_left
    if vision.suffices and language.fails:
        return "vision", shares_left
    if language.suffices and vision.fails:
        return "language", shares_left
    return "cannot tell", f"{shares_left}: not wholly on one side of one half"


def share(group: pd.DataFrame, condition: str) -> Share | None:
    """(accuracy under a condition - .5) / (accuracy - .5), between two, with a bootstrap interval over images.

    None where the accuracy's own interval is not wholly above one half: there is nothing to have a share of. Where
    every image scores alike the bootstrap has no width, and Wilson's interval of the closed accuracy takes its place.
    """
    from scipy import stats  # a second of imports that nothing else before a summary needs

    plain = group[group["condition"] == "plain"]
    accuracy = mean_over_images(plain["correct_of_two"].astype(float), plain["image_id"].astype(str))
    if not accuracy.low > CHANCE:
        return None
    closed_sum, closed_n, plain_sum, plain_n = _by_image(group, condition).T

    def ratio(cs: Any, cn: Any, ps: Any, pn: Any, axis: int = -1) -> NDArray[np.float64]:
        above = ps.sum(axis) / pn.sum(axis) - CHANCE
        result: NDArray[np.float64] = (cs.sum(axis) / cn.sum(axis) - CHANCE) / np.where(
            np.abs(above) < TINY, TINY, above
        )
        return result

    data = (closed_sum, closed_n, plain_sum, plain_n)
    value, count = float(ratio(*data)), int(plain_n.sum())
    if np.ptp(closed_sum / closed_n) == 0 and np.ptp(plain_sum / plain_n) == 0:
        low, high = wilson(float(closed_sum.sum() / closed_n.sum()), len(closed_sum))
        above = accuracy.mean - CHANCE
        return Share(value, (low - CHANCE) / above, (high - CHANCE) / above, count)
    drawn = stats.bootstrap(
        data, ratio, paired=True, vectorized=True, n_resamples=RESAMPLES, confidence_level=LEVEL,
        method="percentile", rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    return Share(value, float(drawn.low), float(drawn.high), count)


def _by_image(group: pd.DataFrame, condition: str) -> NDArray[np.float64]:
    """Right answers and questions under the condition and plain, (image, 4), of the images that have both."""
    sides = []
    for name in (condition, "plain"):
        rows = group.loc[group["condition"] == name, ["image_id", "correct_of_two"]]
        sides.append(rows.astype({"correct_of_two": float}).groupby("image_id")["correct_of_two"].agg(["sum", "count"]))
    return sides[0].join(sides[1], how="inner", rsuffix="_plain").to_numpy(dtype=float)
