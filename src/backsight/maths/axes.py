"""Where the answers about an axis come from: the picture, the question alone, or the picture the wrong way round.

The picture is replaced by a uniform gray one and each axis is sorted ("Decodable is not grounded", arXiv 2606.31257).
Accuracy against one over the options does not tell these apart: who always answers "left" is right in half of the
questions about left and right and in none about above and below, whatever is seen. So what is judged is the *score* of
an axis, the share of correct answers less that of the opposite ones, with both directions of the axis weighing alike.
It is 0 for any answer that does not depend on what is asked for, 1 for a correct and -1 for an inverted axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.maths.intervals import ADDED, student

Numbers = NDArray[np.float64]
Word = Literal["grounded", "prior", "inverted", "cannot tell"]
AXES: Mapping[str, tuple[str, ...]] = {
    "horizontal": ("left", "right"),
    "vertical": ("above", "below", "on", "under"),
    "depth": ("front", "behind"),
}
UNCHANGED = 0.2  # share of answers that may change between picture and gray picture where they come from the question
LEFT = 0.5  # share of the score that the gray picture may keep where it comes from the picture
FEWEST = 8  # questions of each direction


class Bounds(NamedTuple):
    """A number with the ends of its 95 % interval over images."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True)
class AxisVerdict:
    """What the answers about an axis go by, and what that is read from.

    `score` and `gray` are correct less opposite answers, with the picture and without; `kept` is the gray score less
    `LEFT` of the score; `changed` the share of questions whose answer the picture changes. None where `reason` says
    that they cannot be had.
    """

    word: Word
    reason: str
    questions: int
    images: int
    score: Bounds | None = None
    gray: Bounds | None = None
    kept: Bounds | None = None
    changed: Bounds | None = None


def axis_verdict(rows: pd.DataFrame) -> AxisVerdict:
    """The verdict on one axis, of its rows of `behaviour` (both conditions) with the column `opposite`.

    prior: the answer changes in less than `UNCHANGED` of the questions, and not with the picture as below. grounded:
    the score is above 0 and the gray picture keeps less than `LEFT` of it. inverted: the same with a score below 0.
    Each is said where the 95 % interval over images lies wholly there, in this order, else cannot tell.
    """
    both, reason = _both(rows)
    questions, images = len(both), both["image_id"].nunique()
    if reason:
        return AxisVerdict("cannot tell", reason, questions, images)
    score, gray = _score(both, ""), _score(both, "_gray")
    changed = np.asarray(both["choice"] != both["choice_gray"], dtype=float)
    at, directions = (both[name].to_numpy(dtype=str) for name in ("image_id", "direction"))
    return judged(score, gray, changed, at, directions)


def judged(
    score: Numbers, gray: Numbers, changed: Numbers, images: NDArray[Any], directions: NDArray[Any]
) -> AxisVerdict:  # fmt: skip
    """The verdict of questions (question,): right (1), opposite (-1) or another answer (0) with the picture and with a
    gray one, whether (1) the two differ, the picture and the direction that is asked for."""
    seen, blind = (clipped(bounds(values, images, directions, 1.0)) for values in (score, gray))
    kept = bounds(gray - LEFT * score, images, directions, 1 + LEFT**2)
    moved = Bounds(*((end + 1) / 2 for end in clipped(bounds(2 * changed - 1, images, directions, 1.0))))
    word, why = _word(seen, blind, kept, moved)
    return AxisVerdict(word, why, len(score), len(np.unique(images)), seen, blind, kept, moved)


def _word(seen: Bounds, blind: Bounds, kept: Bounds, changed: Bounds) -> tuple[Word, str]:
    up, down = seen.low > 0 and kept.high < 0, seen.high < 0 and kept.low > 0
    if changed.high < UNCHANGED:
        if up or down:  # few answers go by the picture, and those do
            return "cannot tell", f"the answer changes in only {changed} of the questions, and then with the picture"
        return "prior", f"the answer changes in {changed} of the questions"
    if up or down:
        return "grounded" if up else "inverted", f"correct less opposite answers {seen}, with a gray picture {blind}"
    if seen.low <= 0 <= seen.high:
        return "cannot tell", f"correct less opposite answers {seen} is not told from 0"
    return "cannot tell", f"a gray picture may keep half of the score: {blind} of {seen}"


def _both(rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The questions with both conditions in one row, or why they cannot be judged."""
    columns = ["example_id", "image_id", "direction", "choice", "answer", "opposite"]
    picture = rows.loc[rows["condition"] == "picture", columns]
    gray = rows.loc[rows["condition"] == "gray", ["example_id", "choice"]]
    both = picture.merge(gray, on="example_id", suffixes=("", "_gray"))
    known = both[both["opposite"].notna()]
    counts = known["direction"].value_counts()
    if both.empty:
        return both, "no gray picture was asked about"
    if known.empty:
        return known, "no opposite answer is known"
    if len(counts) < 2:
        return known, f"one direction only was asked for: {counts.index[0]}"
    if counts.min() < FEWEST:
        return known, f"{counts.min()} questions of one direction, {FEWEST} needed"
    return known, ""


def _score(rows: pd.DataFrame, condition: str) -> Numbers:
    """1 for a right answer, -1 for the opposite one, 0 for any other."""
    choice = rows[f"choice{condition}"]
    right, opposite = (
        (choice == rows["answer"]).to_numpy(dtype=float),
        (choice == rows["opposite"]).to_numpy(dtype=float),
    )
    return right - opposite


def bounds(values: Numbers, images: NDArray[Any], directions: NDArray[Any], pseudo: float) -> Bounds:
    """The mean of `values` (question,), directions weighing alike, with its 95 % interval over images.

    Errors are those about each direction's own mean, summed by image. As with Agresti and Coull's "plus four" for
    shares (`maths.intervals`), four pseudo-images are added, so that an interval has width where all values are alike;
    they lie evenly about 0 with the mean square `pseudo`.
    """
    _, index = np.unique(images, return_inverse=True)
    _, which, counts = np.unique(directions, return_inverse=True, return_counts=True)
    means = np.bincount(which, values) / counts
    weights = len(values) / (len(counts) * counts[which])
    residual = np.bincount(index, weights * (values - means[which]))
    each = len(values) / len(residual)  # questions an image
    total, mean = len(values) + ADDED * each, float(means.mean())
    centre = len(values) * mean / total
    error = np.sqrt((residual**2).sum() + ADDED * each**2 * (pseudo + centre**2)) / total
    reach = student(len(residual)) * float(error)
    return Bounds(mean, centre - reach, centre + reach)


def clipped(one: Bounds) -> Bounds:
    """The interval of a number that lies from -1 to 1."""
    return Bounds(one.value, max(one.low, -1.0), min(one.high, 1.0))
