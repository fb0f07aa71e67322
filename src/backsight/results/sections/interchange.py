"""Interchange at the last token: where the order is decided, from `interchange_summary` and `order_layers`."""

from __future__ import annotations

from backsight.figures.interchange import OUTCOME_WORDS, interchange_summary
from backsight.maths.summaries import order_layers
from backsight.results import methods
from backsight.results.pages import common, pictures
from backsight.results.pages.content import Answer, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import order_sentence

COLUMNS = {"clean": "Clean answer", "ordinal": "Order", "counterfactual": "Counterfactual answer"}


def interchange(study: Study) -> common.Part | None:
    """The section and its answer; None without the summary."""
    rows = study.rows("interchange_summary")
    if not rows:
        return None
    table = study.tables["interchange_summary"]
    orders = study.rows("order_layers") or order_layers(table).rows()
    last = max((row["layer"] for row in rows if row["layer"] is not None), default=None)
    statements = tuple(
        Statement(order_sentence(common.title(study, row["suite"]), row, last), "figure-interchange")
        for row in orders
        if row["direction"] == "all"
    )
    figure = common.figure(study, "interchange", interchange_summary, table, methods.INTERCHANGE_CAPTION)
    heading = "Layers where the order is decided, with the number of pairs kept"
    section = Section(
        anchor="interchange",
        title="Interchange at the last token",
        notes=(),
        figures=(
            pictures.with_file(
                figure, *common.by_direction(study, "interchange_by_direction", interchange_summary, table)
            ),
        ),
        tables=(
            common.layers_table(study, orders, heading, study.files("order_layers")),
            common.probabilities(study, rows, COLUMNS, study.files("interchange_summary")),
        ),
        method=methods.INTERCHANGE,
        limits=methods.INTERCHANGE_LIMITS,
        samples=common.samples(
            study, "interchange", {row["suite"] for row in rows}, counterfactual="ordinal", outcomes=OUTCOME_WORDS
        ),
    )
    lead = "Layers at which the last token carries the place that is asked for, and not yet the answer:"
    return common.Part(section, Answer("Where the order is decided", lead, statements))
