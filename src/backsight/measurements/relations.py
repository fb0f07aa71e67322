"""Questions of where a subject is relative to a reference, and what measurements of them share.

They take the same settings of relevance, leave out the same samples, and are made on the same recordings.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet
from backsight.grid import TokenGrid
from backsight.maths import relevance as names
from backsight.measurements import costs, relevance
from backsight.measurements.base import Measurement, Row, Samples
from backsight.measurements.needs import Needs
from backsight.measurements.recordings import record
from backsight.models.facts import ModelFacts
from backsight.models.vlm import VLM

DEV = 10  # one picture of so many is in the development split
EDGE_PX = 1.0  # how far a box may reach over the picture's edge, as annotators' boxes do


@dataclass(frozen=True)
class OfRelations(Measurement):
    """A measurement of the relevance of image tokens for questions of relations.

    `depth` layers from -2 down are aggregated; `steps` points are taken of a path by right sums.
    """

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

    def needs(self) -> Needs:
        """The relevance of its methods, and the trace that they are taken from."""
        return Needs(True, self.methods, self.depth, self.steps, refusal)

    def applies(self, samples: Samples) -> bool:
        """Questions that name a direction, a subject and a reference with their boxes."""
        return isinstance(samples, ExampleSet) and all(has_relation(e) for e in samples)

    def check(self, facts: ModelFacts, samples: Samples) -> None:
        """CannotAnswer where options are no single tokens, layers too few, or no sample has a direction."""
        check_relations(facts, samples)
        if self.depth > facts.n_layers:
            raise CannotAnswer("The language model has fewer layers than relevance is taken from", got=facts.n_layers)
        missing = names.without(self.methods, facts.length_blind, n_layers=facts.n_layers, depth=self.depth)
        if set(self.methods) <= set(missing):
            raise CannotAnswer("No method of this measurement has a number on this model", got=missing)

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """By what the methods need: see `relevance.flops`. At most: where choice and answer are one it is less."""

        def run(batch: list[Example]) -> Iterator[costs.Spent]:
            asked = [e for e in batch if refusal(e, facts.grid_of(e.picture)) is None]
            if asked:
                call = facts.call(asked)
                blind = facts.length_blind
                yield call, relevance.flops(call, self.methods, depth=self.depth, steps=self.steps, blind=blind)

        return costs.total(facts, samples, self.plan(samples), run)

    def bytes_each(self, facts: ModelFacts, samples: Samples) -> int:
        """A recording, and the fullest graph: the last layers', or a whole forward with its attention weights."""
        return relevance.bytes_each(facts.sizes(samples), self.depth)

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """The rows of one batch, on a recording of its own."""
        return self.rows_from(record(vlm, samples, self.needs()))


def check_relations(facts: ModelFacts, samples: Samples) -> None:
    """CannotAnswer where questions name no subject and reference, single tokens cannot tell their options apart, or no
    sample has a direction."""
    if not isinstance(samples, ExampleSet):
        raise UsageError("This measurement takes an example set, not pairs", got=samples.name)
    without = [e.id for e in samples if not has_relation(e)]
    if without:
        raise CannotAnswer("A question without subject, reference or a box of theirs", got=without[:3])
    relevance.check(facts.token_options, {e.options for e in samples})
    reasons = {refusal(e, facts.grid_of(e.picture)) for e in samples}
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


def part_of(image_id: str) -> str:
    """`dev` for the tenth of the pictures of the development split, else `rest`; by the picture alone."""
    return "dev" if zlib.crc32(image_id.encode()) % DEV == 0 else "rest"


def question_columns(example: Example) -> Row:
    """The columns that say which question a row is about."""
    return {
        "example_id": example.id, "image_id": example.image_id, "suite": example.suite,
        "prompt": example.tags.get("prompt"), "direction": example.direction,
    }  # fmt: skip
