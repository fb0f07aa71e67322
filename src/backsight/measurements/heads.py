"""Whether the heads that look at the boxes matter: they are ablated, beside as many others of the same layers.

Heads are chosen on half of the pictures, by how much better they find subject, reference or both there than on a gray
picture; what they find and what their ablation does to the answers is measured on the other half.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np
from torch import Tensor

from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet
from backsight.measurements import costs, memory
from backsight.measurements.base import Row, Samples
from backsight.measurements.batching import batches
from backsight.measurements.looking import Looking
from backsight.measurements.modalities import OfAttention
from backsight.measurements.needs import Needs
from backsight.measurements.recordings import record
from backsight.models.facts import ModelFacts
from backsight.models.sites import Edit
from backsight.models.vlm import VLM
from backsight.results import Result, heads
from backsight.results.looking import TARGETS
from backsight.stimuli.arrangements import split_by_source

ABLATIONS = ("zero", "mean")
FEWEST = 4  # pictures

Head = tuple[int, int]  # layer, head


class Scores(NamedTuple):
    """Of one head and target: AUROC on the picture and on a gray one."""

    shown: float
    gray: float


By = dict[Head, dict[str, Scores]]  # by head and target


@dataclass(frozen=True)
class Heads(OfAttention):
    """Answers with the `top` heads ablated that find the boxes best, at most half of a layer's, and with `draws` times
    as many others of the same layers.

    One row a question of the second half, and condition: plain, chosen, random. `ablations` are zero, and mean: the
    mean of a head's output over positions and questions of the first half.
    """

    result: ClassVar[Result] = heads.RESULT
    needs_all_samples: ClassVar[bool] = True

    top: int = 3
    draws: int = 3
    ablations: tuple[str, ...] = ("zero",)
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.top < 1 or self.draws < 1:
            raise UsageError("At least one head and one random draw are needed", got=(self.top, self.draws))
        if not self.ablations or (wrong := [name for name in self.ablations if name not in ABLATIONS]):
            raise UsageError(
                "There is no such ablation", got=wrong if self.ablations else "none",
                do=f"choose from: {', '.join(ABLATIONS)}",
            )  # fmt: skip

    def needs(self) -> Needs | None:
        """None: it makes its own recordings."""
        return None

    def check(self, facts: ModelFacts, samples: Samples) -> None:
        """CannotAnswer where options are no single tokens, boxes or pictures are too few, or heads."""
        super().check(facts, samples)
        assert isinstance(samples, ExampleSet)
        boxed = _boxed(samples)
        if not boxed:
            raise CannotAnswer("No question of this set has a box that attention could find", got=samples.name)
        facts.check_options(replace(samples, items=tuple(boxed), scoring="token"))
        if len({e.image_id for e in boxed}) < FEWEST or not all(_halves(boxed, self.seed)):
            raise CannotAnswer("Too few pictures to choose heads on some and ablate them on others", got=len(boxed))
        there = facts.n_layers * facts.text.heads
        if there < 2 * self.top or facts.n_layers * most_of(facts.text.heads) < self.top:
            raise CannotAnswer("The model has too few heads for as many random ones beside", got=there)

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """Both halves with their gray pictures, the second again under each ablation, the first again for a mean."""
        first, second = _halves(_boxed(samples), self.seed)
        again = {0: int("mean" in self.ablations), 1: (1 + self.draws) * len(self.ablations)}
        total = 0.0
        for number, half in enumerate((first, second)):
            some = ExampleSet("heads", tuple(half))

            def run(batch: list[Example], times: int = again[number]) -> Iterator[costs.Spent]:
                call = facts.call(batch)
                yield call, call.forward() * times

            total += self._looking.cost(facts, some) + costs.total(facts, some, batches(some, self.batch), run)
        return total

    def bytes_each(self, facts: ModelFacts, samples: Samples) -> int:
        """As Looking, with the input and the logits of the batch before; for a mean also the recorded outputs of the
        heads of all chosen layers."""
        sizes = facts.sizes(samples)
        outputs = sizes.tokens * sizes.text.heads * sizes.text.head * sizes.item
        layers = min(facts.n_layers, self.top * (1 + self.draws)) if "mean" in self.ablations else 0
        looking = self._looking.bytes_each(facts, samples)
        return looking + sizes.inputs + 2 * memory.logits(sizes) + (2 + layers) * outputs

    @property
    def _looking(self) -> Looking:
        return Looking(queries=self.queries, batch=self.batch, random=1)

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """Rows of the second half of the pictures, the heads chosen on the first."""
        first, second = _halves(_boxed(samples), self.seed)
        by_question = [by for batch in self._batches(first) for _, by in self._looked(vlm, batch)]
        on_first = _mean(by_question)
        ranked = sorted(on_first, key=lambda head: (-_gain(on_first[head]), head))
        count = 1 + max(head for _, head in on_first)
        chosen = _spread(ranked, self.top, most_of(count))
        sets = [("chosen", 0, chosen)]
        sets += [("random", draw, self._others(chosen, ranked, draw)) for draw in range(self.draws)]
        means = self._means(vlm, first, {layer for _, _, some in sets for layer, _ in some})
        rows: list[Row] = []
        for batch in self._batches(second):
            looked = self._looked(vlm, batch)
            rows += [_answer(vlm, e, logits) | PLAIN for e, (logits, _) in zip(batch, looked, strict=True)]
            prepared = vlm.prepare(batch)
            for ablation in self.ablations:
                for condition, draw, some in sets:
                    edits = _edits(some, count, means if ablation == "mean" else {})
                    with vlm.editing(*edits):
                        scores = vlm.forward(prepared)
                    about = {"condition": condition, "ablation": ablation, "draw": draw, "heads": _words(some)}
                    for example, logits, (_, by) in zip(batch, scores, looked, strict=True):
                        rows.append(_answer(vlm, example, logits) | about | _found(some, by, on_first))
        return rows

    def _batches(self, examples: Sequence[Example]) -> Iterator[list[Example]]:
        for indices in batches(examples, self.batch):
            yield [examples[i] for i in indices]

    def _looked(self, vlm: VLM, batch: Sequence[Example]) -> list[tuple[Tensor, By]]:
        """Next-token logits of each question, and what each head finds."""
        recorded = record(vlm, batch, Needs(attention=self.queries))
        assert recorded.logits is not None
        of: dict[str, By] = {example.id: {} for example in batch}
        for row in self._looking.rows_from(recorded):
            if row["head"] is not None:
                pairs = {name: (row[f"{name}_auroc"], row[f"{name}_gray"]) for name in TARGETS}
                of[row["example_id"]][row["layer"], row["head"]] = {
                    name: Scores(*pair) for name, pair in pairs.items() if None not in pair
                }
        return list(zip(recorded.logits, of.values(), strict=True))

    def _others(self, chosen: Sequence[Head], every: Sequence[Head], draw: int) -> list[Head]:
        """As many other heads, each of a chosen one's layer; of any where that layer has a single head."""
        rng = np.random.default_rng([self.seed, draw])
        left = sorted(set(every) - set(chosen))
        taken: list[Head] = []
        for layer, _ in chosen:
            pool = [head for head in left if head[0] == layer] or left
            taken.append(pool[int(rng.integers(len(pool)))])
            left.remove(taken[-1])
        return taken

    def _means(self, vlm: VLM, examples: Sequence[Example], layers: set[int]) -> dict[int, Tensor]:
        """By layer the mean output of its heads (heads x head_dim,) over positions and questions; none without need."""
        if "mean" not in self.ablations:
            return {}
        sums: dict[int, Tensor] = {}
        count = 0
        for batch in self._batches(examples):
            prepared = vlm.prepare(batch)
            with vlm.recording("heads", layers=sorted(layers), positions=prepared.attention_mask.bool()) as recorded:
                vlm.forward(prepared)
            for layer in layers:
                total = recorded["heads", layer].double().sum(0).cpu()
                sums[layer] = sums[layer] + total if layer in sums else total
            count += int(prepared.attention_mask.sum())
        return {layer: total / count for layer, total in sums.items()}


PLAIN: Row = dict.fromkeys(("ablation", "draw", "heads", "auroc", "gray", "auroc_first")) | {"condition": "plain"}


def most_of(heads_: int) -> int:
    """How many of a layer's heads are chosen at most: half of them, so that as many others are left beside."""
    return max(1, heads_ // 2)


def _spread(ranked: Sequence[Head], count: int, most: int) -> list[Head]:
    """The first `count` heads of which no layer has more than `most`."""
    chosen: list[Head] = []
    for head in ranked:
        if len(chosen) < count and sum(layer == head[0] for layer, _ in chosen) < most:
            chosen.append(head)
    return chosen


def _boxed(samples: Samples | Sequence[Example]) -> list[Example]:
    return [e for e in samples if isinstance(e, Example) and e.boxes]


def _halves(examples: Sequence[Example], seed: int) -> tuple[list[Example], list[Example]]:
    """Two halves by picture; pictures that share a photograph are in one half."""
    pictures = list({e.image_id: e for e in examples}.values())
    if len(pictures) < FEWEST:
        return [], []
    first, second = ({e.image_id for e in part} for part in split_by_source(pictures, seed, 0.5))
    return [e for e in examples if e.image_id in first], [e for e in examples if e.image_id in second]


def _mean(by_question: Sequence[By]) -> By:
    """The mean over the questions in which a head has a number for a target."""
    heads_ = sorted({head for by in by_question for head in by})
    mean: By = {}
    for head in heads_:
        mean[head] = {}
        for name in TARGETS:
            of = [by[head][name] for by in by_question if name in by.get(head, {})]
            if of:
                mean[head][name] = Scores(*np.mean(of, axis=0).tolist())
    return {head: of for head, of in mean.items() if of}


def _best(of: Mapping[str, Scores]) -> str:
    """The target that a head finds best beside the gray picture."""
    return max(of, key=lambda name: of[name].shown - of[name].gray)


def _gain(of: Mapping[str, Scores]) -> float:
    scores = of[_best(of)]
    return scores.shown - scores.gray


def _found(some: Sequence[Head], by: By, on_first: By) -> Row:
    """The mean over some heads of what each finds in one question of the target that it found best before."""
    pairs = [(by[head][name], on_first[head][name]) for head in some
             if (name := _best(on_first[head])) in by.get(head, {})]  # fmt: skip
    if not pairs:
        return dict.fromkeys(("auroc", "gray", "auroc_first"))
    return {
        "auroc": float(np.mean([here.shown for here, _ in pairs])),
        "gray": float(np.mean([here.gray for here, _ in pairs])),
        "auroc_first": float(np.mean([first.shown for _, first in pairs])),
    }


def _words(some: Sequence[Head]) -> str:
    return ", ".join(f"{layer}.{head}" for layer, head in sorted(some))


def _edits(some: Sequence[Head], count: int, means: Mapping[int, Tensor]) -> list[Edit]:
    """Edits that set the outputs of some heads at every position of the prompt to zero, or to `means` by layer."""

    def edit(layer: int) -> Edit:
        mine = [head for at, head in some if at == layer]

        def ablated(rows: Tensor) -> Tensor:
            new = rows.clone().view(len(rows), count, -1)
            new[:, mine] = means[layer].to(rows).view(count, -1)[mine] if layer in means else 0.0
            return new.view_as(rows)

        return Edit("heads", ablated, (layer,))

    return [edit(layer) for layer in sorted({layer for layer, _ in some})]


def _answer(vlm: VLM, example: Example, logits: Tensor) -> Row:
    choice, scores = vlm.choose(logits, example.options)
    return {
        "example_id": example.id, "image_id": example.image_id, "suite": example.suite,
        "prompt": example.tags.get("prompt"), "direction": example.direction, "chance": 1 / len(example.options),
        "choice": choice, "correct": choice == example.answer,
        "p_answer": float(scores[example.options.index(example.answer)]),
    }  # fmt: skip
