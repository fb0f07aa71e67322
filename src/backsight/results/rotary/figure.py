"""What mirrored coordinates do to answers, and turned keys to attention: two panels a suite.

The first has a row for each coordinate of the questions and each that is mirrored: filled is the share of answers that
become their mirror image, hollow that with a gray picture. The second has the total variation of the attention within
the image by layer, with image keys turned by a cell, and dashed with keys turned as far to no position.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from backsight.results.drawing import panels, style
from backsight.results.pages.wording import listed
from backsight.results.rotary.text import QUESTIONS, cells, first_step
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
MIRROR: dict[str, Any] = {"color": style.BLUE, "marker": "o", "markersize": 5}
STAYS: dict[str, Any] = {"color": style.GREEN, "marker": "s", "markersize": 4.6}
GRAY: dict[str, Any] = {
    "color": style.SOFT, "marker": "o", "markersize": 7, "markerfacecolor": "none", "markeredgewidth": 0.9,
}  # fmt: skip
TURNED = {"column": (style.PURPLE, "^"), "row": (style.ORANGE, "D")}  # along both is in the report's table
PAIRS = (("column", "column"), ("row", "row"), ("column", "row"), ("row", "column"))
APART = 0.16
PARTS = ("answers", "attention")


def draw(
    table: Table,
    *,
    columns: int | None = None,
    titles: Mapping[str, str] | None = None,
    parts: Sequence[str] = PARTS,
) -> Figure:
    """Answers under mirrored coordinates and attention under turned keys, a panel each of a suite.

    `columns` is the number of panels across; 1 is for a phone. `titles` gives suites the names to print. `parts` says
    which of both are drawn.
    """
    shown = []
    for (suite,), rows in panels.grouped(table.rows(), table.schema.name, "suite").items():
        title = style.suite_title(suite, titles)
        mirror = [r for r in rows if r["edit"] == "mirror" and r["along"] in QUESTIONS]
        if "answers" in parts:
            counts = listed(sorted({r["questions"] for r in mirror})) if mirror else "no"
            empty = "" if any(not r["omitted"] for r in mirror) else "omitted: too few correct answers to mirror"
            below = f"{counts} correct answers"
            shown.append(panels.Panel(title, below, partial(_answers, group=mirror), empty, 2.6, suite))
        if "attention" in parts:
            step = first_step(rows)
            turn = [r for r in rows if (r["edit"], r["quantity"], r["steps"]) == ("turn", "map_moved", step)]
            below = f"{style.counted(turn[0]['questions'], 'question')}, keys turned by {cells(step)}" if turn else ""
            empty = "" if any(not r["omitted"] for r in turn) else "omitted: too few questions"
            title = f"{title}: attention" if "answers" in parts else title
            shown.append(panels.Panel(title, below, partial(_attention, group=turn), empty, 2.6, suite))
    with style.style():
        entries = [entry for part in PARTS if part in parts for entry in _entries(part)]
        return panels.draw(shown, entries, columns or 2)


def _answers(axis: Axes, group: Sequence[Row]) -> None:
    by_about = {(r["along"], r["given"], r["quantity"]): r for r in group}
    for place, (along, given) in enumerate(PAIRS):
        axis.axhline(place, color=style.FAINT, linewidth=0.6, zorder=0)
        stays, mirrored = (by_about.get((along, given, name)) for name in ("stays", "mirrored"))
        if stays is None:
            panels.note(axis, 0.0, place, "not asked")
        elif stays["omitted"]:
            panels.note(axis, 0.0, place, f"omitted (n={stays['questions']})")
        else:
            _mark(axis, place + APART, stays, STAYS)
            if mirrored is not None:
                _mark(axis, place - APART, mirrored, MIRROR)
    words = [f"{QUESTIONS[along]},\n{given}s mirrored" for along, given in PAIRS]
    axis.set(xlim=(-0.02, 1.02), ylim=(len(PAIRS) - 0.4, -0.6), xlabel="share of answers")
    axis.set_yticks(range(len(PAIRS)), labels=words)
    axis.set_xticks(panels.SHARES, labels=panels.SHARE_LABELS)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def _mark(axis: Axes, y: float, row: Row, look: Mapping[str, Any]) -> None:
    axis.plot([row["low"], row["high"]], [y, y], color=look["color"], linewidth=1.3, zorder=3, clip_on=False)
    axis.plot([row["value"]], [y], **look, linestyle="none", zorder=4, clip_on=False)
    if row["quantity"] == "mirrored" and row["null"] is not None:
        axis.plot([row["null"]], [y], **GRAY, linestyle="none", zorder=3, clip_on=False)


def _attention(axis: Axes, group: Sequence[Row]) -> None:
    from matplotlib.ticker import MaxNLocator

    most = 0.0
    for given, (color, marker) in TURNED.items():
        line = sorted((r for r in group if r["given"] == given and not r["omitted"]), key=lambda r: int(r["layer"]))
        if not line:
            continue
        layers = [r["layer"] for r in line]
        panels.curve(axis, layers, line, "value", panels.look(color, marker))
        axis.plot(layers, [r["null"] for r in line], color=color, linewidth=0.9, linestyle=(0, (4, 2)), zorder=2)
        most = max([most, *(r["high"] for r in line), *(r["null"] for r in line)])
    axis.set(ylim=(0, 1.08 * most if most > 0 else 1), xlabel="layer", ylabel="attention moved, 0 to 1")
    axis.grid(axis="y", color=style.FAINT, linewidth=0.6)
    axis.set_axisbelow(True)
    axis.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, steps=[1, 2, 4, 5, 10]))


def _entries(part: str) -> list[panels.Entry]:
    if part == "answers":
        return [
            (panels.line(**MIRROR, linewidth=1.3), "answer becomes its mirror image"),
            (panels.line(**STAYS, linewidth=1.3), "answer stays"),
            (panels.line(**GRAY, linestyle="none"), "mirror image, gray picture (hollow)"),
        ]
    looks = {given: panels.look(color, marker) for given, (color, marker) in TURNED.items()}
    dashed = panels.line(color=style.SOFT, linewidth=0.9, linestyle=(0, (4, 2)))
    turned: list[panels.Entry] = [(look, f"image keys turned along {given}s") for given, look in looks.items()]
    return [*turned, (dashed, "turned as far, to no position (dashed)")]
