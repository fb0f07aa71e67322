"""Language prior against pixels: does the answer follow the picture where the picture is not what is usual?

Two tests. Scenes in which the usual relation of two things is reversed, beside those in which it holds; and whole
pictures turned upside down, whose answers must turn. An answer follows the pixels, the prior (the usual relation; the
answer that was right upright), or neither. Beside them stand the answers to a blank image, and a presence question
upright and turned: what a model no longer recognises upside down it cannot place either, prior or none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet, Pair
from backsight.grid import TokenGrid
from backsight.measurements import asking, costs
from backsight.measurements.base import Measurement, Row, Samples
from backsight.models.facts import ModelFacts
from backsight.models.vlm import VLM
from backsight.results import Result, priors
from backsight.stimuli.isolated import alternatives, control
from backsight.stimuli.turned import turned
from backsight.stimuli.usual import twin, usual

UPRIGHT, TURNED, BLANK, TWIN = "upright", "upside down", "blank", "twin"


@dataclass(frozen=True)
class Priors(Measurement):
    """What a model answers upright, upside down, of the reversed twin and of a blank image, one row each.

    `presence` also asks which of two things is there, upright and upside down, where that is known.
    """

    result: ClassVar[Result] = priors.RESULT

    presence: bool = True

    def applies(self, samples: Samples) -> bool:
        """Questions with two alternatives, one of them right: relations, and rows of three."""
        return isinstance(samples, ExampleSet) and any(asks(e) for e in samples)

    def asked(self, samples: Samples, grid: TokenGrid) -> Iterable[Example | Pair]:
        """Every question under every condition."""
        return [*samples, *self._versions(samples)]

    def check(self, facts: ModelFacts, samples: Samples) -> None:
        """CannotAnswer where no question has an opposite answer, or the tokenizer cannot tell options apart."""
        if not isinstance(samples, ExampleSet):
            raise UsageError("Priors takes an example set, not pairs", got=samples.name)
        if not self.applies(samples):
            raise CannotAnswer(
                "No question of this set has an opposite answer that a prior could give", got=samples.name,
                do="ask for a relation whose opposite is an option",
            )  # fmt: skip
        facts.check_options(replace(samples, items=tuple(e for e in samples if asks(e))))

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """A forward a question and condition; equal questions about equal pictures are asked once a batch."""

        def run(batch: list[Example]) -> Iterator[costs.Spent]:
            for _, shown in self._by_condition(batch):
                yield from asking.spent(facts, [asked for _, asked in shown])

        return costs.total(facts, samples, self.plan(samples), run)

    def bytes_each(self, facts: ModelFacts, samples: Samples) -> int:
        """A forward of the longest question under any condition."""
        return asking.bytes_each(facts, self._versions(samples) or [e for e in samples if isinstance(e, Example)])

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """One row a question and condition that it has."""
        rows = []
        for condition, shown in self._by_condition(samples):
            chosen = asking.choices(vlm, [asked for _, asked in shown])
            for (example, asked), choice in zip(shown, chosen, strict=True):
                rows.append(_row(example, asked, condition, choice))
        return rows

    def _versions(self, samples: Iterable[Example | Pair]) -> list[Example]:
        given = [e for e in samples if isinstance(e, Example)]
        return [asked for _, shown in self._by_condition(given) for _, asked in shown]

    def _by_condition(self, samples: Sequence[Example]) -> list[tuple[tuple[str, str], list[tuple[Example, Example]]]]:
        """By what is asked and the condition: each sample that has it, with the question about what is shown."""
        shown: dict[tuple[str, str], list[tuple[Example, Example]]] = {}

        def add(asks: str, condition: str, sample: Example, question: Example | None) -> None:
            if question is not None:
                shown.setdefault((asks, condition), []).append((sample, question))

        for sample in samples:
            if not asks(sample):
                continue
            upside_down = turned(sample, "upside down")
            add("where", UPRIGHT, sample, sample)
            add("where", BLANK, sample, sample.blank())
            add("where", TWIN, sample, twin(sample))
            if upside_down is None or upside_down.answer == sample.answer:
                continue
            add("where", TURNED, sample, upside_down)
            there = control(sample) if self.presence else None
            if there is not None:
                there = replace(there, direction=None)  # what it asks for has none, and does not turn
                add("presence", UPRIGHT, sample, there)
                add("presence", TURNED, sample, turned(there, "upside down"))
        return list(shown.items())


def asks(example: Example) -> bool:
    """Whether a question has a direction and two alternatives, of which one is right."""
    return example.direction is not None and alternatives(example) is not None


def _row(example: Example, asked: Example, condition: tuple[str, str], choice: str) -> Row:
    return {
        "example_id": example.id, "image_id": example.image_id, "suite": example.suite,
        "prompt": example.tags.get("prompt"), "direction": example.direction,
        "subject": example.subject, "reference": example.reference, "asked": condition[0], "condition": condition[1],
        "answer": asked.answer, "upright": example.answer, "usual": usual(example), "options": len(asked.options),
        "choice": choice,
    }  # fmt: skip
