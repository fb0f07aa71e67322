"""What the section on priors says: its sentences are functions of summary rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.results.drawing.style import counted
from backsight.results.pages.follows import points, share
from backsight.results.pages.wording import listed, omitted, percent, uncorrected

Row = Mapping[str, Any]

QUESTION = "Do answers follow the pixels, or what is usual?"
CAPTION = (
    "Whom answers follow: the pixels, the prior (the answer that is right upright; the usual relation), or neither; "
    "lines are 95 % intervals. The thin bar under each is the blank image's answers to the same questions. Upright, "
    "the prior's place holds the answer that would be right upside down: the same error without a reason."
)
METHOD = (
    "Upside down: the picture is turned by half a turn and the same question asked, so that the right answer is the "
    "opposite one. An answer that stays follows the prior. Only questions whose answer turns are asked: on, under, "
    "in front of and behind have no turned answer that geometry gives.",
    "Usual relation reversed: of Tabletop's things it is stated what is usual (a lamp on a table, a ball under a "
    "chair), and each scene has a twin in the same room with the opposite relation. Of other sets the usual "
    "relation of two things is the answer of at least 80 % of at least 5 other pictures of the same two, and else "
    "what the model answers to the blank image, its own prior; reversed is then any other answer.",
    "Excess: how much more often the prior's answer comes than errors give it. Upside down and for twins it is the "
    "paired difference from the same error upright, or in the usual scene; else from errors spread evenly over the "
    "other options. Every answer that the prior gives weighs alike, so that a leaning to one answer cancels. The "
    "presence question (which of two things is there) upright and upside down tells whether things are still "
    "recognised. Intervals hold 95 %, with pictures as units.",
)
LIMITS = (
    "A picture upside down is unlike most of what a model was trained on: an answer that stays may come of that. "
    "Where the presence question falls as well, a stay is no evidence of a prior.",
    "Where the usual relation is taken from the blank image, the prior is the answer that the model gives unseeing, "
    "which may be a habit of format and no belief about the world.",
)
NOTE = (
    "Blank: the share of the blank image's answers that are the pixels' and the prior's. Difference: right upside "
    "down less right upright, right in reversed scenes less right in usual ones. Excess: see the method."
)
CHANCE = 0.5  # of the presence question, between two
GUESSING = "upright it answers no better than by guessing, so that neither pixels nor prior can be told"
SOURCES = {
    "upright picture": "the answer that was right upright",
    "stated": "the usual relation, as stated for these things",
    "majority": "the usual relation, that of most other pictures of the same two",
    "blank image": "the answer to the blank image",
}


def sentence(title: str, row: Row, before: Row | None) -> str:
    """One test on a suite, from the row turned or reversed, and the one upright or usual before it."""
    where = "turned upside down" if row["test"] == "upside down" else f"prior from {row['source']}"
    if row["omitted"]:
        return f"{title}, {where}: {omitted(row['questions'], 'question')}."
    blank = ""
    if row["pixels_blank"] is not None:
        blank = f" (blank image: {percent(row['pixels_blank'])} and {percent(row['prior_blank'])})"
    parts = [
        f"{title}, {where}: {share(row, 'pixels')} of {counted(row['questions'], 'answer')} follow the pixels, "
        f"{share(row, 'prior')} {SOURCES[row['source']]}{blank}, {percent(row['neither'])} neither",
        _difference(row, before),
        GUESSING if guesses(before) else _excess(row),
        _recognised(row),
    ]
    return "; ".join(part for part in parts if part) + "."


def _difference(row: Row, before: Row | None) -> str:
    if row["difference"] is None or before is None or before["omitted"]:
        return ""
    side = "upright" if row["test"] == "upside down" else "in usual scenes"
    return f"{side} {percent(before['pixels'])} are right (paired difference {points(row, 'difference')})"


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
    same = "the same error upright" if row["test"] == "upside down" else "the same error in usual scenes"
    null = same if row["excess_of"] == "same error" else "evenly spread errors"
    if row["excess_of"] == "one answer":
        return "whether it is a prior cannot be told from a leaning to one answer: the prior's is always the same"
    if comes_more(row):
        return f"the prior's answer comes more often than {null} ({points(row, 'excess')})"
    if row["excess_high"] < 0:
        return f"the prior's answer comes less often than {null} ({points(row, 'excess')})"
    return f"no prior is shown (its answer less {null}: {points(row, 'excess')})"


def _recognised(row: Row) -> str:
    if row["test"] != "upside down":
        return ""
    if row["presence"] is None:
        return "whether things are still recognised upside down is not known: no presence question fits these pictures"
    if row["presence_upright_low"] <= CHANCE:
        guessed = f"the presence question is guessed upright too ({percent(row['presence_upright'])} of two)"
        return f"whether things are recognised upside down is not known: {guessed}"
    both = f"{percent(row['presence_upright'])} upright, {percent(row['presence'])} upside down"
    if unrecognised(row):
        return (
            f"the presence question falls as well ({both}): things are recognised less, and an answer that stays is no "
            "evidence of a prior"
        )
    return f"the presence question is not shown to fall ({both})"


def lead(named: Sequence[tuple[str, Row, Row | None]]) -> str:
    """Where a prior shows, over the tests that can tell: each with its suite's title, and the row before it.

    Empty where none can.
    """
    judged = [
        (title, row)
        for title, row, before in named
        if not row["omitted"] and row["excess"] is not None and row["excess_of"] != "one answer" and not guesses(before)
    ]
    if not judged:
        return ""
    shows = [f"{title} ({row['test']})" for title, row in judged if prior_shows(row)]
    tests = counted(len(judged), "test")
    if not shows:
        return (
            f"In none of {tests} is the answer that a prior would give shown to come more often than errors alone give "
            "it: no language prior is shown against the pixels."
        )
    return f"A prior shows in {len(shows)} of {tests}{uncorrected(len(judged))}: {listed(shows)}."
