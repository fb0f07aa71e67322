"""Hooks that stay; those that come off again are in `hooks`.

An addition (`models.additions`) is a part of its model, so that its hooks are never taken off. What a standing hook
calls is copied with the model: `copy.deepcopy` copies a bound method with the object that it belongs to, and a function
that closes over that object not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class _Before:
    act: Callable[[dict[str, Any]], dict[str, Any]]

    def __call__(self, module: nn.Module, args: tuple[Any, ...], given: dict[str, Any]) -> tuple[Any, Any]:
        return args, self.act(given)


@dataclass(frozen=True)
class _After:
    act: Callable[[Tensor], Tensor]

    def __call__(self, module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
        return self.act(output)


def always_before(module: nn.Module, act: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Call `act`, a method of an addition, with the keyword arguments of every call of a module; what it gives takes
    their place. The hook stays."""
    module.register_forward_pre_hook(_Before(act), with_kwargs=True)


def always_after(module: nn.Module, act: Callable[[Tensor], Tensor]) -> None:
    """Call `act`, a method of an addition or the addition, with what every call of a module gives; what it gives takes
    its place. The hook stays."""
    module.register_forward_hook(_After(act))
