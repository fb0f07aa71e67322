"""Recordings of a batch that measurements share: logits, a trace to replay from, relevance by several methods."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import cast

from torch import Tensor

from backsight.examples import Example
from backsight.grid import TokenGrid
from backsight.measurements import relevance
from backsight.measurements.needs import Needs
from backsight.measurements.watched import Queries, Watched, Watcher
from backsight.models import replay
from backsight.models.prompts import Batch
from backsight.models.vlm import VLM


@dataclass(frozen=True)
class Recorded:
    """What one batch of examples left behind. `asked` are the examples in it, `refused` why each other one is not.

    `logits` (example, vocabulary) are of those asked. The input `batch` and the logits are None where none was asked,
    `trace`, `maps` and `attention` also where no measurement needs them.
    """

    vlm: VLM
    samples: tuple[Example, ...]
    asked: tuple[Example, ...]
    refused: dict[str, str]
    grids: dict[str, TokenGrid]
    batch: Batch | None = None
    logits: Tensor | None = None
    trace: replay.Trace | None = None
    maps: relevance.Maps | None = None
    attention: Watched | None = None


def record(vlm: VLM, samples: Sequence[Example], needs: Needs) -> Recorded:
    """One recording of some examples with all that is needed."""
    grids = {e.id: vlm.grid_of(e.picture) for e in samples}
    reasons = {e.id: needs.refuse(e, grids[e.id]) if needs.refuse else None for e in samples}
    asked = tuple(e for e in samples if reasons[e.id] is None)
    refused = {name: reason for name, reason in reasons.items() if reason is not None}
    if not asked:
        return Recorded(vlm, tuple(samples), asked, refused, grids)
    batch = vlm.prepare(asked)
    watcher = Watcher(batch, cast(Queries, needs.attention)) if needs.attention else None
    trace = maps = None
    with vlm.watching(watcher) if watcher else nullcontext():
        if needs.trace or needs.methods:
            trace = replay.record(vlm, batch)
            logits = trace.logits
        else:
            logits = vlm.forward(batch)
    if needs.methods:
        maps = relevance.maps(vlm, batch, needs.methods, depth=needs.depth, steps=needs.steps, trace=trace)
    attention = watcher.watched if watcher else None
    return Recorded(vlm, tuple(samples), asked, refused, grids, batch, logits, trace, maps, attention)
