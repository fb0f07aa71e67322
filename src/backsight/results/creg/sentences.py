"""What the direction of relevance says, in sentences that follow their numbers: claim, null, and suite by suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from backsight.results.creg.card import measured, side
from backsight.results.creg.closer import ALPHA, kept, method_rows, tested_pair
from backsight.results.creg.reading import Group, leading
from backsight.results.drawing.style import counted
from backsight.results.pages.content import Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import PHOTOGRAPHS, p_value, percent
from backsight.results.relevance.cells import Place, Row, missing_reason, place_words, said_degrees, said_range
from backsight.results.relevance.claims import MANY, Finding, Wording, apart, over_all, together
from backsight.results.relevance.words import said_method

CLOSER = Wording(
    above="points closer to the object than uniform relevance does",
    below="points further from the object than uniform relevance does",
    none="points no closer to the object than uniform relevance does",
    unsure="is not shown to point closer to the object than uniform relevance does",
    it="it points closer",
    not_shown="closer is not shown",
    value="improvement",
    values="improvements",
)
Named = tuple[str, Row]  # a suite's title and the leading row of it


def claim_of(rows: Sequence[Named], omitted: Sequence[Named]) -> str:
    """Whether evidence points closer to the object than uniform relevance does, over all suites.

    `rows` have numbers, the least improvement first; `omitted` have none.
    """
    if not rows:
        why = together(
            ((title, missing_reason(row)) for title, row in omitted), "Where the evidence points is not shown:"
        )
        return why[0].text if why else ""
    findings = [
        Finding(f"on {title}", row["dae_gain"], row["dae_gain_low"], row["dae_gain_high"], gain(row),
                said_degrees(row["dae_gain"]))
        for title, row in rows
    ]  # fmt: skip
    return over_all(said_method(rows[0][1]["method"]), CLOSER, findings)


def null_of(rows: Sequence[Named]) -> str:
    """What uniform relevance, the best possible and a random sector give; empty without numbers."""
    if not rows:
        return ""
    null, best = (said_range([row[name] for _, row in rows]) for name in ("dae_null", "dae_floor"))
    return (
        f"Uniform relevance, which knows nothing but both boxes, points {null} away from the object; the best possible "
        f"on this grid is {best}, a random sector 90.0\u00b0."
    )


def statement(title: str, row: Row, suite: str = "", note: str = "") -> Statement:
    """One suite in a sentence: a method's DAE, those of uniform relevance and of the best possible, the improvement."""
    off = said_degrees(row["dae"], row["dae_low"], row["dae_high"])
    unsure = "closer is not shown" if row["dae_gain"] > 0 else "no closer"
    words = {"above": "closer", "below": "further", "over": unsure}[side(row)]
    text = (
        f"On {title}, {said_method(row['method'])} points {off} away from the object, uniform relevance "
        f"{said_degrees(row['dae_null'])}, the best possible {said_degrees(row['dae_floor'])}: {words} (improvement "
        f"{gain(row)}, {counted(row['questions'], 'question')})."
    )
    return Statement(text, suite, short_of(row), note)


def short_of(row: Row) -> float:
    """How far a method is from the best possible: 0 there, 1 where it is no closer than uniform relevance."""
    possible = row["dae_null"] - row["dae_floor"]
    if possible <= 0:
        return float(row["dae_gain"] <= 0)
    return float(min(1.0, max(0.0, 1 - row["dae_gain"] / possible)))


def statements(study: Study, by_place: Mapping[Place, Group], pairs: Sequence[Row]) -> tuple[Statement, ...]:
    """The leading method suite by suite, worst first, then which methods are closer, then suites without numbers."""
    given, missing = leads(by_place)
    remarks = (
        statement(place_words(study, place), row, place[0], photographs(study, place[0]))
        for place, row in given.items()
    )
    without = ((place_words(study, place), missing_reason(row)) for place, row in missing.items())
    compared = {place: by_place[place] for place in given}
    return (
        *remarks,
        *further_methods(study, compared),
        *closer_methods(study, compared, pairs),
        *together(without, "No angle on"),
    )


def leads(by_place: Mapping[Place, Group]) -> tuple[dict[Place, Row], dict[Place, Row]]:
    """The leading rows with numbers, the least improvement first, and those without."""
    given = measured(by_place)
    rows = {place: row for place, group in by_place.items() if (row := leading(group)) is not None}
    return given, {place: row for place, row in rows.items() if place not in given}


def photographs(study: Study, suite: str) -> str:
    """What is to be said of a suite of photographs where the model has never seen one."""
    return PHOTOGRAPHS if suite in study.unseen_photographs else ""


def closer_methods(study: Study, by_place: Mapping[Place, Group], pairs: Sequence[Row]) -> list[Statement]:
    """Which methods point closer than uniform relevance: a sentence a suite that has any, one for all that have none.

    After Holm's correction where methods were tested in pairs.
    """
    remarks: list[Statement] = []
    none: list[str] = []
    for place, group in by_place.items():
        rows = method_rows(group)
        above = [row for row in rows if row["dae_gain_low"] > 0]
        if above:
            tested = {id(row): pair for row in above if (pair := tested_pair(pairs, place, row)) is not None}
            text, sure = beaten(place_words(study, place), above, tested, len(rows))
            remarks.append(Statement(text, place[0], 1 - sure / len(rows)))
        elif rows:
            none.append(place_words(study, place))
    if none:
        text = f"No method is shown to point closer than uniform relevance on {apart(none)}."
        remarks.append(Statement(text, short=1.0))
    return remarks


def further_methods(study: Study, by_place: Mapping[Place, Group]) -> list[Statement]:
    """Which methods point further from the object than uniform relevance, by their intervals."""
    named = [
        (place, row) for place, group in by_place.items() for row in method_rows(group) if row["dae_gain_high"] < 0
    ]
    if not named:
        return []
    worst = sorted(named, key=lambda one: float(one[1]["dae_gain"]))
    shown = [f"{said_method(r['method'])} on {place_words(study, place)} ({gain(r)})" for place, r in worst[:MANY]]
    more = [f"{len(worst) - MANY} more"] if len(worst) > MANY else []
    head = "The interval of the improvement is below zero for"
    return [Statement(f"{head} {apart([*shown, *more])}, not corrected for the number of methods.", short=1.0)]


def beaten(title: str, above: Sequence[Row], tested: Mapping[int, Row], methods: int) -> tuple[str, int]:
    """Which methods with an improvement above zero keep it after correction, and how many do.

    `tested` are their pairs with uniform relevance. One keeps it where the corrected p is below .05 and more pictures
    have it closer than further off: a few large improvements may make the mean where most pictures are further off.
    """
    shown = [row for row in above if id(row) in tested and tested[id(row)]["p_holm"] < ALPHA]
    sure = [row for row in shown if kept(tested[id(row)])]
    if sure:
        named = _some(sure, lambda row: _with_pair(row, tested[id(row)]))
        verb = "points" if len(sure) == 1 else "point"
        return f"On {title}, {named} {verb} closer than uniform relevance, Holm's correction included.", len(sure)
    if shown:
        named = _some(shown, lambda row: _with_pair(row, tested[id(row)]))
        return f"On {title} the mean improvement is above zero, but on most pictures there is none: {named}.", 0
    named = _some(above, lambda row: f"{said_method(row['method'])} ({gain(row)})")
    head = f"On {title} the interval of the improvement is above zero for {named}"
    if not tested:
        return f"{head}, not corrected for {counted(methods, 'method')}.", 0
    smallest = min(pair["p_holm"] for pair in tested.values())
    return f"{head}, but for none after Holm's correction (smallest p {_p(smallest)}).", 0


def _some(rows: Sequence[Row], words: Callable[[Row], str]) -> str:
    best = sorted(rows, key=lambda row: -row["dae_gain"])
    named = [words(row) for row in best[:MANY]]
    return apart([*named, f"{len(best) - MANY} more"] if len(best) > MANY else named)


def _with_pair(row: Row, pair: Row) -> str:
    """A method with its improvement, the shares of pictures on which it is closer and further off, and Holm's p."""
    sides = f"closer on {percent(pair['nearer'])} of pictures, further on {percent(pair['further'])}"
    return f"{said_method(row['method'])} (improvement {gain(row)}, {sides}, p {_p(pair['p_holm'])})"


def gain(row: Row) -> str:
    """The improvement over uniform relevance with its interval."""
    return said_degrees(row["dae_gain"], row["dae_gain_low"], row["dae_gain_high"])


def _p(value: float) -> str:
    return p_value(value).replace(" ", "\u00a0")
