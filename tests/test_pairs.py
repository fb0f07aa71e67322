"""Pairs: two objects anywhere, with CREG's prompts and its displacement ratio."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from backsight import stimuli
from backsight.errors import UsageError
from backsight.examples import Example
from backsight.stimuli.layouts import PRESETS
from backsight.stimuli.scattered import SHAPE_NAMES, example, scattered

GROUNDS = ("pairs", "pairs_textured")
PRINTED = {
    "A": "In this image, where is the apple relative to the key? Choose one option: 1) to the left, "
    "2) to the right, 3) above, 4) below. Answer with just the number.",
    "B": "Look at the image. Is the apple to the left (1), right (2), above (3), or below (4) the key? "
    "Answer with one number.",
    "C": "I can see two objects: key and apple. What is the spatial position of apple relative to key? "
    "Options: 1=left, 2=right, 3=above, 4=below. Answer:",
}


@pytest.fixture(scope="module", params=GROUNDS)
def asked(request: pytest.FixtureRequest) -> list[Example]:
    return list(stimuli.build(request.param))


def seen(example: Example) -> str:
    """The relation and its number, from the boxes alone; empty where one displacement is not 1.5 of the other."""
    (a, b, c, d), (e, f, g, h) = example.boxes[str(example.subject)], example.boxes[str(example.reference)]
    right, down = (a + c) / 2 - (e + g) / 2, (b + d) / 2 - (f + h) / 2
    if abs(right) > 1.5 * abs(down):
        return "1 left" if right < 0 else "2 right"
    if abs(down) > 1.5 * abs(right):
        return "3 above" if down < 0 else "4 below"
    return ""


def test_answers_are_the_numbers_of_what_the_boxes_show(asked: list[Example]) -> None:
    for item in asked:
        assert f"{item.answer} {item.direction}" == seen(item)
        assert item.options == ("1", "2", "3", "4")


def test_every_relation_is_asked_equally_often_with_every_prompt(asked: list[Example]) -> None:
    counts = Counter((item.direction, item.tags["prompt"]) for item in asked)
    assert len(asked) == 600 and len(counts) == 12 and set(counts.values()) == {50}
    assert len({item.image_id for item in asked}) == 200 and len({item.id for item in asked}) == 600


def test_prompts_are_those_of_table_6(asked: list[Example]) -> None:
    for item in asked:
        printed = PRINTED[item.tags["prompt"]].replace("apple", "{0}").replace("key", "{1}")
        assert item.question == printed.format(item.subject, item.reference)
        assert item.system == "You are a helpful assistant. You respond in one token."


def test_figures_stand_inside_and_apart(asked: list[Example]) -> None:
    for item in asked[::3]:
        width, height = item.picture.size
        boxes = [figure.box for figure in item.source.figures]
        for number, (left, top, right, bottom) in enumerate(boxes):
            assert 0 <= left < right <= width and 0 <= top < bottom <= height
            for other in boxes[:number]:
                gaps = (left - other[2], other[0] - right, top - other[3], other[1] - bottom)
                assert max(gaps) >= 2


def test_boxes_are_those_of_the_figures_that_the_question_names(asked: list[Example]) -> None:
    for item in asked[::3]:
        named = [figure for figure in item.source.figures if figure.named]
        assert {figure.name: figure.box for figure in named} == dict(item.boxes)
        assert item.boxes.keys() == {item.subject, item.reference} and len(item.boxes) == 2


def test_plain_ground_holds_two_objects_and_textured_ground_one_to_three_more() -> None:
    plain, textured = (stimuli.build(name) for name in GROUNDS)
    assert {len(e.source.figures) for e in plain} == {2} and {e.source.texture for e in plain} == {None}
    others = [[f for f in e.source.figures if not f.named] for e in textured]
    assert {len(found) for found in others} == {1, 2, 3}
    assert {f.name for found in others for f in found} == {"distractor"}
    assert len({e.source.texture for e in textured}) == 200
    assert {e.tags["ground"] for e in plain} == {"plain"} and {e.tags["ground"] for e in textured} == {"textured"}


def test_a_relation_that_is_not_clear_gives_no_question() -> None:
    rng = np.random.default_rng(0)
    scenes = [scattered(SHAPE_NAMES[:2], PRESETS["qwen2-vl"], rng) for _ in range(300)]
    made = [example(s, s.figures[0], s.figures[1], "A", "pairs", "key") for s in scenes if s is not None]
    assert 0.2 < made.count(None) / len(made) < 0.5
    assert all(seen(item) for item in made if item is not None)


def test_too_few_scenes_are_refused() -> None:
    with pytest.raises(UsageError, match="at least four scenes, one a relation\n  got:   3"):
        stimuli.pairs(scenes=3)
