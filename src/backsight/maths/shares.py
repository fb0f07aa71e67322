"""What is left of an accuracy above chance, as a share with an interval that is never without width.

A share is a ratio, and a ratio's bootstrap is poor: it has no width where all is right, and no ends where the accuracy
is near chance. What is tested is linear: a share is above s where E[(a - c) - s (p - c)] > 0, a and p the answers to a
question with a pathway ablated and as the model is, c chance. The share's interval is all s at which that contrast is
not told from zero (Fieller, Some problems in interval estimation, 1954).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.maths.intervals import student

CHANCE = 0.5
BOUND = 0.5  # a pathway suffices when more than half of the accuracy above chance goes by it alone
# Right (1) or wrong with a pathway ablated, and as the model is: one pseudo-image of each, as "plus four" has two of
# each for a share. They lie evenly about chance, so they widen the interval and leave the share where it is.
PSEUDO = np.array([(1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)])


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

    @property
    def decided(self) -> bool:
        """Whether the interval lies wholly on one side of the bound."""
        return self.suffices or self.fails

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def share(group: pd.DataFrame, condition: str, quantile: float | None = None) -> Share | None:
    """(accuracy under a condition - .5) / (accuracy - .5), read out between two, with Fieller's interval over images.

    `group` are rows of one question, with columns example_id, image_id, condition, correct_of_two. `quantile` is the
    normal quantile that the interval reaches to, that of 95 % where None. None where the condition was not asked, or
    where the accuracy is too near chance for the interval to have two ends.
    """
    ablated, plain, counts = _by_image(group, condition)
    if not len(counts):
        return None
    interval = fieller(ablated, plain, counts, quantile)
    return None if interval is None else Share(*interval, int(counts.sum()))


def fieller(
    ablated: NDArray[np.float64], plain: NDArray[np.float64], counts: NDArray[np.float64],
    quantile: float | None = None, *, chance: NDArray[np.float64] | float = CHANCE,
) -> tuple[float, float, float] | None:  # fmt: skip
    """The share and the ends of its interval; None where it has no ends.

    `ablated` and `plain` (image,) are the numbers of right answers about each image under both conditions, of `counts`
    (image,) questions; the mean over shuffles where there are several, so no whole numbers. Images are the units.
    `chance` is that of a question, or of each image's questions on average (image,); pseudo-images lie half an answer a
    question above and below it.
    """
    number = np.concatenate([counts, np.full(len(PSEUDO), counts.mean())])
    answers = np.stack([ablated, plain], 1) - (chance * counts)[:, None]
    above = np.concatenate([answers, counts.mean() * (PSEUDO - CHANCE)])
    total = number.sum()
    x, y = above.sum(0) / total
    residual = (above - number[:, None] * np.array([x, y])) / total
    (vxx, vxy), (_, vyy) = residual.T @ residual
    squared = student(len(counts), quantile) ** 2
    a, b, c = y * y - squared * vyy, x * y - squared * vxy, x * x - squared * vxx
    if y <= 0 or a <= 0:
        return None
    reach = np.sqrt(max(b * b - a * c, 0.0))
    return float(x / y), float((b - reach) / a), float((b + reach) / a)


def _by_image(group: pd.DataFrame, condition: str) -> tuple[NDArray[np.float64], ...]:
    """Right answers under the condition and plain, and the number of questions, (image,) each, of images with both."""
    sides = []
    for name in (condition, "plain"):
        rows = group.loc[group["condition"] == name, ["image_id", "correct_of_two"]]
        sides.append(
            rows.astype({"correct_of_two": float}).groupby("image_id")["correct_of_two"].agg(["mean", "count"])
        )
    both = sides[0].join(sides[1], how="inner", rsuffix="_plain")
    counts = both["count_plain"].to_numpy(dtype=float)
    return both["mean"].to_numpy(float) * counts, both["mean_plain"].to_numpy(float) * counts, counts
