"""The claims on CLIP-style and CLOC-style encoders, each judged by one number of every seed beside a stated bound.

They are ours: CLOC's paper compares its own encoders, and no position probes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from backsight.maths.verdicts import Side, corrected, judged, verdict
from backsight.results.contrastive.tables import RECIPES, Key, by_measure, shared_error
from backsight.tables import Schema, Table

LEAST = 0.05  # a difference of shares that is too small to count
Kind = Literal["more", "none", "cost"]
SENTENCES: Mapping[Kind, str] = {
    "more": f"CLOC-style pre-training leaves more position in the encoder than CLIP-style, by at least {LEAST:g}.",
    "none": f"CLIP-style pre-training, on captions only, leaves no position that shows: less than {LEAST:g} above "
    "chance.",
    "cost": f"CLOC-style pre-training costs at least {LEAST:g} of *what*.",
}
# What each claim is judged by, with the measures whose mean it is.
POSITION: Mapping[str, tuple[Key, ...]] = {
    "region of a text, encoder's own pooling": (("region retrieval", "pooled tokens"),),
    "column and row probes, output": (("column probe", "output"), ("row probe", "output")),
    "relations, language pathway closed": (("relations", "closed"),),
    "relations at new positions, language pathway closed": (("relations moved", "closed"),),
}
WHAT: Mapping[str, tuple[Key, ...]] = {
    "naming a thing": (("naming", ""),),
    "text of a picture": (("retrieval", "text of a picture"),),
    "picture of a text": (("retrieval", "picture of a text"),),
}
CLAIMS = Schema(
    "contrastive_claims",
    {
        "claim": "str",  # more, none, cost
        "measure": "str",
        "side": "str",  # of the bound, on which the claim puts the mean
        "bound": "float",
        "clip": "float",  # means over the seeds that are compared
        "cloc": "float",
        "chance": "float",
        "mean": "float",  # over seeds: CLOC-style less CLIP-style, or CLIP-style less chance
        "low": "float",  # Student's 95 % interval; missing for fewer than three seeds
        "high": "float",
        "seeds": "int",
        "p_holm": "float",  # of the mean's difference from the bound, by Holm over all claims
        "verdict": "str",
    },
    "What is said of CLIP-style and CLOC-style encoders, each with its number over seeds and its verdict",
)
_Rows = Mapping[tuple[str, int], Mapping[str, Any]]


@dataclass(frozen=True)
class _Claim:
    kind: Kind
    measure: str
    side: Side
    bound: float
    numbers: Sequence[float]
    error: float
    about: Mapping[str, float | None]


def claims(table: Table) -> Table:
    """Every claim about a table of examinations with its verdict, after Holm over those that have a p-value.

    A claim that no seed has a number of is undecided. DataError as of `tables.summary`.
    """
    of = by_measure(table)
    listed = [_claim("more", name, keys, of) for name, keys in POSITION.items()]
    listed += [_claim("none", name, keys, of) for name, keys in POSITION.items()]
    listed += [_claim("cost", name, keys, of) for name, keys in WHAT.items()]
    given = [one for one in listed if one.numbers]
    judgements = [judged(one.numbers, one.side, one.bound, least_error=one.error) for one in given]
    pairs = iter(zip(judgements, corrected(judgements), strict=True))
    rows = []
    for claim in listed:
        row = dict.fromkeys(CLAIMS.columns) | dict(claim.about) | {
            "claim": claim.kind, "measure": claim.measure, "side": claim.side, "bound": claim.bound, "seeds": 0,
            "verdict": "undecided",
        }  # fmt: skip
        if claim.numbers:
            one, holm = next(pairs)
            row |= {"mean": one.mean, "low": one.low, "high": one.high, "seeds": one.n, "p_holm": holm.p}
            row["verdict"] = verdict(holm)
        rows.append(row)
    return Table.of(CLAIMS, rows, table.provenance)


def _claim(kind: Kind, name: str, keys: Sequence[Key], of: Mapping[Key, _Rows]) -> _Claim:
    """A claim by the mean of some measures. Of seeds that lack one of them there is no number."""
    clip, cloc = (_by_seed(keys, of, recipe, "value") for recipe in RECIPES)
    chance = _by_seed(keys, of, "clip", "chance")
    errors = {
        recipe: shared_error([dict(row) for key in keys for (r, _), row in of.get(key, {}).items() if r == recipe])
        for recipe in RECIPES
    }
    if kind == "none":
        less = [clip[seed] - chance[seed] for seed in sorted(clip)]
        about = {"clip": _mean(clip), "chance": _mean(chance)}
        return _Claim(kind, name, "below", LEAST, less, errors["clip"], about)
    shared = sorted(clip.keys() & cloc.keys())
    sides = {"clip": clip, "cloc": cloc, "chance": chance}
    about = {side: _mean({seed: values[seed] for seed in shared}) for side, values in sides.items()}
    paired = [cloc[seed] - clip[seed] for seed in shared]
    error = math.hypot(*errors.values())
    if kind == "more":
        return _Claim(kind, name, "above", LEAST, paired, error, about)
    return _Claim(kind, name, "below", -LEAST, paired, error, about)


def _by_seed(keys: Sequence[Key], of: Mapping[Key, _Rows], recipe: str, column: str) -> dict[int, float]:
    values = [{seed: row[column] for (r, seed), row in of.get(key, {}).items() if r == recipe} for key in keys]
    both = set.intersection(*(set(one) for one in values))
    return {seed: float(np.mean([one[seed] for one in values])) for seed in sorted(both)}


def _mean(values: Mapping[int, float]) -> float | None:
    return float(np.mean([*values.values()])) if values else None
