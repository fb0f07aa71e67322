"""Attention within the image: whether it finds the boxes that a question is about.

Per question, layer and head: the share of the image's attention that a box gets, beside its share of the area, and how
well attention tells tokens inside of it from those outside (AUROC). Three nulls stand beside: boxes of the same size
put anywhere, the same box mirrored (a place prior: things sit in the middle), and the same box on a uniform gray
picture, where nothing can be found.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example
from backsight.grid import Box, TokenGrid
from backsight.maths import attention
from backsight.maths.attention import Floats, Mask
from backsight.measurements import costs, memory, watched
from backsight.measurements.base import Row, Samples
from backsight.measurements.modalities import OfAttention, asked
from backsight.measurements.recordings import Recorded
from backsight.measurements.watched import Layer, Queries, Watched
from backsight.models.facts import ModelFacts
from backsight.models.vlm import VLM
from backsight.results import Result, looking
from backsight.results.looking import COLUMNS

VERTICAL = ("above", "below", "on", "under")
SAME = 0.5  # share of a box that its mirror image may cover and still be another place
Regions = dict[str, Floats]  # by target (region, token): the boxes, their mirror image, random ones


@dataclass(frozen=True)
class Looking(OfAttention):
    """How well attention finds subject and reference, one row a question, layer and head; `head` is missing for the
    mean over a layer's heads.

    `random` boxes of equal size are put anywhere. A token is a sink of a layer where it gets more than `sink` times the
    uniform share both in the picture and in a uniform gray one, in the mean over heads: AUROC is given with sinks and
    without. Questions without boxes have no rows.
    """

    result: ClassVar[Result] = looking.RESULT

    random: int = 10
    sink: float = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.random < 1:
            raise UsageError("The null needs at least one random box", got=self.random)
        if not self.sink > 1:
            raise UsageError("A sink gets more than the uniform share", got=self.sink, do="give a number above 1")

    def check(self, facts: ModelFacts, samples: Samples) -> None:
        """CannotAnswer where no question has a box."""
        super().check(facts, samples)
        if not any(e.boxes for e in samples if isinstance(e, Example)):
            raise CannotAnswer("No question of this set has a box that attention could find", got=samples.name)

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """A forward a question, and one a question about a gray picture; equal ones once a batch."""

        def run(batch: list[Example]) -> Iterator[costs.Spent]:
            for shown in (batch, distinct([e for e in batch if e.boxes])[0]):
                if shown:
                    call = facts.call(shown)
                    yield call, call.forward()

        return costs.total(facts, samples, self.plan(samples), run)

    def bytes_each(self, facts: ModelFacts, samples: Samples) -> int:
        """A watched forward of the gray picture, beside what one of the picture leaves: its input and its attention."""
        sizes = facts.sizes(samples)
        return super().bytes_each(facts, samples) + sizes.inputs + memory.logits(sizes)

    def rows_from(self, recorded: Recorded) -> list[Row]:
        """The rows of one recorded batch, and of the gray pictures beside it."""
        assert recorded.attention is not None and recorded.logits is not None
        boxed = [n for n, example in enumerate(recorded.asked) if example.boxes]
        if not boxed:
            return []
        gray, index = on_gray(recorded.vlm, [recorded.asked[n] for n in boxed], self.queries)
        rows: list[Row] = []
        for n, blank in zip(boxed, index, strict=True):
            example, grid = recorded.asked[n], recorded.grids[recorded.asked[n].id]
            regions = regions_of(example, grid, self.random)
            common = asked(recorded.vlm, example, recorded.logits[n]) | {"queries": self.queries}
            for layer in recorded.attention.layers:
                shown = _on_image(recorded.attention, n, layer)
                blind = _on_image(gray, blank, layer)
                for head, values in enumerate(_values(shown, blind, regions, self.sink)):
                    rows.append(common | {"layer": layer, "head": head - 1 if head else None} | values)
        return rows


def on_gray(vlm: VLM, examples: Sequence[Example], queries: Queries) -> tuple[Watched, list[int]]:
    """The attention of the same questions about uniform gray pictures, and which of its prompts is each example's."""
    shown, index = distinct(examples)
    return watched.watched(vlm, vlm.prepare(shown), queries)[1], index


def distinct(examples: Sequence[Example]) -> tuple[list[Example], list[int]]:
    """The questions about gray pictures that differ, and for each example which of them is its own."""
    blank = [e.blank() for e in examples]
    first: dict[object, int] = {}
    index = [first.setdefault((e.image_id, e.question, e.system), len(first)) for e in blank]
    return [blank[index.index(n)] for n in range(len(first))], index


def regions_of(example: Example, grid: TokenGrid, random: int) -> Regions:
    """By target the share of each token's cell that lies in it, (region, token): as it is, mirrored, `random` others.

    The mirror exchanges the two sides that the question's direction tells apart.
    """
    keys = {"subject": example.subject, "reference": example.reference}
    named = {name: example.boxes[key] for name, key in keys.items() if key is not None and key in example.boxes}
    of: dict[str, list[Box]] = {name: [box] for name, box in named.items()}
    of["boxes"] = list(named.values()) if len(named) == 2 else list(example.boxes.values())
    rng = np.random.default_rng(zlib.crc32(example.id.encode()))
    regions: Regions = {}
    for name, boxes in of.items():
        places = [boxes, [_mirrored(box, grid.size, example.direction) for box in boxes]]
        places += [[_anywhere(box, grid.size, rng) for box in boxes] for _ in range(random)]
        regions[name] = np.stack([np.clip(sum(grid.overlap(box) for box in some), 0, 1) for some in places])
    return regions


def _mirrored(box: Box, size: tuple[int, int], direction: str | None) -> Box:
    width, height = size
    if direction in VERTICAL:
        return Box(box.left, height - box.bottom, box.right, height - box.top)
    return Box(width - box.right, box.top, width - box.left, box.bottom)


def _anywhere(box: Box, size: tuple[int, int], rng: np.random.Generator) -> Box:
    left, top = (float(rng.uniform(0, max(0.0, room))) for room in (size[0] - box.width, size[1] - box.height))
    return Box(left, top, left + box.width, top + box.height)


@dataclass(frozen=True)
class _OnImage:
    """Of one prompt and layer: attention to the image tokens (head + 1, image_token), the mean over heads first, and
    which of them the queries see."""

    attention: Floats
    seen: Mask


def _on_image(of: Watched, number: int, layer: int) -> _OnImage:
    image = of.prompts[number].image
    at: Layer = of.layers[layer]
    shown = at.attention[number][:, image]
    return _OnImage(np.concatenate([shown.mean(0, keepdims=True), shown]), at.uniform[number][image] > 0)


def _values(shown: _OnImage, blind: _OnImage, regions: Regions, times: float) -> Iterator[Row]:
    """The columns of the mean over heads, then of each head."""
    seen = shown.seen & blind.seen
    sinks = np.zeros(len(seen), dtype=bool)
    if seen.any():
        sinks[seen] = attention.sinks(shown.attention[0, seen], blind.attention[0, seen], times)
    places = np.concatenate(list(regions.values()))
    first = np.arange(0, len(places), len(places) // len(regions))  # of each target, as it is
    for mine, gray in zip(shown.attention, blind.attention, strict=True):
        row: Row = dict.fromkeys(COLUMNS) | {"sinks": int(sinks.sum()) if seen.any() else None}
        total = float(mine[seen].sum())
        if total > 0:
            row["sink_share"] = float(mine[sinks].sum()) / total
            scored = attention.auroc(mine[seen], places[:, seen])
            kept = scored[first]
            if sinks.any():
                kept = attention.auroc(mine[seen & ~sinks], places[np.ix_(first, seen & ~sinks)])
            blank = attention.auroc(gray[seen], places[np.ix_(first, seen)]) if gray[seen].sum() > 0 else None
            for number, (name, own) in enumerate(regions.items()):
                values = _of_target(mine[seen], own[:, seen], scored[first[number] :][: len(own)])
                values |= {"kept": float(kept[number]), "gray": np.nan if blank is None else float(blank[number])}
                row |= {f"{name}_{key}": None if np.isnan(value) else value for key, value in values.items()}
        yield row


def _of_target(given: Floats, inside: Floats, scored: Floats) -> dict[str, float]:
    """Shares of the image's attention `given` (image_token,) and of the area, AUROC, and the nulls on the picture."""
    covered = np.minimum(inside[0], inside[1]).sum() > SAME * inside[0].sum()
    random = scored[2:][~np.isnan(scored[2:])]
    return {
        "share": float(given @ inside[0] / given.sum()), "area": float(inside[0].mean()), "auroc": float(scored[0]),
        "mirrored": np.nan if covered else float(scored[1]),
        "random": float(random.mean()) if len(random) else np.nan,
    }  # fmt: skip
