"""From a study to the content of its report: the first screen, the sections by question, and what stands at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from backsight.report import about
from backsight.report.gallery import gallery
from backsight.report.opening.cards import Card, cards
from backsight.report.opening.diagram import Diagram, diagram
from backsight.report.opening.left_out import left_out
from backsight.report.opening.steps import Step, steps
from backsight.report.published import published
from backsight.results import RESULTS, selftest
from backsight.results.base import MakeSection
from backsight.results.pages.content import QUESTIONS, Grid, Section
from backsight.results.pages.study import Study, mapping, text
from backsight.results.pages.wording import model_line


@dataclass(frozen=True)
class Question:
    """One of the product's questions, with the sections that answer it."""

    key: str
    title: str
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Page:
    """The whole report; each field is what the template calls it."""

    title: str
    model: str
    finished: bool
    damaged: str
    cards: tuple[Card, ...]
    path: Diagram
    steps: tuple[Step, ...]
    left_out: tuple[str, ...]
    suites: tuple[tuple[str, str], ...]
    questions: tuple[Question, ...]
    about: tuple[tuple[str, str], ...]
    skipped: Grid | None
    reading: tuple[str, ...]
    contracts: Grid | None
    controls: Grid | None
    controls_note: str
    costs: Grid | None
    costs_note: str
    command: str
    facts: tuple[tuple[str, str], ...]
    files: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


def build_page(study: Study) -> Page:
    """The report's content; figures are written on the way."""
    model = mapping(study.data.get("model"))
    sections = build_sections(study)
    titles = {one.anchor: one.title for one in sections}
    ends = {
        "skipped": ("Left out", about.skipped(study)),
        "reading": ("How to read the numbers", about.READING),
        "contracts": ("Contracts", about.contracts(study)),
        "controls": ("Controls", about.controls()),
        "costs": ("Costs", about.costs(study)),
        "reproduce": ("How to reproduce", about.facts(study)),
    }
    return Page(
        title=text(model.get("name")) or "A model",
        model=model_line(model),
        finished=study.data.get("finished") is not False,
        damaged=about.damaged(study),
        cards=cards(study, titles),
        path=diagram(study),
        steps=steps(study, titles),
        left_out=left_out(study),
        suites=_suites(study, sections),
        questions=tuple(
            Question(key, title, of)
            for key, title in QUESTIONS.items()
            if (of := tuple(one for one in sections if one.question == key))
        ),
        about=tuple((anchor, words) for anchor, (words, there) in ends.items() if there),
        skipped=about.skipped(study),
        reading=about.READING,
        contracts=about.contracts(study),
        controls=about.controls(),
        controls_note=about.controls_note(),
        costs=about.costs(study),
        costs_note=about.costs_note(study),
        command=about.commands(study),
        facts=about.facts(study),
        files=tuple((name, study.files(name)) for name in study.table_names()),
    )


def build_sections(study: Study) -> tuple[Section, ...]:
    """The sections in the order of the page: by question; in each, statements of what is furthest off first."""
    of: dict[MakeSection, list[str]] = {}
    for name, result in RESULTS.items():
        for make in result.sections:
            of.setdefault(make, []).append(name)
    of |= {gallery: [], published: []}
    built = ((make(study), names) for make, names in of.items())
    whole = [_completed(study, section, names) for section, names in built if section is not None]
    order = list(QUESTIONS)
    return tuple(
        replace(
            one,
            statements=tuple(sorted(one.statements, key=lambda statement: -statement.short)),
            command=about.again(study, one.kinds) or about.commands(study),
        )
        for one in sorted(_merged(whole), key=lambda one: order.index(one.question))
    )


def _completed(study: Study, section: Section, names: Sequence[str]) -> Section:
    """The section of some measurements, with how they did on their controls and the kinds of jobs that made it.

    Where one measurement makes several kinds of jobs, a section's anchor is the name of its own.
    """
    ran = {text(job.get("kind")) for job in study.jobs}
    own = section.anchor if section.anchor in ran and section.anchor not in RESULTS else ""
    kinds = tuple(kind for name in names if (kind := own or name.replace("_", "")) in ran)
    lines = tuple(f"{name}: {selftest.sentence(name, selftest.shipped())}" for name in names)
    return replace(section, controls=lines, kinds=(*kinds, *section.kinds))


def _merged(sections: Sequence[Section]) -> tuple[Section, ...]:
    """Sections of one anchor as one, at the place of the first."""
    merged: dict[str, Section] = {}
    for one in sections:
        first = merged.get(one.anchor)
        merged[one.anchor] = one if first is None else first.joined(one)
    return tuple(merged.values())


def _suites(study: Study, sections: Sequence[Section]) -> tuple[tuple[str, str], ...]:
    """The suites that a reader can filter by, each with its title, in the order of the study."""
    there = {statement.suite for one in sections for statement in one.statements}
    there |= {suite for one in sections for grid in one.tables for suite in grid.suites}
    return tuple((name, title) for name, title in study.titles.items() if name in there)
