"""Several questions about a picture at the price of one: packed prompts in which no question sees another.

A packed prompt is the picture's prefix followed by every question. The mask lets a question see the prefix and
itself, and its positions restart behind the picture, so that its logits equal those of the question asked alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backsight.errors import UsageError
from backsight.training.questions import Asked


@dataclass(frozen=True)
class Packed:
    """One step's input. `answer_at` (answer token, 2): (row, position) of the token before each token of an answer, of
    an answer of one token the prompt's last one; `answers`: the ids of those tokens."""

    inputs: dict[str, Tensor]
    answer_at: Tensor
    answers: Tensor


class Packer:
    """Packs questions for a Qwen2-VL or Gemma-3 model whose training pictures all have one size."""

    def __init__(self, model: Any, processor: Any, system: str, *, device: torch.device | str = "cpu") -> None:
        self.model, self.processor, self.system, self.device = model, processor, system, torch.device(device)
        self.tokenizer = processor.tokenizer
        self.image_token = int(model.config.image_token_id)
        self.gemma = model.config.model_type == "gemma3"
        self._tokens = lru_cache(maxsize=65536)(self._tokenize)
        self._prompt = lru_cache(maxsize=65536)(self._templated)  # a template takes as long as a block of a small model

    def _templated(self, question: str) -> tuple[str, str]:
        """The prompt up to the mark that closes the picture, and the rest."""
        messages = [
            {"role": "system", "content": self.system},
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]},
        ]
        text = self.processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        if self.gemma:
            text = text.replace(self.processor.boi_token, self.processor.full_image_sequence, 1)
        head, mark, tail = text.partition(self.tokenizer.eoi_token if self.gemma else "<|vision_end|>")
        return head + mark, tail

    def _tokenize(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False).input_ids)

    def answer_id(self, answer: str) -> int:
        """The one token of an answer; UsageError where it has several."""
        ids = self._tokens(answer)
        if len(ids) != 1:
            raise UsageError("A training answer must be one token", got=f"{answer!r} is {len(ids)} tokens")
        return ids[0]

    def answer_ids(self, answer: str) -> tuple[int, ...]:
        """The tokens of an answer, which are one here."""
        return (self.answer_id(answer),)

    def pack(self, asked: list[Asked], *, cut: bool = True) -> Packed:
        """The model's input for a list of pictures of equal size; `cut` as in `_gemma`."""
        images = [a.image for a in asked]
        if len({image.size for image in images}) > 1:
            raise UsageError("Packed pictures must have one size", got=sorted({i.size for i in images}))
        pixels = self.processor.image_processor(images, return_tensors="pt")
        prefix = list(self._tokens(self._prompt("")[0]))
        if not self.gemma:
            at, merge = prefix.index(self.image_token), self.processor.image_processor.merge_size**2
            prefix[at : at + 1] = [self.image_token] * int(pixels["image_grid_thw"][0].prod() // merge)
        wanted = [[self.answer_ids(answer) for _, answer in a.questions] for a in asked]
        tails = [
            [self._tokens(self._prompt(q)[1]) + ids[:-1] for (q, _), ids in zip(a.questions, row, strict=True)]
            for a, row in zip(asked, wanted, strict=True)
        ]
        ids, segments, positions, last = _lay_out(prefix, tails, self.tokenizer.pad_token_id)
        answered = [ids for row in wanted for ids in row]
        answer_at = torch.tensor(
            [(r, end - back) for (r, end), ids in zip(last.tolist(), answered, strict=True)
             for back in range(len(ids) - 1, -1, -1)]
        )  # fmt: skip
        answers = torch.tensor([one for ids in answered for one in ids])
        inputs = {"input_ids": ids, "pixel_values": pixels["pixel_values"]}
        laid = (
            self._gemma(ids, segments, positions, cut)
            if self.gemma
            else self._qwen(prefix, ids, segments, positions, pixels)
        )
        given = {name: _moved(value, self.device) for name, value in (inputs | laid).items()}
        return Packed(given, answer_at.to(self.device), answers.to(self.device))

    def _qwen(
        self, prefix: list[int], ids: Tensor, segments: Tensor, positions: Tensor, pixels: Any
    ) -> dict[str, Tensor]:
        """Mask and M-RoPE positions (3, row, position): those of the prefix followed by one question."""
        grid = pixels["image_grid_thw"]
        unpacked = torch.zeros(1, int(positions.max()) + 1, dtype=torch.long)
        unpacked[0, : len(prefix)] = torch.tensor(prefix)
        types = (unpacked == self.image_token).long()
        full, _ = self.model.model.get_rope_index(
            unpacked, types, image_grid_thw=grid[:1], attention_mask=torch.ones_like(unpacked)
        )
        return {
            "attention_mask": block_mask(segments),
            "position_ids": full[-3:, 0][:, positions],
            "image_grid_thw": grid,
            "mm_token_type_ids": (ids == self.image_token).long(),
        }

    def _gemma(self, ids: Tensor, segments: Tensor, positions: Tensor, cut: bool) -> dict[str, Any]:
        """Positions, and masks by kind of layer: image tokens see each other both ways, text as far as the window.

        In sliding layers transformers lets the window cut what lies behind an image token in its own picture too
        (`cut`). Without that an image token sees all of its picture.
        """
        window = int(self.model.config.get_text_config().sliding_window)
        image = ids == self.image_token
        both = image[:, None, :, None] & image[:, None, None, :]
        causal = block_mask(segments)
        near = (positions[:, :, None] - positions[:, None, :] < window)[:, None]
        sliding = (causal | both) & near if cut else (causal & near) | both
        return {
            "attention_mask": {"full_attention": causal | both, "sliding_attention": sliding},
            "position_ids": positions,
        }


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, dict):
        return {key: _moved(part, device) for key, part in value.items()}
    return value.to(device)


def _lay_out(prefix: list[int], tails: list[list[tuple[int, ...]]], pad: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Token ids, segments (0 prefix, 1.. questions, -1 padding) and positions in the unpacked prompt, (row, token)."""
    length = len(prefix) + max(sum(map(len, row)) for row in tails)
    ids = np.full((len(tails), length), pad)
    segments = np.full((len(tails), length), -1)
    positions = np.zeros((len(tails), length), np.int64)
    answer_at = []
    for r, row in enumerate(tails):
        ids[r, : len(prefix)], segments[r, : len(prefix)], positions[r, : len(prefix)] = (
            prefix,
            0,
            np.arange(len(prefix)),
        )
        start = len(prefix)
        for number, tail in enumerate(row, 1):
            stop = start + len(tail)
            ids[r, start:stop], segments[r, start:stop] = tail, number
            positions[r, start:stop] = len(prefix) + np.arange(len(tail))
            answer_at.append((r, stop - 1))
            start = stop
    return torch.from_numpy(ids), torch.from_numpy(segments), torch.from_numpy(positions), torch.tensor(answer_at)


def block_mask(segments: Tensor) -> Tensor:
    """(row, 1, position, position), true where a token may look: back, at the prefix and at its own question."""
    length = segments.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    same = segments[:, :, None] == segments[:, None, :]
    prefix = (segments == 0)[:, None, :] & (segments >= 0)[:, :, None]
    return (causal & (same | prefix))[:, None]
