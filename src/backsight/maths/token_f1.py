"""Token F1 of two texts, as SQuAD scores an answer against another (Rajpurkar and others, arXiv 1606.05250)."""

from __future__ import annotations

import re
import string
from collections import Counter

ARTICLES = re.compile(r"\b(a|an|the)\b")


def words(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation and articles."""
    plain = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return ARTICLES.sub(" ", plain).split()


def token_f1(one: str, other: str) -> float:
    """The harmonic mean of the shares of words that two texts have in common, each word as often as in both.

    Two texts without a word are alike; one without is like no other.
    """
    first, second = words(one), words(other)
    if not first or not second:
        return float(first == second)
    common = sum((Counter(first) & Counter(second)).values())
    return 2 * common / (len(first) + len(second))
