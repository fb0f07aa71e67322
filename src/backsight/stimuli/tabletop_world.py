"""The world of the Tabletop scenes: a table or a chair in a room, and one thing placed by it.

Lengths have no unit of their own: a table is about one wide. x grows to the right, y upwards, z away from the
viewer. The relation of a thing to the furniture is read off these coordinates with a margin, from the viewer's
side; pictures, answers and sentences come after it.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Literal

from backsight.grid import Box
from backsight.stimuli.questions import Relation
from backsight.stimuli.scene import Color

FurnitureKind = Literal["table", "chair"]
Point = tuple[float, float, float]

RATIO = 1.5  # the displacement along one axis over that along the other, as in CREG's pairs
MARGIN = 0.08  # at least so much air between a thing beside and the furniture
THICKNESS = 0.06  # of a top or a seat


@dataclass(frozen=True)
class Furniture:
    """A table or a chair on the floor at (x, z), turned by `turn` degrees; `height` is that of its upper surface.

    `back` is the height of a chair's back over the floor, and 0 for a table. Its legs are `leg` wide.
    """

    kind: FurnitureKind
    x: float
    z: float
    width: float
    depth: float
    height: float
    back: float
    leg: float
    turn: float
    color: Color

    @property
    def reach(self) -> tuple[float, float]:
        """How far it reaches from its middle along x and along z."""
        c, s = abs(math.cos(math.radians(self.turn))), abs(math.sin(math.radians(self.turn)))
        return (self.width * c + self.depth * s) / 2, (self.width * s + self.depth * c) / 2

    def inner(self, x: float, z: float) -> tuple[float, float]:
        """A place on the floor in the furniture's own axes, from its middle: along its width and its depth."""
        c, s = math.cos(math.radians(self.turn)), math.sin(math.radians(self.turn))
        return (x - self.x) * c + (z - self.z) * s, (z - self.z) * c - (x - self.x) * s

    def point(self, along: float, y: float, across: float) -> Point:
        """A point that is given in the furniture's own axes."""
        c, s = math.cos(math.radians(self.turn)), math.sin(math.radians(self.turn))
        return self.x + along * c - across * s, y, self.z + along * s + across * c


@dataclass(frozen=True)
class Thing:
    """A thing that stands at (x, y, z), y being the height of what it stands on; `width` and `height` are its own.

    `color` is the colour of a thing that comes in several; `shade` (-1 to 1) makes it darker or lighter.
    """

    name: str
    x: float
    y: float
    z: float
    width: float
    height: float
    color: Color | None = None
    shade: float = 0.0


@dataclass(frozen=True)
class Stage:
    """All but the thing: furniture, viewer, light and ground.

    The viewer stands at height `eye`, `away` before z = 0, and looks straight ahead; `zoom` is the focal length in
    sides of the picture, and `drop` moves the picture down, as a shift lens does, so that upright stays upright.
    `light` is the overall brightness; shadows fall by `sun` (along x, along z) for each unit of height.
    """

    furniture: Furniture
    eye: float
    away: float
    zoom: float
    drop: float
    wall_at: float
    light: float
    sun: tuple[float, float]
    floor: Color
    wall: Color
    texture: int | None

    def project(self, x: float, y: float, z: float) -> tuple[float, float]:
        """Where a point shows, in sides of the picture: from its vertical middle line, and down from its top."""
        scale = self.scale(z)
        return scale * x, scale * (self.eye - y) - self.drop

    def scale(self, z: float) -> float:
        """Sides of the picture that one unit of length takes at depth z."""
        return self.zoom / (z + self.away)


@dataclass(frozen=True)
class TableScene:
    """A stage with one thing, as a picture of `size` (width, height) in pixels."""

    size: tuple[int, int]
    stage: Stage
    thing: Thing

    @property
    def id(self) -> str:
        """Hash of the whole scene; equal ids are equal pictures."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    def pixels(self, point: Point) -> tuple[float, float]:
        """Where a point of the world shows, in pixels. A picture that is no square has more room at two sides."""
        side = min(self.size)
        u, v = self.stage.project(*point)
        return self.size[0] / 2 + u * side, self.size[1] / 2 + (v - 0.5) * side

    @property
    def thing_box(self) -> Box:
        """The box of the whole thing in pixels, hidden parts included."""
        thing = self.thing
        x, y = self.pixels((thing.x, thing.y, thing.z))
        scale = self.stage.scale(thing.z) * min(self.size)
        half = thing.width * scale / 2
        return Box(x - half, y - thing.height * scale, x + half, y)

    @property
    def furniture_box(self) -> Box:
        """The box of the whole furniture in pixels, hidden parts included."""
        one = self.stage.furniture
        along, across = one.width / 2, one.depth / 2
        levels = [(0.0, -across), (one.height, -across), (0.0, across), (max(one.height, one.back), across)]
        points = [self.pixels(one.point(a, y, c)) for a in (-along, along) for y, c in levels]
        xs, ys = zip(*points, strict=True)
        return Box(min(xs), min(ys), max(xs), max(ys))


def relation_of(thing: Thing, furniture: Furniture) -> Relation | None:
    """Where a thing is relative to the furniture, seen by the viewer; None where that is not clear.

    `on`: it stands on the upper surface with its whole foot. `under`: on the floor between the legs, its top below
    the board. Beside: on the floor, clear of the furniture by `MARGIN`, and farther along one axis than `RATIO`
    times the other. A thing's foot is taken to be as deep as it is wide.
    """
    foot = thing.width / 2
    along, across = (abs(value) for value in furniture.inner(thing.x, thing.z))
    over = along + foot <= furniture.width / 2 and across + foot <= furniture.depth / 2
    if thing.y == furniture.height:
        return "on" if over else None
    if thing.y != 0:
        return None
    between = along + foot <= furniture.width / 2 - furniture.leg and across + foot <= furniture.depth / 2
    if between:
        return "under" if thing.height + MARGIN / 2 <= furniture.height - THICKNESS else None
    dx, dz = thing.x - furniture.x, thing.z - furniture.z
    reach_x, reach_z = furniture.reach
    if abs(dx) > RATIO * abs(dz) and abs(dx) - foot - reach_x >= MARGIN:
        return "right" if dx > 0 else "left"
    if abs(dz) > RATIO * abs(dx) and abs(dz) - foot - reach_z >= MARGIN:
        return "behind" if dz > 0 else "front"
    return None
