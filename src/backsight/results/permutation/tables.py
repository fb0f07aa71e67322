"""Accuracy with image tokens shuffled, and the Position Sensitivity Index in both forms."""

from __future__ import annotations

from typing import Any

import pandas as pd

from backsight.maths.comparison import sign_flips
from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.intervals import difference_over_images, holm, mean_over_images
from backsight.maths.psi import psi
from backsight.tables import Schema, Table

PERMUTATION = Schema(
    "permutation",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "direction": "str",
        "kind": "str",  # relational: the sample's own; semantic: what is there; other: own, and of no direction
        "norm": "str",  # own; text: image tokens rescaled to the mean norm of the prompt's text tokens
        "order": "str",  # plain; kept: contents shuffled over positions; moved: each token keeps its rotary position
        "seed": "int",  # of a shuffle
        "options": "int",  # among which the answer is read out
        "answer": "str",
        "choice": "str",
        "correct": "bool",
        "p_answer": "float",  # of those options
    },
    "Answers with image tokens shuffled, one row a question, kind, norm, order and seed",
)
_SHARE = ("", "_low", "_high")
PERMUTATION_SUMMARY = Schema(
    "permutation_summary",
    {
        "suite": "str",
        "kind": "str",
        "norm": "str",
        "order": "str",  # kept, moved
        "questions": "int",
        "images": "int",
        "chance": "float",
        **{f"accuracy{end}": "float" for end in _SHARE},  # at this norm, tokens in order
        **{f"shuffled{end}": "float" for end in _SHARE},
        **{f"psi{end}": "float" for end in _SHARE},  # as published
        **{f"corrected{end}": "float" for end in _SHARE},  # of the accuracy above chance
        # By rescaling to the text's norm, paired: of the accuracy, and of the accuracy lost by the shuffle.
        **{f"gain{end}": "float" for end in _SHARE},
        "gain_p": "float",  # sign flips over images, Holm's over a suite's comparisons
        **{f"loss_gain{end}": "float" for end in _SHARE},
        "loss_gain_p": "float",
        "reason": "str",  # why there is no index: few questions, not above chance
    },
    "The Position Sensitivity Index by kind of question, norm and order, with 95 % intervals",
)
FEW, AT_CHANCE = "few questions", "not above chance"


def permutation_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Accuracy in order and shuffled and both indices, by suite, kind, norm and order; a question is the mean of its
    shuffles."""
    expect(rows, PERMUTATION.name)
    summary: list[dict[str, Any]] = []
    for (suite,), of_suite in groups(rows.frame, ["suite"]):
        lines = []
        for (kind,), group in groups(of_suite, ["kind"]):
            own = _questions(group, "own")
            for norm in dict.fromkeys(group["norm"]):
                here = _questions(group, norm)
                for order in [name for name in ("kept", "moved") if name in here]:
                    start = {"suite": suite, "kind": kind, "norm": norm, "order": order}
                    lines.append(_line(here, own if norm != "own" else None, order, smallest) | start)
        for name in ("gain_p", "loss_gain_p"):
            asked = [line for line in lines if line[name] is not None]
            for line, p in zip(asked, holm([line[name] for line in asked]), strict=True):
                line[name] = p
        summary += lines
    return Table.of(PERMUTATION_SUMMARY, summary, rows.provenance)


def _questions(group: pd.DataFrame, norm: str) -> pd.DataFrame:
    """A row a question: image_id, chance, and the share of right answers in each order, at one norm."""
    at = group[group["norm"] == norm].astype({"correct": float})
    right = at.pivot_table(index="example_id", columns="order", values="correct", aggfunc="mean", sort=False)
    first = at.drop_duplicates("example_id").set_index("example_id").loc[right.index]
    return right.assign(image_id=first["image_id"].astype(str), chance=1 / first["options"].astype(float))


def _line(here: pd.DataFrame, own: pd.DataFrame | None, order: str, smallest: int) -> dict[str, Any]:
    images = here["image_id"]
    line: dict[str, Any] = dict.fromkeys(PERMUTATION_SUMMARY.columns)
    line |= {"questions": len(here), "images": images.nunique(), "chance": float(here["chance"].mean())}
    if len(here) < smallest:
        return line | {"reason": FEW}
    line |= _named("accuracy", mean_over_images(here["plain"], images))
    line |= _named("shuffled", mean_over_images(here[order], images))
    index = psi(here["plain"], here[order], here["chance"], images)
    if index is None:
        line["reason"] = AT_CHANCE
    else:
        line |= _named("psi", index.published) | _named("corrected", index.corrected)
    if own is not None and order in own:
        gain = here["plain"] - own["plain"]
        loss = (here["plain"] - here[order]) - (own["plain"] - own[order])
        for name, values, reach in (("gain", gain, 1.0), ("loss_gain", loss, 2.0)):
            line |= _named(name, difference_over_images(values, images, reach=reach))
            line[f"{name}_p"] = sign_flips(values.to_numpy(dtype=float), images.to_numpy())
    return line


def _named(name: str, ends: tuple[Any, ...]) -> dict[str, float]:
    return {f"{name}{end}": float(value) for end, value in zip(_SHARE, ends[:3], strict=True)}
