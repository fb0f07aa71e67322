"""Attention to the boxes: an upper bound. The model is told where the things of the question are."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet
from backsight.grid import TokenGrid
from backsight.models.prompts import Batch
from backsight.models.sites import Edit
from backsight.models.vlm import VLM
from backsight.repairs import choosing
from backsight.repairs.adaptvis import OfScores
from backsight.repairs.base import Repair

STRENGTHS = (0.5, 1.0, 2.0, 4.0)
LARGEST = 20.0
HALF = 0.5


@dataclass(frozen=True)
class AttendedBoxes(OfScores):
    """`strength` on top of the last row's scores of the image tokens in the boxes of subject and reference.

    In every layer and head; the odds of those tokens are multiplied by exp(strength). With an `elsewhere` seed as many
    tokens of the same picture outside of the boxes take their place: the control.
    """

    name: ClassVar[str] = "box_attention"
    needs_boxes: ClassVar[bool] = True

    strength: float
    elsewhere: int | None = None

    def __post_init__(self) -> None:
        _demand_strength(self.strength)

    @property
    def group(self) -> str:
        """Constants on top of scores commute."""
        return "scores added"

    def edits(self, vlm: VLM, batch: Batch | None) -> tuple[Edit, ...]:
        """One edit of the scores of the last row; CannotAnswer where an example has no boxes."""
        assert batch is not None
        keys = torch.zeros_like(batch.image_mask)
        for row, (example, grid) in enumerate(zip(batch.examples, batch.grids, strict=True)):
            places = batch.image_mask[row].nonzero().flatten()
            chosen = torch.from_numpy(self.tokens(example, grid)).to(places.device)
            keys[row, places[chosen]] = True
        return (Edit("scores", self.__call__, positions="last", keys=keys),)

    def __call__(self, scores: Tensor) -> Tensor:
        """Scores (entry, head) with the strength on top."""
        return scores + self.strength

    def tokens(self, example: Example, grid: TokenGrid) -> NDArray[np.int64]:
        """The image tokens of an example that get more attention, ascending."""
        boxes = sorted({int(token) for name in named(example) for token in covered(example, grid, name)})
        if self.elsewhere is None:
            return np.array(boxes)
        rest = np.setdiff1d(np.arange(len(grid)), boxes)
        rng = np.random.default_rng((self.elsewhere, zlib.crc32(example.id.encode())))
        return np.sort(rng.permutation(rest)[: len(boxes)])

    def control(self, seed: int) -> AttendedBoxes:
        """As many tokens elsewhere in the picture; which follows from the seed and the example's id."""
        return replace(self, elsewhere=seed)


@dataclass(frozen=True)
class BoxAttention(Repair):
    """More attention to the boxes of subject and reference; `strength` None chooses it on the development split.

    Strengths tried are .5, 1, 2 and 4, of equally accurate ones the smallest. An upper bound: no user has the boxes of
    what is asked about. UsageError for a strength outside of 0 < strength <= 20.
    """

    name: ClassVar[str] = "box_attention"

    strength: float | None = None

    def __post_init__(self) -> None:
        if self.strength is not None:
            _demand_strength(self.strength)

    def fit(self, vlm: VLM, examples: ExampleSet) -> AttendedBoxes:
        """The strength that answers most of the development split right; UsageError where that is empty, CannotAnswer
        where an example has no boxes."""
        choosing.demand_some(examples, self.name)
        tried = [AttendedBoxes(s) for s in (STRENGTHS if self.strength is None else (self.strength,))]
        tried[0].check(vlm)
        for example in examples:
            named(example)
        if len(tried) == 1:
            return tried[0]
        right = [float(choosing.outcome(vlm, examples, one).right.mean()) for one in tried]
        return choosing.best((one, share, one.strength) for one, share in zip(tried, right, strict=True))


def _demand_strength(strength: float) -> None:
    if not 0 < strength <= LARGEST:
        raise UsageError(
            "The strength of attention is outside of its range", got=strength,
            do=f"give more than 0 and at most {LARGEST:g}",
        )  # fmt: skip


def named(example: Example) -> tuple[str, ...]:
    """The names of an example's subject and reference, both of which have a box; CannotAnswer where one has none."""
    names = tuple(dict.fromkeys(name for name in (example.subject, example.reference) if name is not None))
    missing = [name for name in names if name not in example.boxes]
    if missing or not names:
        raise CannotAnswer(
            "Attention to the boxes needs the boxes of what is asked about", where=f"example {example.id}",
            got=f"no box of {', '.join(missing)}" if missing else "neither subject nor reference",
            do="give `subject`, `reference` and their `boxes`",
        )  # fmt: skip
    return names


def covered(example: Example, grid: TokenGrid, name: str) -> NDArray[np.int64]:
    """The tokens of which at least half lies in a thing's box; of a thing smaller than that the one it fills most."""
    share = grid.overlap(example.boxes[name])
    inside = np.flatnonzero(share >= HALF)
    return inside if len(inside) else np.array([int(share.argmax())])
