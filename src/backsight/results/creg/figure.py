"""How far each method's evidence points from the subject, one panel a suite and prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from backsight.errors import DataError, UsageError
from backsight.maths.relevance import DEFAULT
from backsight.results.creg.reading import samples_of
from backsight.results.drawing import panels, style
from backsight.results.relevance import drawing
from backsight.results.relevance.drawing import Columns, Line, Mark
from backsight.results.relevance.words import by_prompt
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CHANCE = 90.0  # degrees, of a random sector


def draw(
    table: Table,
    *,
    projection: str = DEFAULT,
    columns: int | None = None,
    titles: Mapping[str, str] | None = None,
) -> Figure:
    """DAE by method and target, one panel a suite and prompt, of one `projection`.

    Beside it stand the baseline and the best possible on the grid. `columns` is the number of panels across; 1 is for
    a phone. `titles` gives suites the names to print.
    """
    rows = table.rows()
    if not rows:
        raise DataError("The table has no rows to draw", where=table.schema.name)
    present = list(dict.fromkeys(row["projection"] for row in rows))
    if projection not in present:
        raise UsageError("There is no such projection", got=projection, do=f"choose from: {', '.join(present)}")
    groups = {
        key: samples_of(group)
        for key, group in by_prompt([r for r in rows if r["projection"] == projection and r["subset"] == "all"]).items()
    }
    where = Columns("dae", "dae_low", "dae_high", "dae_null", "dae_floor")
    shown = {key: drawing.lines_of(group, where) for key, group in groups.items()}
    marks = [mark for lines in shown.values() for line in lines for mark in line.marks]
    top = max([95.0, *(mark.value if mark.high is None else mark.high for mark in marks)])
    shown_panels = []
    for (suite, prompt), lines in shown.items():
        panel = partial(_panel, lines=lines, top=top)
        heading = style.suite_title(suite, titles)
        shown_panels.append(
            panels.Panel(heading, drawing.counts(groups[suite, prompt], prompt), panel, height=drawing.height(lines))
        )
    with style.style():
        return panels.draw(shown_panels, _entries(marks), columns)


def _panel(axis: Axes, lines: Sequence[Line], top: float) -> None:
    drawing.draw_lines(axis, lines, 2.0)
    axis.axvline(CHANCE, color=style.FAINT, linewidth=1.1, zorder=0)
    axis.set(xlim=(-2, min(180.0, top) + 2), xlabel="degrees off the object (DAE)")
    axis.set_xticks([tick for tick in (0, 45, 90, 135, 180) if tick <= top + 2])


def _entries(marks: Sequence[Mark]) -> list[panels.Entry]:
    return [
        *drawing.of_targets(marks),
        drawing.null_entry(),
        (panels.line(**drawing.FLOOR_LINE), "best possible: all relevance on the object"),
        (panels.line(color=style.FAINT, linewidth=1.5), "90 degrees: a random sector"),
    ]
