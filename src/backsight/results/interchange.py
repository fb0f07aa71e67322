"""Interchange at the last token: where it carries the position that is asked for.

At layers where the line of the order stands above both others, with intervals apart, and is what the model answers, the
last token carries the ordinal position and not yet the answer; those layers are shaded. Figure 2 of Dual Mechanisms,
for any model.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from backsight.maths.grouping import SMALLEST, expect, groups, with_all
from backsight.maths.interchange import ANSWER, curves, standing_out
from backsight.results.base import Derived, Metric, Result
from backsight.results.drawing import panels, style, sweeps
from backsight.results.pages import common, layers
from backsight.results.pages.content import Section
from backsight.results.pages.study import Study
from backsight.tables import Schema, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = dict[str, Any]

INTERCHANGE = Schema(
    "interchange",
    {
        "pair_id": "str",
        "image_id": "str",  # of the clean example
        "suite": "str",
        "direction": "str",  # of the clean question
        "site": "str",
        "position": "str",
        "layer": "int",  # missing in the single row of a pair that was dropped
        "p_clean": "float",
        "p_ordinal": "float",
        "p_counterfactual": "float",
        "top_token": "str",
        "top_outcome": "str",  # the outcome that the top token is: clean, ordinal, counterfactual; other
        "kept": "bool",  # both runs answer correctly
        "clean_choice": "str",
        "counterfactual_choice": "str",
    },
    "Interchange interventions, one row a pair and layer",
)
INTERCHANGE_SUMMARY = Schema(
    "interchange_summary",
    {
        "suite": "str",
        "direction": "str",  # or all
        "layer": "int",
        "outcome": "str",  # clean, ordinal, counterfactual
        "probability": "float",
        "low": "float",
        "high": "float",
        "pairs": "int",
        "dropped": "int",
        "interval": "str",
        "answer": "float",  # share of the pairs in which the outcome is the model's answer
        "answer_low": "float",
        "answer_high": "float",
        "omitted": "bool",
    },
    "Probability of each outcome by layer, with 95 % intervals",
)
ORDER_LAYERS = Schema(
    "order_layers",
    {
        "suite": "str",
        "direction": "str",
        "layers": "str",  # as 3-5, 7; empty where there is none
        "found": "bool",
        "leading": "str",  # layers where it leads both others and is not the model's answer
        "peak_layer": "int",  # the first layer at which it is the model's answer in most pairs
        "peak_share": "float",  # and the share of the pairs in which it is
        "pairs": "int",
        "dropped": "int",
        "omitted": "bool",
    },
    "Layers whose last-token state carries the ordinal position and not the answer",
)
OUTCOMES = ("clean", "ordinal", "counterfactual")
OUTCOME_WORDS = {
    "clean": "clean answer",
    "ordinal": "object at the counterfactual's position in the clean picture (order)",
    "counterfactual": "counterfactual answer",
}
LOOKS = {
    "clean": (style.BLUE, "o"),
    "ordinal": (style.ORANGE, "s"),
    "counterfactual": (style.INK, "^"),
}
COLUMNS = {"clean": "Clean answer", "ordinal": "Order", "counterfactual": "Counterfactual answer"}
CAPTION = (
    "Probability of three answers when the last token's state before a layer comes from the counterfactual run; bands "
    "are 95 % intervals. While the clean answer holds, nothing has arrived at the last token; where the order stands "
    "above both others and is the answer (shaded) it carries the position; where the counterfactual answer rises it "
    "carries the answer."
)
WORDS = layers.Words(
    "the last token carries the position asked for, not yet the answer,",
    "the object at that position is the answer",
)
BEFORE = "the last token has read nothing"
METHOD = (
    "For each pair and layer, the residual stream at the last token of the clean run is replaced by that of the "
    "counterfactual run, and the probabilities of three answers are read (The Dual Mechanisms of Spatial Reasoning in "
    "Vision-Language Models, arXiv 2603.22278: section 5.1, figures 2 and 3, equation 2). Layer l is the input of "
    "decoder block l; the last is the input of the final norm.",
    "The counterfactual keeps the middle object, has two other objects at its sides, and asks for the opposite "
    "direction. A state that carries the answer brings the counterfactual answer; one that carries the position brings "
    "what stands there in the clean picture; one that carries neither leaves the clean answer.",
    "The last token is said to carry the position at layers where the object at the counterfactual's position is more "
    "probable than both others, with intervals apart, and is the model's answer.",
)
LIMITS = (
    "It shows that order is carried at the last token, not where it comes from: see Position pathways.",
    "The exact suites start each row at the same position, so third and right column coincide: what is called order "
    "here may be an absolute position.",
    "No such layer does not mean no order: position and answer may be turned into each other within one block, or "
    "reach the last token together.",
    layers.KEPT_ALONE,
)


def interchange_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """The probability of each outcome by layer of `interchange` rows, by suite and direction (and all).

    Where fewer than `smallest` pairs were kept there is one row, marked omitted, with the counts.
    """
    expect(rows, "interchange")
    summary: list[dict[str, Any]] = []
    for (suite,), group in groups(rows.frame, ["suite"]):
        for direction, part in with_all(group):
            summary += [{"suite": suite, "direction": direction} | row for row in curves(part, OUTCOMES, smallest)]
    return Table.of(INTERCHANGE_SUMMARY, summary, rows.provenance)


def order_layers(summary: Table) -> Table:
    """The layers where the ordinal outcome exceeds both others with disjoint intervals (Dual Mechanisms, 5.1).

    It must be the model's answer there, by `maths.interchange.is_answer`.
    """
    expect(summary, "interchange_summary")
    rows = []
    for (suite, direction), group in groups(summary.frame, ["suite", "direction"]):
        rows.append({"suite": suite, "direction": direction} | standing_out(group, "ordinal"))
    return Table.of(ORDER_LAYERS, rows, summary.provenance)


def draw(
    table: Table,
    *,
    direction: str = "all",
    columns: int | None = None,
    titles: Mapping[str, str] | None = None,
) -> Figure:
    """Probability against layer, one panel a suite, of one `direction`, all together, or "each" by itself.

    `columns` is the number of panels across; 1 is for a phone. `titles` gives suites the names to print.
    """
    rows = table.rows()
    shown = sweeps.chosen(rows, direction, table.schema.name)
    if direction == sweeps.EACH and columns is None:
        columns = max(2, len(shown))
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["direction"] in shown:
            groups.setdefault((row["suite"], row["direction"]), []).append(row)
    last = sweeps.last_layer(rows)
    decided = {(row["suite"], row["direction"]): row["layers"] for row in order_layers(table).rows()}
    shown_panels = []
    for (suite, one), group in groups.items():
        title = style.suite_title(suite, titles) + (f", {one}" if one != "all" else "")
        spans = decided[suite, one]
        draw = partial(sweeps.panel, group=group, looks=LOOKS, spans=spans, last=last)
        below, empty = sweeps.counts(group)
        shown_panels.append(panels.Panel(title, below, draw, empty))
    shaded = "order above both others, and the answer" if any(decided[key] for key in groups) else ""
    with style.style():
        return panels.draw(shown_panels, sweeps.entries(LOOKS, OUTCOME_WORDS, shaded), columns)


def interchange(study: Study) -> Section | None:
    """The section and its answer; None without the summary."""
    rows = study.rows("interchange_summary")
    if not rows:
        return None
    table = study.tables["interchange_summary"]
    orders = order_layers(table).rows()
    whole = [row for row in orders if row["direction"] == "all"]
    of = [layers.measured([r for r in orders if r["suite"] == row["suite"]], rows, "ordinal") for row in whole]
    last = max((row["layer"] for row in rows if row["layer"] is not None), default=None)
    title = partial(common.title, study)
    beside = layers.null(rows, "ordinal", 0, BEFORE, WORDS.happens)
    figure = common.figure(study, "interchange", draw, table, CAPTION)
    heading = "Layers where the last token carries the position, with the number of pairs kept"
    return Section(
        anchor="interchange",
        question="where",
        title="Interchange at the last token",
        claim=layers.claim(of, WORDS, title, last),
        null=" ".join(filter(None, (beside, layers.silence("interchange", whole)))),
        figures=(figure,),
        statements=layers.statements(of, WORDS, title, last),
        tables=(
            common.layers_table(study, orders, heading, study.files("order_layers")),
            common.probabilities(study, rows, COLUMNS, study.files("interchange_summary")),
        ),
        method=(*METHOD, layers.KEPT, layers.ANSWER_RULE),
        limits=LIMITS,
        samples=common.samples(
            study, "interchange", {row["suite"] for row in rows}, counterfactual="ordinal", outcomes=OUTCOME_WORDS
        ),
    )


def _kept(frame: pd.DataFrame) -> pd.DataFrame:
    """Pairs that both runs answer correctly; the position stands in what is called the ordinal answer."""
    return frame[frame["kept"].fillna(False)].assign(outcome="ordinal")


RESULT = Result(
    INTERCHANGE,
    Derived(INTERCHANGE_SUMMARY, interchange_summary),
    (Derived(ORDER_LAYERS, order_layers, of="summary"),),
    draw,
    (interchange,),
    (
        Metric(
            "interchange", "pair_id", "p_ordinal", ("outcome",), rows=_kept, layered=True,
            title="Interchange at the last token",
        ),
    ),
    later=("top_outcome", *ANSWER, "leading", "peak_layer", "peak_share"),
)  # fmt: skip
