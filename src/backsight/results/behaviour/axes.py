"""The axis verdict: by suite and axis, whether answers go by the picture, the question, or the picture turned round."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from backsight.errors import DataError
from backsight.maths.axes import AXES, FEWEST, LEFT, UNCHANGED, axis_verdict
from backsight.maths.grouping import expect, groups
from backsight.results.behaviour.named import with_ground
from backsight.results.drawing import panels, style
from backsight.results.pages.wording import percent
from backsight.tables import Schema, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
BEHAVIOUR_AXES = Schema(
    "behaviour_axes",
    {
        "suite": "str",
        "ground": "str",
        "axis": "str",  # horizontal, vertical, depth
        "verdict": "str",  # grounded, prior, inverted, cannot tell
        "reason": "str",
        "questions": "int",
        "images": "int",
        "score": "float",  # share of correct answers less that of opposite ones, both directions weighing alike
        "low": "float",
        "high": "float",
        "gray": "float",  # the same with a gray picture
        "gray_low": "float",
        "gray_high": "float",
        "changed": "float",  # share of questions whose answer is another with a gray picture
        "changed_low": "float",
        "changed_high": "float",
    },
    "What the answers about each axis go by, with 95 % intervals",
)
DIRECTIONS = {"horizontal": "left and right", "vertical": "above and below", "depth": "in front and behind"}
CAPTION = (
    "By axis, the share of correct answers less that of the opposite ones. Filled: with the picture, with its 95 % "
    "interval. Hollow: with a gray picture. 0 is an answer that does not go by what is asked for, -1 an axis that is "
    "answered the wrong way round."
)
METHOD = (
    "Axis verdict, after Decodable is not grounded (arXiv 2606.31257). An axis's score is the share of correct answers "
    "less that of the opposite ones, its two directions weighing alike: 0 for a constant answer. In this order: prior "
    f"where a gray picture changes fewer than {percent(UNCHANGED)} of the answers; grounded where the score is above 0 "
    f"and the gray picture keeps less than {percent(LEFT)} of it; inverted where the same holds of a score below 0; "
    "each where its whole interval lies there, else cannot tell. "
    f"{FEWEST} questions of each direction are needed.",
)
LIMITS = (
    "Grounded says that correct answers take the picture, not that the model knows positions: any cue of the picture "
    "that goes with the answer will do.",
)


def behaviour_axes(rows: Table) -> Table:
    """The verdict on each axis that is asked about, by suite and ground, from `behaviour` rows.

    Prompts count together, with images as units. Rule and source: `maths.axes.axis_verdict`.
    """
    expect(rows, "behaviour")
    verdicts: list[dict[str, Any]] = []
    for (suite, ground), group in groups(rows.frame, ["suite", "ground"]):
        for axis, directions in AXES.items():
            part = group[group["direction"].isin(directions)]
            if part.empty:
                continue
            one = axis_verdict(part)
            row: dict[str, Any] = {"suite": suite, "ground": ground, "axis": axis, "verdict": one.word}
            row |= {"reason": one.reason, "questions": one.questions, "images": one.images}
            named = (("score", one.score, ""), ("gray", one.gray, "gray_"), ("changed", one.changed, "changed_"))
            for name, bounds, start in named:
                row |= {name: bounds and bounds.value, f"{start}low": bounds and bounds.low}
                row |= {f"{start}high": bounds and bounds.high}
            verdicts.append(row)
    return Table.of(BEHAVIOUR_AXES, verdicts, rows.provenance)


def draw(table: Table, *, columns: int | None = None, titles: Mapping[str, str] | None = None) -> Figure:
    """Scores by axis with their verdicts, one panel a suite (and ground); DataError where no axis has a score."""
    rows = worst_first([row for row in table.rows() if row["score"] is not None])
    if not rows:
        raise DataError("The table has no verdict with a score", where=table.schema.name)
    suites: dict[tuple[str, str | None], list[Row]] = {}
    for row in rows:
        suites.setdefault((row["suite"], row["ground"]), []).append(row)
    shown = []
    for (suite, ground), group in suites.items():
        title = with_ground(style.suite_title(suite, titles), (suite, ground), suites)
        below = f"{style.counted(sum(row['questions'] for row in group), 'question')}"
        shown.append(panels.Panel(title, below, partial(_panel, group=group), height=0.95 + 0.36 * len(group)))
    entries: list[panels.Entry] = [
        (panels.line(color=COLORS[word], marker="o", markersize=4.6, linewidth=1.3), f"{word}: {MEANS[word]}")
        for word in COLORS
        if any(row["verdict"] == word for row in rows)
    ]
    entries += [
        (panels.line(color=style.INK, marker="o", **HOLLOW), "gray picture (hollow)"),
        (panels.line(**panels.CHANCE), "an answer that does not go by the direction"),
    ]
    with style.style():
        return panels.draw(shown, entries, columns, across=3)


def worst_first(rows: Sequence[Row]) -> list[Row]:
    """Verdicts with those of the suite (and ground) first that has the lowest score; suites without a score last."""
    lowest: dict[tuple[str, str | None], float] = {}
    for row in rows:
        one = (row["suite"], row["ground"])
        lowest[one] = min(lowest.get(one, math.inf), math.inf if row["score"] is None else row["score"])
    return sorted(rows, key=lambda row: lowest[row["suite"], row["ground"]])


HOLLOW: dict[str, Any] = {"markerfacecolor": "none", "markersize": 7, "markeredgewidth": 0.9, "linestyle": "none"}
COLORS = {"inverted": style.ORANGE, "prior": style.AMBER, "cannot tell": style.SOFT, "grounded": style.BLUE}
MEANS = {
    "inverted": "the wrong way round, by the picture",
    "prior": "without the picture",
    "cannot tell": "the interval leaves it open",
    "grounded": "by the picture",
}


def _panel(axis: Axes, group: Sequence[Row]) -> None:
    axis.axvline(0, **panels.CHANCE, zorder=1)
    for place, row in enumerate(group):
        axis.axhline(place, color=style.FAINT, linewidth=0.6, zorder=0)
        color = COLORS[row["verdict"]]
        axis.plot([row["low"], row["high"]], [place, place], color=color, linewidth=1.3, zorder=3, clip_on=False)
        axis.plot([row["score"]], [place], "o", color=color, markersize=4.6, zorder=4, clip_on=False)
        axis.plot([row["gray"]], [place], "o", color=color, **HOLLOW, zorder=3, clip_on=False)
        left = row["score"] > 0
        axis.text(
            -1.0 if left else 1.0, place - 0.3, row["verdict"], color=color, fontsize=7.5, va="center",
            ha="left" if left else "right",
        )  # fmt: skip
    axis.set(xlim=(-1.04, 1.04), ylim=(len(group) - 0.4, -0.7), xlabel="correct less opposite answers")
    axis.set_xticks([-1, -0.5, 0, 0.5, 1], labels=["-1", "-0.5", "0", "0.5", "1"])
    axis.set_yticks(range(len(group)), labels=[DIRECTIONS[row["axis"]] for row in group])
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
