"""Numbers over several settings, with an interval that generalises over seeds.

A run gives one number, such as the accuracy lost at another size; a setting the mean over its seeds; a group the mean
over its settings, which count alike. The error of a setting is the spread between its seeds, or what sampling the
questions makes of it where that is more, so that an interval has width where all seeds agree. Student's t, with the
degrees of freedom of Welch and Satterthwaite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backsight.results.positional.tables import SHARES, TRAINED, Key, quantile

CHANCE = 0.5
LEARNED = 0.75  # mean accuracy of relations at trained positions, from which on a setting counts as learned
ADDED = 4  # Agresti and Coull's pseudo-questions, half of them right
STEP = 1e-4  # of an accuracy, in the slope of a number
NORMAL = 1.96

Runs = Mapping[str, Mapping[int, Mapping[Key, Mapping[str, Any]]]]
Values = Mapping[tuple[str, str], float]  # (measure, condition) of one run, axes together
Quantity = Callable[[Values], float]


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; None where no setting has it, ends None where some setting has one seed.

    `settings` are those that it is of, with `seeds` runs of the least replicated one; `left_out` did not learn their
    trained positions, `missing` have no such number.
    """

    value: float | None
    low: float | None
    high: float | None
    settings: tuple[str, ...]
    seeds: int
    left_out: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def lost(*conditions: str) -> Quantity:
    """The share of the accuracy of relations above chance that is lost at some conditions against trained positions."""

    def quantity(values: Values) -> float:
        there = sum(values["relation", name] for name in conditions) / len(conditions)
        return 1 - (there - CHANCE) / (values["relation", TRAINED] - CHANCE)

    return quantity


def drop(*conditions: str, measure: str = "relation") -> Quantity:
    """By how much accuracy is lower at some conditions, their mean, than at trained positions."""

    def quantity(values: Values) -> float:
        return values[measure, TRAINED] - sum(values[measure, name] for name in conditions) / len(conditions)

    return quantity


def excess(*conditions: str) -> Quantity:
    """By how much the accuracy of relations drops more than that of the presence question."""
    one, other = drop(*conditions), drop(*conditions, measure="presence")
    return lambda values: one(values) - other(values)


def plain(measure: str, condition: str = TRAINED) -> Quantity:
    """The number of a measure and condition itself."""
    return lambda values: values[measure, condition]


def over(runs: Runs, settings: Sequence[str], quantity: Quantity, *, learned: bool = True) -> Estimate:
    """The mean of a quantity over settings; of those only that learned their trained positions, unless `learned` is
    False."""
    means, errors, freedoms, used, seeds = [], [], [], [], []
    left_out: list[str] = []
    missing: list[str] = []
    for name in settings:
        if learned and not has_learned(runs, name):
            (left_out if name in runs else missing).append(name)
            continue
        numbers, variances = _of_setting(runs.get(name, {}), quantity)
        if not numbers:
            missing.append(name)
            continue
        count, mean = len(numbers), sum(numbers) / len(numbers)
        between = sum((one - mean) ** 2 for one in numbers) / (count - 1) if count > 1 else math.nan
        means.append(mean)
        errors.append(max(between, sum(variances) / count) / count if count > 1 else math.nan)
        freedoms.append(count - 1)
        used.append(name)
        seeds.append(count)
    if not means:
        return Estimate(None, None, None, (), 0, tuple(left_out), tuple(missing))
    value, error = sum(means) / len(means), sum(errors) / len(means) ** 2
    low = high = None
    if not math.isnan(error):
        low, high = _ends(value, errors, freedoms, len(means))
    return Estimate(value, low, high, tuple(used), min(seeds), tuple(left_out), tuple(missing))


def difference(one: Estimate, other: Estimate, runs: Runs, quantity: Quantity) -> Estimate:
    """One group's estimate of a quantity less another's, whose settings are others."""
    missing = one.missing + other.missing
    left_out = one.left_out + other.left_out
    if one.value is None or other.value is None:
        return Estimate(None, None, None, (), 0, left_out, missing)
    value, seeds, used = one.value - other.value, min(one.seeds, other.seeds), one.settings + other.settings
    if seeds < 2:
        return Estimate(value, None, None, used, seeds, left_out, missing)
    errors, freedoms = [], []
    for group in (one, other):
        for name in group.settings:
            numbers, variances = _of_setting(runs[name], quantity)
            count, mean = len(numbers), sum(numbers) / len(numbers)
            between = sum((n - mean) ** 2 for n in numbers) / (count - 1)
            errors.append(max(between, sum(variances) / count) / count / len(group.settings) ** 2)
            freedoms.append(count - 1)
    low, high = _ends(value, errors, freedoms, 1)
    return Estimate(value, low, high, used, seeds, left_out, missing)


def has_learned(runs: Runs, setting: str) -> bool:
    """Whether a setting answers relations at its trained positions with an accuracy of at least `LEARNED`."""
    of = [run[key]["value"] for run in runs.get(setting, {}).values() if (key := ("relation", TRAINED, "all")) in run]
    return bool(of) and sum(of) / len(of) >= LEARNED


def _ends(value: float, errors: Sequence[float], freedoms: Sequence[int], number: int) -> tuple[float, float]:
    """Both ends of a sum's interval, of squared errors and degrees of freedom a term, over `number` squared."""
    total = sum(errors)
    freedom = total**2 / sum(error**2 / free for error, free in zip(errors, freedoms, strict=True))
    reach = quantile(freedom) * math.sqrt(total) / number
    return value - reach, value + reach


def _of_setting(
    of: Mapping[int, Mapping[Key, Mapping[str, Any]]], quantity: Quantity
) -> tuple[list[float], list[float]]:
    """The quantity of each seed that has all it needs, and its variance from sampling questions."""
    numbers, variances = [], []
    for run in of.values():
        rows = {(measure, condition): row for (measure, condition, axis), row in run.items() if axis == "all"}
        values = {key: float(row["value"]) for key, row in rows.items()}
        try:
            number = quantity(values)
        except (KeyError, ZeroDivisionError):
            continue
        numbers.append(number)
        variances.append(_sampling(quantity, values, rows, number))
    return numbers, variances


def _sampling(
    quantity: Quantity, values: dict[tuple[str, str], float], rows: Mapping[tuple[str, str], Any], number: float
) -> float:
    """The variance of a run's number from sampling questions, by its slope along each accuracy (delta method)."""
    total = 0.0
    for key, row in rows.items():
        slope = (quantity({**values, key: values[key] + STEP}) - number) / STEP
        if slope:
            total += slope**2 * _variance(key[0], row)
    return total


def _variance(measure: str, row: Mapping[str, Any]) -> float:
    if measure in SHARES:
        asked = float(row["n"])
        centre = (row["value"] * asked + ADDED / 2) / (asked + ADDED)
        return float(centre * (1 - centre) / (asked + ADDED))
    if row["low"] is None or row["high"] is None:
        return 0.0
    return float(((row["high"] - row["low"]) / 2 / NORMAL) ** 2)
