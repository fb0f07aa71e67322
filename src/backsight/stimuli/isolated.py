"""Isolated objects, pictures that tell what a thing is and not where: each in the centre, and the ground without any.

Their image tokens stand for a row's own when the order that the vision encoder wrote is removed (Dual
Mechanisms, 5.3.1 and figure 9).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

from backsight.errors import CannotAnswer
from backsight.examples import Example
from backsight.grid import Box
from backsight.stimuli import rows
from backsight.stimuli.questions import PRESENCE, SYSTEM
from backsight.stimuli.render import ScenePicture


@dataclass(frozen=True)
class Isolated:
    """An isolated entity: its picture, its box there (`source`) and in the row (`target`), whole cells apart."""

    picture: ScenePicture
    source: Box
    target: Box


def row_of(example: Example) -> rows.Row:
    """The row that an example asks about; CannotAnswer where it is no row of three."""
    if not isinstance(example.source, rows.Row):
        raise CannotAnswer("Its order can only be removed from rows of three", got=f"the suite {example.suite}")
    return example.source


def isolated(example: Example, cell: tuple[float, float]) -> tuple[tuple[Isolated, ...], ScenePicture]:
    """Each entity of a row isolated, moved by whole cells (width, height in px) to the centre; and the empty ground."""
    row = row_of(example)
    width, height = row.scene.size
    entities = []
    for figure in row.scene.named:
        x, y = figure.box.center
        dx = round(round((width / 2 - x) / cell[0]) * cell[0])
        dy = round(round((height / 2 - y) / cell[1]) * cell[1])
        box = Box(figure.box.left + dx, figure.box.top + dy, figure.box.right + dx, figure.box.bottom + dy)
        scene = row.scene.with_figures((replace(figure, box=box),))
        entities.append(Isolated(ScenePicture(scene, row.assets), box, figure.box))
    return tuple(entities), ScenePicture(row.scene.with_figures(()), row.assets)


def others(example: Example) -> tuple[str, str]:
    """The two entities of a row that its question does not name, first and last along the axis."""
    names = row_of(example).names
    return names[0], names[2]


def control(example: Example) -> Example:
    """A presence question about the same picture, which needs no spatial information: which of two things is there.

    Which entity of the row is named, against which absent one and in which order follow from the example's id.
    """
    row = row_of(example)
    draw = zlib.crc32(f"control:{example.id}".encode())
    absent = [name for name in row.known if name not in row.names]
    there, missing = row.names[draw % 3], absent[draw // 3 % len(absent)]
    one, two = (there, missing) if draw // 64 % 2 else (missing, there)
    return replace(
        example,
        id=f"{example.id}-control",
        question=PRESENCE[row.suite].format(one=one, two=two),
        options=(one, two),
        answer=there,
        system=SYSTEM,
    )
