"""What is said of positional encodings, each sentence judged by one number over seeds.

A sentence names one setting, or two of one side and architecture that are paired by seed; its verdict is that of
`maths.verdicts`, after Holm over all sentences. The smallest effect that counts is the bound. Sources: the blog post on
what and where, quoted; sentences of ours stand beside it. That rotary positions are "the de facto standard" is of use
and not of models, so it is not judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backsight.maths import verdicts
from backsight.maths.grouping import expect
from backsight.maths.verdicts import Side
from backsight.results.positional.estimates import (
    Numbers,
    Quantity,
    Runs,
    by_positions,
    drop,
    excess,
    less,
    lost,
    mean_of,
    of_setting,
)
from backsight.results.positional.settings import run_title
from backsight.results.positional.tables import PLACEMENTS, POSITIONAL, TRAINED, UNSEEN, by_run
from backsight.tables import Schema, Table

HALF, SMALL, KNOWN = 0.5, 0.05, 0.75
CHANGED = tuple(f"{size}, {placement}" for size in ("larger", "wide", "tall") for placement in PLACEMENTS)
RULE = (
    "Each sentence is judged by one number of one setting, or by the difference of two settings of one side and one "
    "architecture, paired by seed. Confirmed: the 95 % interval over seeds lies wholly on the side of the bound that "
    "the sentence says; not confirmed: wholly on the other side; undecided: else, or with fewer than three seeds. The "
    "interval is Student\u2019s, or what sampling pictures makes of it where that is more: all seeds answer about the "
    "same pictures. The verdict holds after Holm over all sentences of this table that have an interval, so an "
    "interval beside the bound can still be undecided. Where a number is of what is left at other positions or sizes, "
    "only runs count that learned their trained positions (accuracy of relations at least .75, run by run). Another "
    "size is larger (12x12), wide (12x8) or tall (8x12) than 8x8, rows at the same cells or the same fractions of the "
    "picture, all weighing alike; unseen columns hold upright rows that stand wholly in columns where nothing stood in "
    "training. These rules replace earlier ones, and the named settings were chosen, after a first look at one seed of "
    "eight settings by those; they were written down before any model was examined by them."
)


@dataclass(frozen=True)
class Claim:
    """A sentence: its number, of one setting or of the first less the second, and the side of a bound that it says.

    `ours` says that it is put beside the post's. `learned`: only runs that learned their trained positions count.
    """

    key: str
    quote: str
    measured: str
    settings: tuple[str, ...]
    quantity: Quantity
    side: Side = "above"
    bound: float = SMALL
    learned: bool = True
    ours: bool = False

    def numbers(self, runs: Runs) -> Numbers:
        """The number of every seed."""
        of = [of_setting(runs, name, self.quantity, learned=self.learned) for name in self.settings]
        return of[0] if len(of) == 1 else less(*of)


_FAILS = "absolute position encoding \u2026 fails when the resolution changes"
_OVERFITS = "The model overfits to specific locations, limiting its ability to generalize or be translation-invariant"
_LOST = "accuracy of relations lost at"
CLAIMS: tuple[Claim, ...] = (
    Claim("ape-resolution", _FAILS, "share of the accuracy above chance lost at other sizes, learned table that is "
          "interpolated", ("vision-learned",), lost(*CHANGED), bound=HALF),
    Claim("ape-resolution-sinusoidal", _FAILS, "the same, sinusoidal table that goes on", ("vision-sinusoidal",),
          lost(*CHANGED), bound=HALF),
    Claim("ape-interpolation", "stretch or interpolate embeddings to a new size, but this distorts spatial "
          "relationships", f"{_LOST} other sizes less that of presence, interpolated table", ("vision-learned",),
          excess(*CHANGED)),
    Claim("ape-locations", _OVERFITS, f"{_LOST} unseen columns, learned table", ("vision-learned",),
          drop(UNSEEN, axis="vertical")),
    Claim("ape-locations-sinusoidal", _OVERFITS, f"{_LOST} unseen columns, sinusoidal table", ("vision-sinusoidal",),
          drop(UNSEEN, axis="vertical")),
    Claim("ape-locations-relative", "A learned table loses more at unseen columns than a relative bias",
          f"{_LOST} unseen columns, learned table less relative bias, vision encoder",
          ("vision-learned", "vision-relative"), drop(UNSEEN, axis="vertical"), ours=True),
    Claim("rpe-sizes", "To move beyond fixed grid sizes, later work introduces relative position encoding",
          f"{_LOST} other sizes, learned table less relative bias, vision encoder",
          ("vision-learned", "vision-relative"), drop(*CHANGED)),
    Claim("layout", "more expressive positional encodings (from APE to RPE to RoPE and M-RoPE) to better preserve the "
          "2D layout of images", "one step of it, from RPE to RoPE: accuracy of relations at other sizes, 2-D rotary "
          "less relative bias, vision encoder", ("vision-rotary-2d", "vision-relative"), mean_of(*CHANGED)),
    Claim("two-axes", "Two rotary axes preserve the layout better than one", "accuracy of relations at other sizes, "
          "2-D less 1-D rotary, vision encoder", ("vision-rotary-2d", "vision-rotary-1d"), mean_of(*CHANGED),
          ours=True),
    Claim("mrope-order", "M-RoPE tells more than causal order does", "accuracy of relations at trained positions, "
          "M-RoPE chunked less causal order only", ("mrope-chunked", "language-causal"), mean_of(TRAINED),
          learned=False, ours=True),
    Claim("mrope-effect", "positional encodings, including mechanisms like M-RoPE, have little effect on the "
          "model\u2019s output", "share of the accuracy of relations above chance that goes with M-RoPE\u2019s "
          "positions: lost by shuffled image tokens where positions stay, less where they move along (the post shows "
          "captions; these models answer relations only)", ("mrope-chunked",), by_positions(), "below", HALF),
    Claim("bag", "Without positional information, the model treats the image as a bag-of-patches", "share of pictures "
          "whose answer to a relation changes when the row is reversed, no encoding, image tokens see each other both "
          "ways", ("none",), mean_of(TRAINED, measure="mirrored"), "below", SMALL, learned=False),
    Claim("bag-what", "It may recognize that there is a chick and a cup", "accuracy of the presence question, no "
          "encoding", ("none",), mean_of(TRAINED, measure="presence"), "above", KNOWN, learned=False),
    Claim("bag-causal", "The same without any encoding, image tokens in causal order", "share of pictures whose answer "
          "to a relation changes when the row is reversed", ("language-causal",), mean_of(TRAINED, measure="mirrored"),
          "below", SMALL, learned=False, ours=True),
)  # fmt: skip
POSITIONAL_CLAIMS = Schema(
    "positional_claims",
    {
        "claim": "str",
        "quote": "str",
        "ours": "bool",  # put beside the post's sentences
        "measured": "str",
        "settings": "str",
        "seeds": "int",  # with such a number; of two settings those that both have
        "not_learned": "str",  # runs that did not learn their trained positions: setting and seed
        "missing": "str",  # settings, or runs, without such a number
        "value": "float",
        "low": "float",
        "high": "float",
        "p": "float",  # that the mean is the bound
        "p_holm": "float",
        "holds": "str",  # on which side the sentence says that it lies
        "verdict": "str",
        "each": "str",  # the number of every seed, in order: 0: 0.98, 1: 0.97
    },
    "Sentences on positional encodings, each with its number and verdict",
)


def positional_claims(rows: Table) -> Table:
    """Every sentence with its number and verdict, from the rows of all examined models."""
    expect(rows, POSITIONAL.name)
    runs = by_run(rows.rows())
    numbers = [claim.numbers(runs) for claim in CLAIMS]
    judged = {
        claim.key: verdicts.judged(list(of.by_seed.values()), claim.side, claim.bound, least_error=of.error)
        for claim, of in zip(CLAIMS, numbers, strict=True)
        if of.by_seed
    }
    adjusted = dict(zip(judged, verdicts.corrected(list(judged.values())), strict=True))
    lines = []
    for claim, of in zip(CLAIMS, numbers, strict=True):
        one, after = judged.get(claim.key), adjusted.get(claim.key)
        known = {} if one is None or after is None else {
            "value": one.mean, "low": one.low, "high": one.high, "p": one.p, "p_holm": after.p,
        }  # fmt: skip
        lines.append(
            {
                **dict.fromkeys(POSITIONAL_CLAIMS.columns), **known,
                "claim": claim.key, "quote": claim.quote, "ours": claim.ours, "measured": claim.measured,
                "settings": ", ".join(claim.settings), "seeds": len(of.by_seed),
                "not_learned": ", ".join(of.not_learned), "missing": ", ".join(of.missing),
                "holds": f"{claim.side} {claim.bound:g}",
                "verdict": "undecided" if after is None else verdicts.verdict(after),
                "each": ", ".join(f"{seed}: {value:.3g}" for seed, value in of.by_seed.items()),
            }
        )  # fmt: skip
    return Table.of(POSITIONAL_CLAIMS, lines, rows.provenance)


def sentence(row: Mapping[str, Any]) -> str:
    """What the number of one sentence says, in words, its verdict first."""
    head = row["verdict"][:1].upper() + row["verdict"][1:]
    return f"{head}. {row['measured']}: {number(row)}{without(row)}."


def number(row: Mapping[str, Any]) -> str:
    """The number with its interval and bound, or why there is none."""
    if row["value"] is None:
        return "no number"
    if row["low"] is None:
        seeds = f"{row['seeds']} seed{'' if row['seeds'] == 1 else 's'}"
        why = "too few for an interval" if row["seeds"] < verdicts.FEWEST else "all alike, so without an interval"
        return f"{row['value']:z.2f}, of {seeds}, {why}; to be {row['holds']}"
    adjusted = row["p_holm"]
    p = f"p {adjusted:.3f}" if adjusted >= 0.001 else "p < .001"
    return f"{row['value']:z.2f} [{row['low']:z.2f}, {row['high']:z.2f}], to be {row['holds']} (Holm\u2019s {p})"


def without(row: Mapping[str, Any]) -> str:
    """The runs that have no part in the number and why, in brackets; empty where all have."""
    parts = [("not learned", row["not_learned"]), ("not measured", row["missing"])]
    named = [f"{words}: {'; '.join(map(run_title, of.split(', ')))}" for words, of in parts if of]
    return "".join(f" ({one})" for one in named)
