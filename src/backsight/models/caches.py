"""What stands where a cache stands in the call of an attention module, and decides which keys and values it sees."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from backsight.models.blocks import BlockCall


class Capture:
    """Keeps the keys and values whole."""

    def __init__(self, call: BlockCall) -> None:
        self.call = call

    def update(self, keys: Tensor, values: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        self.call.keys, self.call.values = keys, values
        return keys, values


class Scatter:
    """Gives the recorded keys and values, with those of the replayed rows in their stead."""

    def __init__(self, call: BlockCall, rows: Tensor) -> None:
        self.call, self.rows = call, rows

    def update(self, keys: Tensor, values: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        assert self.call.keys is not None and self.call.values is not None
        return self.call.keys.index_copy(2, self.rows, keys), self.call.values.index_copy(2, self.rows, values)


class Append:
    """Gives the recorded keys and values of all positions but the last, and the copies of the last one behind them."""

    def __init__(self, call: BlockCall) -> None:
        self.call = call

    def update(self, keys: Tensor, values: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        assert self.call.keys is not None and self.call.values is not None
        return torch.cat([self.call.keys[:, :, :-1], keys], 2), torch.cat([self.call.values[:, :, :-1], values], 2)


class BlockEndedError(Exception):
    """A block has made its keys and values, and no more of it is wanted."""


class KeysOnly(Capture):
    """Keeps the keys and values and ends the block."""

    def update(self, keys: Tensor, values: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        super().update(keys, values)
        raise BlockEndedError


class Given:
    """Gives keys and values that were made before, those of the rows that run among them."""

    def __init__(self, call: BlockCall) -> None:
        self.call = call

    def update(self, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        assert self.call.keys is not None and self.call.values is not None
        return self.call.keys, self.call.values
