"""Two things that evidence for a relation must do: turn in a mirror, and follow the subject.

`Flip` mirrors a picture with its boxes and asks the same question, whose answer then is the mirrored one: the compass
should be the mirror image (CREG, section 6.1). `Moved` puts the subject of a drawn scene elsewhere and leaves all else:
the compass should turn as far as the subject did.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from backsight.errors import CannotAnswer
from backsight.examples import Example, ExampleSet
from backsight.grid import Box, TokenGrid
from backsight.maths import compass
from backsight.maths.compass import Floats
from backsight.maths.relevance import DEFAULT, NULL
from backsight.measurements import creg, relevance
from backsight.measurements.base import Row, Samples
from backsight.measurements.recordings import Recorded
from backsight.measurements.relations import OfRelations, has_relation, question_columns
from backsight.models.facts import ModelFacts
from backsight.models.families.common import ONE_GRID
from backsight.models.vlm import VLM
from backsight.results import Result, flip
from backsight.results import moved as of_moved
from backsight.stimuli.questions import NUMBER, Direction
from backsight.stimuli.relations import overlaps, relation
from backsight.stimuli.render import ScenePicture
from backsight.stimuli.scattered import RATIO
from backsight.stimuli.turned import turned

Compasses = dict[tuple[str, str | None], Floats]  # shares of the sectors by method and target
TRIES = 60  # positions that are sampled for a moved subject
FAR = 60.0  # degrees that a moved subject must have turned at least


def asks_where(samples: Samples) -> bool:
    """Whether these are questions of where a subject is relative to a reference, answered by a number."""
    numbers = set(NUMBER.values())
    return isinstance(samples, ExampleSet) and all(has_relation(e) and set(e.options) <= numbers for e in samples)


@dataclass(frozen=True)
class _Twice(OfRelations):
    """What both measurements share: they compare the compass of a question with that of a changed one."""

    def applies(self, samples: Samples) -> bool:
        """Questions of where a subject is relative to a reference, answered by a number."""
        return asks_where(samples)

    def check(self, facts: ModelFacts, samples: Samples) -> None:
        """As for Creg; CannotAnswer where the question is another one."""
        super().check(facts, samples)
        if not asks_where(samples):
            raise CannotAnswer("The answer to these questions has no mirror image", got=samples.name)

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """Twice that of Creg."""
        return 2 * super().cost(facts, samples)

    def compasses(self, vlm: VLM, examples: Sequence[Example]) -> list[Compasses]:
        """The compasses of changed questions, on a recording of their own."""
        batch = vlm.prepare(examples)
        maps = relevance.maps(vlm, batch, self.methods, depth=self.depth, steps=self.steps)
        return compasses(examples, batch.grids, maps)

    def recorded(self, recorded: Recorded) -> list[Compasses]:
        """The compasses of the recorded questions themselves."""
        if recorded.maps is None:
            return []
        grids = [recorded.grids[e.id] for e in recorded.asked]
        return compasses(recorded.asked, grids, recorded.maps.of(self.methods))


def compasses(examples: Sequence[Example], grids: Sequence[TokenGrid], maps: relevance.Maps) -> list[Compasses]:
    """The compass of each question by method and target, that of constant relevance among them; empty ones are left
    out."""
    by_example: list[Compasses] = []
    for number, (example, grid) in enumerate(zip(examples, grids, strict=True)):
        weights = compass.sector_weights(grid, *_boxes(example), creg.PROJECTIONS[DEFAULT])
        shown: dict[tuple[str, str | None], Floats] = {
            (m, t if relevance.METHODS[m].targeted else None): v[number] for (m, t), v in maps.relevance.items()
        }
        shown[NULL, None] = np.ones(len(grid))
        by_key = {key: compass.compass_or_none(values, weights) for key, values in shown.items()}
        by_example.append({key: shares for key, shares in by_key.items() if shares is not None})
    return by_example


@dataclass(frozen=True)
class Flip(_Twice):
    """The compass of a picture and that of its mirror image turned back, one row a question, method, target, sector.

    The target is mirrored too: the truth is the mirrored answer, the prediction what the model says of the mirrored
    picture.
    """

    result: ClassVar[Result] = flip.RESULT
    version: ClassVar[int] = 2
    requires: ClassVar[frozenset[str]] = frozenset({ONE_GRID})

    def rows_from(self, recorded: Recorded) -> list[Row]:
        """The rows of one batch; a sample without a direction has none."""
        asked = recorded.asked
        if not asked:
            return []
        flipped_back = self.compasses(recorded.vlm, [_mirrored(e) for e in asked])
        pairs = zip(asked, self.recorded(recorded), flipped_back, strict=True)
        return [
            question_columns(example) | {"method": key[0], "target": key[1], "sector": float(angle)}
            | {"share": float(share), "share_mirrored": float(back)}
            for example, plain, flipped in pairs
            for key in [k for k in plain if k in flipped]
            for angle, share, back in zip(
                compass.sector_centers(len(plain[key])), plain[key], compass.mirrored(flipped[key]), strict=True
            )
        ]  # fmt: skip


@dataclass(frozen=True)
class Moved(_Twice):
    """How far the compass turns when the subject is put elsewhere, one row a question, method and target.

    Drawn scenes only. The new position is sampled; it lies in a clear relation, at least 60 degrees further round.
    """

    result: ClassVar[Result] = of_moved.RESULT
    version: ClassVar[int] = 2
    requires: ClassVar[frozenset[str]] = frozenset({ONE_GRID})

    def applies(self, samples: Samples) -> bool:
        """Questions of where a subject is in a drawn scene."""
        drawn = isinstance(samples, ExampleSet) and all(isinstance(e.picture, ScenePicture) for e in samples)
        return drawn and asks_where(samples)

    def check(self, facts: ModelFacts, samples: Samples) -> None:
        """As for Creg; CannotAnswer where the pictures are not drawn scenes."""
        super().check(facts, samples)
        if not self.applies(samples):
            raise CannotAnswer("A subject can only be moved in a drawn scene", got=samples.name)

    def rows_from(self, recorded: Recorded) -> list[Row]:
        """The rows of one batch; a subject that found no other position has none."""
        turns = [
            (example, other, before)
            for example, before in zip(recorded.asked, self.recorded(recorded), strict=True)
            if (other := moved(example)) is not None
        ]
        if not turns:
            return []
        rows = []
        moves = self.compasses(recorded.vlm, [other for _, other, _ in turns])
        for (example, other, before), after in zip(turns, moves, strict=True):
            start, end = (compass.direction(*_boxes(e)) for e in (example, other))
            for key in [k for k in before if k in after]:
                rows.append(
                    question_columns(example)
                    | {"method": key[0], "target": key[1], "turned": float(compass.apart(start, end))}
                    | {"followed": _followed(before[key], after[key], (end - start) % 360)}
                    | {"dae": compass.alignment_error(before[key], start)}
                    | {"dae_moved": compass.alignment_error(after[key], end)}
                )
        return rows


def _mirrored(example: Example) -> Example:
    other = turned(example)
    assert other is not None, "a question of where a subject is has a mirror image"
    return other


def moved(example: Example) -> Example | None:
    """The question about a scene whose subject stands elsewhere; None where no such position is found."""
    picture = example.picture
    assert isinstance(picture, ScenePicture)
    scene = picture.scene
    subject, reference = (next(f for f in scene.named if f.name == n) for n in (example.subject, example.reference))
    rng = np.random.default_rng(zlib.crc32(f"moved:{example.id}".encode()))
    width, height = scene.size
    others = [f.box for f in scene.figures if f is not subject]
    start = compass.direction(reference.box, subject.box)
    for _ in range(TRIES):
        x = int(rng.integers(0, round(width - subject.box.width) + 1))
        y = int(rng.integers(0, round(height - subject.box.height) + 1))
        box = Box(x, y, x + subject.box.width, y + subject.box.height)
        where: Direction | None = relation(box, reference.box, ratio=RATIO)
        if where is None or any(overlaps(box, other, gap=2) for other in others):
            continue
        if compass.apart(compass.direction(reference.box, box), start) < FAR:
            continue
        figures = tuple(replace(f, box=box) if f is subject else f for f in scene.figures)
        return replace(
            example, id=f"{example.id}-moved", picture=replace(picture, scene=scene.with_figures(figures)),
            boxes={**example.boxes, subject.name: box}, answer=NUMBER[where], direction=where, source=None,
        )  # fmt: skip
    return None


def _followed(before: Floats, after: Floats, turn: float) -> float:
    """The angle between the turn of a compass's peak and that of the subject; the mean over tied sectors."""
    centers = compass.sector_centers(len(before))
    return float(np.mean([compass.alignment_error(after, (centers[p] + turn) % 360) for p in compass.peaks(before)]))


def _boxes(example: Example) -> tuple[Box, Box]:
    return example.boxes[str(example.reference)], example.boxes[str(example.subject)]
