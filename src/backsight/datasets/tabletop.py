"""Tabletop scenes as a folder in What'sUp's published form, so that one reader serves both.

Beside the two lists and the pictures the folder holds `tabletop.json` (boxes, seed, and which pairs of a thing and a
piece of furniture training never shows) and a contact sheet.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from backsight.datasets import contact_sheet
from backsight.datasets.files import new_folder
from backsight.datasets.folder import CONTACT_SHEET
from backsight.datasets.whatsup_files import FILES, MARKER
from backsight.errors import UsageError
from backsight.examples import Example
from backsight.stimuli import tabletop
from backsight.stimuli.groups import GroupedSet
from backsight.stimuli.questions import WHATSUP_RELATIONS, Relation, WhatsUpSet
from backsight.stimuli.tabletop import Group
from backsight.stimuli.tabletop_drawing import TabletopPicture

FOLDERS: dict[WhatsUpSet, str] = {"a": "data/controlled_images", "b": "data/controlled_clevr"}
QUALITY = 95
WORDS: dict[Relation, str] = {
    "left": "to the left of",
    "right": "to the right of",
    "on": "on",
    "under": "under",
    "front": "in front of",
    "behind": "behind",
}


def write(
    out: Path, *, size: tuple[int, int] = tabletop.SIZE, sets: Sequence[WhatsUpSet] = ("a", "b"), scenes: int = 2,
    seed: int = 0, held: bool | None = None,
) -> Path:  # fmt: skip
    """Write `scenes` sets of four pictures a pair of thing and furniture and a set of What'sUp; `out`, whole or not.

    `size` is (width, height) in pixels; pictures are JPEG files of quality 95. `held` keeps the pairs that training
    never shows (True) or the others (False). UsageError where `out` is taken or cannot be written to, and for
    numbers that make no set; DataError where writing fails midway.
    """
    if scenes < 1 or not sets or min(size) < 32:
        raise UsageError(
            "Tabletop needs a scene a pair, a set, and 32 pixels a side",
            got=f"{scenes} scenes, sets {', '.join(sets) or 'none'}, {size[0]} x {size[1]} px",
        )
    with new_folder(out) as part:
        examples: list[Example] = []
        notes: dict[str, Any] = {}
        for which in sets:
            (part / FOLDERS[which]).mkdir(parents=True)
            drawn = list(
                islice(tabletop.groups(which, size, seed=seed, held=held), scenes * len(tabletop.all_pairs(held)))
            )
            rows = [row for group in drawn for row in _written(group, part, notes)]
            (part / FILES[which]).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
            examples += [
                tabletop.example(s, which, group.stem(relation), f"{which}-{group.name}")
                for group in drawn
                for relation, s in group.scenes.items()
            ]
        contact_sheet.draw(GroupedSet("tabletop", tuple(examples))).save(part / CONTACT_SHEET, "PNG")
        record = {"seed": seed, "size": list(size), "held_out": sorted(map(list, tabletop.held_out()))}
        (part / MARKER).write_text(json.dumps(record | {"pictures": notes}, indent=1) + "\n", encoding="utf-8")
    return out


def captions(group: Group, relation: Relation) -> list[str]:
    """The four captions of a set about its two things, that of `relation` first, as What'sUp has them."""
    thing, furniture = group.pair
    article = "An" if thing[0] in "aeiou" else "A"
    relations = sorted(WHATSUP_RELATIONS[group.which], key=lambda one: one != relation)
    return [f"{article} {thing} {WORDS[one]} a {furniture}" for one in relations]


def _written(group: Group, part: Path, notes: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a set of four whose pictures are now in the folder; their boxes are added to `notes`."""
    rows = []
    for relation, scene in group.scenes.items():
        path = f"{FOLDERS[group.which]}/{group.stem(relation)}.jpeg"
        TabletopPicture(scene).open().save(part / path, "JPEG", quality=QUALITY)
        rows.append({"image_path": path, "caption_options": captions(group, relation)})
        boxes = {scene.thing.name: scene.thing_box, scene.stage.furniture.kind: scene.furniture_box}
        notes[path] = {"boxes": {name: [round(side, 2) for side in box] for name, box in boxes.items()}}
    return rows
