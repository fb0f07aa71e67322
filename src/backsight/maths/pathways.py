"""From answers with a pathway ablated to the verdict: of each pathway by itself, and of both in one word.

A share says how much of the accuracy above chance is left when the other pathway is ablated (`maths/shares.py`).
Questions are added at fixed looks until both pathways are decided or a budget is spent; the bound at each look keeps
the error rate over all (`maths/sequential.py`). The rule was fixed before a model was scored by it; `RULE` is its text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from backsight.maths.grouping import SMALLEST, expect
from backsight.maths.intervals import Interval, mean_over_images
from backsight.maths.sequential import bounds
from backsight.maths.shares import BOUND, CHANCE, Share, share
from backsight.tables import Table

__all__ = ["BOUND", "CHANCE", "RULE", "PathwayVerdict", "Share", "Verdict", "share", "verdict"]

Source = Literal["vision", "language", "both", "cannot tell"]
Outcome = Literal["suffices", "does not suffice", "cannot tell"]
LOOKS = (96, 192, 480)  # questions: a study's looks; 480 are all of Squares
# What the presence question must be known to be answered by, to be a control: at .75, half of what there is above
# chance is .125 of all answers, about as little as the interval of the first look's 96 questions can tell.
CONTROL = 0.75
FUTILE = 0.6  # an accuracy known to be below it: more questions than any set here has would not give a share of it
EDITS = {"vision": "shuffled", "language": "removed"}  # the edit that leaves this pathway alone
WORDS = {"shuffled": "shuffled,", "removed": "after removal"}
NOT_MADE = {"shuffled": "no shuffle was made", "removed": "order cannot be removed from this set's pictures"}
UNDER = {"shuffled": "under shuffling", "removed": "under removal"}
AXES = {"horizontal": ("left", "right"), "vertical": ("above", "below", "on", "under"), "depth": ("front", "behind")}

RULE = (
    "Answers are read out between the two entities that a question does not name, or between a relation and its "
    "opposite, so chance is one half. vision_suffices = (accuracy with shuffled image tokens - .5) / (accuracy - "
    ".5); language_suffices = (accuracy after removal - .5) / (accuracy - .5). Each pathway by itself: it suffices "
    "where its share's interval lies wholly above one half, and does not where it lies wholly below. Of a pathway we "
    "cannot tell where neither holds, where the accuracy is too near chance for a share of it, where fewer than "
    f"{SMALLEST} pictures were asked about, where its edit cannot be made, or where its edit breaks more than "
    "position: where the presence question, which needs no spatial information, is known to lose half or more of its "
    "accuracy above chance under the same edit (its share's interval wholly below one half). The presence question is "
    f"a control only where its accuracy as the model is has an interval wholly above {CONTROL}; where it has not, or "
    "where its own share is on neither side of one half, the verdict stands and says so. In one word: `both` where "
    "both suffice, `vision` or `language` where that one suffices and the other does not, `cannot tell` else. Shares "
    "have Fieller's interval, images as units, four pseudo-images added. Questions are asked in looks of fixed size "
    "until both pathways are decided, each with its control, or until the budget is spent; intervals reach as far as "
    "Pocock's bound at the look (alpha spending), so that a pathway on the bound is misjudged at most 5 % of the time "
    "over all looks."
)


@dataclass(frozen=True)
class PathwayVerdict:
    """Whether one pathway suffices by itself, by which share, why, and what the control's share is under its edit."""

    outcome: Outcome
    reason: str
    share: Share | None
    control: Share | None  # None where there is no control

    @property
    def final(self) -> bool:
        """Whether more questions are not needed: decided, and its control too; silenced by its control; or not to be
        decided, since its edit cannot be made."""
        if self.reason in NOT_MADE.values() or (self.control is not None and self.control.fails):
            return True
        return self.outcome != "cannot tell" and (self.control is None or self.control.decided)

    def as_dict(self) -> dict[str, Any]:
        """As it stands in study.json."""
        return {
            "outcome": self.outcome,
            "reason": self.reason,
            "share": _plain(self.share),
            "control": _plain(self.control),
        }


@dataclass(frozen=True)
class Verdict:
    """Where the order comes from, what that rests on, and why.

    `asked` of `budget` questions were asked, in `looks`. `axes` holds the same of each axis that occurs.
    """

    source: Source
    reason: str
    suite: str
    accuracy: Interval
    n: int
    vision: PathwayVerdict
    language: PathwayVerdict
    cells_suffices: Share | None
    control: tuple[tuple[str, Share], ...]  # of the presence question, by condition; empty where it is no control
    control_accuracy: Interval | None  # None where it was not asked
    looks: tuple[int, ...]
    axes: Mapping[str, Verdict]

    @property
    def vision_suffices(self) -> Share | None:
        """The share that is left with shuffled image tokens."""
        return self.vision.share

    @property
    def language_suffices(self) -> Share | None:
        """The share that is left after removal."""
        return self.language.share

    @property
    def settled(self) -> bool:
        """Whether no more questions are asked: all is decided, the accuracy is at chance, or the budget is spent."""
        return (self.vision.final and self.language.final) or self.accuracy.high < FUTILE or self.n >= self.looks[-1]

    def as_dict(self) -> dict[str, Any]:
        """The verdict as it stands in study.json."""
        return {
            "source": self.source,
            "reason": self.reason,
            "suite": self.suite,
            "accuracy": _interval(self.accuracy, self.n),
            "questions": self.n,
            "budget": self.looks[-1],
            "looks": list(self.looks),
            "pathways": {"vision": self.vision.as_dict(), "language": self.language.as_dict()},
            "vision_suffices": _plain(self.vision.share),
            "language_suffices": _plain(self.language.share),
            "single_cells": _plain(self.cells_suffices),
            "control": {condition: _plain(share) for condition, share in self.control},
            "control_accuracy": None if self.control_accuracy is None else _interval(self.control_accuracy, self.n),
            "axes": {
                axis: {
                    "source": one.source,
                    "accuracy": _interval(one.accuracy, one.n),
                    "pathways": {"vision": one.vision.as_dict(), "language": one.language.as_dict()},
                }
                for axis, one in self.axes.items()
            },
            "rule": RULE,
        }


def verdict(rows: Table, looks: Sequence[int] = ()) -> Verdict:
    """The verdict of one suite's `pathways` rows, by `RULE`.

    `looks` are the numbers of questions that were planned to be looked at, the budget last: rows of fewer are an early
    look. Without them the rows are all that was to be asked.
    """
    expect(rows, "pathways")
    frame = rows.frame
    asked = frame.loc[frame["condition"] == "plain", "example_id"].nunique()
    planned = tuple(looks) or (asked,)
    look = next((number for number, count in enumerate(planned) if count >= asked), len(planned) - 1)
    quantile = bounds(planned)[look]
    axes = {
        axis: _judged(part, planned, quantile, {})
        for axis, names in AXES.items()
        if len(part := frame[frame["direction"].isin(names)]) and len(part) < len(frame)
    }
    return _judged(frame, planned, quantile, axes)


def _judged(frame: pd.DataFrame, looks: tuple[int, ...], quantile: float, axes: Mapping[str, Verdict]) -> Verdict:
    """The verdict of some rows with intervals that reach to a quantile."""
    order, control = frame[frame["asked"] == "order"], frame[frame["asked"] == "control"]
    plain = order[order["condition"] == "plain"]
    accuracy = _accuracy(plain, quantile)
    answered = _accuracy(control[control["condition"] == "plain"], quantile) if len(control) else None
    shares, controls = _shares(order, quantile), {}
    if answered is not None and answered.low > CONTROL:
        controls = _shares(control, quantile)
    pictures, asked = plain["image_id"].nunique(), plain["example_id"].nunique()
    judged: dict[str, PathwayVerdict] = {}
    for name, edit in EDITS.items():
        outcome: Outcome = "cannot tell"
        if not (order["condition"] == edit).any():
            reason = NOT_MADE[edit]
        elif pictures < SMALLEST:
            reason = f"{pictures} pictures were asked about, fewer than {SMALLEST}"
        elif edit not in shares:
            near = "is too near chance (.5) for a share of it" if accuracy.low > CHANCE else "is not above chance (.5)"
            reason = f"the accuracy, {_words(accuracy)}, {near}"
        else:
            outcome, reason = _decide(edit, shares[edit], controls.get(edit), answered, asked)
        judged[name] = PathwayVerdict(outcome, reason, shares.get(edit), controls.get(edit))
    source, reason = _one_word(**judged)
    return Verdict(
        source, reason, str(frame["suite"].iloc[0]), accuracy, asked, judged["vision"], judged["language"],
        shares.get("cells"), tuple(controls.items()), answered, looks, axes,
    )  # fmt: skip


def _accuracy(plain: pd.DataFrame, quantile: float) -> Interval:
    return mean_over_images(plain["correct_of_two"].astype(float), plain["image_id"].astype(str), quantile=quantile)


def _shares(asked: pd.DataFrame, quantile: float) -> dict[str, Share]:
    """Shares of a question by condition; none of those that were not asked or whose accuracy is at chance."""
    every = {condition: share(asked, condition, quantile) for condition in ("shuffled", "removed", "cells")}
    return {condition: one for condition, one in every.items() if one is not None}


def _decide(
    edit: str, left: Share, control: Share | None, answered: Interval | None, asked: int
) -> tuple[Outcome, str]:
    """The outcome of one pathway whose edit was made, and its reason."""
    if control is not None and control.fails:
        kept = f"{UNDER[edit]} the presence question keeps only {control} of its accuracy above chance"
        return "cannot tell", f"{kept}: the edit breaks more than position"
    kept = f"{WORDS[edit]} {left} of the accuracy above chance is left"
    if not left.decided:
        few = f", of {asked} questions, fewer than the {LOOKS[0]} of a study's first look" if asked < LOOKS[0] else ""
        return "cannot tell", f"{kept}, not wholly on one side of one half{few}"
    reason = kept + _without_control(edit, control, answered)
    return ("suffices" if left.suffices else "does not suffice"), reason


def _without_control(edit: str, control: Share | None, answered: Interval | None) -> str:
    """What a decided pathway's reason says of a control that it lacks or that is not decided; empty where it held."""
    if answered is None:
        return "; there is no control: the model could not be asked the presence question"
    if control is None and answered.low <= CHANCE:
        words = _words(answered)
        return f"; there is no control: the model does not answer the presence question above chance, {words}"
    if control is None:
        words = _words(answered)
        return f"; there is no control: the presence question's accuracy, {words}, is not known to be above {CONTROL}"
    if not control.decided:
        return f"; {UNDER[edit]} it is not decided whether the presence question holds: {control} of its own is left"
    return ""


def _one_word(vision: PathwayVerdict, language: PathwayVerdict) -> tuple[Source, str]:
    """Both pathways in one word, and the reasons of both."""
    reason = vision.reason if vision.reason == language.reason else f"{vision.reason}; {language.reason}"
    outcomes = {"vision": vision.outcome, "language": language.outcome}
    enough: list[Literal["vision", "language"]] = [
        name for name in ("vision", "language") if outcomes[name] == "suffices"
    ]
    if len(enough) == 2:
        return "both", reason
    if len(enough) == 1 and "cannot tell" not in outcomes.values():
        return enough[0], reason
    if set(outcomes.values()) == {"does not suffice"}:
        return "cannot tell", f"{reason}: neither suffices by itself"
    return "cannot tell", reason


def _words(one: Interval) -> str:
    return f"{one.mean:.2f} [{one.low:.2f}, {one.high:.2f}]"


def _plain(one: Share | None) -> dict[str, float] | None:
    return None if one is None else {"value": one.value, "low": one.low, "high": one.high, "n": one.n}


def _interval(one: Interval, count: int) -> dict[str, float]:
    return {"value": one.mean, "low": one.low, "high": one.high, "n": count}
