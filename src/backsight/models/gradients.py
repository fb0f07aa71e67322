"""Gradients of a difference of logits, of two kinds of recording.

`Upper` needs the last layers alone: it runs them again from a recorded residual stream, and the backward pass goes no
deeper. `Whole` is a forward pass of its own with everything in the graph, from the vision encoder's last block on:
attention weights of all layers, and what GradCAM is made of. A target is one scalar a sample, and samples of a batch
do not see each other, so one backward pass of the sum serves the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from backsight.errors import CannotAnswer
from backsight.models.prompts import Batch
from backsight.models.replay import Trace
from backsight.models.seam import Seam

Score = Callable[[Tensor], Tensor]  # next-token logits (batch, vocabulary) -> one number a sample (batch,)


def layers_from_top(vlm: Seam, depth: int) -> list[int]:
    """The layers -2 .. -(depth + 1) of CREG, highest first, as layers of resid_pre: -2 is the last block's input.

    CannotAnswer where a model has not so many.
    """
    if depth > vlm.n_layers:
        raise CannotAnswer("The language model has fewer layers than relevance is taken from", got=vlm.n_layers)
    return [vlm.n_layers - 1 - k for k in range(depth)]


@dataclass(frozen=True)
class Upper:
    """The last `depth` layers of a recording, run again as a graph: `states` (batch, position, d_model), highest first,
    and the next-token logits (batch, vocabulary)."""

    trace: Trace
    states: list[Tensor]
    logits: Tensor

    @classmethod
    def of(cls, trace: Trace, depth: int) -> Upper:
        """Run the last `depth` blocks of a recording with gradients."""
        lowest = layers_from_top(trace.vlm, depth)[-1]
        states, logits = trace.forward_from(lowest, trace.resid_pre(lowest).detach().clone().requires_grad_(True))
        return cls(trace, states[::-1], logits)

    def gradients(self, score: Score) -> list[Tensor]:
        """The gradient of a score by each of the states, (batch, position, d_model), highest first."""
        vlm, call = self.trace.vlm, self.trace.call
        vlm.charge(call, call.upper_backward(vlm.n_layers - len(self.states)))
        return list(torch.autograd.grad(score(self.logits).sum(), self.states, retain_graph=True))


def along_path(trace: Trace, layer: int, points: Sequence[Tensor], scores: Sequence[Score]) -> list[list[Tensor]]:
    """The gradients of some scores at each of some states of resid_pre(layer), as [score][point]."""
    slopes: list[list[Tensor]] = [[] for _ in scores]
    for point in points:
        leaf = point.detach().requires_grad_(True)
        _, logits = trace.forward_from(layer, leaf)
        for number, score in enumerate(scores):
            more = number + 1 < len(scores)
            slopes[number] += torch.autograd.grad(score(logits).sum(), leaf, retain_graph=more)
            trace.vlm.charge(trace.call, trace.call.upper_backward(layer))
    return slopes


@dataclass(frozen=True)
class Whole:
    """A forward pass as a graph: the language model's attention weights (batch, head, query, key) of every layer, what
    the vision encoder's last block gives (None where it has no blocks), and the logits."""

    vlm: Seam
    batch: Batch
    attentions: list[Tensor]
    vision: Tensor | None
    logits: Tensor

    @classmethod
    def of(cls, vlm: Seam, batch: Batch) -> Whole:
        """One forward pass of a batch."""
        seen: dict[int, Tensor] = {}
        last = len(vlm.parts.vision_blocks) - 1
        begin, sites = ("vision", ("vision",)) if last >= 0 else (0, ("resid_pre",))
        with (
            vlm.watching(seen.__setitem__),
            vlm.recording(*sites, layers=[max(last, 0)], grad_from=begin) as recording,  # type: ignore[arg-type]
        ):
            logits = vlm.forward(batch)
        vision = recording["vision", last] if last >= 0 else None
        return cls(vlm, batch, [seen[index] for index in range(vlm.n_layers)], vision, logits)

    def gradients(self, score: Score) -> tuple[list[Tensor], Tensor | None]:
        """The gradient of a score by the attention weights of each layer, and by the vision encoder's last output."""
        call = self.vlm.call(self.batch)
        self.vlm.charge(call, call.whole_backward())
        asked = [*self.attentions, *([] if self.vision is None else [self.vision])]
        slopes = list(torch.autograd.grad(score(self.logits).sum(), asked, retain_graph=True))
        return slopes[: len(self.attentions)], None if self.vision is None else slopes[-1]
