"""The two pathways by which position reaches the answer, each ablated in turn.

What the vision encoder writes into the image tokens is one pathway, the language model's position encoding (rotary
positions, token order) the other. Shuffling the image tokens leaves the first; taking each object's tokens from a
picture of the object isolated in the centre, and all others from an empty picture (removal: Dual Mechanisms, 5.3.1),
leaves the second. Taking each cell through the vision encoder by itself is another way to ablate the first. A question
about what is present, which needs no spatial information, tells under the same edits whether the model still works.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from backsight.errors import UsageError
from backsight.examples import Example, ExampleSet, Pair
from backsight.grid import TokenGrid
from backsight.measurements import costs, memory
from backsight.measurements.base import Measurement, Row, Samples
from backsight.models import embeds, replay
from backsight.models.facts import ModelFacts
from backsight.models.families.common import ENTERS_ONCE, ONE_GRID, SINGLE_CELLS
from backsight.models.prompts import Batch
from backsight.models.vlm import VLM
from backsight.results import Result, pathways
from backsight.stimuli.arrangements import TOUCHED
from backsight.stimuli.isolated import control, isolated, others, row_of
from backsight.stimuli.rows import Row as Row3


@dataclass(frozen=True)
class Pathways(Measurement):
    """Answers with a pathway ablated, one row a question and condition: plain, removed, cells, and `shuffles` shuffles.

    Each row of three is asked its own question and the presence question, which of two things is there.
    """

    result: ClassVar[Result] = pathways.RESULT
    requires: ClassVar[frozenset[str]] = frozenset({ENTERS_ONCE, ONE_GRID})

    shuffles: int = 5

    def __post_init__(self) -> None:
        if self.shuffles < 1:
            raise UsageError("At least one shuffle is needed", got=self.shuffles)

    def applies(self, samples: Samples) -> bool:
        """Rows of three, and nothing else."""
        return isinstance(samples, ExampleSet) and all(isinstance(e.source, Row3) for e in samples)

    def asked(self, samples: Samples, grid: TokenGrid) -> Iterable[Example | Pair]:
        """The samples, and the presence question about each."""
        rows = [e for e in samples if isinstance(e, Example) and isinstance(e.source, Row3)]
        return [*samples, *(control(e) for e in rows)]

    def check(self, facts: ModelFacts, samples: Samples) -> None:
        """CannotAnswer where the samples are not rows of three, or the options are no single tokens."""
        if not isinstance(samples, ExampleSet):
            raise UsageError("Pathways takes an example set, not pairs", got=samples.name)
        for example in samples:
            row_of(example)
        facts.check_options(samples)

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """Each condition of both questions runs the language model from the first image token on.

        Cells by themselves go through the vision encoder once a kind: at least those of objects are counted.
        """

        def run(batch: list[Example]) -> Iterator[costs.Spent]:
            conditions = self.shuffles + 1 + (SINGLE_CELLS in facts.capabilities)
            controls = [control(e) for e in batch]
            asked = [batch, controls] if all(facts.token_options(e.options) for e in controls) else [batch]
            for examples in asked:
                call = facts.call(examples)
                yield call, call.forward() + costs.from_embeddings(facts, call, examples) * conditions
            call = facts.call(batch)
            yield call, costs.without_order(facts, call, batch)

        return costs.total(facts, samples, self.plan(samples), run)

    def bytes_each(self, facts: ModelFacts, samples: Samples) -> int:
        """The recordings of both questions with their logits, each condition's embeddings, and the fullest pass: a
        forward, a replay, or the vision encoder over the pictures of removal."""
        assert isinstance(samples, ExampleSet)
        sizes = facts.sizes([*samples, *(control(e) for e in samples)])
        values = (self.shuffles + 3) * memory.states(sizes, deep=False)
        kept = 2 * memory.recorded(sizes) + values + 2 * memory.logits(sizes, self.shuffles + 3)
        isolated = memory.pictures(sizes, memory.without_order(facts, samples, self.batch)) // self.batch
        return kept + max(memory.forward(sizes), memory.replayed(sizes), isolated)

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """Rows of both questions about each picture under every condition."""
        controls = [control(e) for e in samples]
        asked: list[tuple[str, list[Example]]] = [("order", list(samples))]
        if all(vlm.options(e.options) is not None for e in controls):
            asked.append(("control", controls))
        rows: list[Row] = []
        values: dict[str, Tensor] = {}
        for kind, examples in asked:
            batch = vlm.prepare(examples)
            trace = replay.record(vlm, batch)
            if not values:
                values = self._values(vlm, batch, trace.resid_pre(0)[batch.image_mask])
            outcomes = {"plain": trace.logits}
            outcomes |= {name: trace.with_states(0, batch.image_mask, value) for name, value in values.items()}
            for name, logits in outcomes.items():
                condition, _, seed = name.partition(" ")
                for sample, example, scores in zip(samples, examples, logits, strict=True):
                    common = _common(sample, kind, condition, int(seed) if seed else None)
                    rows.append(common | _answered(vlm, sample, example, scores))
        return rows

    def _values(self, vlm: VLM, batch: Batch, plain: Tensor) -> dict[str, Tensor]:
        values = {"removed": removed(vlm, batch)}
        if vlm.family.can(SINGLE_CELLS):
            values["cells"] = embeds.of_single_cells(vlm, batch)
        return values | {f"shuffled {seed}": shuffled(plain, batch, seed) for seed in range(self.shuffles)}


def shuffled(plain: Tensor, batch: Batch, seed: int) -> Tensor:
    """Image embeddings (image_token, d_model) with each picture's in an order drawn for the picture and `seed`."""
    parts = []
    for example, part in zip(batch.examples, torch.split(plain, [len(g) for g in batch.grids]), strict=True):
        rng = np.random.default_rng([seed, zlib.crc32(example.image_id.encode())])
        parts.append(part[torch.from_numpy(rng.permutation(len(part))).to(part.device)])
    return torch.cat(parts)


def removed(vlm: VLM, batch: Batch) -> Tensor:
    """Image embeddings with the order removed that the vision encoder wrote (Dual Mechanisms, 5.3.1, figure 9).

    An entity's tokens come from a picture of it isolated in the centre, all others from the empty ground in place.
    """
    sources = [isolated(e, g.cell) for e, g in zip(batch.examples, batch.grids, strict=True)]
    pictures = {p.id: p for entities, empty in sources for p in (empty, *(a.picture for a in entities))}
    parts = dict(zip(pictures, embeds.of_pictures(vlm, list(pictures.values()), vlm.call(batch)), strict=True))
    values = []
    for (entities, empty), grid in zip(sources, batch.grids, strict=True):
        value = parts[empty.id].clone()
        for entity in entities:
            value[grid.tokens_in(entity.target, TOUCHED)] = parts[entity.picture.id][
                grid.tokens_in(entity.source, TOUCHED)
            ]
        values.append(value)
    return torch.cat(values)


def _common(sample: Example, kind: str, condition: str, seed: int | None) -> Row:
    return {
        "example_id": sample.id,
        "image_id": sample.image_id,
        "suite": sample.suite,
        "direction": sample.direction,
        "asked": kind,
        "condition": condition,
        "seed": seed,
    }


def _answered(vlm: VLM, sample: Example, example: Example, logits: Tensor) -> Row:
    """The choice among all options, and between the two entities that the question does not name."""
    two = others(sample) if example is sample else (example.options[0], example.options[1])
    choice, _ = vlm.choose(logits, example.options)
    of_two, scores = vlm.choose(logits, two)
    return {
        "answer": example.answer,
        "choice": choice,
        "correct": choice == example.answer,
        "choice_of_two": of_two,
        "correct_of_two": of_two == example.answer,
        "p_answer_of_two": float(scores[two.index(example.answer)] / scores.sum()),
    }
