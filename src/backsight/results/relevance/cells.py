"""Cells and tables of the page on relevance, a line a suite and method, and the causal checks' common section."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from backsight.maths.relevance import FLOOR, LEADING, TRUTH
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import unbroken
from backsight.results.relevance.claims import together
from backsight.results.relevance.words import (
    REFERENCE_WORDS,
    VARIANTS,
    by_prompt,
    in_order,
    left_out_words,
    short,
    unavailable,
    why_missing,
)  # fmt: skip
from backsight.tables import Table

Row = dict[str, Any]
Place = tuple[str, str | None]  # suite and prompt
Cells = tuple[str, ...]
CHECKS = ("knockout", "occlusion", "moved", "flip")  # in the order of the page; the first has the section's claim
LONG = 15  # lines of a table; longer ones are folded


def place_words(study: Study, place: Place) -> str:
    """A suite with its prompt, as it is spoken of."""
    suite, prompt = place
    return common.title(study, suite) + with_prompt(common.title(study, suite), prompt)


def with_prompt(title: str, prompt: str | None) -> str:
    """What stands behind a suite's title that does not name the prompt itself."""
    return "" if prompt is None or f"prompt {prompt}" in title else f" with prompt {prompt}"


def degrees(value: float | None) -> str:
    """One decimal, never a zero with a sign; a dash where there is no number."""
    return "–" if value is None else f"{round(value, 1) + 0.0:.1f}"


def degrees_between(value: float | None, low: float | None, high: float | None) -> str:
    """Degrees with their interval, for a table."""
    ends = "" if low is None or high is None else f" [{degrees(low)}, {degrees(high)}]"
    return f"{degrees(value)}{ends}"


def said_degrees(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """Degrees with their interval, for a sentence; spaces do not break."""
    if value is None:
        return "nowhere"
    if low is not None and low == value == high:
        return f"{degrees(value)}\u00b0 on every picture"
    ends = "" if low is None or high is None else f"\u00a0[{degrees(low)},\u00a0{degrees(high)}]"
    return f"{degrees(value)}\u00b0{ends}"


def said_range(values: Sequence[float]) -> str:
    """From the least of some angles to the largest, or the one that all of them are."""
    low, high = (said_degrees(end) for end in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def missing_reason(row: Row | None, rule: str = "picture") -> str:
    """What stands for the numbers of a row that has none; empty where it has them.

    `rule` is what an omitted row has too few of: picture (CREG and occlusion) or question.
    """
    if row is None:
        return "–"
    if row.get("missing") or ("accuracy" in row and "empty" in row and unavailable(row)):
        return why_missing(row)
    if row["omitted"]:
        return left_out_words(row, rule)
    return "no baseline to compare with" if "dae_gain_low" in row and row["dae_gain_low"] is None else ""


@dataclass(frozen=True)
class Said:
    """What a check says: its claim, what it stands beside, and a sentence a suite."""

    claim: str
    null: str
    statements: tuple[Statement, ...]


def main_rows(rows: Sequence[Row]) -> list[Row]:
    """The rows that a page shows: no variants of a method, and for the model's choice where a target is explained."""
    return [row for row in rows if row["method"] not in VARIANTS and row.get("target") != TRUTH]


def leading_rows(rows: Sequence[Row]) -> list[Row]:
    """The rows of CREG, or of the first method that there is."""
    mine = [row for row in main_rows(rows) if row["method"] is not None and row["method"] not in REFERENCE_WORDS]
    name = LEADING if any(row["method"] == LEADING for row in mine) else next((row["method"] for row in mine), None)
    return [row for row in mine if row["method"] == name]


def none_shown(study: Study, rows: Sequence[Row], head: str, rule: str = "question") -> tuple[Statement, ...]:
    """One sentence for all suites of some rows that have no numbers; it begins with `head`."""
    without = {place_words(study, (r["suite"], r["prompt"])): missing_reason(r, rule) for r in rows}
    return together(((title, why) for title, why in without.items() if why), head)


def table(
    study: Study, rows: Sequence[Row], title: str, numbers: Cells, cells: Callable[[Sequence[Row]], Cells], note: str,
    file: str,
) -> Iterator[Grid]:  # fmt: skip
    """A line a suite and method; `cells` are the numbers of the rows of one. A suite that is omitted has one line.

    One suite is named in the title; a column that is the same in every line moves into the note.
    """
    lines: list[Cells] = []
    suites: list[str] = []
    titles: list[str] = []
    for place, group in by_prompt(main_rows(rows)).items():
        titles.append(place_words(study, place))
        start = unbroken(titles[-1])
        methods = in_order([row["method"] for row in group if not row.get("missing")])
        if all(row["omitted"] for row in group):
            most = max(group, key=lambda row: int(row["questions"]))
            lines.append((start, "all methods", left_out_words(most, "question"), *["–"] * (len(numbers) - 1)))
        else:
            mine = ([row for row in group if row["method"] == method] for method in methods)
            lines += [(start, short(of[0]["method"]), *cells(of)) for of in mine]
        suites += [place[0]] * (len(lines) - len(suites))
    if not lines:
        return
    columns: Cells = ("Suite", "Method", *numbers)
    same = [at for at in range(2, len(columns)) if len({line[at] for line in lines}) == 1 and lines[0][at] != "–"]
    same = same if len(lines) > 1 else []
    notes = (note, *(f"{columns[at]}: {lines[0][at]} in every line." for at in same))
    if len(titles) == 1:
        title, same = f"{title}: {titles[0]}", [0, *same]
    kept = [at for at in range(len(columns)) if at not in same]
    yield Grid(
        title, tuple(columns[at] for at in kept), tuple(tuple(line[at] for at in kept) for line in lines),
        words=1 + (0 not in same), files=study.files(file), note=" ".join(notes), suites=tuple(suites),
        folded=len(lines) > LONG,
    )  # fmt: skip


def check(
    study: Study, name: str, draw: common.Draw, tables: Callable[[Study, Sequence[Row]], Iterator[Grid]],
    say: Callable[[Study, Sequence[Row]], Said], *, caption: str, method: str, limits: tuple[str, ...],
) -> Section | None:  # fmt: skip
    """One causal check's part of the section, from the summary of the rows NAME; None where the study has none.

    Without a figure where every group is omitted, and without the questions where the compass shows those of its sets:
    checks are of questions that CREG is asked too.
    """
    rows = study.rows(f"{name}_summary")
    if not rows:
        return None
    summary = study.tables[f"{name}_summary"]
    drawn = any(not row["omitted"] for row in main_rows(rows))
    frame = summary.frame
    apart = frame["method"].isin((*VARIANTS, FLOOR)) | (_column(frame, "target") == TRUTH)
    apart |= _column(frame, "missing") != ""
    shown = Table(summary.schema, frame[~apart], summary.provenance)
    figures = (common.figure(study, name, draw, shown, caption),) if drawn else ()
    concluded = say(study, rows)
    claim, null = concluded.claim, concluded.null
    if any(study.rows(f"{one}_summary") for one in CHECKS[: CHECKS.index(name)]):  # its claim becomes a statement
        claim, null = " ".join(filter(None, (claim, null))), ""
    return Section(
        anchor="causal",
        question="why",
        title="Does the answer go by the evidence?",
        claim=claim,
        null=null,
        notes=common.asked_apart(study, name),
        figures=figures,
        statements=concluded.statements,
        tables=tuple(tables(study, rows)),
        method=(method,),
        limits=limits,
        samples=() if study.rows("creg_summary") else common.samples(study, name, set()),
    )


def _column(frame: pd.DataFrame, name: str) -> pd.Series[str]:
    """A column of words, empty where a value or the column is missing."""
    return frame[name].fillna("").astype(str) if name in frame else pd.Series("", index=frame.index)
