"""One row of three: what may stand in it, how it is drawn, and the question about it.

`rows` makes the suites of such rows, and `counterfactuals` turns one row into another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from backsight.examples import Example
from backsight.grid import Box
from backsight.stimuli import object_pictures
from backsight.stimuli.layouts import Axis
from backsight.stimuli.questions import SYSTEM, Direction, row_question
from backsight.stimuli.render import Assets, Painter, ScenePicture
from backsight.stimuli.scene import Color, Figure, FigureKind, Scene

Suite = Literal["squares", "shapes", "objects"]
SUITES: tuple[Suite, ...] = ("squares", "shapes", "objects")
Triple = tuple[str, str, str]

COLORS: dict[str, Color] = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "black": (0, 0, 0),
    "brown": (150, 75, 0),
    "gray": (128, 128, 128),
}
SHAPE_OF: dict[str, FigureKind] = {
    "red": "square",
    "green": "circle",
    "blue": "triangle",
    "black": "star",
    "brown": "cross",
    "gray": "heart",
}


@dataclass(frozen=True)
class Row:
    """How a row scene was made: its suite, the three names and the axis. Kept as the `source` of an example."""

    suite: Suite
    names: Triple
    axis: Axis
    scene: Scene
    assets: Assets = None

    @property
    def known(self) -> tuple[str, ...]:
        """What may stand in such a row: the options of its question."""
        return self.assets.names if isinstance(self.assets, Painter) else fillers(self.suite)

    def instead(self, name: str, old: Figure) -> Figure:
        """The figure called `name` to stand where another of the row stands."""
        if isinstance(self.assets, Painter):
            return self.assets.instead(name, old)
        return figure(self.suite, name, old.box, shade=old.shade)


def fillers(suite: Suite) -> tuple[str, ...]:
    """What may stand in a suite's rows: six colours, or eight objects."""
    return object_pictures.NAMES if suite == "objects" else tuple(COLORS)


def axis_of(direction: Direction) -> Axis:
    """The axis along which a direction points."""
    return "horizontal" if direction in ("left", "right") else "vertical"


def figure(suite: Suite, name: str, box: Box, *, color: Color | None = None, shade: float = 0.0) -> Figure:
    """The figure that a suite draws for a name."""
    if suite == "objects":
        return Figure(name, "picture", box, shade=shade)
    kind: FigureKind = "square" if suite == "squares" else SHAPE_OF[name]
    return Figure(name, kind, box, COLORS[name] if color is None else color)


def example(row: Row, direction: Direction, key: str) -> Example:
    """The question of a row in a direction; the answer is the entity on that side of the middle one."""
    answer = row.names[0 if direction in ("left", "above") else 2]
    boxes = {f.name: f.box for f in row.scene.named}
    return Example(
        id=f"{key}-{direction}-{'.'.join(row.names)}",
        picture=ScenePicture(row.scene, row.assets),
        question=row_question(row.suite, direction, row.names[1]),
        options=row.known,
        answer=answer,
        suite=key,
        direction=direction,
        subject=answer,
        reference=row.names[1],
        boxes=boxes,
        system=SYSTEM,
        source=row,
    )
