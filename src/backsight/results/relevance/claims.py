"""A claim over suites: what is shown where it holds least, then how it is with the others; a function of intervals.

What is compared is a value that should lie above zero: an improvement over uniform relevance, or a correlation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from backsight.results.drawing.style import counted
from backsight.results.pages.content import Statement

Side = Literal["above", "below", "over"]  # where an interval lies: above, below or over zero
MANY = 3  # names that a sentence lists; of more it gives the number


@dataclass(frozen=True)
class Finding:
    """A value with its interval on one suite. `where` is the suite in words, `shown` the value as it is printed."""

    where: str
    value: float
    low: float
    high: float
    shown: str
    bare: str  # the value without its interval
    above: float = 0.0  # what the interval has to lie above
    instead: str = ""  # what completes the sentence where the interval lies above zero and not above that


@dataclass(frozen=True)
class Wording:
    """The words of a claim.

    `above`, `below`, `none` and `unsure` complete a sentence about a method; `none` is for a value at or below zero and
    `unsure` for one above it, where the interval holds zero. `it` and `not_shown` take up the others, `value` and
    `values` name what is in brackets, and `among` and `places` what a finding is of.
    """

    above: str
    below: str
    none: str
    unsure: str
    it: str
    not_shown: str
    value: str
    values: str
    places: str = "suite"
    among: str = "on"


def side(value_low: float, value_high: float) -> Side:
    """Where an interval lies beside zero; one that touches zero lies over it."""
    return "above" if value_low > 0 else "below" if value_high < 0 else "over"


def holds(one: Finding) -> bool:
    """Whether an interval lies above zero, and above what else it has to."""
    return one.low > max(0.0, one.above)


def verb(wording: Wording, one: Finding) -> str:
    """What one suite shows."""
    if one.instead and one.low > 0 and not holds(one):
        return one.instead
    where = side(one.low, one.high)
    if where == "over":
        return wording.unsure if one.value > 0 else wording.none
    return wording.above if where == "above" else wording.below


def over_all(name: str, wording: Wording, findings: Sequence[Finding]) -> str:
    """One sentence over all suites; empty without any. First stands the least value of those of which it does not
    hold, or of all where it holds of each."""
    if not findings:
        return ""
    worst, *others = sorted(findings, key=lambda one: (holds(one), one.value))
    on = f"{worst.where} ({wording.value} {worst.shown})"
    if not others:
        return f"{name} {verb(wording, worst)} {on}."
    if holds(worst):
        every = "both" if len(findings) == 2 else f"all {len(findings)}"
        return f"{name} {wording.above} {wording.among} {every} {wording.places}s, least {on}."
    head = f"{name} {verb(wording, worst)} {on}"
    shown = [one for one in others if holds(one)]
    rest = counted(len(others), f"other {wording.places}")
    if not shown:
        either = f"{wording.among} the {rest} either" if len(others) > 1 else f"{others[0].where} either"
        return f"{head}; {wording.not_shown} {either} ({wording.values} {ranged(others)})."
    if len(shown) < MANY:
        among = "" if len(shown) == len(others) else f", {len(shown)} of the {rest}"
        return f"{head}; {wording.it} {apart(f'{one.where} ({one.shown})' for one in shown)}{among}."
    return f"{head}; {wording.it} {wording.among} {len(shown)} of the {rest} ({wording.values} {ranged(shown)})."


def ranged(findings: Sequence[Finding]) -> str:
    """The least and the largest of some values."""
    low, high = (pick(findings, key=lambda one: one.value).bare for pick in (min, max))
    return low if low == high else f"{low} to {high}"


def apart(items: Iterable[str]) -> str:
    """Items in words, set apart by semicolons where one of them has a comma of its own."""
    names = list(items)
    between = "; " if any(", " in name for name in names) else ", "
    last = "; and " if between == "; " else " and "
    return names[0] if len(names) == 1 else between.join(names[:-1]) + last + names[-1]


def together(omitted: Iterable[tuple[str, str]], head: str) -> tuple[Statement, ...]:
    """One sentence for all suites that have no numbers, each given with why."""
    by_reason: dict[str, list[str]] = {}
    for title, why in omitted:
        by_reason.setdefault(why, []).append(title)
    parts = [f"{apart(titles)}, {why}" for why, titles in by_reason.items()]
    return (Statement(f"{head} {apart(parts)}."),) if parts else ()
