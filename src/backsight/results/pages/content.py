"""What a report says, as typed records that the template sets on a page.

All words and numbers are decided before the template sees them; the template only loops. Text is plain and is
escaped by the template; figures alone are markup.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Any

from backsight.results.pages.pictures import FigureView
from backsight.results.pages.webp import Packed

# The product's questions, in the order of the page; each section answers one of them.
QUESTIONS = {
    "can": "Can it?",
    "where": "Where is it kept?",
    "why": "Why this answer?",
    "repair": "Can it be repaired?",
}


@dataclass(frozen=True)
class Statement:
    """What was measured of one suite, in a sentence.

    `suite` is its name, empty for what is said of all. `short` says how far it is from what it should be: 0 for what
    is as it should be, 1 for what is not there at all; the page puts the largest first. `note` belongs beside it.
    """

    text: str
    suite: str = ""
    short: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class Grid:
    """A table on the page. `words` is the number of leading columns that hold words and not numbers.

    `note` are sentences below it that say how to read it. `suites` names the suite of each row, for the page's filter;
    empty where rows are of no suite.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    folded: bool = False
    files: tuple[tuple[str, str], ...] = ()
    note: str = ""
    suites: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """A sample picture as a data URI (empty where the file is missing) with its caption, and its size in pixels."""

    uri: str
    caption: str
    width: int = 0
    height: int = 0

    @classmethod
    def of(cls, stored: Packed, caption: str) -> Picture:
        """A picture as it was packed for the page."""
        return cls(stored.uri, caption, stored.width, stored.height)

    @property
    def key(self) -> str:
        """What the picture's one copy in the page is called, the same for the same picture."""
        return f"picture-{zlib.crc32(self.uri.encode()):08x}"


@dataclass(frozen=True)
class Sample:
    """What was asked of one set: the question to the letter, and a picture."""

    title: str
    about: str
    facts: tuple[tuple[str, str], ...]
    prompt: str
    pictures: tuple[Picture, ...]
    suite: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A measurement on the page, always in this shape: claim, figure, null; behind them the rest.

    `question` is a key of `QUESTIONS`. `claim` is the one sentence that stays when the section is closed: what was
    measured, over all suites, the worst of it first. `null` says beside what its numbers stand. `statements` are the
    same suite by suite. `notes` warn of something before the numbers are read. `method` is how it was done, `limits`
    what it does not show, `samples` the exact question. The page adds `controls`, how the measurement did on its
    controls, the `kinds` of jobs that it is made of (`kinds` names those of other measurements), and `command`, which
    makes the section again.
    """

    anchor: str
    title: str
    question: str
    claim: str
    null: str
    figures: tuple[FigureView, ...]
    statements: tuple[Statement, ...] = ()
    tables: tuple[Grid, ...]
    method: tuple[str, ...]
    limits: tuple[str, ...]
    samples: tuple[Sample, ...] = ()
    notes: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    command: str = ""

    @property
    def behind(self) -> str:
        """What stands behind "More", in a few words."""
        parts = (
            ("by suite", self.statements), ("tables", self.tables), ("how it was done", self.method),
            ("what it does not show", self.limits), ("the exact question", self.samples),
        )  # fmt: skip
        return ", ".join(words for words, there in parts if there)

    def joined(self, other: Section) -> Section:
        """This section with the content of another one of its anchor behind its own; nothing stands twice.

        The other's claim becomes the first of its statements, as short of what it should be as the worst of them.
        """
        names = ("notes", "figures", "tables", "method", "limits", "samples", "controls", "kinds")
        both: dict[str, Any] = {
            name: tuple(dict.fromkeys((*getattr(self, name), *getattr(other, name)))) for name in names
        }
        worst = max((one.short for one in other.statements), default=0.0)
        second = (Statement(other.claim, short=worst),) if self.claim and other.claim else ()
        both["statements"] = (*self.statements, *second, *other.statements)
        both["null"] = " ".join(dict.fromkeys(filter(None, (self.null, other.null))))
        return replace(self, claim=self.claim or other.claim, **both)
