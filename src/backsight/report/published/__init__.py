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
    """The section and what it says in the opening; None for a model that no paper measured."""
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
    section = Section(
        anchor=ANCHOR,
        question="can",
        title="Beside the published figures",
        notes=_notes(study, by_paper),
        figures=(),
        tables=tuple(one.grid for tables in compared.values() for one in tables),
        method=(*METHOD, *(line for paper in papers for line in paper.method), INSIDE),
        limits=(*LIMITS, scope(by_paper), *(line for paper in papers for line in paper.limits)),
        samples=(),
    )
    return section.concluding(*_conclusion(by_paper, compared))


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


def _conclusion(
    by_paper: Mapping[str, Sequence[Published]], compared: Mapping[str, Sequence[Compared]]
) -> tuple[str, tuple[Statement, ...]]:
    """How many figures of each table lie inside this study's intervals; nothing where it measured none of them."""
    by_short = {short: [one.statement for one in tables if one.statement] for short, tables in compared.items()}
    papers = [short for short, statements in by_short.items() if statements]
    if not papers:
        return "", ()
    several = len(by_paper) > 1
    statements = tuple(
        replace(one, text=f"{short}, {one.text[0].lower()}{one.text[1:]}") if several else one
        for short in papers
        for one in by_short[short]
    )
    sources = listed(by_paper[short][0].source for short in papers)
    verb = "print" if len(papers) > 1 else "prints"
    return f"Figures that {sources} {verb} of this model, against this study's 95 % intervals:", statements
