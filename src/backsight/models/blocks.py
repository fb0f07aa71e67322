"""How transformers calls a decoder block, and what the parts of a block are called.

These are names of private calls, and they change from release to release: the cache was `past_key_values` up to 5.23
and is `cache` from 5.24 on. No other file knows them. Which name a module takes is read off its signature, so that
nothing hangs on a number of a release.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from backsight.errors import CannotAnswer, ModelError
from backsight.models import releases

CACHE_NAMES = ("cache", "past_key_values")  # newest first
MASK = "attention_mask"
ROTARY = "position_embeddings"
BY_POSITION = ("position_ids", "cache_position")
WHOLE_PROMPT: dict[str, Any] = {"use_cache": False}  # of a call of the model: no cache is wanted
WITH_STATES: dict[str, Any] = {**WHOLE_PROMPT, "output_hidden_states": True}


@dataclass
class BlockCall:
    """One decoder block as it was called: its keyword arguments, input, output, keys and values."""

    kwargs: dict[str, Any] = field(default_factory=dict)
    before: Tensor | None = None
    after: Tensor | None = None
    keys: Tensor | None = None
    values: Tensor | None = None

    @property
    def mask(self) -> Tensor:
        """The additive attention mask (batch, 1, query, key)."""
        mask: Tensor = self.kwargs[MASK]
        return mask

    def lacks(self) -> str | None:
        """What a replay needs and this call did not have, in words; None where nothing is missing."""
        mask = self.kwargs.get(MASK)
        missing = []
        if not isinstance(mask, Tensor):
            missing.append(f"no attention mask ({type(mask).__name__})")
        elif mask.ndim != 4 or not mask.is_floating_point():
            missing.append(f"a mask of {mask.ndim} dimensions and {mask.dtype}, where an additive one of 4 is needed")
        if self.keys is None or self.values is None:
            missing.append("its cache was not used: no keys and values came to it")
        return "; ".join(missing) or None

    def cut(self, rows: Tensor, hidden: Tensor | None = None) -> dict[str, Any]:
        """The keyword arguments for some rows (positions) only.

        `hidden` (batch, row, key) marks keys that a row does not see although the recorded mask is open there.
        """
        mask = self.mask[:, :, rows]
        if hidden is not None:
            mask = mask.masked_fill(hidden[:, None], torch.finfo(mask.dtype).min)
        arguments = {**self.kwargs, MASK: mask}
        arguments[ROTARY] = tuple(p.index_select(-2, rows) for p in self.kwargs[ROTARY])
        for name in BY_POSITION:
            if isinstance(arguments.get(name), Tensor):
                arguments[name] = arguments[name].index_select(-1, rows)
        return arguments

    def for_copies(self, count: int, last: Tensor) -> dict[str, Any]:
        """The keyword arguments for `count` copies of the last row, each seeing all before it and itself."""
        arguments = self.cut(last)
        shared = self.mask[:, :, -1:, :-1].expand(-1, -1, count, -1)
        own = torch.full((count, count), torch.finfo(shared.dtype).min, dtype=shared.dtype, device=shared.device)
        itself = self.mask[:, :, -1:, -1:]  # 0, or a bias of the distance 0
        same = torch.eye(count, dtype=torch.bool, device=shared.device)
        arguments[MASK] = torch.cat([shared, torch.where(same, itself, own)], 3)
        arguments[ROTARY] = tuple(p.expand(*p.shape[:-2], count, -1) for p in arguments[ROTARY])
        for name in BY_POSITION:
            if isinstance(arguments.get(name), Tensor):
                arguments[name] = arguments[name].expand(*arguments[name].shape[:-1], count)
        return arguments


def cache_name(block: nn.Module) -> str:
    """The keyword under which a decoder block takes its cache; ModelError where it takes none that is known."""
    taken = _keywords(type(block).forward)
    for name in CACHE_NAMES:
        if name in taken:
            return name
    raise ModelError(
        "A decoder block takes its cache under no name that is known",
        where=f"{type(block).__name__}; {releases.stated()}",
        got=", ".join(taken),
        do=releases.advice(),
    )


@cache
def _keywords(forward: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(forward).parameters)


def without_cache(kwargs: dict[str, Any]) -> dict[str, Any]:
    """A block's keyword arguments without its cache and whether to use one."""
    return {k: v for k, v in kwargs.items() if k not in (*CACHE_NAMES, *WHOLE_PROMPT)}


def run(block: nn.Module, state: Tensor, kwargs: dict[str, Any], stand_in: Any) -> Tensor:
    """What a block makes of `state` (batch, position, d_model), with `stand_in` where its cache stands."""
    output = block(state, **{**kwargs, cache_name(block): stand_in})
    return output_state(output)


def output_state(output: Any) -> Tensor:
    """The residual stream (batch, position, d_model) in what a block gives."""
    state: Tensor = output[0] if isinstance(output, tuple) else output
    return state


def decoded_before(kwargs: dict[str, Any]) -> int:
    """How many positions a call of the model or of a block finds in its cache: 0 for the prompt."""
    for name in CACHE_NAMES:
        if kwargs.get(name) is not None:
            return int(kwargs[name].get_seq_length())
    return 0


def input_ids(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    """The token ids (batch, position) that the model was called with."""
    ids: Tensor | None = kwargs.get("input_ids", args[0] if args else None)
    return ids


def padding_mask(kwargs: dict[str, Any]) -> Tensor | None:
    """The mask (batch, position) that the model was called with, 0 at padding; None where it was called with none.

    Of a laid-out one, or one for each kind of layer, it is what the last position sees where it sees most.
    """
    mask = kwargs.get(MASK)
    every = [one for one in (mask.values() if isinstance(mask, dict) else [mask]) if isinstance(one, Tensor)]
    if len(every) == 1 and every[0].ndim == 2:
        return every[0]
    ids = kwargs.get("input_ids")
    seen = [_open(one)[..., : one.shape[-1] if ids is None else ids.shape[1]] for one in every if one.ndim == 4]
    return max(seen, key=lambda one: int(one.sum())).long() if seen else None


def _open(mask: Tensor) -> Tensor:
    """Which keys the last query of a laid-out mask (batch, 1, query, key) sees, (batch, key)."""
    last = mask[:, 0, -1]
    return last if last.dtype == torch.bool else last > torch.finfo(last.dtype).min / 2


def without_encoded(kwargs: dict[str, Any]) -> dict[str, Any]:
    """A model's keyword arguments without pictures that were encoded before it was called."""
    return {k: v for k, v in kwargs.items() if k != "mm_encoder_outputs"}


def cut_mask(kwargs: dict[str, Any], length: int) -> dict[str, Any]:
    """Arguments of the model whose laid-out masks (batch, 1, query, key) have as many keys as a prompt's positions.

    `generate` with a cache of fixed length lays masks out over all of the cache; a pass without one has no such keys.
    """

    def cut(mask: Any) -> Any:
        return mask[..., :length] if isinstance(mask, Tensor) and mask.ndim == 4 else mask

    mask = kwargs.get(MASK)
    new = {kind: cut(one) for kind, one in mask.items()} if isinstance(mask, dict) else cut(mask)
    return kwargs if mask is None else {**kwargs, MASK: new}


def is_encoded(kwargs: dict[str, Any]) -> bool:
    """Whether a call of the model brings its pictures encoded already, as `generate` does from 5.23 on."""
    return kwargs.get("mm_encoder_outputs") is not None


def rotary(decoder: nn.Module) -> nn.Module | None:
    """The module that makes rotary positions of position ids; None where a decoder has none."""
    module = getattr(decoder, "rotary_emb", None)
    return module if isinstance(module, nn.Module) else None


def rotary_kinds(decoder: nn.Module) -> list[str | None]:
    """The kind of rotary positions of each decoder block, where a model has several; None for the only one."""
    kinds = list(getattr(decoder.config, "layer_types", None) or [])  # type: ignore[union-attr, arg-type]
    module: Any = rotary(decoder)
    several = "layer_type" in _keywords(type(module).forward)
    return [kind if several else None for kind in kinds] or [None] * len(decoder.layers)  # type: ignore[arg-type]


def turns(decoder: nn.Module, ids: Tensor, kind: str | None = None) -> tuple[Tensor, Tensor]:
    """Cosine and sine (batch, position, features) of the turns by position ids, which are given as to the model.

    What a model scales both by is taken out. CannotAnswer where the angles of an id depend on how long a prompt is.
    """
    module: Any = rotary(decoder)
    named = getattr(module, "rope_type", "")
    stated = named.get(kind, "") if isinstance(named, dict) else named
    if any(word in str(stated) for word in ("dynamic", "longrope")):
        raise CannotAnswer("The rotary angles of this model depend on the length of the prompt", got=str(stated))
    like = torch.empty(0, device=ids.device)
    cosine, sine = module(like, ids, **({} if kind is None else {"layer_type": kind}))
    if cosine.ndim == 4:  # an axis of ids each, which some releases share out in the attention itself
        sections = [2 * n for n in module.config.rope_parameters["mrope_section"]]
        cosine, sine = (
            torch.cat([part[i % 3] for i, part in enumerate(one.split(sections, -1))], -1) for one in (cosine, sine)
        )
    scale = torch.hypot(cosine, sine)
    return cosine / scale, sine / scale


def attending(block: nn.Module) -> nn.Module:
    """The attention module of a decoder block."""
    module: nn.Module = block.self_attn  # type: ignore[assignment]
    return module


def attends(block: nn.Module) -> bool:
    """Whether a decoder block has an attention whose scores can be reached, with an output projection of its own."""
    return hasattr(block, "self_attn") and hasattr(attending(block), "o_proj")


def projections(block: nn.Module) -> tuple[int, int]:
    """Weights of a block's projections to queries, and to keys and values; shared out where they are one matrix."""
    module: Any = attending(block)
    out = head_projection(block)
    inner = {name: m for name, m in module.named_modules() if isinstance(m, nn.Linear) and m is not out}
    keys = sum(m.weight.numel() for name, m in inner.items() if name in ("k_proj", "v_proj"))
    every = sum(m.weight.numel() for m in inner.values())
    return (every - keys, keys) if keys else (every - 2 * every // 3, 2 * every // 3)


def head_projection(block: nn.Module) -> nn.Module:
    """The attention's output projection, whose input are the heads side by side."""
    module: nn.Module = attending(block).o_proj  # type: ignore[assignment]
    return module


def implementation(config: Any) -> str:
    """The attention implementation that a configuration names; empty where it names none."""
    return str(getattr(config, "_attn_implementation", None) or "")


def set_implementation(model: Any, name: str) -> None:
    """Let the language model attend by another implementation."""
    model.set_attn_implementation({"text_config": name})
