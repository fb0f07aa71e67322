"""Small checkpoints in the real architectures: random weights, an own tokenizer, an offline processor.

The built-in models are trained from these, and the contracts are tested on them. Nothing is downloaded: the
vocabulary is made of a corpus, the image processor of its parameters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import Qwen2Tokenizer, Qwen2VLConfig, Qwen2VLForConditionalGeneration, Qwen2VLProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from backsight.models.processors import image_only

QWEN_SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>",
    "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
QWEN_CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif c['type'] == 'text' %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def qwen_tokenizer(corpus: Iterable[str]) -> Qwen2Tokenizer:
    """A byte-level BPE tokenizer in which every word of the corpus is one token; any other text still has tokens."""
    words = list(corpus) * 2  # a pair of bytes is merged from its second appearance on
    base = Tokenizer(models.BPE())
    base.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    base.train_from_iterator(
        words, trainers.BpeTrainer(vocab_size=4096, initial_alphabet=alphabet, show_progress=False)
    )
    trained = json.loads(base.to_str())["model"]
    merges = [tuple(m) if not isinstance(m, str) else tuple(m.split(" ")) for m in trained["merges"]]
    extra = [s for s in QWEN_SPECIAL if s not in ("<|im_end|>", "<|endoftext|>")]
    return Qwen2Tokenizer(
        vocab=trained["vocab"], merges=merges, eos_token="<|im_end|>",
        pad_token="<|endoftext|>", unk_token="<|endoftext|>", extra_special_tokens=extra,
    )  # fmt: skip


def qwen2_vl(
    corpus: Iterable[str], *, text: dict[str, Any], vision: dict[str, Any], tokens: int, seed: int
) -> tuple[Qwen2VLForConditionalGeneration, Any]:
    """A Qwen2-VL with random weights and its processor, whose pictures all come to about `tokens` image tokens.

    `text` and `vision` go into the two halves of the configuration. The output embedding is tied.
    """
    vision = dict(hidden_size=text["hidden_size"], temporal_patch_size=2) | vision
    return _qwen(corpus, Qwen2VLConfig, Qwen2VLForConditionalGeneration, Qwen2VLProcessor, text, vision, tokens, seed)


def _qwen(
    corpus: Iterable[str], config_class: Any, model_class: Any, processor_class: Any, text: dict[str, Any],
    vision: dict[str, Any], tokens: int, seed: int,
) -> tuple[Any, Any]:  # fmt: skip
    tokenizer = qwen_tokenizer(corpus)
    patch, merge = vision["patch_size"], vision["spatial_merge_size"]
    pixels = tokens * (patch * merge) ** 2
    images = Qwen2VLImageProcessorPil(
        size={"shortest_edge": pixels, "longest_edge": pixels},
        patch_size=patch,
        merge_size=merge,
        temporal_patch_size=2,
    )
    processor = image_only(processor_class)(image_processor=images, tokenizer=tokenizer, chat_template=QWEN_CHAT)
    number = tokenizer.convert_tokens_to_ids
    config = config_class(
        text_config=dict(
            vocab_size=-(-len(tokenizer) // 8) * 8, tie_word_embeddings=True, bos_token_id=None,
            pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id, **text,
        ),
        vision_config=vision,
        tie_word_embeddings=True,
        image_token_id=number("<|image_pad|>"), video_token_id=number("<|video_pad|>"),
        vision_start_token_id=number("<|vision_start|>"), vision_end_token_id=number("<|vision_end|>"),
    )  # fmt: skip
    torch.manual_seed(seed)
    return model_class(config), processor


# What the tiny models of all five families share: 4 decoder blocks of width 64.
_TEXT: dict[str, Any] = dict(
    hidden_size=64, intermediate_size=128, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
    max_position_embeddings=2048,
)  # fmt: skip
_SIGLIP: dict[str, Any] = dict(
    model_type="siglip_vision_model", hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
    patch_size=14, vision_use_head=False,
)  # fmt: skip
GEMMA_CHAT = (
    "{{ bos_token }}{% for m in messages %}<start_of_turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<start_of_image>{% elif c['type'] == 'text' %}{{ c['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)


def tiny(model_type: str, corpus: Iterable[str], *, seed: int = 0, attention: str = "sdpa") -> tuple[Any, Any]:
    """A tiny model of a family with random weights, in eval mode, and its processor. For tests of the seam."""
    builders: dict[str, Callable[[list[str], int], tuple[Any, Any]]] = {
        "qwen2_vl": _tiny_qwen2,
        "qwen2_5_vl": _tiny_qwen2_5,
        "qwen3_vl": _tiny_qwen3,
        "gemma3": _tiny_gemma3,
        "paligemma": _tiny_paligemma,
    }
    model, processor = builders[model_type](list(corpus), seed)
    model.set_attn_implementation(attention)
    return model.eval(), processor


def _mrope(**more: Any) -> dict[str, Any]:
    return dict(rope_type="default", rope_theta=1e4, mrope_section=[2, 3, 3], **more)


def _tiny_qwen2(corpus: list[str], seed: int) -> tuple[Any, Any]:
    vision = dict(depth=2, embed_dim=32, num_heads=2, mlp_ratio=2, patch_size=14, spatial_merge_size=2)
    return qwen2_vl(corpus, text=_TEXT | {"rope_parameters": _mrope()}, vision=vision, tokens=48, seed=seed)


def _tiny_qwen2_5(corpus: list[str], seed: int) -> tuple[Any, Any]:
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor

    vision = dict(
        depth=2, hidden_size=32, out_hidden_size=64, intermediate_size=64, num_heads=2,
        patch_size=14, spatial_merge_size=2, window_size=56, fullatt_block_indexes=[1],
    )  # fmt: skip
    classes = (Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor)
    return _qwen(corpus, *classes, _TEXT | {"rope_parameters": _mrope()}, vision, 48, seed)


def _tiny_qwen3(corpus: list[str], seed: int) -> tuple[Any, Any]:
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration, Qwen3VLProcessor

    vision = dict(
        depth=3, hidden_size=32, out_hidden_size=64, intermediate_size=64, num_heads=2,
        patch_size=16, spatial_merge_size=2, num_position_embeddings=64, deepstack_visual_indexes=[0, 1],
    )  # fmt: skip
    text = _TEXT | {"head_dim": 16, "rope_parameters": _mrope(mrope_interleaved=True)}
    classes = (Qwen3VLConfig, Qwen3VLForConditionalGeneration, Qwen3VLProcessor)
    return _qwen(corpus, *classes, text, vision, 48, seed)


def gemma_tokenizer(corpus: Iterable[str], image_token: str = "<image_soft_token>") -> Any:
    """A BPE tokenizer with Gemma's marks and bytes, in which every word of the corpus is one token."""
    from tokenizers import normalizers
    from transformers import GemmaTokenizer

    head = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    base = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    base.normalizer = normalizers.Replace(" ", "\u2581")
    base.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    special = head + [f"<0x{i:02X}>" for i in range(256)]
    base.train_from_iterator(
        list(corpus) * 2, trainers.BpeTrainer(vocab_size=4096, special_tokens=special, show_progress=False)
    )
    trained = json.loads(base.to_str())["model"]
    merges = [tuple(m) if not isinstance(m, str) else tuple(m.split(" ")) for m in trained["merges"]]
    marks = {
        "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": image_token,
        "sot_token": "<start_of_turn>", "eot_token": "<end_of_turn>",
    }  # fmt: skip
    return GemmaTokenizer(vocab=trained["vocab"], merges=merges, extra_special_tokens=marks)


def _ids(tokenizer: Any) -> dict[str, int]:
    return {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "bos", "eos")}


def gemma3(
    corpus: Iterable[str], *, text: dict[str, Any], vision: dict[str, Any], side: int, tokens: int, seed: int,
    projector: float = 0.2,
) -> tuple[Any, Any]:  # fmt: skip
    """A random Gemma-3 with pictures of `side` px and `tokens` image tokens, and its processor.

    The projector is zero at first, and such a model would ignore its picture: `projector` is the spread it is given.
    """
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3Processor
    from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

    tokenizer = gemma_tokenizer(corpus)
    images = Gemma3ImageProcessorPil(size={"height": side, "width": side}, image_seq_length=tokens)
    processor = Gemma3Processor(
        image_processor=images, tokenizer=tokenizer, image_seq_length=tokens, chat_template=GEMMA_CHAT
    )
    config = Gemma3Config(
        text_config=text | dict(vocab_size=-(-len(tokenizer) // 8) * 8, **_ids(tokenizer)),
        vision_config=vision | {"image_size": side}, mm_tokens_per_image=tokens,
        image_token_index=tokenizer.image_token_id, boi_token_index=tokenizer.boi_token_id,
        eoi_token_index=tokenizer.eoi_token_id,
    )  # fmt: skip
    torch.manual_seed(seed)
    model = Gemma3ForConditionalGeneration(config)
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight, std=projector)
    return model, processor


def _tiny_gemma3(corpus: list[str], seed: int) -> tuple[Any, Any]:
    kinds = ["sliding_attention", "full_attention"] * 2
    text = _TEXT | dict(head_dim=16, query_pre_attn_scalar=16, sliding_window=24, layer_types=kinds)
    return gemma3(corpus, text=text, vision=_SIGLIP, side=112, tokens=16, seed=seed)


def _tiny_paligemma(corpus: list[str], seed: int) -> tuple[Any, Any]:
    from transformers import PaliGemmaConfig, PaliGemmaForConditionalGeneration, PaliGemmaProcessor
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    side = 84
    tokenizer = gemma_tokenizer(corpus, image_token="<image>")
    images = SiglipImageProcessorPil(size={"height": side, "width": side})
    images.image_seq_length = (side // 14) ** 2
    processor = PaliGemmaProcessor(image_processor=images, tokenizer=tokenizer)
    vocabulary = -(-len(processor.tokenizer) // 8) * 8
    text = _TEXT | dict(model_type="gemma", vocab_size=vocabulary, head_dim=16, **_ids(tokenizer))
    config = PaliGemmaConfig(
        text_config=text, vision_config=_SIGLIP | {"image_size": side}, projection_dim=64, hidden_size=64,
        vocab_size=vocabulary, image_token_index=processor.image_token_id,
    )  # fmt: skip
    torch.manual_seed(seed)
    return PaliGemmaForConditionalGeneration(config), processor
