"""Which methods point closer to the object than uniform relevance, with Holm's correction over pairs of methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backsight.maths.relevance import DEFAULT, LEADING, NULL, TRUTH
from backsight.results.creg.reading import Group, leading, listed_methods
from backsight.results.pages.study import Study
from backsight.results.relevance.cells import Place, Row, missing_reason, place_words, said_degrees
from backsight.results.relevance.words import REFERENCE_WORDS, VARIANTS, said_method

ALPHA = 0.05
WORDS = 12  # of a sentence on a card


def method_rows(group: Group) -> list[Row]:
    """The rows of a suite's methods that have numbers: for the model's choice, or for no answer."""
    named = [(m, t) for m, t in listed_methods(group) if m not in REFERENCE_WORDS]
    rows = [group.get(("all", m, t, DEFAULT)) for m, t in named]
    return [row for row in rows if row is not None and not missing_reason(row)]


def tested_pair(pairs: Sequence[Row], place: Place, row: Row) -> Row | None:
    """A method against uniform relevance, where the mean was tested; earlier releases tested ranks, without a side."""
    about = (*place, row["method"], row["target"], NULL, None)
    keys = ("suite", "prompt", "method", "target", "other", "other_target")
    fitting = [one for one in of_choice(pairs) if tuple(one[key] for key in keys) == about]
    given = [one for one in fitting if one["p_holm"] is not None and one.get("nearer") is not None]
    return given[0] if given else None


def of_choice(pairs: Sequence[Row]) -> list[Row]:
    """Rows of `creg_pairs` that are of the model's choice.

    A pair without targets stands in the table beside the truth's and again beside the choice's, each time with Holm's
    correction over these: the later one is taken.
    """
    keys = ("suite", "prompt", "method", "target", "other", "other_target")
    mine = [row for row in pairs if TRUTH not in (row["target"], row["other_target"])]
    return list({tuple(row[key] for key in keys): row for row in mine}.values())


def kept(pair: Row) -> bool:
    """Whether a method is closer after correction, and on more pictures than it is further off."""
    return bool(pair["p_holm"] < ALPHA and pair["nearer"] > pair["further"])


def others_closer(study: Study, by_place: Mapping[Place, Group], pairs: Sequence[Row]) -> str:
    """In at most twelve words which methods beside the leading one are closer on some suite; empty without any."""
    closer = [
        (place, row)
        for place, group in by_place.items()
        for row in method_rows(group)
        if row is not leading(group) and row["method"] not in (LEADING, *VARIANTS) and row["dae_gain_low"] > 0
        if (pair := tested_pair(pairs, place, row)) is not None and kept(pair)
    ]
    if not closer:
        return ""
    place, row = max(closer, key=lambda one: float(one[1]["dae_gain"]))
    methods = len({one["method"] for _, one in closer})
    gain = said_degrees(row["dae_gain"], row["dae_gain_low"], row["dae_gain_high"])
    if methods > 1:
        return f"{methods} other methods are closer on a set; most {said_method(row['method'])}."
    method, where = said_method(row["method"]), place_words(study, place)
    line = f"{method}: closer on {where}, {gain}."
    return line if len(line.split()) <= WORDS else f"{method}: closer on a set, {gain}."
