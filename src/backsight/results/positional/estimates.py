"""Numbers of one setting by seed, or of two of one side and architecture paired by seed.

A run gives one number, such as the accuracy lost at another size. Only runs that learned their trained positions count,
where a number is of what is left of that. All seeds answer about the same pictures, so what sampling pictures does to a
number is not divided by the seeds: it is the least error that their mean has (`maths.verdicts`). Within a run the
errors of terms with one sign add up, since conditions show the same rows; both signs, and two models, count as
independent, which is no less than the truth where a picture that is hard for one is hard for the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from backsight.results.positional.tables import TRAINED, Key

CHANCE = 0.5
LEARNED = 0.75  # accuracy of relations at trained positions, from which on a run counts as learned
STEP = 1e-4  # of an accuracy, in the slope of a number
NORMAL = 1.96

Rows = Mapping[Key, Mapping[str, Any]]  # of one run, by (measure, condition, axis)
Runs = Mapping[str, Mapping[int, Rows]]
Values = Mapping[Key, float]
Quantity = Callable[[Values], float]


@dataclass(frozen=True)
class Numbers:
    """One number a seed, and the standard error that sampling pictures gives each of them and their mean.

    `not_learned` and `missing` name the runs that have none: they did not learn, or the number was not measured.
    """

    by_seed: Mapping[int, float]
    error: float = 0.0
    not_learned: tuple[str, ...] = field(default=())
    missing: tuple[str, ...] = field(default=())


def mean_of(*conditions: str, measure: str = "relation", axis: str = "all") -> Quantity:
    """The mean of a measure over conditions."""
    return lambda values: sum(values[measure, name, axis] for name in conditions) / len(conditions)


def lost(*conditions: str) -> Quantity:
    """The share of the accuracy of relations above chance that is lost at some conditions against trained positions."""
    there, trained = mean_of(*conditions), mean_of(TRAINED)
    return lambda values: 1 - (there(values) - CHANCE) / (trained(values) - CHANCE)


def drop(*conditions: str, measure: str = "relation", axis: str = "all") -> Quantity:
    """By how much accuracy is lower at some conditions, their mean, than at trained positions."""
    there, trained = mean_of(*conditions, measure=measure, axis=axis), mean_of(TRAINED, measure=measure, axis=axis)
    return lambda values: trained(values) - there(values)


def excess(*conditions: str) -> Quantity:
    """By how much the accuracy of relations drops more than that of the presence question."""
    one, other = drop(*conditions), drop(*conditions, measure="presence")
    return lambda values: one(values) - other(values)


def by_positions() -> Quantity:
    """The share of the accuracy above chance that a shuffle costs where positions stay, less where they move along."""
    kept, moved = mean_of("kept", measure="psi"), mean_of("moved", measure="psi")
    return lambda values: kept(values) - moved(values)


def has_learned(run: Rows) -> bool:
    """Whether a run answers relations at its trained positions with an accuracy of at least `LEARNED`."""
    row = run.get(("relation", TRAINED, "all"))
    return row is not None and row["value"] >= LEARNED


def of_setting(runs: Runs, setting: str, quantity: Quantity, *, learned: bool = True) -> Numbers:
    """The number of every seed of a setting; of those only that learned, unless `learned` is False."""
    numbers: dict[int, float] = {}
    errors: list[float] = []
    left_out: list[str] = []
    missing: list[str] = [] if setting in runs else [setting]
    for seed, run in sorted(runs.get(setting, {}).items()):
        if learned and not has_learned(run):
            left_out.append(f"{setting} {seed}")
            continue
        values = {key: float(row["value"]) for key, row in run.items()}
        try:
            numbers[seed] = quantity(values)
        except (KeyError, ZeroDivisionError):
            missing.append(f"{setting} {seed}")
            continue
        errors.append(_sampling(quantity, values, run, numbers[seed]))
    error = sum(errors) / len(errors) if errors else 0.0
    return Numbers(numbers, error, tuple(left_out), tuple(missing))


def less(one: Numbers, other: Numbers) -> Numbers:
    """One setting's numbers less another's, of the seeds that both have: the same seed shows both the same batches."""
    shared = [seed for seed in one.by_seed if seed in other.by_seed]
    return Numbers(
        {seed: one.by_seed[seed] - other.by_seed[seed] for seed in shared}, math.hypot(one.error, other.error),
        one.not_learned + other.not_learned, one.missing + other.missing,
    )  # fmt: skip


def _sampling(quantity: Quantity, values: dict[Key, float], run: Rows, number: float) -> float:
    """A run's standard error from sampling pictures, by the number's slope along each value (delta method)."""
    up = down = 0.0
    for key, row in run.items():
        slope = (quantity({**values, key: values[key] + STEP}) - number) / STEP
        if slope > 0:
            up += slope * _error(row)
        else:
            down -= slope * _error(row)
    return math.hypot(up, down)


def _error(row: Mapping[str, Any]) -> float:
    """A standard error from a row's interval over pictures: of its longer arm, since a share's ends at 0 and 1."""
    if row["low"] is None or row["high"] is None:
        return 0.0
    return float(max(row["high"] - row["value"], row["value"] - row["low"])) / NORMAL
