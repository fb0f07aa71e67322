"""Does the rotary phase range predict which axis is learned sooner and better?

The phase range of an axis bounds what rotation can tell of it. So among models that differ in M-RoPE's sections and
base, and in nothing else, and one without rotation, those whose rows turn farther than their columns ought to learn
above and below sooner, and answer it better, than left and right. The statistic is Spearman's rank correlation over
runs between the ratio of the two ranges and the lead of the vertical axis; its null exchanges the ratios between
settings, all seeds of one together, in every way there is. Predicted: above 0. Confirmed where it is above 0, and not
confirmed where it is below 0, with a two-sided p < .05 after Holm over both outcomes; undecided else, and with fewer
than three seeds of a setting.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from backsight.maths import verdicts
from backsight.maths.grouping import expect
from backsight.maths.ranks import rank_correlation
from backsight.results.drawing import style
from backsight.results.positional.settings import BY_NAME
from backsight.results.positional.tables import POSITIONAL, TRAINED, Key, by_run
from backsight.tables import Schema, Table

RULE = (
    "The phase range bounds what rotation can tell of an axis. So among models that differ in M-RoPE\u2019s sections "
    "and base only, and one without rotation, which tells both axes equally little (a ratio of one), above and below "
    "ought to lead left and right by more, the farther rows turn against columns. The statistic is Spearman\u2019s "
    "rank correlation over runs; its null exchanges the ratios between settings in every way. Confirmed where it is "
    "above 0, not confirmed where it is below 0, with a two-sided p < .05 after Holm over the two outcomes; undecided "
    "else, and with fewer than three seeds of a setting. An axis that a run never learned counts as learned at its "
    "last step."
)
MOST = 40_320  # permutations, of eight settings
OUTCOMES = {"accuracy": "accuracy of above and below less that of left and right", "steps": "steps by which above and "
            "below are learned sooner than left and right"}  # fmt: skip
POSITIONAL_PREDICTION = Schema(
    "positional_prediction",
    {
        "outcome": "str",  # accuracy, steps
        "setting": "str",  # or all, with the statistic
        "seeds": "int",
        "ratio": "float",  # log10 of the phase range of rows over that of columns; 0 where neither turns
        "lead": "float",  # of the vertical axis, mean over seeds
        "rho": "float",
        "p": "float",  # two-sided, of all exchanges of ratios
        "p_holm": "float",  # after Holm over the outcomes
        "permutations": "int",
        "verdict": "str",
    },
    "The ratio of rotary phase ranges beside the lead of the vertical axis, by setting, and their rank correlation",
)


def positional_prediction(rows: Table) -> Table:
    """The lead of the vertical axis of every causal setting, and over all of them the rank statistic, by outcome."""
    expect(rows, POSITIONAL.name)
    runs = by_run(rows.rows())
    unlearned = _never(rows)
    lines: list[dict[str, Any]] = []
    for outcome in OUTCOMES:
        ratios, leads = {}, {}
        for name in (n for n, s in BY_NAME.items() if s.causal and n in runs):
            of = [
                lead
                for seed, run in runs[name].items()
                if (lead := _lead(run, outcome, unlearned.get((name, seed)))) is not None
            ]
            if of:
                ratios[name], leads[name] = _ratio(next(iter(runs[name].values()))), of
        empty = dict.fromkeys(POSITIONAL_PREDICTION.columns)
        for name, of in leads.items():
            row = {"outcome": outcome, "setting": name, "seeds": len(of), "ratio": ratios[name]}
            lines.append({**empty, **row, "lead": sum(of) / len(of)})
        rho, p, count = statistic([ratios[n] for n in leads], list(leads.values()))
        row = {"outcome": outcome, "setting": "all", "seeds": min(map(len, leads.values()), default=0)}
        lines.append({**empty, **row, "rho": rho, "p": p, "permutations": count})
    over = [line for line in lines if line["setting"] == "all"]
    known = [line for line in over if line["p"] is not None]
    for line, adjusted in zip(known, verdicts.holm([line["p"] for line in known]), strict=True):
        line["p_holm"] = adjusted
    for line in over:
        line["verdict"] = verdict(line["rho"], line["p_holm"], line["seeds"])
    return Table.of(POSITIONAL_PREDICTION, lines, rows.provenance)


def statistic(
    ratios: Sequence[float], leads: Sequence[Sequence[float]]
) -> tuple[float | None, float | None, int]:  # fmt: skip
    """Rank correlation over runs, the two-sided p of all exchanges of ratios, and how many there are.

    `ratios` (setting,) and `leads` (setting, seed). None where one of them is the same everywhere.
    """
    if not len(ratios) >= 3 or math.factorial(len(ratios)) > MOST:
        return None, None, 0
    counts, flat = [len(of) for of in leads], np.concatenate([np.asarray(of, dtype=float) for of in leads])
    rho = rank_correlation(np.repeat(np.asarray(ratios, dtype=float), counts), flat)
    if rho is None:
        return None, None, 0
    null = [
        rank_correlation(np.repeat(np.asarray(order, dtype=float), counts), flat)
        for order in itertools.permutations(ratios)
    ]
    above = sum(one is not None and one >= rho - 1e-9 for one in null)
    below = sum(one is not None and one <= rho + 1e-9 for one in null)
    return rho, min(1.0, 2 * min(above, below) / len(null)), len(null)


def verdict(rho: float | None, p: float | None, seeds: int) -> verdicts.Verdict:
    """Of the correlation, by its p-value after Holm and the seeds of the least replicated setting."""
    if rho is None or p is None or seeds < verdicts.FEWEST:
        return "undecided"
    return verdicts.verdict(verdicts.Judged(rho, None, None, seeds, p, "above", 0.0))


def sentence(line: dict[str, Any]) -> str:
    """What the statistic of one outcome says, in words and numbers."""
    named = OUTCOMES[line["outcome"]]
    if line["rho"] is None:
        return f"Undecided: there is no rank correlation of the ratio of phase ranges with the {named}."
    head = line["verdict"][:1].upper() + line["verdict"][1:]
    ranks = {"confirmed": "ranks with", "not confirmed": "ranks against"}.get(
        line["verdict"], "is not shown to rank with"
    )
    return (
        f"{head}: the ratio of phase ranges, rows to columns, {ranks} the {named} "
        f"(Spearman\u2019s rho {line['rho']:z.2f}, Holm\u2019s p = {line['p_holm']:.3f} of {line['permutations']} "
        f"exchanges between settings, {style.counted(line['seeds'], 'seed')} each at least)."
    )


def _ratio(run: dict[Key, Any] | Any) -> float:
    ranges = [run.get(("phase_range", "language", axis)) for axis in ("vertical", "horizontal")]
    rows, columns = (0.0 if one is None else float(one["value"]) for one in ranges)
    return math.log10(rows / columns) if rows > 0 and columns > 0 else 0.0


def _lead(run: Any, outcome: str, never: dict[str, float] | None) -> float | None:
    """The lead of the vertical axis in one run; an axis that was never learned counts as learned at its last step."""
    if outcome == "accuracy":
        both = [run.get(("relation", TRAINED, axis)) for axis in ("vertical", "horizontal")]
        return None if None in both else float(both[0]["value"] - both[1]["value"])
    steps = []
    for axis in ("horizontal", "vertical"):
        row = run.get(("learned_at", TRAINED, axis))
        value = row["value"] if row is not None else (never or {}).get(axis)
        if value is None:
            return None
        steps.append(float(value))
    return steps[0] - steps[1]


def _never(rows: Table) -> dict[tuple[str, int], dict[str, float]]:
    """The number of steps of the runs and axes that never reached the accuracy at which they count as learned."""
    missing: dict[tuple[str, int], dict[str, float]] = {}
    for row in rows.rows():
        if row["measure"] == "learned_at" and row["value"] is None:
            missing.setdefault((row["setting"], row["seed"]), {})[row["axis"]] = float(row["n"])
    return missing
