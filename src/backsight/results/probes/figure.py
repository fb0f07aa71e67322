"""Position probes by site and layer: through the vision encoder, the embeddings, and the language model.

Of the object tokens or of the background, the share that the probe gives its position, beside a probe of shuffled
positions and chance; and of rows that stand elsewhere, whether a token is given its position in the row or its column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from backsight.errors import DataError, UsageError
from backsight.results.drawing import panels, style
from backsight.results.probes.readable import READABLE, RULE
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
SITES = ("vision", "image_embeds", "resid_pre")  # in the order of the computation
REGION_WORDS = {"vision": "vision block", "image_embeds": "emb.", "resid_pre": "layer"}
NULL: dict[str, Any] = {"color": "#9a9a9a", "linewidth": 0.9}
RULED: dict[str, Any] = {"color": style.SOFT, "linewidth": 0.8, "linestyle": ":"}
ARRANGEMENTS = {
    "horizontal": (style.BLUE, "o", "horizontal rows"),
    "vertical": (style.ORANGE, "s", "vertical rows"),
    "grid": (style.GREEN, "^", "grids"),
}
READINGS = {
    "as_ordinal": (style.BLUE, "o", "given its position in the row (first, second, third)"),
    "as_column": (style.ORANGE, "s", "given the strip that it stands in"),
}
MEASURES = {
    "objects": "share of object tokens",
    "background": "share of background tokens",
    "shifted": "share of object tokens",
}


class Curve(NamedTuple):
    """A line of a panel: its colour and marker, its rows, and those of a probe of shuffled positions."""

    look: tuple[str, str]
    rows: list[Row]
    null: list[Row]


def draw(
    table: Table,
    *,
    measure: str = "objects",
    columns: int | None = None,
    titles: Mapping[str, str] | None = None,
) -> Figure:
    """Shares by site and layer, one panel a suite; `measure` is objects, background, or shifted (one a suite and axis).

    `columns` is the number of panels across; 1 is for a phone. `titles` gives suites the names to print.
    """
    if measure not in MEASURES:
        raise UsageError("There is no such measure to draw", got=measure, do=f"choose from: {', '.join(MEASURES)}")
    wanted = tuple(READINGS) if measure == "shifted" else (measure, f"{measure}_shuffled")
    shown = "shifted" if measure == "shifted" else "standard"
    rows = [row for row in table.rows() if row["measure"] in wanted and row["shown"] == shown]
    if not rows:
        raise DataError("The table has no rows of this measure", got=measure, where=table.schema.name)
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        arrangement = row["arrangement"] if measure == "shifted" else ""
        groups.setdefault((row["suite"], arrangement), []).append(row)
    axis = _Axis.of(rows)
    shown_panels = []
    for (suite, arrangement), group in groups.items():
        title = style.suite_title(suite, titles) + (f", {arrangement}" if arrangement else "")
        curves = _readings(group) if measure == "shifted" else _arrangements(group, measure)
        empty = "" if curves else f"omitted: {_pictures(group)}"
        draw = partial(_panel, axis_of=axis, curves=curves, chance=group[0]["chance"], measure=measure)
        shown_panels.append(panels.Panel(title, _counts(group), draw, empty, height=2.5, suite=suite))
    if measure == "shifted" and columns is None:
        columns = 2
    with style.style():
        return panels.draw(shown_panels, _entries(rows, measure), columns, across=2 if measure == "shifted" else 3)


class _Axis(NamedTuple):
    """Where each site and layer stands from left to right: vision blocks, embeddings, layers of the language model."""

    places: dict[tuple[str, int], float]
    gap: float

    @classmethod
    def of(cls, rows: Sequence[Row]) -> _Axis:
        keys = sorted({(row["site"], int(row["layer"])) for row in rows}, key=lambda k: (SITES.index(k[0]), k[1]))
        gap = max(0.8, len(keys) / 25)  # between sites, so that what is below each finds room
        places: dict[tuple[str, int], float] = {}
        at, before = 0.0, ""
        for site, layer in keys:
            at += 1.0 + (gap if site != before else 0.0) if before else 0.0
            places[site, layer], before = at, site
        return cls(places, gap)

    def region(self, site: str) -> list[tuple[int, float]]:
        """The layers of a site, each with its place."""
        return [(layer, at) for (one, layer), at in self.places.items() if one == site]

    def dress(self, axis: Axes) -> None:
        """Ticks at some layers of each site, and below them what the site is."""
        ticks, labels = [], []
        for site in SITES:
            region = self.region(site)
            if not region:
                continue
            if site != "image_embeds":
                step = next(s for s in (1, 2, 5, 10, 20, 50) if len(region) / s <= 5 or s == 50)
                ticks += [at for layer, at in region if layer % step == 0]
                labels += [str(layer) for layer, _ in region if layer % step == 0]
            middle = (region[0][1] + region[-1][1]) / 2
            place: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
            words = REGION_WORDS[site]
            axis.annotate(words, (middle, 0), xytext=(0, -24), ha="center", color=style.SOFT, fontsize=7.5, **place)
            if region[0][1] > 0:
                axis.axvline(region[0][1] - (1 + self.gap) / 2, color=style.FAINT, linewidth=0.6, zorder=0)
        axis.set_xticks(ticks, labels=labels)
        axis.set_xlim(-0.6, max(self.places.values()) + 0.6)


def _arrangements(group: Sequence[Row], measure: str) -> list[Curve]:
    """A curve an arrangement, with that of the probe of shuffled positions; none where it is omitted."""
    curves = []
    for arrangement, (color, marker, _) in ARRANGEMENTS.items():
        mine = [r for r in group if r["arrangement"] == arrangement and not r["omitted"]]
        lines = [[r for r in mine if r["measure"] == name] for name in (measure, f"{measure}_shuffled")]
        if lines[0]:
            curves.append(Curve((color, marker), *lines))
    return curves


def _readings(group: Sequence[Row]) -> list[Curve]:
    """A curve for either way to read shifted rows; none where they are omitted."""
    lines = {name: [r for r in group if r["measure"] == name and not r["omitted"]] for name in READINGS}
    return [Curve(READINGS[name][:2], line, []) for name, line in lines.items() if line]


def _panel(axis: Axes, axis_of: _Axis, curves: Sequence[Curve], chance: float, measure: str) -> None:
    for curve in curves:
        for rows, null in ((curve.null, True), (curve.rows, False)):
            line = sorted(rows, key=lambda r: axis_of.places[r["site"], int(r["layer"])])
            places = [axis_of.places[r["site"], int(r["layer"])] for r in line]
            if null:
                axis.plot(places, [r["share"] for r in line], **NULL, zorder=2)
            else:
                panels.curve(axis, places, line, "share", panels.look(*curve.look))
    axis.axhline(chance, **panels.CHANCE, zorder=1)
    if measure == "objects":
        axis.axhline(READABLE, **RULED, zorder=1)
    panels.shares(axis, MEASURES[measure])
    axis_of.dress(axis)


def _counts(group: Sequence[Row]) -> str:
    """Test pictures, a number an arrangement where they differ or where one is omitted."""
    numbers = {r["arrangement"]: (r["pictures"], r["omitted"]) for r in group}
    if len(set(numbers.values())) == 1:
        each = " an axis" if len(numbers) > 1 else ""
        return f"{_pictures(group)}{each}"
    counts = (f"{name} omitted (n={count})" if gone else f"{name} {count}" for name, (count, gone) in numbers.items())
    return f"test pictures: {', '.join(counts)}"


def _pictures(group: Sequence[Row]) -> str:
    return style.counted(max(row["pictures"] for row in group), "test picture")


def _entries(rows: Sequence[Row], measure: str) -> list[panels.Entry]:
    chance: panels.Entry = (panels.line(**panels.CHANCE), "chance")
    if measure == "shifted":
        return [*((panels.look(color, marker), words) for color, marker, words in READINGS.values()), chance]
    there = {row["arrangement"] for row in rows}
    looks = [(panels.look(color, mark), words) for name, (color, mark, words) in ARRANGEMENTS.items() if name in there]
    ruled: list[panels.Entry] = [(panels.line(**RULED), f"readable ({RULE})")] if measure == "objects" else []
    return [*looks, *ruled, (panels.line(**NULL), "probe of shuffled positions"), chance]
