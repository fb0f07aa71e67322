"""The tournament: what each repair gains, beside its controls, one panel a set, and one of the absent relation.

A line is a repair. The filled mark is its gain of accuracy with its interval, the hollow ones what its controls gain;
the small diamond is its gain by the free read-out. It is worth having where the filled mark lies to the right of zero
and of all hollow ones; its name is then printed bold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from backsight.errors import DataError
from backsight.results.drawing import panels, style
from backsight.results.tournament import schema as of
from backsight.results.tournament.text import plain, repairs
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
REPAIR: dict[str, Any] = {"color": style.BLUE, "marker": "o", "markersize": 6}
BOUND: dict[str, Any] = {"color": style.AMBER, "marker": "o", "markersize": 6}
OTHER: dict[str, Any] = {
    "color": style.ORANGE, "marker": "s", "markersize": 5, "markerfacecolor": "white", "markeredgewidth": 1.1,
}  # fmt: skip
FREE: dict[str, Any] = {"color": style.SOFT, "marker": "d", "markersize": 4}
APART = 0.24


def draw(table: Table, *, columns: int | None = None, titles: Mapping[str, str] | None = None) -> Figure:
    """Gains of accuracy by repair, one panel a set and part; `columns` is the number of panels across.

    `titles` gives sets the names to print. DataError where no repair was tried.
    """
    rows = of.read(table.rows())
    groups = {
        (suite, part): [row for row in rows if row["suite"] == suite]
        for suite in dict.fromkeys(row["suite"] for row in rows)
        for part in (of.SCORE, of.ABSENT)
    }
    shown = [_shown(part, group, titles) for (_, part), group in groups.items() if repairs(group, part)]
    if not shown:
        raise DataError("The table has no repair to draw", where=table.schema.name)
    entries: list[panels.Entry] = [
        (panels.line(**REPAIR, linewidth=1.5), "the repair, with 95 % interval"),
        (panels.line(**OTHER, linestyle="none"), "its controls"),
        (panels.line(**FREE, linestyle="none"), "the repair, answers read freely"),
    ]
    if any(row["upper_bound"] and row["part"] == of.SCORE and row["control"] is None for row in rows):
        entries.append((panels.line(**BOUND, linewidth=1.5), "an upper bound: told where things are"))
    with style.style():
        return panels.draw(shown, entries, columns)


def _shown(part: str, group: Sequence[Row], titles: Mapping[str, str] | None) -> panels.Panel:
    before, tried = plain(group, part), repairs(group, part)
    title = style.suite_title(before["suite"], titles)
    if part == of.ABSENT:
        known = "not trained on" if before["trained"] == "no" else "perhaps not trained on"
        title = f"A relation {known}: which of two is nearer"
    below = f"accuracy {before['accuracy']:.2f} without a repair ({style.counted(before['questions'], 'question')}"
    below += f", {style.counted(before['failures'], 'failure')})"
    ready = partial(_panel, group=[row for row in group if row["part"] == part], tried=tried)
    return panels.Panel(title, below, ready, height=0.9 + 0.42 * len(tried))


def _panel(axis: Axes, group: Sequence[Row], tried: Sequence[Row]) -> None:
    start = next(row["accuracy"] for row in group if row["repair"] == of.NONE)
    axis.axvline(0, **panels.CHANCE, zorder=1)
    reach = [0.1]
    for place, row in enumerate(tried):
        axis.axhline(place, color=style.FAINT, linewidth=0.6, zorder=0)
        look = BOUND if row["upper_bound"] else REPAIR
        axis.plot([row["gain_low"], row["gain_high"]], [place, place], color=look["color"], linewidth=1.5, zorder=3)
        axis.plot([row["gain"]], [place], **look, linestyle="none", zorder=4)
        others = [r["accuracy"] - start for r in group if r["repair"] == row["repair"] and r["control"]]
        axis.plot(others, [place + APART] * len(others), **OTHER, linestyle="none", zorder=3)
        reach += [abs(one) for one in (row["gain_low"], row["gain_high"], *others)]
        if row["free_gain"] is not None:
            axis.plot([row["free_gain"]], [place - APART], **FREE, linestyle="none", zorder=3)
            reach.append(abs(row["free_gain"]))
    limit = 1.08 * max(reach)
    axis.set(xlim=(-limit, limit), ylim=(len(tried) - 0.45, -0.55), xlabel="gain of accuracy")
    axis.set_yticks(range(len(tried)), labels=[_label(row) for row in tried])
    for label, row in zip(axis.get_yticklabels(), tried, strict=True):
        wins = row["verdict"] == of.WINS
        label.set(fontweight="bold" if wins else "normal", color=style.INK if wins else style.SOFT)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def _label(row: Row) -> str:
    words = (of.judged if row["part"] == of.SCORE else of.of_absent)(row["verdict"])
    return f"{of.called(row['repair'])}\n({words})"
