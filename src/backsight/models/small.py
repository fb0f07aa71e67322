"""Small checkpoints in the real architectures: random weights, an own tokenizer, an offline processor.

The built-in models are trained from these, and the contracts are tested on them. Nothing is downloaded: the
vocabulary is made of a corpus, the image processor of its parameters.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import Qwen2Tokenizer, Qwen2VLConfig, Qwen2VLForConditionalGeneration, Qwen2VLProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from backsight.models.processors import image_only

QWEN_SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
QWEN_CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% elif c['type'] == 'text' %}{{ c['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def qwen_tokenizer(corpus: Iterable[str]) -> Qwen2Tokenizer:
    """A byte-level BPE tokenizer in which every word of the corpus is one token; any other text still has tokens."""
    words = list(corpus) * 2  # a pair of bytes is merged from its second appearance on
    base = Tokenizer(models.BPE())
    base.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    base.train_from_iterator(words, trainers.BpeTrainer(vocab_size=4096, initial_alphabet=alphabet, show_progress=False))
    made = json.loads(base.to_str())["model"]
    merges = [tuple(m) if not isinstance(m, str) else tuple(m.split(" ")) for m in made["merges"]]
    extra = [s for s in QWEN_SPECIAL if s not in ("<|im_end|>", "<|endoftext|>")]
    return Qwen2Tokenizer(
        vocab=made["vocab"], merges=merges, eos_token="<|im_end|>", pad_token="<|endoftext|>", unk_token="<|endoftext|>",
        extra_special_tokens=extra,
    )  # fmt: skip


def qwen2_vl(
    corpus: Iterable[str], *, text: dict[str, Any], vision: dict[str, Any], tokens: int, seed: int
) -> tuple[Qwen2VLForConditionalGeneration, Any]:
    """A Qwen2-VL with random weights and its processor, whose pictures all come to about `tokens` image tokens.

    `text` and `vision` go into the two halves of the configuration. The output embedding is tied.
    """
    tokenizer = qwen_tokenizer(corpus)
    patch, merge = vision["patch_size"], vision["spatial_merge_size"]
    pixels = tokens * (patch * merge) ** 2
    images = Qwen2VLImageProcessorPil(
        size={"shortest_edge": pixels, "longest_edge": pixels}, patch_size=patch, merge_size=merge, temporal_patch_size=2
    )
    processor = image_only(Qwen2VLProcessor)(image_processor=images, tokenizer=tokenizer, chat_template=QWEN_CHAT)
    number = tokenizer.convert_tokens_to_ids
    config = Qwen2VLConfig(
        text_config=dict(
            vocab_size=-(-len(tokenizer) // 8) * 8, tie_word_embeddings=True, bos_token_id=None,
            pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id, **text,
        ),
        vision_config=dict(hidden_size=text["hidden_size"], temporal_patch_size=2, **vision),
        tie_word_embeddings=True,
        image_token_id=number("<|image_pad|>"), video_token_id=number("<|video_pad|>"),
        vision_start_token_id=number("<|vision_start|>"), vision_end_token_id=number("<|vision_end|>"),
    )  # fmt: skip
    torch.manual_seed(seed)
    return Qwen2VLForConditionalGeneration(config), processor
