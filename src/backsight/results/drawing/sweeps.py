"""Probabilities of outcomes against the layer: what the figures of all interchange interventions share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from backsight.errors import DataError, UsageError
from backsight.results.drawing import panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = dict[str, Any]
EACH = "each"
TOKEN_WORDS = {"objects": "object tokens", "strips": "strips"}
WHOLE = ("all", "horizontal", "vertical")  # groups of several directions


def chosen(rows: Sequence[Row], direction: str, schema: str) -> list[str]:
    """The directions to draw: one, all together, or each by itself. DataError without rows, UsageError if unknown."""
    if not rows:
        raise DataError("The table has no rows to draw", where=schema)
    present = list(dict.fromkeys(row["direction"] for row in rows))
    if direction not in (*present, EACH):
        known = ", ".join([*present, EACH])
        raise UsageError("There is no such direction", got=direction, do=f"choose from: {known}")
    single = [d for d in present if d not in WHOLE] or present
    return single if direction == EACH else [direction]


def last_layer(rows: Sequence[Row]) -> int:
    """The last layer of any row, so that all panels have one axis."""
    return max((row["layer"] for row in rows if row["layer"] is not None), default=1)


def counts(group: Sequence[Row]) -> tuple[str, str]:
    """What stands below a panel's title, and what it says where it is omitted."""
    kept = style.counted(group[0]["pairs"], "pair")
    omitted = any(row["omitted"] for row in group)
    return f"{kept} kept, {group[0]['dropped']} dropped", f"omitted: {kept}" if omitted else ""


def panel(axis: Axes, group: Sequence[Row], looks: Mapping[str, tuple[str, str]], spans: str, last: int) -> None:
    """The probability of each outcome by layer; `looks` has each one's colour and marker, `spans` are shaded."""
    from matplotlib.ticker import MaxNLocator

    for first, final in numbers(spans):
        axis.axvspan(first - 0.5, final + 0.5, color=style.SHADE, linewidth=0, zorder=0)
    for outcome, (color, marker) in looks.items():
        line = sorted((r for r in group if r["outcome"] == outcome), key=lambda row: int(row["layer"]))
        layers = [row["layer"] for row in line]
        panels.curve(axis, layers, line, "probability", panels.look(color, marker))
    panels.shares(axis, "probability")
    axis.set(xlim=(-0.5, last + 0.5), xlabel="layer")
    axis.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, steps=[1, 2, 4, 5, 10]))


def entries(looks: Mapping[str, tuple[str, str]], words: Mapping[str, str], shaded: str) -> list[panels.Entry]:
    """The legend: a line an outcome, and what the shade means where something is shaded."""
    lines: list[panels.Entry] = [(panels.look(*looks[outcome]), words[outcome]) for outcome in looks]
    return [*lines, (panels.patch(color=style.SHADE, linewidth=0), shaded)] if shaded else lines


def numbers(spans: str) -> list[tuple[int, int]]:
    """The ends of spans such as "3-5, 7"."""
    ends = [[int(end) for end in span.split("-")] for span in spans.split(", ") if span]
    return [(end[0], end[-1]) for end in ends]
