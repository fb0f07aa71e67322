"""CREG: which way does the evidence for an answer point, seen from the reference? And which way would nothing point?

Every method's relevance goes through the same projection on compass sectors, under every option that the paper leaves
open, and beside it go maps that know nothing of the model: uniform relevance (the baseline), random relevance, a random
sector, all relevance on the subject (the best possible on this grid), uniform relevance inside
its box, and the true direction itself, which no projection made.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet
from backsight.grid import Box, TokenGrid
from backsight.maths import compass
from backsight.maths.compass import Floats, Projection
from backsight.maths.relevance import BOX, DEFAULT, FLOOR, NULL, ORACLE, RANDOM, RANDOM_CENTRE, SECTOR, SWAPPED
from backsight.measurements import memory, relevance
from backsight.measurements.base import Measurement, Row, Samples
from backsight.models.vlm import VLM
from backsight.results import Result
from backsight.results import creg as of_rows
from backsight.stimuli.questions import NUMBER, Direction

PROJECTIONS: dict[str, Projection] = {
    DEFAULT: Projection(),
    "beyond kept": Projection(beyond="kept"),
    "reference dropped": Projection(reference="dropped"),
    "beyond kept, reference dropped": Projection(beyond="kept", reference="dropped"),
    "middle to the right": Projection(middle="right"),
    "cells to the edges": Projection(cells="edges"),
    "4 sectors": Projection(sectors=4),
    "16 sectors": Projection(sectors=16),
}
DRAWS = 20  # maps of random relevance a question
DEGREES: dict[Direction, float] = {"right": 0.0, "above": 90.0, "left": 180.0, "below": 270.0}
# Answers in words that name a direction on the page.
SAID: dict[str, float] = {"right": 0.0, "above": 90.0, "on": 90.0, "left": 180.0, "below": 270.0}
DEV = 10  # one picture of so many is in the development split
EDGE_PX = 1.0  # how far a box may reach over the picture's edge, as annotators' boxes do


@dataclass(frozen=True)
class Creg(Measurement):
    """Alignment of relevance with the true direction, one row a question, method, target and projection.

    `depth` layers from -2 down are aggregated; `steps` points are taken for integrated gradients. Source: CREG,
    sections 3 and 4. A method that a model cannot give has one row a question that says why.
    """

    result: ClassVar[Result] = of_rows.RESULT
    version: ClassVar[int] = 2

    methods: tuple[str, ...] = tuple(relevance.METHODS)
    depth: int = 4
    steps: int = 50
    batch: int = 8

    def __post_init__(self) -> None:
        unknown = [name for name in self.methods if name not in relevance.METHODS]
        if unknown:
            raise UsageError(
                "There is no such method of relevance", got=unknown, do=f"choose from: {', '.join(relevance.METHODS)}"
            )
        if self.depth < 1 or self.steps < 1:
            raise UsageError("Relevance needs at least one layer and one step", got=(self.depth, self.steps))

    def applies(self, samples: Samples) -> bool:
        """Questions that name a direction, a subject and a reference with their boxes."""
        return isinstance(samples, ExampleSet) and all(has_relation(e) for e in samples)

    def check(self, vlm: VLM, samples: Samples) -> None:
        """CannotAnswer where options are no single tokens, layers too few, or no sample has a direction."""
        check_relations(vlm, samples)
        if self.depth > vlm.n_layers:
            raise CannotAnswer("The language model has fewer layers than relevance is taken from", got=vlm.n_layers)

    def cost(self, vlm: VLM, samples: Samples) -> float:
        """By what the methods need: see `relevance.cost`. At most: where choice and answer are one it is less."""
        return len(samples) * relevance.cost(vlm, self.methods, depth=self.depth, steps=self.steps)

    def bytes_each(self, vlm: VLM, samples: Samples) -> int:
        """A recording, and the fullest graph: the last layers', or a whole forward with its attention weights."""
        return relevance.bytes_each(memory.of(vlm, samples), self.depth)

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """The rows of one batch; a sample without a direction has one row that says why."""
        grids = {e.id: vlm.grid_of(e.picture) for e in samples}
        refused = {e.id: reason for e in samples if (reason := refusal(e, grids[e.id])) is not None}
        asked = [e for e in samples if e.id not in refused]
        found = [_common(e) | {"refused": refused[e.id]} for e in samples if e.id in refused]
        if asked:
            maps = relevance.maps(vlm, vlm.prepare(asked), self.methods, depth=self.depth, steps=self.steps)
            for number, example in enumerate(asked):
                shown = {key: values[number] for key, values in maps.relevance.items()}
                found += sample_rows(example, grids[example.id], maps.chosen[number], shown)
                found += [_common(example) | {"method": m, "refused": why} for m, why in maps.missing.items()]
        return [dict.fromkeys(self.schema.columns) | row for row in found]


def check_relations(vlm: VLM, samples: Samples) -> None:
    """CannotAnswer where questions name no subject and reference, single tokens cannot tell their options apart, or no
    sample has a direction."""
    if not isinstance(samples, ExampleSet):
        raise UsageError("This measurement takes an example set, not pairs", got=samples.name)
    without = [e.id for e in samples if not has_relation(e)]
    if without:
        raise CannotAnswer("A question without subject, reference or a box of theirs", got=without[:3])
    relevance.check(vlm, {e.options for e in samples})
    reasons = {refusal(e, vlm.grid_of(e.picture)) for e in samples}
    if None not in reasons:
        raise CannotAnswer("No sample of this set has a direction", got=sorted(filter(None, reasons)))


def has_relation(example: Example) -> bool:
    """Whether a question names a direction, a subject and a reference, with the boxes of both."""
    named = (example.subject, example.reference)
    return example.direction is not None and all(name is not None and name in example.boxes for name in named)


def refusal(example: Example, grid: TokenGrid) -> str | None:
    """Why a sample has no direction that evidence could point to, or None where it has one."""
    subject, reference = example.boxes[str(example.subject)], example.boxes[str(example.reference)]
    width, height = grid.size
    for box in (subject, reference):
        if not (box.width > 0 and box.height > 0):
            return "a box without area"
        if min(box.left, box.top) < -EDGE_PX or box.right > width + EDGE_PX or box.bottom > height + EDGE_PX:
            return "a box outside of the picture"
    if subject.center == reference.center:
        return "subject and reference have the same centre"
    return "the picture is one cell" if len(grid) < 2 else None


def chosen_direction(example: Example, choice: str) -> float | None:
    """The direction in degrees that an answer names: by number, by word, or by where the named thing stands.

    None where it names none on the page, as under, before and behind do.
    """
    numbers = {number: name for name, number in NUMBER.items()}
    if set(example.options) <= numbers.keys():
        return DEGREES[numbers[choice]]
    if {"left", "right"} <= set(example.options):
        return SAID.get(choice)
    if choice not in example.boxes or choice == example.reference:
        return None
    try:
        return compass.direction(example.boxes[str(example.reference)], example.boxes[choice])
    except CannotAnswer:
        return None


def part_of(image_id: str) -> str:
    """`dev` for the tenth of the pictures that choices are made on, else `rest`; by the picture alone."""
    return "dev" if zlib.crc32(image_id.encode()) % DEV == 0 else "rest"


def sample_rows(
    example: Example, grid: TokenGrid, chosen: relevance.Chosen, shown: dict[tuple[str, relevance.Target], Floats]
) -> list[Row]:
    """The rows of one question: every method and reference under every projection."""
    subject = example.boxes[str(example.subject)]
    answered = chosen_direction(example, example.options[chosen.choice])
    common = _common(example) | {
        "choice": example.options[chosen.choice], "correct": chosen.choice == chosen.answer, "chosen": answered,
    }  # fmt: skip
    drawn = np.random.default_rng(zlib.crc32(example.id.encode())).random((DRAWS, len(grid)))
    single = {NULL: np.ones(len(grid)), FLOOR: compass.point(grid, subject), BOX: compass.inside(grid, subject)}
    keys: list[tuple[str, str | None]] = [(m, t if relevance.METHODS[m].targeted else None) for m, t in shown]
    keys += [(name, None) for name in single]
    stacked = np.stack([*shown.values(), *single.values()])
    found = []
    for name, projection, center, toward in views(example, grid):
        true = compass.direction(center, toward)
        place = common | {"projection": name, "sectors": projection.sectors, "true": true}
        maps = stacked if toward == subject else _looking_for(stacked, grid, toward)
        weights = compass.sector_weights(grid, center, toward, projection)
        for (method, target), scored in zip(keys, directions(maps, weights, true, answered), strict=True):
            found.append(place | {"method": method, "target": target} | scored)
        found.append(place | {"method": RANDOM} | _mean(directions(drawn, weights, true, answered)))
        every = np.eye(projection.sectors)
        found.append(place | {"method": SECTOR} | _mean(directions(every, every, true, answered)))
        exact = {"peak": true, "tied": 1, "share": None, "dae": 0.0, "ea": 1.0}
        named = None if answered is None else float(compass.apart(true, answered))
        found.append(place | {"method": ORACLE} | exact | {"dae_chosen": named})
    return found


def _looking_for(maps: Floats, grid: TokenGrid, box: Box) -> Floats:
    """The maps with floor and box, their last two, of another thing than the subject."""
    return np.stack([*maps[:-2], compass.point(grid, box), compass.inside(grid, box)])


def views(example: Example, grid: TokenGrid) -> Iterator[tuple[str, Projection, Box, Box]]:
    """The names and options under which relevance is projected, the box it is seen from, and the one looked for.

    First the question's own reference and subject under every option. Then, by the default, from a point drawn in the
    picture towards the subject, and from the subject towards the reference: evidence for a relation belongs to its
    reference, a lit subject is seen from anywhere.
    """
    subject, reference = example.boxes[str(example.subject)], example.boxes[str(example.reference)]
    for name, projection in PROJECTIONS.items():
        yield name, projection, reference, subject
    rng = np.random.default_rng(zlib.crc32(f"centre:{example.id}".encode()))
    x, y = rng.uniform((0, 0), grid.size)
    half = reference.width / 2, reference.height / 2
    yield RANDOM_CENTRE, PROJECTIONS[DEFAULT], Box(x - half[0], y - half[1], x + half[0], y + half[1]), subject
    yield SWAPPED, PROJECTIONS[DEFAULT], subject, reference


def directions(maps: Floats, weights: Floats, true: float, answered: float | None) -> list[Row]:
    """Peak, DAE and EA of each of some maps (map, image_token) under one matrix of weights; missing where empty."""
    found: list[Row] = []
    for map_ in maps:
        shares = compass.compass_or_none(map_, weights)
        if shares is None:
            found.append({"peak": None, "tied": 0, "share": None, "dae": None, "ea": None, "dae_chosen": None})
            continue
        tied = compass.peaks(shares)
        found.append(
            {
                "peak": float(compass.sector_centers(len(shares))[tied[0]]),
                "tied": len(tied),
                "share": float(shares[tied[0]]),
                "dae": compass.alignment_error(shares, true),
                "ea": compass.edge_accuracy(shares, true),
                "dae_chosen": None if answered is None else compass.alignment_error(shares, answered),
            }
        )
    return found


def _mean(rows: Sequence[Row]) -> Row:
    """What is expected over draws; a mean of draws has no peak."""
    full = [row for row in rows if row["dae"] is not None]
    means = {
        name: float(np.mean([row[name] for row in full])) if full and full[0][name] is not None else None
        for name in ("dae", "ea", "dae_chosen")
    }
    return {"peak": None, "tied": 0, "share": None} | means


def told(example: Example) -> Row:
    """The columns that say which question a row is about."""
    return {
        "example_id": example.id, "image_id": example.image_id, "suite": example.suite,
        "prompt": example.tags.get("prompt"), "direction": example.direction,
    }  # fmt: skip


def _common(example: Example) -> Row:
    return told(example) | {"part": part_of(example.image_id), "answer": example.answer}
