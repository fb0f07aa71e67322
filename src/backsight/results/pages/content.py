"""What a report says, as typed records that the template sets on a page.

All words and numbers are decided before the template sees them; the template only loops. Text is plain and is
escaped by the template; figures alone are markup.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from backsight.results.pages.pictures import FigureView


@dataclass(frozen=True)
class Statement:
    """A sentence of the opening, the anchor of what it is read from, and a note that belongs beside it."""

    text: str
    anchor: str
    note: str = ""


@dataclass(frozen=True)
class Answer:
    """One of the opening's questions with its statements; `anchor` where the lead itself is read from something."""

    question: str
    lead: str
    statements: tuple[Statement, ...]
    anchor: str = ""


@dataclass(frozen=True)
class Grid:
    """A table on the page. `words` is the number of leading columns that hold words and not numbers.

    `note` are sentences below it that say how to read it.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    folded: bool = False
    files: tuple[tuple[str, str], ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """A sample picture as a data URI (empty where the file is missing) with its caption, and its size in pixels."""

    uri: str
    caption: str
    width: int = 0
    height: int = 0


@dataclass(frozen=True)
class Sample:
    """What was asked of one set: the question to the letter, and a picture."""

    title: str
    about: str
    facts: tuple[tuple[str, str], ...]
    prompt: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Section:
    """A measurement: figures, tables, what was done, what it does not show, what was asked.

    `folded` puts the samples out of sight, for a section whose samples stand open in another one. `controls` says how
    the measurement did on its controls.
    """

    anchor: str
    title: str
    notes: tuple[str, ...]
    figures: tuple[FigureView, ...]
    tables: tuple[Grid, ...]
    method: tuple[str, ...]
    limits: tuple[str, ...]
    samples: tuple[Sample, ...]
    folded: bool = False
    controls: tuple[str, ...] = ()

    def joined(self, other: Section) -> Section:
        """This section with the content of another one of its anchor behind its own; nothing stands twice."""
        names = ("notes", "figures", "tables", "method", "limits", "samples", "controls")
        both: dict[str, Any] = {
            name: tuple(dict.fromkeys((*getattr(self, name), *getattr(other, name)))) for name in names
        }
        return replace(self, **both)


@dataclass(frozen=True)
class Page:
    """The whole report."""

    title: str
    model: str
    finished: bool
    answers: tuple[Answer, ...]
    sections: tuple[Section, ...]
    skipped: Grid | None
    contracts: Grid | None
    controls: Grid | None
    controls_note: str
    costs: Grid | None
    costs_note: str
    command: str
    facts: tuple[tuple[str, str], ...]
    files: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
