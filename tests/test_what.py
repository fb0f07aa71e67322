"""Questions of what is in a picture: true of the scene, the same each time, and left out where nobody knows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image

from backsight import stimuli
from backsight.examples import Example, MemoryPicture
from backsight.stimuli import what
from backsight.stimuli.rows import Row
from backsight.stimuli.tabletop_world import TableScene


def test_a_row_is_asked_which_colours_it_shows() -> None:
    for example in stimuli.squares().limit(40):
        row = example.source
        assert isinstance(row, Row)
        asked = what.what(example)
        assert list(asked) == ["presence", "colour"]
        for question in asked.values():
            assert question.answer in row.names
            assert not set(question.options) - {question.answer} & set(row.names)
            assert question.picture is example.picture and question.system == example.system
        one, two = asked["presence"].options
        assert asked["presence"].question == f"Which color is in the picture, {one} or {two}?"
        assert len(asked["colour"].options) == 4 and asked["colour"].question == "One color in the picture is"


def test_a_table_scene_is_asked_for_its_thing_and_its_colour() -> None:
    seen = set()
    for example in stimuli.tabletop_a().limit(60):
        scene = example.source
        assert isinstance(scene, TableScene)
        asked = what.what(example)
        seen.add(tuple(asked))
        assert asked["naming"].answer == asked["presence"].answer == scene.thing.name
        if "colour" in asked:
            assert asked["colour"].question == f"The color of the {scene.thing.name} is"
            assert scene.thing.color is not None
    assert seen == {("naming", "presence", "colour"), ("naming", "presence")}  # an apple has no colour to be asked for


@pytest.mark.parametrize(
    ("color", "name"),
    [((206, 58, 52), "red"), ((48, 104, 196), "blue"), ((56, 148, 84), "green"), ((232, 178, 46), "yellow")],
)
def test_the_colours_of_things_have_their_names(color: tuple[int, int, int], name: str) -> None:
    scene = next(e for e in stimuli.tabletop_a() if e.source.thing.color is not None)
    changed = replace(scene.source, thing=replace(scene.source.thing, color=color))
    assert what.what(replace(scene, source=changed))["colour"].answer == name


def test_the_questions_are_the_same_each_time_and_vary_between_examples() -> None:
    pairs = stimuli.pairs(scenes=40)
    assert [what.what(e) for e in pairs] == [what.what(e) for e in pairs]
    first = [what.what(e)["presence"] for e in pairs]
    assert {e.options.index(e.answer) for e in first} == {0, 1} and len({e.answer for e in first}) > 5


def own(id: str, picture: int, subject: str | None, reference: str | None) -> Example:
    image = MemoryPicture(Image.new("RGB", (32, 32), (picture, 0, 0)))
    return Example(id, image, "Where is it?", ("left", "right"), "left", subject=subject, reference=reference)


def test_of_pictures_of_ones_own_absence_is_assumed_from_the_other_questions() -> None:
    asked = [own("a", 1, "dog", "sofa"), own("b", 2, "cat", "sofa"), own("c", 1, "ball", "sofa")]
    named = what.named_things(asked)
    assert what.what(asked[0]) == {}  # by itself nothing is known to be absent
    questions = what.what(asked[0], named)
    # The ball is in the dog's picture, and the sofa in all of them.
    assert set(questions["presence"].options) == {"dog", "cat"} and questions["presence"].answer == "dog"
    assert questions["presence"].tags["absence"] == "assumed"
    assert what.what(own("d", 3, None, None), named) == {}


def test_of_photographs_absence_is_what_is_not_annotated(tmp_path: Path) -> None:
    example = replace(
        own("a", 1, "dog", "sofa"), source=what.Annotated(("dog", "person", "sofa"), ("cat", "dog", "sofa"))
    )
    questions = what.what(example)
    assert set(questions["presence"].options) in ({"dog", "cat"}, {"sofa", "cat"})
    assert questions["presence"].tags["absence"] == "known"


def test_shapes_among_distractors_are_not_asked_for() -> None:
    """A distractor may be a shape of any colour, so nothing is known to be absent."""
    example = stimuli.pairs_textured(scenes=4)[0]
    assert what.what(example)["presence"].answer in {f.name for f in example.source.named}
    shapes = tuple(
        replace(f, name=n) for f, n in zip(example.source.named, ("red square", "blue triangle"), strict=True)
    )
    plain = replace(example, source=example.source.with_figures(shapes))
    assert what.what(plain)["naming"].answer in ("red square", "blue triangle")
    among = (*shapes, replace(shapes[0], name="distractor", named=False))
    assert what.what(replace(example, source=example.source.with_figures(among))) == {}
