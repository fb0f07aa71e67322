"""What a measurement will take, in forward equivalents: the sum of what it runs, batch by batch.

The formulas are those that charge a run (`models/flops.py`); what a plan cannot know is taken at most, and each
measurement says it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from backsight.examples import Example, Pair
from backsight.models.flops import Call, Flops
from backsight.stimuli.isolated import isolated

if TYPE_CHECKING:
    from backsight.measurements.base import Samples
    from backsight.models.facts import ModelFacts


def total(
    facts: ModelFacts, samples: Samples, plan: Iterable[Sequence[int]], of: Callable[[list[Any]], Iterator[Spent]]
) -> float:
    """Forward equivalents of all batches of a plan, `of` giving what one batch of samples runs."""
    spent = (one for indices in plan for one in of([samples[i] for i in indices]))
    return sum(facts.equivalents(call, flops) for call, flops in spent)


Spent = tuple[Call, Flops]  # what a batch runs, and the batch


def forwards(facts: ModelFacts, examples: Sequence[Example], size: int) -> Iterator[Spent]:
    """A forward of each of some examples, in batches."""
    for start in range(0, len(examples), size):
        call = facts.call(examples[start : start + size])
        yield call, call.forward()


def sequences(facts: ModelFacts, call: Call, examples: Iterable[Example]) -> Flops:
    """A forward for each option of a batch that single tokens do not tell apart, logits at every position."""
    asked = {e.options for e in examples if facts.token_options(e.options) is None}
    lengths = [facts.length_of(option) for options in asked for option in options]
    return sum((call.forward(longer=n, logits=call.tokens + n) for n in lengths), Flops())


def from_embeddings(facts: ModelFacts, call: Call, examples: Sequence[Example]) -> Flops:
    """A replay with all image tokens changed at the embeddings."""
    rows = max(facts.behind(e, 0) for e in examples)
    return call.replayed([rows] * facts.n_layers)


def without_order(facts: ModelFacts, call: Call, examples: Iterable[Example]) -> Flops:
    """The vision encoder over the pictures that removal takes a batch's embeddings from, equal ones once."""
    shown: dict[str, tuple[int, int]] = {}
    for example in {e.image_id: e for e in examples}.values():
        things, empty = isolated(example, facts.grid_of(example.picture).cell)
        shown |= {picture.id: picture.size for picture in (empty, *(one.picture for one in things))}
    return call.shown(facts.shown[size].patches for size in shown.values())


def pictures(facts: ModelFacts, examples: Sequence[Example], size: int) -> Iterator[Spent]:
    """The vision encoder alone over the pictures of some examples, in batches, equal ones once."""
    for start in range(0, len(examples), size):
        part = examples[start : start + size]
        call = facts.call(part)
        sizes = {e.picture.id: e.picture.size for e in part}
        yield call, call.shown(facts.shown[one].patches for one in sizes.values())


def swept_last(facts: ModelFacts, call: Call) -> Flops:
    """A last-token sweep: one growing batch, or where others see the last position a replay of all from each layer."""
    if facts.private():
        return call.swept()
    replays = (call.replayed([call.tokens] * (facts.n_layers - layer)) for layer in range(facts.n_layers))
    return sum(replays, call.replayed([]))


def swept_image(facts: ModelFacts, call: Call, rows: int) -> Flops:
    """A replay from each layer on, of so many rows."""
    return sum((call.replayed([rows] * (facts.n_layers - layer)) for layer in range(facts.n_layers)), Flops())


def clean(pairs: Iterable[Pair]) -> list[Example]:
    """The clean side of pairs."""
    return [pair.clean for pair in pairs]


def counterfactual(pairs: Iterable[Pair]) -> list[Example]:
    """The other side."""
    return [pair.counterfactual for pair in pairs]
