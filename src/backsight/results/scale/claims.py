"""The sentences that the page on scale and time judges, each by one number of every seed beside a stated bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backsight.maths.gap import NO_GAP
from backsight.maths.verdicts import Judged, Side, Verdict, corrected, judged, verdict
from backsight.results.scale.tables import Pair, at_last, by_size, by_steps, sizes
from backsight.tables import Schema, Table

LEAST = 0.1  # of the scale from guessing to all correct: the smallest change that counts
DEGREES = 5.0  # the smallest change of CREG's improvement that counts
CLAIMS = Schema(
    "scale_claims",
    {
        "claim": "str",
        "sentence": "str",
        "side": "str",  # of the bound, on which the sentence puts the mean
        "bound": "float",
        "mean": "float",  # over seeds
        "low": "float",  # Student's 95 % interval; missing for fewer than three seeds
        "high": "float",
        "seeds": "int",
        "p_holm": "float",  # of the mean's difference from the bound, by Holm over the page
        "verdict": "str",
    },
    "What is said of scale and time, each with its number over seeds and its verdict",
)


@dataclass(frozen=True)
class Claim:
    """A sentence: the mean of `numbers` (seed,) lies `side` of `bound`. `error` is what the seeds share."""

    name: str
    sentence: str
    numbers: Sequence[float]
    side: Side
    bound: float
    error: float


def scale_claims(table: Table) -> Table:
    """Every claim with its verdict, after Holm over those that have a p-value. Without two sizes, or without snapshots,
    the claims of them are not there.
    """
    listed = _claims(table)
    judgements: list[Judged | None] = [
        judged(one.numbers, one.side, one.bound, least_error=one.error) if one.numbers else None for one in listed
    ]
    adjusted = iter(corrected([one for one in judgements if one is not None]))
    rows = []
    for claim, one in zip(listed, judgements, strict=True):
        row = dict.fromkeys(CLAIMS.columns) | {
            "claim": claim.name, "sentence": claim.sentence, "side": claim.side, "bound": claim.bound, "seeds": 0,
            "verdict": "undecided",
        }  # fmt: skip
        if one is not None:
            holm = next(adjusted)
            word: Verdict = verdict(holm)
            row |= {"mean": one.mean, "low": one.low, "high": one.high, "seeds": one.n, "p_holm": holm.p}
            row["verdict"] = word
        rows.append(row)
    return Table.of(CLAIMS, rows, table.provenance)


def _claims(table: Table) -> list[Claim]:
    named = sizes(table)
    claims = []
    if named:
        values, error = at_last(table, "gap", named[-1])
        numbers = [values[seed] for seed in sorted(values)]
        sentence = f"The what/where gap is above {NO_GAP:g} in the largest model (`{named[-1]}`) at the last step."
        claims.append(Claim("left", sentence, numbers, "above", NO_GAP, error))
    claims += _moved("size-gap", "The what/where gap shrinks with size", by_size(table, "gap"), "below")
    for size in named:
        claims += _moved(
            f"steps-gap-{size}", f"The what/where gap of `{size}` shrinks with training", by_steps(table, "gap", size),
            "below",
        )  # fmt: skip
    sentence = "The share that the vision encoder gives by itself grows with size"
    claims += _moved("size-vision", sentence, by_size(table, "vision"), "above")
    sentence = "CREG's improvement over uniform relevance grows with size"
    return claims + _moved("size-creg", sentence, by_size(table, "creg"), "above", DEGREES, " degrees")


def _moved(name: str, start: str, pair: Pair | None, side: Side, least: float = LEAST, unit: str = "") -> list[Claim]:
    """A claim that a change goes to a side by at least the smallest that counts; none where nothing is compared."""
    if pair is None:
        return []
    bound = least if side == "above" else -least
    return [Claim(name, f"{start}, by at least {least:g}{unit}.", pair.changes, side, bound, pair.error)]
