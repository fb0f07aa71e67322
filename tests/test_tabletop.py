"""Tabletop: relations from coordinates, pictures that repeat, pairs that training never sees, and sets of four."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backsight import stimuli
from backsight.errors import UsageError
from backsight.examples import Example
from backsight.stimuli import tabletop, things
from backsight.stimuli.layouts import PRESETS
from backsight.stimuli.questions import WHATSUP_RELATIONS
from backsight.stimuli.tabletop_drawing import showing
from backsight.stimuli.tabletop_world import Furniture, Stage, TableScene, Thing, relation_of
from backsight.training import tabletop as training

# A table of 1 x 0.6 whose upper surface is at 0.6, straight before the viewer.
TABLE = Furniture("table", 0.0, 0.0, 1.0, 0.6, 0.6, 0.0, 0.08, 0.0, (120, 80, 50))
STAGE = Stage(TABLE, 2.0, 3.0, 1.5, 0.5, 2.5, 1.0, (0.2, 0.3), (200, 200, 200), (240, 240, 240), None)
CUP = Thing("cup", 0.0, 0.0, 0.0, 0.2, 0.2)
SEEDS = st.integers(0, 2**32 - 1)


def at(x: float, y: float, z: float, **changed: float) -> str | None:
    return relation_of(replace(CUP, x=x, y=y, z=z, **changed), TABLE)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spot", "place"),
    [
        ((0, 0.6, 0), "on"),
        ((0.399, 0.6, 0.199), "on"),  # its foot ends just before the board does
        ((0.401, 0.6, 0.199), None),  # and here beyond it
        ((0, 0.5, 0), None),  # in the air
        ((0, 0, 0), "under"),
        ((0.319, 0, 0), "under"),  # between the legs: 0.32 + 0.1 = 0.5 - 0.08
        ((0.321, 0, 0), None),  # into a leg
        ((-0.681, 0, 0), "left"),  # 0.68 - 0.1 - 0.5 = 0.08, just enough air
        ((-0.679, 0, 0), None),
        ((0.75, 0, 0.49), "right"),  # 0.75 > 1.5 * 0.49
        ((0.75, 0, 0.51), None),  # too far to the back to be plainly right
        ((0, 0, -0.481), "front"),  # 0.48 - 0.1 - 0.3 = 0.08; the viewer looks along z
        ((0, 0, 0.481), "behind"),
        ((0, 0, 0.479), None),
        ((0.31, 0, 0.481), "behind"),  # 0.481 > 1.5 * 0.31
        ((0.33, 0, 0.481), None),
    ],
)
def test_places_by_hand(spot: tuple[float, float, float], place: str | None) -> None:
    assert at(*spot) == place


def test_what_is_too_tall_is_not_under() -> None:
    # The board is 0.06 thick, and 0.04 of air is asked for: 0.5 is left.
    assert at(0, 0, 0, height=0.499) == "under"
    assert at(0, 0, 0, height=0.501) is None


def test_a_turned_table_reaches_farther() -> None:
    quarter = replace(TABLE, turn=90.0)
    assert quarter.reach == pytest.approx((0.3, 0.5))
    spot = replace(CUP, x=-0.481)
    assert (relation_of(spot, quarter), relation_of(spot, TABLE)) == ("left", None)
    assert replace(TABLE, turn=30.0).reach[0] == pytest.approx((math.cos(math.pi / 6) + 0.6 * 0.5) / 2)


def test_the_projection_by_hand() -> None:
    # One unit at z = 0 is 1.5 / 3 = 0.5 sides. The floor there shows 0.5 * 2 - 0.5 = 0.5 sides down: in the middle.
    scene = TableScene((200, 100), STAGE, replace(CUP, x=-0.8))
    assert scene.pixels((0.0, 0.0, 0.0)) == (100.0, 50.0)
    assert scene.pixels((0.4, 1.0, 0.0)) == (120.0, 0.0)
    assert scene.stage.scale(4.5) == pytest.approx(0.2)
    box = scene.thing_box  # 0.2 wide and high, 10 px, its foot at x = 100 - 40
    assert tuple(box) == pytest.approx((55, 40, 65, 50))
    # Near edge z = -0.3, where a unit is 1.5 / 2.7 sides: half a table is 27.8 px, and the feet are at 61.1 px.
    furniture = scene.furniture_box
    assert tuple(furniture) == pytest.approx((72.22, 13.64, 127.78, 61.11), abs=0.01)


# Drawn scenes: what is said of them holds in their coordinates


def corners(one: Furniture) -> list[tuple[float, float]]:
    angle = math.radians(one.turn)
    c, s = math.cos(angle), math.sin(angle)
    halves = [(a * one.width / 2, b * one.depth / 2) for a in (-1, 1) for b in (-1, 1)]
    return [(one.x + a * c - b * s, one.z + a * s + b * c) for a, b in halves]


def holds(example: Example) -> bool:
    """The stated relation, worked out from corners and feet alone."""
    thing, one = example.source.thing, example.source.stage.furniture
    xs, zs = zip(*corners(one), strict=True)
    foot = thing.width / 2
    over = min(xs) <= thing.x - foot and thing.x + foot <= max(xs) and min(zs) <= thing.z and thing.z <= max(zs)
    return {
        "on": over and thing.y == one.height,
        "under": over and thing.y == 0 and thing.height < one.height,
        "left": thing.y == 0 and thing.x + foot < min(xs),
        "right": thing.y == 0 and thing.x - foot > max(xs),
        "front": thing.y == 0 and thing.z + foot < min(zs),
        "behind": thing.y == 0 and thing.z - foot > max(zs),
    }[example.answer]


def any_scene(seed: int, *, held: bool = False) -> Example:
    """A thing by a piece of furniture, everything drawn with `seed`."""
    rng = np.random.default_rng(seed)
    which = tabletop.WHICH[int(rng.integers(2))]
    pairs = tabletop.all_pairs(held)
    name, kind = pairs[int(rng.integers(len(pairs)))]
    place = WHATSUP_RELATIONS[which][int(rng.integers(4))]
    while True:
        stage = tabletop.random_stage(kind, which, rng)
        empty = TableScene(tabletop.SIZE, stage, tabletop.random_thing(name, rng))
        if (scene := tabletop.placed(empty, place, rng)) is not None:
            return tabletop.example(scene, which, "any", "")


@settings(max_examples=80, deadline=None)
@given(seed=SEEDS, held=st.booleans())
def test_a_random_scene_is_what_its_answer_says(seed: int, held: bool) -> None:
    example = any_scene(seed, held=held)
    assert holds(example)
    assert example.answer == example.direction and example.answer in example.options
    assert ((example.subject, example.reference) in tabletop.held_out()) is held
    inside = [0 < b.left < b.right < 336 and 0 < b.top < b.bottom < 336 for b in example.boxes.values()]
    assert inside == [True, True]
    assert min(showing(example.source)) >= 1 / 3


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_in_the_picture_left_is_left_and_right_is_right(seed: int) -> None:
    example = any_scene(seed)
    thing, furniture = (example.boxes[name] for name in (str(example.subject), str(example.reference)))
    beside = "left" if thing.center[0] < furniture.left else "right" if thing.center[0] > furniture.right else None
    assert (beside == example.answer) == (example.answer in ("left", "right"))
    if example.answer == "front":
        assert thing.bottom > furniture.bottom  # nearer is lower
    if example.answer == "behind":
        assert thing.bottom < furniture.bottom - 0.2 * furniture.height


@pytest.mark.slow
def test_training_shows_no_held_out_pair() -> None:
    drawn = [one for number in range(12) for one in training.stage(number, (84, 84))]
    pairs = {(one.thing, one.furniture) for one in drawn}
    assert pairs <= set(tabletop.all_pairs()) - tabletop.held_out() and len(pairs) > 15
    assert {(one.which, one.relation) for one in drawn} == {
        (w, p) for w, places in WHATSUP_RELATIONS.items() for p in places
    }
    assert [one.image.tobytes() for one in training.stage.__wrapped__(0, (84, 84))] == [
        one.image.tobytes() for one in training.stage(0, (84, 84))
    ]


def test_a_mirrored_scene_has_the_other_side_for_its_answer() -> None:
    left = training.stage(0, (84, 84))[0]
    assert left.relation == "left" and left.mirrored().relation == "right"
    assert left.mirrored().mirrored().image.tobytes() == left.image.tobytes()
    under = training.stage(0, (84, 84))[5]
    assert under.relation == under.mirrored().relation == "under"


def test_a_training_composite_has_each_thing_on_its_side() -> None:
    for seed in range(6):
        picture, there, asked = training.composite((84, 84), np.random.default_rng(seed))
        (question, left), (other, right) = asked
        assert (left, right) == there and left != right
        assert "left" in question and "right" in other
        drawn = training.stage(int(np.random.default_rng(seed).integers(training.STAGES)), (84, 84))
        for name, place, box in ((left, "left", (0, 0, 42, 84)), (right, "right", (42, 0, 84, 84))):
            sources = [o for d in drawn for o in (d, d.mirrored()) if (o.thing, o.relation) == (name, place)]
            assert picture.crop(box).tobytes() in {o.image.crop(box).tobytes() for o in sources}


def test_the_held_out_pairs_are_the_same_everywhere() -> None:
    assert tabletop.held_out() == {
        ("ball", "chair"), ("bomb", "table"), ("cup", "table"), ("key", "chair"), ("lamp", "table"),
    }  # fmt: skip
    assert len(tabletop.all_pairs()) == 28 and len(tabletop.all_pairs(held=True)) == 28 // 5
    assert things.NAMES[:6] == ("cup", "book", "bottle", "bowl", "ball", "lamp") and len(things.NAMES) == 14


# Pictures


def test_equal_seeds_give_equal_pixels() -> None:
    def drawn() -> list[tuple[str, bytes]]:
        things.painting.cache_clear()
        things.sprite.cache_clear()
        examples = tabletop.scenes((168, 120), which="b", sets=2, seed=7)
        return [(e.image_id, e.image.tobytes()) for e in examples]

    first = drawn()
    assert first == drawn()
    assert len(set(first)) == 8


@pytest.mark.parametrize("size", [(336, 336), (896, 896), (240, 100), (100, 240)])
def test_any_size_is_drawn_whole(size: tuple[int, int]) -> None:
    example = tabletop.scenes(size, which="a", sets=1)[0]
    assert example.picture.size == example.image.size == size
    edges = [side for b in example.boxes.values() for side in (b.left, b.top, size[0] - b.right, size[1] - b.bottom)]
    assert min(edges) > 0


def test_the_box_is_where_the_thing_is() -> None:
    for x, y, z in ((-0.8, 0.0, 0.0), (0.1, 0.6, 0.0), (0.0, 0.0, -0.6)):
        red, blue = (
            TableScene((336, 336), STAGE, replace(CUP, x=x, y=y, z=z, color=color))
            for color in ((200, 20, 20), (20, 20, 200))
        )
        one, two = (np.asarray(tabletop.TabletopPicture(scene).open(), dtype=int) for scene in (red, blue))
        rows, columns = np.nonzero(np.abs(one - two).sum(2) > 12)
        box = red.thing_box
        assert (columns.min(), rows.min()) == pytest.approx((box.left, box.top), abs=2)
        assert (columns.max() + 1, rows.max() + 1) == pytest.approx((box.right, box.bottom), abs=2)


def test_the_board_hides_what_is_under_and_behind_it() -> None:
    tall = replace(CUP, height=0.45, width=0.2)
    scenes = {
        "on": replace(tall, y=0.6),
        "under": replace(tall, z=0.15),
        "front": replace(tall, z=-0.6),
        "behind": replace(tall, z=0.7),
    }
    seen = {place: showing(TableScene((168, 168), STAGE, thing)) for place, thing in scenes.items()}
    assert {place: relation_of(thing, TABLE) for place, thing in scenes.items()} == {place: place for place in scenes}
    assert seen["on"][0] == seen["front"][0] == 1 and seen["on"][1] < 1  # a thing on the table hides some of it
    assert seen["under"][0] < 1 and seen["behind"][0] < 0.6 and seen["behind"][1] == 1


# Sets of four


def test_sets_of_four_show_one_thing_on_one_stage() -> None:
    made = tabletop.scenes(which="a", sets=12, seed=1)
    by_group: dict[str, list[Example]] = {}
    for example in made:
        by_group.setdefault(example.tags["group"], []).append(example)
    assert len(made) == 48 and len(by_group) == 12
    for name, four in by_group.items():
        assert [e.answer for e in four] == ["left", "right", "on", "under"]
        assert len({(e.source.stage, replace(e.source.thing, x=0, y=0, z=0)) for e in four}) == 1
        assert {(e.subject, e.reference) for e in four} <= tabletop.held_out(), name
    assert list(by_group)[:6] == ["cup_table", "lamp_table", "bomb_table", "ball_chair", "key_chair", "cup-2_table"]


def test_things_of_one_number_stand_by_the_same_furniture() -> None:
    stages: dict[tuple[str, int], set[Stage]] = {}
    for group in islice(tabletop.groups("a", held=None), 56):
        stages.setdefault((group.pair[1], group.repeat), set()).add(next(iter(group.scenes.values())).stage)
    assert len(stages) == 4 and all(len(found) == 1 for found in stages.values())
    assert len(set.union(*stages.values())) == 4


def test_an_example_in_full() -> None:
    example = tabletop.scenes(which="b", sets=1)[2]
    name, kind = example.subject, example.reference
    assert example.id == f"tabletop_b-{name}_in-front_of_{kind}" and example.suite == "tabletop_b"
    assert example.question == (
        f"Where is the {name} in relation to the {kind}? Answer with left, right, front or behind."
    )
    assert (example.options, example.answer) == (("left", "right", "front", "behind"), "front")
    assert example.system == "You are a helpful assistant. You respond in one token."
    assert (dict(example.tags), list(example.boxes)) == ({"group": f"{name}_{kind}"}, [name, kind])


def test_the_suites_are_at_their_door() -> None:
    for name in ("tabletop_a", "tabletop_b"):
        made = stimuli.build(name, PRESETS["gemma-3"], seed=2)
        assert (made.name, len(made)) == (name, 200)
        assert {e.picture.size for e in made} == {(896, 896)}
        assert Counter(e.answer for e in made).most_common(1)[0][1] == 50
        assert {(e.subject, e.reference) for e in made} == tabletop.held_out()
    assert len(tabletop.scenes(which="a", sets=28, held=None)) == 112


def test_a_limit_keeps_sets_whole() -> None:
    made = tabletop.scenes(which="a", sets=10)
    few = made.limit(11)
    assert len(few) == 8 and few == made.limit(11)
    assert set(Counter(e.tags["group"] for e in few).values()) == {4}
    assert few != made.limit(11, seed=5) and made.limit(None) is made and len(made.limit(99)) == 40
    assert [e.answer for e in made.limit(3)] == ["left", "right", "on"]  # no set fits


def test_no_sets_are_refused() -> None:
    with pytest.raises(UsageError, match="Tabletop needs at least one set of four pictures\n  got:   0"):
        tabletop.scenes(which="a", sets=0)
