"""Tabletop: drawn scenes in the manner of What'sUp, a thing beside, on, under, before or behind a table or a chair.

Four pictures of one thing, one piece of furniture and one room make a set, as in What'sUp. A fifth of the pairs of
a thing and a piece of furniture is held out: training never shows them, and the suites are made of them alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import count, islice

import numpy as np

from backsight.errors import DataError, UsageError
from backsight.examples import Example, ExampleSet
from backsight.stimuli import things
from backsight.stimuli.groups import GroupedSet
from backsight.stimuli.questions import FILE_RELATION, SYSTEM, WHATSUP_RELATIONS, Relation, WhatsUpSet, whatsup_question
from backsight.stimuli.scene import Color
from backsight.stimuli.tabletop_drawing import TabletopPicture, showing
from backsight.stimuli.tabletop_world import Furniture, FurnitureKind, Stage, TableScene, Thing, relation_of

FURNITURE: tuple[FurnitureKind, ...] = ("table", "chair")
WHICH: tuple[WhatsUpSet, ...] = ("a", "b")
SIZE = (336, 336)
SHOWN = 0.6  # of a figure's area, at least, is to be seen
CUT = 0.8  # of a thing behind a table, at most, is to be seen unless it is clear of the board
EDGE = 0.012  # of the picture's side stays free around what stands in it
TRIES = 40
Pair = tuple[str, FurnitureKind]

WOODS: tuple[Color, ...] = (
    (176, 122, 74),
    (206, 166, 112),
    (120, 78, 50),
    (228, 222, 212),
    (92, 104, 118),
    (150, 64, 52),
)
FLOORS: tuple[Color, ...] = ((214, 204, 188), (188, 196, 200), (204, 184, 160), (196, 206, 188), (222, 216, 222))
WALLS: tuple[Color, ...] = ((240, 236, 226), (226, 234, 240), (236, 226, 222), (228, 238, 228), (250, 248, 244))


@dataclass(frozen=True)
class Group:
    """A set of four: one thing by one piece of furniture in each relation. `repeat` counts the sets of the same two."""

    which: WhatsUpSet
    pair: Pair
    repeat: int
    scenes: Mapping[Relation, TableScene]

    @property
    def name(self) -> str:
        """As it stands in file names: the thing, numbered from its second set on, and the furniture."""
        return f"{self.thing}_{self.pair[1]}"

    @property
    def thing(self) -> str:
        """The thing as it stands in file names: cup, cup-2 ..."""
        return self.pair[0] if self.repeat == 1 else f"{self.pair[0]}-{self.repeat}"

    def stem(self, relation: Relation) -> str:
        """The name of a picture's file without its ending, in What'sUp's form."""
        return f"{self.thing}_{FILE_RELATION[relation]}_{self.pair[1]}"


@cache
def held_out() -> frozenset[Pair]:
    """The fifth of the pairs of a thing and a piece of furniture that training never shows, the same everywhere."""
    ranked = sorted(all_pairs(), key=lambda pair: zlib.crc32(f"tabletop:{'.'.join(pair)}".encode()))
    return frozenset(ranked[: len(ranked) // 5])


def all_pairs(held: bool | None = None) -> tuple[Pair, ...]:
    """The pairs of a thing and a piece of furniture: all, those held out, or the others."""
    pairs = ((name, kind) for kind in FURNITURE for name in things.NAMES)
    return tuple(pair for pair in pairs if held is None or (pair in held_out()) == held)


def scenes(
    size: tuple[int, int] = SIZE, *, which: WhatsUpSet, sets: int = 50, seed: int = 0, held: bool | None = True
) -> ExampleSet:
    """`sets` sets of four pictures each with What'sUp's question, lossless; `held=None` takes all pairs.

    The suite is called tabletop_a or tabletop_b; the tag `group` says which set a picture belongs to.
    """
    if sets < 1:
        raise UsageError("Tabletop needs at least one set of four pictures", got=sets)
    items = []
    for group in islice(groups(which, size, seed=seed, held=held), sets):
        items += [example(scene, which, group.stem(relation), group.name) for relation, scene in group.scenes.items()]
    return GroupedSet(f"tabletop_{which}", tuple(items), note=NOTES[which])


NOTES: Mapping[WhatsUpSet, str] = {
    "a": "Drawn scenes in the manner of What'sUp's set A: a thing beside, on or under a table or a chair.",
    "b": "Drawn scenes in the manner of What'sUp's set B: a thing beside, in front of or behind a table or a chair.",
}


def example(scene: TableScene, which: WhatsUpSet, stem: str, group: str) -> Example:
    """The question about a scene; the answer is read off its coordinates."""
    relation = relation_of(scene.thing, scene.stage.furniture)
    assert relation is not None
    name, kind = scene.thing.name, scene.stage.furniture.kind
    suite = f"tabletop_{which}"
    return Example(
        id=f"{suite}-{stem}",
        picture=TabletopPicture(scene),
        question=whatsup_question(which, name, kind),
        options=WHATSUP_RELATIONS[which],
        answer=relation,
        suite=suite,
        direction=relation,
        subject=name,
        reference=kind,
        boxes={name: scene.thing_box, kind: scene.furniture_box},
        system=SYSTEM,
        tags={"group": group} if group else {},
        source=scene,
    )


def groups(
    which: WhatsUpSet, size: tuple[int, int] = SIZE, *, seed: int = 0, held: bool | None = True
) -> Iterator[Group]:
    """Sets of four without end: each pair once, then each once more. A set is a function of its own name and `seed`.

    The n-th sets of all things by one kind of furniture stand on one stage, as What'sUp's photographs do, so that
    halves of two pictures join.
    """
    for repeat in count(1):
        for pair in all_pairs(held):
            yield _group(which, pair, repeat, size, seed)


def _group(which: WhatsUpSet, pair: Pair, repeat: int, size: tuple[int, int], seed: int) -> Group:
    key = [seed, WHICH.index(which), repeat]
    stage = random_stage(pair[1], which, np.random.default_rng([*key, FURNITURE.index(pair[1])]))
    rng = np.random.default_rng([*key, *(zlib.crc32(part.encode()) for part in pair)])
    for _ in range(TRIES):
        thing = random_thing(pair[0], rng)
        scenes = {
            relation: placed(TableScene(size, stage, thing), relation, rng) for relation in WHATSUP_RELATIONS[which]
        }
        whole = {relation: scene for relation, scene in scenes.items() if scene is not None}
        if len(whole) == len(scenes):
            return Group(which, pair, repeat, whole)
    raise DataError("A Tabletop set found no room on its stage", where=f"{pair[0]} and {pair[1]}", got=f"seed {seed}")


# What is drawn afresh


def random_stage(kind: FurnitureKind, which: WhatsUpSet, rng: np.random.Generator) -> Stage:
    """Furniture, viewer, light and ground, drawn afresh; the furniture stands across the picture's middle line."""
    table = kind == "table"
    height = rng.uniform(0.56, 0.68) if table else rng.uniform(0.5, 0.56)
    furniture = Furniture(
        kind=kind,
        x=_real(rng, -0.06, 0.06),
        z=_real(rng, -0.06, 0.06),
        width=_real(rng, 0.85, 1.05) if table else _real(rng, 0.6, 0.68),
        depth=_real(rng, 0.52, 0.62) if table else _real(rng, 0.52, 0.58),
        height=round(height, 3),
        back=0.0 if table else round(height + rng.uniform(0.5, 0.6), 3),
        leg=_real(rng, 0.06, 0.08) if table else _real(rng, 0.05, 0.06),
        turn=_real(rng, -9, 9),
        color=_tinted(WOODS, rng),
    )
    eye, away = _real(rng, 2.25, 2.55), _real(rng, 3.1, 3.3)
    # What may stand there reaches from the top of the back, or of a thing on the table, to a thing before it.
    near, far = (away + furniture.z + side * furniture.reach[1] for side in (-1, 1))
    highest = (eye - max(furniture.back, furniture.height + 0.36)) / far
    lowest = eye / (near - (0.2 if which == "a" else 0.6))
    zoom = min(_real(rng, 1.35, 1.5), round(0.93 / (lowest - highest), 3))
    angle = rng.uniform(0.15, 0.85) * np.pi
    length = rng.uniform(0.25, 0.6)
    return Stage(
        furniture=furniture,
        eye=eye,
        away=away,
        zoom=zoom,
        drop=round(zoom * (highest + lowest) / 2 - 0.5 + rng.uniform(-0.02, 0.02), 3),
        wall_at=_real(rng, 2.4, 2.9),
        light=_real(rng, 0.78, 1.06),
        sun=(round(float(length * np.cos(angle)), 3), round(float(length * np.sin(angle)), 3)),
        floor=_tinted(FLOORS, rng),
        wall=_tinted(WALLS, rng),
        texture=int(rng.integers(2**31)) if rng.random() < 0.5 else None,
    )


def random_thing(name: str, rng: np.random.Generator) -> Thing:
    """A thing of a size and colour drawn afresh, not yet placed."""
    longer = rng.uniform(0.32, 0.4)
    width, height = things.outline(name)
    color = things.COLORS[int(rng.integers(len(things.COLORS)))] if name in things.PAINTERS else None
    shade = int(rng.integers(-2, 3)) / 10
    return Thing(name, 0.0, 0.0, 0.0, round(longer * width, 3), round(longer * height, 3), color, shade)


def placed(scene: TableScene, relation: Relation, rng: np.random.Generator) -> TableScene | None:
    """The scene with its thing at a random spot in a relation, whole in the picture, well seen; None where none is."""
    one, thing = scene.stage.furniture, scene.thing
    for _ in range(TRIES):
        x, y, z = _spot(one, thing, relation, rng)
        moved = replace(thing, x=round(x, 4), y=y, z=round(z, 4))
        tried = replace(scene, thing=moved)
        if relation_of(moved, one) == relation and _inside(tried) and _plain(tried, relation):
            return tried
    return None


def _spot(one: Furniture, thing: Thing, relation: Relation, rng: np.random.Generator) -> tuple[float, float, float]:
    foot = thing.width / 2
    if relation in ("on", "under"):
        along = rng.uniform(-0.5, 0.5) * max(0.0, one.width - 2 * one.leg - 2 * foot)
        across = rng.uniform(-0.5, 0.5) * max(0.0, one.depth - 2 * foot)
        x, _, z = one.point(along, 0.0, across)
        return x, one.height if relation == "on" else 0.0, z
    reach_x, reach_z = one.reach
    if relation in ("left", "right"):
        away = reach_x + foot + rng.uniform(0.1, 0.35)
        return one.x + (away if relation == "right" else -away), 0.0, one.z + rng.uniform(-0.25, 0.25)
    if relation == "front":
        return one.x + rng.uniform(-0.3, 0.3), 0.0, one.z - reach_z - foot - rng.uniform(0.1, 0.3)
    # Behind a table it is seen over the board, behind a chair through the back and beside it.
    table = one.kind == "table"
    aside = rng.uniform(0.0, 0.35) if table else rng.uniform(0.12, 0.5)
    gap = rng.uniform(0.5, 1.6) if table else rng.uniform(0.25, 1.0)
    return one.x + float(rng.choice((-aside, aside))), 0.0, one.z + reach_z + foot + gap


def _plain(scene: TableScene, relation: Relation) -> bool:
    """Whether enough is seen of both figures, and whether what is behind a table looks so.

    What ends just at the far edge of the board would look as if it stood there: it is cut off or clear of it.
    """
    thing, furniture = showing(scene)
    if min(thing, furniture) < SHOWN:
        return False
    clear = scene.furniture_box.top - scene.thing_box.bottom >= 0.02 * min(scene.size)
    return relation != "behind" or scene.stage.furniture.kind != "table" or clear or thing <= CUT


def _inside(scene: TableScene) -> bool:
    margin = EDGE * min(scene.size)
    boxes: Sequence[tuple[float, float, float, float]] = (scene.thing_box, scene.furniture_box)
    return all(
        min(left, top) >= margin and right <= scene.size[0] - margin and bottom <= scene.size[1] - margin
        for left, top, right, bottom in boxes
    )


def _real(rng: np.random.Generator, low: float, high: float) -> float:
    return round(float(rng.uniform(low, high)), 3)


def _tinted(colors: Sequence[Color], rng: np.random.Generator) -> Color:
    shift = rng.integers(-6, 7, 3)
    red, green, blue = (int(np.clip(c + s, 0, 255)) for c, s in zip(rng.choice(colors), shift, strict=True))
    return red, green, blue
