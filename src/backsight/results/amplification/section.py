"""Amplification: what it corrects and breaks, from `amplify_summary`."""

from __future__ import annotations

from typing import Any

from backsight.maths.grouping import SMALLEST
from backsight.results.amplification.figure import FORM_WORDS, KIND_WORDS, draw
from backsight.results.amplification.tables import ENOUGH
from backsight.results.drawing.style import counted
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import decimal, percent, unbroken, with_interval

Row = dict[str, Any]
CAPTION = (
    "Share of the failures that amplification corrects (filled) and of the right answers that it breaks (hollow), "
    "on pictures that alpha was not chosen on. Random directions stand beside the probes' at the same alpha. The "
    "oracle takes the alpha that does best on these very pictures: it shows what there is to gain."
)
LEAD = "Amplifying the directions of the position probes on every image token, as the authors ran it:"
METHOD = (
    "The columns of position probes are the directions. As run, each image embedding gets alpha times its own part "
    "along each direction on top; equation 3, as printed, adds alpha times the directions themselves (The Dual "
    "Mechanisms of Spatial Reasoning in Vision-Language Models, arXiv 2603.22278: section 5.4, table 3).",
    "Alpha is chosen on about a third of the pictures and scored on the others. The paper chose it on the failures "
    "that it scored. The control turns the directions into a subspace drawn at random, keeping their lengths and "
    "angles. There are ten draws, and each is asked about every third picture; its share is the mean over all answers. "
    "The authors' control, independent directions of unit length, also differs in how much it changes.",
    "The probes are fitted on the first part where it shows three things in a row, else on jittered Squares of which "
    "none is asked about; where pictures are composites, both parts may share half a photograph. Fitted by logistic "
    "regression, the columns of a probe sum to zero, so equation 3 as printed adds next to nothing with them; the "
    "authors' fit leaves some of its random beginning, and its columns need not.",
    f'Intervals hold 95 %, pictures as units: Agresti and Coull\'s "plus four". Shares of fewer than {SMALLEST} '
    "failures or right answers are omitted.",
)
LIMITS = (
    "What is corrected counts only beside what is broken, and beside what random directions do.",
    "Where the probes read no position from the embeddings (their accuracy is in the table), their columns are no "
    "directions of order.",
    f"Of fewer than {ENOUGH} failures each is a percent or more of the share.",
    "The failures are those of these pictures; other failures may have other causes.",
)


def amplification(study: Study) -> Section | None:
    """The section and what it says of repair; None without the summary."""
    rows = study.rows("amplify_summary")
    if not any(row["directions"] != "none" for row in rows):
        return None
    table = study.tables["amplify_summary"]
    section = Section(
        anchor="amplification",
        question="repair",
        title="Amplification",
        notes=(),
        figures=(common.figure(study, "amplification", draw, table, CAPTION),),
        tables=(_table(study, rows),),
        method=METHOD,
        limits=LIMITS,
        samples=common.samples(study, "amplify", {row["suite"] for row in rows}),
    )
    statements = tuple(_statement(study, rows, suite) for suite in dict.fromkeys(row["suite"] for row in rows))
    return section.concluding(LEAD, statements)


def _statement(study: Study, rows: list[Row], suite: str) -> Statement:
    by_kind = {row["directions"]: row for row in rows if row["suite"] == suite and row["form"] in (None, "projected")}
    title, before, probe, random = common.title(study, suite), by_kind["none"], by_kind["probe"], by_kind["random"]
    if probe["omitted"]:
        failures = f"{counted(before['failures'], 'failure')} in {counted(before['questions'], 'question')}"
        text = f"{title}: omitted ({failures}; {SMALLEST} failures needed)"
        return Statement(text)
    accuracy = f"accuracy {percent(before['accuracy'])} before, {percent(probe['accuracy'])} after"
    text = (
        f"{title}: corrects {percent(probe['corrected'])} of {before['failures']} failures and breaks "
        f"{_share(probe['broken'])} of the right answers at alpha {probe['alpha']:g} (random directions: "
        f"{_share(random['corrected'])} and {_share(random['broken'])}); {accuracy}"
    )
    few = f"fewer than {ENOUGH} failures" if before["failures"] < ENOUGH else ""
    return Statement(text, note=few)


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
