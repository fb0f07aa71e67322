"""Counterfactual pairs: as the authors of Dual Mechanisms ran them, and changing what they declare and no more."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace
from functools import lru_cache
from itertools import zip_longest
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from backsight import stimuli
from backsight.errors import UsageError
from backsight.examples import Example, ExampleSet, Pair
from backsight.grid import Box
from backsight.stimuli.counterfactuals import last_token
from backsight.stimuli.layouts import PRESETS, Layout
from backsight.stimuli.object_pictures import NAMES
from backsight.stimuli.render import ScenePicture
from backsight.stimuli.rows import Row, Suite, exact, jittered

SUITES: tuple[Suite, ...] = ("squares", "shapes", "objects")
OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}
WORDS = {"left": "to the left of", "right": "to the right of", "above": "above", "below": "below"}
SENTENCE = {
    "squares": "The color of the square {words} the {middle} square is",
    "shapes": "The color of the shape {words} the {middle} is",
    "objects": "The object {words} the {middle} is",
}

# What follows from the rest of an example, and is held to it by `follows` rather than compared.
FOLLOWS = {"id", "picture", "question", "answer", "subject", "reference", "boxes", "source"}


def differences(clean: Example, counterfactual: Example) -> set[str]:
    """Everything in which two row examples differ, as dotted names; what follows from it is not named again."""
    one, two = clean.source, counterfactual.source
    found = {f.name for f in fields(Example) if f.name not in FOLLOWS and differ(clean, counterfactual, f.name)}
    found |= {f.name for f in fields(Row) if f.name not in ("names", "scene") and differ(one, two, f.name)}
    figures = zip_longest(one.scene.figures, two.scene.figures)
    found |= {f"scene.figures[{number}]" for number, (a, b) in enumerate(figures) if a != b}
    names = {f.name for f in fields(one.scene)} - {"figures"}
    return found | {f"scene.{name}" for name in names if differ(one.scene, two.scene, name)}


def differ(one: object, two: object, name: str) -> bool:
    return bool(getattr(one, name) != getattr(two, name))


def lies(boxes: dict[str, Box], middle: str, direction: str) -> str:
    """The one name whose box lies in a direction of the middle one."""
    axis, way = (0 if direction in ("left", "right") else 1), (-1 if direction in ("left", "above") else 1)
    (found,) = [name for name, box in boxes.items() if way * (box[axis] - boxes[middle][axis]) > 0]
    return found


def follows(example: Example) -> None:
    """Picture, boxes, words and answer of an example are those of its scene and direction."""
    row = example.source
    boxes = {figure.name: figure.box for figure in row.scene.figures}
    assert example.picture == ScenePicture(row.scene, row.assets)
    assert tuple(boxes) == row.names and example.boxes == boxes
    assert example.reference == row.names[1]
    assert example.answer == example.subject == lies(boxes, row.names[1], str(example.direction))
    assert example.question == SENTENCE[row.suite].format(words=WORDS[str(example.direction)], middle=row.names[1])


layouts = st.sampled_from(sorted(PRESETS.values(), key=repr)) | st.builds(
    Layout.for_grid, st.integers(6, 16), st.integers(6, 16), st.integers(8, 30)
)


@lru_cache(maxsize=8)
def every(suite: Suite, layout: Layout) -> ExampleSet:
    return exact(suite, layout)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(SUITES), layouts, st.booleans(), st.integers(0, 2**31))
def test_a_counterfactual_changes_what_it_declares_and_nothing_else(
    suite: Suite, layout: Layout, jitter: bool, seed: int
) -> None:
    base = jittered(suite, layout, count=8, seed=seed) if jitter else every(suite, layout)
    pairs = last_token(base, per_direction=3, seed=seed)
    assert len(pairs) == 12
    for pair in pairs:
        assert differences(pair.clean, pair.counterfactual) == pair.changes
        follows(pair.clean)
        follows(pair.counterfactual)


def test_a_users_pictures_stay_in_both(tmp_path: Any) -> None:
    for number, name in enumerate(NAMES):
        Image.new("RGB", (9, 9), (25 * number, 9, 9)).save(tmp_path / f"{name}.png")
    for pair in stimuli.objects(assets=tmp_path).pairs("last_token")[:20]:
        assert pair.counterfactual.source.assets == tmp_path
        assert differences(pair.clean, pair.counterfactual) == pair.changes
        follows(pair.counterfactual)


def test_the_differ_sees_every_single_change() -> None:
    example = stimuli.squares()[0]
    row, scene = example.source, example.source.scene
    assert differences(example, example) == set()
    parts = {"direction": "below", "options": (), "system": None, "suite": "shapes", "tags": {"prompt": "A"}}
    for name, value in parts.items():
        assert differences(example, replace(example, **{name: value})) == {name}
    for name, value in {"suite": "objects", "axis": "vertical", "assets": "here"}.items():
        assert differences(example, replace(example, source=replace(row, **{name: value}))) == {name}
    for name, value in {"size": (1, 1), "ground": (0, 0, 0), "texture": 4}.items():
        other = replace(example, source=replace(row, scene=replace(scene, **{name: value})))
        assert differences(example, other) == {f"scene.{name}"}
    first, second, third = scene.figures
    for figures, name in (
        ((first, replace(second, shade=0.1), third), "scene.figures[1]"),
        ((first, second), "scene.figures[2]"),
        ((first, second, third, first), "scene.figures[3]"),
    ):
        other = replace(example, source=replace(row, scene=scene.with_figures(figures)))
        assert differences(example, other) == {name}


@pytest.fixture(scope="module", params=[*SUITES, *(f"jittered_{suite}" for suite in SUITES)])
def pairs(request: pytest.FixtureRequest) -> list[Pair]:
    return list(stimuli.build(request.param).pairs("last_token"))


def test_there_are_fifty_pairs_a_direction_and_none_twice(pairs: list[Pair]) -> None:
    assert Counter(pair.clean.direction for pair in pairs) == dict.fromkeys(OPPOSITE, 50)
    assert len({pair.id for pair in pairs}) == 200
    drawn = {(pair.clean.id, pair.counterfactual.source.names) for pair in pairs}
    assert len(drawn) == 200


def test_rows_hold_five_distinct_fillers_around_one_middle(pairs: list[Pair]) -> None:
    for pair in pairs:
        (c0, c1, c2), (c4, middle, c3) = pair.clean.source.names, pair.counterfactual.source.names
        assert middle == c1 and len({c0, c1, c2, c3, c4}) == 5
        assert pair.counterfactual.direction == OPPOSITE[str(pair.clean.direction)]


def test_the_new_entities_stand_where_the_old_ones_stood(pairs: list[Pair]) -> None:
    for pair in pairs:
        old, new = pair.clean.source.scene.figures, pair.counterfactual.source.scene.figures
        assert [figure.box for figure in old] == [figure.box for figure in new]
        assert old[1] == new[1]


def test_outcomes_are_what_the_boxes_show(pairs: list[Pair]) -> None:
    for pair in pairs:
        clean, other = dict(pair.clean.boxes), dict(pair.counterfactual.boxes)
        middle, here, there = str(pair.clean.reference), str(pair.clean.direction), str(pair.counterfactual.direction)
        assert pair.outcomes == {
            "clean": lies(clean, middle, here),
            "ordinal": lies(clean, middle, there),
            "counterfactual": lies(other, middle, there),
        }
        assert len(set(pair.outcomes.values())) == 3


def test_an_id_names_one_example(pairs: list[Pair]) -> None:
    named: dict[str, Example] = {}
    for example in [e for pair in pairs for e in (pair.clean, pair.counterfactual)]:
        assert named.setdefault(example.id, example) == example


def test_after_a_split_the_clean_examples_are_in_the_part() -> None:
    for part in stimuli.squares().split(0.5):
        made = part.pairs("last_token")
        inside = {example.id for example in part}
        assert len(made) == 200 and {pair.clean.id for pair in made} <= inside


def test_pairs_repeat_for_a_seed_and_only_for_it() -> None:
    def drawn(seed: int) -> str:
        return stimuli.squares(seed=seed).pairs("last_token").fingerprint

    assert drawn(0) == drawn(0) != drawn(1)


def test_a_small_set_gives_the_few_pairs_that_there_are() -> None:
    one = stimuli.squares()[:1]  # three colours are left, so six ordered choices of two
    assert len(last_token(one)) == 6


def test_pairs_are_made_of_rows_only() -> None:
    with pytest.raises(UsageError, match="made of rows of three\n  got:   set 'pairs'"):
        last_token(stimuli.pairs(scenes=4))
    with pytest.raises(UsageError, match="'pairs' has no pairs of kind 'last_token'"):
        stimuli.pairs(scenes=4).pairs("last_token")
