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
    "By axis, the share of correct answers less that of the opposite ones, with its 95 % interval; the lowest suite "
    "first. Hollow: with a gray picture. 0 is an answer that does not go by what is asked for, -1 an axis that is "
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
    """Scores with their verdicts, one panel an axis and a line a suite (and ground), the lowest first.

    DataError where no axis has a score.
    """
    rows = worst_first([row for row in table.rows() if row["score"] is not None])
    if not rows:
        raise DataError("The table has no verdict with a score", where=table.schema.name)
    keys = {(row["suite"], row["ground"]) for row in rows}
    shown = []
    for axis, words in DIRECTIONS.items():
        group = [row for row in rows if row["axis"] == axis]
        if group:
            names = [
                with_ground(style.suite_title(row["suite"], titles), (row["suite"], row["ground"]), keys)
                for row in group
            ]
            below = style.counted(sum(row["questions"] for row in group), "question")
            draws = partial(_panel, group=group, names=names)
            shown.append(panels.Panel(words.capitalize(), below, draws, height=0.9 + LINE * len(group)))
    entries: list[panels.Entry] = [
        (panels.line(**look, markersize=4.6, linewidth=1.3), f"{word}: {MEANS[word]}")
        for word, look in LOOKS.items()
        if any(row["verdict"] == word for row in rows)
    ]
    entries += [
        (panels.line(color=style.INK, marker="o", **HOLLOW), "gray picture (hollow)"),
        (panels.line(**panels.CHANCE), "an answer that does not go by the direction"),
    ]
    with style.style():
        return panels.draw(shown, entries, columns)


def worst_first(rows: Sequence[Row]) -> list[Row]:
    """Verdicts with those of the suite (and ground) first that has the lowest score; suites without a score last."""
    lowest: dict[tuple[str, str | None], float] = {}
    for row in rows:
        one = (row["suite"], row["ground"])
        lowest[one] = min(lowest.get(one, math.inf), math.inf if row["score"] is None else row["score"])
    return sorted(rows, key=lambda row: lowest[row["suite"], row["ground"]])


LINE = 0.26  # inches, of a suite
HOLLOW: dict[str, Any] = {"markerfacecolor": "none", "markersize": 7, "markeredgewidth": 0.9, "linestyle": "none"}
LOOKS: Mapping[str, dict[str, Any]] = {
    "inverted": {"color": style.ORANGE, "marker": "v"},
    "prior": {"color": style.AMBER, "marker": "s"},
    "cannot tell": {"color": style.SOFT, "marker": "D"},
    "grounded": {"color": style.BLUE, "marker": "o"},
}
MEANS = {
    "inverted": "the wrong way round, by the picture",
    "prior": "without the picture",
    "cannot tell": "the interval leaves it open",
    "grounded": "by the picture",
}


def _panel(axis: Axes, group: Sequence[Row], names: Sequence[str]) -> None:
    axis.axvline(0, **panels.CHANCE, zorder=1)
    for place, row in enumerate(group):
        axis.axhline(place, color=style.FAINT, linewidth=0.6, zorder=0)
        look = LOOKS[row["verdict"]]
        ends = [row["low"], row["high"]]
        axis.plot(ends, [place, place], color=look["color"], linewidth=1.3, zorder=3, clip_on=False)
        axis.plot([row["score"]], [place], **look, markersize=4.6, linestyle="none", zorder=4, clip_on=False)
        axis.plot([row["gray"]], [place], color=style.INK, marker="o", **HOLLOW, zorder=3, clip_on=False)
    axis.set(xlim=(-1.04, 1.04), ylim=(len(group) - 0.4, -0.6), xlabel="correct less opposite answers")
    axis.set_xticks([-1, -0.5, 0, 0.5, 1], labels=["-1", "-0.5", "0", "0.5", "1"])
    axis.set_yticks(range(len(group)), labels=names)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
