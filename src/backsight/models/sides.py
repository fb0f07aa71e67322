"""Left and right in a prompt's tokens, exchanged, so that it asks the same of a picture in a mirror.

A word is exchanged for one of as many tokens: one. Where a prompt lists both words as options ("1) to the left, 2) to
the right", "left, right, on or under") the list stays as it is, and the labels change their meaning instead: what was
answered 1 is answered 2. Either way the question is the mirrored one; the list's order is the one a model knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from backsight.errors import CannotAnswer

PAIRS = (("left", "right"), ("leftmost", "rightmost"))
WORD = re.compile(  # but not in "the right answer"
    r"(?<![a-z])(?:left|right)(?=most|ward|hand|[^a-z]|$)(?!\s+(?:answer|option|choice|response|word)\b)",
    re.IGNORECASE,
)
SIDE = re.compile("left|right", re.IGNORECASE)
LIST = re.compile(
    r"(?<![a-z])(left|right)(?![a-z])[^a-z?!]*(?:(?:or|to the|on the|the|[a-h])(?![a-z])[^a-z?!]*)*"
    r"(?<![a-z])(left|right)(?![a-z])",
    re.IGNORECASE,
)
LABEL = r"([0-9]{1,2}|[a-h])"
BEFORE = re.compile(rf"(?:^|[^a-z0-9]){LABEL}\s*[).:=\]]\s*(?:to the |on the |the )?$", re.IGNORECASE)
BEHIND = re.compile(rf"^\s*[(\[=:]\s*{LABEL}(?![a-z0-9])", re.IGNORECASE)
WIDTH = 16  # characters before and behind a word in which its label is looked for

Exchange = tuple[int, int]  # two token ids that change places


@dataclass(frozen=True)
class Sides:
    """The words of one tokenizer; `image_token_id` stands for no text. CannotAnswer where it has no such tokens."""

    tokenizer: Any
    image_token_id: int

    def __post_init__(self) -> None:
        if not _exchanges(self.tokenizer, *PAIRS[0]):
            raise CannotAnswer(
                "This tokenizer has no single tokens for left and right, which could change places",
                got=[self.tokenizer.tokenize(f" {word}") for word in PAIRS[0]],
            )

    @cached_property
    def words(self) -> tuple[Exchange, ...]:
        """The exchanges of words: each spelling by itself, with capitals and with a space before it."""
        return tuple(dict.fromkeys(one for pair in PAIRS for one in _exchanges(self.tokenizer, *pair)))

    def exchanged(self, ids: Tensor) -> tuple[Tensor, list[tuple[Exchange, ...]]]:
        """Token ids (batch, position) of the mirrored questions, and by prompt the labels whose answers change places.

        CannotAnswer where a word has no counterpart of as many tokens.
        """
        new, labels = ids.clone(), []
        for row, one in enumerate(ids.tolist()):
            text, starts = self._text(one)
            lists = [found for found in LIST.finditer(text) if found[1].lower() != found[2].lower()]
            for word in WORD.finditer(text):
                if not any(found.start() <= word.start() < found.end() for found in lists):
                    position = max(i for i, start in enumerate(starts) if start <= word.start())
                    new[row, position] = self._counterpart(one[position], word[0])
            labels.append(tuple(dict.fromkeys(e for found in lists for e in self._labels(text, found))))
        return new, labels

    def _counterpart(self, token: int, word: str) -> int:
        """The token that is spelled as another one with left and right exchanged."""
        piece = str(self.tokenizer.convert_ids_to_tokens(token))
        other = self.tokenizer.convert_tokens_to_ids(SIDE.sub(_other_side, piece))
        if word not in piece or other is None or other == self.tokenizer.unk_token_id:
            raise CannotAnswer(
                "A word of the prompt has no counterpart of one token", got=f"{word!r} in {self._piece(token)!r}",
                do="spell it as left or right, or leave it out",
            )  # fmt: skip
        return int(other)

    def _text(self, ids: list[int]) -> tuple[str, list[int]]:
        """A prompt's text without its image, and where in it each token starts."""
        text, starts = "", []
        for number in ids:
            starts.append(len(text))
            text += "" if number == self.image_token_id else self._piece(number)
        return text, starts

    def _piece(self, number: int) -> str:
        piece = self.tokenizer.convert_ids_to_tokens(number) or ""
        return str(piece).replace("\u2581", " ").replace("\u0120", " ").replace("\u010a", "\n")

    def _labels(self, text: str, found: re.Match[str]) -> list[Exchange]:
        """The exchanges of the labels of a list's two words, where both stand before them, or both behind."""
        spans = found.span(1), found.span(2)
        before = [BEFORE.search(text[max(0, start - WIDTH) : start]) for start, _ in spans]
        behind = [BEHIND.search(text[end : end + WIDTH]) for _, end in spans]
        for one, two in (before, behind):
            if one and two and one[1] != two[1]:
                return _exchanges(self.tokenizer, one[1], two[1])
        return []


def _other_side(word: re.Match[str]) -> str:
    """The other word, with the capitals of this one."""
    other = "right" if word[0].lower() == "left" else "left"
    return other.upper() if word[0].isupper() else other.capitalize() if word[0][0].isupper() else other


def _exchanges(tokenizer: Any, one: str, two: str) -> list[Exchange]:
    """The single-token spellings of two words, alike ones together."""
    pairs = []
    for spell in (str.lower, str.capitalize, str.upper):
        for lead in ("", " "):
            ids = [tokenizer.encode(f"{lead}{spell(word)}", add_special_tokens=False) for word in (one, two)]
            pieces = [[tokenizer.decode(i).strip() for i in each] for each in ids]
            if pieces == [[spell(one)], [spell(two)]] and ids[0] != ids[1]:
                pairs.append((int(ids[0][0]), int(ids[1][0])))
    return list(dict.fromkeys(pairs))


def with_columns(logits: Tensor, exchanges: Iterable[Exchange]) -> Tensor:
    """Logits (..., vocabulary) with the columns of some tokens exchanged."""
    pairs = torch.tensor(list(exchanges), dtype=torch.long, device=logits.device).view(-1, 2)
    one, two = pairs.T
    new = logits.clone()
    new[..., one], new[..., two] = logits[..., two], logits[..., one]
    return new
