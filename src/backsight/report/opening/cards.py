"""The four cards of the first screen: to each question of the product a verdict, with its number, interval and null."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import shorten
from typing import Any

from markupsafe import Markup

from backsight.maths.shares import BOUND
from backsight.report.opening.gauge import Gauge, Mark, drawn, scale
from backsight.results.behaviour.worst import ALL, Accuracy, Worst, per_suite, worst
from backsight.results.creg.card import evidence_card
from backsight.results.drawing.style import counted
from backsight.results.pages.content import QUESTIONS
from backsight.results.pages.study import Study
from backsight.results.pages.wording import percent, points, rounded_percent, whole_percent
from backsight.results.path.words import agreement
from backsight.results.pathways.card import PathwayCard, pathway_card
from backsight.results.pathways.reading import Share
from backsight.results.tournament.card import RepairCard, repair_card

LONGEST = 72  # letters of a reason; its section has it whole
NOT_MEASURED = "Not measured."
UNKNOWN = "Not known."
ASKED_BY = {"can": "behaviour", "where": "pathways", "why": "creg", "repair": "tournament"}


@dataclass(frozen=True, kw_only=True)
class Card:
    """A question with its answer: a verdict of a few words, the number that it rests on, interval and null.

    `of` says what the number is of, `null` beside what it stands; `about` and `further` go on with either where there
    is room, at a desk. `anchor` and `link` lead to the section.
    """

    key: str
    verdict: str
    number: str = ""
    interval: str = ""
    of: str = ""
    about: str = ""
    null: str = ""
    further: str = ""
    gauge: Markup | str = ""
    anchor: str = ""
    link: str = ""

    @property
    def question(self) -> str:
        """The product's question."""
        return QUESTIONS[self.key]


def cards(study: Study, titles: Mapping[str, str]) -> tuple[Card, ...]:
    """A card a question, in the order of the page; `titles` gives the sections that the page has, by anchor."""
    make = {"can": _can, "where": _where, "why": _why, "repair": _repair}
    return tuple(make[key](study, titles) or _not_measured(study, key) for key in QUESTIONS)


def _not_measured(study: Study, key: str) -> Card:
    if study.damaged:
        return Card(key=key, verdict=UNKNOWN, null="Tables are missing or damaged: run the study's command again.")
    return Card(key=key, verdict=NOT_MEASURED, null=f"Run the study with --only {ASKED_BY[key]}.")


def _can(study: Study, titles: Mapping[str, str]) -> Card | None:
    """The worst suite, and how many suites are answered better than by guessing."""
    lowest = worst(study)
    if lowest is None:
        return None
    one, suites = _shown(study, lowest), counted(lowest.suites, "suite")
    if lowest.not_above:
        verdict = f"Not shown to beat guessing on {lowest.not_above} of {suites}."
    elif lowest.suites == 1:
        verdict = f"Better than by guessing on {one.title}."
    else:
        verdict = f"Better than by guessing on all {suites}; worst: {one.title}."
    direction = lowest.one
    worst_direction = (
        f"Worst direction: {direction.title}, {direction.direction}, {rounded_percent(direction.accuracy)} "
        f"{_interval(direction.low, direction.high, 100)} of {counted(direction.questions, 'question')}, chance "
        f"{rounded_percent(direction.chance)}."
        if direction.direction != ALL
        else ""
    )
    return Card(
        key="can", verdict=verdict, number=rounded_percent(one.accuracy), interval=_interval(one.low, one.high, 100),
        of=f"correct on {_named(one)}", null=f"{_guessing(one)}.", further=worst_direction, gauge=drawn(_suites(study)),
        **_link("behaviour", titles),
    )  # fmt: skip


def _shown(study: Study, judged: Worst) -> Accuracy:
    """The suite of the verdict: the worst of those that are not shown to beat guessing, or of all where all do."""
    return next((one for one in per_suite(study) if not one.above_guessing), judged.lowest)


def _named(one: Accuracy) -> str:
    return f"{one.title}, prompt {one.prompt}" if one.prompt else one.title


def _guessing(one: Accuracy) -> str:
    gray = "" if one.gray is None else f"Gray picture {rounded_percent(one.gray)}, "
    return f"{gray}{'chance' if gray else 'Chance'} {rounded_percent(one.chance)}"


def _suites(study: Study) -> Gauge:
    suites = per_suite(study)
    marks = tuple(
        Mark(
            one.accuracy,
            one.accuracy if one.low is None else one.low,
            one.accuracy if one.high is None else one.high,
            one.guessing,
            strong=number == 0,
        )
        for number, one in enumerate(suites)
    )
    words = "Accuracy by suite, worst first, with guessing hollow: " + ", ".join(
        f"{one.title} {percent(one.accuracy)}" for one in suites
    )
    return Gauge(marks, 0.0, 1.0, ((0.0, "0"), (0.5, "50 %"), (1.0, "100 %")), words)


def _where(study: Study, titles: Mapping[str, str]) -> Card | None:
    """Where position comes from, with the shares that the two pathways have by themselves."""
    card = pathway_card(study)
    if card is None:
        return None
    shares = {"vision encoder": card.vision, "language model": card.language}
    given = {name: share for name, share in shares.items() if share is not None}
    best = max(given.values(), key=lambda share: share.value, default=None)
    number, interval = _share(best)
    name = next((name for name, share in given.items() if share is best), "")
    asked = "" if card.questions is None else f", {counted(card.questions, 'question')}"
    same = agreement(card.same, card.suites)
    about = f"({card.suite}{asked}{f'; {same}' if same else ''})" if best else ""
    null, further = _presence(card)
    return Card(
        key="where", verdict=card.sentence, number=number, interval=interval,
        of=f"kept by the {name} by itself" if best else "", about=about,
        null=null, further=further, gauge=drawn(_pathways(given)), **_link("pathways", titles),
    )  # fmt: skip


def _share(share: Share | None) -> tuple[str, str]:
    if share is None:
        return "", ""
    number, _, interval = whole_percent(*share).partition(" [")
    return number, f"[{interval}"


def _presence(card: PathwayCard) -> tuple[str, str]:
    """What both shares stand beside: chance, and the presence question."""
    beside = [share for share in (card.presence_vision, card.presence_language) if share is not None]
    if card.reason:
        return "0\u00a0% is chance.", f"Not decided: {shorten(card.reason, LONGEST, placeholder=' ...')}."
    presence = " and ".join(f"{100 * share.value:.0f}\u00a0%" for share in beside)
    return "0\u00a0% is chance.", f"Presence question: {presence} kept." if beside else ""


def _pathways(shares: Mapping[str, Share]) -> Gauge:
    marks = tuple(
        Mark(share.value, share.low, share.high, label=name, strong=share.low > BOUND) for name, share in shares.items()
    )
    words = "Share of the accuracy above chance kept by each pathway by itself: " + ", ".join(
        f"{name} {whole_percent(*share)}" for name, share in shares.items()
    )
    return Gauge(marks, -0.25, 1.25, ((0.0, "chance"), (1.0, "all")), words)


def _why(study: Study, titles: Mapping[str, str]) -> Card | None:
    """Whether the evidence points closer to the object than uniform relevance does."""
    card = evidence_card(study)
    if card is None:
        return None
    ends = (card.improvement_low, card.improvement_high)
    improvement = f"{_whole(card.improvement)}\u00b0 {_interval(*ends, 1)}"
    start, end = scale([card.improvement, *ends])
    mark = Mark(card.improvement, *ends, strong=True)
    shown = f"Closer on {card.closer} of {card.places} sets." if card.places > 1 else ""
    shown = " ".join(part for part in (shown, card.closer_methods) if part)
    return Card(
        key="why", verdict=card.verdict, number=f"{card.dae:.0f}\u00b0",
        interval=_interval(card.dae_low, card.dae_high, 1),
        of="off the true direction", about=f"({card.method}, {card.title}, {counted(card.questions, 'question')})",
        null=f"Uniform relevance {card.null:.0f}\u00b0, improvement {improvement}.", further=shown,
        gauge=drawn(Gauge((mark,), start, end, ((0.0, "no improvement"),), f"Improvement {improvement}")),
        **_link("compass", titles),
    )  # fmt: skip


def _repair(study: Study, titles: Mapping[str, str]) -> Card | None:
    """Whether a repair is worth having: the best one beside its hardest control."""
    card = repair_card(study)
    if card is None:
        return None
    asked = f"{card.suite}: {counted(card.questions, 'held-out question')}, {card.failures} incorrect without"
    if card.gain is None or card.gain_low is None or card.gain_high is None:
        return Card(key="repair", verdict=card.verdict, null=f"{asked}.", **_link(card.anchor, titles))
    control = f"Its control ({card.control}): {points(card.control_gain)}." if card.control_gain is not None else ""
    beside, lowers = f"{asked}. " if control else "", lowering(card)
    return Card(
        key="repair", verdict=card.verdict, number=points(card.gain),
        interval=_interval(card.gain_low, card.gain_high, 100), of=f"by the best, {card.repair}",
        null=control or f"{asked}.", further=f"{beside}{lowers}".strip(),
        gauge=drawn(_gains(card, (card.gain, card.gain_low, card.gain_high))), **_link(card.anchor, titles),
    )  # fmt: skip


def lowering(card: RepairCard) -> str:
    """How many of the repairs lower accuracy; empty where none is shown to."""
    if not card.lowering:
        return ""
    return f"{card.lowering} of {counted(card.tried, 'repair')} {'lowers' if card.lowering == 1 else 'lower'} accuracy."


def _gains(card: RepairCard, gain: tuple[float, float, float]) -> Gauge:
    marks = (Mark(*gain, null=card.control_gain, strong=True),)
    start, end = scale([*gain, *([card.control_gain] if card.control_gain is not None else [])], least=0.02)
    beside = "" if card.control_gain is None else f", hollow its control {points(card.control_gain)}"
    words = f"Gain of {card.repair} {points(gain[0])} {_interval(gain[1], gain[2], 100)}{beside}"
    return Gauge(marks, start, end, ((0.0, "no gain"),), words)


def _whole(value: float) -> str:
    """A number without decimals, and without a sign on zero."""
    return str(round(value))


def _interval(low: float | None, high: float | None, scaled: float) -> str:
    """The ends of an interval in whole units, without a sign on zero."""
    if low is None or high is None:
        return "[no interval]"
    return f"[{round(scaled * low):d},\u00a0{round(scaled * high):d}]"


def _link(anchor: str, titles: Mapping[str, str]) -> dict[str, Any]:
    return {"anchor": anchor, "link": titles[anchor]} if anchor in titles else {}
