"""The words of the section: fixed ones, and sentences that are functions of the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.maths.grouping import SMALLEST
from backsight.results.drawing.style import counted
from backsight.results.pages.wording import percent

Row = Mapping[str, Any]
QUESTIONS = {"column": "left and right", "row": "above and below"}
OTHER = {"column": "row", "row": "column"}
MAJORITY = 0.5
TITLE = "How much of the answer depends on the rotary coordinates"
LEAD = "Coordinates of the image tokens mirrored in the language model, while pixels and the order of tokens stay:"
CAPTION = (
    "Left: questions answered right, asked again with one coordinate of the image tokens mirrored in the language "
    "model's position ids, pixels and token order as they were; the share of answers that become their mirror image "
    "(hollow: the same with a gray picture), and that stay, with 95 % intervals. Right: how far the last position's "
    "attention within the image moves (total variation, mean over heads) with the image keys turned by a step; dashed: "
    "with keys that are turned as far, to no position."
)
METHOD = (
    "Counterfactual: the image token at column c is given the position ids of column W - 1 - c of its row (or rows "
    "likewise); every other input is as it was. Where ids count tokens in raster order they are exchanged within the "
    "row, and causal order stays. A question whose answer lies along the mirrored coordinate must then have the "
    "opposite answer if it is read from rotary positions, and the plain one if not; one that lies along the other "
    "coordinate must stay. Asked of questions that are answered right before; on and under count as above and below.",
    "Sensitivity: the keys of the image tokens are turned by the angles of a step along columns, rows or both, in "
    "every layer, the queries are not (Beyond Semantics, arXiv 2503.17349, whose index is the change of the image's "
    "share of attention). A turn behind the rotary positions is exact: R(p + d) k = R(d) R(p) k. As a null every pair "
    "of features of every key turns by the same angle to a side drawn at random, so that each key moves as far and to "
    "no position. Changes of attention hold what earlier layers changed.",
    f"Intervals hold 95 %, pictures as units; differences from the null are paired. Fewer than {SMALLEST} questions "
    "are omitted.",
)
LIMITS = (
    "An answer that stays need not come from the vision encoder: causal order, which the mirror leaves, tells "
    "positions too.",
    "A step moves all image keys together: what is near stays near, so a small effect says that the answer does not "
    "depend on exact distances, not that it does not depend on positions. The mirror asks that.",
)


def first_step(rows: Sequence[Row]) -> int:
    """The smallest step by size that rows have; 1 where they have none."""
    return min((int(r["steps"]) for r in rows if r["steps"] is not None), key=lambda n: (abs(n), -n), default=1)


def verdict(mirrored: Row, stays: Row) -> str:
    """`follows`, `in part`, `stays`, `disturbed` or `cannot tell`, from the shares along a question's own coordinate.

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


WORDS = {
    "follows": "they are read from the rotary coordinates",
    "in part": "they are read from the rotary coordinates in part",
    "stays": "more than half of them do not depend on the rotary coordinates",
    "disturbed": "they depend on the rotary coordinates and are lost with them, without a mirror image",
    "cannot tell": "the questions do not tell whether they depend on the rotary coordinates",
}


def mirror_sentence(along: str, rows: Mapping[tuple[str, str, str], Row]) -> str:
    """What becomes of the answers along a coordinate, from rows by (along, given, quantity); empty without them."""
    mirrored, stays, other = (rows.get((along, along, name)) for name in ("mirrored", "stays", "other"))
    if mirrored is None or stays is None or other is None:
        return ""
    asked = counted(mirrored["questions"], "right answer")
    if mirrored["omitted"]:
        return f"{QUESTIONS[along]}: omitted ({asked}, {SMALLEST} needed)"
    beside = [] if mirrored["null"] is None else [f"gray picture: {percent(mirrored['null'])}"]
    control = rows.get((along, OTHER[along], "mirrored"))
    if control is not None and not control["omitted"]:
        beside.append(f"{OTHER[along]}s mirrored: {percent(control['value'])}")
    shown = f" ({'; '.join(beside)})" if beside else ""
    return (
        f"{QUESTIONS[along]}, {along}s mirrored: of {asked} {_share(mirrored)} become their mirror "
        f"image{shown}, {_share(stays)} stay and {_share(other)} become another one: "
        f"{WORDS[verdict(mirrored, stays)]}"
    )


def budget_sentence(ranges: Mapping[str, float], rows: Mapping[tuple[str, str, str], Row]) -> str:
    """The language model's rotary phase range of both axes, radians over the grid, beside what follows each; empty
    where either is missing."""
    shown = {along: rows.get((along, along, "mirrored")) for along in QUESTIONS}
    column, row = shown["column"], shown["row"]
    if not ranges.keys() >= QUESTIONS.keys() or column is None or row is None or column["omitted"] or row["omitted"]:
        return ""
    wide = max(QUESTIONS, key=lambda along: ranges[along])
    near, far = (column, row) if wide == "column" else (row, column)
    if near["low"] > far["high"]:
        relation = "The axis with the larger range follows its coordinates more"
    elif far["low"] > near["high"]:
        relation = (
            "The axis with the smaller range follows its coordinates more: the range bounds what rotation can tell"
        )
    else:
        relation = "By their intervals the two axes do not follow differently"
    return (
        f"Rotary phase range of the language model, at most: {ranges['column']:.3g} radians over the columns and "
        f"{ranges['row']:.3g} over the rows; mirrored are {_share(column)} of the answers of left and right "
        f"and {_share(row)} of above and below. {relation}"
    )


def turn_sentence(rows: Sequence[Row]) -> str:
    """What turned keys change in one suite: the answer, and the attention within the image at the layer where it moves
    most; empty where nothing was measured."""
    step = first_step([r for r in rows if r["edit"] == "turn"])
    turn = [r for r in rows if r["edit"] == "turn" and r["steps"] == step and not r["omitted"]]
    parts = []
    for given in ("column", "row"):
        changed = next((r for r in turn if r["given"] == given and r["quantity"] == "changed"), None)
        moved = [r for r in turn if r["given"] == given and r["quantity"] == "map_moved"]
        if changed is None or not moved:
            continue
        most = max(moved, key=lambda r: float(r["value"]))
        parts.append(
            f"along {given}s {_share(changed)} of the answers change ({_against(changed)} "
            f"{percent(changed['null'])} with keys turned as far to no position), and of the attention within the "
            f"image at most {_share(most)} moves (layer {most['layer']}; {percent(most['null'])} there)"
        )
    return f"image keys turned by {cells(step)}: {'; '.join(parts)}" if parts else ""


def cells(step: int) -> str:
    """A step in words."""
    return f"{'one cell' if abs(step) == 1 else f'{abs(step)} cells'}{' backwards' if step < 0 else ''}"


def _share(row: Row) -> str:
    """A row's value with its 95 % interval."""
    return f"{percent(row['value'])} [{100 * row['low']:.1f},\u00a0{100 * row['high']:.1f}]"


def _against(row: Row) -> str:
    """How a value stands to its null by the paired difference's interval."""
    if row["difference_low"] > 0:
        return "more than"
    return "fewer than" if row["difference_high"] < 0 else "not told apart from"
