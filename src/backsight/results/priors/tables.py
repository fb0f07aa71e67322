"""Tables of priors: rows a question and condition, and the shares of answers that follow pixels, prior, neither."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pandas as pd

from backsight.maths.grouping import AXES, SMALLEST, expect, groups
from backsight.maths.intervals import Interval, difference_over_images, mean_over_images
from backsight.stimuli.isolated import OPPOSITES
from backsight.tables import Schema, Table

PRIORS = Schema(
    "priors",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "prompt": "str",
        "direction": "str",  # of the question upright
        "subject": "str",
        "reference": "str",
        "asked": "str",  # where, or presence
        "condition": "str",  # upright, upside down, blank, or twin: the scene with the opposite relation
        "answer": "str",  # right of what is shown; of a blank image, of the picture upright
        "upright": "str",  # right upright; of presence the sample's own answer
        "usual": "str",  # the usual relation where it is stated (stimuli.usual)
        "options": "int",
        "choice": "str",
    },
    "Answers upright, upside down, of reversed scenes and of a blank image, one row a question and condition",
)
PRIORS_SUMMARY = Schema(
    "priors_summary",
    {
        "suite": "str",
        "prompt": "str",
        "direction": "str",  # all, horizontal or vertical
        "test": "str",  # upside down, or usual relation
        "source": "str",  # of the prior: upright picture, stated, majority, or blank image
        "condition": "str",  # upright and upside down; usual and reversed
        "questions": "int",
        "images": "int",
        "chance": "float",
        **{
            f"{name}{end}": "float"
            for name in ("pixels", "prior", "neither")  # shares of the answers
            for end in ("", "_low", "_high", "_blank")  # _blank: of the answers to a blank image
        },
        # pixels here less pixels in the line before it, over questions that are asked both ways; of twins every usual
        # relation weighs alike
        **{f"difference{end}": "float" for end in ("", "_low", "_high")},
        # prior here less what errors alone would give: `excess_of` says what that is
        **{f"excess{end}": "float" for end in ("", "_low", "_high")},
        "excess_null": "float",  # what errors alone give of it; every answer of the prior weighs alike, as in excess
        "excess_of": "str",  # the same error upright (or in the usual scene), even errors, or one answer only
        # the presence question upside down, upright, and the paired difference
        "presence": "float",
        "presence_upright": "float",
        "presence_upright_low": "float",  # of its interval; chance is one half
        **{f"presence_difference{end}": "float" for end in ("", "_low", "_high")},
        "omitted": "bool",
    },
    "Shares of answers that follow pixels, prior and neither, with 95 % intervals",
)
AGREED, ENOUGH = 0.8, 5  # the share of at least so many other pictures that makes a relation the usual one
SAME, EVEN, ONE = "same error", "even errors", "one answer"
Row = dict[str, object]
Frame = pd.DataFrame


def priors_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Both tests by suite and prompt, of all directions and by axis where both axes are asked.

    The usual relation of two things is the stated one; else the answer that at least 80 % of at least 5 other pictures
    of the same two have; else what the model answers to the blank image. Below `smallest` questions shares are omitted.
    """
    expect(rows, PRIORS.name)
    summary: list[Row] = []
    for (suite, prompt), group in groups(rows.frame, ["suite", "prompt"]):
        common = {"suite": suite, "prompt": prompt}
        for direction, part in _axes(group):
            for line in (*_upside_down(part, smallest), *_usual(part, smallest)):
                summary.append(dict.fromkeys(PRIORS_SUMMARY.columns) | common | {"direction": direction} | line)
    return Table.of(PRIORS_SUMMARY, summary, rows.provenance)


def _axes(group: Frame) -> Iterator[tuple[str, Frame]]:
    yield "all", group
    parts = {axis: group[group["direction"].isin(names)] for axis, names in AXES.items()}
    if all(len(part) for part in parts.values()):
        yield from parts.items()


def _of(group: Frame, condition: str, asked: str = "where") -> Frame:
    part = group[(group["asked"] == asked) & (group["condition"] == condition)]
    return part.set_index("example_id")


def _upside_down(group: Frame, smallest: int) -> list[Row]:
    """Upright and upside down, over the questions whose answer turns."""
    below, above = _of(group, "upside down"), _of(group, "upright")
    if below.empty:
        return []
    above = above.loc[below.index]
    blank = _of(group, "blank").reindex(below.index)
    common: Row = {"test": "upside down", "source": "upright picture"}
    # Upright the other slot holds the answer that would be right upside down: the same error without a reason.
    first, second = (
        _shares(side.assign(prior=other, blank=blank["choice"]), smallest)
        for side, other in ((above, below["answer"]), (below.assign(image_id=above["image_id"]), below["upright"]))
    )
    if not second["omitted"]:
        right = _equal(below["choice"], below["answer"]) - _equal(above["choice"], above["answer"])
        same = _equal(above["choice"], below["answer"])
        excess = _equal(below["choice"], below["upright"]) - same
        second |= _named("difference", _mean(right, above["image_id"]))
        second |= _excess(excess, same, above["answer"], above["image_id"], SAME)
        second |= _presence(group)
    return [common | {"condition": "upright"} | first, common | {"condition": "upside down"} | second]


def _presence(group: Frame) -> Row:
    """The presence question upright and upside down, over the questions that have one both ways."""
    above, below = _of(group, "upright", "presence"), _of(group, "upside down", "presence")
    both = above.index.intersection(below.index)
    if len(both) == 0:
        return {}
    above, below = above.loc[both], below.loc[both]
    one, two = (_equal(side["choice"], side["answer"]) for side in (above, below))
    difference = _named("presence_difference", _mean(two - one, above["image_id"]))
    upright = mean_over_images(one, above["image_id"].astype(str))
    row: Row = {"presence": float(two.mean()), "presence_upright": upright.mean, "presence_upright_low": upright.low}
    return row | difference


def _usual(group: Frame, smallest: int) -> list[Row]:
    """Scenes in which the usual relation holds, and those in which it is reversed, by where the prior is from.

    Reversed is the opposite relation; of the blank image's answer, which may be no relation, any other answer.
    """
    shown = pd.concat([_of(group, "upright").assign(twin=False), _of(group, "twin").assign(twin=True)])
    blank = _of(group, "blank")["choice"]
    shown = shown.assign(blank=blank.reindex(shown.index))
    shown = shown.assign(prior=shown["usual"], source="stated")
    majority = _majority(_of(group, "upright"))
    for column, source in ((majority.reindex(shown.index), "majority"), (shown["blank"], "blank image")):
        missing = (shown["prior"].isna() & column.notna()).to_numpy()
        shown["source"] = np.where(missing, source, shown["source"])
        shown["prior"] = np.where(missing, column.to_numpy(dtype=object), shown["prior"].to_numpy(dtype=object))
    lines: list[Row] = []
    for source in ("stated", "majority", "blank image"):
        mine = shown[(shown["source"] == source) & shown["prior"].notna()]
        holds = mine["answer"] == mine["prior"]
        reverse = ~holds if source == "blank image" else mine["prior"].map(OPPOSITES) == mine["answer"]
        if not reverse.any():
            continue
        common: Row = {"test": "usual relation", "source": source}
        usual, against = mine[holds], mine[reverse]
        if len(usual):
            lines.append(common | {"condition": "usual"} | _side(usual, None, smallest))
        lines.append(common | {"condition": "reversed"} | _side(against, usual, smallest))
    return lines


def _side(side: Frame, usual: Frame | None, smallest: int) -> Row:
    """One side of the test; `usual` is given where the side is the reversed one."""
    by_itself = bool((side["source"] == "blank image").all())  # there the prior is the blank image's answer
    row = _shares(side.assign(blank=None) if by_itself else side, smallest)
    if usual is None:  # where the usual relation holds pixels and prior say the same
        return row | {name: None for name in row if name.startswith("prior")}
    if row["omitted"]:
        return row
    both = side.index.intersection(usual.index)
    if len(both) >= smallest:
        one, two = usual.loc[both], side.loc[both]
        images = one["image_id"].where(~one["twin"], two["image_id"])  # the picture that the question came with
        right = _equal(two["choice"], two["answer"]) - _equal(one["choice"], one["answer"])
        same = _equal(one["choice"], two["answer"])
        excess = _equal(two["choice"], two["prior"]) - same
        weights = _weights(two["prior"])
        difference = _named("difference", _mean(right * weights, images, float(weights.max())))
        return row | difference | _excess(excess, same, two["prior"], images, SAME)
    # The opposite of the answer is an error that pixels make too, by left taken for right. Among the other wrong
    # answers the prior's must come more often than its share; where there is one at most, nothing can be told.
    opposite = side["answer"].map(OPPOSITES)
    side = side[(side["prior"] != opposite) & (side["options"] - opposite.notna() > 2)]
    if len(side) < smallest:
        return row
    opposite = side["answer"].map(OPPOSITES)
    prior = _equal(side["choice"], side["prior"])
    wrong = 1 - _equal(side["choice"], side["answer"]) - _equal(side["choice"], opposite)
    others = (side["options"] - 1 - opposite.notna()).to_numpy(dtype=float)
    even = wrong / others
    excess = prior - even
    # Of the blank image's answer a leaning to one answer is the prior: there is nothing to cancel.
    if by_itself:
        row |= {"excess_null": float(even.mean()), "excess_of": EVEN}
        return row | _named("excess", _mean(excess, side["image_id"]))
    return row | _excess(excess, even, side["prior"], side["image_id"], EVEN)


def _excess(
    values: np.ndarray,  # type: ignore[type-arg]
    null: np.ndarray,  # type: ignore[type-arg]
    prior: pd.Series[str], images: pd.Series[str], of: str,
) -> Row:  # fmt: skip
    """The mean excess, and the null that it is taken over, with every answer that the prior gives weighing alike.

    So a leaning to one answer, which adds where that is the prior's and takes away where another is, cancels. Of one
    answer alone it cannot.
    """
    weights = _weights(prior)
    interval = _mean(values * weights, images, float(weights.max()))
    row: Row = {"excess_null": float((null * weights).mean())}
    return row | _named("excess", interval) | {"excess_of": of if prior.nunique() > 1 else ONE}


def _weights(prior: pd.Series[str]) -> np.ndarray:  # type: ignore[type-arg]
    """A weight a question with which all answers of the prior have the same share; their mean is one."""
    counts = prior.value_counts()
    weights: np.ndarray = len(prior) / (len(counts) * prior.map(counts).to_numpy(dtype=float))  # type: ignore[type-arg]
    return weights


def _majority(upright: Frame) -> pd.Series[str]:
    """By question the answer that most other pictures of the same two things have, where enough of them agree."""
    usual: dict[str, str] = {}
    named = upright[upright["subject"].notna() & upright["reference"].notna()]
    for _, group in named.groupby(["subject", "reference"], sort=False):
        if group["image_id"].nunique() <= ENOUGH:
            continue
        for example, row in group.iterrows():
            others = group[group["image_id"] != row["image_id"]].drop_duplicates("image_id")
            answer, count = Counter(others["answer"]).most_common(1)[0]
            if len(others) >= ENOUGH and count >= AGREED * len(others):
                usual[str(example)] = answer
    return pd.Series(usual, dtype="object")


def _shares(side: Frame, smallest: int) -> Row:
    """The shares of choices that are what the pixels say, what the prior says, and neither; and the blank image's."""
    row: Row = {"questions": len(side), "images": side["image_id"].nunique(), "omitted": len(side) < smallest}
    row["chance"] = float((1 / side["options"].astype(float)).mean())
    if row["omitted"]:
        return row
    choice, pixels, prior, blank = (side[name] for name in ("choice", "answer", "prior", "blank"))
    by_name = {"pixels": _equal(choice, pixels), "prior": _equal(choice, prior)}
    by_name["neither"] = (1 - by_name["pixels"] - by_name["prior"]).clip(0, 1)
    for name, values in by_name.items():
        row |= _named(name, mean_over_images(values, side["image_id"].astype(str)))
    if blank.notna().all():
        of_pixels, of_prior = float(_equal(blank, pixels).mean()), float(_equal(blank, prior).mean())
        row |= {"pixels_blank": of_pixels, "prior_blank": of_prior}
        row["neither_blank"] = max(0.0, 1 - of_pixels - of_prior)
    return row


def _equal(one: pd.Series[str], other: pd.Series[str]) -> np.ndarray:  # type: ignore[type-arg]
    same: np.ndarray = one.to_numpy(dtype=object) == other.to_numpy(dtype=object)  # type: ignore[type-arg]
    return same.astype(float)


def _mean(values: np.ndarray, images: pd.Series[str], reach: float = 1.0) -> Interval:  # type: ignore[type-arg]
    return difference_over_images(values, images.astype(str), reach=reach)


def _named(name: str, interval: Interval) -> Row:
    return {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
