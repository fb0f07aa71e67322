"""Pictures in a mirror and upside down: boxes, pixels and answers turn together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backsight import stimuli
from backsight.examples import Example, PlainPicture
from backsight.stimuli.relations import relation
from backsight.stimuli.turned import Turn, turned

NUMBERED = {"left": "1", "right": "2", "above": "3", "below": "4"}


@pytest.mark.parametrize("turn", ["mirrored", "upside down"])
def test_a_turned_relation_is_that_of_the_turned_boxes(turn: Turn) -> None:
    for example in stimuli.pairs(scenes=8).items[:24:3]:
        other = turned(example, turn)
        assert other is not None
        named = (str(example.subject), str(example.reference))
        assert relation(*(other.boxes[n] for n in named)) == other.direction
        assert other.answer == NUMBERED[str(other.direction)]
        assert other.question == example.question and other.options == example.options
        pixels = np.asarray(example.image)[:, ::-1]
        assert np.array_equal(np.asarray(other.image), pixels if turn == "mirrored" else pixels[::-1])
        back = turned(other, turn)
        assert back is not None and back.boxes == example.boxes and back.answer == example.answer
        assert len({back.image_id, other.image_id, example.image_id}) == 3


def test_the_other_end_of_a_row_answers_where_the_axis_turns() -> None:
    for example in stimuli.squares():
        for turn in ("mirrored", "upside down"):
            other = turned(example, turn)
            assert other is not None
            turns = turn == "upside down" or example.direction in ("left", "right")
            ends = {example.source.names[0], example.source.names[2]}
            assert other.answer == ((ends - {example.answer}).pop() if turns else example.answer)


def test_a_caption_that_is_true_or_false_has_no_known_turned_answer() -> None:
    caption = Example("a", PlainPicture((8, 8)), "Is the cup left of the bowl?", ("yes", "no"), "yes", direction="left")
    assert turned(caption) is None
    upright = turned(replace(caption, direction="above"))
    assert upright is not None and upright.answer == "yes" and upright.direction == "above"
    assert turned(replace(caption, direction="above"), "upside down") is None


def test_an_answer_that_names_a_direction_of_no_question_is_not_turned() -> None:
    arrow = Example("a", PlainPicture((8, 8)), "Which way does it point?", ("left", "right"), "left")
    assert turned(arrow) is None and turned(arrow, "upside down") is None


def test_what_names_no_direction_keeps_its_answer() -> None:
    presence = Example("a", PlainPicture((8, 8)), "Which is there?", ("cup", "key"), "cup")
    other = turned(presence, "upside down")
    assert other is not None and other.answer == "cup" and other.direction is None
