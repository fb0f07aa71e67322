"""Numbers and results in words.

In sentences an accuracy is a share in percent with one decimal; in tables it has three decimals. Brackets
hold the ends of the 95 % interval, and the number of samples always stands beside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.report.reading import mapping, number, text

Row = Mapping[str, Any]


def counted(count: object, noun: str) -> str:
    """A number with its noun, as "1 pair" or "48 pairs"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def decimal(value: float | None) -> str:
    """Three decimals; a dash where there is no number."""
    return "–" if value is None else f"{value:.3f}"


def with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """A number and its interval, as "0.988 [0.975, 0.996]"."""
    if value is None or low is None or high is None:
        return decimal(value)
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def accuracy(row: Row | None) -> str:
    """A summary row's accuracy for a table: with its interval, or that it was omitted."""
    if row is None:
        return "–"
    if row["omitted"]:
        return f"omitted (n={row['questions']})"
    return with_interval(row["accuracy"], row["low"], row["high"])


def accuracy_sentence(title: str, pictures: Sequence[Row], grays: Mapping[str | None, Row]) -> str:
    """How well a suite is answered: `pictures` has a row a prompt, `grays` the gray picture's by prompt."""
    if len(pictures) == 1:
        row = pictures[0]
        if row["omitted"]:
            return f"{title}: omitted (n = {counted(row['questions'], 'question')})"
        asked = counted(row["questions"], "question")
        said = f"answers {percent(row['accuracy'])} of {title} right {_ends(row)}"
        return f"{said} ({_null(row, grays.get(row['prompt']))}; {asked}){_guessing([row], grays)}"
    parts = []
    for row in pictures:
        if row["omitted"]:
            parts.append(f"prompt {row['prompt']} omitted (n = {row['questions']})")
            continue
        null = _null(row, grays.get(row["prompt"]))
        share = f"{percent(row['accuracy'])} right with prompt {row['prompt']} {_ends(row)}"
        parts.append(f"{share} ({null}; {counted(row['questions'], 'question')})")
    given = [row for row in pictures if not row["omitted"]]
    return f"of {title} answers {', '.join(parts)}{_guessing(given, grays)}"


def _ends(row: Row) -> str:
    if row["low"] is None or row["high"] is None:
        return "[no interval]"
    return f"[{100 * row['low']:.1f}, {100 * row['high']:.1f}]"


def _null(row: Row, gray: Row | None) -> str:
    """What the number stands beside: the same questions about a gray picture, and chance."""
    parts = []
    if gray is not None and not gray["omitted"]:
        parts.append(f"gray picture: {percent(gray['accuracy'])}")
    elif gray is not None:
        parts.append("gray picture: omitted")
    if row["chance"] is not None:
        parts.append(f"chance {percent(row['chance'])}")
    return ", ".join(parts) or "no null"


def _guessing(rows: Sequence[Row], grays: Mapping[str | None, Row]) -> str:
    """A remark where an interval reaches down to what chance or the gray picture gives."""
    near = []
    for row in rows:
        gray = grays.get(row["prompt"])
        nulls = [row["chance"], gray["accuracy"] if gray is not None else None]
        bound = max((value for value in nulls if value is not None), default=None)
        if bound is not None and row["low"] is not None and row["low"] <= bound:
            near.append(row)
    if not near:
        return ""
    if len(rows) == 1:
        return "; the interval reaches down to guessing"
    return f"; with {_listed([text(row['prompt']) for row in near])} the interval reaches down to guessing"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def order_sentence(title: str, row: Row, last: int | None) -> str:
    """Where the order is decided for a suite, from a row of the table of order layers."""
    pairs = counted(row["pairs"], "pair")
    dropped = f", {row['dropped']} dropped" if row["dropped"] else ""
    if row["omitted"]:
        return f"{title}: omitted ({pairs}{dropped})"
    if not row["found"]:
        return f"{title}: no such layer ({pairs}{dropped})"
    layers = text(row["layers"])
    noun = "layers" if "-" in layers or "," in layers else "layer"
    among = f" of 0-{last}" if last is not None else ""
    return f"{title}: {noun} {layers}{among} ({pairs}{dropped})"


def model_sentence(model: Row) -> str:
    """The model: name, family, size, token grid, dtype and why that one."""
    name = text(model.get("name")) or "An unnamed model"
    family = text(model.get("family"))
    parts = [f"{name} ({family} family)" if family else name]
    size = [millions(model.get("parameters"))] if number(model.get("parameters")) else []
    size += [counted(model.get("layers"), "layer")] if number(model.get("layers")) else []
    parts += [" and ".join(size)] if size else []
    grid = mapping(model.get("grid"))
    if grid.get("rows") and grid.get("columns"):
        cell = grid.get("cell")
        side = f" of {cell[0]} x {cell[1]} pixels" if isinstance(cell, list) and len(cell) == 2 else ""
        parts.append(f"a picture is {grid['rows']} x {grid['columns']} tokens{side}")
    if dtype := text(model.get("dtype")):
        reason = text(model.get("dtype_reason"))
        device = text(model.get("device"))
        parts.append(f"run in {dtype}" + (f" ({reason})" if reason else "") + (f" on {device}" if device else ""))
    return "; ".join(parts) + "."


def millions(value: object) -> str:
    """A number of parameters in words."""
    count = number(value)
    if count is None:
        return ""
    for unit, word in ((1e9, "billion"), (1e6, "million")):
        if count >= unit:
            return f"{count / unit:.2f} {word} parameters"
    return f"{count:,.0f} parameters"


def seconds(value: object) -> str:
    amount = number(value)
    return "–" if amount is None else f"{amount:,.1f}"
