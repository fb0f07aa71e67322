"""Markdown that an editor shows whole: long lines are broken."""

from __future__ import annotations

import textwrap

WIDTH = 120
WHOLE = ("|", "#", "![", "`" * 3, "<!--")  # rows of tables, headings, figures, fences, comments: one line each


def filled(text: str) -> str:
    """A text in lines of at most `WIDTH` characters, those of an item of a list indented; words are never broken."""
    return "\n".join(_line(line) for line in text.split("\n"))


def _line(line: str) -> str:
    if len(line) <= WIDTH or line.startswith(WHOLE):
        return line
    indent = "  " if line.startswith("- ") else ""
    return textwrap.fill(line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
