"""The subject moved: whether the compass of relevance follows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.relevance import CHOICE, LEADING, NULL
from backsight.results.base import Derived, Metric, Result
from backsight.results.drawing.style import counted
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.relevance import drawing
from backsight.results.relevance.cells import (
    Cells,
    Row,
    Said,
    check,
    degrees,
    degrees_between,
    leading_rows,
    missing_reason,
    none_shown,
    place_words,
    said_degrees,
    said_range,
    table,
)  # fmt: skip
from backsight.results.relevance.claims import Finding, Wording, over_all
from backsight.results.relevance.drawing import Columns
from backsight.results.relevance.summaries import mean, named, of_methods, plain_mean
from backsight.results.relevance.words import said_method
from backsight.tables import Schema, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS = Schema(
    "moved",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "prompt": "str",
        "direction": "str",
        "method": "str",
        "target": "str",
        "turned": "float",  # degrees that the subject moved around the reference
        "followed": "float",  # degrees between the turn of the compass's peak and that of the subject
        "dae": "float",
        "dae_moved": "float",
    },
    "The compass with the subject put elsewhere, one row a question and method",
)


SUMMARY = Schema(
    "moved_summary",
    {
        "suite": "str",
        "prompt": "str",
        "method": "str",
        "target": "str",
        "questions": "int",
        "images": "int",
        "turned": "float",
        "followed": "float",
        "low": "float",
        "high": "float",
        "followed_null": "float",  # of uniform relevance on the same questions
        "gain": "float",  # followed_null - followed, paired
        "gain_low": "float",
        "gain_high": "float",
        "dae": "float",
        "dae_moved": "float",
        "omitted": "bool",
    },
    "Whether the compass follows the subject, with 95 % intervals",
)


CAPTION = (
    "The subject is put elsewhere and all else is left: angle between the turn of the compass and that of the subject, "
    "with its 95 % interval; further left is better. Dashed: uniform relevance."
)
METHOD = (
    "Moved: in rendered scenes the subject is put elsewhere, at least 60 degrees further round, and the turn of the "
    "compass's peak is compared with that of the subject. This check is not in the paper."
)
LIMITS = ("Relevance that lights the subject follows it, whether or not the answer goes by its direction.",)
NOTE = (
    "Degrees. Off by: between the turn of the compass and that of the subject. Improvement: closer to the subject's "
    "turn than uniform relevance on the same questions."
)
FOLLOWS = Wording(
    above="follows a moved object closer than uniform relevance does",
    below="follows a moved object less closely than uniform relevance does",
    none="follows a moved object no closer than uniform relevance does",
    unsure="is not shown to follow a moved object closer than uniform relevance does",
    it="it follows closer",
    not_shown="following closer is not shown",
    value="improvement",
    values="improvements",
)


def moved_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """How near the compass's turn comes to the subject's, by suite, prompt, method and target."""
    expect(rows, ROWS.name)
    summary: list[Row] = []
    for (suite, prompt), group in groups(rows.frame, ["suite", "prompt"]):
        null = group[group["method"] == NULL].set_index("example_id")["followed"]
        for (method, target), part in groups(group, ["method", "target"]):
            row: Row = dict.fromkeys(SUMMARY.columns) | {"suite": suite, "prompt": prompt}
            row |= {"method": method, "target": target, "questions": len(part), "images": part["image_id"].nunique()}
            row["omitted"] = len(part) < smallest
            if not row["omitted"]:
                before = part["example_id"].map(null)
                row |= named("followed", mean(part["followed"], part), "")
                row |= named("gain", mean(before - part["followed"], part), "gain")
                row |= {name: plain_mean(part[name]) for name in ("turned", "dae", "dae_moved")}
                row["followed_null"] = plain_mean(before)
            summary.append(row)
    return Table.of(SUMMARY, summary, rows.provenance)


def draw(table: Table, *, columns: int | None = None, titles: Mapping[str, str] | None = None) -> Figure:
    """Angle between the turn of the compass and that of the subject, beside what uniform relevance gives."""
    where = Columns("followed", "low", "high", "followed_null")
    return drawing.beside_null(table, where, "angle between both turns, in degrees", columns, titles)


def say(study: Study, rows: Sequence[Row]) -> Said:
    """Whether CREG's compass follows the subject closer than that of uniform relevance."""
    missing = none_shown(study, leading_rows(rows), "Whether the compass follows the object is not shown:")
    given = [row for row in leading_rows(rows) if not row["omitted"] and row["gain"] is not None]
    if not given:
        return Said("".join(one.text for one in missing), "", ())
    findings = []
    for row in given:
        where = f"on {place_words(study, (row['suite'], row['prompt']))}"
        shown = said_degrees(row["gain"], row["gain_low"], row["gain_high"])
        findings.append(
            Finding(where, row["gain"], row["gain_low"], row["gain_high"], shown, said_degrees(row["gain"]))
        )
    claim = over_all(f"The compass of {said_method(given[0]['method'])}", FOLLOWS, findings)
    statements = (_statement(place_words(study, (row["suite"], row["prompt"])), row) for row in given)
    return Said(claim, null_of(given), (*statements, *missing))


def null_of(rows: Sequence[Row]) -> str:
    """What uniform relevance gives, and a compass that does not turn at all."""
    null, still = (said_range([row[name] for row in rows]) for name in ("followed_null", "turned"))
    return f"With the object moved, uniform relevance is {null} off its turn, a compass that does not turn {still}."


def _statement(title: str, row: Row) -> Statement:
    off = said_degrees(row["followed"], row["low"], row["high"])
    gain = said_degrees(row["gain"], row["gain_low"], row["gain_high"])
    text = (
        f"On {title}, with the object moved, the compass of {said_method(row['method'])} is {off} off its turn, "
        f"uniform relevance {said_degrees(row['followed_null'])} (improvement {gain}, "
        f"{counted(row['questions'], 'question')})."
    )
    kept = row["followed"] / row["followed_null"] if row["followed_null"] else 1.0
    return Statement(text, row["suite"], min(1.0, kept))


def tables(study: Study, rows: Sequence[Row]) -> Iterator[Grid]:
    """How far the compass's turn is off the subject's, that of uniform relevance beside."""

    def cells(of: Sequence[Row]) -> Cells:
        (row,) = of
        if row["omitted"]:
            return missing_reason(row, "question"), "–", "–", "–"
        off = degrees_between(row["followed"], row["low"], row["high"])
        gain = degrees_between(row["gain"], row["gain_low"], row["gain_high"])
        return off, degrees(row["followed_null"]), gain, str(row["questions"])

    numbers = ("Off by", "Uniform", "Improvement", "Questions")
    mine = [row for row in rows if row["method"] != NULL]
    yield from table(study, mine, "The object moved", numbers, cells, NOTE, "moved_summary")


def section(study: Study) -> Section | None:
    """This check's part of the section on causal checks."""
    return check(study, ROWS.name, draw, tables, say, caption=CAPTION, method=METHOD, limits=LIMITS)


RESULT = Result(
    ROWS,
    summary=Derived(SUMMARY, moved_summary),
    draw=draw,
    sections=(section,),
    metrics=(
        Metric("followed", "example_id", "followed", ("method", "target", "prompt"), ("direction",), of_methods,
               better="less", plotted={"method": LEADING, "target": CHOICE},
               title="Subject moved: degrees off its turn"),
    ),
)  # fmt: skip
