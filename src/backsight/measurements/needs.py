"""What measurements want recorded of the examples of a batch, so that several can share one recording."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backsight.examples import Example
from backsight.grid import TokenGrid

Refusal = Callable[[Example, TokenGrid], str | None]


@dataclass(frozen=True)
class Needs:
    """Logits always; with `trace` all that a replay starts from; the relevance of `methods`; with `attention` where the
    queries of that name attend (`watched.QUERIES`), of the same pass.

    `depth` layers and `steps` points of a path are what the methods take. `refuse` says why an example is left out of
    the recording, or None where it is in it.
    """

    trace: bool = False
    methods: tuple[str, ...] = ()
    depth: int = 0
    steps: int = 0
    refuse: Refusal | None = None
    attention: str = ""


def united(needs: Sequence[Needs]) -> Needs | None:
    """What serves all of some needs; None where no one recording can: other examples, methods of other settings, or
    attention of other queries."""
    with_methods = [one for one in needs if one.methods]
    settings = {(one.depth, one.steps) for one in with_methods}
    attention = {one.attention for one in needs} - {""}
    if len({one.refuse for one in needs}) != 1 or len(settings) > 1 or len(attention) > 1:
        return None
    depth, steps = next(iter(settings), (0, 0))
    methods = dict.fromkeys(method for one in with_methods for method in one.methods)
    trace = any(one.trace for one in needs)
    return Needs(trace, tuple(methods), depth, steps, needs[0].refuse, next(iter(attention), ""))
