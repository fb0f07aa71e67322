"""Isolated objects, pictures that tell what a thing is and not where: each in the centre, and the ground without any.

Their image tokens stand for a scene's own when the order that the vision encoder wrote is removed (Dual
Mechanisms, 5.3.1 and figure 9). Beside them stand the two other things that ablations ask for: the two alternatives of
a question, between which chance is one half, and a presence question about the same picture.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

from backsight.errors import CannotAnswer
from backsight.examples import Example
from backsight.grid import Box
from backsight.stimuli import object_pictures, rows, things
from backsight.stimuli.questions import NUMBER, OPPOSITE, PRESENCE, SYSTEM, WHATSUP_OPPOSITE
from backsight.stimuli.render import Assets, ScenePicture
from backsight.stimuli.scene import Scene
from backsight.stimuli.tabletop_world import TableScene

# Each answer that names a relation, with the one that names its opposite, in words and as CREG's numbers.
OPPOSITES: dict[str, str] = {
    **{str(one): str(other) for one, other in (*OPPOSITE.items(), *WHATSUP_OPPOSITE.items())},
    **{NUMBER[one]: NUMBER[other] for one, other in OPPOSITE.items()},
}
NUMBERS = frozenset(NUMBER.values())


@dataclass(frozen=True)
class Isolated:
    """An isolated entity: its picture, its box there (`source`) and in the scene (`target`), whole cells apart."""

    picture: ScenePicture
    source: Box
    target: Box


def row_of(example: Example) -> rows.Row:
    """The row that an example asks about; CannotAnswer where it is no row of three."""
    if not isinstance(example.source, rows.Row):
        raise CannotAnswer("Its order can only be removed from rows of three", got=f"the suite {example.suite}")
    return example.source


def drawn(example: Example) -> tuple[Scene, Assets] | None:
    """The scene of figures on a ground that an example shows, with the folder of its pictures; None for any other.

    A photograph shows no thing without the others, nor does a scene in perspective show one at another position with
    the same tokens, so their order cannot be removed.
    """
    if isinstance(example.source, rows.Row):
        return example.source.scene, example.source.assets
    if isinstance(example.source, Scene):
        return example.source, None
    return None


def isolated(example: Example, cell: tuple[float, float]) -> tuple[tuple[Isolated, ...], ScenePicture]:
    """Each entity of a drawn scene isolated, moved by whole cells (width, height in px) to the centre; and the ground.

    CannotAnswer where the example shows no drawn scene.
    """
    shown = drawn(example)
    if shown is None:
        raise CannotAnswer("Its order can only be removed from drawn figures", got=f"the suite {example.suite}")
    whole, assets = shown
    width, height = whole.size
    entities = []
    for figure in whole.named:
        x, y = figure.box.center
        dx = round(round((width / 2 - x) / cell[0]) * cell[0])
        dy = round(round((height / 2 - y) / cell[1]) * cell[1])
        box = Box(figure.box.left + dx, figure.box.top + dy, figure.box.right + dx, figure.box.bottom + dy)
        scene = whole.with_figures((replace(figure, box=box),))
        entities.append(Isolated(ScenePicture(scene, assets), box, figure.box))
    return tuple(entities), ScenePicture(whole.with_figures(()), assets)


def others(example: Example) -> tuple[str, str]:
    """The two alternatives of a question, of which one is the answer.

    Of three things in a row (a composite too) the two that the question does not name, first and last along the axis;
    of a relation it and its opposite, in the order of the options. CannotAnswer where there are no two.
    """
    two = alternatives(example)
    if two is None:
        do = "ask about rows of three, or for a relation whose opposite is an option"
        raise CannotAnswer("These questions have no two alternatives", got=f"the suite {example.suite}", do=do)
    return two


def alternatives(example: Example) -> tuple[str, str] | None:
    """The two alternatives of a question; None where there are no two."""
    names = getattr(example.source, "names", None)
    if isinstance(names, tuple) and len(names) == 3 and example.answer in (names[0], names[2]):
        return (names[0], names[2]) if names[0] != names[2] else None
    if example.answer in NUMBERS and not set(example.options) <= NUMBERS:
        return None
    pair = {example.answer, OPPOSITES.get(example.answer)}
    first, *rest = [option for option in example.options if option in pair] or [""]
    return (first, rest[0]) if len(rest) == 1 else None


def control(example: Example) -> Example | None:
    """A presence question about the same picture, which needs no spatial information: which of two things is there.

    Which thing of the picture is named, against which absent one and in which order follow from the example's id. None
    of a photograph, of which nobody says what is not in it.
    """
    shown = _shown(example)
    if shown is None:
        return None
    suite, names, known = shown
    draw = zlib.crc32(f"control:{example.id}".encode())
    absent = [name for name in known if name not in names]
    there, missing = names[draw % len(names)], absent[draw // len(names) % len(absent)]
    one, two = (there, missing) if draw // 64 % 2 else (missing, there)
    return replace(
        example,
        id=f"{example.id}-control",
        question=PRESENCE[suite].format(one=one, two=two),
        options=(one, two),
        answer=there,
        system=SYSTEM,
    )


def _shown(example: Example) -> tuple[str, tuple[str, ...], tuple[str, ...]] | None:
    """Whose presence question fits, what is in the picture, and all that could be; None where that is not known."""
    source = example.source
    if isinstance(source, rows.Row):
        return source.suite, source.names, source.known
    if isinstance(source, Scene):
        named = tuple(figure.name for figure in source.named)
        return ("objects", named, object_pictures.NAMES) if set(named) <= set(object_pictures.NAMES) else None
    if isinstance(source, TableScene):
        return "objects", (source.thing.name,), things.NAMES
    return None
