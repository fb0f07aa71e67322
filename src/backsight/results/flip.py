"""The mirror: whether the compass of relevance turns with the picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from backsight.maths.compass import equivariance
from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.relevance import CHOICE, LEADING, NULL
from backsight.results.base import Derived, Metric, Result
from backsight.results.drawing.style import counted
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import decimal, with_interval
from backsight.results.relevance import drawing
from backsight.results.relevance.cells import (
    Cells,
    Row,
    Said,
    check,
    leading_rows,
    missing_reason,
    none_shown,
    place_words,
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
    "flip",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "prompt": "str",
        "direction": "str",
        "method": "str",
        "target": "str",
        "sector": "float",  # degrees
        "share": "float",
        "share_mirrored": "float",  # of the mirrored picture's compass, turned back
    },
    "The compass beside that of the mirrored picture, one row a question, method and sector",
)


SUMMARY = Schema(
    "flip_summary",
    {
        "suite": "str",
        "prompt": "str",
        "method": "str",
        "target": "str",
        "questions": "int",
        "images": "int",
        "r": "float",  # Pearson's over the sectors of a question, the mean over questions
        "low": "float",
        "high": "float",
        "r_pooled": "float",  # over all sectors of all questions
        "r_null": "float",  # of uniform relevance on the same questions
        "r_pooled_null": "float",
        "omitted": "bool",
    },
    "How far the compass turns in a mirror, with 95 % intervals",
)


CAPTION = (
    "Pearson's r between the compass and that of the mirrored picture, turned back, with its 95 % interval: 1 where it "
    "turns with the picture. Dashed: uniform relevance."
)
METHOD = (
    "Mirror: the picture is mirrored with its boxes, the same question asked, and the compass turned back (section "
    "6.1, where r is -.065 over 60 samples). The target is mirrored too."
)
LIMITS = ("A compass that turns in a mirror belongs to the picture; that does not show that the answer goes by it.",)
HIGH = 0.5  # of r: what a reader takes for agreement
NOTE = (
    "r is the mean over questions; pooled is over all sectors of all questions. A compass that is the same in every "
    "sector has no r."
)
TURNS = Wording(
    above="turns with the picture in a mirror",
    below="turns against the picture in a mirror",
    none="does not turn with the picture in a mirror",
    unsure="is not shown to turn with the picture in a mirror",
    it="it turns with it",
    not_shown="turning is not shown",
    value="r",
    values="r",
)


def flip_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Pearson's r of compass and mirrored compass, the mean over questions and pooled, by suite, prompt and method.

    A question whose compass is the same in every sector has no r of its own.
    """
    expect(rows, ROWS.name)
    summary: list[Row] = []
    for (suite, prompt), group in groups(rows.frame, ["suite", "prompt"]):
        null = group[group["method"] == NULL]
        own = null.groupby("example_id", sort=False)[["share", "share_mirrored"]].apply(_r)
        for (method, target), part in groups(group, ["method", "target"]):
            each = part.groupby("example_id", sort=False)[["share", "share_mirrored"]].apply(_r)
            images = part.drop_duplicates("example_id").set_index("example_id")["image_id"]
            row: Row = dict.fromkeys(SUMMARY.columns) | {"suite": suite, "prompt": prompt}
            row |= {"method": method, "target": target, "questions": len(each), "images": images.nunique()}
            row["omitted"] = len(each) < smallest
            if not row["omitted"]:
                interval = mean(each, pd.DataFrame({"image_id": images.loc[each.index]}))
                row |= named("r", interval, "") | {"r_pooled": _r(part)}
                same = null[null["example_id"].isin(each.index)]
                row |= {"r_null": plain_mean(own.loc[own.index.isin(each.index)]), "r_pooled_null": _r(same)}
            summary.append(row)
    return Table.of(SUMMARY, summary, rows.provenance)


def _r(rows: pd.DataFrame) -> float:
    """Pearson's r of the compasses in some rows."""
    return equivariance(rows["share"].to_numpy(dtype=float), rows["share_mirrored"].to_numpy(dtype=float))


def draw(table: Table, *, columns: int | None = None, titles: Mapping[str, str] | None = None) -> Figure:
    """Pearson's r of a picture's compass and that of its mirror image turned back, beside uniform relevance."""
    where = Columns("r", "low", "high", "r_null")
    return drawing.beside_null(table, where, "Pearson's r over the sectors", columns, titles, shares=True)


def say(study: Study, rows: Sequence[Row]) -> Said:
    """Whether CREG's compass turns in a mirror, beside that of uniform relevance."""
    missing = none_shown(study, leading_rows(rows), "Whether the compass turns in a mirror is not shown:")
    given = [row for row in leading_rows(rows) if not row["omitted"] and row["r"] is not None]
    if not given:
        return Said("".join(one.text for one in missing), "", ())
    findings, statements = [], []
    for row in given:
        title, shown = (
            place_words(study, (row["suite"], row["prompt"])),
            with_interval(row["r"], row["low"], row["high"]),
        )
        findings.append(Finding(f"on {title}", row["r"], row["low"], row["high"], shown, decimal(row["r"])))
        text = (
            f"On {title} and in its mirror image, the compass of {said_method(row['method'])} has r = {shown}, that of "
            f"uniform relevance {decimal(row['r_null'])} ({counted(row['questions'], 'question')})."
        )
        statements.append(Statement(text, row["suite"], min(1.0, max(0.0, 1.0 - row["r"]))))
    claim = over_all(f"The compass of {said_method(given[0]['method'])}", TURNS, findings)
    return Said(claim, null_of(given), (*(statements if len(given) > 1 else ()), *missing))


def null_of(rows: Sequence[Row]) -> str:
    """What uniform relevance gives, and what that says of a high r; empty without numbers."""
    of = [row["r_null"] for row in rows if row["r_null"] is not None]
    if not of:
        return ""
    low, high = decimal(min(of)), decimal(max(of))
    alike = low if low == high else f"{low} to {high}"
    merit = ", so that a high r is no merit by itself" if min(of) > HIGH else ""
    return f"In a mirror, uniform relevance, which turns with both boxes, has r = {alike}{merit}."


def tables(study: Study, rows: Sequence[Row]) -> Iterator[Grid]:
    """r by question and pooled, those of uniform relevance beside."""

    def cells(of: Sequence[Row]) -> Cells:
        (row,) = of
        if row["omitted"]:
            return missing_reason(row, "question"), "–", "–", "–"
        own = with_interval(row["r"], row["low"], row["high"])
        return own, decimal(row["r_null"]), decimal(row["r_pooled"]), str(row["questions"])

    numbers = ("r", "Uniform: r", "Pooled", "Questions")
    mine = [row for row in rows if row["method"] != NULL]
    yield from table(study, mine, "The compass in a mirror, as section 6.1", numbers, cells, NOTE, "flip_summary")


def mirrored(frame: pd.DataFrame) -> pd.DataFrame:
    """Pearson's r of a compass and its mirror image turned back, a row a question, method and target."""
    frame = of_methods(frame)
    if frame.empty:
        return frame.assign(r=frame["share"])
    keys = [name for name in frame if name not in ("sector", "share", "share_mirrored")]
    each = frame.groupby(keys, dropna=False, sort=False)[["share", "share_mirrored"]].apply(_r)
    return each.rename("r").reset_index()


def section(study: Study) -> Section | None:
    """This check's part of the section on causal checks."""
    return check(study, ROWS.name, draw, tables, say, caption=CAPTION, method=METHOD, limits=LIMITS)


RESULT = Result(
    ROWS,
    summary=Derived(SUMMARY, flip_summary),
    draw=draw,
    sections=(section,),
    metrics=(
        Metric("mirror", "example_id", "r", ("method", "target", "prompt"), ("direction",), mirrored,
               plotted={"method": LEADING, "target": CHOICE},
               title="Mirror: Pearson's r with the compass turned back"),
    ),
)  # fmt: skip
