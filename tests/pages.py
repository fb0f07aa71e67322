"""The pages that a reader opens: README, CONTRIBUTING and docs, with their blocks of code and their sentences."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
FENCE = re.compile(r"^(?P<lead>[^\n]*)\n```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
WRITTEN = re.compile(r"<!-- file: (?P<name>[\w.-]+) -->")
PARSED = re.compile(r"<!-- parsed only: (?P<why>\S.*) -->")
COMMANDS = ("bash", "console", "sh")


@dataclass(frozen=True)
class Block:
    """One fenced block of a page: its language, its text, its first line's number, and why it is only parsed.

    `file` is the name of the file that it is, where it is one that a reader writes.
    """

    page: Path
    language: str
    body: str
    line: int
    parsed: str | None
    file: str | None = None

    def __str__(self) -> str:
        return f"{name(self.page)}:{self.line}"

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command; a line that ends in a backslash goes on."""
        lines = self.body.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line.removeprefix("$ "), comments=True))]


def name(page: Path) -> str:
    """A page's path inside the project."""
    return page.relative_to(ROOT).as_posix()


def text(page: Path) -> str:
    """A page as it is written."""
    return page.read_text(encoding="utf-8")


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    whole = "\n" + text(page)
    for match in FENCE.finditer(whole):
        why = PARSED.fullmatch(match["lead"].strip())
        file = WRITTEN.fullmatch(match["lead"].strip())
        line = whole.count("\n", 0, match.start("body"))
        yield Block(page, match["language"], match["body"], line, why["why"] if why else None,
                    file["name"] if file else None)  # fmt: skip


def prose(page: Path) -> str:
    """A page without its blocks, tables, comments and headings."""
    lines = re.sub(r"^```.*?^```$", "", text(page), flags=re.MULTILINE | re.DOTALL).splitlines()
    kept = [
        re.sub(r"^\s*(?:[-*>]|\d+\.)\s+", "", one)
        for one in lines
        if not re.match(r"\s*(?:\||#|<!--|:::|!\[)| {4}", one)
    ]
    return "\n".join(kept)


def sentences(page: Path) -> list[str]:
    """The sentences of a page, of forty characters and more, with single spaces."""
    paragraphs = [" ".join(one.split()) for one in re.split(r"\n\s*\n", prose(page))]
    return [s for one in paragraphs for s in re.split(r"(?<=[.:?!])\s+(?=[A-Z*`\"])", one) if len(s) >= 40]
