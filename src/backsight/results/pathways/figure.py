"""Accuracy with a position pathway ablated, one panel a suite.

Answers are read out between two things, so chance, the dashed line, is one half. Filled marks are the suite's own
question, hollow ones the presence question, which needs no spatial information: where it stays high, the edit left
the rest of the model at work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from backsight.errors import DataError, UsageError
from backsight.results.drawing import panels, style
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
CONDITION_WORDS = {
    "plain": "as it is",
    "removed": "order removed\n(language model intact)",
    "cells": "single cells\n(language model intact)",
    "shuffled": "shuffled\n(vision encoder intact)",
}
ORDER: dict[str, Any] = {"color": style.BLUE, "marker": "o", "markersize": 5}
CONTROL: dict[str, Any] = ORDER | {"color": style.SOFT, "markerfacecolor": "white", "markeredgewidth": 1.1}
HEIGHT = 2.7  # inches, of a panel
APART = 0.15  # between the two questions of a condition, in rows


def draw(
    table: Table,
    *,
    direction: str = "all",
    columns: int | None = None,
    titles: Mapping[str, str] | None = None,
) -> Figure:
    """Accuracy between two by condition, one panel a suite, of one `direction` or of all together.

    `columns` is the number of panels across; 1 is for a phone. `titles` gives suites the names to print.
    """
    rows = table.rows()
    if not rows:
        raise DataError("The table has no rows to draw", where=table.schema.name)
    present = list(dict.fromkeys(row["direction"] for row in rows))
    if direction not in present:
        raise UsageError("There is no such direction", got=direction, do=f"choose from: {', '.join(present)}")
    shown_panels = []
    chosen = [row for row in rows if row["direction"] == direction]
    for (suite,), group in panels.grouped(chosen, table.schema.name, "suite").items():
        title = style.suite_title(suite, titles) + (f", {direction}" if direction != "all" else "")
        shown_panels.append(
            panels.Panel(title, _counts(group), partial(_panel, group=group), height=HEIGHT, suite=suite)
        )
    with style.style():
        return panels.draw(shown_panels, _entries(any(row["asked"] == "control" for row in rows)), columns)


def _counts(group: Sequence[Row]) -> str:
    questions, images = (max(row[key] for row in group) for key in ("questions", "images"))
    return f"{style.counted(questions, 'question')}, {style.counted(images, 'picture')}"


def _panel(axis: Axes, group: Sequence[Row]) -> None:
    by_about = {(row["condition"], row["asked"]): row for row in group}
    asked = [name for name in ("order", "control") if any(key[1] == name for key in by_about)]
    for place, condition in enumerate(CONDITION_WORDS):
        axis.axhline(place, color=style.FAINT, linewidth=0.6, zorder=0)
        here = [by_about[condition, name] for name in asked if (condition, name) in by_about]
        if not here:
            panels.note(axis, 0.0, place, "not available")
        elif all(row["omitted"] for row in here):
            panels.note(axis, 0.0, place, f"omitted (n={here[0]['questions']})")
        else:
            for row in here:
                _mark(axis, place, row, apart=APART if len(asked) > 1 else 0.0)
    axis.axvline(0.5, **panels.CHANCE, zorder=1)
    axis.set(xlim=(-0.02, 1.02), ylim=(len(CONDITION_WORDS) - 0.4, -0.6), xlabel="accuracy between two")
    axis.set_yticks(range(len(CONDITION_WORDS)), labels=list(CONDITION_WORDS.values()))
    axis.set_xticks(panels.SHARES, labels=panels.SHARE_LABELS)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def _mark(axis: Axes, place: float, row: Row, *, apart: float) -> None:
    look, y = (ORDER, place - apart) if row["asked"] == "order" else (CONTROL, place + apart)
    if row["omitted"]:
        panels.note(axis, 0.0, y, f"omitted (n={row['questions']})")
        return
    ends = [row["low_of_two"], row["high_of_two"]]
    axis.plot(ends, [y, y], color=look["color"], linewidth=1.3, zorder=3, clip_on=False)
    axis.plot([row["accuracy_of_two"]], [y], **look, linestyle="none", zorder=4, clip_on=False)


def _entries(control: bool) -> list[panels.Entry]:
    entries: list[panels.Entry] = [(panels.line(**ORDER, linewidth=1.3), "the suite's question, with 95 % interval")]
    if control:
        words = "presence question: which of two things is there (hollow)"
        entries.append((panels.line(**CONTROL, linewidth=1.3), words))
    return [*entries, (panels.line(**panels.CHANCE), "chance, one half")]
