"""What and where corrected for guessing, one panel a suite, the worst first: the distance of the two is the gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from backsight.errors import DataError
from backsight.results.behaviour.axes import DIRECTIONS
from backsight.results.behaviour.named import with_ground
from backsight.results.drawing import panels, style
from backsight.results.gap.text import short
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
WHAT: dict[str, Any] = {"color": style.BLUE, "marker": "o", "markersize": 5}
WHERE: dict[str, Any] = {"color": style.ORANGE, "marker": "s", "markersize": 4.6}
BESIDE: dict[str, Any] = WHAT | {"markerfacecolor": "white", "markeredgewidth": 1.1}
LINE = 0.26  # inches
LOWEST = -1.0  # where the panel ends; an interval that reaches below is cut there


def draw(table: Table, *, columns: int | None = None, titles: Mapping[str, str] | None = None) -> Figure:
    """Corrected accuracy of each kind of what and of where, by suite (and ground) and by axis.

    `columns` is the number of panels across; 1 is for a phone. `titles` gives suites the names to print. DataError
    where no gap could be measured.
    """
    rows = [row for row in table.rows() if not row["omitted"]]
    if not rows:
        raise DataError("The table has no gap to draw", where=table.schema.name)
    suites: dict[tuple[str, str | None], list[Row]] = {}
    for row in rows:
        suites.setdefault((row["suite"], row["ground"]), []).append(row)
    shown = []
    for one, group in sorted(suites.items(), key=lambda item: -short(item[1])):
        title = with_ground(style.suite_title(one[0], titles), one, suites)
        lines = _lines(group)
        shown.append(panels.Panel(title, _below(group), partial(_panel, lines=lines), height=0.9 + LINE * len(lines)))
    entries: list[panels.Entry] = [
        (panels.line(**WHAT, linewidth=1.3), "what: the kind that the gap is of, with 95 % interval"),
        (panels.line(**BESIDE, linewidth=1.3), "what: other kinds"),
        (panels.line(**WHERE, linewidth=1.3), "where: the relation"),
        (panels.line(**panels.CHANCE), "guessing: chance, or the gray picture where that is higher"),
    ]
    with style.style():
        return panels.draw(shown, entries, columns)


def _below(group: Sequence[Row]) -> str:
    main = next((row for row in group if row["headline"] and row["axis"] == "all"), group[0])
    return (
        f"gap {main['gap']:z.2f} [{main['low']:z.2f}, {main['high']:z.2f}], {style.counted(main['images'], 'picture')}"
    )


def _lines(group: Sequence[Row]) -> list[tuple[str, Row, str, Mapping[str, Any]]]:
    """Label, row, the columns' name and the look of each line: of all directions, then of where on each axis."""
    whole = sorted((row for row in group if row["axis"] == "all"), key=lambda row: not row["headline"])
    lines: list[tuple[str, Row, str, Mapping[str, Any]]] = [
        (row["kind"], row, "what", WHAT if row["headline"] else BESIDE) for row in whole
    ]
    if whole:
        lines.append(("relation", whole[0], "where", WHERE))
    by_axis = {row["axis"]: row for row in reversed(group) if row["axis"] != "all"}
    return [*lines, *((DIRECTIONS[axis], row, "where", WHERE) for axis, row in reversed(by_axis.items()))]


def _panel(axis: Axes, lines: Sequence[tuple[str, Row, str, Mapping[str, Any]]]) -> None:
    axis.axvline(0, **panels.CHANCE, zorder=1)
    for place, (_, row, name, look) in enumerate(lines):
        axis.axhline(place, color=style.FAINT, linewidth=0.6, zorder=0)
        ends = [max(row[f"{name}_low"], LOWEST), max(row[f"{name}_high"], LOWEST)]
        axis.plot(ends, [place, place], color=look["color"], linewidth=1.3, zorder=3, clip_on=False)
        value = max(row[f"{name}_corrected"], LOWEST)
        axis.plot([value], [place], **look, linestyle="none", zorder=4, clip_on=False)
    axis.set(xlim=(LOWEST, 1.02), ylim=(len(lines) - 0.4, -0.6), xlabel="accuracy corrected for guessing")
    axis.set_xticks([-1, -0.5, 0, 0.5, 1], labels=["-1", "-0.5", "0", "0.5", "1"])
    axis.set_yticks(range(len(lines)), labels=[label for label, *_ in lines])
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
