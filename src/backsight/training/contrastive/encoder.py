"""The encoder that is pre-trained: a small SiglipModel with its tokenizer and image processor.

SigLIP's architecture, since its vision encoder is the one of Gemma-3; the losses are CLIP's (`losses.info_nce`), so the
model's own `logit_bias` stays at zero.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from backsight.models import siglip
from backsight.training import saving
from backsight.training.contrastive.prompter import Prompter
from backsight.training.contrastive.scenes import GRID, SIDE, corpus
from backsight.training.recipe import Scale

PROMPTER = "prompter.safetensors"
LENGTH = 32  # tokens of a text, padded on the left: the state of the last word's token is the text's
AMPLITUDE = 0.7  # of the position table's waves: a root mean square of 0.5, half that of a patch
TEMPERATURE = 0.07  # at first, CLIP's


def vision(scale: Scale) -> dict[str, Any]:
    """The configuration of the vision encoder: 2 blocks x 64, times the scale, and 8 x 8 patches of 14 px."""
    return dict(
        hidden_size=64 * scale.width, intermediate_size=128 * scale.width, num_hidden_layers=2 * scale.depth,
        num_attention_heads=2 * scale.width, image_size=SIDE, patch_size=GRID.cell,
    )  # fmt: skip


def build(seed: int, scale: Scale) -> tuple[Any, Any]:
    """A random SiglipModel, its text encoder of one block times the scale's depth, and its processor."""
    text = dict(
        hidden_size=64 * scale.width, intermediate_size=128 * scale.width, num_hidden_layers=scale.depth,
        num_attention_heads=2 * scale.width,
    )  # fmt: skip
    model, processor = siglip.build(corpus(), text=text, vision=vision(scale), length=LENGTH, seed=seed)
    with torch.no_grad():
        model.logit_scale.fill_(math.log(1 / TEMPERATURE))
        table = model.vision_model.embeddings.position_embedding.weight
        table.copy_(sines(GRID.rows, GRID.columns, table.shape[1]))
    model.logit_bias.requires_grad_(False)
    return model, processor


def sines(rows: int, columns: int, width: int) -> Tensor:
    """A table (patch, width) of sines and cosines of row and column, what a learned table begins as (MAE, He 2022).

    Wavelengths go from twice the picture down to four patches. Both recipes begin with it: a random table is a slow
    start for a prompter that has to look at a box by its coordinates.
    """
    frequencies = torch.logspace(0, math.log2(max(rows, columns) / 2), width // 4, base=2.0) * math.pi
    row = (torch.arange(rows) + 0.5)[:, None] / rows * frequencies
    column = (torch.arange(columns) + 0.5)[:, None] / columns * frequencies
    grid = [row[:, None].expand(rows, columns, -1), column[None].expand(rows, columns, -1)]
    waves = [wave for angles in grid for wave in (angles.sin(), angles.cos())]
    return torch.cat(waves, dim=-1).flatten(0, 1) * AMPLITUDE


def tokens(processor: Any, texts: Sequence[str], where: torch.device | str = "cpu") -> Tensor:
    """Token ids (text, LENGTH) of texts."""
    given = processor.tokenizer(
        list(texts), padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt"
    )
    ids: Tensor = given.input_ids
    return ids.to(where)


def texts(model: Any, ids: Tensor) -> Tensor:
    """Features (text, d) of texts, before they are brought to length 1."""
    features: Tensor = model.text_model(input_ids=ids).pooler_output
    return features


def pictures(model: Any, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Features (scene, d) of whole pictures, and their image tokens (scene, token, d)."""
    seen = model.vision_model(pixel_values=pixels)
    return seen.pooler_output, seen.last_hidden_state


def save(model: Any, processor: Any, folder: Path, prompter: Prompter | None = None) -> None:
    """Write an encoder as SiglipModel in fp32, as it was trained, with its processor.

    The prompter is no part of the model; it lies beside it as `prompter.safetensors`, to be examined.
    """

    def beside(part: Path) -> None:
        config = part / "tokenizer_config.json"  # transformers writes all but the names of its inputs
        names = {"model_input_names": processor.tokenizer.model_input_names}
        config.write_text(json.dumps(json.loads(config.read_text("utf-8")) | names, indent=2), "utf-8")
        if prompter is not None:
            save_file(prompter.state_dict(), part / PROMPTER)

    saving.save(model, processor, folder, dtype=torch.float32, beside=beside)


def load(folder: Path) -> tuple[Any, Any, Prompter | None]:
    """The SiglipModel of a folder, its processor and its prompter, if it has one; ModelError where there is none."""
    model, processor = siglip.load(folder)
    prompter = None
    if (folder / PROMPTER).is_file():
        prompter = Prompter(model.config.vision_config.hidden_size)
        prompter.load_state_dict(load_file(folder / PROMPTER))
    return model, processor, prompter


def into_tower(model: Any, vlm: Any) -> None:
    """Copy the encoder's vision blocks into a Gemma-3's tower, without the pooling head, which a VLM has no use for."""
    own = {
        name: value for name, value in model.vision_model.state_dict().items() if not name.startswith("head.")
    }  # fmt: skip
    vlm.get_submodule("model.vision_tower").load_state_dict(own)
