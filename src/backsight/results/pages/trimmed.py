"""Tables for the page without columns that tell rows apart by nothing."""

from __future__ import annotations

from dataclasses import replace

from backsight.results.pages.content import Grid

EMPTY = {"", "–"}


def trimmed(grid: Grid) -> Grid:
    """The table without the columns, behind the first, whose cells are all alike; its note names what stood there.

    Empty columns are left out in silence; numbers with intervals stay, whatever they are. A table of one row stays as
    it is but for its empty columns.
    """
    cells = list(zip(*grid.rows, strict=True))
    several = len(grid.rows) > 1
    kept, constant = [0], []
    for place, column in enumerate(cells[1:], start=1):
        if set(column) <= EMPTY:
            continue
        if several and len(set(column)) == 1 and "[" not in column[0]:
            constant.append(f"{grid.columns[place][:1].lower()}{grid.columns[place][1:]} {column[0]}")
        else:
            kept.append(place)
    alike = f"In every row: {', '.join(constant)}." if constant else ""
    return replace(
        grid,
        columns=tuple(grid.columns[place] for place in kept),
        rows=tuple(tuple(row[place] for place in kept) for row in grid.rows),
        words=sum(place < grid.words for place in kept),
        note=" ".join(filter(None, (alike, grid.note))),
    )
