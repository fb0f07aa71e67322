"""Text against picture: a sentence before the question says where a thing is, and it is false. Which one is believed?

Beside the false sentence stand a true one and a neutral one that names the same two things, as long in tokens; and all
of them with a blank image, which tells whether a model takes anything from such a sentence at all.
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
from backsight.results import Result, text
from backsight.stimuli.statements import Length, Stated, stated

Shown = tuple[str, str]  # the sentence, and picture or blank


@dataclass(frozen=True)
class Text(Measurement):
    """What a model answers behind a false, a true and a neutral sentence, and without one, a row each.

    `blank` also asks about a blank image behind each sentence.
    """

    result: ClassVar[Result] = text.RESULT

    blank: bool = True

    def applies(self, samples: Samples) -> bool:
        """Questions of a relation whose opposite is an option, with the names of both things; rows of three."""
        return isinstance(samples, ExampleSet) and any(stated(e) is not None for e in samples)

    def asked(self, samples: Samples, grid: TokenGrid) -> Iterable[Example | Pair]:
        """Every question with every sentence, and the sentences' own words as options, so that they are looked up."""
        asked: list[Example | Pair] = list(samples)
        words: dict[tuple[str, ...], Example] = {}
        for one in _all(samples):
            words.setdefault(one.words, replace(one.plain, options=one.words, answer=one.words[0]))
            asked += [version for e in one.versions for version in ((e, e.blank()) if self.blank else (e,))]
        return [*asked, *words.values()]

    def check(self, facts: ModelFacts, samples: Samples) -> None:
        """CannotAnswer where no question can have such a sentence, or its words are no tokens of the model."""
        if not isinstance(samples, ExampleSet):
            raise UsageError("Text takes an example set, not pairs", got=samples.name)
        all_stated = _all(samples)
        if not all_stated:
            raise CannotAnswer(
                "No sentence can state the opposite of what these questions ask for", got=samples.name,
                do="ask for a relation whose opposite is an option, and name subject and reference",
            )  # fmt: skip
        facts.check_options(replace(samples, items=tuple(one.plain for one in all_stated)))
        words = dict.fromkeys(word for one in all_stated for word in one.words)
        unknown = [word for word in words if not facts.spellings[word]]
        if unknown:
            raise CannotAnswer(
                "The tokenizer has no single token for some words of the sentences", where=f"suite {samples.name}",
                got=unknown,
            )  # fmt: skip

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """A forward a question, sentence and image; what looks alike is asked once a batch."""

        def run(batch: list[Example]) -> Iterator[costs.Spent]:
            for _, shown in self._by_condition(batch, lambda *asked: facts.prompts[asked]):
                yield from asking.spent(facts, [asked for _, asked in shown])

        return costs.total(facts, samples, self.plan(samples), run)

    def bytes_each(self, facts: ModelFacts, samples: Samples) -> int:
        """A forward of the longest question with a sentence before it."""
        versions = [version for one in _all(samples) for version in one.versions]
        return asking.bytes_each(facts, versions or [e for e in samples if isinstance(e, Example)])

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """One row a question, sentence and image; none of a question that no sentence can be made for."""
        rows, length = [], asking.length_of(vlm)
        for (sentence, shown), asks in self._by_condition(samples, length):
            chosen = asking.choices(vlm, [asked for _, asked in asks])
            for (one, asked), choice in zip(asks, chosen, strict=True):
                tokens = length(asked.question, asked.system) - length(one.plain.question, one.plain.system)
                rows.append(_row(one, asked, sentence, shown, choice, tokens))
        return rows

    def _by_condition(
        self, samples: Iterable[Example], length: Length
    ) -> list[tuple[Shown, list[tuple[Stated, Example]]]]:
        """By sentence and image: each question with its version."""
        shown: dict[Shown, list[tuple[Stated, Example]]] = {}
        for one in _all(samples):
            versions = {"none": one.plain, "neutral": one.nearest(length), "true": one.true, "false": one.false}
            for sentence, asked in versions.items():
                shown.setdefault((sentence, "picture"), []).append((one, asked))
                if self.blank:
                    shown.setdefault((sentence, "blank"), []).append((one, asked.blank()))
        return list(shown.items())


def _all(samples: Iterable[Example | Pair]) -> list[Stated]:
    """The questions that sentences can be made for, with them."""
    built = (stated(e) for e in samples if isinstance(e, Example))
    return [one for one in built if one is not None]


def _row(one: Stated, asked: Example, sentence: str, shown: str, choice: str, tokens: int) -> Row:
    plain = one.plain
    return {
        "example_id": plain.id, "image_id": plain.image_id, "suite": plain.suite, "prompt": plain.tags.get("prompt"),
        "direction": plain.direction, "sentence": sentence, "shown": shown, "question": asked.question,
        "tokens": tokens, "answer": plain.answer, "wrong": one.wrong, "options": len(plain.options), "choice": choice,
    }  # fmt: skip
