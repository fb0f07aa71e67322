"""The two pathways by which position reaches the answer, each ablated in turn.

What the vision encoder writes into the image tokens is one pathway, the language model's position encoding (rotary
positions, token order) the other. Shuffling the image tokens leaves the first; taking each object's tokens from a
picture of the object isolated in the centre, and all others from an empty picture (removal: Dual Mechanisms, 5.3.1),
leaves the second. Taking each cell through the vision encoder by itself is another way to ablate the first. A question
about what is present, which needs no spatial information, tells under the same edits whether the model still works.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backsight.errors import UsageError
from backsight.examples import Example, ExampleSet, Pair
from backsight.grid import TokenGrid
from backsight.maths.pathways import verdict
from backsight.maths.sequential import bounds
from backsight.measurements import costs, memory
from backsight.measurements.base import Measurement, Row, Samples
from backsight.measurements.batching import in_looks
from backsight.measurements.shuffles import shuffled
from backsight.models import embeds, replay
from backsight.models.facts import ModelFacts
from backsight.models.families.common import ENTERS_ONCE, ONE_GRID, SINGLE_CELLS
from backsight.models.prompts import Batch
from backsight.models.vlm import VLM
from backsight.results import Result, pathways
from backsight.stimuli.arrangements import TOUCHED
from backsight.stimuli.isolated import Isolated, alternatives, control, drawn, isolated, others
from backsight.tables import Table


@dataclass(frozen=True)
class Pathways(Measurement):
    """Answers with a pathway ablated, one row a question and condition: plain, removed, cells, and `shuffles` shuffles.

    Where `looks` names growing numbers of questions, no more are asked once the verdict is decided at one of them.

    Each example is asked its own question, read out between two alternatives, and the presence question, which of two
    things is there, where it is known what is not. Order is removed of drawn figures only (`stimuli.isolated.drawn`).
    """

    result: ClassVar[Result] = pathways.RESULT
    requires: ClassVar[frozenset[str]] = frozenset({ENTERS_ONCE, ONE_GRID})

    shuffles: int = 5
    looks: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.shuffles < 1:
            raise UsageError("At least one shuffle is needed", got=self.shuffles)
        if self.looks:
            bounds(self.looks)  # which refuses numbers that do not grow

    def looks_at(self) -> tuple[int, ...]:
        """The numbers of questions after which the verdict is asked whether it is decided."""
        return self.looks

    def parts(self, samples: Samples) -> list[list[int]]:
        """Whole pictures up to each look."""
        return in_looks(samples, self.looks) if isinstance(samples, ExampleSet) else super().parts(samples)

    def decided(self, rows: Table, looks: Sequence[int]) -> bool:
        """Whether the verdict on both pathways needs no more questions."""
        return verdict(rows, looks).settled

    def applies(self, samples: Samples) -> bool:
        """Questions that are read out between two alternatives."""
        return isinstance(samples, ExampleSet) and all(alternatives(e) is not None for e in samples)

    def asked(self, samples: Samples, grid: TokenGrid) -> Iterable[Example | Pair]:
        """The samples, and the presence question about each."""
        return [*samples, *_controls([e for e in samples if isinstance(e, Example)])]

    def check(self, facts: ModelFacts, samples: Samples) -> None:
        """CannotAnswer where questions have no two alternatives, or the options are no single tokens."""
        if not isinstance(samples, ExampleSet):
            raise UsageError("Pathways takes an example set, not pairs", got=samples.name)
        for example in samples:
            others(example)
        facts.check_options(replace(samples, scoring="token"))

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """Each condition of both questions runs the language model from the first image token on.

        Cells by themselves go through the vision encoder once a kind: at least those of objects are counted.
        """

        def run(batch: list[Example]) -> Iterator[costs.Spent]:
            cells = SINGLE_CELLS in facts.capabilities
            controls = _controls(batch)
            asked = [batch, controls] if all(facts.token_options(e.options) for e in controls) else [batch]
            for examples in filter(None, asked):
                call = facts.call(examples)
                removable = sum(drawn(e) is not None for e in examples) / len(examples)
                edited = costs.from_embeddings(facts, call, examples)
                yield call, call.forward() + edited * (self.shuffles + cells + removable)
            shown = [e for e in batch if drawn(e) is not None]
            if shown:
                call = facts.call(batch)
                yield call, costs.without_order(facts, call, shown)

        return costs.total(facts, samples, self.plan(samples), run)

    def bytes_each(self, facts: ModelFacts, samples: Samples) -> int:
        """The recordings of both questions with their logits, each condition's embeddings, and the fullest pass: a
        forward, a replay, or the vision encoder over the pictures of removal."""
        assert isinstance(samples, ExampleSet)
        sizes = facts.sizes([*samples, *_controls(samples.items)])
        values = (self.shuffles + 3) * memory.states(sizes, deep=False)
        kept = 2 * memory.recorded(sizes) + values + 2 * memory.logits(sizes, self.shuffles + 3)
        removable = [e for e in samples if drawn(e) is not None]
        isolated = memory.pictures(sizes, memory.without_order(facts, removable, self.batch)) // self.batch
        return kept + max(memory.forward(sizes), memory.replayed(sizes), isolated)

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """Rows of both questions about each picture under every condition."""
        questions = ((i, control(example)) for i, example in enumerate(samples))
        controls = {i: asked for i, asked in questions if asked is not None and vlm.options(asked.options) is not None}
        rows: list[Row] = []
        values: dict[str, list[Tensor | None]] = {}
        plain: list[Tensor] = []
        for kind, asked in (("order", dict(enumerate(samples))), ("control", controls)):
            if not asked:
                continue
            batch = vlm.prepare(list(asked.values()))
            trace = replay.record(vlm, batch)
            if kind == "order":
                entered = trace.resid_pre(0)[batch.image_mask]
                plain = list(torch.split(entered, [len(grid) for grid in batch.grids]))
                values = self._values(vlm, batch, entered)
            outcomes: dict[str, Tensor] = {"plain": trace.logits}
            for name, parts in values.items():
                there = [part if (part := parts[i]) is not None else plain[i] for i in asked]
                if any(parts[i] is not None for i in asked):
                    outcomes[name] = trace.with_states(0, batch.image_mask, torch.cat(there))
            for name, logits in outcomes.items():
                condition, _, seed = name.partition(" ")
                for (i, example), scores in zip(asked.items(), logits, strict=True):
                    if name == "plain" or values[name][i] is not None:
                        common = _common(samples[i], kind, condition, int(seed) if seed else None)
                        rows.append(common | _answered(vlm, samples[i], example, scores))
        return rows

    def _values(self, vlm: VLM, batch: Batch, plain: Tensor) -> dict[str, list[Tensor | None]]:
        """The embeddings of each picture under each condition; None where the condition cannot be made of it."""
        sizes = [len(grid) for grid in batch.grids]
        removable = [i for i, example in enumerate(batch.examples) if drawn(example) is not None]
        parts = _removed(vlm, [(batch.examples[i], batch.grids[i]) for i in removable])
        by_place = dict(zip(removable, parts, strict=True))
        values: dict[str, list[Tensor | None]] = {}
        if removable:
            values["removed"] = [by_place.get(i) for i in range(len(sizes))]
        if vlm.family.can(SINGLE_CELLS):
            values["cells"] = list(torch.split(embeds.of_single_cells(vlm, batch), sizes))
        for seed in range(self.shuffles):
            values[f"shuffled {seed}"] = list(torch.split(shuffled(plain, batch, seed), sizes))
        return values


def removed(vlm: VLM, batch: Batch) -> Tensor:
    """Image embeddings with the order removed that the vision encoder wrote (Dual Mechanisms, 5.3.1, figure 9).

    An entity's tokens come from a picture of it isolated in the centre, all others from the empty ground in place.
    """
    return torch.cat(_removed(vlm, list(zip(batch.examples, batch.grids, strict=True))))


def _removed(vlm: VLM, shown: Sequence[tuple[Example, TokenGrid]]) -> list[Tensor]:
    """The same a picture at a time."""
    sources = [isolated(example, grid.cell) for example, grid in shown]
    pictures = {p.id: p for entities, empty in sources for p in (empty, *(a.picture for a in entities))}
    if not shown:
        return []
    call = vlm.call([example for example, _ in shown])
    parts = dict(zip(pictures, embeds.of_pictures(vlm, list(pictures.values()), call), strict=True))
    values = []
    for (entities, empty), (_, grid) in zip(sources, shown, strict=True):
        value = parts[empty.id].clone()
        for entity in entities:
            target = grid.tokens_in(entity.target, TOUCHED)
            value[target] = parts[entity.picture.id][_moved(grid, target, entity)]
        values.append(value)
    return values


def _moved(grid: TokenGrid, tokens: NDArray[np.int64], entity: Isolated) -> NDArray[np.int64]:
    """The tokens of an isolated entity's picture that stand where some tokens of its scene went, whole cells away."""
    across = round((entity.source.left - entity.target.left) / grid.cell[0])
    down = round((entity.source.top - entity.target.top) / grid.cell[1])
    rows = np.clip(grid.row[tokens] + down, 0, grid.rows - 1)
    columns = np.clip(grid.column[tokens] + across, 0, grid.columns - 1)
    return rows * grid.columns + columns


def _controls(samples: Sequence[Example]) -> list[Example]:
    """The presence questions of those samples that have one."""
    return [asked for example in samples if (asked := control(example)) is not None]


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
    """The choice among all options, and between the question's two alternatives."""
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
