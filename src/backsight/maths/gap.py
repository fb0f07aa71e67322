"""The what/where gap: what is answered of things less what is answered of relations, both corrected for guessing.

Guessing is chance, the best constant answer of a skewed suite or the gray picture, whichever is right most often:
(accuracy - guessing) / (1 - guessing) is 0 for guessing, 1 for all right, and below 0 where the picture misleads. A
gray picture below chance does not lower what counts as guessing: a model that guesses with the picture and answers a
gray one wrongly would else seem to see. Where the truth of both lies at chance, the larger of two estimates lies a
little above it, and the correction is so much too strict (some .03 of the gap at 48 pictures, shrinking with their
number).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.maths.axes import Bounds
from backsight.maths.intervals import mean_over_images, student

Word = Literal["what", "none", "where", "cannot tell"]
NO_GAP = 0.2  # a gap whose interval lies within this is none
CERTAIN = 1 - 1e-9  # guessing that is right always leaves nothing to correct
# Right (1) or wrong (0) of both questions with the picture and with a gray one: pseudo-images of all combinations that
# weigh four images together, as "plus four" has two of each kind for a share.
PSEUDO = np.array([[(n >> bit) & 1 for bit in range(4)] for n in range(16)], dtype=float)
WEIGHT = 4 / 16


class Corrected(NamedTuple):
    """Accuracy with the picture and with a gray one, chance (or what the best constant answer gets, where that is
    more), guessing, and the accuracy corrected for guessing."""

    accuracy: float
    blank: float
    chance: float
    guessing: float
    corrected: Bounds


@dataclass(frozen=True)
class Gap:
    """What and where on the same pictures, and what less where; `images` are those that both were asked about."""

    what: Corrected
    where: Corrected
    gap: Bounds
    images: int

    @property
    def word(self) -> Word:
        """what: answered better than where; where: the other way; none: within `NO_GAP`; or cannot tell.

        Where neither is above guessing there is nothing to compare.
        """
        if max(self.what.corrected.low, self.where.corrected.low) <= 0:
            return "cannot tell"
        if self.gap.low > 0:
            return "what"
        if self.gap.high < 0:
            return "where"
        return "none" if self.gap.low > -NO_GAP and self.gap.high < NO_GAP else "cannot tell"


def gap(what: pd.DataFrame, where: pd.DataFrame) -> Gap | None:
    """The gap of questions of what and of where, of the pictures that both ask about; None where there are none, or
    where guessing is always right.

    Both have the columns image_id, options, correct (with the picture) and blank (with a gray one). Each of the four
    accuracies is a ratio over images; their covariance, with the pseudo-images `PSEUDO`, gives the 95 % interval of the
    difference to first order, with Student's quantile. The numbers themselves are without pseudo-images.
    """
    common = sorted(set(what["image_id"]) & set(where["image_id"]))
    sides = [side[side["image_id"].isin(common)] for side in (what, where)]
    if not common:
        return None
    sums, counts = _by_image(sides, common)
    chances = [_chance(side) for side in sides]
    plain = _corrected(sums.sum(0) / counts.sum(0), chances)
    if plain is None:
        return None
    padded_sums = np.concatenate([sums, WEIGHT * PSEUDO * counts.mean(0)])
    padded = np.concatenate([counts, np.full(PSEUDO.shape, WEIGHT) * counts.mean(0)])
    means = padded_sums.sum(0) / padded.sum(0)
    around = _corrected(means, chances)
    assert around is not None, "an accuracy with pseudo-images is below one"
    residual = (padded_sums - padded * means) / padded.sum(0)
    # Of the pseudo-images, `WEIGHT` of each is there, so its square weighs `WEIGHT` too.
    residual[len(common) :] /= np.sqrt(WEIGHT)
    covariance = residual.T @ residual
    slopes = np.array([_slopes(around, side) for side in range(2)])
    reach = student(len(common)) * np.sqrt(np.einsum("sa,ab,sb->s", slopes, covariance, slopes))
    both = slopes[0] - slopes[1]
    gap_reach = student(len(common)) * float(np.sqrt(both @ covariance @ both))
    ends = [
        Bounds(plain[k].value, around[k].value - float(reach[k]), min(around[k].value + float(reach[k]), 1.0))
        for k in range(2)
    ]
    centre = around[0].value - around[1].value
    accuracies = sums.sum(0) / counts.sum(0)
    seen = [
        Corrected(float(accuracies[2 * k]), float(accuracies[2 * k + 1]), chances[k], plain[k].guessing, ends[k])
        for k in range(2)
    ]
    difference = plain[0].value - plain[1].value
    return Gap(seen[0], seen[1], Bounds(difference, centre - gap_reach, centre + gap_reach), len(common))


def _chance(side: pd.DataFrame) -> float:
    """One over the options, or what the best constant answer gets where answers are skewed: where its 95 % interval
    lies above one over the options."""
    plain = float((1 / side["options"].astype(float)).mean())
    counts = side["answer"].value_counts() if "answer" in side else pd.Series(dtype=float)
    if not len(counts):
        return plain
    constant = mean_over_images((side["answer"] == counts.index[0]).astype(float), side["image_id"].astype(str))
    return constant.mean if constant.low > plain else plain


class _Point(NamedTuple):
    """An accuracy corrected for guessing, whether the gray picture is what guesses, and the accuracy."""

    value: float
    guessing: float
    by_blank: bool
    accuracy: float


def _corrected(accuracies: NDArray[np.float64], chances: Sequence[float]) -> tuple[_Point, _Point] | None:
    """Both corrected accuracies of (what, what blank, where, where blank); None where guessing is always right."""
    points = []
    for k, chance in enumerate(chances):
        accuracy, blank = float(accuracies[2 * k]), float(accuracies[2 * k + 1])
        guessing = max(chance, blank)
        if guessing >= CERTAIN:
            return None
        points.append(_Point((accuracy - guessing) / (1 - guessing), guessing, blank > chance, accuracy))
    return points[0], points[1]


def _slopes(points: tuple[_Point, _Point], side: int) -> NDArray[np.float64]:
    """How a side's corrected accuracy changes with each of the four accuracies."""
    one, slopes = points[side], np.zeros(4)
    slopes[2 * side] = 1 / (1 - one.guessing)
    if one.by_blank:
        slopes[2 * side + 1] = -(1 - one.accuracy) / (1 - one.guessing) ** 2
    return slopes


def _by_image(
    sides: Sequence[pd.DataFrame], images: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """Right answers and questions, (image, 4) each: of what and of where, with the picture and with a gray one."""
    sums, counts = [], []
    for side in sides:
        index = side["image_id"].map({name: n for n, name in enumerate(images)}).to_numpy(dtype=int)
        for condition in ("correct", "blank"):
            right = side[condition].astype(float).to_numpy(dtype=float)
            sums.append(np.bincount(index, right, len(images)))
            counts.append(np.bincount(index, minlength=len(images)))
    return np.stack(sums, 1).astype(float), np.stack(counts, 1).astype(float)
