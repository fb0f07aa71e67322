"""Interchange interventions: one state of the clean run replaced by that of a counterfactual run, layer by layer.

At the last position of rows of three (Dual Mechanisms, 5.1 and figure 2): if the replaced state carries the *position*
that is asked for, the answer becomes the clean picture's entity at that position (ordinal); if it carries the answer
itself, it becomes the counterfactual's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Pair, PairSet
from backsight.maths.interchange import NEITHER
from backsight.measurements import costs, memory
from backsight.measurements.base import Measurement, Row, Samples
from backsight.models import replay
from backsight.models.facts import ModelFacts
from backsight.models.vlm import VLM
from backsight.results import Result, interchange
from backsight.results.interchange import OUTCOMES

MISSING = (*(f"p_{name}" for name in OUTCOMES), "layer", "top_token", "top_outcome")  # of a pair that was dropped


@dataclass(frozen=True)
class Interchange(Measurement):
    """The last-token sweep: slot l replaces resid_pre(l), l = 0..L, at the last position.

    Slot 0 is the input of the first decoder block and slot l the stream behind block l, as the authors ran it. Pairs
    of which either run answers wrong (best option) are dropped: they have one row with `kept` false and no layer.
    """

    result: ClassVar[Result] = interchange.RESULT
    version: ClassVar[int] = 2
    pair_kind: ClassVar[str | None] = "last_token"

    batch: int = 8
    site: Literal["resid_pre"] = "resid_pre"
    at: Literal["last"] = "last"

    def __post_init__(self) -> None:
        if self.site != "resid_pre" or self.at != "last":
            raise UsageError(
                "This interchange is not offered",
                got=f"site={self.site!r}, at={self.at!r}",
                do='use site="resid_pre", at="last"',
            )

    def check(self, facts: ModelFacts, samples: Samples) -> None:
        """CannotAnswer where an outcome has no single token of its own."""
        if not isinstance(samples, PairSet):
            raise UsageError("An interchange takes pairs", got=samples.name, do='give examples.pairs("last_token")')
        for pair in samples:
            missing = [name for name in OUTCOMES if name not in pair.outcomes]
            if missing:
                raise UsageError(
                    "A pair does not name its outcomes", where=f"pair {pair.id}", got=f"no {', '.join(missing)}",
                    do=f"give {', '.join(OUTCOMES)}",
                )  # fmt: skip
            for asked in (pair.clean.options, pair.counterfactual.options, _named(pair)):
                if facts.token_options(asked) is None:
                    raise CannotAnswer(
                        "The tokenizer has no single token of its own for some options", where=f"pair {pair.id}",
                        got=asked,
                    )  # fmt: skip

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """Two forwards a pair, and the sweep of each batch; where no pair of a batch is kept, it has none."""

        def run(batch: list[Pair]) -> Iterator[costs.Spent]:
            call, other = facts.call(costs.clean(batch)), facts.call(costs.counterfactual(batch))
            yield call, call.forward() + costs.swept_last(facts, call)
            yield other, other.forward()

        return costs.total(facts, samples, self.plan(samples), run)

    def bytes_each(self, facts: ModelFacts, samples: Samples) -> int:
        """The clean run's recording, the other run's last states, the logits of all layers, and the fullest pass: a
        forward, or the sweep, which replays whole prompts where others see the last position."""
        sizes = facts.sizes(samples)
        layers = facts.n_layers + 1
        states = 2 * layers * sizes.text.width * sizes.item
        sweep = max(memory.swept(sizes), memory.replayed(sizes))
        kept = memory.recorded(sizes) + states + memory.logits(sizes)
        return kept + max(memory.forward(sizes), sweep + 2 * memory.logits(sizes, layers))

    def rows(self, vlm: VLM, samples: Sequence[Pair]) -> list[Row]:
        """L + 1 rows a kept pair, one row a dropped one."""
        trace = replay.record(vlm, vlm.prepare([p.clean for p in samples]))
        with vlm.recording("resid_pre", positions="last") as recorded:
            other = vlm.forward(vlm.prepare([p.counterfactual for p in samples]))
        clean_choice = [vlm.choose(trace.logits[i], p.clean.options)[0] for i, p in enumerate(samples)]
        other_choice = [vlm.choose(other[i], p.counterfactual.options)[0] for i, p in enumerate(samples)]
        kept = [
            a == p.clean.answer and b == p.counterfactual.answer
            for p, a, b in zip(samples, clean_choice, other_choice, strict=True)
        ]
        swept: Tensor | None = None
        if any(kept):
            swept = trace.sweep_last(torch.stack([recorded["resid_pre", k] for k in range(vlm.n_layers + 1)]))
        rows: list[Row] = []
        for i, pair in enumerate(samples):
            common = _common(self, pair, kept[i], clean_choice[i], other_choice[i])
            if not kept[i] or swept is None:
                rows.append(common | dict.fromkeys(MISSING))
                continue
            for layer in range(vlm.n_layers + 1):
                rows.append(common | {"layer": layer} | _outcomes(vlm, swept[layer, i], pair))
        return rows


def _named(pair: Pair) -> tuple[str, ...]:
    return tuple(pair.outcomes[name] for name in OUTCOMES)


def _outcomes(vlm: VLM, logits: Tensor, pair: Pair) -> Row:
    probabilities = vlm.choose(logits, _named(pair))[1].tolist()
    row: Row = {f"p_{name}": p for name, p in zip(OUTCOMES, probabilities, strict=True)}
    return row | top_outcome(vlm, logits, dict(zip(OUTCOMES, _named(pair), strict=True)))


def top_outcome(vlm: VLM, logits: Tensor, outcomes: Mapping[str, str]) -> Row:
    """The top token of logits (vocabulary,), and which of the named outcomes it spells, or `NEITHER`."""
    top = int(logits.argmax())
    spelled = zip(outcomes, vlm.options(tuple(outcomes.values())) or (), strict=False)
    named = (name for name, ids in spelled if top in ids)
    return {"top_token": vlm.tokenizer.decode([top]), "top_outcome": next(named, NEITHER)}


def _common(measurement: Interchange, pair: Pair, kept: bool, clean: str, counterfactual: str) -> Row:
    return {
        "pair_id": pair.id,
        "image_id": pair.clean.image_id,
        "suite": pair.clean.suite,
        "direction": pair.clean.direction,
        "site": measurement.site,
        "position": measurement.at,
        "kept": kept,
        "clean_choice": clean,
        "counterfactual_choice": counterfactual,
    }
