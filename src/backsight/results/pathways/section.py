"""Position pathways: accuracy with a pathway ablated, from `pathways_summary`, and the study's verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backsight.maths.pathways import CHANCE, CONTROL
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section
from backsight.results.pages.study import Study, mapping, number, text
from backsight.results.pages.wording import decimal, in_list, unbroken, whole_percent, with_interval
from backsight.results.pathways import reading, sentences
from backsight.results.pathways import text as words_of
from backsight.results.pathways.figure import draw

Row = dict[str, Any]
Key = tuple[str, str, str, str]  # suite, asked, direction, condition
CONDITIONS = {"plain": "As it is", "removed": "Order removed", "cells": "Single cells", "shuffled": "Shuffled"}
ABLATED = ("removed", "cells", "shuffled")
OPTIONAL = ("removed", "cells")  # edits that not every set or architecture allows
ASKED = {"order": "Suite's own", "control": "Presence"}
NO_CELLS = "not available"
NO_CONTROL = "no control"
AT_CHANCE = "at chance"


def pathways(study: Study) -> Section | None:
    """The section, with what the study's verdicts say; None without the summary."""
    rows = study.rows("pathways_summary")
    if not rows:
        return None
    by_about: dict[Key, Row] = {(r["suite"], r["asked"], r["direction"], r["condition"]): r for r in rows}
    verdicts = reading.of_study(study)
    titles = {one.suite: in_list(common.title(study, one.suite)) for one in verdicts}
    asked = {suite: any(key[:2] == (suite, "control") for key in by_about) for suite in titles}
    rule = text(study.verdict.get("rule"))
    return Section(
        anchor="pathways",
        question="where",
        title="Position pathways",
        claim=sentences.claim(verdicts, titles),
        null=sentences.null(verdicts, titles) if verdicts else "",
        figures=(common.figure(study, "pathways", draw, study.tables["pathways_summary"], words_of.CAPTION),),
        statements=sentences.statements(verdicts, titles, asked=asked),
        tables=(
            *_outcomes(study),
            _shares(study, by_about, whole=True),
            _accuracies(study, by_about),
            _shares(study, by_about, whole=False),
        ),
        method=(*words_of.METHOD, *([f"{words_of.RULE} {rule}"] if rule else [])),
        limits=words_of.LIMITS,
        samples=common.samples(study, "pathways", {row["suite"] for row in rows}),
    )


def _outcomes(study: Study) -> list[Grid]:
    """The outcome of each pathway, a row a set and axis; no table where the study judges no pathway by itself."""
    lines, suites = [], []
    for name, judged in study.verdicts.items():
        asked, budget = number(judged.get("questions")), number(judged.get("budget"))
        for axis, one in {"all": judged, **mapping(judged.get("axes"))}.items():
            both = [mapping(mapping(mapping(one).get("pathways")).get(pathway)) for pathway in ("vision", "language")]
            if not all(both):
                continue
            count = number(mapping(mapping(one).get("accuracy")).get("n"))
            of = f" of {budget:.0f}" if axis == "all" and asked is not None and budget else ""
            cells = (f"{text(each.get('outcome'))} ({_measured(each.get('share'))})" for each in both)
            asked_words = "–" if count is None else f"{count:.0f}{of}"
            lines.append((common.title(study, name), axis, *cells, text(mapping(one).get("source")), asked_words))
            suites.append(name)
    columns = ("Suite", "Axis", "Vision encoder", "Language model", "In one word", "Questions")
    title = "Each pathway by itself, by suite and axis"
    if not lines:
        return []
    return [Grid(title, columns, tuple(lines), words=5, note=words_of.OUTCOMES, suites=tuple(suites))]


def _measured(share: object) -> str:
    numbers = [number(mapping(share).get(key)) for key in ("value", "low", "high")]
    there = [one for one in numbers if one is not None]
    return whole_percent(there[0], there[1], there[2]) if len(there) == 3 else "no share"


def _accuracies(study: Study, by_about: Mapping[Key, Row]) -> Grid:
    """The suite's own question among all options, as tables 2, 4 and 5 of the paper: a column a direction."""
    directions = [d for d in dict.fromkeys(key[2] for key in by_about) if d != "all"]
    lines, suites = [], []
    for suite in dict.fromkeys(key[0] for key in by_about):
        for condition, words in CONDITIONS.items():
            of = [by_about.get((suite, "order", direction, condition)) for direction in directions]
            whole = by_about.get((suite, "order", "all", condition))
            start = (common.title(study, suite), unbroken(words), str(whole["questions"]) if whole else "–")
            each = (_cell(row, condition) for row in of)
            lines.append((*start, *each, _cell(whole, condition, interval=True)))
            suites.append(suite)
    columns = ("Suite", "Condition", "Questions", *(d[:1].upper() for d in directions), "All")
    heading = "Accuracy among all options, by direction (tables 2, 4 and 5 of the paper)"
    letters = ", ".join(f"{d[:1].upper()} is {d}" for d in directions)
    return Grid(
        heading, columns, tuple(lines), words=2, folded=True, files=study.files("pathways_summary"),
        note=f"{letters}." if letters else "", suites=tuple(suites),
    )  # fmt: skip


def _cell(row: Row | None, condition: str, *, interval: bool = False) -> str:
    if row is None:
        return NO_CELLS if condition in OPTIONAL and interval else "–"
    if row["omitted"]:
        return f"omitted (n={row['questions']})"
    return with_interval(row["accuracy"], row["low"], row["high"]) if interval else decimal(row["accuracy"])


def _shares(study: Study, by_about: Mapping[Key, Row], *, whole: bool) -> Grid:
    """The shares of the accuracy above chance that are left: of all directions, or (folded) one by one."""
    lines, suites = [], []
    for suite, asked, direction in dict.fromkeys(key[:3] for key in by_about):
        plain = by_about.get((suite, asked, direction, "plain"))
        if (direction == "all") != whole or plain is None:
            continue
        start = (common.title(study, suite), unbroken(ASKED.get(asked, asked)), *([] if whole else [direction]))
        of = [by_about.get((suite, asked, direction, condition)) for condition in ABLATED]
        shares = (_share(row, plain, condition) for row, condition in zip(of, ABLATED, strict=True))
        lines.append((*start, str(plain["questions"]), _of_two(plain), *shares))
        suites.append(suite)
    words = ("Suite", "Question", *([] if whole else ["Direction"]))
    columns = (*words, "Questions", "Accuracy of two", *(CONDITIONS[condition] for condition in ABLATED))
    heading = "Share of the accuracy above chance that is left" + ("" if whole else ", each direction")
    note = words_of.SHARES if whole else ""
    return Grid(heading, columns, tuple(lines), words=len(words), folded=not whole, note=note, suites=tuple(suites))


def _of_two(row: Row) -> str:
    if row["omitted"]:
        return f"omitted (n={row['questions']})"
    return with_interval(row["accuracy_of_two"], row["low_of_two"], row["high_of_two"])


def _share(row: Row | None, plain: Row, condition: str) -> str:
    if row is None:
        return NO_CELLS if condition in OPTIONAL else "–"
    if row["omitted"] or plain["omitted"]:
        return "omitted"
    if plain["asked"] == "control" and plain["low_of_two"] <= CONTROL:
        return NO_CONTROL
    if plain["low_of_two"] <= CHANCE or row["share"] is None:
        return AT_CHANCE
    return with_interval(row["share"], row["share_low"], row["share_high"])
