"""What the section on priors says: its sentences are functions of summary rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.maths.grouping import SMALLEST
from backsight.results.drawing.style import counted
from backsight.results.pages.follows import points, share, span
from backsight.results.pages.wording import percent, uncorrected

Row = Mapping[str, Any]

CAPTION = (
    "Whom answers follow: the pixels, the prior, or neither, with 95 % intervals. The thin bar under each is the blank "
    "image's answers to the same questions. Upright, the prior's place holds the same error, the answer that is "
    "correct upside down."
)
METHOD = (
    "Upside down: the picture is turned by half a turn and the same question asked, so that the correct answer is the "
    "opposite one. An answer that stays follows the prior. On, under, in front of and behind are not asked: geometry "
    "gives them no turned answer.",
    "Usual relation reversed: of Tabletop's things it is stated what is usual (a lamp on a table, a ball under a "
    "chair), and each scene has a twin in the same room with the opposite relation. Of other sets the usual "
    "relation of two things is the answer of at least 80 % of at least 5 other pictures of the same two, and else "
    "what the model answers to the blank image, its own prior; reversed is then any other answer.",
    "Excess: how much more often the prior's answer comes than errors give it. Upside down and for twins it is the "
    "paired difference from the same error upright, or in the usual scene; else from errors spread evenly over the "
    "other options. Every answer that the prior gives weighs alike, so that a leaning to one answer cancels. The "
    "presence question (which of two things is there) tells whether things are still recognised upside down.",
)
LIMITS = (
    "A picture upside down is unlike most of what a model was trained on: an answer that stays may come of that. "
    "Where the presence question falls as well, a stay is no evidence of a prior.",
    "Where the usual relation is taken from the blank image, the prior may be a habit of format and no belief about "
    "the world.",
)
NOTE = "Excess: how much more often the prior's answer comes than errors give it; see how it was done."
CHANCE = 0.5  # of the presence question, between two
UNKNOWN = 0.5  # how short of what it should be a test is that has no numbers
GUESSING = "Upright it answers no better than by guessing, so that neither pixels nor prior can be told"
TESTS = {
    "upright picture": "upside down",
    "stated": "usual relation reversed",
    "majority": "usual relation (by other pictures) reversed",
    "blank image": "against the answer to the blank image",
}
SOURCES = {
    "upright picture": "are the answer that is correct upright",
    "stated": "are the usual relation",
    "majority": "are the usual relation",
    "blank image": "are the answer to the blank image",
}


def sentence(title: str, row: Row, before: Row | None) -> str:
    """One test on a suite, from the row turned or reversed, and the one upright or usual before it."""
    shares = (
        f"{title}, {TESTS[row['source']]}: {share(row, 'pixels')} of {counted(row['questions'], 'answer')} follow the "
        f"pixels{_difference(row, before)}, {share(row, 'prior')} {SOURCES[row['source']]}"
    )
    parts = [shares, GUESSING if guesses(before) else _excess(row), _recognised(row)]
    return " ".join(f"{part}." for part in parts if part)


def short(row: Row) -> float:
    """How far the answers are from following the pixels, from 0 to 1."""
    return UNKNOWN if row["omitted"] else 1.0 - float(row["pixels"])


def omitted_sentence(named: Sequence[tuple[str, Row]]) -> str:
    """The tests with too few questions, in one sentence."""
    tests = [f"{title}, {TESTS[row['source']]} ({row['questions']})" for title, row in named]
    return f"Omitted, with fewer than {SMALLEST} questions: {'; '.join(tests)}."


def _difference(row: Row, before: Row | None) -> str:
    if row["difference"] is None or before is None or before["omitted"]:
        return ""
    side = "upright" if row["test"] == "upside down" else "in usual scenes"
    return f" ({side} {percent(before['pixels'])}, difference {points(row, 'difference')})"


def guesses(before: Row | None) -> bool:
    """Whether what stands before a test, the picture upright, is answered no better than by guessing."""
    known = before is not None and not before["omitted"] and before["test"] == "upside down"
    return known and before is not None and bool(before["pixels_low"] <= before["chance"])


def comes_more(row: Row) -> bool:
    """Whether the prior's answer comes more often than errors alone give it, the whole interval above zero."""
    known = not row["omitted"] and row["excess"] is not None and row["excess_of"] != "one answer"
    return known and bool(row["excess_low"] > 0)


def unrecognised(row: Row) -> bool:
    """Whether the presence question falls upside down, the whole interval below zero."""
    return row["presence"] is not None and bool(row["presence_difference_high"] < 0)


def prior_shows(row: Row) -> bool:
    """Whether the prior's answer comes more often, and things are recognised upside down as well as upright."""
    return comes_more(row) and not unrecognised(row)


def _excess(row: Row) -> str:
    if row["excess"] is None:
        return ""
    null = _errors(row)
    if row["excess_of"] == "one answer":
        return "The prior's answer is always the same: a prior cannot be told from a leaning to one answer"
    if comes_more(row):
        return f"The prior's answer comes more often than {null} ({points(row, 'excess')})"
    if row["excess_high"] < 0:
        return f"The prior's answer comes less often than {null} ({points(row, 'excess')})"
    return f"No prior is shown: its answer less {null} {points(row, 'excess')}"


def _errors(row: Row) -> str:
    same = "the same error upright" if row["test"] == "upside down" else "the same error in usual scenes"
    return same if row["excess_of"] == "same error" else "evenly spread errors"


def _recognised(row: Row) -> str:
    if row["test"] != "upside down":
        return ""
    if row["presence"] is None:
        return "No presence question fits these pictures: whether things are recognised upside down is not known"
    if row["presence_upright_low"] <= CHANCE:
        guessed = f"The presence question is guessed upright too ({percent(row['presence_upright'])} of two)"
        return f"{guessed}: whether things are recognised upside down is not known"
    both = f"{percent(row['presence_upright'])} upright, {percent(row['presence'])} upside down"
    if unrecognised(row):
        return f"The presence question falls as well ({both}): an answer that stays is no evidence of a prior"
    return f"The presence question is not shown to fall ({both})"


def claim(named: Sequence[tuple[str, Row, Row | None]]) -> str:
    """Where a prior shows, over the tests that can tell: each with its suite's title, and the row before it."""
    judged = _telling(named)
    if not judged:
        return (
            "Whether a language prior wins over the pixels cannot be told: no test has enough questions that are "
            "answered better than by guessing."
        )
    shows = [one for one in judged if prior_shows(one[1])]
    title, row = _most(judged)
    most = f"most on {title}, {TESTS[row['source']]}: {points(row, 'excess')}"
    tests = counted(len(judged), "test")
    if not shows:
        return (
            f"No language prior is shown against the pixels: in none of {tests} is its answer shown to come more often "
            f"than errors give it ({most})."
        )
    return (
        f"A language prior shows against the pixels in {len(shows)} of {tests}{uncorrected(len(judged))}: its answer "
        f"comes more often than errors give it, {most}."
    )


def _telling(named: Sequence[tuple[str, Row, Row | None]]) -> list[tuple[str, Row]]:
    """The tests that can tell, each with its suite's title."""
    return [
        (title, row)
        for title, row, before in named
        if not row["omitted"] and row["excess"] is not None and row["excess_of"] != "one answer" and not guesses(before)
    ]


def _most(judged: Sequence[tuple[str, Row]]) -> tuple[str, Row]:
    """The test that the claim names: the largest excess, of those that show a prior where one does."""
    shows = [one for one in judged if prior_shows(one[1])]
    return max(shows or judged, key=lambda one: float(one[1]["excess"]))


def _beside(title: str, row: Row, before: Row | None) -> str:
    """What the excess that the claim names is the distance of.

    A table of an earlier release lacks it: then how often usual scenes are answered with an error, where there are any.
    """
    if row["excess_null"] is None:
        if before is None or before["omitted"] or row["test"] == "upside down":
            return ""
        errors = percent(1 - before["pixels"])
        return f"{title}, {TESTS[row['source']]}: in usual scenes {errors} of answers are errors, of any kind"
    alike = "" if row["source"] == "blank image" else ", every answer of the prior weighing alike"
    shares = f"{percent(row['excess'] + row['excess_null'])} against {percent(row['excess_null'])} by {_errors(row)}"
    return f"{title}, {TESTS[row['source']]}: {shares}{alike}"


def null(named: Sequence[tuple[str, Row, Row | None]]) -> str:
    """How often the prior's answer comes without a prior: in the test that the claim names, then over all tests by the
    same error upright, and to a blank image."""
    judged = _telling(named)
    given = [(row, before) for _, row, before in named if not row["omitted"]]
    errors = [b["prior"] for _, b in given if b is not None and not b["omitted"] and b["prior"] is not None]
    blank = [row["prior_blank"] for row, _ in given if row["prior_blank"] is not None]
    parts = []
    if judged:
        title, most = _most(judged)
        parts = [_beside(title, most, next(before for _, row, before in named if row is most))]
    parts += [f"upside down, the same error comes in {span(errors)} of answers upright"] if errors else []
    parts += [f"a blank image gives the prior's answer in {span(blank)}"] if blank else []
    sentence = "; ".join(filter(None, parts))
    return f"{sentence[:1].upper()}{sentence[1:]}." if sentence else ""
