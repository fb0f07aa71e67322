"""Causal occlusion: what hiding a compass sector does to the answer, the true one and each method's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from backsight.errors import UsageError
from backsight.maths.compass import sector_of
from backsight.maths.occlusion import opposite
from backsight.maths.relevance import CHOICE, LEADING, TRUTH
from backsight.results.base import Derived, Metric, Result
from backsight.results.creg.schema import ROWS as CREG_ROWS
from backsight.results.drawing import panels, style
from backsight.results.occlusion.summary import ROWS, SUMMARY, occlusion_summary
from backsight.results.pages.content import Grid, Section
from backsight.results.pages.study import Study
from backsight.results.pages.wording import decimal, unbroken, with_interval
from backsight.results.relevance import drawing
from backsight.results.relevance.cells import Cells, Row, check, first, missing_reason, place_cells, split
from backsight.results.relevance.drawing import Line, Mark
from backsight.results.relevance.words import REFERENCE_WORDS, TRUE_SECTOR, by_prompt, in_order, left_out_words, short
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WHOSE = {CHOICE: "the model's choice", TRUTH: "the right answer"}
FIRST_VARIANT = "gray"  # the one that is taken on all pictures
VARIANT_WORDS = {
    FIRST_VARIANT: "Gray, to the picture's edge",
    "mean colour": "Mean colour",
    "blur": "Blurred",
    "noise": "Noise",
    "tokens": "Tokens",
    "gray, up to r_max": "Gray, up to r_max",
    "gray, boxes spared": "Gray, boxes spared",
    "gray, equal areas": "Gray, equal areas",
}
CAPTION = (
    "Causal occlusion score: how much more the model's choice loses with a sector hidden than with the opposite one "
    "(filled), and than with its two neighbours (hollow); means with 95 % intervals. A method's sector is its own "
    "peak. The true sector is the subject's own, the same for every method."
)
METHOD = (
    "Occlusion: a compass sector is filled with gray from the reference's centre to the picture's edge, and the change "
    "of log p is read, of the right answer (table 4) and of the model's choice (the figure, and the methods' sectors); "
    "COS is the change with the opposite sector hidden less that with the sector "
    "itself hidden (equation 8, table 4). The paper says it in two ways: for the true sector (section 4, figure 2c), "
    "which gives one number for all methods, and for the sector that a method indicates (section 5.4), which ranks "
    "them. Where a method's peak is tied the question is left out for it. How far a sector reaches, whether the boxes "
    "are spared, what fills it and what log p is over are left open by the paper: each is a variant, taken on a part "
    "of the pictures."
)
LIMITS = (
    "The true sector holds the subject: that hiding it costs the answer more than hiding what lies across shows that "
    "the subject is needed, not that its direction is. Against the neighbours is stricter, and so are spared boxes.",
    "Gray is a picture that the model may not know, and larger sectors hide more: see the variants.",
)
INDICATED_NOTE = (
    "As above, for each method's own sector, but of log p of the model's choice, which is the methods' target here; "
    "scores of the right answer are in the file. References indicate a sector without knowing the model: a method has "
    "to score higher than uniform relevance for its score to be its own. Gain is by how much it does, paired, on the "
    "questions where both have one peak."
)
TRUE_NOTE = (
    "Changes are of log p of the right answer among the options, with the sector itself, the opposite one, and those "
    "beside it (their mean) hidden. COS is against the opposite one, then against those beside. It is one number for "
    "all methods: it says what a sample needs, and ranks none."
)
VARIANTS_NOTE = "Tokens: no other position sees the sector's image tokens, and nothing is filled."


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
        label = f"COS, in log p of {WHOSE[of]}"
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


def tables(study: Study, rows: Sequence[Row]) -> Iterator[Grid]:
    """COS of the true sector, once, then of the sectors that methods indicate, then the variants."""
    variants = list(dict.fromkeys(row["variant"] for row in rows))
    plain = [row for row in rows if row["variant"] == variants[0] and row["over"] == "options"]
    columns = ("n", "Change", "Opposite", "Beside", "COS", "COS, beside")
    true = [
        (*place_cells(study, (r["suite"], r["prompt"])), *_scores(r))
        for r in plain
        if (r["sector"], r["of"]) == ("true", TRUTH)
    ]
    if true:
        yield Grid(
            "Occlusion of the true sector, as table 4", ("Suite", "Prompt", *columns), tuple(true), words=2,
            files=study.files("occlusion_summary"), note=TRUE_NOTE,
        )  # fmt: skip
    indicated = [r for r in plain if (r["sector"], r["of"]) == ("indicated", CHOICE) and r["target"] != TRUTH]
    by_place = {}
    for place, group in by_prompt(indicated).items():
        of = {row["method"]: row for row in group}
        lines = ((method, _scores(of[method])) for method in in_order(list(of)))
        by_place[place] = [(short(m), *cells[:3], *cells[4:], _gain(of[m])) for m, cells in lines]
    if by_place:
        title = "Occlusion of the sector that a method indicates"
        numbers = (*columns[:3], *columns[4:], "Gain")
        yield from split(study, by_place, first(indicated), title, (("Method",), numbers), INDICATED_NOTE)
    yield from _variants(study, rows, variants)


def _scores(row: Row) -> Cells:
    if missing := missing_reason(row):
        return str(row["questions"]), "–", "–", "–", missing, "–"
    changes = (decimal(row[name]) for name in ("change", "change_opposite", "change_adjacent"))
    return str(row["questions"]), *changes, *_both(row)


def _gain(row: Row) -> str:
    """How much higher the score is than that of uniform relevance."""
    return "–" if row["gain"] is None else with_interval(row["gain"], row["gain_low"], row["gain_high"])


def _both(row: Row | None) -> Cells:
    """COS, and the score against the neighbours."""
    if row is None or missing_reason(row):
        return missing_reason(row), "–"
    against = with_interval(row["against_adjacent"], row["adjacent_low"], row["adjacent_high"])
    return with_interval(row["score"], row["low"], row["high"]), against


def _variants(study: Study, rows: Sequence[Row], variants: Sequence[str]) -> Iterator[Grid]:
    """COS of the true sector and of CREG's under every variant, over the options and over the vocabulary."""
    lines = []
    for place, group in by_prompt(rows).items():
        for sector, method, of, words in (("true", None, TRUTH, "true"), ("indicated", LEADING, CHOICE, "CREG's")):
            mine = [r for r in group if (r["sector"], r["method"], r["of"]) == (sector, method, of)]
            for variant in variants:
                by_read_out = {r["over"]: r for r in mine if r["variant"] == variant and r["target"] in (None, of)}
                if by_read_out:
                    start = (*place_cells(study, place), words, unbroken(VARIANT_WORDS.get(variant, variant)))
                    count = str(max(row["questions"] for row in by_read_out.values()))
                    cells = (cell for over in ("options", "vocabulary") for cell in _both(by_read_out.get(over)))
                    lines.append((*start, count, *cells))
    if lines and len(variants) > 1:
        numbers = ("n", "Options: COS", "COS, beside", "Vocabulary: COS", "COS, beside")
        yield Grid(
            "Occlusion under every variant, over the options and over the vocabulary",
            ("Suite", "Prompt", "Sector", "Variant", *numbers), tuple(lines), words=4, folded=True,
            note=VARIANTS_NOTE,
        )  # fmt: skip


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
    return check(study, ROWS.name, draw, tables, caption=CAPTION, method=METHOD, limits=LIMITS)


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
