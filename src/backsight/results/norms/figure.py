"""Norms of image and text tokens by layer, and the share of variance that position explains: two panels a suite.

Blocks of the vision encoder stand to the left of the language model's layers, of which 0 is its input. Bands are 95 %
intervals over pictures, for norms the span of their middle 90 %. Dotted is the share of shifted positions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from backsight.results.drawing import panels, style
from backsight.results.pages.wording import omitted
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
NORMS = {"image": (style.BLUE, "o", "image tokens"), "text": (style.SOFT, "s", "text tokens")}
SIGNALS = {
    "objects": (style.ORANGE, "^", "position's share, object tokens, with 95 % interval"),
    "rest": (style.GREEN, "D", "position's share, other image tokens"),
}
PARTS = ("position", "norms")
NULL: dict[str, Any] = {"color": style.SOFT, "linewidth": 0.9, "linestyle": (0, (1, 2))}


def draw(
    table: Table,
    *,
    columns: int | None = None,
    titles: Mapping[str, str] | None = None,
    parts: Sequence[str] = PARTS,
) -> Figure:
    """Position's share and norms by layer, a panel each of a suite.

    `columns` is the number of panels across; 1 is for a phone. `titles` gives suites the names to print. `parts` says
    which of both are drawn.
    """
    rows, shown = table.rows(), []
    for (suite,), group in panels.grouped(rows, table.schema.name, "suite").items():
        group.sort(key=place)
        empty = omitted(group[0]["pictures"], "picture") if all(row["omitted"] for row in group) else ""
        title, below = style.suite_title(suite, titles), style.counted(group[0]["pictures"], "picture")
        for part, panel in (("position", _signal), ("norms", _norms)):
            if part in parts:
                words = f"{title}: {part}" if len(parts) > 1 else title
                shown.append(panels.Panel(words, below, partial(panel, group=group), empty, suite=suite))
    with style.style():
        entries = [entry for part in PARTS if part in parts for entry in _entries(part, rows)]
        return panels.draw(shown, entries, columns)


def _entries(part: str, rows: Sequence[Row]) -> list[panels.Entry]:
    if part == "norms":
        return [
            (panels.look(color, marker), f"{words}, with their middle 90 %") for color, marker, words in NORMS.values()
        ]
    looks = [look for name, look in SIGNALS.items() if any(row[name] is not None for row in rows)]
    shares: list[panels.Entry] = [(panels.look(color, marker), words) for color, marker, words in looks]
    return [*shares, (panels.line(**NULL), "positions shifted around each picture (dotted)")]


def place(row: Mapping[str, Any]) -> tuple[bool, int]:
    """The order of layers: blocks of the vision encoder, then the language model's."""
    return row["site"] != "vision", int(row["layer"])


def _places(group: Sequence[Row]) -> list[float]:
    """Where each layer stands: the language model's from 0 on, the vision encoder's before it."""
    blocks = sum(row["site"] == "vision" for row in group)
    return [row["layer"] - (blocks if row["site"] == "vision" else 0) for row in group]


def _norms(axis: Axes, group: Sequence[Row]) -> None:
    places = _places(group)
    for name, (color, marker, _) in NORMS.items():
        at = [(x, row) for x, row in zip(places, group, strict=True) if row[f"{name}_mean"] is not None]
        if not at:
            continue
        x, there = [one[0] for one in at], [one[1] for one in at]
        low, high = ([row[f"{name}_{end}"] for row in there] for end in ("low", "high"))
        axis.fill_between(x, low, high, color=color, alpha=0.16, linewidth=0)
        axis.plot(x, [row[f"{name}_mean"] for row in there], color=color, marker=marker, markersize=4, linewidth=1.3)
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter("")
    axis.set_ylabel("norm")
    _axis(axis, group, places)


def _signal(axis: Axes, group: Sequence[Row]) -> None:
    places = _places(group)
    for name, (color, marker, _) in SIGNALS.items():
        at = [(x, row) for x, row in zip(places, group, strict=True) if row[name] is not None]
        if not at:
            continue
        x = [one[0] for one in at]
        of = [{"low": row[f"{name}_low"], "high": row[f"{name}_high"], "share": row[name]} for _, row in at]
        panels.curve(axis, x, of, "share", panels.look(color, marker))
        axis.plot(x, [row[f"{name}_null"] for _, row in at], **(NULL | {"color": color}))
    axis.axhline(0, color=style.FAINT, linewidth=0.6, zorder=0)
    axis.set_ylabel("share of the variance")
    low, high = axis.get_ylim()
    axis.set_ylim(max(min(low, -0.03), -0.5), max(high, 0.1))
    _axis(axis, group, places)


def _axis(axis: Axes, group: Sequence[Row], places: Sequence[float]) -> None:
    """Layers below: the language model's by number, the vision encoder's blocks by v and theirs."""
    language = sum(row["site"] != "vision" for row in group)
    every = max(1, len(group) // 10)
    ticks = [(x, ("v" if r["site"] == "vision" else "") + str(r["layer"])) for x, r in zip(places, group, strict=True)
             if r["layer"] % every == 0]  # fmt: skip
    axis.set_xticks([x for x, _ in ticks], labels=[words for _, words in ticks])
    if 0 < language < len(group):
        axis.axvline(-0.5, color=style.FAINT, linewidth=0.9, zorder=0)
    axis.set(xlim=(min(places) - 0.5, max(places) + 0.5))
    axis.set_xlabel("layer (v: block of the vision encoder)" if language < len(group) else "layer")
