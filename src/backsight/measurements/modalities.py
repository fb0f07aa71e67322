"""Attention between modalities: what of a query's attention goes to image, system prompt and question.

The query is the last position, which the answer is read from, or the mean over the question's tokens. The null is
uniform attention over what the query sees: most of a prompt are image tokens, so an image with half of it may get
little.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from backsight.errors import UsageError
from backsight.examples import Example, ExampleSet
from backsight.maths import attention
from backsight.measurements import costs, watched
from backsight.measurements.base import Measurement, Row, Samples
from backsight.measurements.needs import Needs
from backsight.measurements.recordings import Recorded, record
from backsight.models.facts import ModelFacts
from backsight.models.vlm import VLM
from backsight.results import Result, modalities


@dataclass(frozen=True)
class OfAttention(Measurement):
    """What measurements of attention share: they are made on one watched forward pass of a batch."""

    queries: watched.Queries = "last"
    batch: int = 8

    def __post_init__(self) -> None:
        if self.queries not in watched.QUERIES:
            raise UsageError(
                "There are no such queries", got=self.queries, do=f"choose from: {', '.join(watched.QUERIES)}"
            )

    def needs(self) -> Needs | None:
        """The attention of its queries."""
        return Needs(attention=self.queries)

    def applies(self, samples: Samples) -> bool:
        """Questions, not pairs."""
        return isinstance(samples, ExampleSet)

    def check(self, facts: ModelFacts, samples: Samples) -> None:
        """UsageError for pairs."""
        if not isinstance(samples, ExampleSet):
            raise UsageError(f"{type(self).__name__} takes an example set, not pairs", got=samples.name)

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """A forward a question."""

        def run(batch: list[Example]) -> Iterator[costs.Spent]:
            call = facts.call(batch)
            yield call, call.forward()

        return costs.total(facts, samples, self.plan(samples), run)

    def bytes_each(self, facts: ModelFacts, samples: Samples) -> int:
        """A forward whose scores stand in memory a layer at a time, and what is kept of them."""
        return watched.bytes_each(facts.sizes(samples), self.queries)

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """The rows of one batch, on a recording of its own."""
        return self.rows_from(record(vlm, samples, Needs(attention=self.queries)))


@dataclass(frozen=True)
class Modalities(OfAttention):
    """Shares of the parts of the prompt, one row a question, layer and head; `head` is missing for a layer's mean."""

    result: ClassVar[Result] = modalities.RESULT

    def rows_from(self, recorded: Recorded) -> list[Row]:
        """The rows of one recorded batch."""
        assert recorded.attention is not None and recorded.logits is not None
        rows: list[Row] = []
        for number, example in enumerate(recorded.asked):
            prompt = recorded.attention.prompts[number]
            common = asked(recorded.vlm, example, recorded.logits[number]) | {"queries": self.queries}
            for layer, of in recorded.attention.layers.items():
                shown = of.attention[number]
                shown = np.concatenate([shown.mean(0, keepdims=True), shown])
                parts = {name: attention.share(shown, getattr(prompt, name)) for name in NAMES}
                null = {
                    f"{name}_uniform": float(attention.share(of.uniform[number], getattr(prompt, name)))
                    for name in attention.PARTS
                }
                for head in range(len(shown)):
                    mine = {name: float(values[head]) for name, values in parts.items()}
                    where = {"layer": layer, "head": head - 1 if head else None}
                    first = {
                        "first_part": next(n for n in attention.PARTS if (getattr(prompt, n) & prompt.first).any())
                    }
                    rows.append(common | where | mine | null | first)
        return rows


NAMES = (*attention.PARTS, "first")


def asked(vlm: VLM, example: Example, logits: object) -> Row:
    """The columns that say which question a row is about, and whether it is answered right by next-token logits
    (vocabulary,); None where single tokens cannot tell its options apart."""
    correct = None
    if example.options and vlm.options(example.options) is not None:
        correct = vlm.choose(logits, example.options)[0] == example.answer  # type: ignore[arg-type]
    return {
        "example_id": example.id, "image_id": example.image_id, "suite": example.suite,
        "prompt": example.tags.get("prompt"), "direction": example.direction, "correct": correct,
    }  # fmt: skip
