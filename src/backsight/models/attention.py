"""An attention function of our own, registered beside those of transformers.

It exists for three reasons. Replay needs every mask explicit and 4-D; sdpa with mask None and fewer queries than keys
goes causal on the wrong keys. An edit of the scores must stand between them and the softmax. And relevance through
attention needs the weights behind it as a part of the graph. All are keyed by the attention module, never by an index
in a global.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask

from backsight.errors import CannotAnswer
from backsight.models import blocks

NAME = "backsight"
ScoreFunction = Callable[[Tensor], Tensor]
WeightWatcher = Callable[[Tensor], None]
_SCORES: WeakKeyDictionary[nn.Module, ScoreFunction] = WeakKeyDictionary()
_WATCHERS: WeakKeyDictionary[nn.Module, WeightWatcher] = WeakKeyDictionary()


def attend(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any
) -> tuple[Tensor, Tensor | None]:
    """Attention with an explicit mask; where scores are edited or weights are watched, computed step by step.

    Shapes: query (batch, head, query, head_dim); key, value (batch, key_value_head, key, head_dim).
    """
    edit, watcher = _SCORES.get(module), _WATCHERS.get(module)
    softcap = kwargs.get("softcap")
    if edit is None and watcher is None and softcap is None:
        output, weights = sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
        return output, weights
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    scaling = kwargs.get("scaling")
    scores = query @ key.transpose(2, 3) * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    if softcap is not None:
        scores = torch.tanh(scores / softcap) * softcap
    if edit is not None:
        scores = edit(scores)
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = torch.softmax(scores, -1, dtype=torch.float32).to(query.dtype)
    if watcher is not None:
        watcher(weights)
    return (weights @ value).transpose(1, 2).contiguous(), weights


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, eager_mask)


def refuse(model: Any, layers: Sequence[nn.Module], name: str) -> None:
    """CannotAnswer where what `name` stands for would change attention scores that cannot be reached.

    That is where a layer has no attention, or the model takes no attention function but its own.
    """
    without = [(number, type(layer).__name__) for number, layer in enumerate(layers) if not blocks.attends(layer)]
    if without:
        number, kind = without[0]
        raise CannotAnswer(
            "This repair changes attention scores, and a layer has none",
            where=f"layer {number} ({kind}), {len(without)} of {len(layers)} layers in all", got=name,
            do="take a repair of the image embeddings: amplification, norm_rescale",
        )  # fmt: skip
    before = blocks.implementation(model.config.get_text_config())
    try:
        blocks.set_implementation(model, NAME)
        taken = blocks.implementation(model.config.get_text_config()) == NAME
        blocks.set_implementation(model, before)
    except (AttributeError, TypeError, ValueError):
        taken = False
    if not taken:
        raise CannotAnswer(
            "This repair changes attention scores, and this model's attention cannot be replaced",
            where=type(model).__name__, got=name,
            do="take a repair of the image embeddings: amplification, norm_rescale",
        )  # fmt: skip


@contextmanager
def explicit(
    model: Any,
    *,
    scores: dict[nn.Module, ScoreFunction] | None = None,
    weights: dict[nn.Module, WeightWatcher] | None = None,
) -> Iterator[None]:
    """Let the language model attend through `attend`; its own implementation is put back on exit.

    `weights` watch the attention (batch, head, query, key) behind the softmax. An eager model has explicit masks
    already and keeps its attention, unless scores are edited or weights are watched.
    """
    before = blocks.implementation(model.config.get_text_config())
    switch = before != NAME and (before != "eager" or bool(scores) or bool(weights))
    added = [module for module in scores or {} if module not in _SCORES]
    watched = {module: _WATCHERS.get(module) for module in weights or {}}
    _SCORES.update(scores or {})
    _WATCHERS.update(weights or {})
    if switch:
        blocks.set_implementation(model, NAME)
    try:
        yield
    finally:
        for module in added:
            _SCORES.pop(module, None)
        for module, earlier in watched.items():
            if earlier is None:
                _WATCHERS.pop(module, None)
            else:
                _WATCHERS[module] = earlier
        if switch:
            blocks.set_implementation(model, before)
