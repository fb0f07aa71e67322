"""Tables of the projectors: what each trained model gave, the curves of its training, and means over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from backsight.maths.grouping import expect
from backsight.maths.seeds import over_seeds
from backsight.tables import Schema, Table

PROJECTOR = Schema(
    "projector",
    {
        "projector": "str",  # plain, large, normed
        "seed": "int",  # of the training, and of the pictures that it is tested on
        "hardware": "str",  # that the model was trained on
        "pictures": "str",  # clean, degraded; training; start: before the first step
        "measure": "str",
        "n": "int",  # pictures
        "value": "float",
        "low": "float",  # 95 %, over pictures (of accuracies pairs of them); missing where nothing is sampled
        "high": "float",
        "null": "float",  # of accuracies that with a gray picture
        "chance": "float",
    },
    "One trained model with one projector: accuracy, indices and lengths of embeddings",
)
PROJECTOR_CURVES = Schema(
    "projector_curves",
    {"projector": "str", "seed": "int", "step": "int", "where": "float", "what": "float"},
    "Accuracy of where and of what along training, means of 25 steps",
)
PROJECTOR_SUMMARY = Schema(
    "projector_summary",
    {
        "pictures": "str",
        "measure": "str",
        "projector": "str",
        "less": "str",  # the projector that a difference is to, paired by seed; empty for a mean
        "seeds": "int",
        "mean": "float",
        "low": "float",
        "high": "float",
        "null": "float",
        "each": "str",
    },
    "Means over seeds and paired differences, with Student's t intervals",
)
NAMES = ("plain", "large", "normed")
PAIRS = (("large", "plain"), ("normed", "plain"), ("normed", "large"))
WHERE, WHAT = "where", "what"
CHANCE = 0.5  # of both: between two squares, and between two colors
LENGTHS = ("image_norm", "text_norm", "ratio", "prompt_mean", "prompt_largest")
LONG = 30.0  # times the prompts' text embeddings, the length at which one projector starts; within LLaVA's range
BATCH, ASKED = 8, 5  # pictures of a step, and questions of a picture
Key = tuple[str, str]  # pictures, measure
Runs = Mapping[str, Mapping[int, Mapping[Key, Mapping[str, Any]]]]


class Estimate(NamedTuple):
    """A mean over seeds with its 95 % interval (`maths.seeds`), all None without any seed."""

    mean: float | None
    low: float | None
    high: float | None
    each: tuple[tuple[int, float], ...]


class Term(NamedTuple):
    """A measure of a projector, times a factor."""

    projector: str
    pictures: str
    measure: str
    factor: float = 1.0


def by_run(rows: Sequence[Mapping[str, Any]]) -> Runs:
    """Rows that have a value, by projector, seed and (pictures, measure).

    Beside each accuracy with a known chance stands, as `above MEASURE`, its share of the range above chance.
    """
    runs: dict[str, dict[int, dict[Key, Mapping[str, Any]]]] = {}
    for row in rows:
        if row["value"] is None:
            continue
        mine = runs.setdefault(row["projector"], {}).setdefault(row["seed"], {})
        mine[row["pictures"], row["measure"]] = row
        if row["chance"] is not None:
            mine[row["pictures"], f"above {row['measure']}"] = {**row, **_above_chance(row)}
    return runs


def _above_chance(row: Mapping[str, Any]) -> dict[str, float | None]:
    chance = row["chance"]
    return {
        end: None if row[end] is None else (row[end] - chance) / (1 - chance) for end in ("value", "low", "high")
    }  # fmt: skip


def estimate(runs: Runs, *terms: Term) -> Estimate:
    """The sum of some terms, over the seeds that have them all: paired by seed, with Student's t interval.

    A seed has pictures of its own, so the spread between seeds is that of trainings and of pictures.
    """
    seeds = [set(runs.get(term.projector, {})) for term in terms]
    each = []
    for seed in sorted(set.intersection(*seeds)):
        found = [runs[term.projector][seed].get((term.pictures, term.measure)) for term in terms]
        there = [row for row in found if row is not None]
        if len(there) == len(terms):
            each.append((seed, sum(term.factor * row["value"] for term, row in zip(terms, there, strict=True))))
    if not each:
        return Estimate(None, None, None, ())
    of = over_seeds([value for _, value in each])
    return Estimate(of.mean, of.low, of.high, tuple(each))


def projector_summary(rows: Table) -> Table:
    """Means over seeds by pictures, measure and projector, and their paired differences."""
    expect(rows, PROJECTOR.name)
    every = rows.rows()
    runs = by_run(every)
    summary = []
    for pictures, measure in dict.fromkeys((row["pictures"], row["measure"]) for row in every):
        for name in NAMES:
            of = estimate(runs, Term(name, pictures, measure))
            nulls = [r["null"] for r in every if (r["projector"], r["pictures"], r["measure"]) ==
                     (name, pictures, measure) and r["null"] is not None]  # fmt: skip
            summary.append(_line(pictures, measure, name, "", of, sum(nulls) / len(nulls) if nulls else None))
        for one, other in PAIRS:
            of = estimate(runs, Term(one, pictures, measure), Term(other, pictures, measure, -1.0))
            summary.append(_line(pictures, measure, one, other, of, None))
    return Table.of(PROJECTOR_SUMMARY, [line for line in summary if line["seeds"]], rows.provenance)


def _line(pictures: str, measure: str, name: str, less: str, of: Estimate, null: float | None) -> dict[str, Any]:
    each = ", ".join(f"{seed}: {value:.3g}" for seed, value in of.each)
    low, high = of.low, of.high
    if not less and measure in (WHERE, WHAT, *LENGTHS):  # none is below 0, and no accuracy above 1
        low = None if low is None else max(low, 0.0)
        high = high if high is None or measure in LENGTHS else min(high, 1.0)
    return {
        "pictures": pictures, "measure": measure, "projector": name, "less": less, "seeds": len(of.each),
        "mean": of.mean, "low": low, "high": high, "null": null, "each": each,
    }  # fmt: skip
