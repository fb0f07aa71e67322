"""The axis verdict: by suite and axis, whether answers go by the picture, the question, or the picture turned round."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from backsight.errors import DataError
from backsight.maths.axes import AXES, FEWEST, LEFT, UNCHANGED, axis_verdict
from backsight.maths.grouping import expect, groups
from backsight.results.drawing import panels, style
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import percent, unbroken, with_interval
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
        "score": "float",  # share of right answers less that of opposite ones, both directions weighing alike
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
    "By axis, the share of right answers less that of the opposite ones. Filled: with the picture, with its 95 % "
    "interval. Hollow: with a gray picture. 0 is an answer that does not go by what is asked for, -1 an axis that is "
    "answered the wrong way round."
)
LEAD = "With the picture and with a gray one in its place, by axis:"
METHOD = (
    "Axis verdict, after Decodable is not grounded (arXiv 2606.31257): the picture is replaced by a uniform gray one. "
    "An axis's score is the share of right answers less that of the opposite ones, its two directions weighing alike: "
    "0 for a constant answer, which accuracy takes for a half of one axis and nothing of the other. In this order: "
    f"prior where the answer changes in fewer than {percent(UNCHANGED)} of the questions; grounded where the score is "
    f"above 0 and the gray picture keeps less than {percent(LEFT)} of it; inverted where the same holds of a score "
    "below 0; each where its 95 % interval over images lies wholly there, else cannot tell. "
    f"{FEWEST} questions of each direction are needed.",
)
LIMITS = (
    "Grounded says that right answers take the picture, not that the model knows positions: any cue of the picture "
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


def axis_sentence(title: str, rows: Sequence[Row]) -> str:
    """What the answers about each axis of a suite go by; `rows` has a row an axis."""
    return f"{title}: {'; '.join(_said(row) for row in rows)}"


def _said(row: Row) -> str:
    where = DIRECTIONS[row["axis"]]
    score, gray = (_number(row, name, start) for name, start in (("score", ""), ("gray", "gray_")))
    numbers = f"right less opposite answers {score}, with a gray picture {gray}"
    if row["verdict"] == "grounded":
        return f"{where} are answered by the picture ({numbers})"
    if row["verdict"] == "inverted":
        return f"{where} are answered the wrong way round, by the picture ({numbers})"
    if row["verdict"] == "prior":
        changed = f"{percent(row['changed'])} [{100 * row['changed_low']:.1f},\u00a0{100 * row['changed_high']:.1f}]"
        return f"{where} are answered without the picture (a gray one changes {changed} of the answers)"
    return f"{where}: cannot tell ({row['reason']})"


def _number(row: Row, name: str, start: str) -> str:
    if row[name] is None:
        return "–"
    return f"{row[name]:.2f} [{row[f'{start}low']:.2f},\u00a0{row[f'{start}high']:.2f}]"


def section(study: Study) -> Section | None:
    """The verdicts' part of the section on behaviour, with its answer; None where no axis has a score."""
    rows = study.rows(BEHAVIOUR_AXES.name)
    suites: dict[tuple[str, str | None], list[Row]] = {}
    for row in rows:
        suites.setdefault((row["suite"], row["ground"]), []).append(row)
    judged = {one: group for one, group in suites.items() if any(row["score"] is not None for row in group)}
    if not judged:
        return None
    titles = {one: _with_ground(common.title(study, one[0]), one, suites) for one in suites}
    section = Section(
        anchor="behaviour", question="can", title="Behaviour", notes=(),
        figures=(common.figure(study, "axes", draw, study.tables[BEHAVIOUR_AXES.name], CAPTION),),
        tables=(_grid(study, rows, titles),), method=METHOD, limits=LIMITS, samples=(),
    )  # fmt: skip
    statements = tuple(Statement(axis_sentence(titles[one], group)) for one, group in judged.items())
    return section.concluding(LEAD, statements)


def _grid(study: Study, rows: Sequence[Row], titles: Mapping[tuple[str, str | None], str]) -> Grid:
    """All verdicts; `titles` by suite and ground."""
    lines = [
        (
            titles[row["suite"], row["ground"]], row["axis"], unbroken(row["verdict"]),
            str(row["questions"]), str(row["images"]),
            with_interval(row["score"], row["low"], row["high"]),
            with_interval(row["gray"], row["gray_low"], row["gray_high"]),
            with_interval(row["changed"], row["changed_low"], row["changed_high"]),
            row["reason"] if row["verdict"] == "cannot tell" else "",
        )
        for row in rows
    ]  # fmt: skip
    columns = (
        "Suite", "Axis", "Verdict", "Questions", "Images", "Right less opposite", "Gray picture", "Answers changed",
        "Why not",
    )  # fmt: skip
    files = study.files(BEHAVIOUR_AXES.name)
    return Grid("What each axis is answered by", columns, tuple(lines), words=3, files=files)


def draw(table: Table, *, columns: int | None = None, titles: Mapping[str, str] | None = None) -> Figure:
    """Scores by axis with their verdicts, one panel a suite (and ground); DataError where no axis has a score."""
    rows = [row for row in table.rows() if row["score"] is not None]
    if not rows:
        raise DataError("The table has no verdict with a score", where=table.schema.name)
    suites: dict[tuple[str, str | None], list[Row]] = {}
    for row in rows:
        suites.setdefault((row["suite"], row["ground"]), []).append(row)
    shown = []
    for (suite, ground), group in suites.items():
        title = _with_ground(style.suite_title(suite, titles), (suite, ground), suites)
        below = f"{style.counted(sum(row['questions'] for row in group), 'question')}"
        shown.append(panels.Panel(title, below, partial(_panel, group=group), height=0.95 + 0.36 * len(group)))
    entries: list[panels.Entry] = [
        (panels.line(color=style.INK, marker="o", markersize=4.6, linewidth=1.3), "picture, with 95 % interval"),
        (panels.line(color=style.INK, marker="o", **HOLLOW), "gray picture"),
        (panels.line(**panels.CHANCE), "an answer that does not go by the direction"),
    ]
    with style.style():
        return panels.draw(shown, entries, columns, across=3)


HOLLOW: dict[str, Any] = {"markerfacecolor": "none", "markersize": 7, "markeredgewidth": 0.9, "linestyle": "none"}
COLORS = {"grounded": style.BLUE, "prior": style.AMBER, "inverted": style.ORANGE, "cannot tell": style.SOFT}


def _with_ground(title: str, one: tuple[str, str | None], suites: Iterable[tuple[str, str | None]]) -> str:
    """A suite's title, with its ground where it has several."""
    several = sum(name == one[0] for name, _ in suites) > 1
    return f"{title}, {one[1]} ground" if several and one[1] else title


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
    axis.set(xlim=(-1.04, 1.04), ylim=(len(group) - 0.4, -0.7), xlabel="right less opposite answers")
    axis.set_xticks([-1, -0.5, 0, 0.5, 1], labels=["-1", "-0.5", "0", "0.5", "1"])
    axis.set_yticks(range(len(group)), labels=[row["axis"] for row in group])
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
