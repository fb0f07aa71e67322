"""A study's verdict on where position comes from, as a typed record.

`maths.pathways.Verdict` is what a run computes; this is what study.json still says of it, of a study of an earlier
release too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from backsight.results.pages.study import Study, mapping, number, text
from backsight.results.pathways.verdict import NAMES, SOURCES, Share, share_of, source_sentence

PATHWAYS = ("vision", "language")
UNMEASURED = "not measured"
_STAGES = {"vision": "vision encoder", "language": "language model"}
_OUTCOMES = {True: "suffices", False: "does not suffice"}


@dataclass(frozen=True)
class PathwayOutcome:
    """What is known of one pathway by itself.

    `outcome` is "suffices", "does not suffice", "cannot tell" or "not measured". `share` is the part of the accuracy
    above chance that is left with the other pathway ablated: 0 is chance, 1 is nothing lost. `control` is the same of
    the presence question. Either is None where there is none.
    """

    outcome: str = UNMEASURED
    share: Share | None = None
    control: Share | None = None
    reason: str = ""


@dataclass(frozen=True)
class Verdict:
    """Where position comes from, by the pathway, on one suite.

    `source` is "vision", "language", "both", "cannot tell" or "not measured". `accuracy` is that between two answers,
    where chance is one half. `questions` of at most `budget` were asked; None where the study does not say.
    """

    source: str = UNMEASURED
    suite: str = ""
    title: str = ""
    vision: PathwayOutcome = field(default_factory=PathwayOutcome)
    language: PathwayOutcome = field(default_factory=PathwayOutcome)
    accuracy: Share | None = None
    questions: int | None = None
    budget: int | None = None
    reason: str = ""
    record: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, record: Mapping[str, Any], title: str = "") -> Verdict:
        """The verdict that a study's record holds; one that is not measured where it holds none that is understood."""
        source = text(record.get("source"))
        if source not in (*SOURCES, "cannot tell"):
            return cls()
        suite = text(record.get("suite"))
        accuracy = mapping(record.get("accuracy"))
        asked = number(record.get("questions"))
        asked = number(accuracy.get("n")) if asked is None else asked
        budget = number(record.get("budget"))
        return cls(
            source, suite, title or suite, _outcome(record, "vision"), _outcome(record, "language"),
            share_of(accuracy), None if asked is None else int(asked), None if budget is None else int(budget),
            text(record.get("reason")), record,
        )  # fmt: skip

    @property
    def measured(self) -> bool:
        """Whether a pathway was ablated at all."""
        return self.source != UNMEASURED

    @property
    def pathways(self) -> dict[str, PathwayOutcome]:
        """Both pathways by name: vision, language."""
        return {"vision": self.vision, "language": self.language}

    def __str__(self) -> str:
        return source_sentence(self.record, self.title) if self.measured else f"{headline(self)}."

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{NAMES[name]}</td><td>{escape(one.outcome)}</td>"
            f"<td>{escape(share_words(one.share))}</td><td>{escape(share_words(one.control))}</td></tr>"
            for name, one in self.pathways.items()
        )
        heads = ("Pathway", "By itself it", "Accuracy above chance left (chance: 0\u00a0%)", "Presence question")
        head = "".join(f"<th>{one}</th>" for one in heads)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if self.measured else ""
        return f"<p>{escape(str(self))}</p>{table}"


def verdict_of(study: Study) -> Verdict:
    """The verdict of a study, on the suite that it judged first."""
    return Verdict.of(study.verdict, study.titles.get(text(study.verdict.get("suite")), ""))


def headline(verdict: Verdict) -> str:
    """Where position comes from, in few words and without a number."""
    if not verdict.measured:
        return "Where position comes from was not measured"
    if verdict.source in SOURCES:
        return f"Position comes from {SOURCES[verdict.source]}"
    outcomes = {name: one.outcome for name, one in verdict.pathways.items()}
    if set(outcomes.values()) == {"does not suffice"}:
        return "Neither pathway suffices by itself"
    decided = next((name for name, one in outcomes.items() if one in _OUTCOMES.values()), None)
    if decided is None:
        return "It cannot be told where position comes from"
    other = next(name for name in PATHWAYS if name != decided)
    return f"The {_STAGES[decided]} {outcomes[decided]} by itself; the {_STAGES[other]} is undecided"


def share_words(share: Share | None) -> str:
    """A share with its interval; a dash where there is none."""
    return "–" if share is None else str(share)


def _outcome(record: Mapping[str, Any], name: str) -> PathwayOutcome:
    """One pathway's outcome; of an earlier release, which judged both in one word, what that word says of it."""
    one = mapping(mapping(record.get("pathways")).get(name))
    outcome, source = text(one.get("outcome")), text(record.get("source"))
    share = share_of(one.get("share")) or share_of(record.get(f"{name}_suffices"))
    if not outcome:
        outcome = source if source == "cannot tell" else _OUTCOMES[source in (name, "both")]
    reason = text(one.get("reason")) or text(record.get("reason"))
    return PathwayOutcome(outcome, share, share_of(one.get("control")), reason)
