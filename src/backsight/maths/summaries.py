"""Summaries: pure functions from rows to summary tables.

Below `SMALLEST` samples a summary keeps its count and says `omitted`: no figure is drawn from a handful.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

from backsight import schemas
from backsight.errors import DataError
from backsight.maths.intervals import mean_over_images
from backsight.tables import Table

SMALLEST = 10
OUTCOMES = ("clean", "ordinal", "counterfactual")


def behaviour_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Accuracy of `behaviour` rows by suite, prompt, ground, direction (and all), condition and read-out."""
    expect(rows, "behaviour")
    found = []
    keys = ["suite", "prompt", "ground", "condition"]
    for values, group in groups(rows.frame, keys):
        for direction, part in with_all(group):
            for read_out, column in (("free", "free_correct"), ("options", "choice_correct")):
                scored = part[part[column].notna()]
                if len(scored) == 0:
                    continue
                omitted = len(scored) < smallest
                interval = mean_over_images(scored[column].astype(float), scored["image_id"].astype(str))
                number = {"accuracy": interval.mean, "low": interval.low, "high": interval.high}
                found.append(
                    dict(zip(keys, values, strict=True))
                    | {"direction": direction, "read_out": read_out, "questions": len(scored)}
                    | {"images": scored["image_id"].nunique(), "interval": interval.kind, "omitted": omitted}
                    | {name: None if omitted else value for name, value in number.items()}
                    | {"p_answer": None if omitted else float(scored["p_answer"].mean())}
                    | {"chance": float((1 / scored["options"].astype(float)).mean())}
                )
    return Table.of(schemas.BEHAVIOUR_SUMMARY, found, rows.provenance)


def interchange_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """The probability of each outcome by layer of `interchange` rows, by suite and direction (and all).

    Where fewer than `smallest` pairs were kept there is one row, marked omitted, with the counts.
    """
    expect(rows, "interchange")
    found: list[dict[str, Any]] = []
    for (suite,), group in groups(rows.frame, ["suite"]):
        for direction, part in with_all(group):
            kept = part[part["kept"].fillna(False)]
            pairs, dropped = kept["pair_id"].nunique(), int((~part["kept"].fillna(False)).sum())
            common = {"suite": suite, "direction": direction, "pairs": pairs, "dropped": dropped}
            if pairs < smallest:
                empty = dict.fromkeys(("layer", "outcome", "probability", "low", "high", "interval"))
                found.append(common | empty | {"omitted": True})
                continue
            for layer, at in kept.groupby("layer", sort=True):
                for outcome in OUTCOMES:
                    interval = mean_over_images(
                        at[f"p_{outcome}"].astype(float), at["image_id"].astype(str), shares=False
                    )
                    found.append(
                        common
                        | {"layer": int(str(layer)), "outcome": outcome, "probability": interval.mean}
                        | {"low": interval.low, "high": interval.high, "interval": interval.kind, "omitted": False}
                    )
    return Table.of(schemas.INTERCHANGE_SUMMARY, found, rows.provenance)


def order_layers(summary: Table) -> Table:
    """The layers where the ordinal outcome exceeds both others with disjoint intervals (Dual Mechanisms, 5.1)."""
    expect(summary, "interchange_summary")
    found = []
    for (suite, direction), group in groups(summary.frame, ["suite", "direction"]):
        omitted = bool(group["omitted"].any())
        layers = [] if omitted else _ordinal_layers(group)
        found.append(
            {"suite": suite, "direction": direction, "layers": spans(layers), "found": bool(layers), "omitted": omitted}
            | {"pairs": int(group["pairs"].max()), "dropped": int(group["dropped"].max())}
        )
    return Table.of(schemas.ORDER_LAYERS, found, summary.provenance)


def _ordinal_layers(group: pd.DataFrame) -> list[int]:
    low = group.pivot(index="layer", columns="outcome", values="low")
    high = group.pivot(index="layer", columns="outcome", values="high")
    above = (low["ordinal"] > high["clean"]) & (low["ordinal"] > high["counterfactual"])
    return [int(layer) for layer in low.index[above.to_numpy(dtype=bool)]]


def spans(numbers: list[int]) -> str:
    """Whole numbers as spans: [3, 4, 5, 7] is "3-5, 7"."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and parts[-1][-1] == number - 1:
            parts[-1][-1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


SUMMARIES: dict[str, Callable[..., Table]] = {
    "behaviour": behaviour_summary,
    "interchange": interchange_summary,
}


def expect(table: Table, name: str) -> None:
    """DataError unless a table has the schema called `name`."""
    if table.schema.name != name:
        raise DataError("This summary is made of other rows", got=table.schema.name, do=f"give a {name!r} table")


def groups(frame: pd.DataFrame, keys: list[str]) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    """Groups in the order of appearance; within a suite prompts, grounds and conditions by name."""
    found: list[tuple[tuple[Any, ...], pd.DataFrame]] = []
    for key, group in frame.groupby(keys, sort=False, dropna=False):
        values: tuple[Any, ...] = key
        found.append((tuple(None if pd.isna(v) else v for v in values), group))
    if "prompt" in keys:
        first = {values[0]: place for place, (values, _) in reversed(list(enumerate(found)))}
        found.sort(key=lambda item: (first[item[0][0]], [str(v) for v in item[0][1:]]))
    yield from found


def with_all(group: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The whole group as "all", then each direction that occurs."""
    yield "all", group
    names = [d for d in ("left", "right", "above", "below") if (group["direction"] == d).any()]
    others = sorted(set(group["direction"].dropna()) - set(names))
    for name in [*names, *others]:
        yield str(name), group[group["direction"] == name]
