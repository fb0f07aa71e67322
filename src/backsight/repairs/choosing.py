"""Choosing a repair's numbers on a development split: what is right there, and how ties are broken.

Answers are read off the options (tokens, or whole sequences where tokens do not tell them apart). By the free read-out
a repair may win by nothing but a change of the answer's format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backsight.errors import UsageError
from backsight.examples import Example, ExampleSet
from backsight.models import answers
from backsight.models.prompts import Batch
from backsight.models.vlm import VLM
from backsight.repairs.base import Fitted

BATCH = 16
_Choice = TypeVar("_Choice")


@dataclass(frozen=True)
class Outcome:
    """Of each example of a development split: whether it is answered right, and the largest first-token probability."""

    right: NDArray[np.bool_]
    confidence: NDArray[np.float64]


def batches(examples: Sequence[Example], size: int = BATCH) -> Iterator[list[Example]]:
    """The examples in order, some at a time."""
    for start in range(0, len(examples), size):
        yield list(examples[start : start + size])


def demand_some(examples: Sequence[Example], name: str) -> None:
    """UsageError where a development split is empty."""
    if len(examples) == 0:
        raise UsageError(
            "The development split is empty", where=f"fit of {name}",
            got=f"0 questions in {examples.name!r}" if isinstance(examples, ExampleSet) else "no questions",
            do="give questions that the repair will not be scored on",
        )  # fmt: skip


_REMEMBERED: ContextVar[dict[tuple[int, int, Fitted | None], Outcome] | None] = ContextVar("remembered", default=None)


@contextmanager
def remembered() -> Iterator[None]:
    """Inside the context no outcome is asked twice: of the same model and examples, as objects, and an equal repair."""
    token = _REMEMBERED.set({})
    try:
        yield
    finally:
        _REMEMBERED.reset(token)


def outcome(vlm: VLM, examples: Sequence[Example], fitted: Fitted | None = None) -> Outcome:
    """What a model answers on a development split, with a repair or without."""
    known = _REMEMBERED.get()
    key = id(vlm), id(examples), fitted
    if known is None:
        return _outcome(vlm, examples, fitted)
    if key not in known:
        known[key] = _outcome(vlm, examples, fitted)
    return known[key]


def _outcome(vlm: VLM, examples: Sequence[Example], fitted: Fitted | None) -> Outcome:
    right: list[bool] = []
    confidence: list[float] = []
    for part in batches(examples):
        batch = vlm.prepare(part)
        with nullcontext() if fitted is None else fitted.applied(vlm, batch):
            logits = vlm.forward(batch)
            chosen = _chosen(vlm, batch, logits)
        confidence += sureness(logits).tolist()
        right += [answer == example.answer for answer, example in zip(chosen, part, strict=True)]
    return Outcome(np.array(right), np.array(confidence))


def sureness(logits: Tensor) -> Tensor:
    """The largest first-token probability of each prompt (batch,), float64, from logits (batch, vocabulary).

    In single precision a sure model's probabilities are all 1, and which is the larger one would be noise.
    """
    return torch.softmax(logits.detach().cpu().double(), -1).amax(-1)


def _chosen(vlm: VLM, batch: Batch, logits: Tensor) -> list[str]:
    """The best option of each example; where it has none, its answer if that is the top token."""
    asked = dict.fromkeys(e.options for e in batch.examples if e.options and vlm.options(e.options) is None)
    sequences = {options: vlm.sequence_log_probabilities(batch, options) for options in asked}
    chosen = []
    for number, example in enumerate(batch.examples):
        if example.options in sequences:
            chosen.append(example.options[int(sequences[example.options][number].argmax())])
        elif example.options:
            chosen.append(vlm.choose(logits[number], example.options)[0])
        else:
            top = vlm.tokenizer.decode([int(logits[number].argmax())])
            chosen.append(example.answer if answers.normalise(top) == answers.normalise(example.answer) else top)
    return chosen


def best(choices: Iterable[tuple[_Choice, float, float]]) -> _Choice:
    """Of (choice, accuracy, change) the one of highest accuracy; of equals the one of least change, then the first."""
    return max(choices, key=lambda one: (round(one[1], 12), -one[2]))[0]
