"""Behaviour: what a model answers, from the picture and from a uniform gray one.

Two read-outs stand beside each other: the free one (top-1 token, normalised, compared for equality, as the authors of
Dual Mechanisms score it) and the one restricted to the options. The gray picture is the null: what it gets right, it
gets right without seeing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from backsight import schemas
from backsight.errors import UsageError
from backsight.examples import Example, ExampleSet
from backsight.measurements.base import Measurement, Row, Samples
from backsight.models import answers
from backsight.models.vlm import VLM
from backsight.tables import Schema


@dataclass(frozen=True)
class Behaviour(Measurement):
    """Accuracy, one row a question and condition. `gray` also asks about a uniform gray picture."""

    schema: ClassVar[Schema] = schemas.BEHAVIOUR

    gray: bool = True

    def check(self, vlm: VLM, samples: Samples) -> None:
        """CannotAnswer where the options of a set that demands single tokens are none."""
        if not isinstance(samples, ExampleSet):
            raise UsageError("Behaviour takes an example set, not pairs", got=samples.name)
        answers.check(vlm.tokenizer, samples)

    def cost(self, vlm: VLM, samples: Samples) -> float:
        """One forward equivalent a question and condition; more where options are sequences."""
        assert isinstance(samples, ExampleSet)
        each = [1 + (0 if vlm.options(o) else len(o)) for o in (e.options for e in samples)]
        return float(sum(each)) * (2 if self.gray else 1)

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """Two rows an example, picture and gray, or one without `gray`."""
        found = _rows(vlm, samples, samples, "picture")
        if self.gray:
            found += _rows(vlm, samples, [e.blank() for e in samples], "gray")
        return found


def _rows(vlm: VLM, samples: Sequence[Example], shown: Sequence[Example], condition: str) -> list[Row]:
    batch = vlm.prepare(shown)
    logits = vlm.forward(batch)
    sequences = {}
    for options in {e.options for e in samples}:
        if vlm.options(options) is None:
            sequences[options] = vlm.sequence_log_probabilities(batch, options).exp()
    return [
        _row(
            vlm, example, condition, logits[i], sequences[example.options][i] if example.options in sequences else None
        )
        for i, example in enumerate(samples)
    ]


def _row(vlm: VLM, example: Example, condition: str, logits: Tensor, sequence: Tensor | None) -> Row:
    single = None if sequence is not None else vlm.options(example.options)
    scores = answers.option_probabilities(logits, single) if single is not None else sequence
    assert scores is not None
    best = int(scores.argmax())
    answer = example.options.index(example.answer)
    top = vlm.tokenizer.decode([int(logits.argmax())])
    total = float(scores.sum())
    return {
        "example_id": example.id,
        "image_id": example.image_id,
        "suite": example.suite,
        "direction": example.direction,
        "prompt": example.tags.get("prompt"),
        "ground": example.tags.get("ground"),
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
    }
