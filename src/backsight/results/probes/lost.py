"""Where the position of things is readable, and where it is lost: a record a suite and arrangement.

Probes are fitted in the order of the computation: behind each block of the vision encoder, at the image embeddings
behind the projector, and before each layer of the language model. Where position counts as readable is in `readable`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from backsight.results.pages.study import Study
from backsight.results.probes.figure import SITES
from backsight.results.probes.readable import is_readable, missing

Row = Mapping[str, Any]
Place = tuple[str, int]  # site and layer
Group = Mapping[Place, Mapping[str, Row]]  # in the order of the computation; rows by measure
Lost = Literal["vision encoder", "projector", "language model", "nowhere", "partly readable", "never readable"]


@dataclass(frozen=True)
class Stage:
    """One part of the model, from the probes of its layers.

    `readable` are the layers at which position is readable; empty where it is at none. `last` is whether the last
    measured layer is one of them. `best` is the first layer with the largest share of object tokens given their
    position, and `share`, `low` and `high` are that share with its 95 % interval over test pictures. `end_high` is the
    upper end of the interval at the last measured layer, and `above` whether any layer's whole interval lies above
    chance.
    """

    layers: tuple[int, ...]
    readable: tuple[int, ...]
    best: int
    share: float
    low: float
    high: float
    end_high: float = 1.0
    above: bool = False

    @property
    def last(self) -> bool:
        """Whether position is readable at the last layer of this part."""
        return self.layers[-1] in self.readable


@dataclass(frozen=True)
class Readable:
    """Where position is readable in one suite and arrangement; a part that was not measured, or omitted, is None.

    `arrangement` is horizontal, vertical or grid. `first` is the first site and layer at which position is readable,
    None where it is at none. `chance` is the share that a guess gives.
    """

    suite: str
    arrangement: str
    pictures: int
    chance: float
    first: Place | None
    vision: Stage | None
    projector: Stage | None
    language: Stage | None

    @property
    def lost(self) -> Lost | None:
        """The part that position is shown to go into readable and not to come out of; None where no probe tells.

        A loss is shown where the whole interval behind it lies below that of the best layer before it: in the encoder
        that of the last block, else that of the next part's best layer. Where all three parts were measured and no
        loss is shown: "nowhere" where position is readable at some layer, "partly readable" where it is at none, but
        some layer's whole interval lies above chance, else "never readable".
        """
        vision, projector, language = self.vision, self.projector, self.language
        if vision and vision.readable and not vision.last and vision.end_high < vision.low:
            return "vision encoder"
        if vision and vision.last and _gone(vision, projector):
            return "projector"
        if projector and projector.readable and _gone(projector, language):
            return "language model"
        if vision is None or projector is None or language is None:
            return None
        if self.first:
            return "nowhere"
        return "partly readable" if any(one.above for one in (vision, projector, language)) else "never readable"


def _gone(before: Stage, after: Stage | None) -> bool:
    """Whether position is readable at no layer of a part, and its best share is shown to be below that before it."""
    return after is not None and not after.readable and after.high < before.low


def readable(study: Study) -> tuple[Readable, ...]:
    """Where position is readable, a record a suite and arrangement in the order of the study; empty without probes."""
    return records(study.rows("probes_summary"))


def records(rows: Sequence[Row]) -> tuple[Readable, ...]:
    """The same from rows of `probes_summary`."""
    arranged = {(suite, name): group for (suite, name, shown), group in grouped(rows).items() if shown == "standard"}
    return tuple(_record(suite, name, group) for (suite, name), group in arranged.items())


def grouped(rows: Iterable[Row]) -> dict[tuple[str, str, str], dict[Place, dict[str, Row]]]:
    """Rows of `probes_summary` by suite, arrangement and what is shown, then by site and layer, then by measure."""
    rows = list(rows)
    order = dict.fromkeys((str(r["suite"]), str(r["arrangement"]), str(r["shown"])) for r in rows)
    arranged: dict[tuple[str, str, str], dict[Place, dict[str, Row]]] = {key: {} for key in order}
    for row in sorted(rows, key=lambda r: (SITES.index(r["site"]), r["layer"])):
        group = arranged[row["suite"], row["arrangement"], row["shown"]]
        group.setdefault((row["site"], int(row["layer"])), {})[row["measure"]] = row
    return arranged


def above_chance(at: Mapping[str, Row]) -> bool:
    """Whether a probe is shown to be above chance and above one of shuffled positions; not where it is omitted."""
    return not missing(at) and bool(at["selectivity"]["low"] > 0 and at["objects"]["low"] > at["objects"]["chance"])


def pictures(group: Group) -> int:
    """The number of test pictures."""
    return max(int(row["pictures"]) for at in group.values() for row in at.values())


def _record(suite: str, arrangement: str, group: Group) -> Readable:
    known = {place: at for place, at in group.items() if not missing(at)}
    stages = (_stage({layer: at for (one, layer), at in known.items() if one == site}) for site in SITES)
    vision, projector, language = stages
    first = next((place for place, at in known.items() if is_readable(at)), None)
    chances = [row["chance"] for at in group.values() if (row := at.get("objects")) is not None]
    chance = float(chances[0]) if chances else 0.0
    return Readable(suite, arrangement, pictures(group), chance, first, vision, projector, language)


def _stage(layers: Mapping[int, Mapping[str, Row]]) -> Stage | None:
    if not layers:
        return None
    best = max(layers, key=lambda layer: float(layers[layer]["objects"]["share"]))
    share, low, high = (float(layers[best]["objects"][name]) for name in ("share", "low", "high"))
    able = tuple(layer for layer, at in layers.items() if is_readable(at))
    end = float(layers[max(layers)]["objects"]["high"])
    above = any(at["objects"]["low"] > at["objects"]["chance"] for at in layers.values())
    return Stage(tuple(layers), able, best, share, low, high, end, above)
