"""Questions that are only answered: which option is chosen, and what asking takes.

What several measurements share that ask a question in several versions and keep the choice alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache

from torch import Tensor

from backsight.examples import Example, ExampleSet
from backsight.measurements import costs
from backsight.measurements.behaviour import Behaviour
from backsight.models.facts import ModelFacts
from backsight.models.prompts import Batch
from backsight.models.vlm import VLM


def distinct(shown: Sequence[Example]) -> tuple[list[Example], list[int]]:
    """The examples that a model can tell apart, and for each example which of them it is."""
    keys = [(e.image_id, e.question, e.system) for e in shown]
    first: dict[tuple[str, str, str | None], Example] = {}
    for key, example in zip(keys, shown, strict=True):
        first.setdefault(key, example)
    numbers = {key: number for number, key in enumerate(first)}
    return list(first.values()), [numbers[key] for key in keys]


def choices(vlm: VLM, shown: Sequence[Example]) -> list[str]:
    """The option that is chosen in each of some examples, in one batch; what looks alike to the model is asked once."""
    if not shown:
        return []
    asked, index = distinct(shown)
    batch = vlm.prepare(asked)
    return chosen(vlm, batch, vlm.forward(batch), shown, index)


def chosen(
    vlm: VLM, batch: Batch, logits: Tensor, shown: Sequence[Example], index: Sequence[int] | None = None
) -> list[str]:
    """The option that is chosen in each example by next-token logits (batch, vocabulary), or by the options' sequences.

    `index` is each example's row of the batch where it is not its own.
    """
    longer = dict.fromkeys(e.options for e in shown if vlm.options(e.options) is None)
    sequences = {options: vlm.sequence_log_probabilities(batch, options) for options in longer}
    return [
        example.options[int(sequences[example.options][i].argmax())]
        if example.options in sequences
        else vlm.choose(logits[i], example.options)[0]
        for example, i in zip(shown, range(len(shown)) if index is None else index, strict=True)
    ]


def spent(facts: ModelFacts, shown: Sequence[Example]) -> Iterator[costs.Spent]:
    """What `choices` of one batch takes."""
    if shown:
        asked = distinct(shown)[0]
        call = facts.call(asked)
        yield call, call.forward() + costs.sequences(facts, call, shown)


def bytes_each(facts: ModelFacts, asked: Sequence[Example]) -> int:
    """The bytes that one of some questions takes at most when it is answered."""
    return Behaviour().bytes_each(facts, ExampleSet("asked", _numbered(asked)))


def _numbered(asked: Sequence[Example]) -> tuple[Example, ...]:
    """One example an id; which one does not matter where sizes are all that is asked, so that ids are left out."""
    return tuple(replace(example, id=str(number)) for number, example in enumerate(asked))


def length_of(vlm: VLM) -> Callable[[str, str | None], int]:
    """The number of tokens of a prompt's text, by question and system sentence, each counted once."""

    @cache
    def length(question: str, system: str | None) -> int:
        return len(vlm.tokenizer.encode(vlm.prompter.text(question, system)))

    return length
