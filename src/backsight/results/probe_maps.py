"""What the probe at the image embeddings says of each token: figures 4 and 19 to 32 of Dual Mechanisms.

A token has the colour of the position that it is given most often, the paler the fewer test pictures agree. The tokens
of the objects are outlined and carry the number of their position: 1 is the first, at the left or at the top.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backsight.errors import DataError
from backsight.maths.grouping import SMALLEST
from backsight.results.base import Result
from backsight.results.drawing import panels, style
from backsight.tables import Schema, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
PROBE_MAPS = Schema(
    "probe_maps",
    {
        "suite": "str",
        "arrangement": "str",
        "row": "int",
        "column": "int",
        "place": "int",
        "share": "float",  # of the test pictures in which the token is given the position
        "pictures": "int",
        "object": "int",  # the position of the object on that token, where there is one
    },
    "What the probe at the image embeddings says of each token",
)
# Positions by number; neighbours in a row or a grid differ in lightness too, for gray print and colour blindness.
COLORS = ("#0072b2", "#e69f00", "#117733", "#cc79a7", "#332288", "#56b4e9", "#d55e00", "#999933", "#882255")
LEGEND = 7.5  # inches; a narrower figure has its legend in two columns
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # of red, green and blue
BRIGHT = 0.5  # luminance above which dark words are read more easily
STEPS = (1.0, 0.7, 0.4)  # of the strength, shown in the legend


def draw(table: Table, *, columns: int | None = None, titles: Mapping[str, str] | None = None) -> Figure:
    """One map a suite and arrangement, four in a row, or two where `columns` is 1, for a phone.

    A map of fewer than `SMALLEST` test pictures is omitted. `titles` gives suites the names to print. DataError where
    there are no rows.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in table.rows():
        groups.setdefault((row["suite"], row["arrangement"]), []).append(row)
    if not groups:
        raise DataError("The table has no rows to draw", where=table.schema.name)
    narrow = columns == 1
    across = min(2 if narrow else columns or 4, len(groups))
    width = style.NARROW if narrow else max(5.6, 2.2 * across)
    shown_panels = []
    for (suite, arrangement), group in groups.items():
        rows, places = (1 + max(r[key] for r in group) for key in ("row", "column"))
        pictures = style.counted(group[0]["pictures"], "picture")
        below = f"{arrangement}, {pictures}" if arrangement != "grid" else pictures
        height = 0.55 + (width / across - 0.3) * rows / places
        title = style.suite_title(suite, titles)
        empty = f"omitted: {pictures}" if group[0]["pictures"] < SMALLEST else ""
        shown_panels.append(panels.Panel(title, below, partial(_panel, group=group), empty, height))
    with style.style():
        most = max(row["place"] for row in table.rows())
        return panels.draw(shown_panels, _entries(most), across, across=4 if width > LEGEND else 2, width=width)


def strongest(group: Sequence[Row]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The position that each token (row, column) is given most often, and the share of pictures in which it is."""
    size = tuple(1 + max(row[key] for row in group) for key in ("row", "column", "place"))
    share = np.zeros(size)
    for row in group:
        share[row["row"], row["column"], row["place"]] = row["share"]
    return share.argmax(-1), share.max(-1)


def _panel(axis: Axes, group: Sequence[Row]) -> None:
    from matplotlib.colors import to_rgb

    place, share = strongest(group)
    colors = np.array([to_rgb(color) for color in COLORS])
    shade = 1 - share[..., None] * (1 - colors[place % len(colors)])
    axis.imshow(shade, interpolation="none", aspect="equal")
    for number in sorted({row["object"] for row in group if row["object"] is not None}):
        cells = [(row["row"], row["column"]) for row in group if row["object"] == number]
        _outline(axis, cells, str(number + 1), shade)
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(True)
    axis.spines[:].set_color(style.FAINT)


def _outline(axis: Axes, cells: Sequence[tuple[int, int]], label: str, shade: NDArray[np.float64]) -> None:
    """An object's tokens: a line around them, and the number of the position, dark on light and light on dark."""
    from matplotlib.patches import Rectangle

    (top, left), (bottom, right) = np.min(cells, axis=0), np.max(cells, axis=0)
    light = float(np.mean([shade[cell] @ LUMINANCE for cell in cells])) > BRIGHT
    box: Any = {"facecolor": "none", "edgecolor": style.INK, "linewidth": 1.3}
    axis.add_patch(Rectangle((left - 0.5, top - 0.5), right - left + 1, bottom - top + 1, **box))
    middle = ((left + right) / 2, (top + bottom) / 2)
    axis.text(
        *middle,
        label,
        ha="center",
        va="center_baseline",
        color=style.INK if light else "white",
        fontsize=8.5,
        fontweight="bold",
    )


def _entries(most: int) -> list[panels.Entry]:
    """The key: the colour of each position up to `most`, counted from 0, how pale it is, and the outline."""
    from matplotlib.colors import to_rgb

    entries: list[panels.Entry] = [
        (panels.patch(facecolor=COLORS[place % len(COLORS)], linewidth=0), f"given position {place + 1}")
        for place in range(most + 1)
    ]
    for step in STEPS:
        red, green, blue = (1 - step * (1 - channel) for channel in to_rgb(COLORS[0]))
        words = "1 in all pictures" if step == 1 else f"1 in {100 * step:.0f} % of them"
        entries.append((panels.patch(facecolor=(red, green, blue), linewidth=0), words))
    outline = panels.patch(facecolor="white", edgecolor=style.INK, linewidth=1.3)
    return [*entries, (outline, "tokens of an object, with its position")]


RESULT = Result(PROBE_MAPS, draw=draw)
