"""The axis verdicts in the report: their claim, a sentence for every suite that differs, and the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.maths.axes import UNCHANGED
from backsight.results.behaviour.axes import (
    BEHAVIOUR_AXES,
    CAPTION,
    DIRECTIONS,
    LIMITS,
    METHOD,
    draw,
    worst_first,
)
from backsight.results.behaviour.named import with_ground
from backsight.results.behaviour.sentences import NAMED, UNKNOWN
from backsight.results.drawing.style import counted
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.trimmed import trimmed
from backsight.results.pages.wording import listed, unbroken, with_interval

Row = Mapping[str, Any]
Titled = tuple[str, Row]  # a suite's title and one of its verdicts
# What answers go by, the worst first.
WORDS = {"inverted": "by the picture but the wrong way round", "prior": "without the picture"}


def section(study: Study) -> Section | None:
    """The verdicts' part of the section on behaviour; None where no axis has a score."""
    rows = worst_first(study.rows(BEHAVIOUR_AXES.name))
    if not any(row["score"] is not None for row in rows):
        return None
    keys = {(row["suite"], row["ground"]) for row in rows}
    named = [(with_ground(common.title(study, r["suite"]), (r["suite"], r["ground"]), keys), r) for r in rows]
    return Section(
        anchor="behaviour", question="can", title="Behaviour", claim=claim(named), null=null(rows),
        figures=(common.figure(study, "axes", draw, study.tables[BEHAVIOUR_AXES.name], CAPTION),),
        statements=statements(named), tables=(_grid(study, named),), method=METHOD, limits=LIMITS,
    )  # fmt: skip


def claim(named: Sequence[Titled]) -> str:
    """What answers about an axis go by, over all suites: what is not by the picture first."""
    of = {word: [one for one in named if one[1]["verdict"] == word] for word in (*WORDS, "cannot tell")}
    suites = counted(len({title for title, _ in named}), "suite")
    grounded = len(named) - sum(len(group) for group in of.values())
    if grounded == len(named):
        return f"Answers about {'all ' if grounded > 1 else ''}{_counted(grounded)} of {suites} go by the picture."
    parts = [f"{WORDS[word]}: {_named(of[word])}" for word in WORDS if of[word]]
    parts.append(f"by the picture: {grounded} of {_counted(len(named))} of {suites}")
    parts += [f"not told: {len(of['cannot tell'])}"] if of["cannot tell"] else []
    return f"Answered {'; '.join(parts)}."


def _counted(axes: int) -> str:
    return f"{axes} axis" if axes == 1 else f"{axes} axes"


def _named(group: Sequence[Titled]) -> str:
    """Axes with their suites where they are few, else how many."""
    if len(group) > NAMED:
        return _counted(len(group))
    return listed(f"{DIRECTIONS[row['axis']]} in {title}" for title, row in group)


def null(rows: Sequence[Row]) -> str:
    """What stands beside the scores: 0, and the gray picture's."""
    grays = [row["gray"] for row in rows if row["gray"] is not None]
    gray = f", a gray picture {_span(grays)}" if grays else ""
    return f"By axis, correct less opposite answers: a constant answer gives 0{gray}."


def statements(named: Sequence[Titled]) -> tuple[Statement, ...]:
    """A sentence for all axes that go by the same, the worst first; of one suite it has the numbers' intervals."""
    groups: dict[str, list[Titled]] = {}
    for title, row in named:
        groups.setdefault(_by(row), []).append((title, row))
    given = []
    for words, group in groups.items():
        suites = {row["suite"] for _, row in group}
        numbers = _numbers([row for _, row in group])
        short = max(_short(row) for _, row in group)
        text = f"{words}{f' ({numbers})' if numbers else ''}: {_axes(group, named)}."
        given.append(Statement(text, suites.pop() if len(suites) == 1 else "", short))
    return tuple(given)


def _by(row: Row) -> str:
    """What the answers about an axis go by, and why that cannot be told where it cannot."""
    if row["verdict"] != "cannot tell":
        return f"Answered {WORDS.get(row['verdict'], 'by the picture')}"
    if row["score"] is None:
        return f"Cannot tell, {row['reason']}"
    if row["changed_high"] < UNCHANGED:
        return "Cannot tell, few answers change with a gray picture but those go by the picture"
    if row["low"] <= 0 <= row["high"]:
        return "Cannot tell, correct answers are not shown to differ in number from opposite ones"
    return "Cannot tell, a gray picture may keep half of the score"


def _short(row: Row) -> float:
    """How far an axis is from being answered correctly, and by the picture."""
    if row["verdict"] == "prior":
        return 1.0
    return UNKNOWN if row["score"] is None else min(1.0, 1.0 - max(0.0, row["score"]))


def _numbers(rows: Sequence[Row]) -> str:
    """Scores with and without the picture: with intervals of one axis, else the lowest and the highest."""
    first = rows[0]
    if first["score"] is None:
        return ""
    if first["verdict"] == "prior":
        changed = _number(first, "changed", "changed_") if len(rows) == 1 else _span([row["changed"] for row in rows])
        return f"a gray one changes a share of {changed} of the answers"
    if len(rows) == 1:
        shown = [_number(first, name, start) for name, start in (("score", ""), ("gray", "gray_"))]
    else:
        shown = [_span([row[name] for row in rows if row[name] is not None]) for name in ("score", "gray")]
    return f"correct less opposite answers {shown[0]}, with a gray picture {shown[1]}"


def _axes(group: Sequence[Titled], named: Sequence[Titled]) -> str:
    """Axes, each with its suites, as "left and right in all 3 suites; above and below in Shapes"."""
    parts = []
    for axis, words in DIRECTIONS.items():
        titles, every = ([title for title, row in of if row["axis"] == axis] for of in (group, named))
        asked = "" if len(titles) == len({title for title, _ in named}) else " that ask it"
        whole = f"all {len(titles)} suites{asked}" if len(titles) == len(every) > NAMED else ""
        parts += [f"{words} in {whole or listed(titles)}"] if titles else []
    return "; ".join(parts)


def _span(values: Sequence[float]) -> str:
    low, high = (_plain(end) for end in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _number(row: Row, name: str, start: str) -> str:
    if row[name] is None:
        return "–"
    return f"{_plain(row[name])} [{_plain(row[f'{start}low'])},\u00a0{_plain(row[f'{start}high'])}]"


def _plain(value: float) -> str:
    """Two decimals; what rounds to zero has no sign."""
    return f"{value + 0.0 if abs(value) >= 0.005 else 0.0:.2f}"


def _grid(study: Study, named: Sequence[Titled]) -> Grid:
    """All verdicts, the lowest score first."""
    lines = tuple(
        (
            title, unbroken(DIRECTIONS[row["axis"]]), unbroken(row["verdict"]), str(row["questions"]),
            with_interval(row["score"], row["low"], row["high"]),
            with_interval(row["gray"], row["gray_low"], row["gray_high"]),
            with_interval(row["changed"], row["changed_low"], row["changed_high"]),
        )
        for title, row in named
    )  # fmt: skip
    columns = ("Suite", "Axis", "Verdict", "Questions", "Score", "Score, gray picture", "Answers changed")
    return trimmed(
        Grid(
            "What each axis is answered by", columns, lines, words=3, folded=True,
            files=study.files(BEHAVIOUR_AXES.name), suites=tuple(row["suite"] for _, row in named),
            note="Score: correct less opposite answers. Answers changed: the share that a gray picture changes.",
        )
    )  # fmt: skip
