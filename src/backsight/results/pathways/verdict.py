"""The study's verdict on where position comes from, in words: of each pathway by itself, and in one word of both.

study.json is read with care: see `reading`. A study of an earlier release has no pathways by themselves; what it says
in one word is read as it stands.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from backsight.maths.pathways import BOUND, CONTROL, EDITS, FUTILE, LOOKS
from backsight.results.drawing.style import counted
from backsight.results.pages.study import mapping, number, text
from backsight.results.pages.wording import listed, whole_percent

QUESTION = "Where position comes from"
SOURCES = {
    "vision": "the vision encoder",
    "language": "the language model's position encoding",
    "both": "both pathways, each enough by itself",
}
NAMES = {"vision": "the vision encoder", "language": "the language model's position encoding"}
SHORT = {"vision": "the vision encoder's pathway", "language": "the language model's pathway"}
CONDITIONS = {"shuffled": "with shuffled image tokens", "removed": "after removal"}  # that the verdict rests on
MADE = {"vision": "with image tokens shuffled", "language": "after removal"}
OUTCOMES = ("suffices", "does not suffice", "cannot tell")
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
    source = text(verdict.get("source"))
    if source == "cannot tell":
        return _cannot_tell(verdict, title)
    if source not in SOURCES:
        return ""
    shuffled, removed = share_of(verdict.get("vision_suffices")), share_of(verdict.get("language_suffices"))
    return (
        f"With image tokens shuffled, {_accuracy(shuffled, 'of the accuracy above chance remains')}; after removal, "
        f"{_accuracy(removed, 'remains')}: position comes from {SOURCES[source]} ({_questions(verdict)}{title})."
    )


def _questions(verdict: Mapping[str, Any]) -> str:
    """How many questions were asked, and of how many at most where fewer were needed, as "96 of at most 480 questions
    of "; empty where that is not known."""
    asked, budget = number(mapping(verdict.get("accuracy")).get("n")), number(verdict.get("budget"))
    if asked is None:
        return ""
    if budget is not None and budget > asked:
        return f"{asked:.0f} of at most {budget:.0f} questions of "
    return f"{counted(int(asked), 'question')} of "


def _cannot_tell(verdict: Mapping[str, Any], title: str) -> str:
    """What stands of each pathway where there is no one word for both."""
    pathways = _pathways(verdict)
    outcomes = {name: text(one.get("outcome")) for name, one in pathways.items()}
    questions = f"{_questions(verdict)}{title}"
    reasons = {text(one.get("reason")) for one in pathways.values()}
    if len(reasons) < 2 and set(outcomes.values()) <= {"cannot tell"}:
        return f"Cannot tell: {_reason(next(iter(reasons), text(verdict.get('reason'))))}; {questions}."
    parts = "; ".join(_of_pathway(name, one) for name, one in pathways.items())
    if set(outcomes.values()) == {"does not suffice"}:
        return f"Neither pathway suffices by itself: {parts} ({questions})."
    return f"Cannot tell in one word: {parts} ({questions})."


def _pathways(verdict: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The pathways by themselves; empty in a study of an earlier release."""
    of = mapping(verdict.get("pathways"))
    there = {name: mapping(of.get(name)) for name in EDITS}
    return there if all(text(one.get("outcome")) in OUTCOMES for one in there.values()) else {}


def _of_pathway(name: str, one: Mapping[str, Any]) -> str:
    outcome, share = text(one.get("outcome")), share_of(one.get("share"))
    if outcome == "cannot tell":
        return f"of {NAMES[name]} nothing is known, since {_since(text(one.get('reason')))}"
    measured = f"{MADE[name]}, {_accuracy(share, 'of the accuracy above chance remains')}"
    return f"{NAMES[name]} {outcome}, since {measured}"


def _since(reason: str) -> str:
    """A reason as it follows a comma: "with image tokens shuffled" where the record says "shuffled,"."""
    return _reason(re.sub(r"^shuffled,", "with shuffled image tokens", reason))


def budget_sentence(verdict: Mapping[str, Any]) -> str:
    """How many questions were asked of how many, and why no more; empty in a study of an earlier release."""
    asked, budget = number(verdict.get("questions")), number(verdict.get("budget"))
    looks = verdict.get("looks")
    if asked is None or budget is None:
        return ""
    several = isinstance(looks, list) and len(looks) > 1
    open_ones = [SHORT[name] for name, one in _pathways(verdict).items() if text(one.get("outcome")) == "cannot tell"]
    if asked < budget:
        high = number(mapping(verdict.get("accuracy")).get("high"))
        chance = f"the accuracy is below {100 * FUTILE:.0f}\u00a0%, too near chance for any share of it"
        why = chance if high is not None and high < FUTILE else _decided(verdict, open_ones)
        return f"{asked:.0f} of at most {budget:.0f} questions were asked: {why}."
    if open_ones and asked < LOOKS[0]:
        few = f"fewer than the {LOOKS[0]} of a study's first look, are too few to decide on {listed(open_ones)}"
        return f"{counted(int(asked), 'question')}, {few}."
    if not several:
        return f"{counted(int(asked), 'question')} were asked, all at once."
    left = f", and {listed(open_ones)} is not decided" if len(open_ones) == 1 else ""
    left = ", and neither pathway is decided" if len(open_ones) == 2 else left
    return f"All {budget:.0f} questions of the budget were asked{left}."


def _decided(verdict: Mapping[str, Any], open_ones: list[str]) -> str:
    """Why asking ended early: what is decided, and what more questions cannot decide."""
    if not open_ones:
        return "both pathways were decided"
    if len(open_ones) == 2:
        return "more questions decide neither pathway"
    return f"one pathway was decided, and more questions do not decide on {open_ones[0]}"


def axes_sentence(verdict: Mapping[str, Any]) -> str:
    """The outcome of both pathways on each axis; empty where there is one axis only."""
    parts = []
    for axis, one in mapping(verdict.get("axes")).items():
        outcomes = {name: text(of.get("outcome")) for name, of in _pathways(mapping(one)).items()}
        if outcomes:
            worded = ", ".join(f"{name} {'undecided' if of == 'cannot tell' else of}" for name, of in outcomes.items())
            parts.append(f"{axis}: {worded}")
    return f"By axis, from fewer questions each: {'; '.join(parts)}." if parts else ""


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
    every = {condition: share_of(value) for condition, value in mapping(verdict.get("control")).items()}
    shares = {condition: share for condition in CONDITIONS if (share := every.get(condition)) is not None}
    if not asked:
        return "The model could not be asked the presence question."
    if not shares:
        return _no_control(share_of(verdict.get("control_accuracy")))
    verbs: dict[str, list[str]] = {}
    for condition, share in shares.items():
        verb = "holds" if share.low > BOUND else "loses half or more" if share.high < BOUND else "may hold or not"
        verbs.setdefault(verb, []).append(CONDITIONS[condition])
    clauses = [verb if len(verbs) == 1 else f"{verb} {' and '.join(where)}" for verb, where in verbs.items()]
    left = ", ".join(f"{CONDITIONS[condition]} {share}" for condition, share in shares.items())
    asked_of = "The presence question, which needs no spatial information,"
    return f"{asked_of} {listed(clauses)}: {left} of its accuracy above chance is left."


def _no_control(accuracy: Share | None) -> str:
    """Why the presence question is no control although it was asked."""
    if accuracy is None:
        return "The presence question is not answered above chance as it is, so it can say nothing of the edits."
    known = f"is not known to be above {100 * CONTROL:.0f}\u00a0%"
    return f"The presence question is no control here: its accuracy as the model is, {accuracy}, {known}."


def cells_sentence(verdict: Mapping[str, Any]) -> str:
    """The other way to ablate the vision encoder's pathway, or that it is not available."""
    cells = share_of(verdict.get("single_cells"))
    start = "Each cell taken through the vision encoder by itself, in place of removal: "
    return f"{start}{cells} is left." if cells else f"{start}not available."


def share_of(value: object) -> Share | None:
    """The share with its interval in a record; None where a number is missing or infinite."""
    numbers = [number(mapping(value).get(key)) for key in Share._fields]
    there = [one for one in numbers if one is not None and math.isfinite(one)]
    return Share(*there) if len(there) == len(numbers) else None


def _reason(reason: str) -> str:
    """The reason with its shares in percent, as they stand in the other sentences."""
    pattern = rf"{NUMBER} \[{NUMBER}, {NUMBER}\]"
    return re.sub(pattern, lambda match: whole_percent(*(float(one) for one in match.groups())), reason)
