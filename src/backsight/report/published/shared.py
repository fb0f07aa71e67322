"""What the papers' modules share: this study's numbers, when a figure lies inside an interval, and what is remarked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from backsight.maths.grouping import SMALLEST, spans
from backsight.published import Published, number, rounding
from backsight.results.pages.content import Grid, Statement
from backsight.results.pages.study import Study, records, text
from backsight.results.pages.wording import listed

ANCHOR = "published"
METHOD = (
    "Published figures are as printed. n is the number of questions (of failures, where these are corrected). A "
    "correction says what is wrong, and where it can be seen; where there is a figure in its stead, that one is "
    "compared with. A remark leaves the figure as it is.",
)
INSIDE = (
    "Inside says that the figure lies in this study's 95 % interval, when half of its last printed digit is allowed "
    f"for on either side. Direction of relevance and occlusion need {SMALLEST} pictures, not questions."
)
LIMITS = (
    "A figure outside of the interval need not be wrong: pictures, read-out, dtype and the number of questions may "
    "differ. One inside need not hold, above all where the interval is wide.",
)
# How a study comes by a set that is not generated.
HOW = {
    "whatsup": "no What'sUp folder was given: --whatsup",
    "coco_pairs": "no photographs were given: --photos",
    "vsr": "no annotations of VSR were given: --vsr",
}
Row = dict[str, Any]


class Ours(NamedTuple):
    """This study's number, with its interval and how many it is of; `why` says why there is none.

    `few` says what there is too few of where the row has no number. `null` is the same of uniform relevance on the very
    same questions, where there is such a thing.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    why: str = ""
    null: float | None = None
    few: str = ""


class Compared(NamedTuple):
    """One table of a paper beside this study.

    `insides` says of each figure that has an interval of this study beside it whether it lies inside; `statement` is
    None where there is none to set beside. `directions` are those figures that uniform relevance has too, each with
    whether uniform relevance does at least as well on this study's questions.
    """

    grid: Grid
    insides: tuple[bool, ...]
    statement: Statement | None
    directions: tuple[bool, ...] = ()


class Measured:
    """What a study has of published quantities. Each of its tables is read once."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self._rows: dict[str, list[Row]] = {}

    def rows(self, table: str) -> list[Row]:
        """The rows of a summary."""
        if table not in self._rows:
            self._rows[table] = self.study.rows(table)
        return self._rows[table]

    def row(self, kind: str, wanted: Mapping[str, Any], otherwise: str) -> Row | str:
        """The one row of a kind's summary that is as wanted, or why there is none; `otherwise` if its set is there."""
        fitting = [r for r in self.rows(f"{kind}_summary") if all(r[key] == value for key, value in wanted.items())]
        if len(fitting) == 1:
            return fitting[0]
        return "it was asked in several ways" if fitting else self._why(kind, text(wanted["suite"]), otherwise)

    def _why(self, kind: str, suite: str, otherwise: str) -> str:
        for one in records(self.study.data.get("skipped")):
            if text(one.get("set")) == suite and text(one.get("measurement")) in (kind, "all"):
                return f"skipped: {text(one.get('reason'))}"
        if suite in self.study.titles:
            there = any(row["suite"] == suite for row in self.rows(f"{kind}_summary"))
            return otherwise if there else f"{kind} was not run on it"
        return next((how for name, how in HOW.items() if suite.startswith(name)), "the set is not in this study")


def scope(by_paper: Mapping[str, Sequence[Published]]) -> str:
    """Which tables and sections the listed figures are of, and what is not listed."""
    parts = []
    for short, figures in by_paper.items():
        places = dict.fromkeys(one.table for one in figures)
        tables = [int(place) for place in places if place.isdigit()]
        sections = [place.removeprefix("section ") for place in places if not place.isdigit()]
        named = [f"table{'s' * (len(tables) > 1)} {spans(tables)}"] if tables else []
        named += [f"section{'s' * (len(sections) > 1)} {listed(sections)}"] if sections else []
        parts.append(f"{short}, {' and '.join(named)}")
    return (
        f"Listed are numbers of {'; '.join(parts)}. Numbers elsewhere in the text or in an appendix, and "
        "what a figure alone shows, are not."
    )


def comparable(one: Published, ours: Ours) -> bool:
    """Whether there is a figure that holds, and a number of this study to set against it."""
    return bool(one.best) and ours.value is not None and (one.condition == "setting" or ours.low is not None)


def inside(one: Published, ours: Ours) -> bool:
    """Whether the figure that holds lies in this study's interval, its printed digits allowed for."""
    if ours.value is None or ours.low is None or ours.high is None:
        return ours.value == number(one.best)
    half = rounding(one.best) + 1e-9
    return ours.low - half <= number(one.best) <= ours.high + half


def statement(words: str, insides: Sequence[bool], note: str = "", noun: str = "inside") -> Statement | None:
    """How many of a table's figures lie inside; None where there is none. The further, the more lie outside."""
    if not insides:
        return None
    count, total = sum(insides), len(insides)
    return Statement(f"{words}: {count} of {total} {noun}.", short=1 - count / total, note=note)


def printed(one: Published) -> str:
    """The figure as printed, with its interval and number where these are."""
    interval = f" [{one.low}, {one.high}]" if one.low is not None else ""
    return one.printed + interval + (f" (n={one.n})" if one.n is not None else "")


def corrected(one: Published) -> str:
    """What stands in a wrong figure's stead; a dash for one that is not wrong."""
    if one.correction is None:
        return "–"
    n = f" (n={one.correction.n})" if one.correction.n is not None else ""
    return f"{one.correction.printed}{n}" if one.correction.printed else "none known"


def notes(pairs: Sequence[tuple[Published, Ours]], named: Callable[[Sequence[Published]], str]) -> list[str]:
    """What is wrong with which figures, what is remarked of them, and what was not measured and why.

    `named` gives words for figures that have the same said of them.
    """
    wrong: dict[tuple[str, str], list[Published]] = {}
    remarks: dict[tuple[str, str], list[Published]] = {}
    whys: dict[str, list[Published]] = {}
    for one, ours in pairs:
        if one.correction is not None:
            wrong.setdefault((one.correction.reason, one.correction.source), []).append(one)
        for remark in one.remarks:
            remarks.setdefault((remark.text, remark.source), []).append(one)
        if ours.why:
            whys.setdefault(ours.why, []).append(one)
    sentences = []
    for word, figures in (("Wrong", wrong), ("Remark", remarks)):
        for (reason, source), of in figures.items():
            whole = len(of) == len(pairs) > 1
            sentences.append(f"{word}, {'all' if whole else named(of)}: {reason} (Source: {source}.)")
    missing = "; ".join(f"{named(of)} ({why})" for why, of in whys.items())
    return sentences + ([f"Not measured in this study: {missing}."] if missing else [])
