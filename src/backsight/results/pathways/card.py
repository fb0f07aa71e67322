"""The study's verdict on where position comes from, for the page's first screen: one suite's, and what others give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backsight.results.pages import common
from backsight.results.pages.study import Study
from backsight.results.pages.wording import in_list, listed
from backsight.results.pathways import reading
from backsight.results.pathways.reading import NEITHER, OPEN, Judged, Share, leading

SENTENCES = {
    "vision": "Position comes from the vision encoder.",
    "language": "Position comes from the language model's position encoding.",
    "both": "Position comes from both pathways, each enough by itself.",
    NEITHER: "Neither pathway suffices by itself.",
}
WORDS = {
    "vision": "from the vision encoder",
    "language": "from the language model's position encoding",
    "both": "from both pathways",
    NEITHER: "neither pathway suffices",
}
UNKNOWN = "Where position comes from is not shown."
PATHWAYS = {"vision": "The vision encoder's pathway", "language": "The language model's pathway"}
OTHERS = {"vision": "the language model's is undecided", "language": "the vision encoder's is undecided"}


@dataclass(frozen=True, kw_only=True)
class PathwayCard:
    """Where position comes from, in one suite.

    `vision` and `language` are the shares of the accuracy above chance that are left while only that pathway is
    intact (0 is chance, 1 nothing lost), None where there is none, and `outcomes` what follows for each: "suffices",
    "does not suffice" or "cannot tell". `presence_vision` and `presence_language` are the same shares of the presence
    question, which needs no spatial information: near 1, the edit left the rest of the model at work; None where it
    is no control. `reason` says why a pathway is not decided; empty where both are. `elsewhere` says what other
    suites give where it is not the same, empty where all agree; the same is given in `same` of `suites` suites.
    """

    source: str  # vision, language, both, neither, cannot tell
    sentence: str  # at most twelve words
    outcomes: dict[str, str]
    vision: Share | None
    language: Share | None
    suite: str  # its title
    questions: int | None
    presence_vision: Share | None
    presence_language: Share | None
    reason: str
    elsewhere: str
    same: int = 1
    suites: int = 1


def pathway_card(study: Study) -> PathwayCard | None:
    """The card of a study; None without a verdict that is understood, or without the table that it rests on."""
    verdicts = reading.of_study(study)
    if not verdicts or not study.rows("pathways_summary"):
        return None
    one = leading(verdicts)
    undecided = next((name for name, outcome in one.outcomes.items() if outcome == OPEN), None)
    same, suites = reading.same(verdicts, one)
    return PathwayCard(
        source=one.source,
        sentence=sentence(one),
        outcomes=dict(one.outcomes),
        vision=one.shares["vision"],
        language=one.shares["language"],
        suite=common.title(study, one.suite),
        questions=one.questions,
        presence_vision=one.controls["vision"],
        presence_language=one.controls["language"],
        reason=reading.reason(one.reasons[undecided]) if undecided else "",
        elsewhere=elsewhere(study, verdicts, one),
        same=same,
        suites=suites,
    )


def sentence(one: Judged) -> str:
    """Where position comes from, in at most twelve words."""
    if one.source in SENTENCES:
        return SENTENCES[one.source]
    if not one.decided:
        return UNKNOWN
    name = one.decided[0]
    return f"{PATHWAYS[name]} {one.outcomes[name]}; {OTHERS[name]}."


def elsewhere(study: Study, verdicts: Sequence[Judged], one: Judged) -> str:
    """What other suites give than this one, in a sentence; empty where they give the same."""
    differing: dict[str, list[str]] = {}
    for other in verdicts:
        if (other.source, other.outcomes) != (one.source, one.outcomes):
            word = WORDS.get(other.source, "not shown")
            differing.setdefault(word, []).append(in_list(common.title(study, other.suite)))
    others = "; ".join(f"{word} in {listed(suites)}" for word, suites in differing.items())
    return f"{others[:1].upper()}{others[1:]}." if others else ""
