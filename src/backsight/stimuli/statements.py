"""Sentences that state a relation before a question about it: a true one, a false one, and one that states none.

All three name the same two things. The neutral sentence has as many words as the others, and words that say nothing of
where; among those there are it is the one whose length in tokens comes nearest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from backsight.examples import Example
from backsight.stimuli.isolated import OPPOSITES, alternatives
from backsight.stimuli.questions import NUMBER, OPPOSITE, PREPOSITION, WHATSUP_OPPOSITE
from backsight.stimuli.row_scenes import Row

WORDS: Mapping[str, str] = {
    **{str(direction): words for direction, words in PREPOSITION.items()},
    "on": "on", "under": "under", "front": "in front of", "behind": "behind",
}  # fmt: skip
OPPOSED: Mapping[str, str] = {str(one): str(two) for one, two in (*OPPOSITE.items(), *WHATSUP_OPPOSITE.items())}
NEUTRAL: Mapping[int, tuple[str, ...]] = {  # by the number of words
    1: ("with",),
    3: ("in relation to", "one object with"),
    4: ("in the image with",),
}
SENTENCE = "The {subject} is {words} the {reference}."
NOUN: Mapping[str, str] = {"squares": "{name} square", "shapes": "{name} shape", "objects": "{name}"}
Length = Callable[[str, str | None], int]  # tokens of a prompt, by question and system sentence


@dataclass(frozen=True)
class Stated:
    """A question with each sentence before it. `wrong` is the answer that follows the false sentence, `words` are the
    names of both directions."""

    plain: Example
    true: Example
    false: Example
    neutral: tuple[Example, ...]
    wrong: str
    words: tuple[str, ...]

    @property
    def versions(self) -> tuple[Example, ...]:
        """All of them."""
        return self.plain, self.true, self.false, *self.neutral

    def nearest(self, length: Length) -> Example:
        """The neutral version whose length in tokens comes nearest to that of the false one."""
        goal = length(self.false.question, self.false.system)
        return min(self.neutral, key=lambda e: abs(length(e.question, e.system) - goal))


def stated(example: Example) -> Stated | None:
    """A question with its sentences; None where it names no two things, or no two opposite answers."""
    two, names = alternatives(example), _names(example)
    direction = example.direction
    if two is None or names is None or direction is None or direction not in WORDS:
        return None
    wrong = two[1] if example.answer == two[0] else two[0]
    (right_one, false_one), reference, opposite = names, _reference(example), OPPOSED[direction]
    if right_one == false_one and OPPOSITES.get(example.answer) != wrong:
        return None
    of_row = right_one != false_one  # then the question's own direction is true of one thing and false of the other
    if not of_row and example.answer not in (direction, NUMBER.get(direction)):  # type: ignore[call-overload]
        return None
    false_words = WORDS[direction] if of_row else WORDS[opposite]
    count = len(false_words.split())
    lines = {
        "true": (right_one, WORDS[direction]), "false": (false_one, false_words),
        **{f"neutral{n}": (false_one, words) for n, words in enumerate(NEUTRAL[count])},
    }  # fmt: skip
    built = {name: _before(example, name, subject, words, reference) for name, (subject, words) in lines.items()}
    neutral = tuple(e for name, e in built.items() if name.startswith("neutral"))
    return Stated(example, built["true"], built["false"], neutral, wrong, (direction, opposite))


def _before(example: Example, name: str, subject: str, words: str, reference: str) -> Example:
    sentence = SENTENCE.format(subject=subject, words=words, reference=reference)
    return replace(example, id=f"{example.id}-{name}", question=f"{sentence} {example.question}")


def _names(example: Example) -> tuple[str, str] | None:
    """Of what the true and of what the false sentence speaks: one thing, or both ends of a row of three."""
    names: Sequence[str] | None = getattr(example.source, "names", None)
    if isinstance(names, tuple) and len(names) == 3 and example.answer in (names[0], names[2]):
        noun = _noun(example)
        other = names[2] if example.answer == names[0] else names[0]
        return noun.format(name=example.answer), noun.format(name=other)
    if example.subject is None or example.reference is None:
        return None
    return example.subject, example.subject


def _reference(example: Example) -> str:
    names = getattr(example.source, "names", None)
    if isinstance(names, tuple) and len(names) == 3:
        return _noun(example).format(name=names[1])
    return str(example.reference)


def _noun(example: Example) -> str:
    return NOUN[example.source.suite] if isinstance(example.source, Row) else "{name}"
