"""What the parts of the set `hard` are called where repairs are scored on them.

They are stored under the names of suites that are asked about by themselves, with other questions: the hard ones are
fewer, are held out, and its squares keep 5 or 10 % of their contrast. So a name alone says which of the two is meant.
"""

from __future__ import annotations

from collections.abc import Mapping

from backsight.results.amplification.tables import ALL
from backsight.results.pages import common
from backsight.results.pages.study import Study, text

HARD = "hard"
PARTS: Mapping[str, str] = {
    HARD: "Hard questions",
    ALL: "All hard questions",
    "degraded_squares": "Hard squares (5 or 10 % contrast)",
    "pairs_textured": "Hard pairs (on texture)",
    "tabletop_a": "Hard tabletop scenes",
}


def titles(study: Study, kind: str) -> dict[str, str]:
    """What to call each suite in the tables of a kind of measurement: parts of `hard` by names of their own."""
    of_hard = any(text(one.get("name")) == HARD for one in study.sets_of(kind))
    return study.titles | (dict(PARTS) if of_hard else {})


def titled(study: Study, kind: str, suite: str) -> str:
    """What a suite is called in the tables of a kind of measurement."""
    return titles(study, kind).get(suite) or common.title(study, suite)


def filtered(study: Study, kind: str, suite: str) -> str:
    """The stored set that a suite's questions are of, by which the page filters; empty for all of several sets."""
    names = [text(one.get("name")) for one in study.sets_of(kind)]
    if HARD in names and suite in PARTS:
        return HARD
    return "" if suite == ALL else suite
