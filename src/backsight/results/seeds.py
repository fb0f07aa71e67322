"""A sweep's tables: every metric of every run, and what its seeds say of a recipe; and the figure of both.

The rows are no measurement's: `studies.sweep_compare` makes them of finished studies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from backsight.errors import DataError
from backsight.maths.intervals import holm
from backsight.maths.seeds import over_seeds
from backsight.results.base import Result
from backsight.results.compared import keys_words, wrapped
from backsight.results.drawing import panels, style
from backsight.tables import Schema, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
ALPHA = 0.05
COLORS = (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE, style.AMBER, style.SKY, style.GRAY)
MARKERS = "osD^v"
LABEL = 34  # characters of a line of a metric's label
LINE = 0.17  # inches, of a recipe's line
_METRIC = {
    "metric": "str",  # family/set/keys, as accuracy/squares/left/options
    "family": "str",
    "title": "str",  # what the family is called
    "set": "str",
    "keys": "str",
    "better": "str",  # more, or less
    "drawn": "bool",  # one of the few of a set that a figure plots; these are judged
}
RUNS = Schema(
    "sweep",
    {
        "recipe": "str",
        "seed": "int",
        **_METRIC,
        "layer": "int",  # where the metric is that of the layer with the highest mean
        "samples": "int",
        "images": "int",
        "value": "float",  # the mean over the run's own samples; missing where there are too few
    },
    "Every metric of every run of a sweep",
)
SUMMARY = Schema(
    "sweep_summary",
    {
        "recipe": "str",
        **_METRIC,
        "seeds": "int",
        "mean": "float",  # over seeds
        "low": "float",  # Student's interval; missing for fewer than three seeds, and where all are alike
        "high": "float",
        "baseline": "str",  # the recipe that it is compared with; missing where there is none
        "pairs": "int",  # seeds that both recipes have
        "difference": "float",  # mean over them of the value less the baseline's
        "difference_low": "float",
        "difference_high": "float",
        "p_value": "float",  # Student's paired test over seeds
        "p_holm": "float",  # by Holm's correction over the judged metrics of a family, of all recipes
        "moved": "str",  # better, worse or no: whether p_holm is below .05, and to which side; missing where not judged
    },
    "What the seeds of a sweep say of each recipe",
)


def summarised(runs: Table, baseline: str | None = None) -> Table:
    """The summary of a sweep's rows; `baseline` is the recipe that the others are compared with, seed by seed."""
    of: dict[tuple[str, str], dict[int, float]] = {}
    about: dict[str, Row] = {}
    for row in runs.rows():
        about.setdefault(row["metric"], {name: row[name] for name in _METRIC})
        if row["value"] is not None:
            of.setdefault((row["recipe"], row["metric"]), {})[row["seed"]] = row["value"]
    rows = [
        _row(recipe, about[metric], values, None if baseline in (None, recipe) else of.get((str(baseline), metric)))
        for (recipe, metric), values in of.items()
    ]
    for row in rows:
        row["baseline"] = None if baseline == row["recipe"] else baseline
    return Table.of(SUMMARY, _corrected(rows), {**runs.provenance, "baseline": baseline})


def _row(recipe: str, metric: Row, values: Mapping[int, float], other: Mapping[int, float] | None) -> Row:
    row: Row = dict.fromkeys(SUMMARY.columns) | metric | {"recipe": recipe, "pairs": 0}
    one = over_seeds(list(values.values()))
    row |= {"seeds": one.seeds, "mean": one.mean, "low": one.low, "high": one.high}
    shared = sorted(values.keys() & other.keys()) if other else []
    if other and shared:
        two = over_seeds([values[seed] - other[seed] for seed in shared])
        row |= {"pairs": two.seeds, "difference": two.mean, "difference_low": two.low, "difference_high": two.high}
        row |= {"p_value": two.p_value}
    return row


def _corrected(rows: Sequence[Row]) -> list[Row]:
    """The rows with Holm's p of those that are judged, family by family, and whether they moved."""
    families: dict[str, list[Row]] = {}
    for row in rows:
        if row["drawn"] and row["p_value"] is not None:
            families.setdefault(row["family"], []).append(row)
    for family in families.values():
        for row, p_holm in zip(family, holm([row["p_value"] for row in family]), strict=True):
            better = (row["difference"] > 0) == (row["better"] == "more")
            row |= {"p_holm": p_holm, "moved": "no" if p_holm >= ALPHA else "better" if better else "worse"}
    return list(rows)


def draw(table: Table, *, columns: int | None = None) -> Figure:
    """Each judged metric of a sweep by recipe: one dot a seed, the mean, and its interval over seeds.

    `columns` is the number of panels across; 1 is for a phone. DataError where no run has such a metric.
    """
    rows = [row for row in table.rows() if row["drawn"] and row["value"] is not None]
    if not rows:
        raise DataError("The table has no metric to draw", where=table.schema.name)
    recipes = list(dict.fromkeys(row["recipe"] for row in rows))
    families: dict[str, list[Row]] = {}
    for row in rows:
        families.setdefault(row["family"], []).append(row)
    shown = []
    for family, group in families.items():
        metrics = list(dict.fromkeys(row["metric"] for row in group))
        words = {row["metric"]: keys_words(row) for row in group}
        labels = wrapped((words[metric] for metric in metrics), LABEL)
        line = max(LINE * (len(recipes) + 1), *(0.17 * (1 + label.count("\n")) for label in labels))
        below = f"{style.counted(len(metrics), 'metric')}, {group[0]['better']} is better"
        panel = partial(_panel, group=group, metrics=metrics, recipes=recipes, labels=labels)
        shown.append(panels.Panel(group[0]["title"] or family, below, panel, height=0.75 + line * len(metrics)))
    with style.style():
        entries = [(panels.line(**_look(number), linewidth=1.3), recipe) for number, recipe in enumerate(recipes)]
        dot = panels.line(color=style.SOFT, marker=".", markersize=4, linestyle="none")
        entries.append((dot, "a seed; the large mark is the mean over seeds, the line its 95 % interval"))
        return panels.draw(shown, entries, 1 if columns == 1 else 2)


def _panel(
    axis: Axes, group: Sequence[Row], metrics: Sequence[str], recipes: Sequence[str], labels: Sequence[str]
) -> None:
    step = 0.7 / max(1, len(recipes))
    for place, metric in enumerate(metrics):
        axis.axhline(place + 0.5, color=style.FAINT, linewidth=0.6, zorder=0)
        for number, recipe in enumerate(recipes):
            values = [row["value"] for row in group if row["metric"] == metric and row["recipe"] == recipe]
            if not values:
                continue
            one, look = over_seeds(values), _look(number)
            y = place + (number - (len(recipes) - 1) / 2) * step
            axis.plot(values, [y] * len(values), ".", color=look["color"], markersize=3, alpha=0.6, clip_on=False)
            if one.low is not None and one.high is not None:
                axis.plot([one.low, one.high], [y, y], color=look["color"], linewidth=1.2, zorder=3)
            axis.plot([one.mean], [y], **look, linestyle="none", zorder=4, clip_on=False)
    values = [row["value"] for row in group]
    if min(values) >= 0 and max(values) <= 1:  # a t-interval of a share may reach beyond what a share can be
        axis.set_xlim(-0.02, 1.02)
    axis.set(ylim=(len(metrics) - 0.4, -0.6))
    axis.set_yticks(range(len(metrics)), labels=labels, multialignment="right")
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def _look(number: int) -> dict[str, Any]:
    """Color and marker of a recipe: seven colors, then the same with the next marker."""
    color, marker = COLORS[number % len(COLORS)], MARKERS[number // len(COLORS) % len(MARKERS)]
    return {"color": color, "marker": marker, "markersize": 4.6, "markeredgewidth": 1.1}


RESULT = Result(RUNS, draw=draw)
