"""What the experiment with PIN says: sentences, each with the number over seeds that judges it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backsight.maths.intervals import student
from backsight.maths.verdicts import Judged, Side, Verdict, corrected, judged, verdict
from backsight.results.pin.tables import CONTROL, INSERT, NONE

Row = Mapping[str, Any]
DORMANT, NEVER = "pin-dormant", "pin-never"


@dataclass(frozen=True)
class Asked:
    """A sentence about a model: a measure with an insert, less the same of another one (None: as it stands)."""

    words: str
    model: str
    measure: str
    insert: str
    less: str | None
    side: Side = "above"
    bound: float = 0.0


ASKED = (
    Asked("the boxes fit better with the insert than the best null", DORMANT, "above", INSERT, None),
    Asked("the boxes fit better with the insert than with its control", DORMANT, "iou", INSERT, CONTROL),
    Asked("relations, which are not trained on, gain from the insert", DORMANT, "where", INSERT, NONE),
    Asked("relations gain more from the insert than from its control", DORMANT, "where", INSERT, CONTROL),
    Asked("the insert costs more than .05 of *what*", DORMANT, "what", INSERT, NONE, "below", -0.05),
    Asked("the boxes fit better with the insert than without", NEVER, "iou", INSERT, NONE),
    Asked("the boxes fit better with the insert than the best null", NEVER, "above", INSERT, None),
    Asked("the insert costs more than .05 of *what*", NEVER, "what", INSERT, NONE, "below", -0.05),
)


@dataclass(frozen=True)
class Claim:
    """A sentence, its number over seeds, with p after Holm, and the verdict; `number` is None without rows."""

    asked: Asked
    number: Judged | None
    verdict: Verdict


def claims(rows: Iterable[Row]) -> list[Claim]:
    """The sentences with their verdicts after Holm over all of them; those without rows are undecided."""
    given = list(rows)
    numbers = [_number(given, asked) for asked in ASKED]
    family = iter(corrected([one for one in numbers if one is not None]))
    judgements = [None if one is None else next(family) for one in numbers]
    return [
        Claim(asked, number, "undecided" if number is None else verdict(number))
        for asked, number in zip(ASKED, judgements, strict=True)
    ]


def _number(rows: Sequence[Row], asked: Asked) -> Judged | None:
    """The measure by seed, less that of the other insert: of the same seed, or of the one row without a seed.

    All seeds are asked about the same pictures; the error over these bounds that over seeds from below.
    """
    own = _by_seed(rows, asked.model, asked.insert)
    other = {} if asked.less is None else _by_seed(rows, asked.model, asked.less)
    values, errors = [], []
    for seed, row in sorted(own.items()):
        beside = other.get(0 if asked.less == NONE else seed)
        if asked.less is not None and beside is None:
            continue
        both = [row] if beside is None else [row, beside]
        values.append(row[asked.measure] - (0.0 if beside is None else beside[asked.measure]))
        errors.append(sum(_error(one, asked.measure) ** 2 for one in both) ** 0.5)
    if not values:
        return None
    return judged(values, asked.side, asked.bound, least_error=sum(errors) / len(errors))


def _by_seed(rows: Sequence[Row], model: str, insert: str) -> dict[int, Row]:
    return {row["seed"]: row for row in rows if row["model"] == model and row["insert"] == insert}


def _error(row: Row, measure: str) -> float:
    """The standard error over pictures, as the half of the interval over Student's quantile."""
    half = float(row[f"{measure}_high"] - row[f"{measure}_low"]) / 2
    return half / float(student(row["relations" if measure == "where" else "images"]))
