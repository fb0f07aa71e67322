"""Numbers and results in words.

In sentences an accuracy is a share in percent with one decimal; in tables it has three decimals. Brackets
hold the ends of the 95 % interval, and the number of samples always stands beside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from backsight.maths.grouping import SMALLEST
from backsight.results.drawing.style import counted
from backsight.results.pages.study import mapping, number, text

Row = Mapping[str, Any]
PHOTOGRAPHS = "The built-in model has never seen a photograph: it was trained on generated scenes alone."


def percent(value: float) -> str:
    """A share in percent; the space does not break, so that number and sign stay together."""
    return f"{100 * value:.1f}\u00a0%"


def unbroken(label: str) -> str:
    """A short label for a table, which no line is broken in."""
    return label.replace(" ", "\u00a0")


def whole_percent(value: float, low: float, high: float) -> str:
    """A share in whole percent with the ends of its interval, as "13 % [-8, 33]"; spaces do not break."""
    number, *ends = (round(100 * one) for one in (value, low, high))
    return f"{number}\u00a0% [{ends[0]},\u00a0{ends[1]}]"


def rounded_percent(value: float) -> str:
    """A share in whole percent, as the first screen has all of them."""
    return f"{100 * value:.0f}\u00a0%"


def p_value(value: float | None) -> str:
    """A p-value with three decimals; a dash where there is none."""
    return "–" if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"


def decimal(value: float | None) -> str:
    """Three decimals; a dash where there is no number."""
    return "–" if value is None else f"{value:z.3f}"


def with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """A number and its interval, as "0.988 [0.975, 0.996]"."""
    if value is None or low is None or high is None:
        return decimal(value)
    return f"{value:z.3f} [{low:z.3f}, {high:z.3f}]"


def signed(value: float, digits: int = 3) -> str:
    """A difference with its sign; none where it rounds to zero."""
    words = f"{value:+z.{digits}f}"
    return words[1:] if float(words) == 0 else words


def points(value: float) -> str:
    """A difference of shares in percentage points, with its sign: "+1.5 points"."""
    words = signed(100 * value, 1)
    return f"{words}\u00a0{'point' if abs(float(words)) == 1 else 'points'}"


def points_within(value: float, low: float, high: float) -> str:
    """A difference of shares in percentage points with its interval: "+1.5 points [-3.7, +6.7]"."""
    return f"{points(value)} [{signed(100 * low, 1)},\u00a0{signed(100 * high, 1)}]"


def omitted(count: int, noun: str) -> str:
    """What stands for numbers that too few samples give: how many there are, of what, and how many it takes."""
    return f"omitted ({counted(count, noun)}, {SMALLEST} needed)"


def listed(items: Iterable[object]) -> str:
    """Items in words: "A", "A and B", "A, B and C"."""
    names = [text(item) for item in items]
    if not names:
        return "none"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def in_list(title: str) -> str:
    """A suite's title among others in a sentence: "Pairs (prompt A)" for "Pairs, prompt A"."""
    name, comma, rest = title.partition(", ")
    return f"{name} ({rest})" if comma else title


def model_line(model: Row) -> str:
    """The model in a line, as "Qwen2-VL, 1.40 million parameters, 6 layers, 12 × 12 tokens of 28 × 28 pixels"."""
    layers, grid = number(model.get("layers")), mapping(model.get("grid"))
    parts = [text(model.get("family")), millions(model.get("parameters"))]
    parts += [counted(int(layers), "layer")] if layers else []
    if grid.get("rows") and grid.get("columns"):
        cell = grid.get("cell")
        side = f" of {cell[0]:g} × {cell[1]:g} pixels" if isinstance(cell, list) and len(cell) == 2 else ""
        parts.append(f"{grid['rows']} × {grid['columns']} image tokens{side}")
    elif (tokens := number(grid.get("tokens"))) and (views := number(grid.get("views"))):
        parts.append(f"{counted(int(tokens), 'image token')} in {counted(int(views), 'view')}")
    ran = " on ".join(filter(None, (text(model.get("dtype")), text(model.get("device")))))
    return ", ".join(filter(None, (*parts, ran)))


def millions(value: object) -> str:
    """A number of parameters in words."""
    count = number(value)
    if count is None:
        return ""
    for unit, word in ((1e9, "billion"), (1e6, "million")):
        if count >= unit:
            return f"{count / unit:.2f} {word} parameters"
    return f"{count:,.0f} parameters"


def tenths(value: object) -> str:
    """A number with one decimal; a dash where there is none."""
    amount = number(value)
    return "–" if amount is None else f"{amount:,.1f}"


def uncorrected(tests: int) -> str:
    """What is to be said of counted tests that go by intervals each, where there are several."""
    return f" (by 95 % intervals, not corrected for {tests} tests)" if tests > 1 else ""
