"""What many suites have in common, said once: names in a sentence, and columns of a table that never vary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backsight.results.pages.content import Grid
from backsight.results.pages.wording import listed

NAMED = 4  # suites, up to which each is named


def among(names: Sequence[str], of: int, noun: str = "suites", *, few: int = NAMED) -> str:
    """Which of so many suites: "all 5 suites", their names where they are few, else "7 of 11 suites"."""
    if len(names) == of and of > few:
        return f"all {of} {noun}"
    return listed(names) if len(names) <= few else f"{len(names)} of {of} {noun}"


def slim(grid: Grid, *names: str) -> Grid:
    """The table without those of the named columns that are the same in every row; the note says what they hold."""
    if len(grid.rows) < 2:
        return grid
    constant = [
        place
        for place, name in enumerate(grid.columns)
        if name in names and len({row[place] for row in grid.rows}) == 1
    ]
    if not constant:
        return grid
    kept = [place for place in range(len(grid.columns)) if place not in constant]
    facts = "; ".join(f"{grid.columns[place]}: {grid.rows[0][place]}" for place in constant)
    return replace(
        grid,
        columns=tuple(grid.columns[place] for place in kept),
        rows=tuple(tuple(row[place] for place in kept) for row in grid.rows),
        words=sum(place < grid.words for place in kept),
        note=" ".join(filter(None, (grid.note, f"The same in every row: {facts}."))),
    )
