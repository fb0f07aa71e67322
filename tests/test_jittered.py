"""Jittered rows: inside the picture, apart, in order, and of triples that training never shows."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backsight import stimuli
from backsight.grid import Box
from backsight.stimuli.layouts import PRESETS, Axis, Layout
from backsight.stimuli.rows import SUITES, Suite, fillers, held_out, jittered, jittered_scene, random_triple

HELD_SQUARES = {
    "black.blue.gray", "black.blue.green", "black.brown.green", "black.red.blue", "black.red.gray",
    "blue.black.brown", "blue.brown.red", "blue.gray.green", "blue.gray.red", "blue.red.brown",
    "brown.black.green", "brown.black.red", "brown.gray.black", "gray.black.green", "gray.brown.black",
    "gray.green.blue", "gray.green.brown", "green.brown.black", "green.gray.blue", "red.black.blue",
    "red.black.gray", "red.blue.green", "red.green.black", "red.green.gray",
}  # fmt: skip


def apart(one: Box, two: Box) -> bool:
    """Whether two boxes share no pixel."""
    return one[2] <= two[0] or two[2] <= one[0] or one[3] <= two[1] or two[3] <= one[1]


layouts = st.builds(Layout.for_grid, st.integers(6, 18), st.integers(6, 18), st.integers(7, 30)) | st.sampled_from(
    sorted(PRESETS.values(), key=repr)
)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(SUITES), layouts, st.sampled_from(get_args(Axis)), st.integers(0, 2**32))
def test_figures_stand_inside_apart_and_in_order(suite: Suite, layout: Layout, axis: Axis, seed: int) -> None:
    names = fillers(suite)[:3]
    scene = jittered_scene(suite, (names[0], names[1], names[2]), axis, layout, np.random.default_rng(seed))
    boxes = [figure.box for figure in scene.figures]
    assert tuple(figure.name for figure in scene.figures) == names
    for box in boxes:
        assert 0 <= box.left < box.right <= layout.size[0] and 0 <= box.top < box.bottom <= layout.size[1]
        assert all(edge == int(edge) for edge in box)
    assert all(apart(one, two) for one, two in pairwise(boxes))
    start, end = (0, 2) if axis == "horizontal" else (1, 3)
    assert boxes[0][end] < boxes[1][start] and boxes[1][end] < boxes[2][start]


def test_jitter_moves_place_size_and_shade() -> None:
    scenes = [e.source.scene for e in stimuli.jittered(suite="squares", count=80)]
    firsts = [scene.figures[0] for scene in scenes]
    assert len({f.box.left for f in firsts}) > 20 and len({f.box.top for f in firsts}) > 20
    assert len({f.box.width for f in firsts}) > 10
    assert len({f.color for f in firsts}) > 40
    assert len({scene.ground for scene in scenes}) > 10


def test_shaded_colours_stay_nearest_to_their_name() -> None:
    named = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
    named |= {"black": (0, 0, 0), "brown": (150, 75, 0), "gray": (128, 128, 128)}
    for example in stimuli.jittered(suite="squares", count=200):
        for figure in example.source.scene.figures:
            distance = {name: np.linalg.norm(np.subtract(figure.color, rgb)) for name, rgb in named.items()}
            assert min(distance, key=distance.__getitem__) == figure.name


def test_a_fifth_of_the_triples_is_held_out_and_always_the_same() -> None:
    assert {".".join(triple) for triple in held_out("squares")} == HELD_SQUARES
    assert {suite: len(held_out(suite)) for suite in SUITES} == {"squares": 24, "shapes": 24, "objects": 67}
    assert held_out("shapes") != held_out("squares")


@pytest.mark.parametrize("suite", SUITES)
def test_triples_for_training_are_all_others(suite: Suite) -> None:
    rng = np.random.default_rng(0)
    trained = {random_triple(suite, rng, held=False) for _ in range(4000)}
    tested = {random_triple(suite, rng, held=True) for _ in range(1000)}
    assert trained & held_out(suite) == set() and tested <= held_out(suite)
    if suite != "objects":  # 120 triples: so many draws find them all
        assert len(trained) == 96 and tested == held_out(suite)


@pytest.mark.parametrize("held", [True, False])
def test_a_jittered_set_takes_the_triples_that_it_says(held: bool) -> None:
    items = jittered("shapes", PRESETS["qwen2-vl"], count=100, held=held)
    assert {e.source.names in held_out("shapes") for e in items} == {held}


@pytest.mark.parametrize("suite", SUITES)
def test_a_jittered_set_asks_every_direction_equally_often(suite: Suite) -> None:
    items = stimuli.jittered(suite=suite, count=40)
    assert Counter(e.direction for e in items) == {"left": 10, "right": 10, "above": 10, "below": 10}
    assert len({e.id for e in items}) == len({e.image_id for e in items}) == 40
    assert items.name == f"jittered_{suite}"
