"""What papers print of the model, beside what this study measured of the very same quantity.

Nothing is said of a model that no paper measured. A figure that is known to be wrong stands beside its correction, and
the correction is what is compared with; a remark leaves the figure as it is. Each paper has a module, which says where
in a study its figures are found again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from backsight.published import Published, by_folder, figures
from backsight.report.published import creg, dual
from backsight.report.published.shared import ANCHOR, INSIDE, LIMITS, METHOD, Compared, Measured, scope
from backsight.results.drawing.style import counted
from backsight.results.pages.content import Section, Statement
from backsight.results.pages.study import Study, mapping, text
from backsight.results.pages.study import number as read_number
from backsight.results.pages.wording import listed


class Paper(NamedTuple):
    """How a paper's figures are found again in a study, the dtype of its authors, and what a reader must know."""

    tables: Callable[[Measured, Sequence[Published]], list[Compared]]
    dtype: str
    whose: str
    method: tuple[str, ...]
    limits: tuple[str, ...]


PAPERS: Mapping[str, Paper] = {
    dual.SHORT: Paper(dual.tables, "float32", "the authors' code runs this model in", dual.METHOD, dual.LIMITS),
    creg.SHORT: Paper(creg.tables, "bfloat16", "the paper ran this model in", creg.METHOD, creg.LIMITS),
}


def published(study: Study) -> Section | None:
    """The section; None for a model that no paper measured."""
    model = mapping(study.data.get("model"))
    name, layers = text(model.get("name")), read_number(model.get("layers"))
    by_paper: dict[str, list[Published]] = {}
    for one in figures(name, layers=None if layers is None else int(layers)):
        by_paper.setdefault(one.short, []).append(one)
    if not by_paper:
        return None
    measured = Measured(study)
    compared = {short: PAPERS[short].tables(measured, of) for short, of in by_paper.items()}
    papers = [PAPERS[short] for short in by_paper]
    every = [one for tables in compared.values() for one in tables]
    return Section(
        anchor=ANCHOR,
        question="can",
        title="Beside the published figures",
        claim=claim({by_paper[short][0].source: tables for short, tables in compared.items()}),
        null=null(every),
        notes=_notes(study, by_paper),
        figures=(),
        statements=_statements(compared),
        tables=tuple(one.grid for one in every),
        method=(*METHOD, *(line for paper in papers for line in paper.method), INSIDE),
        limits=(*LIMITS, scope(by_paper), *(line for paper in papers for line in paper.limits)),
        samples=(),
    )


def _notes(study: Study, by_paper: Mapping[str, Sequence[Published]]) -> tuple[str, ...]:
    """What the model was taken for, and its dtype where that is not the authors'."""
    model = mapping(study.data.get("model"))
    name, dtype = text(model.get("name")), text(model.get("dtype"))
    firsts = {short: next(one for one in of_paper if one.model is not None) for short, of_paper in by_paper.items()}
    notes = [f"{one.model} was measured in {one.paper} ({one.source})." for one in firsts.values()]
    if by_folder(name):
        notes.append("This study's model is taken for it by the name of its folder. Its weights were not compared.")
    for short in by_paper:
        paper = PAPERS[short]
        if dtype and dtype != paper.dtype:
            of = f"; of {short}, {paper.whose}" if len(by_paper) > 1 else f"; {paper.whose}"
            notes.append(f"It ran in {dtype}{of} {paper.dtype}, and close answers may differ.")
    return tuple(notes)


def claim(by_source: Mapping[str, Sequence[Compared]]) -> str:
    """How many published figures lie outside this study's intervals, over all tables, the paper with most of them
    first."""
    counts = {source: [one for table in tables for one in table.insides] for source, tables in by_source.items()}
    measured = {source: insides for source, insides in counts.items() if insides}
    if not measured:
        verb = "prints" if len(by_source) == 1 else "print"
        return f"Not shown: this study measured none of the figures that {listed(by_source)} {verb} of this model."
    outside = {source: insides.count(False) for source, insides in measured.items()}
    order = sorted(measured, key=lambda source: -outside[source] / len(measured[source]))
    total = sum(len(insides) for insides in measured.values())
    of = f"of {counted(total, 'published figure')} that this study measured again"
    start = (
        f"{sum(outside.values()) or 'None'} {of} {'lies' if sum(outside.values()) < 2 else 'lie'} outside its interval"
    )
    if len(measured) == 1:
        return f"{start} ({order[0]})."
    return f"{start}: {listed(f'{outside[source]} of {len(measured[source])} in {source}' for source in order)}."


def null(tables: Sequence[Compared]) -> str:
    """How many figures chance puts outside, and what uniform relevance does where a direction is published."""
    better = [one for table in tables for one in table.directions]
    chance = "Where nothing differs, one figure in twenty lies outside by chance."
    if not better:
        return chance if any(table.insides for table in tables) else ""
    return (
        f"{chance} On this study's questions uniform relevance does at least as well as {sum(better)} of "
        f"{counted(len(better), 'published direction')}."
    )


def _statements(compared: Mapping[str, Sequence[Compared]]) -> tuple[Statement, ...]:
    """A sentence a table of which something was measured; the paper's name stands in front where there are several."""
    several = len(compared) > 1
    return tuple(
        replace(one, text=f"{short}, {one.text[0].lower()}{one.text[1:]}") if several else one
        for short, tables in compared.items()
        for one in (table.statement for table in tables)
        if one is not None
    )
