"""What amplification repairs and what it breaks, with alpha chosen on other pictures than it is scored on.

Probe directions are fitted on the pictures of the first part where all of them show three things in a row, else on
jittered Squares drawn for the model's grid, of which none is asked about; alpha is chosen on the first part too, and
the second part is scored: with the probes' directions, and with the same directions turned at random, at the same alpha
(Dual Mechanisms, 5.4 and table 3, which chose alpha on the very failures that it scored).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

from backsight import stimuli
from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet
from backsight.maths import edits, probes
from backsight.measurements import memory
from backsight.measurements.base import Measurement, Row, Samples
from backsight.models import answers, replay
from backsight.models.vlm import VLM
from backsight.repairs.amplification import LARGEST, Amplified, Form, directions
from backsight.results import Result, amplification
from backsight.results.amplification.tables import CHOOSING
from backsight.stimuli.arrangements import Grid, by_arrangement, split
from backsight.stimuli.suites import layout_for

FEWEST = 8  # pictures of a kind that a probe is fitted on
SHOWN = 240  # jittered Squares, where the samples show no rows of three
FORMS: tuple[Form, ...] = ("projected", "printed")


@dataclass(frozen=True)
class Amplify(Measurement):
    """Answers with image embeddings amplified, one row a question, form, kind of directions, draw and alpha.

    Each random draw is asked about one in `every` pictures, the draws in turn: with 10 draws and 3, every picture has
    three or four of them.
    """

    result: ClassVar[Result] = amplification.RESULT
    whole: ClassVar[bool] = True
    version: ClassVar[int] = 2

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

    def check(self, vlm: VLM, samples: Samples) -> None:
        """CannotAnswer where vision features enter later on too, or the options are no single tokens."""
        if not isinstance(samples, ExampleSet):
            raise UsageError("Amplification takes an example set, not pairs", got=samples.name)
        if vlm.family.deepstack:
            raise CannotAnswer("Vision features enter between the decoder's blocks too", got=vlm.family.name)
        answers.check(vlm.tokenizer, replace_scoring(samples))
        if len({e.image_id for e in samples}) < 4:
            raise CannotAnswer("Too few pictures to choose alpha on some and score the others", got=len(samples))
        layout_for(vlm.grid)  # CannotAnswer where the grid has no room for the rows that probes are fitted on

    def cost(self, vlm: VLM, samples: Samples) -> float:
        """A forward a question; the language model again for each form and alpha, and for each random draw."""
        again = len(FORMS) * (len(self.alphas) + self.draws / self.every * (1 - CHOOSING))
        return len(samples) * (1 + again * (1 - vlm.vision_share))

    def bytes_each(self, vlm: VLM, samples: Samples) -> int:
        """Two recordings, the amplified embeddings, and the fullest pass: a forward or a replay."""
        sizes = memory.of(vlm, samples)
        values = 6 * memory.states(sizes, deep=False)
        return 2 * memory.recorded(sizes) + values + max(memory.forward(sizes), memory.replayed(sizes))

    def bytes_held(self, vlm: VLM, samples: Samples) -> int:
        """The fit of the directions: the states of object tokens four times over, and its batch in the vision encoder
        where that is more than one sample of the rest."""
        assert isinstance(samples, ExampleSet)
        shown = self._shown(vlm, samples.split(CHOOSING, seed=self.seed)[0])
        sizes = memory.of(vlm, shown)
        kinds = by_arrangement(shown).values()
        most = max(memory.marked(vlm, split(found, self.seed)[0]) for found in kinds)
        features = 4 * most * sizes.text.width * memory.FLOAT
        seen = memory.pictures(sizes, min(self.batch, max(map(len, kinds))))
        return features + max(0, seen - self.bytes_each(vlm, samples))

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """Rows of both parts; `part` says which, `chosen` marks the alpha that the first part chose."""
        first, second = ExampleSet("amplify", tuple(samples)).split(CHOOSING, seed=self.seed)
        found, probe = directions(vlm, self._shown(vlm, first), self.seed, self.batch, method=self.method)
        rows = list(self._plain(vlm, first, "choose")) + list(self._plain(vlm, second, "score"))
        for form in FORMS:
            tried = [(Amplified(found, alpha, form), "probe", 0, alpha) for alpha in self.alphas]
            chosen_on = list(self._tried(vlm, first, "choose", form, tried))
            best = _best(chosen_on, self.alphas)
            random = [
                (Amplified(edits.random_directions(found, self.seed + n), best, form), "random", n, best)
                for n in range(self.draws)
            ]
            made = chosen_on
            for turn, part in enumerate(_in_turn(second, self.every)):
                made += self._tried(vlm, part, "score", form, [*tried, *random[turn :: self.every]])
            rows += [row | {"chosen": row["alpha"] == best} for row in made]
        return [row | {"probe": probe} for row in rows]

    def _shown(self, vlm: VLM, first: ExampleSet) -> ExampleSet:
        """What the probes are fitted on."""
        try:
            enough = min(map(len, by_arrangement(first).values())) >= FEWEST
        except CannotAnswer:
            enough = False
        return first if enough else stimuli.jittered(vlm.grid, suite="squares", count=SHOWN, seed=self.seed)

    def _plain(self, vlm: VLM, examples: ExampleSet, part: str) -> Iterator[Row]:
        for batch in self._batches(examples):
            logits = vlm.forward(vlm.prepare(batch))
            for example, scores in zip(batch, logits, strict=True):
                yield _row(vlm, example, scores, part, None, "none", 0, 0.0) | {"chosen": False}

    def _tried(
        self, vlm: VLM, examples: ExampleSet, part: str, form: Form,
        tried: Sequence[tuple[Amplified, str, int, float]],
    ) -> Iterator[Row]:  # fmt: skip
        for chunk in self._batches(examples):
            batch = vlm.prepare(chunk)
            trace = replay.record(vlm, batch)
            plain = trace.resid_pre(0)[batch.image_mask]
            for repair, kind, draw, alpha in tried:
                logits = trace.replaced(0, batch.image_mask, repair(plain))
                for example, scores in zip(chunk, logits, strict=True):
                    yield _row(vlm, example, scores, part, form, kind, draw, alpha)

    def _batches(self, examples: ExampleSet) -> Iterator[list[Example]]:
        for start in range(0, len(examples), self.batch):
            yield list(examples.items[start : start + self.batch])


def _in_turn(examples: ExampleSet, count: int) -> list[ExampleSet]:
    """The examples in `count` parts by picture, the pictures dealt out in turn."""
    places = {name: place for place, name in enumerate(dict.fromkeys(e.image_id for e in examples))}
    return [examples.where(lambda e, turn=turn: places[e.image_id] % count == turn) for turn in range(count)]  # type: ignore[misc]


def replace_scoring(samples: ExampleSet) -> ExampleSet:
    """The set with single tokens demanded, whatever it scores by elsewhere."""
    from dataclasses import replace

    return replace(samples, scoring="token")


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
