"""Reading answers off next-token distributions.

An answer's probability is summed over its single-token spellings: lower case and capitalised, with and without a
leading space (as the authors of Dual Mechanisms score it). An option of several tokens is scored as a sequence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from backsight.models.facts import told_apart


def normalise(text: str) -> str:
    """Lower case, with all but a-z and 0-9 left out."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def spellings(tokenizer: Any, option: str) -> list[int]:
    """The ids of an option's single-token spellings, ascending; empty where it has none."""
    forms = {form for word in (option, option.lower(), option.capitalize()) for form in (word, f" {word}")}
    single = set()
    for form in forms:
        ids = tokenizer.encode(form, add_special_tokens=False)
        if len(ids) == 1 and ids[0] != tokenizer.unk_token_id and normalise(tokenizer.decode(ids)) == normalise(option):
            single.add(int(ids[0]))
    return sorted(single)


def token_options(tokenizer: Any, options: Sequence[str]) -> list[list[int]] | None:
    """The spellings of each option, or None where an option has none or two options share one."""
    each = [spellings(tokenizer, option) for option in options]
    flat = [number for ids in each for number in ids]
    return each if all(each) and len(flat) == len(set(flat)) else None


def sequences(tokenizer: Any, options: Sequence[str]) -> list[list[int]]:
    """The token ids of each option; CannotAnswer where two options are the same tokens, or one has none."""
    ids = [[int(number) for number in tokenizer.encode(option, add_special_tokens=False)] for option in options]
    told_apart(options, ids)
    return ids


def option_probabilities(logits: Tensor, options: Sequence[Sequence[int]]) -> Tensor:
    """Probability of each option over the whole vocabulary, (option,), from logits (vocabulary,)."""
    probability = torch.softmax(logits.float(), -1)
    return torch.stack([probability[list(ids)].sum() for ids in options])


def per_token(tokenizer: Any, options: Sequence[str], log_probabilities: Tensor) -> Tensor:
    """The mean log p of an option's tokens, (..., option), from the sum over them: what length does not decide."""
    lengths = [len(ids) for ids in sequences(tokenizer, options)]
    return log_probabilities / torch.tensor(lengths, device=log_probabilities.device)
