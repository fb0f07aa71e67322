"""The permutation test: image tokens shuffled behind the projector, on any questions (Beyond Semantics, 2503.17349).

Two shuffles ask different things. With *positions kept* the tokens' contents change places, and each place in the
prompt keeps its rotary position: the language model is told that each token stands elsewhere. With *positions moved
along* each token keeps the rotary position of its cell, and its place in the order of the prompt changes alone: what is
lost then went by causal order, or by a window that ends within the picture. Where image tokens see one another both
ways and all tokens see them, their order is nothing, and moved positions change no logit.

Two kinds of question are asked: the sample's own, and one about what is in the picture, which needs no position. Both
are asked again with the image tokens rescaled to the norm of the prompt's text tokens: if large norms drown the
positional signal, the rescaled tokens lose more by a shuffle, or are answered better.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet, Pair
from backsight.grid import TokenGrid
from backsight.measurements import costs, memory
from backsight.measurements.base import Measurement, Row, Samples
from backsight.measurements.batching import batches
from backsight.measurements.shuffles import orders, shuffled, text_mask
from backsight.models import position_ids, replay
from backsight.models.facts import ModelFacts
from backsight.models.families.common import ENTERS_ONCE
from backsight.models.prompts import Batch
from backsight.models.replay import Trace
from backsight.models.sites import Edit
from backsight.models.vlm import VLM
from backsight.results import Result, permutation
from backsight.stimuli.isolated import alternatives
from backsight.stimuli.what import named_things, what

OF = "permutation_of"  # tag of a question about what is there: the id of the sample that it was made of


@dataclass(frozen=True)
class Permutation(Measurement):
    """Answers with image tokens shuffled `shuffles` times each way, one row a question, kind, condition and seed.

    An answer is read out between two alternatives where the question has them, else among all options. `rescaled` also
    asks with the image tokens at the norm of the text tokens.
    """

    result: ClassVar[Result] = permutation.RESULT
    requires: ClassVar[frozenset[str]] = frozenset({ENTERS_ONCE})
    needs_all_samples: ClassVar[bool] = True  # what no picture shows is known of a set

    shuffles: int = 3
    rescaled: bool = True

    def __post_init__(self) -> None:
        if self.shuffles < 1:
            raise UsageError("At least one shuffle is needed", got=self.shuffles)

    def applies(self, samples: Samples) -> bool:
        """Questions with at least two options."""
        return isinstance(samples, ExampleSet) and all(len(e.options) > 1 for e in samples)

    def asked(self, samples: Samples, grid: TokenGrid) -> Iterable[Example | Pair]:
        """The samples, and the question about what is there to each."""
        return [*samples, *_semantic([e for e in samples if isinstance(e, Example)])]

    def check(self, facts: ModelFacts, samples: Samples) -> None:
        """CannotAnswer where the options are no single tokens, or there is only one of them."""
        if not isinstance(samples, ExampleSet):
            raise UsageError("Permutation takes an example set, not pairs", got=samples.name)
        if not self.applies(samples):
            raise CannotAnswer("A question without two options has no accuracy", got=samples.name)
        facts.check_options(replace(samples, scoring="token"))

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """For each kind of question a forward, a replay a condition with positions kept, and where image tokens have an
        order a forward a shuffle with positions moved along."""
        assert isinstance(samples, ExampleSet)
        semantic = [e for e in _semantic(samples.items) if facts.token_options(e.options)]
        spent = 0.0
        for examples, rescaled in ((list(samples), self.rescaled), (semantic, False)):
            replays = self.shuffles * (1 + rescaled) + rescaled
            for indices in batches(examples, self.batch):
                part = [examples[i] for i in indices]
                causal = facts.masks > 1 or facts.behind(part[0], 0) > facts.behind(part[0], 1)
                call = facts.call(part)
                edited = costs.from_embeddings(facts, call, part) * replays
                spent += facts.equivalents(call, call.forward() * (1 + self.shuffles * causal) + edited)
        return spent

    def bytes_each(self, facts: ModelFacts, samples: Samples) -> int:
        """A recording with the embeddings of two conditions and all logits, and the fuller of a forward and a
        replay."""
        assert isinstance(samples, ExampleSet)
        sizes = facts.sizes([*samples, *_semantic(samples.items)])
        kept = memory.recorded(sizes) + 4 * memory.states(sizes, deep=False)
        kept += memory.logits(sizes, 3 * self.shuffles + 3)
        return kept + max(memory.forward(sizes), memory.replayed(sizes))

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """Rows of both kinds of question about each picture; at text norm of the samples' own questions alone."""
        by_id = {e.id: e for e in samples}
        semantic = [e for e in _semantic(samples) if vlm.options(e.options) is not None]
        rows: list[Row] = []
        for own, asked in ((True, list(samples)), (False, semantic)):
            for indices in batches(asked, self.batch):
                batch = vlm.prepare([asked[i] for i in indices])
                for (norm, order, seed), logits in self._outcomes(vlm, batch, rescaled=own and self.rescaled).items():
                    for example, scores in zip(batch.examples, logits, strict=True):
                        sample = example if own else by_id[example.tags[OF]]
                        row: Row = {"kind": kind_of(sample) if own else "semantic", "norm": norm, "order": order}
                        rows.append(_common(sample) | row | {"seed": seed} | _answered(vlm, example, scores))
        return rows

    def _outcomes(self, vlm: VLM, batch: Batch, *, rescaled: bool) -> dict[tuple[str, str, int | None], Tensor]:
        """Next-token logits (batch, vocabulary) by norm, order and seed."""
        trace = replay.record(vlm, batch)
        entered = trace.resid_pre(0)[batch.image_mask]
        outcomes: dict[tuple[str, str, int | None], Tensor] = {("own", "plain", None): trace.logits}
        for seed in range(self.shuffles):
            there = shuffled(entered, batch, seed)
            outcomes["own", "kept", seed] = trace.with_states(0, batch.image_mask, there)
        if rescaled:
            scaled = at_text_norm(trace)
            outcomes["text", "plain", None] = trace.with_states(0, batch.image_mask, scaled)
            for seed in range(self.shuffles):
                there = shuffled(scaled, batch, seed)
                outcomes["text", "kept", seed] = trace.with_states(0, batch.image_mask, there)
        if ordered(trace):
            del trace
            for seed in range(self.shuffles):
                outcomes["own", "moved", seed] = moved_along(vlm, batch, entered, seed)
        return outcomes


def moved_along(vlm: VLM, batch: Batch, entered: Tensor, seed: int) -> Tensor:
    """Next-token logits (batch, vocabulary) with image embeddings (image_token, d_model) shuffled and their rotary
    positions with them."""
    places = [order.cpu().numpy() for order in orders(batch, seed)]
    along = position_ids.exchanged(batch, position_ids.default(vlm, batch), places)
    there = shuffled(entered, batch, seed)
    with vlm.editing(Edit("image_embeds", lambda rows: there.to(rows))):
        return vlm.forward(position_ids.with_ids(batch, along))


def at_text_norm(trace: Trace) -> Tensor:
    """Image embeddings (image_token, d_model), each with its own direction and the mean norm of its prompt's text."""
    batch, states = trace.batch, trace.resid_pre(0)
    norms = states.float().norm(dim=-1)
    text = text_mask(batch).to(norms.device)
    mean = (norms * text).sum(1) / text.sum(1)
    at = batch.image_mask.to(norms.device)
    factor = (mean[:, None] / norms.clamp_min(1e-12))[at]
    scaled: Tensor = states[at] * factor[:, None]
    return scaled.to(states.dtype)


def ordered(trace: Trace) -> bool:
    """Whether the order of image tokens may count: the last of the picture is not seen by the first, or some layers are
    of another kind, whose window may show a row the end of the picture alone."""
    if len(set(getattr(trace.vlm.model.config.get_text_config(), "layer_types", None) or ["all"])) > 1:
        return True
    tokens = trace.batch.image_mask.any(0).nonzero().flatten().to(trace.final.device)
    return int(trace.reach(0, tokens[-1:])[0]) == int(tokens[-1])


def kind_of(example: Example) -> str:
    """Relational for a question of where a thing is, other for any other one."""
    where = example.direction is not None or alternatives(example) is not None
    return "relational" if where else "other"


def _semantic(samples: Sequence[Example]) -> list[Example]:
    """The presence question about each sample's picture, where what it does not show is known; tagged with the
    sample's id."""
    named = named_things(samples)
    asked = ((e, what(e, named).get("presence")) for e in samples)
    return [replace(one, tags={**one.tags, OF: e.id}) for e, one in asked if one is not None]


def _common(sample: Example) -> Row:
    return {
        "example_id": sample.id, "image_id": sample.image_id, "suite": sample.suite, "direction": sample.direction,
    }  # fmt: skip


def _answered(vlm: VLM, example: Example, logits: Tensor) -> Row:
    """The choice between two alternatives where there are two, else among all options."""
    among = alternatives(example) or example.options
    choice, scores = vlm.choose(logits, among)
    share = scores[among.index(example.answer)] / scores.sum()
    return {
        "options": len(among), "answer": example.answer, "choice": choice, "correct": choice == example.answer,
        "p_answer": float(torch.nan_to_num(share)),
    }  # fmt: skip
