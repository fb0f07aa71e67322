"""What all summaries share: groups in a fixed order, a smallest number, and layers as spans."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from backsight.errors import DataError
from backsight.tables import Table

SMALLEST = 10  # samples; below it a summary keeps the count and says omitted
DIRECTIONS = ("left", "right", "above", "below")
AXES = {"horizontal": ("left", "right"), "vertical": ("above", "below")}


def expect(table: Table, name: str) -> None:
    """DataError unless a table has the schema called `name`."""
    if table.schema.name != name:
        raise DataError("This summary is made of other rows", got=table.schema.name, do=f"give a {name!r} table")


def groups(frame: pd.DataFrame, keys: list[str]) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    """Groups in the order of appearance; within a suite prompts, grounds and conditions by name."""
    in_order: list[tuple[tuple[Any, ...], pd.DataFrame]] = []
    for key, group in frame.groupby(keys, sort=False, dropna=False):
        values: tuple[Any, ...] = key
        in_order.append((tuple(None if pd.isna(v) else v for v in values), group))
    if "prompt" in keys:
        first = {values[0]: place for place, (values, _) in reversed(list(enumerate(in_order)))}
        in_order.sort(key=lambda item: (first[item[0][0]], [str(v) for v in item[0][1:]]))
    yield from in_order


def with_all(group: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The whole group as "all", then each direction that occurs."""
    yield "all", group
    names = [d for d in DIRECTIONS if (group["direction"] == d).any()]
    others = sorted(set(group["direction"].dropna()) - set(names))
    for name in [*names, *others]:
        yield str(name), group[group["direction"] == name]


def with_axes(group: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The whole group as "all", each direction that occurs, and both axes where both occur."""
    yield from with_all(group)
    parts = {axis: group[group["direction"].isin(names)] for axis, names in AXES.items()}
    if all(len(part) for part in parts.values()):
        yield from parts.items()


def spans(numbers: list[int]) -> str:
    """Whole numbers as spans: [3, 4, 5, 7] is "3-5, 7"."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and parts[-1][-1] == number - 1:
            parts[-1][-1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)
