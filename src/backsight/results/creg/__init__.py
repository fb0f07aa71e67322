"""CREG: the direction of relevance. Rows, summary, pairs, choices, figure, section and comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pandas as pd

from backsight.maths.relevance import CHOICE, DEFAULT, LEADING, NULL
from backsight.results.base import Derived, Metric, Result
from backsight.results.creg import splits, tables, text
from backsight.results.creg.figure import draw
from backsight.results.creg.opening import opening, photographs
from backsight.results.creg.pairs import creg_choices, creg_pairs
from backsight.results.creg.reading import Group, grouped, leads_of
from backsight.results.creg.schema import CHOICES, PAIRS, ROWS, SUMMARY
from backsight.results.creg.summary import creg_summary
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section
from backsight.results.pages.study import Study
from backsight.results.relevance.cells import Cells, Place, split
from backsight.results.relevance.summaries import of_methods


def compass(study: Study) -> Section | None:
    """The section and its answer; None without the summary."""
    rows = study.rows(SUMMARY.name)
    if not rows:
        return None
    by_place, whole = grouped(rows), grouped(rows, every=True)
    first, _ = leads_of(by_place)

    def listed(
        make: Callable[[Group], Iterator[Cells]], title: str, columns: tuple[Cells, Cells], note: str = "",
        file: str = "", of: Mapping[Place, Group] = by_place,
    ) -> Iterator[Grid]:  # fmt: skip
        return split(
            study, {place: list(make(group)) for place, group in of.items()}, first, title, columns, note, file
        )

    figure = common.figure(study, ROWS.name, draw, study.tables[SUMMARY.name], text.CAPTION)
    section = Section(
        anchor="compass",
        question="why",
        title="Compass",
        notes=(
            *dict.fromkeys(remark for suite, _ in by_place if (remark := photographs(study, suite))),
            *common.asked_apart(study, ROWS.name),
        ),
        figures=(figure,),
        tables=(
            *listed(
                tables.methods,
                "Every method, as table 1",
                tables.METHODS,
                " ".join([text.METHODS_NOTE, *tables.complete_sentences(rows)]),
                SUMMARY.name,
            ),
            *splits.validation(study, by_place),
            *tables.subsets(study, by_place),
            *listed(tables.ablations, "Ablations, as table 5", tables.ABLATED, text.ABLATIONS_NOTE, of=whole),
            *listed(tables.directions, "Each direction by itself, as section 6.2", tables.DIRECTED),
            *splits.prompts(study, by_place, whole),
            *listed(tables.elsewhere, "Seen from elsewhere", tables.SEEN, text.ELSEWHERE_NOTE),
            *tables.projections(study, by_place),
            *splits.choices(study),
            *tables.pairs(study),
        ),
        method=(*text.METHOD, text.INTERVALS),
        limits=text.LIMITS,
        samples=common.samples(study, ROWS.name, {row["suite"] for row in rows}),
    )
    claim, statements = opening(study, rows)
    return section.concluding(claim, statements)


def compared(rows: pd.DataFrame) -> pd.DataFrame:
    """DAE of methods by the default projection, and what it gains on uniform relevance on the same question."""
    plain = rows[rows["projection"] == DEFAULT]
    if plain.empty:
        return plain.assign(gain=plain["dae"])
    null = plain[plain["method"] == NULL].set_index("example_id")["dae"]
    mine = of_methods(plain)
    return mine.assign(gain=mine["example_id"].map(null) - mine["dae"])


KEYS = ("method", "target", "prompt")
RESULT = Result(
    ROWS,
    summary=Derived(SUMMARY, creg_summary),
    further=(Derived(PAIRS, creg_pairs), Derived(CHOICES, creg_choices)),
    draw=draw,
    sections=(compass,),
    metrics=(
        Metric(
            "dae", "example_id", "dae", KEYS, ("answer",), compared, better="less",
            plotted={"method": LEADING, "target": CHOICE}, title="Direction of relevance: DAE in degrees",
        ),
        Metric(
            "dae_gain", "example_id", "gain", KEYS, ("answer",), compared, plotted=None,  # of the same compasses as DAE
            title="Direction of relevance: degrees gained on uniform relevance",
        ),
    ),
    later=("nearer", "further", "completeness", "completeness_low", "completeness_high", "missing"),
)  # fmt: skip
