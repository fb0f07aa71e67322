"""Amplification: what it corrects and breaks, from `amplify_summary`."""

from __future__ import annotations

from functools import partial
from typing import Any

from backsight.results.amplification import words
from backsight.results.amplification.figure import FORM_WORDS, KIND_WORDS, draw
from backsight.results.amplification.gains import gains_of
from backsight.results.amplification.tables import ENOUGH
from backsight.results.amplification.titles import filtered, titled, titles
from backsight.results.pages import common, pictures
from backsight.results.pages.content import Grid, Section
from backsight.results.pages.study import Study
from backsight.results.pages.wording import decimal, unbroken, with_interval

Row = dict[str, Any]
KIND = "amplify"
CAPTION = (
    "Filled: share of the failures that amplification corrects. Hollow: share of the correct answers that it breaks. A "
    "repair has its filled mark far to the right of its hollow one, and of the random directions' filled one."
)
METHOD = (
    "The directions are the columns of position probes. As run by the authors, alpha times an image embedding's own "
    "part along each direction is added to it (The Dual Mechanisms of Spatial Reasoning in Vision-Language Models, "
    "arXiv 2603.22278: section 5.4, table 3). Equation 3 of the paper adds alpha times the directions themselves.",
    "Alpha is chosen on about a third of the pictures and scored on the others; the paper chose it on the failures "
    "that it scored. The random control turns the directions into a random subspace and keeps their lengths and "
    "angles. Its share is the mean over ten draws, each asked about every third picture. Hindsight takes the alpha "
    "that does best on the scored pictures: it bounds what alpha can gain.",
    "The probes are fitted on the first part where it shows three things in a row, else on jittered Squares, of which "
    "none is asked about. Where pictures are composites, both parts may share half a photograph. Columns fitted by "
    "logistic regression sum to zero, so that equation 3 adds next to nothing; the authors' fit keeps a part of its "
    "random start, and its columns need not sum to zero.",
)
LIMITS = (
    "Where the probes read no position from the embeddings (their accuracy is below the table), their columns are no "
    "directions of position.",
    f"Of fewer than {ENOUGH} failures each one is a percent or more of the share.",
    "The failures are those of these pictures; other failures may have other causes.",
)


def amplification(study: Study) -> Section | None:
    """The section and what it says of repair; None without the summary."""
    rows = study.rows("amplify_summary")
    if not any(row["directions"] != "none" for row in rows):
        return None
    table, title, gains = study.tables["amplify_summary"], partial(titled, study, KIND), gains_of(study)
    named = titles(study, KIND)
    view = pictures.figure(
        study.folder, "amplification", draw, table, label=table.schema.title, caption=CAPTION, titles=named
    )
    return Section(
        anchor="amplification",
        question="repair",
        title="Amplification",
        claim=words.claim(rows, gains, title),
        null=words.null(rows, title),
        figures=(view,),
        statements=words.statements(rows, gains, title, partial(filtered, study, KIND)),
        tables=_tables(study, rows),
        method=METHOD,
        limits=LIMITS,
        samples=common.samples(study, KIND, {row["suite"] for row in rows}),
    )


def _tables(study: Study, rows: list[Row]) -> tuple[Grid, ...]:
    """What is done as run, with the answers without amplification; then, folded, equation 3."""
    run = [row for row in rows if row["form"] in (None, "projected")]
    printed = [row for row in rows if row["form"] == "printed"]
    heading = f"{FORM_WORDS['projected'].capitalize()}, on pictures that alpha was not chosen on"
    first = _table(study, run, heading, study.files("amplify_summary"))
    if not printed:
        return (first,)
    return (first, _table(study, printed, f"{FORM_WORDS['printed'].capitalize()}, on the same pictures", (), True))


def _table(
    study: Study, rows: list[Row], heading: str, files: tuple[tuple[str, str], ...], folded: bool = False
) -> Grid:
    accuracies = {row["suite"]: row["probe"] for row in rows if row["probe"] is not None}
    varies = len(set(accuracies.values())) > 1
    lines = []
    for row in rows:
        plain = row["directions"] == "none"
        shares = (
            "–" if plain else "omitted" if row[name] is None else _interval(row, f"{name}_", name)
            for name in ("corrected", "broken")
        )
        accuracy = "omitted" if row["accuracy"] is None else _interval(row, "", "accuracy")
        cells = (titled(study, KIND, row["suite"]), "none" if plain else direction_words(row))
        counts = unbroken(f"{row['failures']} of {row['questions']}")
        lines.append((*cells, counts, accuracy, *shares, *([decimal(row["probe"])] if varies else [])))
    columns = ("Suite", "Directions", "Failures", "Accuracy", "Failures corrected", "Correct answers broken")
    read = next(iter(accuracies.values()), None)
    note = (
        f"On pictures that they were not fitted on the probes read positions with accuracy {decimal(read)}."
        if not varies and read is not None
        else ""
    )
    suites = tuple(filtered(study, KIND, row["suite"]) for row in rows)
    return Grid(
        heading, (*columns, *(["Probes' accuracy"] if varies else [])), tuple(lines), words=2, folded=folded,
        files=files, note=note, suites=suites,
    )  # fmt: skip


def direction_words(row: Row) -> str:
    """The kind of directions with its alpha: "probes, alpha 4"."""
    return f"{KIND_WORDS[row['directions']]}, alpha {row['alpha']:g}"


def _interval(row: Row, prefix: str, name: str) -> str:
    return with_interval(row[name], row[f"{prefix}low"], row[f"{prefix}high"])
