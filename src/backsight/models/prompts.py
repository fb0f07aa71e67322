"""From examples to a model's input: prompts, pixels, and the token grid of each picture.

Prompts are padded on the left, always, so that the last position is -1. The text that a model is given is exactly
what its chat template makes of system sentence and question, with the generation prompt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from backsight.errors import ModelError, UsageError
from backsight.examples import Example
from backsight.grid import TokenGrid
from backsight.models import pixel_values
from backsight.models.families.common import CHAT, VARIABLE_SIZE, Family, patches_a_side

POSITIONS = "position_ids"  # an argument of the model that a plain batch leaves to it


@dataclass(frozen=True)
class Batch:
    """What a model is called with. `inputs` are its arguments; `image_mask` (batch, position) marks image tokens."""

    inputs: dict[str, Tensor]
    image_mask: Tensor
    grids: tuple[TokenGrid, ...]
    examples: tuple[Example, ...]

    def __len__(self) -> int:
        return int(self.input_ids.shape[0])

    @property
    def input_ids(self) -> Tensor:
        """(batch, position)."""
        return self.inputs["input_ids"]

    @property
    def attention_mask(self) -> Tensor:
        """(batch, position), 0 at padding."""
        return self.inputs["attention_mask"]

    def extended(self, tails: Sequence[Sequence[int]], pad: int, suffix_types: dict[str, int]) -> Batch:
        """The batch with token ids appended behind each prompt, padded on the right with masked tokens."""
        length = max(map(len, tails))
        device = self.input_ids.device
        new = torch.tensor([[*t, *[pad] * (length - len(t))] for t in tails], device=device)
        seen = torch.tensor([[1] * len(t) + [0] * (length - len(t)) for t in tails], device=device)
        inputs = dict(self.inputs)
        inputs["input_ids"] = torch.cat([self.input_ids, new], 1)
        inputs["attention_mask"] = torch.cat([self.attention_mask, seen.to(self.attention_mask.dtype)], 1)
        for name, kind in suffix_types.items():
            inputs[name] = torch.cat([inputs[name], torch.full_like(new, kind)], 1)
        if POSITIONS in inputs:  # text goes on counting from the prompt's last position
            last = inputs[POSITIONS][..., -1:]
            counted = last + torch.arange(1, length + 1, device=last.device)
            inputs[POSITIONS] = torch.cat([inputs[POSITIONS], counted], -1)
        mask = torch.cat([self.image_mask, torch.zeros_like(new, dtype=torch.bool)], 1)
        return Batch(inputs, mask, self.grids, self.examples)


class Prompter:
    """Prepares examples for one model."""

    def __init__(self, model: Any, processor: Any, family: Family) -> None:
        self.config, self.processor, self.family = model.config, processor, family
        self.image_token_id = int(model.config.image_token_id)

    def text(self, question: str, system: str | None) -> str:
        """The exact text of a prompt, before its picture's tokens are laid out.

        UsageError where the question or the system sentence spells a special token, which the tokenizer would take
        for the model's own mark: a second picture, or the end of the turn.
        """
        self._refuse_special("question", question)
        self._refuse_special("system sentence", system or "")
        if not self.family.can(CHAT):
            return f"{self.processor.image_token}{question}"
        messages: list[dict[str, Any]] = []
        if system is not None:
            messages.append({"role": "system", "content": [{"type": "text", "text": system}]})
        messages.append({"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]})
        return str(self.processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))

    def _refuse_special(self, what: str, text: str) -> None:
        if (spelled := self._special.search(text)) is not None:
            raise UsageError(
                "The text of a prompt spells a special token of this model",
                where=f"{what} {text!r}",
                got=spelled.group(),
                do="leave it out; the picture's own tokens are put in by the chat template",
            )

    @cached_property
    def _special(self) -> re.Pattern[str]:
        """What spells a special token: those of the tokenizer, and the one that stands for a picture."""
        tokenizer = self.processor.tokenizer
        marks = {str(mark) for mark in tokenizer.added_tokens_decoder.values() if mark.special}
        marks |= {*tokenizer.all_special_tokens, str(getattr(self.processor, "image_token", ""))} - {""}
        return re.compile("|".join(re.escape(mark) for mark in sorted(marks, key=len, reverse=True)))

    def prepare(self, examples: Sequence[Example], device: torch.device, dtype: torch.dtype) -> Batch:
        """The model's input for some examples; ModelError where the processor leaves out what the model needs."""
        texts = [self.text(e.question, e.system) for e in examples]
        images = [e.image for e in examples]
        extra = {"add_special_tokens": False} if self.family.can(CHAT) else {}
        processed = self.processor(
            text=texts,
            images=[[image] for image in images],
            return_tensors="pt",
            padding=True,
            padding_side="left",
            **extra,
            **(self.arithmetic.arguments(images) if self.arithmetic else {}),
        )
        processed.pop("labels", None)
        processed = self.arithmetic.finished(processed) if self.arithmetic else dict(processed)
        missing = [name for name in ("input_ids", "attention_mask", *self.family.type_ids) if name not in processed]
        if missing:
            raise ModelError(
                "The processor does not give what the model needs",
                got=f"no {', '.join(missing)}",
                do="without it transformers would silently compute something else; use the checkpoint's own processor",
            )
        inputs = {k: v.to(device, dtype) if v.is_floating_point() else v.to(device) for k, v in processed.items()}
        mask = inputs["input_ids"] == self.image_token_id
        grids = tuple(self.grid(images[i].size, inputs, i) for i in range(len(images)))
        for example, grid, count in zip(examples, grids, mask.sum(1).tolist(), strict=True):
            if len(grid) != count:
                raise ModelError(
                    "The prompt and the picture's grid disagree",
                    where=f"example {example.id}",
                    got=f"{count} image tokens for a grid of {len(grid)}",
                    do="give processor and configuration of one checkpoint, or a family whose `grid` counts as they do",
                )
        return Batch(inputs, mask, grids, tuple(examples))

    def grid(self, size: tuple[int, int], processed: Mapping[str, Tensor], index: int) -> TokenGrid:
        """The token grid of picture `index` of some that were processed together, whose own size is (width, height)."""
        return self.family.grid(self.config, size, processed, index)

    def patches(self, size: tuple[int, int]) -> int:
        """How many patches of a picture of some size (width, height) enter the vision encoder."""
        if self.family.can(VARIABLE_SIZE):
            return int(self.processor.image_processor.get_number_of_image_patches(size[1], size[0]))
        return patches_a_side(self.config) ** 2

    def native_size(self) -> tuple[int, int]:
        """The picture size (width, height) at which suites are drawn: the model's own, or 12 x 12 cells."""
        vision = self.config.vision_config
        if self.family.can(VARIABLE_SIZE):
            side = 12 * int(vision.patch_size) * int(vision.spatial_merge_size)
        else:
            side = int(vision.image_size)
        return side, side

    def pixels(self, images: Sequence[Image.Image]) -> dict[str, Tensor]:
        """The image processor's output alone."""
        asked = self.arithmetic.arguments(images) if self.arithmetic else {}
        processed = dict(self.processor.image_processor(list(images), return_tensors="pt", **asked))
        return self.arithmetic.finished(processed) if self.arithmetic else processed

    @cached_property
    def arithmetic(self) -> pixel_values.Arithmetic | None:
        """The last steps of the image processor, where they can be taken in its stead."""
        return pixel_values.read(self.processor.image_processor, self.native_size())
