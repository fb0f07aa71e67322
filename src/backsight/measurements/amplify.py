"""What amplification repairs and what it breaks, with alpha chosen on other pictures than it is scored on.

Probe directions are fitted on the pictures of the first part where all of them show three things in a row, else on
jittered Squares drawn for the model's grid, of which none is asked about; alpha is chosen on the first part too, and
the second part is scored: with the probes' directions, and with the same directions turned at random, at the same alpha
(Dual Mechanisms, 5.4 and table 3, which chose alpha on the very failures that it scored).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from torch import Tensor

from backsight import stimuli
from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet, Pair
from backsight.grid import TokenGrid
from backsight.maths import edits, probes
from backsight.measurements import costs, memory
from backsight.measurements.base import Measurement, Row, Samples
from backsight.models import replay
from backsight.models.facts import ModelFacts
from backsight.models.families.common import ENTERS_ONCE, ONE_GRID
from backsight.models.vlm import VLM
from backsight.repairs.amplification import LARGEST, Amplified, Form, directions
from backsight.results import Result, amplification
from backsight.results.amplification.tables import CHOOSING
from backsight.stimuli.arrangements import Grid, by_arrangement, split, split_by_source
from backsight.stimuli.suites import layout_for

FEWEST = 8  # pictures of a kind that a probe is fitted on
SHOWN = 240  # jittered Squares, where the samples show no rows of three
FORMS: tuple[Form, ...] = ("projected", "printed")
# By form: the repair, the kind of its directions, the number of the draw and alpha.
Tried = dict[Form, list[tuple[Amplified, str, int, float]]]


@dataclass(frozen=True)
class Amplify(Measurement):
    """Answers with image embeddings amplified, one row a question, form, kind of directions, draw and alpha.

    Each random draw is asked about one in `every` pictures, the draws in turn: with 10 draws and 3, every picture has
    three or four of them.
    """

    result: ClassVar[Result] = amplification.RESULT
    needs_all_samples: ClassVar[bool] = True
    version: ClassVar[int] = 3
    requires: ClassVar[frozenset[str]] = frozenset({ENTERS_ONCE, ONE_GRID})

    alphas: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 15.0)
    draws: int = 10
    every: int = 1
    seed: int = 0
    method: probes.Method = "logistic"

    def __post_init__(self) -> None:
        wrong = [alpha for alpha in self.alphas if not 0 < alpha <= LARGEST]
        if wrong or not self.alphas:
            raise UsageError("alpha is outside of its range", got=wrong or "no alpha", do=f"give 0 to {LARGEST:g}")
        if self.draws < 1:
            raise UsageError("The control needs at least one random draw", got=self.draws)
        if not 1 <= self.every <= self.draws:
            raise UsageError("Every picture needs a random draw", got=self.every, do=f"give 1 to {self.draws}")

    def applies(self, samples: Samples) -> bool:
        """Questions that name a direction."""
        return isinstance(samples, ExampleSet) and all(
            e.direction is not None and not isinstance(e.source, Grid) for e in samples
        )

    def asked(self, samples: Samples, grid: TokenGrid) -> Iterable[Example | Pair]:
        """The samples, and the rows that probes are fitted on where these show none."""
        if not isinstance(samples, ExampleSet):
            return samples
        try:
            return [*samples, *self._shown(grid, parted(samples, self.seed)[0])]
        except CannotAnswer:  # no room for rows: `check` says so
            return samples

    def check(self, facts: ModelFacts, samples: Samples) -> None:
        """CannotAnswer where the options are no single tokens, or the grid has no room for rows."""
        if not isinstance(samples, ExampleSet):
            raise UsageError("Amplification takes an example set, not pairs", got=samples.name)
        facts.check_options(replace(samples, scoring="token"))
        if len({e.image_id for e in samples}) < 4:
            raise CannotAnswer("Too few pictures to choose alpha on some and score the others", got=len(samples))
        if not all(parted(samples, self.seed)):
            raise CannotAnswer("Too few photographs to choose alpha on some and score the others", got=len(samples))
        layout_for(facts.grid)  # CannotAnswer where the grid has no room for the rows that probes are fitted on

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """A forward a question, the language model again for each form and alpha and each random draw, and the vision
        encoder over the pictures that the directions are fitted on."""
        assert isinstance(samples, ExampleSet)
        first, second = parted(samples, self.seed)
        shown = [e for one in by_arrangement(self._shown(facts.grid, first)).values() for e in one]
        spent = list(costs.pictures(facts, shown, self.batch))
        parts = [
            (first, 0),
            *((part, len(range(n, self.draws, self.every))) for n, part in enumerate(_in_turn(second, self.every))),
        ]
        for part, draws in parts:
            for chunk in self._batches(part):
                call = facts.call(chunk)
                again = len(FORMS) * (len(self.alphas) + draws)
                spent.append((call, call.forward() + costs.from_embeddings(facts, call, chunk) * again))
        return sum(facts.equivalents(call, flops) for call, flops in spent)

    def bytes_each(self, facts: ModelFacts, samples: Samples) -> int:
        """Two recordings, the amplified embeddings, and the fullest pass: a forward or a replay."""
        sizes = facts.sizes(samples)
        values = 6 * memory.states(sizes, deep=False)
        return 2 * memory.recorded(sizes) + values + max(memory.forward(sizes), memory.replayed(sizes))

    def bytes_held(self, facts: ModelFacts, samples: Samples) -> int:
        """The fit of the directions: the states of object tokens four times over, and its batch in the vision encoder
        where that is more than one sample of the rest."""
        assert isinstance(samples, ExampleSet)
        shown = self._shown(facts.grid, parted(samples, self.seed)[0])
        sizes = facts.sizes(shown)
        kinds = by_arrangement(shown).values()
        most = max(memory.marked(facts, split(pictures, self.seed)[0]) for pictures in kinds)
        features = 4 * most * sizes.text.width * memory.FLOAT
        seen = memory.pictures(sizes, min(self.batch, max(map(len, kinds))))
        return features + max(0, seen - self.bytes_each(facts, samples))

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """Rows of both parts; `part` says which, `chosen` marks the alpha that the first part chose."""
        first, second = parted(ExampleSet("amplify", tuple(samples)), self.seed)
        fitted, probe = directions(vlm, self._shown(vlm.grid, first), self.seed, self.batch, method=self.method)
        tried: Tried = {form: [(Amplified(fitted, a, form), "probe", 0, a) for a in self.alphas] for form in FORMS}
        rows = self._answers(vlm, first, "choose", tried)
        best = {form: _best(rows[form], self.alphas) for form in FORMS}
        turned = [edits.random_directions(fitted, self.seed + n) for n in range(self.draws)]
        random: Tried = {
            form: [(Amplified(turned[n], best[form], form), "random", n, best[form]) for n in range(self.draws)]
            for form in FORMS
        }
        for turn, part in enumerate(_in_turn(second, self.every)):
            also = {form: [*tried[form], *random[form][turn :: self.every]] for form in FORMS}
            for form, more in self._answers(vlm, part, "score", also).items():
                rows[form] += more
        return [
            row | {"chosen": form is not None and row["alpha"] == best[form], "probe": probe}
            for form, of in rows.items()
            for row in of
        ]

    def _shown(self, grid: TokenGrid, first: ExampleSet) -> ExampleSet:
        """What the probes are fitted on."""
        try:
            enough = min(map(len, by_arrangement(first).values()), default=0) >= FEWEST
        except CannotAnswer:
            enough = False
        return first if enough else stimuli.jittered(grid, suite="squares", count=SHOWN, seed=self.seed)

    def _answers(self, vlm: VLM, examples: ExampleSet, part: str, tried: Tried) -> dict[Form | None, list[Row]]:
        """Rows by form, None where nothing is amplified: all on one recording a batch."""
        rows: dict[Form | None, list[Row]] = {None: [], **{form: [] for form in tried}}
        for chunk in self._batches(examples):
            batch = vlm.prepare(chunk)
            trace = replay.record(vlm, batch)
            plain = trace.resid_pre(0)[batch.image_mask]
            for example, scores in zip(chunk, trace.logits, strict=True):
                rows[None].append(_row(vlm, example, scores, part, None, "none", 0, 0.0))
            for form, repairs in tried.items():
                for repair, kind, draw, alpha in repairs:
                    logits = trace.with_states(0, batch.image_mask, repair(plain))
                    for example, scores in zip(chunk, logits, strict=True):
                        rows[form].append(_row(vlm, example, scores, part, form, kind, draw, alpha))
        return rows

    def _batches(self, examples: ExampleSet) -> Iterator[list[Example]]:
        for start in range(0, len(examples), self.batch):
            yield list(examples.items[start : start + self.batch])


def parted(samples: ExampleSet, seed: int) -> tuple[ExampleSet, ExampleSet]:
    """What alpha is chosen on, and what is scored: all questions of a picture in one part.

    Pictures that are joined of two are dealt out by photograph, so that none is in both parts; a picture whose halves
    would be in different parts is in neither.
    """
    if all(len(example.picture.sources) == 1 for example in samples):
        return samples.split(CHOOSING, seed=seed)
    pictures = list({example.image_id: example for example in samples}.values())
    first, second = ({e.image_id for e in part} for part in split_by_source(pictures, seed, CHOOSING))
    return samples.where(lambda e: e.image_id in first), samples.where(lambda e: e.image_id in second)


def _in_turn(examples: ExampleSet, count: int) -> list[ExampleSet]:
    """The examples in `count` parts by picture, the pictures dealt out in turn."""
    places = {name: place for place, name in enumerate(dict.fromkeys(e.image_id for e in examples))}
    return [examples.where(lambda e, turn=turn: places[e.image_id] % count == turn) for turn in range(count)]  # type: ignore[misc]


def _best(rows: Sequence[Row], alphas: Sequence[float]) -> float:
    """The alpha that answers most right; of equals the smallest."""
    right = [np.mean([row["correct"] for row in rows if row["alpha"] == alpha]) for alpha in alphas]
    return alphas[int(np.argmax(right))]


def _row(
    vlm: VLM, example: Example, logits: Tensor, part: str, form: Form | None, kind: str, draw: int, alpha: float
) -> Row:  # fmt: skip
    choice, scores = vlm.choose(logits, example.options)
    return {
        "example_id": example.id, "image_id": example.image_id, "suite": example.suite,
        "direction": example.direction, "ground": example.tags.get("ground"), "part": part, "form": form,
        "directions": kind, "draw": draw, "alpha": alpha, "choice": choice, "correct": choice == example.answer,
        "p_answer": float(scores[example.options.index(example.answer)]),
    }  # fmt: skip
