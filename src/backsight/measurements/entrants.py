"""The entrants of the tournament: how each repair is fitted on the development split, its controls, and what both take.

An entrant is a row of `REPAIRS`. All choosing happens here, on the development split alone; what is scored is given to
none of these functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from backsight import stimuli
from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet
from backsight.grid import TokenGrid
from backsight.maths import probes
from backsight.measurements import costs, memory
from backsight.measurements.batching import batches
from backsight.models import replay
from backsight.models.facts import ModelFacts
from backsight.models.families.common import ENTERS_ONCE, LACKING, ONE_GRID, PATCH_ORDER
from backsight.repairs import (
    AdaptVis,
    BothSides,
    BoxAttention,
    NormRescale,
    Pin,
    ScalingVis,
    Voted,
    adaptvis,
    boxes,
    choosing,
)
from backsight.repairs.amplification import Amplified, Form, directions
from backsight.repairs.base import Fitted
from backsight.stimuli.arrangements import by_arrangement

if TYPE_CHECKING:
    from backsight.models.vlm import VLM

FEWEST = 8  # pictures of a kind that a probe is fitted on
SHOWN = 240  # jittered Squares, where the development split shows no rows of three
ALPHAS = (1.0, 2.0, 4.0, 8.0, 15.0)
FitCost = Callable[[ModelFacts, ExampleSet, int], Iterator[costs.Spent]]
Controls = Mapping[str, Sequence[Fitted]]  # by what stands in for what makes it a repair, each draw


class Architecture(Protocol):
    """What is read of a family, or of a model's facts."""

    @property
    def capabilities(self) -> frozenset[str]: ...


@dataclass(frozen=True)
class Entrant:
    """A repair in the tournament.

    `fit` chooses all that is to be chosen on the development split. `setting` says what was chosen, `controls` are its
    controls in some draws. `cost` is what the fit and the choice of the controls run, in
    parts that others may share, `passes` how many passes of the
    model a question then takes, with the repair and with each control in some draws. `replayed` says that it changes
    the image embeddings alone, `on_rows` that its fit is shown three things in a row. `requires` names the capabilities
    of an architecture without which it has no part. One that is `opt_in` takes part where it is named:
    its fit costs more than all the rest.
    """

    fit: Callable[[Development], Fitted]
    setting: Callable[[Any], str]
    controls: Callable[[Any, Development, int], Controls]
    cost: tuple[FitCost, ...]
    passes: Callable[[int], Sequence[float]]
    replayed: bool = False
    on_rows: bool = False
    requires: frozenset[str] = frozenset()
    needs_boxes: bool = False
    opt_in: bool = False


@dataclass(frozen=True, eq=False)
class Development:
    """A model and the development split; what several entrants are fitted on is worked out once."""

    vlm: VLM
    examples: ExampleSet
    batch: int
    seed: int
    method: probes.Method

    @cached_property
    def amplified(self) -> dict[Form, Amplified]:
        """Amplification in both forms, along the directions of probes, with the alpha that answers most right."""
        shown = rows_shown(self.vlm.grid, self.examples, self.seed)
        columns = directions(self.vlm, shown, self.seed, self.batch, method=self.method).columns
        forms: tuple[Form, ...] = ("projected", "printed")
        tried = [Amplified(columns, alpha, form) for form in forms for alpha in ALPHAS]
        right = np.zeros(len(tried))
        for chunk in chunks(self.examples, self.batch):
            batch = self.vlm.prepare(chunk)
            trace = replay.record(self.vlm, batch)
            plain = trace.resid_pre(0)[batch.image_mask]
            for number, one in enumerate(tried):
                logits = trace.with_states(0, batch.image_mask, one(plain))
                right[number] += sum(
                    self.vlm.choose(scores, e.options)[0] == e.answer for e, scores in zip(chunk, logits, strict=True)
                )
        best = right.reshape(len(forms), len(ALPHAS)).argmax(1)  # of equals the smallest alpha
        return {form: tried[row * len(ALPHAS) + int(best[row])] for row, form in enumerate(forms)}


def rows_shown(grid: TokenGrid, examples: ExampleSet, seed: int) -> ExampleSet:
    """What position probes are fitted on: the development split where it shows three things in a row, else jittered
    Squares of which none is asked about. CannotAnswer where the grid has no room for them."""
    try:
        enough = min(map(len, by_arrangement(examples).values()), default=0) >= FEWEST
    except CannotAnswer:
        enough = False
    return examples if enough else stimuli.jittered(grid, suite="squares", count=SHOWN, seed=seed)


def chunks(examples: Sequence[Example], size: int) -> Iterator[list[Example]]:
    """The examples in batches of like prompt length."""
    for indices in batches(examples, size):
        yield [examples[i] for i in indices]


def lack(entrant: Entrant, of: Architecture, grid: TokenGrid, samples: Sequence[Example]) -> str | None:
    """Why a model, or some questions, cannot take an entrant; None where they can."""
    if lacking := sorted(entrant.requires - of.capabilities):
        return LACKING.get(lacking[0], f"It has no {lacking[0]}")
    if entrant.on_rows and not grid.is_rectangle:
        return LACKING[ONE_GRID]
    if entrant.needs_boxes:
        try:
            for example in samples:
                boxes.named(example)
        except CannotAnswer as error:
            return error.what
    return None


def on_embeddings(fitted: Fitted, of: Architecture) -> bool:
    """Whether a repair changes the image embeddings alone, and they enter the language model once."""
    return fitted.sites == ("image_embeds",) and fitted.passes == 1 and ENTERS_ONCE in of.capabilities


def _amplification_cost(facts: ModelFacts, examples: ExampleSet, batch: int) -> Iterator[costs.Spent]:
    """The pictures that probes are fitted on; a forward, and the language model again for each alpha of both forms."""
    shown = rows_shown(facts.grid, examples, 0)  # of each seed as many pictures of one size
    pictures = [e for one in by_arrangement(shown).values() for e in one]
    yield from costs.pictures(facts, pictures, batch)
    for chunk in chunks(examples, batch):
        call = facts.call(chunk)
        yield call, call.forward() + costs.from_embeddings(facts, call, chunk) * (2 * len(ALPHAS))


def _amplification(form: Form) -> Entrant:
    return Entrant(
        fit=lambda development: development.amplified[form],
        setting=lambda fitted: f"alpha {fitted.alpha:g}",
        controls=lambda fitted, _, draws: {"random directions": [fitted.control(seed) for seed in range(draws)]},
        cost=(_amplification_cost,),
        passes=lambda draws: [1.0] * (1 + draws),
        replayed=True,
        on_rows=True,
        requires=frozenset({ENTERS_ONCE, ONE_GRID}),
    )


def _forwards(times: int) -> FitCost:
    """A fit that asks the development split so many times, in batches of its own."""

    def cost(facts: ModelFacts, examples: ExampleSet, batch: int) -> Iterator[costs.Spent]:
        for chunk in choosing.batches(examples):
            call = facts.call(chunk)
            yield call, call.forward() * times

    return cost


def _embeddings(facts: ModelFacts, examples: ExampleSet, batch: int) -> Iterator[costs.Spent]:
    """A fit that looks at the embeddings of each picture."""
    return costs.pictures(facts, examples, choosing.BATCH)


INSERT = Pin(steps=60, batch=32, at_once=32)


def boxes_asked(examples: ExampleSet) -> list[Example]:
    """The questions about boxes that an insert is trained on; none where no example has a box."""
    try:
        return INSERT.asked(examples)
    except UsageError:
        return []


LONGEST = 32  # tokens of the text of a box that is trained on


def insert_bytes(facts: ModelFacts, asked: Sequence[Example], at_once: int) -> int:
    """What the training of an insert takes beside the weights, with `at_once` questions at a time."""
    return at_once * memory.trained(facts.sizes(asked).longer(LONGEST), LONGEST)


def _insert_cost(facts: ModelFacts, examples: ExampleSet, batch: int) -> Iterator[costs.Spent]:
    """A forward and a backward pass of each question of each step of an insert's training."""
    if asked := boxes_asked(examples)[: INSERT.batch]:
        call = facts.call(asked)
        yield call, (call.forward() + call.whole_backward()) * (INSERT.steps * INSERT.batch / len(call))


_each_weight = _forwards(len(adaptvis.LOW) + len(adaptvis.HIGH))
REPAIRS: dict[str, Entrant] = {
    "amplification": _amplification("projected"),
    "amplification_printed": _amplification("printed"),
    "adaptvis": Entrant(
        fit=lambda of: AdaptVis().fit(of.vlm, of.examples),
        setting=lambda fitted: f"weight {fitted.low:g} below {fitted.threshold:.2f}, else {fitted.high:g}",
        controls=lambda fitted, of, draws: {
            "one weight": [adaptvis.constant(fitted, of.vlm, of.examples)],
            "random positions": [fitted.control(seed) for seed in range(draws)],
        },
        cost=(_forwards(1), _each_weight),  # confidences, and what ScalingVis asks too
        passes=lambda draws: [2.0, 1.0, *[2.0] * draws],
    ),
    "scalingvis": Entrant(
        fit=lambda of: ScalingVis().fit(of.vlm, of.examples),
        setting=lambda fitted: f"weight {fitted.weight:g}",
        controls=lambda fitted, _, draws: {"random positions": [fitted.control(seed) for seed in range(draws)]},
        cost=(_each_weight,),
        passes=lambda draws: [1.0] * (1 + draws),
    ),
    "norm_rescale": Entrant(
        fit=lambda of: NormRescale().fit(of.vlm, of.examples),
        setting=lambda fitted: f"each token to length {fitted.text:.3g}",
        controls=lambda fitted, _, draws: {"lengths at random": [fitted.control(seed) for seed in range(draws)]},
        cost=(_embeddings,),
        passes=lambda draws: [1.0] * (1 + draws),
        replayed=True,
    ),
    "both_sides": Entrant(
        fit=lambda of: BothSides().fit(of.vlm, of.examples),
        setting=lambda fitted: "nothing to choose",
        controls=lambda fitted, _, draws: {"picture shifted": [fitted.control(seed) for seed in range(draws)]},
        cost=(),
        passes=lambda draws: [2.0] * (1 + draws),
        requires=Voted.requires,
    ),
    "box_attention": Entrant(
        fit=lambda of: BoxAttention().fit(of.vlm, of.examples),
        setting=lambda fitted: f"strength {fitted.strength:g}",
        controls=lambda fitted, _, draws: {"as many tokens elsewhere": [fitted.control(seed) for seed in range(draws)]},
        cost=(_forwards(len(boxes.STRENGTHS)),),
        passes=lambda draws: [1.0] * (1 + draws),
        needs_boxes=True,
    ),
    "pin": Entrant(
        # No more at a time than the batch, which is as large as the memory cap lets it be.
        fit=lambda of: replace(INSERT, seed=of.seed, at_once=min(INSERT.at_once, of.batch)).fit(of.vlm, of.examples),
        setting=lambda fitted: f"{fitted.rows} x {fitted.columns} patches, {fitted.parameters:,} parameters",
        controls=lambda fitted, _, draws: {"positions shuffled": [fitted.control(seed) for seed in range(draws)]},
        cost=(_insert_cost,),
        passes=lambda draws: [1.0] * (1 + draws),
        requires=frozenset({PATCH_ORDER}),
        opt_in=True,
    ),
}
