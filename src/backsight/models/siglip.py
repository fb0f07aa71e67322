"""A small SiglipModel, of random weights or of a folder: the architecture whose vision encoder Gemma-3 has."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from backsight.errors import ModelError
from backsight.models import small


def build(
    corpus: Iterable[str], *, text: dict[str, Any], vision: dict[str, Any], length: int, seed: int
) -> tuple[Any, Any]:
    """A random SiglipModel with texts of `length` tokens, padded on the left, and its processor.

    `text` and `vision` go into the two halves of the configuration.
    """
    from transformers import SiglipConfig, SiglipModel, SiglipProcessor
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    tokenizer = small.gemma_tokenizer(corpus)
    tokenizer.model_max_length = length
    tokenizer.model_input_names = ["input_ids"]  # as SigLIP's: padding is seen, there is no mask
    images = SiglipImageProcessorPil(size={"height": vision["image_size"], "width": vision["image_size"]})
    words = dict(
        vocab_size=-(-len(tokenizer) // 8) * 8, max_position_embeddings=length, pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    torch.manual_seed(seed)
    model = SiglipModel(SiglipConfig(text_config=text | words, vision_config=vision))
    return model, SiglipProcessor(image_processor=images, tokenizer=tokenizer)


def load(folder: Path) -> tuple[Any, Any]:
    """The SiglipModel of a folder, in fp32 and in eval mode, and its processor; ModelError where there is none."""
    from transformers import AutoProcessor, SiglipModel

    try:
        model = SiglipModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True, backend="pil")
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(
            "There is no pre-trained encoder here", where=folder, got=str(error).split("\n")[0][:200],
            do="give the folder that `backsight train clip` or `cloc` wrote",
        ) from error  # fmt: skip
    return model.eval(), processor
