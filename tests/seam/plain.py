"""Plain torch hooks, written without the package, to compare the seam with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def decoder_inputs(model: Any, inputs: dict[str, Tensor]) -> tuple[list[Tensor], Tensor]:
    """The input of every decoder block and of the final norm, and the next-token logits."""
    seen: list[Tensor] = []
    decoder = model.get_decoder()
    handles = [
        m.register_forward_pre_hook(lambda _, args: seen.append(args[0])) for m in (*decoder.layers, decoder.norm)
    ]
    try:
        with torch.no_grad():
            logits = model(**inputs).logits[:, -1]
    finally:
        for handle in handles:
            handle.remove()
    return seen, logits


def patched(model: Any, inputs: dict[str, Tensor], layer: int, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Next-token logits with the input of block `layer` (or of the final norm) replaced by `change` of it."""
    decoder = model.get_decoder()
    module = [*decoder.layers, decoder.norm][layer]
    handle = module.register_forward_pre_hook(lambda _, args: (change(args[0]), *args[1:]))
    try:
        with torch.no_grad():
            found: Tensor = model(**inputs).logits[:, -1]
    finally:
        handle.remove()
    return found


def with_last(value: Tensor) -> Callable[[Tensor], Tensor]:
    """A change that puts `value` (batch, d_model) at the last position."""

    def change(hidden: Tensor) -> Tensor:
        new = hidden.clone()
        new[:, -1] = value
        return new

    return change
