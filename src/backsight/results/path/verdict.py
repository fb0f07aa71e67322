"""A study's verdict on where position comes from, as a typed record that shows itself.

`maths.pathways.Verdict` is what a run computes; this is what study.json still says of it, of a study of an earlier
release too (`pathways.reading`).
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from backsight.results.pages import common
from backsight.results.pages.study import Study
from backsight.results.pathways import reading
from backsight.results.pathways.card import sentence
from backsight.results.pathways.reading import Judged, Share, leading

PATHWAYS = {"vision": "the vision encoder's pathway", "language": "the language model's pathway"}
UNMEASURED = "not measured"
HEADS = ("Pathway", "By itself it", "Accuracy above chance left", "Presence question", "Reason")


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
    """Where position comes from, by the pathway, on one suite; `judged` is None where a study has no verdict."""

    judged: Judged | None = None
    title: str = ""

    @property
    def measured(self) -> bool:
        """Whether a pathway was ablated at all."""
        return self.judged is not None

    @property
    def source(self) -> str:
        """The pathway that position comes from: vision, language, both, neither, cannot tell, or not measured."""
        return UNMEASURED if self.judged is None else self.judged.source

    @property
    def suite(self) -> str:
        """The name of the suite; empty without a verdict."""
        return "" if self.judged is None else self.judged.suite

    @property
    def vision(self) -> PathwayOutcome:
        """The vision encoder's pathway."""
        return self.pathways["vision"]

    @property
    def language(self) -> PathwayOutcome:
        """The language model's pathway: its position encoding."""
        return self.pathways["language"]

    @property
    def pathways(self) -> dict[str, PathwayOutcome]:
        """Both pathways by name: vision, language."""
        one = self.judged
        if one is None:
            return dict.fromkeys(PATHWAYS, PathwayOutcome())
        return {
            name: PathwayOutcome(
                one.outcomes[name], one.shares[name], one.controls[name], reading.reason(one.reasons[name])
            )
            for name in PATHWAYS
        }

    @property
    def accuracy(self) -> Share | None:
        """The accuracy between two answers, where chance is one half; None where it is not known."""
        return None if self.judged is None else self.judged.accuracy

    @property
    def questions(self) -> int | None:
        """How many questions were asked; None where it is not known."""
        return None if self.judged is None else self.judged.questions

    @property
    def budget(self) -> int | None:
        """How many questions would have been asked at most; None where it is not known."""
        return None if self.judged is None else self.judged.budget

    @property
    def headline(self) -> str:
        """Where position comes from, in few words and without a number."""
        if self.judged is None:
            return "Where position comes from was not measured"
        return sentence(self.judged).removesuffix(".")

    def __str__(self) -> str:
        return f"{self.headline}."

    def _repr_html_(self) -> str:
        if not self.measured:
            return f"<p>{escape(str(self))}</p>"
        rows = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in _cells(name, one))}</tr>"
            for name, one in self.pathways.items()
        )
        head = "".join(f"<th>{one}</th>" for one in HEADS)
        note = "Of both shares, 0\u00a0% is chance and 100\u00a0% is nothing lost; brackets hold 95\u00a0% intervals."
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        return f"<p>{escape(str(self))}</p>{table}<p>{note}</p>"


def verdict_of(study: Study) -> Verdict:
    """The verdict of the suite that speaks for a study; one that is not measured where it has none."""
    verdicts = reading.of_study(study)
    if not verdicts:
        return Verdict()
    one = leading(verdicts)
    return Verdict(one, common.title(study, one.suite))


def _cells(name: str, one: PathwayOutcome) -> tuple[str, ...]:
    shares = ("–" if share is None else str(share) for share in (one.share, one.control))
    return (PATHWAYS[name], one.outcome, *shares, one.reason)
