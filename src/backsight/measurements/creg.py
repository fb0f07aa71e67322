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

from backsight.errors import CannotAnswer
from backsight.examples import Example
from backsight.grid import Box, TokenGrid
from backsight.maths import compass
from backsight.maths.compass import Floats, Projection
from backsight.maths.relevance import BOX, DEFAULT, FLOOR, NULL, ORACLE, RANDOM, RANDOM_CENTRE, SECTOR, SWAPPED
from backsight.measurements import relevance
from backsight.measurements.base import Row
from backsight.measurements.recordings import Recorded
from backsight.measurements.relations import OfRelations, part_of, question_columns
from backsight.models.families.common import ONE_GRID
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


@dataclass(frozen=True)
class Creg(OfRelations):
    """Alignment of relevance with the true direction, one row a question, method, target and projection.

    Source: CREG, sections 3 and 4. A method that a model cannot give has one row a question that says why.
    """

    result: ClassVar[Result] = of_rows.RESULT
    requires: ClassVar[frozenset[str]] = frozenset({ONE_GRID})
    version: ClassVar[int] = 3

    def rows_from(self, recorded: Recorded) -> list[Row]:
        """The rows of one batch; a sample without a direction has one row that says why."""
        rows = [_common(e) | {"refused": why} for e in recorded.samples if (why := recorded.refused.get(e.id))]
        if recorded.maps is not None:
            maps = recorded.maps.of(self.methods)
            for number, example in enumerate(recorded.asked):
                shown = {key: values[number] for key, values in maps.relevance.items()}
                complete: dict[tuple[str, object], float] = {k: v[number] for k, v in maps.completeness.items()}
                grid = recorded.grids[example.id]
                rows += [
                    row | {"completeness": complete.get((row["method"], row.get("target")))}
                    for row in sample_rows(example, grid, maps.chosen[number], shown)
                ]
                rows += [_common(example) | {"method": m, "refused": why} for m, why in maps.missing.items()]
        return [dict.fromkeys(self.schema.columns) | row for row in rows]


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
    rows = []
    for name, projection, center, toward in views(example, grid):
        true = compass.direction(center, toward)
        columns = common | {"projection": name, "sectors": projection.sectors, "true": true}
        maps = stacked if toward == subject else _looking_for(stacked, grid, toward)
        weights = compass.sector_weights(grid, center, toward, projection)
        for (method, target), scored in zip(keys, directions(maps, weights, true, answered), strict=True):
            rows.append(columns | {"method": method, "target": target} | scored)
        rows.append(columns | {"method": RANDOM} | _mean(directions(drawn, weights, true, answered)))
        every = np.eye(projection.sectors)
        rows.append(columns | {"method": SECTOR} | _mean(directions(every, every, true, answered)))
        exact = {"peak": true, "tied": 1, "share": None, "dae": 0.0, "ea": 1.0}
        named = None if answered is None else float(compass.apart(true, answered))
        rows.append(columns | {"method": ORACLE} | exact | {"dae_chosen": named})
    return rows


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
    rows: list[Row] = []
    for map_ in maps:
        shares = compass.compass_or_none(map_, weights)
        if shares is None:
            rows.append({"peak": None, "tied": 0, "share": None, "dae": None, "ea": None, "dae_chosen": None})
            continue
        tied = compass.peaks(shares)
        rows.append(
            {
                "peak": float(compass.sector_centers(len(shares))[tied[0]]),
                "tied": len(tied),
                "share": float(shares[tied[0]]),
                "dae": compass.alignment_error(shares, true),
                "ea": compass.edge_accuracy(shares, true),
                "dae_chosen": None if answered is None else compass.alignment_error(shares, answered),
            }
        )
    return rows


def _mean(rows: Sequence[Row]) -> Row:
    """What is expected over draws; a mean of draws has no peak."""
    full = [row for row in rows if row["dae"] is not None]
    means = {
        name: float(np.mean([row[name] for row in full])) if full and full[0][name] is not None else None
        for name in ("dae", "ea", "dae_chosen")
    }
    return {"peak": None, "tied": 0, "share": None} | means


def _common(example: Example) -> Row:
    return question_columns(example) | {"part": part_of(example.image_id), "answer": example.answer}
