"""Tables of the what/where gap: rows a question and condition, and by suite and axis what, where and their gap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from backsight.maths import gap as maths
from backsight.maths.axes import AXES
from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.tables import Schema, Table

GAP = Schema(
    "gap",
    {
        "example_id": "str",  # of the question of where, of which the others are made
        "image_id": "str",
        "suite": "str",
        "direction": "str",
        "prompt": "str",
        "ground": "str",
        "kind": "str",  # relation (where); presence, naming, colour (what)
        "condition": "str",  # picture, or gray: the same question about a uniform gray picture; missing where not asked
        "question": "str",
        "answer": "str",
        "options": "int",  # how many; chance is one over it
        "choice": "str",
        "correct": "bool",
        "absence": "str",  # of what is absent: known of the picture, or assumed
        "skipped": "str",  # why a kind is not asked about a picture
    },
    "What and where on the same pictures, one row a question and condition",
)
GAP_SUMMARY = Schema(
    "gap_summary",
    {
        "suite": "str",
        "ground": "str",
        "axis": "str",  # all, or the axis that the question of where is about
        "kind": "str",  # the kind of what
        "headline": "bool",  # the kind whose gap is the suite's: the first of presence, naming, colour that is asked
        "verdict": "str",  # what, where (answered better), none, cannot tell; missing where nothing is compared
        "questions": "int",  # of what
        "relations": "int",  # of where, about the same pictures
        "images": "int",
        "what": "float",  # accuracies
        "what_blank": "float",
        "what_chance": "float",
        "what_corrected": "float",  # (accuracy - guessing) / (1 - guessing)
        "what_low": "float",
        "what_high": "float",
        "where": "float",
        "where_blank": "float",
        "where_chance": "float",
        "where_corrected": "float",
        "where_low": "float",
        "where_high": "float",
        "gap": "float",  # what less where, both corrected
        "low": "float",
        "high": "float",
        "absence": "str",  # known, assumed, or both
        "skipped": "str",  # why the kind is not asked, with the number of pictures; missing where it is of all
        "omitted": "bool",  # fewer pictures than the stated smallest number, or nothing left to correct
    },
    "The what/where gap by suite, axis and kind of what, with 95 % intervals",
)
KINDS = ("presence", "naming", "colour")


def gap_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """What, where and the gap by suite, ground, axis (and all) and kind of what, from `gap` rows.

    Pictures are the units, and a comparison is of those that both questions are asked about. The headline is the first
    of presence, naming and colour with enough pictures: presence can be asked of any set, and as in the question of
    where the things are named in it. Formula and interval: `maths.gap.gap`.
    """
    expect(rows, GAP.name)
    summary: list[dict[str, Any]] = []
    for (suite, ground), group in groups(rows.frame, ["suite", "ground"]):
        asked = {kind: _answered(group[group["kind"] == kind]) for kind in ("relation", *KINDS)}
        counts = {kind: asked[kind]["image_id"].nunique() for kind in KINDS}
        headline = next((kind for kind in KINDS if counts[kind] >= smallest), None)
        for axis, where in _by_axis(asked["relation"]):
            for kind in KINDS:
                what = asked[kind][asked[kind]["image_id"].isin(set(where["image_id"]))]
                row: dict[str, Any] = dict.fromkeys(GAP_SUMMARY.columns) | {"suite": suite, "ground": ground}
                row |= {"axis": axis, "kind": kind, "headline": kind == headline}
                summary.append(row | _compared(what, where, smallest) | _skipped(group, kind, asked[kind]))
    return Table.of(GAP_SUMMARY, summary, rows.provenance)


def _answered(rows: pd.DataFrame) -> pd.DataFrame:
    """The questions of a kind, one row each with `correct` and `blank`."""
    picture = rows[rows["condition"] == "picture"]
    gray = rows.loc[rows["condition"] == "gray", ["example_id", "correct"]].rename(columns={"correct": "blank"})
    return picture.merge(gray, on="example_id")


def _by_axis(where: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    yield "all", where
    parts = {axis: where[where["direction"].isin(names)] for axis, names in AXES.items()}
    of = {axis: part for axis, part in parts.items() if len(part)}
    if len(of) > 1:
        yield from of.items()


def _compared(what: pd.DataFrame, where: pd.DataFrame, smallest: int) -> dict[str, Any]:
    common = set(what["image_id"]) & set(where["image_id"])
    shared = where[where["image_id"].isin(common)]
    numbers: dict[str, Any] = {"questions": len(what), "relations": len(shared), "images": len(common)}
    numbers["absence"] = " and ".join(sorted(set(what["absence"].dropna()), reverse=True)) or None
    one = maths.gap(what, where) if len(common) >= smallest else None
    if one is None:
        return numbers | {"omitted": True}
    for name, side in (("what", one.what), ("where", one.where)):
        numbers |= {name: side.accuracy, f"{name}_blank": side.blank, f"{name}_chance": side.chance}
        bounds = side.corrected
        numbers |= {f"{name}_corrected": bounds.value, f"{name}_low": bounds.low, f"{name}_high": bounds.high}
    gap = one.gap
    return numbers | {"verdict": one.word, "gap": gap.value, "low": gap.low, "high": gap.high, "omitted": False}


def _skipped(group: pd.DataFrame, kind: str, asked: pd.DataFrame) -> dict[str, Any]:
    """Why a kind is not asked about some pictures, and of how many."""
    mine = group[(group["kind"] == kind) & group["skipped"].notna()]
    counts = mine[~mine["image_id"].isin(set(asked["image_id"]))].groupby("skipped")["image_id"].nunique()
    words = [f"{reason} ({count} pictures)" for reason, count in counts.items()]
    return {"skipped": "; ".join(words) or None}
