"""What happens at each place of the path, from the summaries of probes and of both interchanges, for one suite each.

A place is a site and a layer: behind a block of the vision encoder, at the image embeddings (the projector's output),
or before a layer of the language model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from backsight.maths.interchange import GUESSED
from backsight.results.drawing import sweeps
from backsight.results.drawing.style import suite_title
from backsight.results.image_interchange.tables import flip_layers
from backsight.results.interchange import order_layers
from backsight.results.pages.study import Study
from backsight.results.probes import lost
from backsight.results.probes.readable import READABLE, is_readable, missing
from backsight.tables import Table

Row = dict[str, Any]
Kind = Literal["readable", "flips", "ordinal"]
State = Literal["measured", "omitted", "no table", "not measured"]
VISION, EMBEDS, LAYER = "vision", "image_embeds", "resid_pre"
SITES = (VISION, EMBEDS, LAYER)  # in the order of the computation
TABLES = {"readable": "probes_summary", "flips": "image_interchange_summary", "ordinal": "interchange_summary"}
JOBS = {"readable": "probes", "flips": "imageinterchange", "ordinal": "interchange"}


class Place(NamedTuple):
    """A place of the path."""

    site: str
    layer: int


class Bar(NamedTuple):
    """A share at a place with its 95 % interval, and whether it counts by the measurement's own rule."""

    place: Place
    share: float
    low: float
    high: float
    counts: bool


@dataclass(frozen=True)
class Lane:
    """One thing that happens along the path, in one suite.

    `parts` has the places at which it holds, by arrangement where a suite has several; a bar is that of the arrangement
    with the smaller share, and counts where all do. `null` is what the share is without position. `number` is how many
    pictures or pairs there are. In `same` of `suites` suites that tell, it holds at the same places; position is
    readable from the same place on where the first places are the same, or where at the earlier of the two the other
    suite's interval reaches what counts as readable.
    """

    kind: Kind
    state: State = "not measured"
    suite: str = ""
    title: str = ""
    bars: tuple[Bar, ...] = ()
    parts: tuple[tuple[str, tuple[Place, ...]], ...] = ()
    null: float | None = None
    number: int = 0
    same: int = 0
    suites: int = 0

    @property
    def places(self) -> tuple[Place, ...]:
        """The places at which it holds, in the order of the computation."""
        return tuple(bar.place for bar in self.bars if bar.counts)


class Reading(NamedTuple):
    """What one suite tells: bars, places by arrangement, null and number; no bars where it is omitted."""

    bars: tuple[Bar, ...]
    parts: tuple[tuple[str, tuple[Place, ...]], ...]
    null: float | None
    number: int


def readings(study: Study, kind: Kind) -> dict[str, Reading]:
    """What each suite tells, in the order of the table; none where there is no table."""
    table = study.tables.get(TABLES[kind])
    if table is None:
        return {}
    if kind == "readable":
        return _probed(table.rows())
    if kind == "flips":
        frame = table.frame
        shown = frame[(frame["vision"] == "intact") & (frame["tokens"] == "objects") & (frame["direction"] == "all")]
        part = Table(table.schema, shown, table.provenance)
        return _interchanged(part, flip_layers(part) if len(part) else part, "flipped")
    shown = table.frame[table.frame["direction"] == "all"]
    part = Table(table.schema, shown, table.provenance)
    return _interchanged(part, order_layers(part) if len(part) else part, "ordinal")


def lane(study: Study, kind: Kind, of: Mapping[str, Reading], wanted: Sequence[str]) -> Lane:
    """The lane of the first of the wanted suites that was measured, else of the first that was, else an omitted one."""
    if not of:
        asked = any(job.get("kind") == JOBS[kind] for job in study.jobs)
        return Lane(kind, "no table" if asked else "not measured")
    order = dict.fromkeys([*(name for name in wanted if name in of), *of])
    suite = next((name for name in order if of[name].bars), next(iter(order)))
    one = of[suite]
    title = study.titles.get(suite) or suite_title(suite)
    if not one.bars:
        return Lane(kind, "omitted", suite, title, number=one.number)
    known = [reading for reading in of.values() if reading.bars]
    alike = _begins_alike if kind == "readable" else _holds_alike
    same = sum(alike(one, other) for other in known)
    return Lane(kind, "measured", suite, title, one.bars, one.parts, one.null, one.number, same, len(known))


def _holds_alike(one: Reading, other: Reading) -> bool:
    """Whether it holds at the same places in two suites, whatever their arrangements are called."""
    return {places for _, places in one.parts} == {places for _, places in other.parts}


def _begins_alike(one: Reading, other: Reading) -> bool:
    """Whether two suites are not shown to differ in the first place at which position is readable.

    At the earlier of both first places the interval of the later suite has to reach the share that counts as readable.
    """
    firsts = [next((bar.place for bar in of.bars if bar.counts), None) for of in (one, other)]
    there = [place for place in firsts if place is not None]
    if len(set(firsts)) == 1 or not there:
        return True
    earlier = min(there, key=_order)
    later = one if firsts[0] != earlier else other
    return any(bar.place == earlier and bar.high >= READABLE for bar in later.bars)


def _order(place: Place) -> tuple[int, int]:
    return SITES.index(place.site), place.layer


def _probed(rows: Sequence[Row]) -> dict[str, Reading]:
    """Of each suite, rows of things before grids: by place, the arrangement of the smallest share."""
    by_suite: dict[str, dict[str, lost.Group]] = {}
    standard = [(key, group) for key, group in lost.grouped(rows).items() if key[2] == "standard"]
    for (suite, arrangement, _), group in sorted(standard, key=lambda one: one[0][1] == "grid"):
        by_suite.setdefault(suite, {})[arrangement] = group
    return {suite: _arranged(groups) for suite, groups in by_suite.items()}


def _arranged(groups: Mapping[str, lost.Group]) -> Reading:
    number = max(map(lost.pictures, groups.values()))
    probed_at = {
        name: {Place(*place): at for place, at in group.items() if not missing(at)} for name, group in groups.items()
    }
    known = {name: group for name, group in probed_at.items() if group}
    if not known:
        return Reading((), (), None, number)
    order = sorted({place for group in known.values() for place in group}, key=_order)
    bars = []
    for place in order:
        there = [group[place] for group in known.values() if place in group]
        least = min((at["objects"] for at in there), key=lambda row: float(row["share"]))
        bars.append(Bar(place, least["share"], least["low"], least["high"], all(map(is_readable, there))))
    parts = tuple(
        (name, tuple(place for place in order if place in group and is_readable(group[place])))
        for name, group in known.items()
    )
    chance = next(at["objects"]["chance"] for group in known.values() for at in group.values())
    return Reading(tuple(bars), parts, chance, number)


def _interchanged(summary: Table, decided: Table, outcome: str) -> dict[str, Reading]:
    """Of each suite: by layer, the share of the pairs in which the outcome is the model's answer.

    A summary of an earlier release has the outcome's probability alone, which stands in.
    """
    spans = {row["suite"]: row for row in decided.rows()}
    of: dict[str, list[Row]] = {name: [] for name in spans}
    for row in summary.rows():
        if row["outcome"] == outcome and not row["omitted"]:
            of[row["suite"]].append(row)
    return {suite: _swept(sorted(rows, key=lambda r: int(r["layer"])), spans[suite]) for suite, rows in of.items()}


def _swept(rows: Sequence[Row], decided: Row) -> Reading:
    layers = {layer for first, last in sweeps.numbers(decided["layers"] or "") for layer in range(first, last + 1)}
    bars = []
    for row in rows:
        names = ("probability", "low", "high") if row["answer"] is None else ("answer", "answer_low", "answer_high")
        share, low, high = (float(row[name]) for name in names)
        bars.append(Bar(Place(LAYER, int(row["layer"])), share, low, high, row["layer"] in layers))
    held = tuple(bar.place for bar in bars if bar.counts)
    return Reading(tuple(bars), (("", held),) if bars else (), GUESSED, int(decided["pairs"]))
