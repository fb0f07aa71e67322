"""What runs, in FLOPs of its matrix products, and in forward equivalents.

One forward equivalent of a batch is one plain Hugging Face call of it: vision encoder, and logits at every position.
Everything else is the sum of the blocks and rows that run, over that. The same formulas charge what has run
(`Seam.charge`) and state what a plan will take (`Measurement.cost`), and torch's counter with eager attention is what
they are held to (tests/test_flops.py). No torch here.

A pass through the vision encoder is counted on one picture; until then it is carried along as a number of pictures,
so that nothing has to run where something is charged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Flops:
    """`language`: FLOPs of the language model. `pictures`: passes of a picture of the model's own size through the
    vision encoder and the projector; `projectors`: through what stands behind the encoder's last block."""

    language: float = 0.0
    pictures: float = 0.0
    projectors: float = 0.0

    def __add__(self, other: Flops) -> Flops:
        return Flops(self.language + other.language, self.pictures + other.pictures, self.projectors + other.projectors)

    def __mul__(self, times: float) -> Flops:
        return Flops(self.language * times, self.pictures * times, self.projectors * times)


@dataclass(frozen=True)
class Seen:
    """FLOPs of a picture of the model's own size: through the vision encoder and the `projector`, and of the latter."""

    picture: float
    projector: float

    def of(self, flops: Flops) -> float:
        """All FLOPs in one number."""
        return flops.language + flops.pictures * self.picture + flops.projectors * self.projector


@dataclass(frozen=True)
class Work:
    """An architecture in FLOPs.

    Of a block's linear layers for one position: `linear` are all, `query` and `keys` the projections to queries, and to
    keys and values. `pair` is attention of one query to one key, over heads; `logit` the logits of one position.
    `patches` are those of a picture of the model's own size, `patch` and `patch_pair` a patch's linear layers and its
    attention to another one, in all blocks; `encoded` says whether the vision encoder has blocks.
    """

    layers: int
    linear: int
    query: int
    keys: int
    pair: int
    logit: int
    patches: int
    patch: float
    patch_pair: int
    encoded: bool

    def block(self, rows: int, keys: int) -> float:
        """One block for some rows (positions), each on so many keys."""
        return float(rows * self.linear + rows * keys * self.pair)

    def pictures(self, patches: Iterable[int]) -> float:
        """Pictures of some numbers of patches, in pictures of the model's own size."""
        return sum(self._seen(count) for count in patches) / self._seen(self.patches)

    def _seen(self, patches: int) -> float:
        return patches * self.patch + patches * patches * self.patch_pair


@dataclass(frozen=True)
class Call:
    """A batch of prompts of `tokens` positions, padding among them; `patches` are each sample's. Costs are of the whole
    batch."""

    work: Work
    tokens: int
    patches: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.patches)

    def plain(self) -> Flops:
        """One plain Hugging Face call, with logits at every position."""
        return self.forward(logits=self.tokens)

    def forward(self, *, logits: int = 1, longer: int = 0) -> Flops:
        """A forward pass with the logits of some positions, and with `longer` tokens behind each prompt."""
        tokens = self.tokens + longer
        language = self.work.layers * self.work.block(tokens, tokens) + logits * self.work.logit
        return Flops(len(self) * language, self.work.pictures(self.patches))

    def replayed(self, rows: Sequence[int], *, logits: int = 1) -> Flops:
        """A replay of so many rows in each of some blocks, on the keys of all positions."""
        language = sum(self.work.block(count, self.tokens) for count in rows) + logits * self.work.logit
        return Flops(len(self) * language)

    def written(self, tokens: int) -> Flops:
        """Greedy generation of some tokens: a forward pass, and a row on all positions before it for each but the
        first."""
        rows = (self.work.block(1, self.tokens + n) for n in range(1, tokens))
        language = self.work.layers * sum(rows) + (tokens - 1) * self.work.logit
        return self.forward() + Flops(len(self) * language)

    def swept(self) -> Flops:
        """A last-token sweep: a growing batch of single rows, each on all positions before it and all copies."""
        grown = sum(self.work.block(count, self.tokens - 1 + count) for count in range(1, self.work.layers + 1))
        return Flops(len(self) * (grown + (self.work.layers + 1) * self.work.logit))

    def upper(self, layer: int) -> Flops:
        """The blocks from `layer` on, of the last one the projections of all positions and one row."""
        work, tokens = self.work, self.tokens
        whole = (work.layers - 1 - layer) * work.block(tokens, tokens)
        return Flops(len(self) * (whole + tokens * (work.query + work.keys) + work.block(1, tokens) + work.logit))

    def upper_backward(self, layer: int) -> Flops:
        """A backward pass by states through `upper`: a linear layer costs what it did forward, attention twice that."""
        work, tokens = self.work, self.tokens
        whole = (work.layers - 1 - layer) * self._back(tokens)
        last = tokens * work.keys + work.linear - work.keys + 2 * tokens * work.pair
        return Flops(len(self) * (whole + last + work.logit))

    def whole_backward(self) -> Flops:
        """A backward pass by the attention of every block, and by what the vision encoder's last block gives.

        Where it has no blocks, nothing below the first block's attention weights is asked for.
        """
        work, tokens = self.work, self.tokens
        language = work.layers * self._back(tokens) + work.logit
        if not work.encoded:
            language -= tokens * (work.query + work.keys) + 1.5 * tokens * tokens * work.pair
        return Flops(len(self) * language, projectors=work.pictures(self.patches) if work.encoded else 0.0)

    def _back(self, tokens: int) -> float:
        return float(tokens * self.work.linear + 2 * tokens * tokens * self.work.pair)

    def shown(self, patches: Iterable[int]) -> Flops:
        """The vision encoder alone over pictures of so many patches."""
        return Flops(pictures=self.work.pictures(patches))

    def equivalents(self, flops: Flops, seen: Seen) -> float:
        """FLOPs in forward equivalents of a sample of this batch."""
        return len(self) * seen.of(flops) / seen.of(self.plain())


class Ledger:
    """What has been charged, by what a plain call of a sample would have cost."""

    def __init__(self) -> None:
        self._charged: dict[Flops, Flops] = {}

    def charge(self, call: Call, flops: Flops) -> None:
        """Add some FLOPs of a batch."""
        each = call.plain() * (1 / len(call))
        self._charged[each] = self._charged.get(each, Flops()) + flops

    def flops(self, seen: Seen) -> float:
        """All of it in FLOPs."""
        return sum(seen.of(flops) for flops in self._charged.values())

    def total(self, seen: Seen | None) -> float:
        """All of it in forward equivalents; `seen` may be None while nothing is charged."""
        return sum(seen.of(flops) / seen.of(each) for each, flops in self._charged.items() if seen is not None)

    def __bool__(self) -> bool:
        return bool(self._charged)
