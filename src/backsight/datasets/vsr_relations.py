"""VSR's words (Liu et al., 2023): what its 66 relations say of a picture, its captions' names, COCO's categories.

Neither VSR nor CREG says which relation stands for which direction: `RELATIONS` is a choice made here. A relation has
a direction where its words place one thing on a side of the other in the picture. Contact, distance, depth (in front
of), facing, parts and ways (down from, past) place it on no side.

Left and right depend on whose they are. VSR's random split notes the frame of each true caption about them as 0, 1 or
2 and does not explain the numbers. Things without a front of their own (bowl, cake, banana, cup) are the reference in
1 almost without exception, so 1 is read as the viewer's frame, 0 as the reference's own, 2 as both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from backsight.stimuli.questions import Direction

Match = Literal["exact", "substring"]

VIEWER = 1
# With the label true, these give 240, 121 and 828 rows of the random split, as in CREG's table 7. CREG does not name
# them: they are inferred from the three counts, which the rule that it states does not give.
PAPER_RELATIONS = ("above", "below", "on top of", "under", "on")

_NOWHERE = (
    *("across", "across from", "adjacent to", "against", "ahead of", "along", "alongside", "among", "around", "at"),
    *("at the back of", "at the edge of", "at the side of", "attached to", "away from", "behind", "beside", "between"),
    *("beyond", "by", "close to", "congruent", "connected to", "consists of", "contains", "detached from", "down"),
    *("down from", "enclosed by", "facing", "facing away from", "far away from", "far from", "has as a part", "in"),
    *("in front of", "in the middle of", "inside", "into", "near", "next to", "off", "opposite to", "out of"),
    *("outside", "parallel to", "part of", "past", "perpendicular to", "surrounding", "through", "touching", "toward"),
    *("with", "within"),
)
RELATIONS: Mapping[str, Direction | None] = {
    "above": "above",
    "over": "above",
    # What is on a thing is seen above it, whatever it covers of it.
    "on": "above",
    "on top of": "above",
    "below": "below",
    "under": "below",
    "beneath": "below",
    "at the left side of": "left",
    "left of": "left",
    "at the right side of": "right",
    "right of": "right",
    **dict.fromkeys(_NOWHERE),
}
DIRECTIONAL = tuple(relation for relation, direction in RELATIONS.items() if direction)

CATEGORIES = (
    *("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light"),
    *("fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow"),
    *("elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee"),
    *("skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard"),
    *("tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple"),
    *("sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch"),
    *("potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone"),
    *("microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear"),
    *("hair drier", "toothbrush"),
)

_ARTICLE = r"(?:(?:the|an?) )?"


def names(caption: str, relation: str) -> tuple[str, str] | None:
    """Subject and reference of a caption in lower case, or None where it does not say the relation of the two.

    Captions read "The <subject> is <relation> the <reference>."; three relations are verbs of their own (contains,
    consists of, has as a part). Articles, capitals, spaces and the full stop may be other than that.
    """
    words = re.escape(_plain(relation))
    form = rf"{_ARTICLE}(.+?) (?:(?:is|are) )?{words} {_ARTICLE}(.+?) ?\.?"
    match = re.fullmatch(form, _plain(caption))
    return (match[1], match[2]) if match else None


def category(name: str, match: Match = "exact") -> str | None:
    """COCO's category for a name, or None.

    "exact" takes the name itself, capitals aside. "substring" also takes the longest category that stands in the
    name, so that "brown teddy bears" are a teddy bear and no bear, and else the only category in which the name
    stands ("table": dining table; "ball" stands in three and is none). Letters count, not words: "cattle" is a cat
    and "caravan" a car, which is why "exact" is the default.
    """
    plain = _plain(name)
    if plain in CATEGORIES:
        return plain
    if match == "exact" or not plain:
        return None
    inside = [one for one in CATEGORIES if one in plain]
    around = [one for one in CATEGORIES if plain in one]
    return max(inside, key=len) if inside else around[0] if len(around) == 1 else None


def direction(relation: str, frame: int | None) -> Direction | None:
    """Where a true caption places its subject in the picture, or None where it does not.

    Left and right count in the viewer's `frame` alone: in another, or one that is not noted, they are no direction of
    the picture.
    """
    direction = RELATIONS.get(relation)
    return None if direction in ("left", "right") and frame != VIEWER else direction


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
