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

from backsight.errors import CannotAnswer
from backsight.examples import ExampleSet


def normalise(text: str) -> str:
    """Lower case, with all but a-z and 0-9 left out."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def spellings(tokenizer: Any, option: str) -> list[int]:
    """The ids of an option's single-token spellings, ascending; empty where it has none."""
    forms = {form for word in (option, option.lower(), option.capitalize()) for form in (word, f" {word}")}
    found = set()
    for form in forms:
        ids = tokenizer.encode(form, add_special_tokens=False)
        if len(ids) == 1 and ids[0] != tokenizer.unk_token_id and normalise(tokenizer.decode(ids)) == normalise(option):
            found.add(int(ids[0]))
    return sorted(found)


def token_options(tokenizer: Any, options: Sequence[str]) -> list[list[int]] | None:
    """The spellings of each option, or None where an option has none or two options share one."""
    found = [spellings(tokenizer, option) for option in options]
    flat = [number for ids in found for number in ids]
    return found if all(found) and len(flat) == len(set(flat)) else None


def check(tokenizer: Any, examples: ExampleSet) -> None:
    """CannotAnswer where a set that demands single tokens has options that a tokenizer cannot tell apart."""
    if examples.scoring != "token":
        return
    for options in {e.options for e in examples}:
        if token_options(tokenizer, options) is None:
            unknown = [o for o in options if not spellings(tokenizer, o)]
            raise CannotAnswer(
                "The tokenizer has no single token for some options" if unknown else "Two options share a token",
                where=f"suite {examples.name}",
                got=unknown or options,
            )


def option_probabilities(logits: Tensor, options: Sequence[Sequence[int]]) -> Tensor:
    """Probability of each option over the whole vocabulary, (option,), from logits (vocabulary,)."""
    probability = torch.softmax(logits.float(), -1)
    return torch.stack([probability[list(ids)].sum() for ids in options])
