"""The page of the experiment, in Markdown: all numbers, sentences and verdicts are made of its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.maths.seeds import FEWEST, over_seeds
from backsight.results.pages.markdown import filled
from backsight.results.pages.wording import decimal, listed
from backsight.results.projector.claims import LONGER, RULE, SMALL, projector_claims
from backsight.results.projector.tables import (
    ASKED,
    BATCH,
    LENGTHS,
    NAMES,
    PAIRS,
    WHAT,
    WHERE,
    Estimate,
    Term,
    by_run,
    estimate,
    projector_summary,
)
from backsight.results.projector.words import CARRIED, COMMANDS, INTRODUCTION, LIMITS, OTHER
from backsight.tables import Table

Row = Mapping[str, Any]
PAPER_MEAN = 0.83  # of the text embeddings of LLaMA
CALLED = {"plain": "plain", "large": "plain, long", "normed": "normed"}
MEASURES = (
    ("start", "image_norm", "Length of image embeddings, before training"),
    ("clean", "image_norm", "Length of image embeddings, trained"),
    ("clean", "text_norm", "Length of the prompt's text embeddings"),
    ("clean", "ratio", "Image over text, trained"),
    ("clean", "prompt_mean", "Mean length of text embeddings in the prompts of training"),
    ("clean", "prompt_largest", "The largest of them"),
    ("start", "ratio", "Image over text, before training"),
    ("training", "where", "Accuracy of where, mean along training"),
    ("clean", "where", "Accuracy of where"),
    ("clean", "what", "Accuracy of what"),
    ("degraded", "where", "Accuracy of where, degraded pictures"),
    ("degraded", "what", "Accuracy of what, degraded pictures"),
    ("clean", "lost_where", "Accuracy of where lost by shuffled image tokens"),
    ("clean", "lost_what", "The same, of what"),
    ("clean", "psi_where", "Position Sensitivity Index of where, as published"),
    ("clean", "corrected_where", "Index of where, of the accuracy above chance"),
    ("clean", "corrected_what", "Index of what, of the accuracy above chance"),
    ("clean", "gain_where", "Gain by rescaling at inference time, where"),
)  # fmt: skip
ACCURACIES = (WHERE, WHAT)


def page(rows: Table, curves: Table) -> str:
    """The whole page of a table of rows and the curves beside it; without rows what is compared, and that it is not."""
    if not len(rows):
        return "\n".join((INTRODUCTION, "Nothing is recorded yet.\n", CARRIED, OTHER, COMMANDS))
    summary = projector_summary(rows).rows()
    claims = projector_claims(rows).rows()
    every, along = rows.rows(), curves.rows()
    seeds = sorted({row["seed"] for row in every})
    asked = max((row["n"] for row in every if row["measure"] in ACCURACIES), default=0)
    steps = max((row["step"] for row in along), default=0)
    hardware = listed(sorted({row["hardware"] for row in every if row["hardware"]}))
    which = f"{'seed' if len(seeds) == 1 else 'seeds'} {listed(seeds)}"
    conditions = (
        f"{steps} steps of {BATCH} pictures with {ASKED} questions each; {which}; {asked} test pictures a seed. "
        "Intervals are 95 %, Student's t over seeds (their number n in each cell), omitted below "
        f"{FEWEST} seeds and where all seeds agree.{f' Trained on: {hardware}.' if hardware else ''}"
    )
    parts = (
        INTRODUCTION, "## Verdicts\n", verdicts(claims), filled(RULE) + "\n", "## Numbers\n",
        filled(conditions) + "\n",
        numbers(summary), "\nDifferences, paired by seed:\n", differences(summary),
        "\n![Accuracy along training and in the end, and lengths](../images/projector.svg)\n", "## Limits\n",
        *(f"{filled(words)}\n" for words in (by_seed(every), ended(along)) if words), LIMITS,
        CARRIED, *(f"{filled(words)}\n" for words in (translated(summary),) if words), OTHER, COMMANDS,
    )  # fmt: skip
    return "\n".join(parts)


def by_seed(rows: Sequence[Row]) -> str:
    """Each seed's accuracy of where by projector; where all end alike in one, differences rest on the other seeds."""
    parts, each = [], {}
    for name in NAMES:
        of = estimate(by_run(rows), Term(name, "clean", WHERE)).each
        each[name] = dict(of)
        if of:
            parts.append(f"{CALLED[name]} {', '.join(f'{value:.3f} (seed {seed})' for seed, value in of)}")
    if not parts:
        return ""
    everywhere = sorted(set.intersection(*(set(of) for of in each.values())))
    alike = [seed for seed in everywhere if len({round(of[seed], 3) for of in each.values()}) == 1]
    words = ""
    if alike and len(alike) < len(everywhere):
        which = f"{'seed' if len(alike) == 1 else 'seeds'} {listed(alike)}"
        words = f" In {which} all projectors end alike, so differences rest on the others."
    return f"Accuracy of *where* by seed: {'; '.join(parts)}.{words}"


def ended(curves: Sequence[Row]) -> str:
    """Whether where was still being learned with the plain projector when training ended; nothing without its curve."""
    mine = [row for row in curves if row["projector"] == NAMES[0]]
    if not mine:
        return ""
    last = max(row["step"] for row in mine)
    before = max((row["step"] for row in mine if row["step"] <= 0.75 * last), default=None)
    ends = {row["seed"]: row for row in mine if row["step"] == last}
    where, what = (_estimated([row[name] for row in ends.values()]) for name in ACCURACIES)
    answered = (
        f"In the last steps of training the plain projector answers {_estimate(where)} of *where* and "
        f"{_estimate(what)} of *what*."
    )
    starts = {row["seed"]: row for row in mine if row["step"] == before and row["seed"] in ends}
    if not starts:
        return answered
    rise = _estimated([ends[seed][WHERE] - row[WHERE] for seed, row in starts.items()])
    if rise.low is not None and rise.low > 0:
        words = "Training ended while *where* was being learned"
    elif rise.high is not None and rise.high < SMALL:
        words = f"*Where* no longer rose by {SMALL:g} when training ended"
    else:
        words = "Whether training ended before *where* was learned is undecided"
    return f"{answered} {words}: since step {before} it changed by {_estimate(rise)}."


def translated(summary: Sequence[Row]) -> str:
    """The norm's two constants on these prompts, and how long the image embeddings behind it are."""
    of = {(r["pictures"], r["measure"]): r["mean"] for r in summary if (r["projector"], r["less"]) == ("normed", "")}
    mean, largest = of.get(("clean", "prompt_mean")), of.get(("clean", "prompt_largest"))
    if mean is None or largest is None:
        return ""
    longest = PAPER_MEAN * largest
    words = (
        f"Here the mean is {_shown(mean)} and the largest {_shown(largest)}: the cut is {_shown(largest)} x "
        f"{PAPER_MEAN:g} / {_shown(mean)} = {_shown(longest / mean)}, and the longest image embedding "
        f"{_shown(longest)}, which is {_shown(longest / mean)} times the mean text embedding."
    )
    return f"{words} As published, it would be {_shown(largest * mean)}."


def _estimated(values: Sequence[float]) -> Estimate:
    of = over_seeds(values)
    return Estimate(of.mean, of.low, of.high, ())


def _estimate(of: Estimate) -> str:
    return _number({"value": of.mean, "low": of.low, "high": of.high})


def verdicts(claims: Sequence[Row]) -> str:
    """A table of the sentences, a line a test, and a sentence each."""
    lines = ["| Sentence | Measured | Holds if | Value | p, Holm | Verdict |", "|---|---|---|---|---|---|"]
    before = None
    for row in claims:
        quote = f"\u201c{row['quote']}\u201d" if not row["ours"] else f"{row['quote']} (ours)"
        first = row["claim"] != before
        p = "omitted" if row["adjusted"] is None else decimal(row["adjusted"])
        cells = (quote, row["measured"], row["holds"], _number(row), p, row["verdict"])
        if not first:
            cells = ("", *cells[1:4], "", "")
        lines.append(f"| {' | '.join(cells)} |")
        before = row["claim"]
    return "\n".join([*lines, "", *sentences(claims), ""])


def sentences(claims: Sequence[Row]) -> list[str]:
    """What the verdicts come to, each sentence a function of its row."""
    by_key: dict[str, list[Row]] = {}
    for row in claims:
        by_key.setdefault(row["claim"], []).append(row)
    words = []
    if (premise := by_key.get("premise")) and premise[0]["value"] is not None:
        row = premise[0]
        side = {"confirmed": "The premise holds", "not confirmed": "The premise does not hold"}.get(
            row["verdict"], "Whether the premise holds is undecided"
        )
        words.append(f"{side} in a small model by itself: its image embeddings are {_number(row, 'times')} as long as "
                    f"text embeddings, {LONGER:g} times are published.")  # fmt: skip
    words += [
        _suppression(by_key.get("suppression")),
        _change(by_key.get("counteract"), "long embeddings"),
        _change(by_key.get("better"), "the plain projector"),
    ]
    return [filled(f"- {sentence}") for sentence in words if sentence]


def _suppression(rows: Sequence[Row] | None) -> str:
    """Whether long embeddings cost where more than what; nothing without the number."""
    if not rows or rows[0]["value"] is None:
        return ""
    where, specific = rows
    beside = (
        f"*where* changes by {_number(where)}, and by {_number(specific)} more than *what* as a share above chance."
    )
    if where["verdict"] == "confirmed":
        return f"Long image embeddings lower accuracy of *where*, and more than that of *what*: {beside}"
    if where["verdict"] == "not confirmed":
        return f"Long image embeddings do not lower accuracy of *where* more than that of *what*: {beside}"
    return f"Whether long image embeddings lower accuracy of *where* more than that of *what* is undecided: {beside}"


def _change(rows: Sequence[Row] | None, against: str) -> str:
    """Which way the norm changes where, as its verdict says; nothing where there is no number."""
    if not rows or rows[0]["value"] is None:
        return ""
    row = rows[0]
    verb = {"confirmed": "raises", "not confirmed": "lowers"}.get(row["verdict"])
    if verb is None:
        return f"Whether the norm changes accuracy of *where* against {against} is undecided: {_number(row)}."
    return f"The norm {verb} accuracy of *where* against {against}: {_number(row)}."


def numbers(summary: Sequence[Row]) -> str:
    """Means over seeds, a line a measure and a column a projector."""
    lines = [f"| Measure | {' | '.join(CALLED[name] for name in NAMES)} |", "|---" * (len(NAMES) + 1) + "|"]
    for pictures, measure, title in MEASURES:
        of = {r["projector"]: r for r in summary if (r["pictures"], r["measure"], r["less"]) == (pictures, measure, "")}
        if of:
            lines.append(f"| {title} | {' | '.join(_cell(of.get(name)) for name in NAMES)} |")
    return "\n".join(lines)


def differences(summary: Sequence[Row]) -> str:
    """Paired differences, a line a measure and a column a pair of projectors."""
    heads = [f"{CALLED[one]} less {CALLED[other]}" for one, other in PAIRS]
    lines = [f"| Measure | {' | '.join(heads)} |", "|---" * (len(PAIRS) + 1) + "|"]
    for pictures, measure, title in MEASURES:
        if measure in LENGTHS:
            continue
        of = {(r["projector"], r["less"]): r for r in summary if (r["pictures"], r["measure"]) == (pictures, measure)}
        if any(pair in of for pair in PAIRS):
            lines.append(f"| {title} | {' | '.join(_cell(of.get(pair)) for pair in PAIRS)} |")
    return "\n".join(lines)


def _cell(row: Row | None) -> str:
    if row is None:
        return "omitted"
    null = f"; gray {decimal(row['null'])}" if row["null"] is not None else ""
    return f"{_number({**row, 'value': row['mean']})}{null} (n = {row['seeds']})"


def _number(row: Row, unit: str = "") -> str:
    """A value with its interval; "omitted" without one."""
    if row["value"] is None:
        return "omitted"
    value = f"{_shown(row['value'])}{' ' * bool(unit)}{unit}"
    return value if row["low"] is None else f"{value} [{_shown(row['low'])}, {_shown(row['high'])}]"


def _shown(value: float) -> str:
    """Three decimals below ten, one above, a true minus sign, no minus before zero."""
    text = f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"
    return f"\u2212{text[1:]}" if text.startswith("-") and float(text) != 0 else text.lstrip("-")
