"""The study's verdict on where position comes from, in words. study.json is read with care: see `reading`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from backsight.maths.pathways import BOUND
from backsight.results.pages.study import mapping, number, text
from backsight.results.pages.wording import whole_percent

QUESTION = "Where position comes from"
SOURCES = {
    "vision": "the vision encoder",
    "language": "the language model's position encoding",
    "both": "both pathways, each enough by itself",
}
EDITS = {"shuffled": "with shuffled image tokens", "removed": "after removal"}  # those that the verdict rests on
NUMBER = r"(-?\d+\.\d+)"


class Share(NamedTuple):
    """A share of the accuracy above chance with its interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return whole_percent(*self)


def source_sentence(verdict: Mapping[str, Any], title: str) -> str:
    """Where position comes from and by what numbers; empty where the verdict is none that is understood."""
    source, asked = text(verdict.get("source")), number(mapping(verdict.get("accuracy")).get("n"))
    questions = "" if asked is None else f"{asked:.0f} question{'' if asked == 1 else 's'} of "
    if source == "cannot tell":
        return f"Cannot tell: {_reason(text(verdict.get('reason')))}; {questions}{title}."
    if source not in SOURCES:
        return ""
    shuffled, removed = _share(verdict.get("vision_suffices")), _share(verdict.get("language_suffices"))
    return (
        f"With image tokens shuffled, {_accuracy(shuffled, 'of the accuracy above chance remains')}; after removal, "
        f"{_accuracy(removed, 'remains')}: position comes from {SOURCES[source]} ({questions}{title})."
    )


def _accuracy(share: Share | None, remains: str) -> str:
    """What becomes of the accuracy under an edit, with the share that remains."""
    if share is None:
        return "no share of the accuracy is known"
    value, low, high = (round(100 * one) for one in share)
    return f"accuracy {_change(share)} ({value}\u00a0% {remains}, 95\u00a0% interval {low} to {high})"


def _change(share: Share) -> str:
    """The verb that an interval of the remaining share allows: 0 is chance, 1 the accuracy as it is."""
    if share.high < 0:
        return "falls below chance"
    if share.low > 1:
        return "rises"
    if share.low > BOUND:
        return "holds" if share.high >= 1 else "falls by less than half"
    if share.high < BOUND:
        return "falls to chance" if share.low <= 0 else "falls by more than half"
    return "may fall or hold"


def control_sentence(verdict: Mapping[str, Any], *, asked: bool) -> str:
    """Whether the presence question held under the edits; `asked` says whether the model could be asked it."""
    every = {condition: _share(value) for condition, value in mapping(verdict.get("control")).items()}
    shares = {condition: share for condition in EDITS if (share := every.get(condition)) is not None}
    if not asked:
        return "The model could not be asked the presence question."
    if not shares:
        return "The presence question is not answered above chance as it is, so it can say nothing of the edits."
    failing = [condition for condition, share in shares.items() if not share.low > BOUND]
    held = f"does not hold {' and '.join(EDITS[one] for one in failing)}" if failing else "holds"
    left = ", ".join(f"{EDITS[condition]} {share}" for condition, share in shares.items())
    asked_of = "The presence question, which needs no spatial information,"
    return f"{asked_of} {held}: {left} of its accuracy above chance is left."


def cells_sentence(verdict: Mapping[str, Any]) -> str:
    """The other way to ablate the vision encoder's pathway, or that it is not available."""
    cells = _share(verdict.get("single_cells"))
    start = "Each cell taken through the vision encoder by itself, in place of removal: "
    return f"{start}{cells} is left." if cells else f"{start}not available."


def _share(value: object) -> Share | None:
    numbers = [number(mapping(value).get(key)) for key in Share._fields]
    there = [one for one in numbers if one is not None and math.isfinite(one)]
    return Share(*there) if len(there) == len(numbers) else None


def _reason(reason: str) -> str:
    """The reason with its shares in percent, as they stand in the other sentences."""
    pattern = rf"{NUMBER} \[{NUMBER}, {NUMBER}\]"
    return re.sub(pattern, lambda match: whole_percent(*(float(one) for one in match.groups())), reason)
