"""Share of the accuracy above chance that a shuffle of the image tokens takes, one panel a suite.

Zero says that nothing is lost, one that chance is left. Filled marks are questions of where things are, hollow ones
questions of what is there, which need no position.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from backsight.results.drawing import panels, style
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
CONDITIONS = {
    ("own", "kept"): "shuffled,\npositions kept",
    ("own", "moved"): "shuffled, positions\nmoved along",
    ("text", "kept"): "at text norm,\npositions kept",
}
WHERE: dict[str, Any] = {"color": style.BLUE, "marker": "o", "markersize": 5}
WHAT: dict[str, Any] = WHERE | {"color": style.ORANGE, "markerfacecolor": "white", "markeredgewidth": 1.1}
LOOKS = {"relational": WHERE, "other": WHERE, "semantic": WHAT}
WORDS = {
    "relational": "questions of where a thing is, with 95 % interval",
    "other": "the set's own questions, with 95 % interval",
    "semantic": "questions of what is there (hollow)",
}
LEFT, RIGHT = -0.5, 1.5
APART = 0.16


def draw(table: Table, *, columns: int | None = None, titles: Mapping[str, str] | None = None) -> Figure:
    """The corrected Position Sensitivity Index by condition, one panel a suite.

    `columns` is the number of panels across; 1 is for a phone. `titles` gives suites the names to print.
    """
    rows, shown = table.rows(), []
    for (suite,), group in panels.grouped(rows, table.schema.name, "suite").items():
        below = f"{style.counted(max(r['questions'] for r in group), 'question')}, " + style.counted(
            max(r["images"] for r in group), "picture"
        )
        title = style.suite_title(suite, titles)
        shown.append(panels.Panel(title, below, partial(_panel, group=group), height=2.3, suite=suite))
    kinds = [kind for kind in LOOKS if any(row["kind"] == kind for row in rows)]
    with style.style():
        entries: list[panels.Entry] = [(panels.line(**LOOKS[kind], linewidth=1.3), WORDS[kind]) for kind in kinds]
        entries.append((panels.line(**panels.CHANCE), "nothing lost (0) and chance left (1)"))
        return panels.draw(shown, entries, columns)


def _panel(axis: Axes, group: Sequence[Row]) -> None:
    conditions = [key for key in CONDITIONS if any((r["norm"], r["order"]) == key for r in group)]
    kinds = [kind for kind in LOOKS if any(row["kind"] == kind for row in group)]
    for place, condition in enumerate(conditions):
        axis.axhline(place, color=style.FAINT, linewidth=0.6, zorder=0)
        for number, kind in enumerate(kinds):
            row = next((r for r in group if (r["norm"], r["order"], r["kind"]) == (*condition, kind)), None)
            y = place + APART * (2 * number - len(kinds) + 1)
            if row is not None:
                _mark(axis, y, row, LOOKS[kind])
    for at in (0, 1):
        axis.axvline(at, **panels.CHANCE, zorder=1)
    axis.set(xlim=(LEFT, RIGHT), ylim=(len(conditions) - 0.4, -0.6), xlabel="share of the accuracy above chance lost")
    axis.set_yticks(range(len(conditions)), labels=[CONDITIONS[c] for c in conditions])
    axis.set_xticks(panels.SHARES, labels=panels.SHARE_LABELS)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def _mark(axis: Axes, y: float, row: Row, look: Mapping[str, Any]) -> None:
    if row["reason"]:
        panels.note(axis, LEFT, y, f"omitted: {row['reason']}")
        return
    ends = [min(max(row[f"corrected_{end}"], LEFT), RIGHT) for end in ("low", "high")]
    axis.plot(ends, [y, y], color=look["color"], linewidth=1.3, zorder=3)
    value = min(max(row["corrected"], LEFT), RIGHT)
    beyond = {} if value == row["corrected"] else {"marker": ">" if value == RIGHT else "<"}
    axis.plot([value], [y], **{**look, **beyond}, linestyle="none", zorder=4, clip_on=False)
