"""Studies beside a baseline, one row a study and metric: the table of `compare` and its figure.

The rows are no measurement's: `studies.compare` makes them of finished studies. A mark is a mean difference over shared
samples, its line the 95 % interval: filled where the metric is called better or worse, hollow where it is not. Within a
panel the metrics that went down furthest stand first.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from backsight.errors import DataError
from backsight.results.base import Result
from backsight.results.behaviour.figure import PROMPT_STYLES
from backsight.results.compared import judged_rows, keys_words, wrapped
from backsight.results.drawing import panels, style
from backsight.tables import Schema, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROWS = Schema(
    "compare",
    {
        "study": "str",  # the one that is compared with the baseline
        "metric": "str",  # family/set/..., as accuracy/squares/left/options
        "family": "str",
        "title": "str",  # what the family is called
        "set": "str",
        "better": "str",  # more, or less
        "drawn": "bool",  # one of the few of a set that a figure plots
        "how": "str",  # paired, unpaired, omitted, or which of the two alone has it: baseline, study
        "samples_baseline": "int",
        "samples": "int",
        "shared": "int",
        "images": "int",  # of the shared samples
        "layer_baseline": "int",  # where the metric is that of the layer with the highest mean
        "layer": "int",
        "baseline": "float",  # the mean, over the shared samples where paired, else over its own
        "baseline_low": "float",  # missing where paired
        "baseline_high": "float",
        "value": "float",  # the same of the study
        "value_low": "float",
        "value_high": "float",
        "difference": "float",  # value - baseline
        "low": "float",  # missing where unpaired
        "high": "float",
        "interval": "str",  # of the difference: bootstrap over images; none where all images differ alike
        "p_value": "float",  # paired randomisation test over images
        "p_holm": "float",  # by Holm's correction over the judged metrics of the study; missing for others
        "moved": "str",  # better, worse, or no: the interval lies wholly on one side of zero and p is below .05, or not
    },
    "Each study beside the baseline, one row a study and metric",
)

Row = dict[str, Any]
LABEL = 34  # characters of a line of a metric's label
LINE = 0.21  # inches, of a metric with one study
SMALLEST_SPAN = 0.05  # of an axis to either side of zero
ZERO: dict[str, Any] = {"color": style.SOFT, "linewidth": 0.8}


def draw(table: Table, *, columns: int | None = None) -> Figure:
    """Paired differences of the metrics that a figure plots, marked as `drawn`.

    `columns` is the number of panels across; 1 is for a phone. DataError where no such metric was compared paired.
    """
    rows = judged_rows(table.rows())
    if not rows:
        raise DataError("The table has no paired differences to draw", where=table.schema.name)
    studies = list(dict.fromkeys(row["study"] for row in rows))
    families: dict[str, list[Row]] = {}
    for row in rows:
        families.setdefault(row["family"], []).append(row)
    shown_panels = []
    for family, group in families.items():
        metrics = sorted_metrics(group)
        below = f"{style.counted(len(metrics), 'metric')}, {group[0]['better']} is better"
        words = {row["metric"]: keys_words(row) for row in group}
        labels = wrapped((words[metric] for metric in metrics), LABEL)
        panel = partial(_panel, group=group, metrics=metrics, studies=studies, labels=labels)
        lines = [max(1 + 0.45 * (len(studies) - 1), 1 + 0.7 * label.count("\n")) for label in labels]
        height = 0.75 + LINE * max(lines) * len(lines)
        shown_panels.append(panels.Panel(group[0].get("title") or family, below, panel, height=height))
    with style.style():
        return panels.draw(shown_panels, _entries(studies), 1 if columns == 1 else 2)


def sorted_metrics(rows: Sequence[Row]) -> list[str]:
    """The metrics' names by their lowest difference in any study, the lowest first."""
    lowest: dict[str, float] = {}
    for row in rows:
        lowest[row["metric"]] = min(row["difference"], lowest.get(row["metric"], row["difference"]))
    return sorted(lowest, key=lambda metric: (lowest[metric], metric))


def _panel(
    axis: Axes, group: Sequence[Row], metrics: Sequence[str], studies: Sequence[str], labels: Sequence[str]
) -> None:
    places = {metric: place for place, metric in enumerate(metrics)}
    step = min(0.24, 0.7 / len(studies))
    for place in places.values():
        axis.axhline(place, color=style.FAINT, linewidth=0.6, zorder=0)
    for row in group:
        number = studies.index(row["study"])
        look = _look(number, filled=row["moved"] != "no")
        y = places[row["metric"]] + (number - (len(studies) - 1) / 2) * step
        axis.plot([row["low"], row["high"]], [y, y], color=look["color"], linewidth=1.3, zorder=3, clip_on=False)
        axis.plot([row["difference"]], [y], **look, linestyle="none", zorder=4, clip_on=False)
    axis.axvline(0.0, **ZERO, zorder=1)
    low = min(-SMALLEST_SPAN, *(row["low"] for row in group))
    high = max(SMALLEST_SPAN, *(row["high"] for row in group))
    space = 0.04 * (high - low)
    axis.set(xlim=(low - space, high + space), ylim=(len(metrics) - 0.4, -0.6), xlabel="difference from the baseline")
    axis.set_yticks(range(len(metrics)), labels=labels, multialignment="right")
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def _look(number: int, *, filled: bool) -> dict[str, Any]:
    color, marker = PROMPT_STYLES[number % len(PROMPT_STYLES)]
    face = color if filled else "white"
    return {"color": color, "marker": marker, "markersize": 4.6, "markerfacecolor": face, "markeredgewidth": 1.1}


def _entries(studies: Sequence[str]) -> list[panels.Entry]:
    entries: list[panels.Entry] = [
        (panels.line(**_look(number, filled=True), linewidth=1.3), f"{name}, with 95 % interval")
        for number, name in enumerate(studies)
    ]
    hollow = panels.line(**(_look(0, filled=False) | {"color": style.SOFT}), linestyle="none")
    return [*entries, (hollow, "not shown to differ: the interval holds zero, or p is .05 or more (hollow)")]


RESULT = Result(ROWS, draw=draw)
