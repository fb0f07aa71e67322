"""What'sUp's numbers (Kamath et al., 2023): pictures, pairs and sets of four answered right.

A model that always says "left" answers a quarter of the pictures right and no pair. Rows belong to a set by their
`group`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backsight.maths.grouping import SMALLEST, expect
from backsight.maths.intervals import mean_over_images
from backsight.tables import Schema, Table

Row = Mapping[str, Any]
WHATSUP_SUMMARY = Schema(
    "whatsup_summary",
    {
        "suite": "str",
        "condition": "str",
        "read_out": "str",
        "metric": "str",  # individual: a picture right; pair: both opposites right; set: all four right
        "accuracy": "float",
        "low": "float",
        "high": "float",
        "interval": "str",  # agresti-coull, with sets of four as units
        "n": "int",  # pictures, complete pairs or complete sets
        "chance": "float",
        "omitted": "bool",
    },
    "What'sUp: pictures, pairs and sets right, with 95 % intervals",
)
OPPOSITES = (("left", "right"), ("on", "under"), ("front", "behind"))
SIZES = {"individual": 1, "pair": 2, "set": 4}
READ_OUTS = (("free", "free_correct"), ("options", "choice_correct"))


def whatsup_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """The shares of pictures, of pairs and of sets right, by suite, condition and read-out of `behaviour` rows.

    individual: right / pictures. pair: both opposites of one set right / pairs (left and right; on and under; front
    and behind). set: all four right / sets. Only pairs and sets that are complete count, and `n` says how many; rows
    without a group count nowhere. `chance` is that of independent guesses among four answers: 1/4, 1/16 for a pair,
    1/256 for a set (more generally 1 / options to the power of pictures). Intervals hold 95 %, with sets as
    units, as the pictures of a set are of the same things; below `smallest` the numbers are omitted. DataError for
    rows of another schema.
    """
    expect(rows, "behaviour")
    suites: dict[tuple[str, str], list[Row]] = {}
    for row in rows.rows():
        if row["group"] is not None:
            suites.setdefault((row["suite"], row["condition"]), []).append(row)
    summary = []
    for (suite, condition), group in suites.items():
        for read_out, column in READ_OUTS:
            scored = [row for row in group if row[column] is not None]
            for metric in SIZES if scored else ():
                common = {"suite": suite, "condition": condition, "read_out": read_out, "metric": metric}
                summary.append(common | _score(metric, scored, column, smallest))
    return Table.of(WHATSUP_SUMMARY, summary, rows.provenance)


def _score(metric: str, rows: Sequence[Row], column: str, smallest: int) -> dict[str, Any]:
    """Accuracy with its interval, how many, chance, and whether that is omitted."""
    wholes = list(_wholes(metric, rows))
    right = [all(row[column] for row in whole) for whole in wholes]
    interval = mean_over_images([float(r) for r in right], [whole[0]["group"] for whole in wholes])
    omitted = len(wholes) < smallest
    number = {"accuracy": interval.mean, "low": interval.low, "high": interval.high, "interval": interval.kind}
    chance = [1 / row["options"] for row in rows]
    return {
        **(dict.fromkeys(number) if omitted else number),
        "n": len(wholes),
        "chance": (sum(chance) / len(chance)) ** SIZES[metric],
        "omitted": omitted,
    }


def _wholes(metric: str, rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """The single rows, the complete pairs or the complete sets of four.

    A direction that a set has twice, under two prompts, is in no pair: which of the two would not be clear.
    """
    if metric == "individual":
        yield from ([row] for row in rows)
        return
    sets: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        sets.setdefault(row["group"], {}).setdefault(row["direction"], []).append(row)
    for places in sets.values():
        single = {place: here[0] for place, here in places.items() if len(here) == 1}
        pairs = [[single[one], single[other]] for one, other in OPPOSITES if one in single and other in single]
        if metric == "pair":
            yield from pairs
        elif len(pairs) == 2:
            yield [*pairs[0], *pairs[1]]
