"""CLIP-style against CLOC-style: a panel of where, one of what, one of position probes by block.

Marks are means over seeds with 95 % t-intervals; a dashed line across a panel is chance, of each measure its own.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from backsight.results.contrastive import tables, text
from backsight.results.drawing import panels, style
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
LOOKS = {"clip": (style.BLUE, "o", "CLIP-style"), "cloc": (style.ORANGE, "s", "CLOC-style")}
LINE = 0.4  # inches, of a measure, whose label may take two lines
AROUND = 1.0  # inches, of the heading and the axis of such a panel
LABEL = 24  # letters of a line of a label


def draw(summary: Table, *, columns: int | None = 2) -> Figure:
    """The figure of a summary (`tables.summary`); panels without rows say so. DataError for an empty table."""
    rows = summary.rows()
    panels.grouped(rows, summary.schema.name, "measure")
    keys = {"Where": tables.WHERE, "What": tables.WHAT}
    shown = []
    measures = {t: [row for row in rows if (row["measure"], row["part"]) in wanted] for t, wanted in keys.items()}
    height = max(panels.HEIGHT, LINE * max(map(len, measures.values())) + AROUND)
    for title, own in measures.items():
        empty = "" if own else "Not measured."
        shown.append(panels.Panel(title, _seeds(own), partial(_marks, rows=own), empty, height))
    for measure in tables.PROBES:
        own = [row for row in rows if row["measure"] == measure]
        title = f"{measure[:1].upper()}{measure[1:]} on the tokens of things"
        shown.append(panels.Panel(title, _seeds(own), partial(_probes, rows=own), "" if own else "Not measured."))
    with style.style():
        entries: list[panels.Entry] = [
            (panels.look(color, marker), f"{words}, 95 % t-interval over seeds")
            for color, marker, words in LOOKS.values()
        ]
        entries.append((panels.line(**panels.CHANCE), "chance"))
        return panels.draw(shown, entries, columns, across=3, alike=False)


def _seeds(rows: Sequence[Row]) -> str:
    counts = sorted({row[f"{name}_seeds"] for row in rows for name in LOOKS if row[f"{name}_seeds"]})
    if not counts:
        return "no seeds"
    few, many = counts[0], counts[-1]
    return style.counted(many, "seed") if few == many else f"{few} to {many} seeds"


def _marks(axis: Axes, rows: Sequence[Row]) -> None:
    """A line a measure from top to bottom, with both encoders and chance."""
    ends = [(row["chance"], place + side) for place, row in enumerate(rows) for side in (-0.5, 0.5)]
    axis.plot(*zip(*ends, strict=True), **panels.CHANCE, zorder=1)
    for place, row in enumerate(rows):
        for shift, (name, (color, marker, _)) in zip((-0.15, 0.15), LOOKS.items(), strict=True):
            if row[name] is None:
                continue
            low, high = row[f"{name}_low"], row[f"{name}_high"]
            if low is not None:
                axis.plot([max(0, low), min(1, high)], [place + shift] * 2, color=color, linewidth=1.3)
            axis.plot([row[name]], [place + shift], color=color, marker=marker, markersize=4.5, linestyle="none")
    axis.set(xlim=(-0.02, 1.02), ylim=(len(rows) - 0.5, -0.5))
    axis.set_yticks(range(len(rows)), labels=[broken(row) for row in rows])
    axis.set_xticks(panels.SHARES, labels=panels.SHARE_LABELS)
    axis.grid(axis="x", color=style.FAINT, linewidth=0.6)
    axis.set_axisbelow(True)


def broken(row: Row) -> str:
    """What a row measures, in lines of a label."""
    return textwrap.fill(text.label(row), LABEL)


def _probes(axis: Axes, rows: Sequence[Row]) -> None:
    """Accuracy by the place in the encoder, and that of probes of labels dealt out anew."""
    places = list(range(len(rows)))
    for name, (color, marker, _) in LOOKS.items():
        at = [(x, row) for x, row in zip(places, rows, strict=True) if row[name] is not None]
        if not at:
            continue
        of = [
            {"value": row[name], "low": _or(row[f"{name}_low"], row[name]), "high": _or(row[f"{name}_high"], row[name])}
            for _, row in at
        ]  # fmt: skip
        panels.curve(axis, [x for x, _ in at], of, "value", panels.look(color, marker))
    ends = [places[0] - 0.3, *places, places[-1] + 0.3]
    chances = [row["chance"] for row in rows]
    axis.plot(ends, [chances[0], *chances, chances[-1]], **panels.CHANCE, zorder=1)
    panels.shares(axis, "accuracy")
    axis.set_ylim(0, 1.04)  # marks at 1 stand clear of the heading
    short = {"behind the last": "end", "output": "norm"}
    axis.set_xticks(places, labels=[short.get(row["part"], row["part"].removeprefix("block ")) for row in rows])
    axis.set_xlabel("before block, at the end, behind the norm")


def _or(value: float | None, other: float) -> float:
    return other if value is None else value
