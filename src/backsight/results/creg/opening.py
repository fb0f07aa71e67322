"""What the direction of relevance says in the report's opening, in sentences that follow their numbers."""

from __future__ import annotations

from collections.abc import Sequence

from backsight.maths.relevance import BOX, CHOICE, DEFAULT, NULL, TRUTH
from backsight.results.creg.reading import grouped, leads_of, listed_methods
from backsight.results.drawing.style import counted
from backsight.results.pages import common
from backsight.results.pages.content import Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import PHOTOGRAPHS, decimal, listed, p_value, percent, with_interval
from backsight.results.relevance.cells import Place, Row, missing_reason, place_words, said_degrees, with_prompt
from backsight.results.relevance.words import METHOD_WORDS, REFERENCE_WORDS, by_prompt, said_method

ALPHA = 0.05


def opening(study: Study, rows: Sequence[Row]) -> tuple[str, tuple[Statement, ...]]:
    """The claim, CREG beside its null on the first suite, and the statements: conclusions, and the other suites."""
    first, leads = leads_of(grouped(rows))
    if not leads:
        return "", ()
    knocked = study.rows("knockout_summary")
    nearest = Statement(nearest_sentence(study, knocked, first)) if knocked else None
    beaten = Statement(beaten_sentence(study, rows, study.rows("creg_pairs"), first))
    others: dict[str, list[Row]] = {}
    for place, row in leads.items():
        if place != first:
            others.setdefault(place[0], []).append(row)
    rest = [
        Statement(suite_sentence(common.title(study, suite), of), suite, note=photographs(study, suite))
        for suite, of in others.items()
    ]
    statements = (*([nearest] if nearest and nearest.text else []), beaten, *rest)
    return lead_sentence(place_words(study, first), leads[first]), statements


def photographs(study: Study, suite: str) -> str:
    """What is to be said of a suite of photographs where the model has never seen one."""
    return PHOTOGRAPHS if suite in study.unseen_photographs else ""


def lead_sentence(place: str, row: Row) -> str:
    """A method's DAE on a suite beside the baseline and the best possible, the gain, and what the gain says."""
    name = said_method(row["method"])
    if missing := missing_reason(row):
        return f"{name} on {place}: {missing}."
    choice = "model's choice, " if row["target"] == CHOICE else ""
    off = said_degrees(row["dae"], row["dae_low"], row["dae_high"])
    return (
        f"On {place} the evidence ({choice}{name}) points {off} off the true direction, uniform relevance "
        f"{said_degrees(row['dae_null'])} on the same questions, and the best possible on this grid "
        f"{said_degrees(row['dae_floor'])}; the improvement over uniform relevance is {_gain(row)}: {conclusion(row)} "
        f"({counted(row['questions'], 'question')})."
    )


def suite_sentence(title: str, rows: Sequence[Row]) -> str:
    """A method's DAE, null and gain on another suite, prompt by prompt."""
    parts = []
    for row in rows:
        where = with_prompt(title, row["prompt"])
        if missing := missing_reason(row):
            parts.append(f"{missing}{where}")
            continue
        beside = f"uniform relevance {said_degrees(row['dae_null'])}, improvement {_gain(row)}"
        questions = counted(row["questions"], "question")
        parts.append(f"{said_degrees(row['dae'])} off{where} ({beside}, {questions})")
    return f"{title}, {said_method(rows[0]['method'])}: {'; '.join(parts)}"


def conclusion(row: Row) -> str:
    """What a gain's interval says of uniform relevance."""
    if row["dae_gain_low"] > 0:
        return "the interval is above zero, so it points nearer than uniform relevance does"
    if row["dae_gain_high"] < 0:
        return "the interval is below zero, so uniform relevance points nearer"
    return "the interval is not above zero, so an improvement over uniform relevance is not shown"


def nearest_sentence(study: Study, rows: Sequence[Row], first: Place) -> str:
    """Which method comes nearest to the tokens' causal effects; empty where every group is omitted."""
    groups = by_prompt([r for r in rows if r["form"] == "attention" and not r["omitted"]])
    ranked = {
        place: sorted(of, key=lambda row: -row["correlation"])
        for place, group in groups.items()
        if (of := [r for r in group if r["method"] in METHOD_WORDS and r["correlation"] is not None])
    }
    if not ranked:
        return ""
    place = first if first in ranked else next(iter(ranked))
    best, *others = ranked[place]
    box = next((r for r in groups[place] if r["method"] == BOX and r["correlation"] is not None), None)
    beside = f" (the subject's box: {decimal(box['correlation'])})" if box else ""
    low = best["correlation_low"]
    near = [row for row in others if low is not None and row["correlation"] >= low]
    alike = f"; within its interval too: {listed(said_method(row['method']) for row in near)}" if near else ""
    angle = ""
    if best["angle_gain"] is not None:
        gain = said_degrees(best["angle_gain"], best["gain_low"], best["gain_high"])
        angle = f"; improvement over uniform relevance in angle to their compass {gain}"
    ranks = with_interval(best["correlation"], low, best["correlation_high"]).replace(" ", "\u00a0")
    return (
        f"Nearest to the causal effect of the tokens on {place_words(study, place)} comes "
        f"{said_method(best['method'])}, by a rank correlation of {ranks}{beside}{alike}{angle} "
        f"({counted(best['questions'], 'question')})"
    )


def beaten_sentence(study: Study, rows: Sequence[Row], pairs: Sequence[Row], place: Place) -> str:
    """Whether any method points nearer than uniform relevance: after Holm's correction where there are pairs.

    It does where the mean improvement is shown to be above zero and more pictures have one than have the contrary: a
    few large improvements may make the mean where most pictures are further off.
    """
    group = grouped(rows)[place]
    named = [(m, t) for m, t in listed_methods(group) if m not in REFERENCE_WORDS]
    given = [r for m, t in named if (r := group.get(("all", m, t, DEFAULT))) is not None and not missing_reason(r)]
    if not given:
        return f"On {place_words(study, place)} no method can be compared with uniform relevance"
    above = [row for row in given if row["dae_gain_low"] is not None and row["dae_gain_low"] > 0]
    on = f"On {place_words(study, place)}"
    if not above:
        none = "no method's improvement has an interval above zero"
        return f"{on} {none}: that any points nearer than uniform relevance is not shown"
    tested = [(row, pair) for row in above if (pair := _tested(pairs, place, row)) is not None]
    shown = [(row, pair) for row, pair in tested if pair["p_holm"] < ALPHA]
    sure = [(row, pair) for row, pair in shown if pair["nearer"] > pair["further"]]
    if sure:
        named_gains = (_with_pair(row, pair) for row, pair in sure)
        return f"{on} nearer than uniform relevance, also after Holm's correction over all pairs: {listed(named_gains)}"
    if shown:
        named_gains = (_with_pair(row, pair) for row, pair in shown)
        return (
            f"{on} the mean improvement over uniform relevance is above zero, corrected for all pairs, but not as it "
            f"comes in most pictures: {listed(named_gains)}"
        )
    named_gains = (f"{said_method(r['method'])} ({_gain(r)})" for r in above)
    verb = f"{on} the improvement's interval is above zero for {listed(named_gains)}"
    if not tested:
        return f"{verb}, without a correction for the number of methods"
    smallest = min(pair["p_holm"] for _, pair in tested)
    return f"{verb}, but for none after Holm's correction over all pairs (smallest p {_p(smallest)})"


def _tested(pairs: Sequence[Row], place: Place, row: Row) -> Row | None:
    """A method against uniform relevance, where the mean was tested; earlier releases tested ranks, without a side."""
    about = (*place, row["method"], row["target"], NULL, None)
    keys = ("suite", "prompt", "method", "target", "other", "other_target")
    fitting = [one for one in of_choice(pairs) if tuple(one[key] for key in keys) == about]
    given = [one for one in fitting if one["p_holm"] is not None and one.get("nearer") is not None]
    return given[0] if given else None


def _with_pair(row: Row, pair: Row) -> str:
    """A method with its improvement, the share of pictures on which it is nearer and further off, and Holm's p."""
    sides = f"nearer on {percent(pair['nearer'])} of the pictures and further off on {percent(pair['further'])}"
    return f"{said_method(row['method'])} (improvement {_gain(row)}, {sides}, p {_p(pair['p_holm'])})"


def of_choice(pairs: Sequence[Row]) -> list[Row]:
    """Rows of `creg_pairs` that are of the model's choice.

    A pair without targets stands in the table beside the truth's and again beside the choice's, each time with Holm's
    correction over these: the later one is taken.
    """
    keys = ("suite", "prompt", "method", "target", "other", "other_target")
    mine = [row for row in pairs if TRUTH not in (row["target"], row["other_target"])]
    return list({tuple(row[key] for key in keys): row for row in mine}.values())


def _gain(row: Row) -> str:
    return said_degrees(row["dae_gain"], row["dae_gain_low"], row["dae_gain_high"])


def _p(value: float) -> str:
    return p_value(value).replace(" ", "\u00a0")
