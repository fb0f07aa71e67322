"""The probability of each outcome by layer, one panel a suite: figure 2 of Dual Mechanisms, for any model.

At layers where the line of the order stands above both others, with intervals apart, the last token carries
the place and not yet the answer; those layers are shaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from matplotlib.figure import Figure

from backsight.maths.summaries import order_layers
from backsight.results.drawing import panels, style, sweeps
from backsight.tables import Table

Row = dict[str, Any]
OUTCOME_WORDS = {
    "clean": "clean answer",
    "ordinal": "object at the counterfactual's place in the clean picture (order)",
    "counterfactual": "counterfactual answer",
}
LOOKS = {
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
    shown = sweeps.chosen(rows, direction, table.schema.name)
    if direction == sweeps.EACH and columns is None:
        columns = max(2, len(shown))
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["direction"] in shown:
            groups.setdefault((row["suite"], row["direction"]), []).append(row)
    last = sweeps.last_layer(rows)
    decided = {(row["suite"], row["direction"]): row["layers"] for row in order_layers(table).rows()}
    found = []
    for (suite, one), group in groups.items():
        title = style.suite_title(suite, titles) + (f", {one}" if one != "all" else "")
        spans = decided[suite, one]
        draw = partial(sweeps.panel, group=group, looks=LOOKS, spans=spans, last=last)
        below, empty = sweeps.counts(group)
        found.append(panels.Panel(title, below, draw, empty))
    shaded = "order above both others, intervals apart" if any(decided[key] for key in groups) else ""
    with style.style():
        return panels.draw(found, sweeps.entries(LOOKS, OUTCOME_WORDS, shaded), columns)
