"""Causal occlusion: what hiding a compass sector does to the answer, the true one and each method's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from backsight.errors import UsageError
from backsight.maths.compass import sector_of
from backsight.maths.occlusion import opposite
from backsight.maths.relevance import CHOICE, TRUTH
from backsight.results.base import Derived, Metric, Result
from backsight.results.creg.schema import ROWS as CREG_ROWS
from backsight.results.drawing import panels, style
from backsight.results.occlusion import page
from backsight.results.occlusion.page import FIRST_VARIANT
from backsight.results.occlusion.summary import ROWS, SUMMARY, occlusion_summary
from backsight.results.pages.content import Section
from backsight.results.pages.study import Study
from backsight.results.relevance import drawing
from backsight.results.relevance.cells import Row, check
from backsight.results.relevance.drawing import Line, Mark
from backsight.results.relevance.words import REFERENCE_WORDS, TRUE_SECTOR, by_prompt, in_order, left_out_words
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WHOSE = {CHOICE: "the model's choice", TRUTH: "the correct answer"}


def draw(
    table: Table, *, variant: str | None = None, over: str = "options", of: str = "prediction",
    columns: int | None = None, titles: Mapping[str, str] | None = None,
) -> Figure:  # fmt: skip
    """Causal occlusion scores of the true sector and of each method's own peak, one panel a suite and prompt.

    Filled: against the opposite sector; hollow: against the two neighbours. `variant` is the table's first one where
    none is given; `over` is options or vocabulary; `of` is prediction or truth: whose log p, and what methods explain.
    """
    rows = drawing.rows_of(table)
    present = list(dict.fromkeys(row["variant"] for row in rows))
    chosen = present[0] if variant is None else variant
    for name, got in (("variant", chosen), ("over", over), ("of", of)):
        known = list(dict.fromkeys(row[name] for row in rows))
        if got not in known:
            raise UsageError("There is no such occlusion", got=got, do=f"choose from: {', '.join(known)}")
    rows = [r for r in rows if (r["variant"], r["over"], r["of"]) == (chosen, over, of) and r["target"] in (None, of)]
    shown_panels, marks = [], []
    for (suite, prompt), group in by_prompt(rows).items():
        lines = _lines(group)
        marks += [mark for line in lines for mark in line.marks]
        label = f"log p of {WHOSE[of]} lost (COS)"
        shown_panels.append(drawing.panel(suite, prompt, group, lines, label, titles, rule="picture"))
    words = ((drawing.FILLED, "against the opposite sector, 95 % interval"),
             (drawing.HOLLOW, "against the two neighbours (hollow)"))  # fmt: skip
    entries = [*drawing.legend(words, marks), *drawing.legend([(drawing.REFERENCE, "references")], marks)]
    with style.style():
        return panels.draw(shown_panels, entries, columns)


def _lines(group: Sequence[Row]) -> list[Line]:
    """The sectors that methods indicate, then the true sector and those of the references."""
    of = {TRUE_SECTOR if row["sector"] == "true" else row["method"]: row for row in group}
    lines = []
    for method in in_order(list(of)):
        row = of[method]
        plain = drawing.REFERENCE if method in REFERENCE_WORDS else drawing.FILLED
        hollow = {**plain, "markerfacecolor": "white", "markeredgewidth": 1.1}
        marks = () if row["omitted"] else (
            Mark(row["score"], row["low"], row["high"], plain),
            Mark(row["against_adjacent"], row["adjacent_low"], row["adjacent_high"], hollow),
        )  # fmt: skip
        lines.append(Line(method, marks, "" if marks else left_out_words(row)))
    return lines


def compared(rows: pd.DataFrame) -> pd.DataFrame:
    """COS of the true sector by question and variant: log p with the opposite sector hidden less that with its own."""
    hidden = rows[rows["variant"].notna()]
    count = max(hidden["sector"].nunique(), 1)
    sector = (hidden["sector"] / (360.0 / count)).round()
    true = np.array([sector_of(angle, count) for angle in hidden["true"]], dtype=np.int64)
    keys = ["example_id", "variant"]
    across = hidden[sector == opposite(true, count)].set_index(keys)["log_p"]
    own = hidden[sector == true].set_index(keys)
    return own.assign(cos=across - own["log_p"]).reset_index()


def section(study: Study) -> Section | None:
    """This check's part of the section on causal checks."""
    return check(
        study, ROWS.name, draw, page.tables, page.say, caption=page.CAPTION, method=page.METHOD, limits=page.LIMITS
    )


RESULT = Result(
    ROWS,
    summary=Derived(SUMMARY, occlusion_summary, beside=CREG_ROWS.name),
    draw=draw,
    sections=(section,),
    metrics=(
        Metric("cos", "example_id", "cos", ("variant", "prompt"), ("answer",), compared,
               plotted={"variant": FIRST_VARIANT},
               title="Occlusion: COS of the true sector"),
    ),
)  # fmt: skip
