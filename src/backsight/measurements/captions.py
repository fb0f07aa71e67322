"""Captions before and after the image tokens are shuffled, on models that can write.

The blog's example of a permutation test: if a caption stays nearly the same with its picture's tokens in another order,
the model takes the picture as a bag of features. How alike two captions are means something beside how alike the
captions of two different pictures are, which is the null.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet, Pair
from backsight.grid import TokenGrid
from backsight.maths.token_f1 import token_f1, words
from backsight.measurements import costs, memory
from backsight.measurements.base import Measurement, Row, Samples
from backsight.measurements.shuffles import shuffled
from backsight.models import embeds
from backsight.models.facts import ModelFacts
from backsight.models.families.common import ENTERS_ONCE
from backsight.models.sentences import Sentences
from backsight.models.sites import Edit
from backsight.models.vlm import VLM
from backsight.results import Result, captions

PROMPT = "Describe this picture in one sentence."
FEWEST = 2  # pictures
OTHERS = 3  # pictures whose captions a caption is compared with


@dataclass(frozen=True)
class Captions(Measurement):
    """How alike a greedy caption is before and after a shuffle, a row a picture and shuffle; positions are kept.

    `words` is the most tokens of a caption, `prompt` what is asked. `embedder` is the folder of a text encoder
    (transformers) by which captions are compared too; nothing is downloaded.
    """

    result: ClassVar[Result] = captions.RESULT
    requires: ClassVar[frozenset[str]] = frozenset({ENTERS_ONCE})
    opt_in: ClassVar[bool] = True
    needs_all_samples: ClassVar[bool] = True

    shuffles: int = 2
    words: int = 40
    prompt: str = PROMPT
    embedder: str | None = None

    def __post_init__(self) -> None:
        if self.shuffles < 1:
            raise UsageError("At least one shuffle is needed", got=self.shuffles)
        if self.words < 2:
            raise UsageError("A caption of less than two tokens is none", got=self.words)

    def applies(self, samples: Samples) -> bool:
        """Any examples."""
        return isinstance(samples, ExampleSet)

    def asked(self, samples: Samples, grid: TokenGrid) -> Iterable[Example | Pair]:
        """The samples, and a caption of each picture."""
        return [*samples, *_asked([e for e in samples if isinstance(e, Example)], self.prompt)]

    def check(self, facts: ModelFacts, samples: Samples) -> None:
        """CannotAnswer where the tokenizer does not know the prompt's words, or there are too few pictures."""
        if not isinstance(samples, ExampleSet):
            raise UsageError("Captions takes an example set, not pairs", got=samples.name)
        ids, count = facts.tokens[self.prompt], len(set(self.prompt.split()))
        if len(ids) > 2 * len(self.prompt.split()) or len(set(ids)) < count:
            raise CannotAnswer(
                "The tokenizer does not know the words of the caption's prompt: the model was not taught to write",
                got=f"{len(ids)} tokens, {len(set(ids))} of them different, for {count} words",
            )
        pictures = len({e.image_id for e in samples})
        if pictures < FEWEST:
            raise CannotAnswer("A caption is compared with those of other pictures", got=f"{pictures} picture")

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """Captions of `words` tokens, before and after each shuffle, and the pictures' embeddings once more."""

        def run(batch: list[Example]) -> Iterator[costs.Spent]:
            call = facts.call(batch)
            yield call, call.written(self.words) * (1 + self.shuffles) + call.shown(call.patches)

        pictures = _asked(list(samples), self.prompt)  # type: ignore[arg-type]
        plan = [range(i, min(i + self.batch, len(pictures))) for i in range(0, len(pictures), self.batch)]
        return costs.total(facts, ExampleSet("captions", tuple(pictures)), plan, run)

    def bytes_each(self, facts: ModelFacts, samples: Samples) -> int:
        """A forward with a cache of keys and values as long as prompt and caption, and the embeddings twice."""
        sizes = facts.sizes(_asked(list(samples), self.prompt)).longer(self.words)  # type: ignore[arg-type]
        keys = 2 * sizes.text.layers * sizes.tokens * sizes.text.kv_heads * sizes.text.head * sizes.item
        return memory.forward(sizes) + 2 * keys + 3 * memory.states(sizes, deep=False) + memory.pictures(sizes, 1)

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """A row a picture and shuffle."""
        asked = _asked(samples, self.prompt)
        plain, mixed = self._written(vlm, asked)
        sentences = Sentences(self.embedder) if self.embedder is not None else None
        states = None if sentences is None else sentences([*plain, *(text for of in mixed for text in of)])
        rows: list[Row] = []
        by_picture = {e.image_id: e for e in reversed(samples)}
        others = _others([e.image_id for e in asked])
        for number, example in enumerate(asked):
            sample = by_picture[example.image_id]
            for seed in range(self.shuffles):
                row: Row = {"example_id": sample.id, "image_id": sample.image_id, "suite": sample.suite, "seed": seed}
                row |= {"caption": plain[number], "shuffled": mixed[seed][number], "words": len(words(plain[number]))}
                row["f1"] = token_f1(plain[number], mixed[seed][number])
                row["f1_other"] = float(np.mean([token_f1(plain[number], plain[one]) for one in others[number]]))
                row |= {"similarity": None, "similarity_other": None}
                if states is not None:
                    after = len(plain) * (1 + seed) + number
                    row["similarity"] = float(states[number] @ states[after])
                    row["similarity_other"] = float((states[others[number]] @ states[number]).mean())
                rows.append(row)
        return rows

    def _written(self, vlm: VLM, asked: Sequence[Example]) -> tuple[list[str], list[list[str]]]:
        """The captions of all pictures as they are, and with their tokens shuffled, by seed."""
        plain: list[str] = []
        mixed: list[list[str]] = [[] for _ in range(self.shuffles)]
        for start in range(0, len(asked), self.batch):
            batch = vlm.prepare(asked[start : start + self.batch])
            plain += vlm.generate(batch, max_new_tokens=self.words)
            entered = embeds.of_batch(vlm, batch)
            for seed in range(self.shuffles):
                there = shuffled(entered, batch, seed)
                with vlm.editing(Edit("image_embeds", _given(there))):
                    mixed[seed] += vlm.generate(batch, max_new_tokens=self.words)
        return plain, mixed


def _given(values: Tensor):  # type: ignore[no-untyped-def]
    return lambda rows: values.to(rows)


def _asked(samples: Sequence[Example], prompt: str) -> list[Example]:
    """A caption asked of each picture; its prompt stands among the options, so that facts know its tokens."""
    pictures = {e.image_id: e for e in reversed(samples)}
    return [
        Example(f"{e.id}-caption", e.picture, prompt, (prompt,), prompt, suite=e.suite)
        for e in reversed(pictures.values())
    ]


def _others(images: Sequence[str]) -> list[list[int]]:
    """For each picture the numbers of some other ones: those behind it in an order sampled by the pictures' ids."""
    order = sorted(range(len(images)), key=lambda i: (zlib.crc32(images[i].encode()), images[i]))
    place = {number: rank for rank, number in enumerate(order)}
    count = min(OTHERS, len(images) - 1)
    return [[order[(place[i] + step) % len(order)] for step in range(1, count + 1)] for i in range(len(images))]
