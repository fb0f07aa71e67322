"""Amplification: what it corrects and breaks, from `amplify_summary`."""

from __future__ import annotations

from typing import Any

from backsight.figures.amplification import FORM_WORDS, KIND_WORDS, amplify_summary
from backsight.maths.amplification import ENOUGH
from backsight.results import methods
from backsight.results.pages import common
from backsight.results.pages.content import Answer, Grid, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import decimal, percent, unbroken, with_interval

Row = dict[str, Any]


def amplification(study: Study) -> common.Part | None:
    """The section and what it says of repair; None without the summary."""
    rows = study.rows("amplify_summary")
    if not any(row["directions"] != "none" for row in rows):
        return None
    table = study.tables["amplify_summary"]
    section = Section(
        anchor="amplification",
        title="Amplification",
        notes=(),
        figures=(common.figure(study, "amplification", amplify_summary, table, methods.AMPLIFICATION_CAPTION),),
        tables=(_table(study, rows),),
        method=methods.AMPLIFICATION,
        limits=methods.AMPLIFICATION_LIMITS,
        samples=common.samples(study, "amplify", {row["suite"] for row in rows}),
        folded=True,
    )
    said = tuple(_statement(study, rows, suite) for suite in dict.fromkeys(row["suite"] for row in rows))
    return common.Part(section, Answer("Can it be repaired by amplifying order", methods.AMPLIFICATION_LEAD, said))


def _statement(study: Study, rows: list[Row], suite: str) -> Statement:
    found = {row["directions"]: row for row in rows if row["suite"] == suite and row["form"] in (None, "projected")}
    title, before, probe, random = common.title(study, suite), found["none"], found["probe"], found["random"]
    if probe["omitted"]:
        text = f"{title}: omitted ({before['failures']} failures of {before['questions']} questions)"
        return Statement(text, "figure-amplification")
    accuracy = f"accuracy {percent(before['accuracy'])} before, {percent(probe['accuracy'])} after"
    text = (
        f"{title}: corrects {percent(probe['corrected'])} of {before['failures']} failures and breaks "
        f"{_share(probe['broken'])} of the right answers at alpha {probe['alpha']:g} (random directions: "
        f"{percent(random['corrected'])} and {_share(random['broken'])}); {accuracy}"
    )
    few = f"fewer than {ENOUGH} failures" if before["failures"] < ENOUGH else ""
    return Statement(text, "figure-amplification", few)


def _share(value: float | None) -> str:
    return "an omitted share" if value is None else percent(value)


def _table(study: Study, rows: list[Row]) -> Grid:
    lines = []
    for row in rows:
        plain = row["directions"] == "none"
        kind = "none" if plain else f"{KIND_WORDS[row['directions']]}"
        form = "–" if plain else FORM_WORDS[row["form"]]
        start = (common.title(study, row["suite"]), unbroken(form), kind, "–" if plain else f"{row['alpha']:g}")
        shares = (
            "–" if plain else "omitted" if row[name] is None else _interval(row, name)
            for name in ("corrected", "broken")
        )  # fmt: skip
        accuracy = "omitted" if row["accuracy"] is None else with_interval(row["accuracy"], row["low"], row["high"])
        probe = "–" if plain else decimal(row["probe"])
        lines.append((*start, probe, str(row["questions"]), str(row["failures"]), accuracy, *shares))
    columns = (
        "Suite", "Form", "Directions", "Alpha", "Probes' accuracy", "Questions", "Failures", "Accuracy",
        "Failures corrected", "Right answers broken",
    )  # fmt: skip
    heading = "On pictures that alpha was not chosen on"
    return Grid(heading, columns, tuple(lines), words=3, files=study.files("amplify_summary"))


def _interval(row: Row, name: str) -> str:
    return with_interval(row[name], row[f"{name}_low"], row[f"{name}_high"])
