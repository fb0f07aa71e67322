"""The fixed words of the section, what they are chosen by, and how a step is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
QUESTIONS = {"column": "left and right", "row": "above and below"}
OTHER = {"column": "row", "row": "column"}
MAJORITY = 0.5
CAPTION = (
    "Left: correct answers asked again with one coordinate of the image tokens mirrored; the share that becomes its "
    "mirror image (hollow: with a gray picture) and the share that stays, with 95 % intervals. Right: how far the last "
    "position's attention within the image moves with the image keys turned by a step (total variation, mean over "
    "heads); dashed: with keys turned as far, to no position."
)
METHOD = (
    "Mirrored: the image token at column c is given the position ids of column W - 1 - c of its row (or rows "
    "likewise); pixels and token order stay. A question whose answer lies along the mirrored coordinate must then have "
    "the opposite answer if it is read from rotary positions, and the same if not; one along the other coordinate must "
    "stay. On and under count as above and below.",
    "Answers count as read from the rotary coordinates where more than half become their mirror image, and more than "
    "with a gray picture, by their intervals; in part where only the latter holds; as not depending on them where more "
    "than half stay.",
    "Turned: the keys of the image tokens are turned by the angles of a step along columns, rows or both, in every "
    "layer, the queries are not (Beyond Semantics, arXiv 2503.17349, whose index is the change of the image's share of "
    "attention). A turn behind the rotary positions is exact: R(p + d) k = R(d) R(p) k. The null turns every pair of "
    "features of every key by the same angle to a random side, so that each key moves as far and to no position. "
    "Changes of attention include what earlier layers changed.",
)
LIMITS = (
    "An answer that stays need not come from the vision encoder: causal order, which the mirror leaves, has positions "
    "too.",
    "A step moves all image keys together and leaves what is near near: a small effect says that the answer does not "
    "depend on exact distances, not that it does not depend on positions.",
)
WORDS = {
    "follows": "they are read from the rotary coordinates",
    "in part": "they are read from the rotary coordinates in part",
    "disturbed": "they depend on the rotary coordinates, without becoming the mirror image",
    "stays": "more than half do not depend on the rotary coordinates",
    "cannot tell": "whether they depend on the rotary coordinates is not shown",
}


def first_step(rows: Sequence[Row]) -> int:
    """The smallest step by size that rows have; 1 where they have none."""
    return min((int(r["steps"]) for r in rows if r["steps"] is not None), key=lambda n: (abs(n), -n), default=1)


def verdict(mirrored: Row, stays: Row) -> str:
    """A key of `WORDS`, from the shares along a question's own coordinate.

    More than half must mirror, more than with a gray picture, by their intervals; more than half must stay and no more
    mirror than with a gray picture; fewer than half stay, and fewer than half mirror.
    """
    if mirrored["omitted"] or stays["omitted"]:
        return "cannot tell"
    gap = mirrored["difference_low"]
    beyond = mirrored["low"] > MAJORITY if gap is None else gap > 0
    if beyond:
        return "follows" if mirrored["low"] > MAJORITY else "in part"
    if stays["low"] > MAJORITY:
        return "stays"
    return "disturbed" if max(stays["high"], mirrored["high"]) < MAJORITY else "cannot tell"


def cells(step: int) -> str:
    """A step in words."""
    return f"{'one cell' if abs(step) == 1 else f'{abs(step)} cells'}{' backwards' if step < 0 else ''}"
