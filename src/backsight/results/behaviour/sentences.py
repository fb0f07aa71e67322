"""How well a suite is answered, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.maths.grouping import SMALLEST
from backsight.results.drawing.style import counted
from backsight.results.pages.wording import listed, percent, with_interval

Row = Mapping[str, Any]


def accuracy(row: Row | None) -> str:
    """A summary row's accuracy for a table: with its interval, or that it was omitted."""
    if row is None:
        return "–"
    if row["omitted"]:
        return f"omitted (n={row['questions']})"
    return with_interval(row["accuracy"], row["low"], row["high"])


def accuracy_sentence(title: str, pictures: Sequence[Row], grays: Mapping[str | None, Row]) -> str:
    """How well a suite is answered: `pictures` has a row a prompt, `grays` the gray picture's by prompt."""
    given = [row for row in pictures if not row["omitted"]]
    if not given:
        if len(pictures) == 1:
            return f"{title}: omitted ({counted(pictures[0]['questions'], 'question')}, fewer than {SMALLEST})"
        asked = listed(f"{counted(row['questions'], 'question')} with prompt {row['prompt']}" for row in pictures)
        return f"{title}: omitted ({asked}: each fewer than {SMALLEST})"
    if len(pictures) == 1:
        sentence = f"answers {percent(given[0]['accuracy'])} of {title} right {_ends(given[0])}"
    else:
        sentence = f"answers {title} right " + ", ".join(_by_prompt(row) for row in pictures)
    return f"{sentence} ({_null(given, grays)}){_guessing(given, grays)}"


def _by_prompt(row: Row) -> str:
    if row["omitted"]:
        return f"with prompt {row['prompt']} omitted (n = {row['questions']})"
    return f"with prompt {row['prompt']} in {percent(row['accuracy'])} {_ends(row)}"


def _ends(row: Row) -> str:
    if row["low"] is None or row["high"] is None:
        return "[no interval]"
    return f"[{100 * row['low']:.1f},\u00a0{100 * row['high']:.1f}]"


def _null(rows: Sequence[Row], grays: Mapping[str | None, Row]) -> str:
    """What the numbers stand beside: the gray picture's accuracy, chance, and how many questions."""
    parts = []
    if grays:
        parts.append(f"gray picture: {', '.join(_share(grays.get(row['prompt'])) for row in rows)}")
    chances = dict.fromkeys(percent(row["chance"]) for row in rows if row["chance"] is not None)
    parts += [f"chance {', '.join(chances)}"] if chances else []
    asked = dict.fromkeys(row["questions"] for row in rows)
    questions = counted(next(iter(asked)), "question") if len(asked) == 1 else f"{listed(asked)} questions"
    joint = "; " if len(rows) > 1 else ", "
    return f"{joint.join(parts)}; {questions}{' each' if len(rows) > 1 and len(asked) == 1 else ''}"


def _share(row: Row | None) -> str:
    if row is None:
        return "none"
    return "omitted" if row["omitted"] else percent(row["accuracy"])


def _guessing(rows: Sequence[Row], grays: Mapping[str | None, Row]) -> str:
    """A remark where an interval reaches down to what chance or the gray picture gives, or lies wholly below chance."""
    below = [row for row in rows if None not in (row["high"], row["chance"]) and row["high"] < row["chance"]]
    near = []
    for row in rows:
        gray = grays.get(row["prompt"])
        nulls = [row["chance"], gray["accuracy"] if gray is not None else None]
        bound = max((value for value in nulls if value is not None), default=None)
        if row not in below and bound is not None and row["low"] is not None and row["low"] <= bound:
            near.append(row)
    remarks = []
    if near:
        remarks.append(f"the interval reaches down to guessing{_which(near, rows)}")
    if below:
        ends = listed(f"{percent(row['high'])} under {percent(row['chance'])}" for row in below)
        remarks.append(f"below chance{_which(below, rows)}: the interval ends at {ends}")
    return "".join(f"; {remark}" for remark in remarks)


def _which(some: Sequence[Row], rows: Sequence[Row]) -> str:
    """The prompts of some rows, where there are several rows."""
    return f" with {listed([row['prompt'] for row in some])}" if len(rows) > 1 else ""
