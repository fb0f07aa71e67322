"""The verdicts of a study on where position comes from, as they are read from study.json.

They are read with care (`pages.study`): what is not understood counts as absent. A study of an earlier release judges
no pathway by itself; there the outcomes follow from its one word.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from backsight.maths.pathways import BOUND, EDITS
from backsight.results.pages.study import Study, mapping, number, text
from backsight.results.pages.wording import whole_percent

SUFFICES, INSUFFICIENT, OPEN = "suffices", "does not suffice", "cannot tell"
NEITHER = "neither"
_OUTCOMES = {"vision": (SUFFICES, INSUFFICIENT), "language": (INSUFFICIENT, SUFFICES), "both": (SUFFICES, SUFFICES),
             OPEN: (OPEN, OPEN)}  # fmt: skip
_NUMBER = r"(-?\d+\.\d+)"


class Share(NamedTuple):
    """A share of the accuracy above chance (or an accuracy) with its interval over all looks."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return whole_percent(*self)


@dataclass(frozen=True)
class Judged:
    """A suite's verdict. Mappings are by pathway, "vision" and "language"."""

    suite: str
    source: str  # vision, language, both, neither, cannot tell
    outcomes: Mapping[str, str]
    shares: Mapping[str, Share | None]  # left while the other pathway is ablated
    controls: Mapping[str, Share | None]  # of the presence question, under the same edit
    reasons: Mapping[str, str]
    accuracy: Share | None
    control_accuracy: Share | None
    cells: Share | None
    questions: int | None
    budget: int | None

    @property
    def decided(self) -> tuple[str, ...]:
        """The pathways whose outcome is known."""
        return tuple(name for name, outcome in self.outcomes.items() if outcome != OPEN)

    @property
    def held(self) -> bool:
        """Whether the presence question is known to keep more than half of its accuracy where a pathway is decided."""
        controls = [self.controls[name] for name in self.decided]
        return all(one is not None and one.low > BOUND for one in controls)


def of_study(study: Study) -> tuple[Judged, ...]:
    """The verdicts that are understood, in the order of the study's sets."""
    names = [text(one.get("name")) for one in study.sets]
    of = study.verdicts
    ordered = [*(name for name in names if name in of), *(name for name in of if name not in names)]
    there = (judged(name, of[name]) for name in ordered)
    return tuple(one for one in there if one is not None)


def leading(verdicts: Sequence[Judged]) -> Judged:
    """The suite that speaks for the study: the first one with an answer, else the first with a pathway decided."""
    return max(verdicts, key=lambda one: (one.source != OPEN, bool(one.decided)))


def same(verdicts: Sequence[Judged], one: Judged | None) -> tuple[int, int]:
    """In how many suites, of how many, a verdict is the same as one of them; 0 of 0 where there is none."""
    if one is None:
        return 0, 0
    return sum((other.source, other.outcomes) == (one.source, one.outcomes) for other in verdicts), len(verdicts)


def leading_record(study: Study) -> Mapping[str, Any]:
    """The recorded verdict of the suite that speaks for the study; empty where there is none that is understood."""
    verdicts = of_study(study)
    return study.verdicts[leading(verdicts).suite] if verdicts else {}


def judged(suite: str, verdict: Mapping[str, Any]) -> Judged | None:
    """One suite's verdict; None where its word is none that is understood."""
    word = text(verdict.get("source"))
    if word not in _OUTCOMES:
        return None
    outcomes = dict(zip(EDITS, _OUTCOMES[word], strict=True))
    reasons = dict.fromkeys(EDITS, text(verdict.get("reason")))
    of = mapping(verdict.get("pathways"))
    recorded = {name: mapping(of.get(name)) for name in EDITS}
    if all(text(one.get("outcome")) in (SUFFICES, INSUFFICIENT, OPEN) for one in recorded.values()):
        outcomes = {name: text(one.get("outcome")) for name, one in recorded.items()}
        reasons = {name: text(one.get("reason")) for name, one in recorded.items()}
    controls = mapping(verdict.get("control"))
    accuracy = mapping(verdict.get("accuracy"))
    return Judged(
        suite,
        NEITHER if set(outcomes.values()) == {INSUFFICIENT} else word,
        outcomes,
        {name: share(verdict.get(f"{name}_suffices")) or share(recorded[name].get("share")) for name in EDITS},
        {name: share(controls.get(edit)) for name, edit in EDITS.items()},
        reasons,
        share(accuracy),
        share(verdict.get("control_accuracy")),
        share(verdict.get("single_cells")),
        _count(accuracy.get("n")),
        _count(verdict.get("budget")),
    )


def share(value: object) -> Share | None:
    """A share that stands with both ends of its interval, all finite; else None."""
    numbers = [number(mapping(value).get(key)) for key in Share._fields]
    there = [one for one in numbers if one is not None and math.isfinite(one)]
    return Share(*there) if len(there) == len(numbers) else None


def reason(words: str) -> str:
    """A recorded reason with its shares in percent, as they stand in the page's sentences."""
    pattern = rf"{_NUMBER} \[{_NUMBER}, {_NUMBER}\]"
    shown = re.sub(pattern, lambda match: whole_percent(*(float(one) for one in match.groups())), words)
    return re.sub(r"^shuffled,", "with image tokens shuffled", shown)


def _count(value: object) -> int | None:
    """A number of questions; None where it is none."""
    amount = number(value)
    return None if amount is None or not math.isfinite(amount) else int(amount)
