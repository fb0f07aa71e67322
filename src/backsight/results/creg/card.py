"""Where the evidence points, for the report's first screen: one suite, its numbers, and a verdict that follows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from backsight.results.creg.closer import others_closer
from backsight.results.creg.reading import Group, grouped, leading, without_twins
from backsight.results.creg.schema import PAIRS, SUMMARY
from backsight.results.pages.study import Study
from backsight.results.relevance.cells import Place, Row, missing_reason, place_words
from backsight.results.relevance.claims import Side
from backsight.results.relevance.claims import side as side_of
from backsight.results.relevance.words import said_method


@dataclass(frozen=True)
class EvidenceCard:
    """The suite on which the evidence improves least on uniform relevance. Angles are in degrees.

    `dae` is the angle between evidence and true direction, `null` that of uniform relevance and `best` of all relevance
    on the subject, on the same `questions`. `closer` of `places` (suites and prompts) have an improvement whose
    interval lies above zero. `closer_methods` says which other methods are closer than uniform relevance on some suite.
    """

    suite: str
    title: str
    method: str
    dae: float
    dae_low: float
    dae_high: float
    null: float
    best: float
    improvement: float
    improvement_low: float
    improvement_high: float
    side: Side
    questions: int
    closer: int
    places: int
    verdict: str
    closer_methods: str = ""


def evidence_card(study: Study) -> EvidenceCard | None:
    """The card of a study; None where no suite has numbers."""
    by_place = without_twins(grouped(study.rows(SUMMARY.name)))
    places = measured(by_place)
    if not places:
        return None
    place, row = next(iter(places.items()))
    return EvidenceCard(
        suite=place[0], title=place_words(study, place), method=said_method(row["method"]), dae=row["dae"],
        dae_low=row["dae_low"], dae_high=row["dae_high"], null=row["dae_null"], best=row["dae_floor"],
        improvement=row["dae_gain"], improvement_low=row["dae_gain_low"], improvement_high=row["dae_gain_high"],
        side=side(row), questions=int(row["questions"]), closer=sum(side(one) == "above" for one in places.values()),
        places=len(places), verdict=verdict(row),
        closer_methods=others_closer(study, {one: by_place[one] for one in places}, study.rows(PAIRS.name)),
    )  # fmt: skip


def measured(by_place: Mapping[Place, Group]) -> dict[Place, Row]:
    """The leading rows that have numbers by suite and prompt, the least improvement over uniform relevance first."""
    rows = {place: row for place, group in by_place.items() if (row := leading(group)) is not None}
    given = {place: row for place, row in rows.items() if not missing_reason(row)}
    return dict(sorted(given.items(), key=lambda item: float(item[1]["dae_gain"])))


def side(row: Row) -> Side:
    """Where the interval of a row's improvement over uniform relevance lies."""
    return side_of(row["dae_gain_low"], row["dae_gain_high"])


def verdict(row: Row) -> str:
    """What the improvement says, in at most twelve words.

    Where its interval holds zero, evidence that is measured to be no closer is told from a closer one that is not
    shown.
    """
    where = side(row)
    if where == "over":
        if row["dae_gain"] > 0:
            return "The evidence is not shown to point closer than uniform relevance."
        return "The evidence points no closer to the object than uniform relevance."
    closer = "closer to" if where == "above" else "further from"
    return f"The evidence points {closer} the object than uniform relevance."
