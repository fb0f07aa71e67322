"""What figures of several panels share: headings, panels that say why they are empty, a legend."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backsight.errors import DataError
from backsight.results.drawing import style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    from backsight.results.drawing.canvas import QuietFigure

Row = dict[str, Any]
Entry = tuple["Artist", str]  # of a legend: the mark and its words

HEIGHT = 2.35  # inches, of a panel with a curve
EMPTY = 1.0  # inches, of a panel that only says why it is empty
DENSE = 17  # places on a line; from here on markers are smaller
SHARES = [0, 0.25, 0.5, 0.75, 1]
SHARE_LABELS = ["0", "0.25", "0.5", "0.75", "1"]
CHANCE: dict[str, Any] = {"color": style.SOFT, "linewidth": 0.8, "linestyle": (0, (4, 3))}


@dataclass(frozen=True)
class Panel:
    """One panel: its heading, what draws it, and what it says in place of a drawing where there is nothing to draw."""

    title: str
    below: str
    draw: Callable[[Axes], None]
    empty: str = ""
    height: float = HEIGHT
    suite: str = ""  # the suite that it is of, by its name, where it is of one


def grouped(rows: Sequence[Row], schema: str, *names: str) -> dict[tuple[Any, ...], list[Row]]:
    """Rows by their values of some columns, in the order of the first of each; DataError where there are no rows."""
    if not rows:
        raise DataError("The table has no rows to draw", where=schema)
    of: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        of.setdefault(tuple(row[name] for name in names), []).append(row)
    return of


def with_prompt(title: str, key: tuple[str, str | None], keys: Iterable[tuple[str, str | None]]) -> str:
    """A suite's title with the prompt of a key (suite, prompt), where several of all keys are of that suite."""
    several = sum(other[0] == key[0] for other in keys) > 1
    return f"{title}, prompt {key[1]}" if several and key[1] else title


def draw(
    panels: Sequence[Panel],
    entries: Sequence[Entry],
    columns: int | None,
    *,
    across: int = 2,
    width: float | None = None,
    alike: bool = True,
) -> Figure:
    """The panels in a figure with a legend above; `columns` panels and up to `across` entries of the legend in a row.

    `width` in inches, where it is not to follow from the labels and the number of columns. Panels that are not `alike`
    have margins of their own, so that long labels of one take no room of another. Entries are made in the
    figure's style by the caller, who draws inside `style.style()`.
    """
    from backsight.results.drawing import canvas

    figure, axes = canvas.blank(len(panels), columns)
    for axis, panel in zip(axes, panels, strict=True):
        style.heading(axis, panel.title, panel.below)
        if panel.empty:
            _say(axis, panel.empty)
        else:
            panel.draw(axis)
    if not all(panel.empty for panel in panels):
        legend(figure, entries, 1 if columns == 1 or len(panels) < 2 else across)
    heights = [EMPTY if panel.empty else panel.height for panel in panels]
    words = [(one.title, one.below, one.suite) for one in panels]
    canvas.arrange(figure, axes, words, heights, columns, width, alike=alike)
    return figure


def legend(figure: QuietFigure, entries: Sequence[Entry], across: int) -> None:
    """A legend above the panels, up to `across` entries in a row; words are broken where they stand in one column."""
    handles = [handle for handle, _ in entries]
    labels = [_words(words, across) for _, words in entries]
    shown = figure.legend(
        handles, labels, loc="upper left", ncols=min(across, len(entries)), columnspacing=1.8, borderaxespad=0,
        borderpad=0,
    )  # fmt: skip
    for number, handle in enumerate(shown.legend_handles):
        if handle is not None:
            handle.set_gid(f"key-{number}")
    figure.keys = tuple(words for _, words in entries)


def _words(words: str, across: int) -> str:
    return textwrap.fill(words, 44) if across == 1 else words


def _say(axis: Axes, words: str) -> None:
    axis.text(0.5, 0.5, words, ha="center", va="center", transform=axis.transAxes)
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    axis.set_facecolor(style.QUIET)


def curve(axis: Axes, places: Sequence[float], rows: Sequence[Row], value: str, look: Line2D) -> None:
    """A line through `value` of the rows at `places`, with a band from low to high; as `look` in the legend.

    Markers are smaller on a long line, and not at each place of a very long one.
    """
    color = look.get_color()
    axis.fill_between(places, [r["low"] for r in rows], [r["high"] for r in rows], color=color, alpha=0.16, linewidth=0)
    axis.plot(
        places,
        [row[value] for row in rows],
        color=color,
        marker=look.get_marker(),
        linewidth=1.3,
        markersize=4 if len(places) < DENSE else 2.8,
        markevery=max(1, len(places) // 20),
        clip_on=False,
        zorder=3,
    )


def shares(axis: Axes, label: str) -> None:
    """A vertical axis from 0 to 1 with quiet lines."""
    axis.set(ylim=(0, 1), ylabel=label)
    axis.set_yticks(SHARES, labels=SHARE_LABELS)
    axis.grid(axis="y", color=style.FAINT, linewidth=0.6)
    axis.set_axisbelow(True)


def note(axis: Axes, x: float, y: float, text: str) -> None:
    """Small words at a place of a panel, in place of a mark."""
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
    axis.text(x, y, text, color=style.SOFT, fontsize=7, va="center", ha="left", bbox=box, zorder=5)


def look(color: str, marker: str) -> Line2D:
    """How a curve looks in the legend."""
    return line(color=color, marker=marker, markersize=4, linewidth=1.3)


def line(**looks: Any) -> Line2D:
    """A line or mark of the legend, in the style that holds."""
    from matplotlib.lines import Line2D

    return Line2D([], [], **looks)


def patch(**looks: Any) -> Patch:
    """An area of the legend, in the style that holds."""
    from matplotlib.patches import Patch

    return Patch(**looks)
