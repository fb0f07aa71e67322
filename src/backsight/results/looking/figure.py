"""AUROC of every head, one map a suite and target: layers from the bottom up, heads side by side, their mean apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from backsight.errors import UsageError
from backsight.results.drawing import panels, style
from backsight.results.pages.wording import omitted
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
NAMES = {"subject": "subject", "reference": "reference", "boxes": "all boxes"}
STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)
APART = 1.6  # where the mean over heads stands, in heads left of the first
FEW = 9  # heads, up to which each is numbered
LOW, HIGH = 0.16, 0.34  # inches, of a layer's line in a map of many and of few


def draw(
    table: Table, *, target: str | None = None, columns: int | None = None, titles: Mapping[str, str] | None = None
) -> Figure:
    """AUROC by layer and head, one panel a suite, prompt and target; a dot where attention finds the target.

    `target` is subject, reference or boxes; without it subject and reference where they are named. `columns` is the
    number of panels across; 1 is for a phone. `titles` gives suites the names to print.
    """
    rows = [row for row in table.rows() if row["answered"] == "all"]
    groups = panels.grouped(rows, table.schema.name, "suite", "prompt", "queries", "target")
    there = [name for name in NAMES if any(row["target"] == name for row in rows)]
    if target is not None and target not in there:
        raise UsageError("There is no such target", got=target, do=f"choose from: {', '.join(there)}")
    several = {key[:3] for key in groups if key[3] == "subject"}
    shown = []
    for key, group in groups.items():
        if key[3] == target or (target is None and not (key[3] == "boxes" and key[:3] in several)):
            title = f"{suite_words(group[0], titles)}: {NAMES[key[3]]}"
            empty = omitted(group[0]["questions"], "question") if group[0]["omitted"] else ""
            below = style.counted(group[0]["questions"], "question")
            shown.append(
                panels.Panel(title, below, partial(_panel, group=group), empty, _height(group), suite=group[0]["suite"])
            )
    with style.style():
        return panels.draw(shown, _entries(), columns or min(2, len(shown)), across=3)


def suite_words(row: Row, titles: Mapping[str, str] | None) -> str:
    """A suite with its prompt where that tells several apart."""
    title = style.suite_title(row["suite"], titles)
    return title + (f", prompt {row['prompt']}" if row["prompt"] and "prompt" not in title else "")


def _height(group: Sequence[Row]) -> float:
    layers = len({row["layer"] for row in group})
    return 1.1 + layers * float(np.clip(3.2 / layers, LOW, HIGH))


def _panel(axis: Axes, group: Sequence[Row]) -> None:
    from matplotlib.ticker import MaxNLocator

    layers = sorted({row["layer"] for row in group})
    heads = sorted({row["head"] for row in group if row["head"] is not None})
    color = _colors()
    for row in group:
        if row["auroc"] is None:
            continue
        x = row["head"] if row["head"] is not None else -APART
        axis.bar(x, 0.96, 0.96, bottom=row["layer"] - 0.48, color=color(row["auroc"]), linewidth=0)
        if row["finds"]:
            axis.plot([x], [row["layer"]], "o", color=style.INK, markersize=2.6 if len(heads) <= FEW else 1.4)
    axis.set(ylabel="layer", ylim=(layers[0] - 0.6, layers[-1] + 0.6), xlim=(-APART - 0.7, max(heads, default=0) + 0.7))
    axis.yaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, steps=[1, 2, 4, 5, 10]))
    step = 1 if len(heads) <= FEW else max(1, len(heads) // 5)
    axis.set_xticks([-APART, *heads[::step]], labels=["mean", *(str(head) for head in heads[::step])])
    axis.set_xlabel("head")
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def _colors() -> Any:
    """AUROC as a colour: white at .5, blue above, orange below."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("auroc", [style.ORANGE, "#f4f4f4", style.BLUE])


def _entries() -> list[panels.Entry]:
    color = _colors()
    entries: list[panels.Entry] = [
        (
            panels.patch(facecolor=color(step), linewidth=0),
            f"AUROC {step:g}" + (", as by chance" if step == 0.5 else ""),
        )
        for step in STEPS
    ]
    dot = panels.line(color=style.INK, marker="o", markersize=2.6, linestyle="none")
    return [*entries, (dot, "above every null")]
