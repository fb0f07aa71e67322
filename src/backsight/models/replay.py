"""Record once, replay from any layer.

One forward records, for each decoder block, the arguments it was called with, the residual stream before it, what
the family adds behind it, and its keys and values. A replay then runs exactly the rows that a change can reach, found
block by block from the recorded masks, on the recorded keys and values of all other rows. No model-specific code: a
block is called as it was called before, with its arguments cut to the rows.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from backsight.errors import EditError, ModelError
from backsight.models import attention, blocks, caches, releases
from backsight.models.blocks import BlockCall
from backsight.models.flops import Call
from backsight.models.prompts import Batch
from backsight.models.seam import Seam


@dataclass
class Trace:
    """A recorded forward of one batch, to be replayed. `final` is the input of the final norm at every position."""

    vlm: Seam
    batch: Batch
    logits: Tensor
    blocks: list[BlockCall]
    final: Tensor
    added: list[Tensor | None]

    def resid_pre(self, layer: int) -> Tensor:
        """(batch, position, d_model): the residual stream before a block, or for L before the final norm."""
        value = self.final if layer == len(self.blocks) else self.blocks[layer].before
        assert value is not None
        return value

    @cached_property
    def call(self) -> Call:
        """What the recorded call is made of."""
        return self.vlm.call(self.batch)

    def reach(self, layer: int, rows: Tensor) -> Tensor:
        """Rows (position,) whose state behind block `layer` a change of `rows` before it can alter, in any example."""
        known = layer, tuple(rows.tolist())
        if known not in self._reached:
            visible = self.blocks[layer].mask[:, 0][:, :, rows] > torch.finfo(self.blocks[layer].mask.dtype).min / 2
            reached = visible.any(2).any(0)
            reached[rows] = True
            self._reached[known] = reached.nonzero().flatten()
        return self._reached[known]

    @cached_property
    def _reached(self) -> dict[tuple[int, tuple[int, ...]], Tensor]:
        """What `reach` has given: a sweep asks for the same rows with every edit."""
        return {}

    def replay(self, layer: int, hidden: Tensor, rows: Tensor) -> Tensor:
        """Next-token logits (batch, vocabulary) with `hidden` (batch, row, d_model) at `rows` of resid_pre(layer)."""
        self._refuse_edits()
        device = self.final.device
        rows = rows.to(device)
        computed: list[int] = []
        with torch.no_grad(), attention.explicit(self.vlm.model):
            for index in range(layer, len(self.blocks)):
                call = self.blocks[index]
                reached = self.reach(index, rows)
                state = self.resid_pre(index).index_select(1, reached)
                state[:, torch.searchsorted(reached, rows)] = hidden
                hidden, rows = self._run(index, state, call.cut(reached), caches.Scatter(call, reached)), reached
                extra = self.added[index]
                if extra is not None:
                    hidden = hidden + extra.index_select(1, rows)
                computed.append(len(rows))
        arrived = int(rows[-1]) == self.final.shape[1] - 1
        self.vlm.charge(self.call, self.call.replayed(computed, logits=int(arrived)))
        if not arrived:  # nothing of the change has reached the last position
            return self.logits.clone()
        with torch.no_grad():
            return self.vlm.logits(hidden[:, -1])

    def forward_from(self, layer: int, hidden: Tensor) -> tuple[list[Tensor], Tensor]:
        """The residual stream before block `layer` and each later one, and the next-token logits (batch, vocabulary).

        All positions run, on keys and values of their own, from `hidden` (batch, position, d_model); of the last block
        that is keys and values alone, and the whole block for the last position. Where `hidden` wants gradients, all
        that comes back is in their graph.
        """
        self._refuse_edits()
        states = [hidden]
        last = len(self.blocks) - 1
        with torch.set_grad_enabled(hidden.requires_grad), attention.explicit(self.vlm.model):
            for index in range(layer, last):
                hidden = self._run(index, hidden, self.blocks[index].kwargs, None)
                extra = self.added[index]
                hidden = hidden if extra is None else hidden + extra
                states.append(hidden)
            hidden, extra = self._last_row(last, hidden), self.added[last]
            hidden = hidden if extra is None else hidden + extra[:, -1:]
            self.vlm.charge(self.call, self.call.upper(layer))
            return states, self.vlm.logits(hidden[:, -1])

    def _last_row(self, index: int, state: Tensor) -> Tensor:
        """What a block makes of the last position of `state`, (batch, 1, d_model), which sees all of it."""
        whole = BlockCall()
        with suppress(caches.BlockEndedError):
            self._run(index, state, self.blocks[index].kwargs, caches.KeysOnly(whole))
        last = torch.tensor([state.shape[1] - 1], device=state.device)
        return self._run(index, state[:, -1:], self.blocks[index].cut(last), caches.Given(whole))

    def knockout(self, hidden: Tensor) -> Tensor:
        """Next-token logits (batch, vocabulary) with the positions `hidden` (batch, position) seen by no other one.

        In every block attention to them is cut for all positions but themselves.
        """
        self._refuse_edits()
        hidden = hidden.to(self.final.device)
        columns = hidden.any(0).nonzero().flatten()
        state, rows = self.final[:, :0], columns[:0]
        computed: list[int] = []
        with torch.no_grad(), attention.explicit(self.vlm.model):
            for index, call in enumerate(self.blocks):
                seen = (self._sees(index, columns) & hidden[:, None, columns]).any(2).any(0)
                reached = self.reach(index, rows) if len(rows) else rows
                reached = torch.unique(torch.cat([seen.nonzero().flatten(), reached]))
                if len(reached) == 0:
                    continue
                before = self.resid_pre(index).index_select(1, reached)
                if len(rows):
                    before[:, torch.searchsorted(reached, rows)] = state
                cut = hidden[:, None, :] & (torch.arange(hidden.shape[1], device=hidden.device) != reached[:, None])
                kwargs = call.cut(reached, hidden=cut)
                state, rows = self._run(index, before, kwargs, caches.Scatter(call, reached)), reached
                extra = self.added[index]
                state = state if extra is None else state + extra.index_select(1, rows)
                computed.append(len(rows))
        arrived = len(rows) > 0 and int(rows[-1]) == self.final.shape[1] - 1
        self.vlm.charge(self.call, self.call.replayed(computed, logits=int(arrived)))
        if not arrived:
            return self.logits.clone()
        with torch.no_grad():
            return self.vlm.logits(state[:, -1])

    def _sees(self, index: int, keys: Tensor) -> Tensor:
        """(batch, query, key), true where a position sees one of some others in a block; never for itself."""
        mask = self.blocks[index].mask[:, 0][:, :, keys]
        visible = mask > torch.finfo(mask.dtype).min / 2
        others: Tensor = torch.arange(mask.shape[1], device=mask.device)[:, None] != keys
        return visible & others

    def with_states(self, layer: int, mask: Tensor, values: Tensor) -> Tensor:
        """Next-token logits with `values` (row, d_model) at the true positions of `mask` in resid_pre(layer).

        `mask` is (batch, position) and `values` are in batch-major order, as an edit gets and gives them.
        """
        mask = mask.to(self.final.device)
        rows = mask.any(0).nonzero().flatten()
        changed = self.resid_pre(layer).index_select(1, rows)
        chosen = mask[:, rows]
        if int(chosen.sum()) != len(values):
            raise EditError(
                "Not one state for each position", got=f"{len(values)} states, {int(chosen.sum())} positions"
            )
        changed = changed.masked_scatter(chosen[:, :, None].expand_as(changed), values.to(changed.dtype))
        return self.replay(layer, changed, rows)

    def last_is_private(self) -> bool:
        """Whether the last position is seen by itself only, in every block: then its sweep is one growing batch."""
        last = torch.tensor([self.final.shape[1] - 1], device=self.final.device)
        return all(len(self.reach(index, last)) == 1 for index in range(len(self.blocks)))

    def sweep_last(self, source: Tensor) -> Tensor:
        """Logits (layer, batch, vocabulary) with `source[l]` (batch, d_model) at the last position of resid_pre(l).

        `source` is (L + 1, batch, d_model). Where nothing else sees the last position, all layers share one growing
        batch of single rows: at block k the rows replaced at 0..k stand side by side, each seeing itself and the
        recorded keys and values. Elsewhere (PaliGemma) each layer is replayed by itself, which costs what it costs.
        """
        self._refuse_edits()
        count = len(self.blocks)
        if source.shape[0] != count + 1:
            raise EditError(
                "A sweep needs a state for every layer", got=tuple(source.shape), do=f"give {count + 1} layers"
            )
        last = torch.tensor([self.final.shape[1] - 1], device=self.final.device)
        if not self.last_is_private():
            swept = [self.replay(layer, source[layer][:, None], last) for layer in range(count)]
            self.vlm.charge(self.call, self.call.replayed([]))
            with torch.no_grad():
                return torch.stack([*swept, self.vlm.logits(source[count])])
        copies = source[:0].transpose(0, 1)
        with torch.no_grad(), attention.explicit(self.vlm.model):
            for index, call in enumerate(self.blocks):
                copies = torch.cat([copies, source[index][:, None]], 1)
                kwargs = call.for_copies(copies.shape[1], last)
                copies = self._run(index, copies, kwargs, caches.Append(call))
                extra = self.added[index]
                if extra is not None:
                    copies = copies + extra[:, -1:]
            copies = torch.cat([copies, source[count][:, None]], 1)
            self.vlm.charge(self.call, self.call.swept())
            return self.vlm.logits(copies).transpose(0, 1)

    def _run(self, index: int, state: Tensor, kwargs: dict[str, Any], cache: Any) -> Tensor:
        return blocks.run(self.vlm.parts.layers[index], state, kwargs, cache)

    def _refuse_edits(self) -> None:
        if self.vlm.hooks.edits:
            raise EditError("A replay runs blocks by themselves and would lose the edits of an open editing context",
                            do="record inside the context, replay outside of it")  # fmt: skip


def record(vlm: Seam, batch: Batch) -> Trace:
    """One forward of a batch with everything that a replay needs; edits of an open context are in it."""
    if vlm.hooks.combined:
        raise EditError("A replay would give the logits of one side of a vote", do="record outside of its context")
    calls = [BlockCall() for _ in vlm.parts.layers]
    final: list[Tensor] = []
    handles = []
    for layer, call in zip(vlm.parts.layers, calls, strict=True):
        handles += vlm.hooks.observe(layer, before=_before(call, blocks.cache_name(layer)), after=_after(call))
    handles += vlm.hooks.observe(vlm.parts.norm, before=lambda args, kwargs: final.append(args[0].detach()))
    try:
        with attention.explicit(vlm.model), torch.no_grad():
            logits = vlm.forward(batch)
    finally:
        for handle in handles:
            handle.remove()
    for index, call in enumerate(calls):
        if (missing := call.lacks()) is not None:
            raise ModelError(
                "A decoder block was not called as a replay needs it",
                where=f"block {index}; {releases.stated()}", got=missing, do=releases.advice(),
            )  # fmt: skip
    last = final[-1]  # a gate's plain pass comes before
    added = [_added(call, calls[i + 1].before if i + 1 < len(calls) else last) for i, call in enumerate(calls)]
    for call in calls:
        call.after = None  # needed no more
    return Trace(vlm, batch, logits, calls, last, added)


def _before(call: BlockCall, cache_name: str) -> Any:
    def observe(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        call.before = args[0]
        call.kwargs = blocks.without_cache(kwargs)
        return {**kwargs, cache_name: caches.Capture(call)}

    return observe


def _after(call: BlockCall) -> Any:
    def observe(output: Any) -> None:
        call.after = blocks.output_state(output)

    return observe


def _added(call: BlockCall, following: Tensor | None) -> Tensor | None:
    """What stands between a block's output and the next one's input, or None where it is the same tensor."""
    if following is None or following is call.after or call.after is None or torch.equal(following, call.after):
        return None
    return following - call.after
