"""FLOPs of an open model: what its weights say, and what torch's counter says of its vision encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from backsight.models import blocks
from backsight.models.flops import Seen, Work
from backsight.models.sites import Parts


def _attention(query: Any, key: Any, value: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]


# Of sdpa's kernel for CPUs torch's counter knows no formula, and would count attention as nothing.
CPU_ATTENTION = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention}


def work(model: Any, parts: Parts, patches: int) -> Work:
    """The work of a model whose own pictures have so many patches."""
    config, block = model.config.get_text_config(), parts.layers[0]
    heads = int(config.num_attention_heads)
    head = int(getattr(config, "head_dim", None) or config.hidden_size // heads)
    projections = blocks.projections(block)
    vision: Any = model.config.vision_config
    width = int(getattr(vision, "embed_dim", None) or vision.hidden_size)
    encoder, rest = _weights(parts.vision_blocks), _others(model, parts)
    return Work(
        layers=len(parts.layers),
        linear=2 * _weights([block]),
        query=2 * projections[0],
        keys=2 * projections[1],
        pair=4 * heads * head,
        logit=2 * int(model.lm_head.weight.numel()),
        patches=patches,
        patch=2.0 * (encoder + rest),
        patch_pair=4 * width * len(parts.vision_blocks),
        encoded=bool(parts.vision_blocks),
    )


def seen(features: Callable[[], object], watch: Callable[[Callable[[], None]], list[Any]]) -> Seen:
    """What torch's counter says of the image features of one picture, and of what runs behind the last block.

    `watch` lets a function be called when the vision encoder's last block has run, and gives handles to be removed.
    """
    counter = FlopCounterMode(display=False, custom_mapping=CPU_ATTENTION)
    before: list[int] = [0]
    handles = watch(lambda: before.append(counter.get_total_flops()))
    try:
        with torch.no_grad(), counter:
            features()
    finally:
        for handle in handles:
            handle.remove()
    total = counter.get_total_flops()
    return Seen(float(total), float(total - before[-1]))


def _weights(modules: Iterable[nn.Module]) -> int:
    return sum(m.weight.numel() for block in modules for m in block.modules() if isinstance(m, nn.Linear))


def _others(model: Any, parts: Parts) -> int:
    """Weights of the patch embedding and the projector: what is neither in a block nor an embedding or a norm."""
    inside = {id(m) for block in (*parts.layers, *parts.vision_blocks) for m in block.modules()} | {id(model.lm_head)}
    kinds = (nn.Linear, nn.Conv2d, nn.Conv3d)
    return sum(m.weight.numel() for m in model.modules() if isinstance(m, kinds) and id(m) not in inside)
