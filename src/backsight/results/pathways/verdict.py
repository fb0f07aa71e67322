"""The study's verdict on where the order comes from, in words. study.json is read with care: see `reading`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from backsight.maths.roads import BOUND
from backsight.results.pages.study import mapping, number, text
from backsight.results.pages.wording import whole_percent

QUESTION = "Where its order comes from"
SOURCES = {
    "vision": "From the vision encoder",
    "language": "From the language model's own places",
    "both": "From both, each enough by itself",
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
    """Where the order comes from; empty where the verdict is none that is understood."""
    source, asked = text(verdict.get("source")), number(mapping(verdict.get("accuracy")).get("n"))
    questions = "" if asked is None else f"{asked:.0f} question{'' if asked == 1 else 's'} of "
    if source == "cannot tell":
        return f"Cannot tell: {_reason(text(verdict.get('reason')))}; {questions}{title}."
    if source not in SOURCES:
        return ""
    shuffled, removed = _share(verdict.get("vision_suffices")), _share(verdict.get("language_suffices"))
    left = f"with shuffled image tokens {shuffled or '–'} of the accuracy above chance is left"
    return f"{SOURCES[source]}: {left}, after removal {removed or '–'}; {questions}{title}."


def control_sentence(verdict: Mapping[str, Any], *, asked: bool) -> str:
    """Whether the control question held under the edits; `asked` says whether the model could be asked it."""
    found = {condition: _share(value) for condition, value in mapping(verdict.get("control")).items()}
    shares = {condition: share for condition in EDITS if (share := found.get(condition)) is not None}
    if not asked:
        return "The model could not be asked the control question."
    if not shares:
        return "The control question is not answered above chance as it is, so it can say nothing of the edits."
    failing = [condition for condition, share in shares.items() if not share.low > BOUND]
    held = f"does not hold {' and '.join(EDITS[one] for one in failing)}" if failing else "holds"
    left = ", ".join(f"{EDITS[condition]} {share}" for condition, share in shares.items())
    return f"The control question, which place has no part in, {held}: {left} of its accuracy above chance is left."


def cells_sentence(verdict: Mapping[str, Any]) -> str:
    """The other way to close the vision encoder's road, or that it is not available."""
    cells = _share(verdict.get("single_cells"))
    said = "Each cell taken through the vision encoder by itself, in place of removal: "
    return f"{said}{cells} is left." if cells else f"{said}not available."


def _share(value: object) -> Share | None:
    numbers = [number(mapping(value).get(key)) for key in Share._fields]
    there = [one for one in numbers if one is not None and math.isfinite(one)]
    return Share(*there) if len(there) == len(numbers) else None


def _reason(said: str) -> str:
    """The reason with its shares in percent, as they stand in the other sentences."""
    pattern = rf"{NUMBER} \[{NUMBER}, {NUMBER}\]"
    return re.sub(pattern, lambda found: whole_percent(*(float(one) for one in found.groups())), said)
