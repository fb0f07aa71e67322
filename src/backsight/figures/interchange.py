"""The probability of each outcome by layer, one panel a suite: figure 2 of Dual Mechanisms, for any model.

At layers where the line of the order stands above both others, with intervals apart, the last token carries
the place and not yet the answer; those layers are shaded.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from backsight.errors import DataError, UsageError
from backsight.figures import style
from backsight.maths.summaries import order_layers
from backsight.tables import Table

Row = dict[str, Any]
EACH = "each"
OUTCOME_WORDS = {
    "clean": "clean answer",
    "ordinal": "object at the counterfactual's place in the clean picture (order)",
    "counterfactual": "counterfactual answer",
}
OUTCOME_STYLES = {
    "clean": (style.BLUE, "o"),
    "ordinal": (style.ORANGE, "s"),
    "counterfactual": (style.INK, "^"),
}


def interchange_summary(
    table: Table,
    *,
    direction: str = "all",
    columns: int | None = None,
    titles: Mapping[str, str] | None = None,
) -> Figure:
    """Probability against layer, one panel a suite, of one `direction`, all together, or "each" by itself.

    `columns` is the number of panels across; 1 is for a phone. `titles` gives suites the names to print.
    """
    rows = table.rows()
    if not rows:
        raise DataError("The table has no rows to draw", where=table.schema.name)
    present = list(dict.fromkeys(row["direction"] for row in rows))
    if direction not in (*present, EACH):
        known = ", ".join([*present, EACH])
        raise UsageError("There is no such direction", got=direction, do=f"choose from: {known}")
    single = [d for d in present if d != "all"] or present
    shown = single if direction == EACH else [direction]
    if direction == EACH and columns is None:
        columns = max(2, len(single))
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["direction"] in shown:
            groups.setdefault((row["suite"], row["direction"]), []).append(row)
    layers = [row["layer"] for row in rows if row["layer"] is not None]
    decided = {(row["suite"], row["direction"]): row["layers"] for row in order_layers(table).rows()}
    with style.style():
        figure, axes = style.panels([2.35] * len(groups), columns)
        for axis, ((suite, one), group) in zip(axes, groups.items(), strict=True):
            title = style.suite_title(suite, titles) + (f", {one}" if one != "all" else "")
            kept = style.counted(group[0]["pairs"], "pair")
            style.heading(axis, title, f"{kept} kept, {group[0]['dropped']} dropped")
            if any(row["omitted"] for row in group):
                _omitted(axis, f"omitted: {kept}")
            else:
                _panel(axis, group, _numbers(decided[suite, one]), max(layers, default=1))
        _label_left(axes)
        shaded = any(decided[key] for key in groups)
        _legend(figure, shaded=shaded, narrow=columns == 1 or len(axes) < 2)
    return figure


def _numbers(spans: str) -> list[tuple[int, int]]:
    """The ends of spans such as "3-5, 7"."""
    ends = [[int(end) for end in span.split("-")] for span in spans.split(", ") if span]
    return [(end[0], end[-1]) for end in ends]


def _omitted(axis: Axes, said: str) -> None:
    axis.text(0.5, 0.5, said, ha="center", va="center", transform=axis.transAxes)
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    axis.set_facecolor("#fafafa")


def _label_left(axes: Sequence[Axes]) -> None:
    """Leave the vertical labels to the first panel of a row, and to one that follows an omitted panel."""
    for before, axis in zip([None, *axes], axes, strict=False):
        place = axis.get_subplotspec()
        if place is not None and place.colspan.start > 0 and before is not None and before.lines:
            axis.tick_params(labelleft=False)
            axis.set_ylabel("")


def _panel(axis: Axes, group: Sequence[Row], decided: Sequence[tuple[int, int]], last: int) -> None:
    for first, final in decided:
        axis.axvspan(first - 0.5, final + 0.5, color=style.SHADE, linewidth=0, zorder=0)
    for outcome, (color, marker) in OUTCOME_STYLES.items():
        line = sorted((r for r in group if r["outcome"] == outcome), key=lambda row: int(row["layer"]))
        layers = [row["layer"] for row in line]
        low, high = [row["low"] for row in line], [row["high"] for row in line]
        axis.fill_between(layers, low, high, color=color, alpha=0.16, linewidth=0)
        axis.plot(
            layers,
            [row["probability"] for row in line],
            color=color,
            marker=marker,
            linewidth=1.3,
            markersize=4 if last < 16 else 2.8,
            clip_on=False,
            zorder=3,
        )
    axis.set(xlim=(-0.5, last + 0.5), ylim=(0, 1), xlabel="layer", ylabel="probability")
    axis.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, steps=[1, 2, 4, 5, 10]))
    axis.set_yticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "0.25", "0.5", "0.75", "1"])
    axis.grid(axis="y", color=style.FAINT, linewidth=0.6)
    axis.set_axisbelow(True)


def _legend(figure: Figure, *, shaded: bool, narrow: bool) -> None:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=color, marker=marker, markersize=4, linewidth=1.3)
        for color, marker in OUTCOME_STYLES.values()
    ]
    labels = [OUTCOME_WORDS[outcome] for outcome in OUTCOME_STYLES]
    if shaded:
        handles.append(Patch(color=style.SHADE, linewidth=0))
        labels.append("order above both others, intervals apart")
    if narrow:
        labels = [textwrap.fill(label, 44) for label in labels]
    across = 1 if narrow else 2
    figure.legend(handles, labels, loc="outside upper left", ncols=across, columnspacing=1.8)
