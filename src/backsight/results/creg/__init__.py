"""CREG: the direction of relevance. Rows, summary, pairs, choices, figure, section and comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from backsight.maths.relevance import CHOICE, DEFAULT, LEADING, NULL, REFERENCES, TRUTH
from backsight.results.base import Derived, Metric, Result
from backsight.results.creg import sentences, splits, tables, text
from backsight.results.creg.decision import decision_sentence
from backsight.results.creg.figure import draw
from backsight.results.creg.pairs import creg_choices, creg_pairs
from backsight.results.creg.reading import Group, grouped, without_twins
from backsight.results.creg.schema import CHOICES, PAIRS, ROWS, SUMMARY
from backsight.results.creg.summary import creg_summary
from backsight.results.pages import common
from backsight.results.pages.content import Section, Statement
from backsight.results.pages.study import Study
from backsight.results.relevance.cells import Place, place_words
from backsight.results.relevance.summaries import of_methods
from backsight.results.relevance.words import VARIANTS
from backsight.tables import Table


def compass(study: Study) -> Section | None:
    """The section; None without the summary."""
    rows = study.rows(SUMMARY.name)
    if not rows:
        return None
    everywhere, whole = grouped(rows), grouped(rows, every=True)
    mine = without_twins(everywhere)
    given, missing = sentences.leads(mine)
    if not given and not missing:
        return None
    by_place = {place: mine[place] for place in (*given, *missing)}
    named, omitted = ([(place_words(study, place), row) for place, row in of.items()] for of in (given, missing))
    shown = _shown(study.tables[SUMMARY.name], list(by_place))
    samples = common.samples(study, ROWS.name, {row["suite"] for row in rows})
    apart = {common.title(study, suite) for suite, _ in everywhere if f"{suite}_a" in {place[0] for place in mine}}
    return Section(
        anchor="compass",
        question="why",
        title="Where the evidence points",
        claim=sentences.claim_of(named, omitted),
        null=sentences.null_of(named),
        notes=common.asked_apart(study, ROWS.name),
        figures=(common.figure(study, ROWS.name, draw, shown, text.CAPTION),),
        statements=(*sentences.statements(study, by_place, study.rows(PAIRS.name)), *_decisions(study, by_place)),
        tables=(
            *tables.methods(study, by_place, rows),
            *tables.changes(study, by_place, "CREG with one thing changed, as table 5", tables.ABLATIONS,
                            text.VARIED_NOTE + tables.options_note(study, by_place)),
            *tables.changes(study, by_place, "CREG by direction, and seen from elsewhere", tables.PARTS,
                            text.PARTS_NOTE),
            *tables.answers(study, by_place),
            *splits.prompts(study, everywhere, whole),
            *splits.choices(study),
        ),
        method=text.METHOD,
        limits=text.LIMITS,
        samples=tuple(one for one in samples if one.title not in apart),
    )  # fmt: skip


def _shown(table: Table, places: Sequence[Place]) -> Table:
    """What the page's figure shows: the main methods for the model's choice, in the order of `places`."""
    order = {place: number for number, place in enumerate(places)}
    frame = table.frame
    suites = zip(frame["suite"], frame["prompt"].astype(object).where(frame["prompt"].notna(), None), strict=True)
    at = pd.Series([order.get(place, -1) for place in suites], index=frame.index)
    apart = frame["method"].isin((*VARIANTS, *REFERENCES)) | (frame["target"] == TRUTH).fillna(False)
    apart |= frame["missing"].notna()
    kept = frame.assign(place=at)[(at >= 0) & ~apart].sort_values("place", kind="stable").drop(columns="place")
    return Table(table.schema, kept, table.provenance)


def _decisions(study: Study, by_place: Mapping[Place, Group]) -> Iterator[Statement]:
    """On incorrect answers, whether the evidence goes with what was chosen or with the truth."""
    for place, group in by_place.items():
        row, null = (group.get(("incorrect", m, t, DEFAULT)) for m, t in ((LEADING, CHOICE), (NULL, None)))
        if remark := decision_sentence(place_words(study, place), row, null):
            yield Statement(remark, place[0], 0.5)


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
