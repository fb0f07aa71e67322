"""The norm behind a projector that brings image embeddings to the lengths of text embeddings, trained with it.

The *embedding norm normalisation* of "Beyond Semantics" (arXiv 2503.17349): RMSNorm with a learned weight, a cut of the
length, a scale. No supported architecture has it, so a checkpoint carries it (`additions.ProjectorNorm`). It is not
`repairs.NormRescale`, which rescales a model that was trained without.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from backsight.errors import UsageError

EPSILON = 1e-6


@dataclass(frozen=True)
class Lengths:
    """Mean and largest Euclidean norm of a model's text embeddings."""

    mean: float
    largest: float

    def __post_init__(self) -> None:
        if not 0 < self.mean <= self.largest < math.inf:
            raise UsageError(
                "The mean length of text embeddings is above 0 and not above the largest",
                got=f"mean {self.mean:g}, largest {self.largest:g}", do="measure them: text_lengths(model, ids)",
            )  # fmt: skip

    @property
    def cut(self) -> float:
        """The length at which embeddings are cut: the largest, in units in which the mean is LLaMA's .83.

        The published formula multiplies the largest length by the mean one, which is a length of text embeddings in
        LLaMA's units only. Of LLaMA's lengths this is the published 1.22.
        """
        return self.largest * PAPER_MEAN / self.mean


PAPER_MEAN, PAPER_LARGEST = 0.83, 1.22  # of LLaMA, as published
PAPER = Lengths(PAPER_MEAN, PAPER_LARGEST)


def normed(states: Tensor, weight: Tensor, *, cut: float, scale: float) -> Tensor:
    """Image embeddings (image_token, d_model) brought to the lengths of text embeddings.

    x <- weight * x / sqrt(mean(x ** 2) + 1e-6), then x <- x * min(cut / |x|, 1), then x <- x * scale. `weight` is
    (d_model,). With a weight of one |x| is sqrt(d_model) behind the first step, so every embedding is cut, and all have
    the length cut * scale. Computed in float32, given back in the dtype of `states`. Source: Beyond Semantics,
    2503.17349, with a cut of 1.22 and a scale of .83.
    """
    value = states.float()
    value = weight.float() * value * torch.rsqrt(value.square().mean(-1, keepdim=True) + EPSILON)
    length = torch.linalg.vector_norm(value, dim=-1, keepdim=True).clamp_min(EPSILON)
    result: Tensor = (value * (cut / length).clamp_max(1.0) * scale).to(states.dtype)
    return result


def text_lengths(model: Any, ids: Tensor) -> Lengths:
    """The lengths of a model's text embeddings, as its language model takes them, over token ids (token,).

    Tokens that a model was never trained on keep the length that they started with, so `ids` are those that it reads
    (`prompt_ids`), not its vocabulary. UsageError without a token.
    """
    if not ids.numel():
        raise UsageError("Without a token there is no length of text embeddings", do="give the ids of text tokens")
    embedding = model.get_input_embeddings()
    with torch.no_grad():
        norms = embedding(ids.to(embedding.weight.device)).float().norm(dim=-1)
    return Lengths(float(norms.mean()), float(norms.max()))


def prompt_ids(processor: Any, questions: Iterable[str], *, system: str) -> Tensor:
    """Ids (token,) of the text of the prompts of some questions about a picture, each as often as it stands there.

    The template's own tokens count, as they stand in every prompt; the token that holds the picture's place does not.
    """
    ids: list[int] = []
    for question in questions:
        messages = [
            {"role": "system", "content": system},
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]},
        ]
        text = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        ids += processor.tokenizer(text, add_special_tokens=False).input_ids
    place = processor.tokenizer.convert_tokens_to_ids(processor.image_token)
    return torch.tensor([one for one in ids if one != place])
