"""The bytes of tensors that live while something runs: counted storage by storage, the same on every run."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from backsight.models.vlm import VLM


class Live(TorchDispatchMode):
    """Counts every storage that an operation takes or gives, a model's own apart, until it is freed."""

    def __init__(self, vlm: VLM) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: dict[int, Any] = {}
        self._own = {t.untyped_storage()._cdata for t in (*vlm.model.parameters(), *vlm.model.buffers())}

    def _see(self, value: object) -> None:
        if not isinstance(value, torch.Tensor):
            return
        storage = value.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._own or key in self._known:
            return

        def freed(_: object) -> None:
            self._known.pop(key)
            self.now -= size

        self._known[key] = weakref.ref(storage, freed)
        self.now += size

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for value in tree_leaves((args, kwargs)):
            self._see(value)
        given = func(*args, **(kwargs or {}))
        for value in tree_leaves(given):
            self._see(value)
        self.peak = max(self.peak, self.now)
        return given


def peak(vlm: VLM, run: Callable[[], object]) -> int:
    """The most bytes of tensors that lived at once in a run, beside the model's weights."""
    with Live(vlm) as live:
        run()
    return live.peak
