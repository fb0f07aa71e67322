"""A comparison in words and at a glance: what each metric is called, how far it moved, and how many of a family did.

A metric's name is made for a gate (`dae/pairs_a/creg/prediction/A`); a page calls it by its family's title, its set and
what of its keys a reader needs ("Direction of relevance: DAE in degrees, Pairs, prompt A").
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from backsight.errors import DataError
from backsight.results.drawing import panels, style
from backsight.results.pages.wording import signed
from backsight.results.relevance.words import METHOD_WORDS
from backsight.results.tournament.schema import TITLES as REPAIRS
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
MANY = 12  # metrics, above which a figure counts them by family before it plots each
DEGREES = {"dae", "dae_gain", "followed"}
WIDE, NARROW = 60, 24  # characters of a line of labels
HALF_TURN = 180.0  # degrees: as far apart as two directions can be
# By family what a value of its keys is called; an empty word is what the family or its figure says already.
KEYS: Mapping[str, Mapping[str, str]] = {
    "accuracy": {"all": "", "options": "", "free": "read freely"},
    "pathways": {
        "plain": "nothing ablated", "removed": "language model's order removed", "cells": "single cells",
        "shuffled": "image tokens shuffled", "order": "", "control": "presence question",
    },
    "permutation": {
        "own": "", "kept": "", "relational": "where-questions", "semantic": "what-questions", "moved": "positions too",
        "text": "at text norm",
    },
    "what_where": {"presence": "presence", "relation": "relation"},
    "interchange": {"ordinal": ""},
    "probes": {"vision": "vision encoder", "image_embeds": "image embeddings", "resid_pre": "residual stream"},
    "image_interchange": {"objects": "object tokens", "intact": "", "removed": "after removal"},
    "looking": {"subject": "subject", "last": "from the last position", "question": "from the question"},
    "knockout": {"attention": "", "creg": "CREG"},
    "corrected": {"projected": "as run", "printed": "equation 3"},
    "broken": {"projected": "as run", "printed": "equation 3"},
    "accuracy_by_size": {"own": "own size"},
    "cos": {"gray": "gray to the edge"},
    "repair_corrected": REPAIRS,
    "repair_broken": REPAIRS,
}  # fmt: skip
COMMON = METHOD_WORDS | {"creg": "", "prediction": "", "truth": "of the correct answer"}


def keys_words(row: Row) -> str:
    """A metric's set with what of its keys tells it from others of its family and set: "Pairs (read freely)"."""
    title = style.suite_title(row["set"])
    named = KEYS.get(row["family"], {})
    rest = row["metric"].removeprefix(f"{row['family']}/{row['set']}").strip("/")
    words = [_key(key, named) for key in rest.split("/") if key]
    shown = [word for word in words if word and not title.endswith(word)]
    return f"{title} ({', '.join(shown)})" if shown else title


def _key(key: str, named: Mapping[str, str]) -> str:
    if key in named or key in COMMON:
        return named[key] if key in named else COMMON[key]
    return f"prompt {key}" if len(key) == 1 and key.isupper() else key.replace("_", " ")


def metric_words(row: Row) -> str:
    """What a page calls a metric."""
    return f"{row['title'] or row['family']}, {keys_words(row)}"


def change_words(row: Row) -> str:
    """A paired difference with its interval where it has one: degrees with one decimal, all else with three."""
    if row["low"] is None:
        return signed(row["difference"])
    if row["low"] == row["high"]:
        return "no difference on any image" if not row["difference"] else f"{signed(row['difference'])} on each image"
    digits, unit = (1, "\u00a0degrees") if row["family"] in DEGREES else (3, "")
    value, low, high = (signed(row[name], digits) for name in ("difference", "low", "high"))
    return f"{value}{unit} [{low},\u00a0{high}]"


def reach(row: Row) -> float:
    """How far a metric moved, where degrees and shares can be set in one order: as a share of the farthest it can."""
    family = row["metric"].partition("/")[0]
    return float(abs(row["difference"])) / (HALF_TURN if family in DEGREES else 1.0)


def judged_rows(rows: Sequence[Row]) -> list[Row]:
    """The rows that a figure plots."""
    return [row for row in rows if row["drawn"] and row["how"] == "paired"]


def draw_counts(table: Table, *, columns: int | None = None) -> Figure:
    """How many metrics of each family are worse, better and not shown to differ, one panel a study, worst first.

    Counted are those that a figure plots. DataError where no such metric was compared paired.
    """
    rows = judged_rows(table.rows())
    if not rows:
        raise DataError("The table has no paired differences to draw", where=table.schema.name)
    shown = []
    for study in dict.fromkeys(row["study"] for row in rows):
        counts = by_family([row for row in rows if row["study"] == study])
        below = f"{style.counted(sum(map(sum, counts.values())), 'metric')} of whole sets"
        labels = wrapped(counts, NARROW if columns == 1 else WIDE)
        height = 0.9 + 0.13 * sum(1 + label.count("\n") + 1 for label in labels)
        draw_one = partial(_panel, counts=counts, labels=labels)
        shown.append(panels.Panel(study, below, draw_one, height=height))
    entries: list[panels.Entry] = [
        (panels.patch(facecolor=style.ORANGE, hatch="////", edgecolor="white"), "worse (hatched)"),
        (panels.patch(facecolor=style.BLUE), "better"),
        (panels.patch(facecolor=style.FAINT), "not shown to differ"),
    ]
    with style.style():
        return panels.draw(shown, entries, 1, across=3, width=style.NARROW if columns == 1 else style.WIDTH)


def by_family(rows: Sequence[Row]) -> dict[str, tuple[int, int, int]]:
    """By a family's title how many of its metrics are worse, better, and not shown to differ; the worst first."""
    counts: dict[str, list[int]] = {}
    for row in rows:
        of = counts.setdefault(row["title"] or row["family"], [0, 0, 0])
        of[("worse", "better", "no").index(row["moved"])] += 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1][0], item[1][1], item[0]))
    return {title: (of[0], of[1], of[2]) for title, of in ordered}


def wrapped(labels: Iterable[str], width: int) -> list[str]:
    """Labels in lines of at most `width` characters."""
    return [textwrap.fill(label, width) for label in labels]


def _panel(axis: Axes, counts: Mapping[str, tuple[int, int, int]], labels: Sequence[str]) -> None:
    """Worse to the left of zero; to the right better, and behind it what is not shown to differ."""
    for place, (worse, better, same) in enumerate(counts.values()):
        axis.barh(place, -worse, color=style.ORANGE, hatch="////", edgecolor="white", linewidth=0, height=0.66)
        axis.barh(place, better, color=style.BLUE, height=0.66)
        axis.barh(place, same, left=better, color=style.FAINT, height=0.66)
    axis.axvline(0, color=style.SOFT, linewidth=0.8)
    left = max(worse for worse, _, _ in counts.values())
    right = max(better + same for _, better, same in counts.values())
    axis.set(xlim=(-left - 0.5, right + 0.5), ylim=(len(counts) - 0.4, -0.6), xlabel="number of metrics")
    axis.set_yticks(range(len(counts)), labels=labels, multialignment="right")
    ticks = sorted({-left, 0, right})
    axis.set_xticks(ticks, labels=[str(abs(tick)) for tick in ticks])
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
