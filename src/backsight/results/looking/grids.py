"""Tables of how well attention finds the boxes: by layer, by correctness of the answers, sinks, and the best heads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backsight.results.looking.figure import NAMES, suite_words
from backsight.results.looking.tables import SUMMARY
from backsight.results.pages.alike import slim
from backsight.results.pages.content import Grid
from backsight.results.pages.study import Study
from backsight.results.pages.wording import decimal, p_value, with_interval

Row = dict[str, Any]
NUMBERS = ("AUROC", "Gray", "Mirrored", "Random", "Over the highest", "p (Holm)", "n")
BY_LAYER = (
    "Mean attention of each layer's heads, beside the same box on a gray picture, the mirrored box, random boxes."
)
BEST = "The best of many heads on the same questions: read the corrected p-value, not the number by itself."
SHARES = "Share is of the image's attention, beside the target's share of area; sinks with their share of attention."


def of_study(study: Study, layers: Sequence[Row], heads: Sequence[Sequence[Row]]) -> tuple[Grid, ...]:
    """The tables of a study, from rows of layers and, a group a target, of heads; folded, without those of no rows."""
    every = [row for row in layers if row["answered"] == "all"]
    grids = (
        _grid(study, "How well attention finds the boxes, by layer", "Layer", NUMBERS, every, _numbers, BY_LAYER),
        _by_answer(study, layers),
        _grid(
            study, "Shares of attention and sinks, by layer", "Layer",
            ("Share (area)", "AUROC without sinks", "Sinks (share)"), every, _shares, SHARES,
        ),
        _grid(
            study, "The three heads furthest above their nulls", "Layer.head", NUMBERS, _best(heads), _numbers, BEST
        ),
    )  # fmt: skip
    return tuple(grid for grid in grids if grid.rows)


def _grid(
    study: Study, heading: str, place: str, names: tuple[str, ...], rows: Sequence[Row], cells: Any, note: str
) -> Grid:  # fmt: skip
    lines = []
    for row in rows:
        at = str(row["layer"]) if row["head"] is None else f"{row['layer']}.{row['head']}"
        numbers = ("omitted",) * len(names) if row["omitted"] else cells(row)
        lines.append((suite_words(row, study.titles), NAMES[row["target"]], at, *numbers))
    suites, files = tuple(row["suite"] for row in rows), study.files(SUMMARY.name)
    columns = ("Suite", "Target", place, *names)
    grid = Grid(heading, columns, tuple(lines), words=3, folded=True, files=files, note=note, suites=suites)
    return slim(grid, "n")


def _numbers(row: Row) -> tuple[str, ...]:
    return (
        with_interval(row["auroc"], row["low"], row["high"]), decimal(row["gray"]), decimal(row["mirrored"]),
        decimal(row["random"]), with_interval(row["over"], row["over_low"], row["over_high"]), p_value(row["p_holm"]),
        str(row["questions"]),
    )  # fmt: skip


def _shares(row: Row) -> tuple[str, ...]:
    sinks = "–" if row["sinks"] is None else f"{row['sinks']:.1f} ({decimal(row['sink_share'])})"
    return f"{decimal(row['share'])} ({decimal(row['area'])})", decimal(row["kept"]), sinks


def _by_answer(study: Study, layers: Sequence[Row]) -> Grid:
    """AUROC in correct and in incorrect answers, a line a layer; without targets of which one side was not seen."""
    at: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in layers:
        key = tuple(row[name] for name in ("suite", "prompt", "queries", "target", "layer"))
        at.setdefault(key, {})[row["answered"]] = row
    lines, suites = [], []
    for sides in at.values():
        if "right" in sides and "wrong" in sides:
            row = sides["right"]
            suites.append(row["suite"])
            start = (suite_words(row, study.titles), NAMES[row["target"]], str(row["layer"]))
            lines.append((*start, *(_side(sides[name]) for name in ("right", "wrong"))))
    columns = ("Suite", "Target", "Layer", "Correct answers (n)", "Incorrect answers (n)")
    return Grid(
        "AUROC in correct and in incorrect answers, by layer", columns, tuple(lines), words=3, folded=True,
        suites=tuple(suites),
    )  # fmt: skip


def _side(row: Row) -> str:
    number = "omitted" if row["omitted"] else with_interval(row["auroc"], row["low"], row["high"])
    return f"{number} ({row['questions']})"


def _best(groups: Sequence[Sequence[Row]]) -> list[Row]:
    """Of each suite and target the three heads furthest above their nulls."""
    rows = []
    for group in groups:
        rows += sorted((row for row in group if row["over"] is not None), key=lambda row: -float(row["over"]))[:3]
    return rows
