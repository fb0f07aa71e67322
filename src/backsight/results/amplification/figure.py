"""What amplification corrects and what it breaks, one panel a suite.

Each line is a kind of directions: filled is the share of failures corrected, hollow the share of correct answers
broken. A repair is worth its name where filled stands to the right of hollow and of the random directions'. Equation 3
is drawn only where amplification was not run as its authors run it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from backsight.results.drawing import panels, style
from backsight.results.pages.wording import omitted
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
FORM_WORDS = {"projected": "as run", "printed": "equation 3"}
KIND_WORDS = {"probe": "probes", "random": "random", "oracle": "probes in hindsight"}
CORRECTED: dict[str, Any] = {"color": style.BLUE, "marker": "o", "markersize": 5}
BROKEN: dict[str, Any] = {
    "color": style.ORANGE, "marker": "s", "markersize": 4.6, "markerfacecolor": "white", "markeredgewidth": 1.1,
}  # fmt: skip
APART = 0.15


def draw(table: Table, *, columns: int | None = None, titles: Mapping[str, str] | None = None) -> Figure:
    """Corrected and broken shares by kind of directions, one panel a suite.

    `columns` is the number of panels across; 1 is for a phone. `titles` gives suites the names to print.
    """
    rows = [row for row in table.rows() if row["directions"] != "none"]
    rows = [row for row in rows if row["form"] == "projected"] or rows
    shown = []
    for (suite,), group in panels.grouped(rows, table.schema.name, "suite").items():
        below = f"{group[0]['failures']} of {style.counted(group[0]['questions'], 'question')} incorrect without it"
        empty = omitted(group[0]["failures"], "failure") if all(row["omitted"] for row in group) else ""
        shown.append(
            panels.Panel(style.suite_title(suite, titles), below, partial(_panel, group=group), empty, height=1.9)
        )
    entries: list[panels.Entry] = [
        (panels.line(**CORRECTED, linewidth=1.3), "failures corrected, with 95 % interval"),
        (panels.line(**BROKEN, linewidth=1.3), "correct answers broken (hollow), with 95 % interval"),
    ]
    with style.style():
        return panels.draw(shown, entries, columns)


def _panel(axis: Axes, group: Sequence[Row]) -> None:
    for place, row in enumerate(group):
        axis.axhline(place, color=style.FAINT, linewidth=0.6, zorder=0)
        for name, look, y in (("corrected", CORRECTED, place - APART), ("broken", BROKEN, place + APART)):
            if row[name] is None:
                panels.note(axis, 0.0, y, "omitted")
                continue
            ends = [row[f"{name}_low"], row[f"{name}_high"]]
            axis.plot(ends, [y, y], color=look["color"], linewidth=1.3, zorder=3, clip_on=False)
            axis.plot([row[name]], [y], **look, linestyle="none", zorder=4, clip_on=False)
    words = [f"{KIND_WORDS[r['directions']]}\n(alpha {r['alpha']:g})" for r in group]
    axis.set(xlim=(-0.02, 1.02), ylim=(len(group) - 0.4, -0.6), xlabel="share")
    axis.set_yticks(range(len(group)), labels=words)
    axis.set_xticks(panels.SHARES, labels=panels.SHARE_LABELS)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
