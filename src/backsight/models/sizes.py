"""The counts that a forward pass takes its memory from: configuration, and the largest prompt of some samples.

Nothing is run. The longest text and the largest picture of the samples are prepared as one prompt, because a batch is
padded to its longest; all else is read off the configuration.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch

from backsight.examples import Example, PlainPicture
from backsight.models import blocks
from backsight.models.families.common import ENTERS_ONCE
from backsight.models.seam import Seam


@dataclass(frozen=True)
class Stack:
    """Equal blocks of attention and MLP. `inner` is the MLP's width, `head` a head's.

    `eager` says that the scores (head, query, key) stand in memory.
    """

    layers: int
    width: int
    inner: int
    heads: int
    kv_heads: int
    head: int
    eager: bool


@dataclass(frozen=True)
class Sizes:
    """One sample, the largest of some. `patches` enter the vision encoder and `image_tokens` leave it.

    `inputs` are the bytes of what a model is called with, `opened` those of the opened picture and `item` of one
    number. `masks` says how many kinds of layer have a mask of their own, `injected` after how many blocks vision
    features are added.
    """

    text: Stack
    vision: Stack
    tokens: int
    image_tokens: int
    patches: int
    vocabulary: int
    inputs: int
    opened: int
    item: int
    masks: int
    injected: int

    def longer(self, tokens: int) -> Sizes:
        """The same with tokens behind the prompt."""
        return replace(self, tokens=self.tokens + tokens)


def sizes(vlm: Seam, examples: Iterable[Example]) -> Sizes:
    """The sizes of the largest of some examples."""
    given = list(examples)
    asked = {(e.question, e.system): e for e in given}
    shown = {e.picture.size for e in given}
    longest = max(asked.values(), key=lambda e: len(vlm.tokenizer.encode(vlm.prompter.text(e.question, e.system))))
    largest = max(shown, key=lambda size: (vlm.prompter.patches(size), size[0] * size[1]))
    batch = vlm.prepare([replace(longest, picture=PlainPicture(largest))])
    config = vlm.model.config.get_text_config()
    input_bytes = sum(value.nbytes for value in batch.inputs.values())
    return Sizes(
        text=_text(vlm),
        vision=_vision(vlm),
        tokens=batch.input_ids.shape[1],
        image_tokens=int(batch.image_mask.sum()),
        patches=vlm.prompter.patches(largest),
        vocabulary=int(config.vocab_size),
        inputs=input_bytes,
        opened=3 * max(width * height for width, height in shown),
        item=torch.finfo(vlm.dtype).bits // 8,
        masks=len(set(getattr(config, "layer_types", None) or ["all"])),
        injected=0 if vlm.family.can(ENTERS_ONCE)
        else len(getattr(vlm.model.config.vision_config, "deepstack_visual_indexes", ())),
    )  # fmt: skip


def weights(vlm: Seam) -> int:
    """Bytes of a model's parameters and buffers."""
    return sum(value.nbytes for value in (*vlm.model.parameters(), *vlm.model.buffers()))


def _text(vlm: Seam) -> Stack:
    config = vlm.model.config.get_text_config()
    heads = int(config.num_attention_heads)
    return Stack(
        layers=vlm.n_layers,
        width=int(config.hidden_size),
        inner=int(config.intermediate_size),
        heads=heads,
        kv_heads=int(getattr(config, "num_key_value_heads", None) or heads),
        head=int(getattr(config, "head_dim", None) or config.hidden_size // heads),
        eager=vlm.attention == "eager" or getattr(config, "attn_logit_softcapping", None) is not None,
    )


def _vision(vlm: Seam) -> Stack:
    """The vision encoder; its settings bear other names from family to family."""
    config: Any = vlm.model.config.vision_config
    width = int(getattr(config, "embed_dim", None) or config.hidden_size)
    heads = int(getattr(config, "num_heads", None) or config.num_attention_heads)
    inner = getattr(config, "intermediate_size", None) or width * (getattr(config, "mlp_ratio", None) or 4)
    return Stack(
        layers=len(vlm.parts.vision_blocks),
        width=width,
        inner=int(inner),
        heads=heads,
        kv_heads=heads,
        head=width // heads,
        eager=blocks.implementation(config) == "eager",
    )
