"""Interchange of image tokens: the outer two positions of a row swapped, layer by layer.

The counterfactual is the reversed row under the same question. The tokens at the first position take the states of the
counterfactual's last position and the other way round, so that each keeps its colour and gets the other's position
(Dual Mechanisms, 5.2.2 and figure 5). If the swapped tokens carry the position, the answer flips to the entity on
the other side. Under removal (5.3.2) the vision encoder wrote no position, and a flip shows that the language
model wrote one into these tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Pair, PairSet
from backsight.measurements import costs, memory
from backsight.measurements.base import Measurement, Row, Samples
from backsight.measurements.interchange import top_outcome
from backsight.measurements.pathways import removed
from backsight.measurements.regions import Region, Tokens, outer, regions
from backsight.models import replay
from backsight.models.facts import ModelFacts, sides
from backsight.models.families.common import ENTERS_ONCE, ONE_GRID
from backsight.models.prompts import Batch
from backsight.models.sites import Edit
from backsight.models.vlm import VLM
from backsight.results import Result, image_interchange
from backsight.stimuli.isolated import row_of
from backsight.stimuli.rows import Row as Row3


@dataclass(frozen=True)
class ImageInterchange(Measurement):
    """The image-token sweep: at layer l the swapped states enter resid_pre(l), l = 0 (the embeddings) .. L.

    `tokens` are swapped one set after another on one recording. Pairs of which either run answers wrong are dropped:
    they have one row a set, with `kept` false and no layer.
    """

    result: ClassVar[Result] = image_interchange.RESULT
    version: ClassVar[int] = 2
    pair_kind: ClassVar[str | None] = "reversed"
    vision: ClassVar[Literal["intact", "removed"]] = "intact"
    requires: ClassVar[frozenset[str]] = frozenset({ONE_GRID})

    batch: int = 8
    tokens: tuple[Tokens, ...] = ("objects", "strips")
    strip_width: int | None = None

    def __post_init__(self) -> None:
        if not self.tokens or set(self.tokens) - {"objects", "strips"}:
            raise UsageError("There are no such image tokens to swap", got=self.tokens, do="give objects, strips")

    def check(self, facts: ModelFacts, samples: Samples) -> None:
        """CannotAnswer where rows do not fit, or where an outcome has no single token of its own."""
        if not isinstance(samples, PairSet):
            raise UsageError("An interchange takes pairs", got=samples.name, do='give examples.pairs("reversed")')
        for pair in samples:
            outer(pair.clean)
            if self.vision == "removed":
                row_of(pair.clean)
            for asked in (pair.clean.options, _named(pair)):
                if facts.token_options(asked) is None:
                    raise CannotAnswer(
                        "The tokenizer has no single token of its own for some options", where=f"pair {pair.id}",
                        got=asked,
                    )  # fmt: skip

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """Two forwards a pair, and from each layer on what the swapped tokens reach; none where no pair of a batch is
        kept."""

        def run(batch: list[Pair]) -> Iterator[costs.Spent]:
            for side in (costs.clean(batch), costs.counterfactual(batch)):
                call = facts.call(side)
                yield call, call.forward()
                if self.vision == "removed":
                    yield call, costs.without_order(facts, call, side)
            call = facts.call(costs.clean(batch))
            for tokens in self.tokens:
                yield call, costs.swept_image(facts, call, max(self._reached(facts, pair, tokens) for pair in batch))

        return costs.total(facts, samples, self.plan(samples), run)

    def _reached(self, facts: ModelFacts, pair: Pair, tokens: Tokens) -> int:
        """Positions that swapping the regions of a pair reaches."""
        swapped = regions(pair.clean, facts.grid_of(pair.clean.picture), tokens, self.strip_width)
        return facts.behind(pair.clean, int(np.concatenate(swapped).min()))

    def bytes_each(self, facts: ModelFacts, samples: Samples) -> int:
        """The recordings of both runs, the logits of all layers, and the fullest pass: a forward, a replay with its
        states, or under removal the vision encoder over its pictures."""
        sizes = facts.sizes(samples)
        states = 3 * memory.states(sizes, deep=False)
        passes = [memory.forward(sizes), memory.replayed(sizes) + memory.logits(sizes, facts.n_layers + 2)]
        if self.vision == "removed":
            isolated = memory.pictures(sizes, memory.without_order(facts, sides(samples), self.batch))
            passes.append(isolated // self.batch)
        return 2 * memory.recorded(sizes) + states + max(passes)

    def rows(self, vlm: VLM, samples: Sequence[Pair]) -> list[Row]:
        """L + 1 rows a kept pair and set of tokens, one row a set for a dropped pair."""
        clean, other = (self._trace(vlm, [getattr(p, side) for p in samples]) for side in ("clean", "counterfactual"))
        common = [self._common(vlm, pair, clean.logits[i], other.logits[i]) for i, pair in enumerate(samples)]
        keep = [i for i, row in enumerate(common) if row["kept"]]
        rows: list[Row] = []
        for tokens in self.tokens:
            missing = dict.fromkeys(("layer", "p_clean", "p_flipped", "top_token", "top_outcome"))
            rows += [row | {"tokens": tokens} | missing for row in common if not row["kept"]]
            for layer, logits in enumerate(self.sweep(clean, other, tokens) if keep else ()):
                for i in keep:
                    rows.append(common[i] | {"tokens": tokens, "layer": layer} | _outcomes(vlm, logits[i], samples[i]))
        return rows

    def applies(self, samples: Samples) -> bool:
        """Any reversed rows; after removal only rows that the package drew."""
        drawn = all(isinstance(p.clean.source, Row3) for p in samples if isinstance(p, Pair))
        return self.vision == "intact" or drawn

    def _trace(self, vlm: VLM, examples: list[object]) -> replay.Trace:
        batch = vlm.prepare(examples)  # type: ignore[arg-type]
        if self.vision == "intact":
            return replay.record(vlm, batch)
        value = removed(vlm, batch)
        with vlm.editing(Edit("image_embeds", lambda rows: value.to(rows.dtype))):
            return replay.record(vlm, batch)

    def sweep(self, clean: replay.Trace, other: replay.Trace, tokens: Tokens) -> list[Tensor]:
        """Next-token logits (batch, vocabulary) by layer, 0 .. L, with the regions swapped there."""
        positions = [
            regions(example, grid, tokens, self.strip_width)
            for example, grid in zip(clean.batch.examples, clean.batch.grids, strict=True)
        ]
        into = prompt_mask(clean.batch, [np.concatenate(p) for p in positions])
        sources = [crosswise(first, last) for first, last in positions]
        taken = [prompt_positions(other.batch, i, source) for i, source in enumerate(sources)]
        swept = []
        for layer in range(len(clean.blocks) + 1):
            state = other.resid_pre(layer)
            swept.append(clean.with_states(layer, into, torch.cat([state[i, at] for i, at in enumerate(taken)])))
        return swept

    def _common(self, vlm: VLM, pair: Pair, clean: Tensor, counterfactual: Tensor) -> Row:
        chosen = [vlm.choose(logits, pair.clean.options)[0] for logits in (clean, counterfactual)]
        return {
            "pair_id": pair.id,
            "image_id": pair.clean.image_id,
            "group": pair.clean.tags.get("group"),
            "suite": pair.clean.suite,
            "direction": pair.clean.direction,
            "vision": self.vision,
            "kept": chosen == [pair.clean.answer, pair.counterfactual.answer],
            "clean_choice": chosen[0],
            "counterfactual_choice": chosen[1],
        }


@dataclass(frozen=True)
class Backup(ImageInterchange):
    """The object tokens swapped after removal: does the language model write order into them (5.3.2, figure 8)?

    A flip says that it does and that the answer goes by it. A model that answers by its own position encoding need not:
    it may read rotary positions where the answer is given.
    """

    vision: ClassVar[Literal["intact", "removed"]] = "removed"
    requires: ClassVar[frozenset[str]] = frozenset({ENTERS_ONCE, ONE_GRID})

    tokens: tuple[Tokens, ...] = ("objects",)


def crosswise(first: Region, last: Region) -> Region:
    """Where the tokens of both regions, in raster order, take their states from: each from its like in the other."""
    into, out = np.concatenate([first, last]), np.concatenate([last, first])
    return out[np.argsort(into)]


def prompt_positions(batch: Batch, example: int, tokens: Region) -> Tensor:
    """Prompt positions of some image tokens of an example, in the order given."""
    return batch.image_mask[example].nonzero().flatten()[torch.from_numpy(tokens).to(batch.image_mask.device)]


def prompt_mask(batch: Batch, tokens: Sequence[Region]) -> Tensor:
    """(batch, position), true at some image tokens of each example."""
    mask = torch.zeros_like(batch.image_mask)
    for example, chosen in enumerate(tokens):
        mask[example, prompt_positions(batch, example, chosen)] = True
    return mask


def _named(pair: Pair) -> tuple[str, str]:
    return pair.outcomes["clean"], pair.outcomes["flipped"]


def _outcomes(vlm: VLM, logits: Tensor, pair: Pair) -> Row:
    clean, flipped = vlm.choose(logits, _named(pair))[1].tolist()
    return {"p_clean": clean, "p_flipped": flipped} | top_outcome(
        vlm, logits, {"clean": _named(pair)[0], "flipped": _named(pair)[1]}
    )
