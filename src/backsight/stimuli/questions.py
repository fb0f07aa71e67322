"""The words: prompts exactly as the sources print them, and the answers that belong to a relation.

Truth is geometry and words come last: a relation is computed from boxes (`relations`), and this module only puts
it into a sentence. Prompts of the suites: *Dual Mechanisms*, appendix A.3. Prompts A, B, C: *CREG*, table 6. What'sUp's
question: AdaptVis, whose accuracies on What'sUp are the ones to compare with.
"""

from __future__ import annotations

from typing import Literal

Direction = Literal["left", "right", "above", "below"]
DIRECTIONS: tuple[Direction, ...] = ("left", "right", "above", "below")
OPPOSITE: dict[Direction, Direction] = {"left": "right", "right": "left", "above": "below", "below": "above"}

SYSTEM = "You are a helpful assistant. You respond in one token."

PREPOSITION: dict[Direction, str] = {
    "left": "to the left of",
    "right": "to the right of",
    "above": "above",
    "below": "below",
}

ROW_PROMPTS: dict[str, str] = {
    "squares": "The color of the square {preposition} the {middle} square is",
    "shapes": "The color of the shape {preposition} the {middle} is",
    "objects": "The object {preposition} the {middle} is",
}

CREG_PROMPTS: dict[str, str] = {
    "A": (
        "In this image, where is the {tgt} relative to the {ref}? Choose one option: 1) to the left, "
        "2) to the right, 3) above, 4) below. Answer with just the number."
    ),
    "B": (
        "Look at the image. Is the {tgt} to the left (1), right (2), above (3), or below (4) the {ref}? "
        "Answer with one number."
    ),
    "C": (
        "I can see two objects: {ref} and {tgt}. What is the spatial position of {tgt} relative to {ref}? "
        "Options: 1=left, 2=right, 3=above, 4=below. Answer:"
    ),
}
NUMBER: dict[Direction, str] = {"left": "1", "right": "2", "above": "3", "below": "4"}

# What'sUp (Kamath et al., 2023): set A has a thing beside, on or under furniture, set B beside, before or behind.
WhatsUpSet = Literal["a", "b"]
Relation = Literal["left", "right", "on", "under", "front", "behind"]
WHATSUP_RELATIONS: dict[WhatsUpSet, tuple[Relation, Relation, Relation, Relation]] = {
    "a": ("left", "right", "on", "under"),
    "b": ("left", "right", "front", "behind"),
}
WHATSUP_OPPOSITE: dict[Relation, Relation] = {
    "left": "right", "right": "left", "on": "under", "under": "on", "front": "behind", "behind": "front",
}  # fmt: skip
FILE_RELATION: dict[Relation, str] = {  # how the published file names say it
    "left": "left_of",
    "right": "right_of",
    "on": "on",
    "under": "under",
    "front": "in-front_of",
    "behind": "behind",
}
WHATSUP_PROMPT = (
    "Where is the {object} in relation to the {reference}? Answer with {first}, {second}, {third} or {last}."
)
# Which of two things that overlap is nearer, for scenes whose order of pasting is known.
DEPTH: tuple[Relation, Relation] = ("front", "behind")
DEPTH_PROMPT = "Where is the {object} in relation to the {reference}? Answer with {first} or {last}."
CAPTION_PROMPT = "Which caption fits the picture?"
# A composite of two What'sUp pictures with one piece of furniture (Dual Mechanisms, A.3).
COMPOSITE_PROMPT = "The object on the floor {preposition} the {middle} is"

# The control that asks what is there and not where, and the absolute forms that training uses beside the relations.
PRESENCE: dict[str, str] = {
    "squares": "Which color is in the picture, {one} or {two}?",
    "shapes": "Which color is in the picture, {one} or {two}?",
    "objects": "Which object is in the picture, {one} or {two}?",
}
EXTREME: dict[str, str] = {
    "squares": "The color of the {position} square is",
    "shapes": "The color of the {position} shape is",
    "objects": "The {position} object is",
}
POSITIONS: dict[Literal["horizontal", "vertical"], tuple[str, str, str]] = {
    "horizontal": ("leftmost", "middle", "rightmost"),
    "vertical": ("top", "middle", "bottom"),
}

# Where one thing is, and a relation in few words: training's way to the long prompts.
CELL: dict[Literal["column", "row"], str] = {
    "column": "The column of the {name} is",
    "row": "The row of the {name} is",
}
BRIEF = "Where is the {tgt} relative to the {ref}?"


def row_question(suite: str, direction: Direction, middle: str) -> str:
    """The question of a suite about what lies in `direction` of the middle entity (Dual Mechanisms, A.3)."""
    return ROW_PROMPTS[suite].format(preposition=PREPOSITION[direction], middle=middle)


def relation_question(prompt: str, subject: str, reference: str) -> str:
    """CREG's prompt A, B or C about where `subject` is relative to `reference`."""
    return CREG_PROMPTS[prompt].format(tgt=subject, ref=reference)


def whatsup_question(which: WhatsUpSet, subject: str, reference: str) -> str:
    """AdaptVis' question about a picture of What'sUp's set A or B; it names the four answers of the set."""
    first, second, third, last = WHATSUP_RELATIONS[which]
    return WHATSUP_PROMPT.format(
        object=subject, reference=reference, first=first, second=second, third=third, last=last
    )


def depth_question(subject: str, reference: str) -> str:
    """The question which of two overlapping things is in front, in the words of What'sUp's."""
    return DEPTH_PROMPT.format(object=subject, reference=reference, first=DEPTH[0], last=DEPTH[1])


def composite_question(direction: Literal["left", "right"], middle: str) -> str:
    """The question about what stands to the left or right of the furniture in a composite (Dual Mechanisms, A.3)."""
    return COMPOSITE_PROMPT.format(preposition=PREPOSITION[direction], middle=middle)
