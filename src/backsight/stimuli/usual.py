"""What is usual: the stated relation of a thing to a piece of furniture, and the scene in which it is reversed.

A lamp stands on a table; a ball lies under a chair. `USUAL` states it for those pairs of Tabletop's world of which it
can be said, and for no other: where a key lies is anybody's guess. The reversed twin of a scene has the same room, the
same furniture and the same thing, put where the opposite relation has it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from backsight.examples import Example
from backsight.stimuli import tabletop
from backsight.stimuli.questions import WHATSUP_OPPOSITE, Relation
from backsight.stimuli.tabletop_drawing import TabletopPicture
from backsight.stimuli.tabletop_world import TableScene

ON_TABLES = ("cup", "book", "bottle", "bowl", "lamp", "orange", "apple", "pot", "rose")
USUAL: Mapping[tuple[str, str], Relation] = {
    **{(thing, "table"): "on" for thing in ON_TABLES},
    ("ball", "table"): "under",
    ("ball", "chair"): "under",
    ("hat", "chair"): "on",
    ("book", "chair"): "on",
}  # fmt: skip


def usual(example: Example) -> str | None:
    """The usual relation of subject and reference as `USUAL` states it, where it is an option; else None."""
    relation = USUAL.get((str(example.subject), str(example.reference)))
    return relation if relation in example.options else None


def twin(example: Example) -> Example | None:
    """The question about the same stage with the thing in the opposite relation; None where there is no such scene.

    Only of Tabletop's scenes whose relation is the usual one or its opposite. The spot follows from the example's id.
    """
    scene, relation = example.source, usual(example)
    if not isinstance(scene, TableScene) or relation is None:
        return None
    other = WHATSUP_OPPOSITE.get(example.answer)  # type: ignore[call-overload]
    if relation not in (example.answer, other) or other not in example.options:
        return None
    put = tabletop.placed(scene, other, np.random.default_rng(zlib.crc32(f"twin:{example.id}".encode())))
    if put is None:
        return None
    return replace(
        example, id=f"{example.id}-twin", picture=TabletopPicture(put), answer=other, direction=other, source=put,
        boxes={str(example.subject): put.thing_box, str(example.reference): put.furniture_box},
    )  # fmt: skip
