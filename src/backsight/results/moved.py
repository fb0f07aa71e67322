"""The subject moved: whether the compass of relevance follows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.relevance import CHOICE, LEADING, NULL
from backsight.results.base import Derived, Metric, Result
from backsight.results.pages.content import Grid, Section
from backsight.results.pages.study import Study
from backsight.results.relevance import drawing
from backsight.results.relevance.cells import Cells, Row, beside, check, degrees, degrees_between
from backsight.results.relevance.drawing import Columns
from backsight.results.relevance.summaries import mean, named, of_methods, plain_mean
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
    "the mean with its 95 % interval; less is better. Dashed: what uniform relevance gives."
)
METHOD = (
    "Moved: in rendered scenes the subject is put elsewhere, at least 60 degrees further round, and the turn of the "
    "compass's peak is compared with that of the subject. This check is not in the paper."
)
LIMITS = ("Relevance that lights the subject follows it, whether or not the answer goes by its direction.",)
NOTE = (
    "All in degrees. Off by is between the two turns, uniform is that of uniform relevance on the same questions, and "
    "gain is how much more it is off. DAE is of the compass before and after the move."
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


def tables(study: Study, rows: Sequence[Row]) -> Iterator[Grid]:
    """How far the compass's turn is off the subject's, that of uniform relevance beside."""

    def cells(row: Row) -> Cells:
        off = degrees_between(row["followed"], row["low"], row["high"])
        gain = degrees_between(row["gain"], row["gain_low"], row["gain_high"])
        plain = (degrees(row["dae"]), degrees(row["dae_moved"]), str(row["questions"]))
        return off, degrees(row["followed_null"]), gain, *plain

    numbers = ("Off by", "Uniform", "Gain", "DAE before", "DAE after", "n")
    title = "The subject moved: whether the compass follows"
    yield from beside(study, rows, title, numbers, cells, NOTE, "moved_summary")


def section(study: Study) -> Section | None:
    """This check's part of the section on causal checks."""
    return check(study, ROWS.name, draw, tables, caption=CAPTION, method=METHOD, limits=LIMITS)


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
