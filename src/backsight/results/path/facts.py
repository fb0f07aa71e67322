"""PathFacts: what a study knows of the path of position through the model, before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from backsight.results.pages.study import Study, mapping, number, text
from backsight.results.path.lanes import LAYER, VISION, Kind, Lane, Reading, lane, readings
from backsight.results.path.verdict import PATHWAYS, Verdict, verdict_of
from backsight.results.pathways import reading


@dataclass(frozen=True)
class PathFacts:
    """The path of position through one model, by one study.

    `layers` are the language model's decoder blocks and `blocks` the vision encoder's; None where that is not known.
    `suite` is the diagram's; a lane of another suite names its own. `agreeing` says of each pathway in how many suites,
    of how many with a share, its outcome is the same; `same` says of how many suites' verdicts how many are the same.
    """

    model: str
    family: str = ""
    layers: int | None = None
    blocks: int | None = None
    projector: bool = True
    suite: str = ""
    title: str = ""
    verdict: Verdict = field(default_factory=Verdict)
    agreeing: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    readable: Lane = field(default_factory=lambda: Lane("readable"))
    flips: Lane = field(default_factory=lambda: Lane("flips"))
    ordinal: Lane = field(default_factory=lambda: Lane("ordinal"))
    same: tuple[int, int] = (0, 0)

    @property
    def lanes(self) -> tuple[Lane, Lane, Lane]:
        """All lanes, in the order in which position passes: readable, flips, ordinal."""
        return self.readable, self.flips, self.ordinal


class HasPath(Protocol):
    """Whatever knows its path, such as an opened study."""

    @property
    def path(self) -> PathFacts: ...


def path_facts(study: Study) -> PathFacts:
    """The facts of the path in a study; what it did not measure is there as such."""
    model = mapping(study.data.get("model"))
    kinds: tuple[Kind, ...] = ("readable", "flips", "ordinal")
    of = {kind: readings(study, kind) for kind in kinds}
    verdict = verdict_of(study)
    wanted = [name for name in (verdict.suite, *_common(of)) if name]
    readable, flips, ordinal = (lane(study, kind, of[kind], wanted) for kind in kinds)
    there = [one for one in (readable, flips, ordinal) if one.suite]
    suite = verdict.suite or next((name for name in wanted), there[0].suite if there else "")
    title = verdict.title or next((one.title for one in there if one.suite == suite), "")
    layers, blocks = number(model.get("layers")), number(model.get("vision_layers"))
    return PathFacts(
        text(model.get("name")) or "A model", text(model.get("family")),
        _count(layers, there, LAYER, less=1), _count(blocks, there, VISION), model.get("projector") is not False,
        suite, title, verdict, _agreeing(study, verdict), readable, flips, ordinal,
        reading.same(reading.of_study(study), verdict.judged),
    )  # fmt: skip


def _common(of: Mapping[Kind, Mapping[str, Reading]]) -> list[str]:
    """The suites that every measured lane has, in the order of the first."""
    measured = [of_kind for of_kind in of.values() if of_kind]
    return [name for name in (measured[0] if measured else ()) if all(name in of_kind for of_kind in measured)]


def _count(known: float | None, lanes: list[Lane], site: str, less: int = 0) -> int | None:
    """How many layers there are: as the record says, else as many as were measured."""
    if known is not None:
        return int(known)
    seen = [bar.place.layer for one in lanes for bar in one.bars if bar.place.site == site]
    return max(seen) + 1 - less if seen else None


def _agreeing(study: Study, verdict: Verdict) -> dict[str, tuple[int, int]]:
    every = reading.of_study(study)
    counts = {}
    for name in PATHWAYS:
        outcomes = [one.outcomes[name] for one in every if one.shares[name] is not None]
        own = verdict.pathways[name]
        if own.share is not None:
            counts[name] = (sum(one == own.outcome for one in outcomes), len(outcomes))
    return counts
