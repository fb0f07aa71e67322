"""Behaviour: what a model answers, from the picture and from a uniform gray one.

Two read-outs stand beside each other: the free one (top-1 token, normalised, compared for equality, as the authors of
Dual Mechanisms score it) and the one restricted to the options. The gray picture is the null: what it gets right, it
gets right without seeing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from backsight.errors import UsageError
from backsight.examples import Example, ExampleSet
from backsight.measurements import costs, memory
from backsight.measurements.base import Measurement, Row, Samples
from backsight.models import answers
from backsight.models.facts import ModelFacts
from backsight.models.vlm import VLM
from backsight.results import Result, behaviour
from backsight.stimuli.isolated import alternatives

PER_TOKEN = ("choice_per_token", "choice_per_token_correct", "p_answer_per_token")


@dataclass(frozen=True)
class Behaviour(Measurement):
    """Accuracy, one row a question and condition. `gray` also asks about a uniform gray picture."""

    result: ClassVar[Result] = behaviour.RESULT
    version: ClassVar[int] = 3

    gray: bool = True

    def check(self, facts: ModelFacts, samples: Samples) -> None:
        """CannotAnswer where the tokenizer cannot tell the options apart, as single tokens where a set demands them."""
        if not isinstance(samples, ExampleSet):
            raise UsageError("Behaviour takes an example set, not pairs", got=samples.name)
        facts.check_options(samples)

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """A forward a question and condition, and where options are sequences one more for each of them.

        Equal questions about equal gray pictures are asked once a batch.
        """

        def run(batch: list[Example]) -> Iterator[costs.Spent]:
            for shown in (batch, [e.blank() for e in batch])[: 1 + self.gray]:
                asked = _distinct(shown)[0]
                call = facts.call(asked)
                yield call, call.forward() + costs.sequences(facts, call, batch)

        return costs.total(facts, samples, self.plan(samples), run)

    def bytes_each(self, facts: ModelFacts, samples: Samples) -> int:
        """A forward; where options are sequences, one with an option behind the prompt and logits at every position."""
        assert isinstance(samples, ExampleSet)
        sizes = facts.sizes(samples)
        asked = {option for e in samples if facts.token_options(e.options) is None for option in e.options}
        if not asked:
            return memory.forward(sizes)
        longest = max(facts.length_of(option) for option in asked)
        whole = sizes.longer(longest)
        scores = 2 * longest * sizes.vocabulary * memory.FLOAT
        return memory.logits(sizes) + memory.forward(whole) + memory.logits(whole, whole.tokens) + scores

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """Two rows an example, picture and gray, or one without `gray`."""
        rows = _rows(vlm, samples, samples, "picture")
        if self.gray:
            rows += _rows(vlm, samples, [e.blank() for e in samples], "gray")
        return rows


def _rows(vlm: VLM, samples: Sequence[Example], shown: Sequence[Example], condition: str) -> list[Row]:
    distinct, index = _distinct(shown)
    batch = vlm.prepare(distinct)
    logits = vlm.forward(batch)
    sequences = {
        options: vlm.sequence_log_probabilities(batch, options)
        for options in dict.fromkeys(e.options for e in samples)
        if vlm.options(options) is None
    }
    rows = []
    for example, i in zip(samples, index, strict=True):
        sequence = sequences[example.options][i] if example.options in sequences else None
        rows.append(_row(vlm, example, condition, logits[i], sequence))
    return rows


def _distinct(shown: Sequence[Example]) -> tuple[list[Example], list[int]]:
    """The examples that a model can tell apart, and for each example which of them it is."""
    keys = [(e.image_id, e.question, e.system) for e in shown]
    first_of = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    first = dict(reversed(list(zip(keys, shown, strict=True))))
    return [first[key] for key in first_of], [first_of[key] for key in keys]


def _row(vlm: VLM, example: Example, condition: str, logits: Tensor, sequence: Tensor | None) -> Row:
    single = None if sequence is not None else vlm.options(example.options)
    answer = example.options.index(example.answer)
    by_token: Row = dict.fromkeys(PER_TOKEN)
    if sequence is not None:
        scores = sequence.exp()
        by_token = _per_token(vlm, example, sequence, answer)
    else:
        assert single is not None
        scores = answers.option_probabilities(logits, single)
    best = int(scores.argmax())
    top = vlm.tokenizer.decode([int(logits.argmax())])
    total = float(scores.sum())
    return {
        "example_id": example.id,
        "image_id": example.image_id,
        "suite": example.suite,
        "direction": example.direction,
        "prompt": example.tags.get("prompt"),
        "ground": example.tags.get("ground"),
        "group": example.tags.get("group"),
        "condition": condition,
        "question": example.question,
        "answer": example.answer,
        "options": len(example.options),
        "choice": example.options[best],
        "choice_correct": best == answer,
        "p_answer": float(scores[answer]),
        "p_choice": float(scores[best]),
        "p_answer_of_options": float(scores[answer]) / total if total > 0 else None,
        "top_token": top,
        "free_correct": answers.normalise(top) == answers.normalise(example.answer) if single is not None else None,
        "scoring": "token" if single is not None else "sequence",
        **by_token,
        "probabilities": _as_text(example.options, scores),
        "opposite": _opposite(example),
    }


def _opposite(example: Example) -> str | None:
    """The other of the two alternatives of a question; None where it has none."""
    two = alternatives(example)
    return None if two is None else two[1] if example.answer == two[0] else two[0]


def _as_text(options: Sequence[str], scores: Tensor) -> str:
    """The probability of every option as JSON, with six digits."""
    return json.dumps({o: float(f"{float(p):.6g}") for o, p in zip(options, scores, strict=True)}, ensure_ascii=False)


def _per_token(vlm: VLM, example: Example, sequence: Tensor, answer: int) -> Row:
    """The choice by the mean log p of an option's tokens, from the log p of its sequence (option,)."""
    mean = answers.per_token(vlm.tokenizer, example.options, sequence)
    best = int(mean.argmax())
    return dict(zip(PER_TOKEN, (example.options[best], best == answer, float(mean[answer].exp())), strict=True))
