"""Embeddings of sentences by a model of the user's own, to compare captions by more than their words.

Nothing is downloaded: the folder holds a text encoder that transformers opens, with its tokenizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from backsight.errors import UsageError


class Sentences:
    """A text encoder whose sentence embedding is the mean over the states of a text's tokens."""

    def __init__(self, folder: str | Path) -> None:
        """Open the encoder in a folder; UsageError where there is none."""
        from transformers import AutoModel, AutoTokenizer

        if not (Path(folder) / "config.json").is_file():
            raise UsageError(
                "There is no sentence embedder", where=str(folder), got="no config.json",
                do="give the folder of a text encoder that transformers opens, such as a sentence-transformers model",
            )  # fmt: skip
        opened: Any
        try:
            opened = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model: Any = AutoModel.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError) as error:
            raise UsageError("The sentence embedder cannot be opened", where=str(folder), got=str(error)) from error
        self.tokenizer, self.model = opened, model.eval()

    def __call__(self, texts: Sequence[str], *, batch: int = 32) -> Tensor:
        """Embeddings (text, d_embedding) of length 1."""
        parts = []
        for start in range(0, len(texts), batch):
            some = [text or " " for text in texts[start : start + batch]]
            inputs = self.tokenizer(some, padding=True, truncation=True, return_tensors="pt")
            with torch.no_grad():
                states = self.model(**inputs).last_hidden_state.float()
            there = inputs["attention_mask"][..., None].float()
            mean = (states * there).sum(1) / there.sum(1).clamp_min(1)
            parts.append(torch.nn.functional.normalize(mean, dim=-1))
        return torch.cat(parts)
