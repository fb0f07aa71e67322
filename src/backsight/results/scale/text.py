"""Scale and time in words: each sentence is a function of the tables' numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from backsight.maths.gap import NO_GAP
from backsight.maths.seeds import FEWEST, over_seeds
from backsight.results.drawing.style import counted
from backsight.results.pages.wording import listed
from backsight.results.scale.tables import MEASURES
from backsight.tables import Table

Row = Mapping[str, Any]
NAMES = {
    "what": "what, corrected for guessing",
    "where": "where, corrected for guessing",
    "gap": "what/where gap",
    "vision": "vision encoder's share by itself",
    "language": "language model's share by itself",
    "creg": "CREG's improvement, degrees",
}


def answer(claims: Sequence[Row]) -> str:
    """Does the gap vanish with scale, as far as these sizes say."""
    question = "Does the gap vanish with scale?"
    left = next((row for row in claims if row["claim"] == "left"), None)
    if left is None or left["mean"] is None:
        return f"{question} Not measured."
    numbers = f"{_numbers(left)} over {counted(left['seeds'], 'seed')}"
    words = {
        "confirmed": f"Not here: the largest model answers what better than where, by {numbers}, more than {NO_GAP:g}.",
        "not confirmed": f"None is left in the largest model: {numbers}, below {NO_GAP:g}.",
        "undecided": f"Undecided: the gap of the largest model is {numbers}, on neither side of {NO_GAP:g} for sure.",
    }
    shrinks = next((row for row in claims if row["claim"] == "size-gap"), None)
    size = "" if shrinks is None else f" That it shrinks with size is {shrinks['verdict']}."
    return f"{question} {words[left['verdict']]}{size}"


def claim_sentence(row: Row) -> str:
    """A claim's verdict, the claim and its number."""
    start = f"**{row['verdict'][:1].upper()}{row['verdict'][1:]}.** {row['sentence']}"
    if row["mean"] is None:
        return f"{start} Not measured at both ends in any seed."
    few = f", fewer than {FEWEST}" if row["seeds"] < FEWEST else ""
    flat = ", which all agree and leave no interval" if row["low"] is None and not few else ""
    p = "" if row["p_holm"] is None else f", p = {row['p_holm']:.3f} by Holm"
    return f"{start} {_numbers(row)} over {counted(row['seeds'], 'seed')}{few}{flat}{p}."


def _numbers(row: Row) -> str:
    digits, unit = (1, " degrees") if row["claim"] == "size-creg" else (2, "")
    within = "" if row["low"] is None else f" [{row['low']:z.{digits}f}, {row['high']:z.{digits}f}]"
    return f"{row['mean']:z.{digits}f}{within}{unit}"


def changes_markdown(rows: Sequence[Row]) -> str:
    """How each number changes with size and with steps, as a table in Markdown; empty without any row."""
    if not rows:
        return ""
    lines = ["| measure | compared | before | after | change | seeds |", "| --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        unit = "parameters" if row["against"] == "size" else f"steps of {row['of']}"
        ends = escape(f"{row['start']:,} to {row['end']:,} {unit}", quote=False)
        numbers = ["omitted"] * 3
        if row["omitted"] is None:
            digits = 1 if row["measure"] == "creg" else 2
            within = "" if row["low"] is None else f" [{row['low']:z.{digits}f}, {row['high']:z.{digits}f}]"
            numbers = [f"{row[key]:z.{digits}f}" for key in ("before", "after", "change")]
            numbers[2] += within
        lines.append(f"| {' | '.join((NAMES[row['measure']], ends, *numbers, str(row['seeds'])))} |")
    return "\n".join(lines)


def spread_sentence(rows: Sequence[Row]) -> str:
    """How far the gap of one size differs over seeds; empty where no size has two."""
    mine = [row for row in rows if row["measure"] == "gap" and row["last"] and row["omitted"] is None]
    parts = []
    for size in sorted({row["parameters"] for row in mine}):
        values = sorted(row["value"] for row in mine if row["parameters"] == size)
        if len(values) > 1:
            parts.append(f"{values[0]:z.2f} to {values[-1]:z.2f} at {size:,} parameters ({len(values)} seeds)")
    return f"Over seeds the gap goes from {listed(parts)}." if parts else ""


def pathway_sentence(rows: Sequence[Row]) -> str:
    """The verdict on the pathways at every size, counted over runs."""
    mine = [row for row in rows if row["measure"] == "pathway" and row["last"] and row["word"]]
    if not mine:
        return "The pathways were not measured."
    counts = sorted({row["parameters"] for row in mine})
    parts = [
        f"{_counts(Counter(row['word'] for row in mine if row['parameters'] == size))} at {size:,} parameters"
        for size in counts
    ]
    verdicts = {frozenset(row["word"] for row in mine if row["parameters"] == size) for size in counts}
    same = len(counts) > 1 and len(verdicts) == 1 and len(next(iter(verdicts))) == 1
    alike = ": the same at every size" if same and verdicts != {frozenset(["cannot tell"])} else ""
    return f"The pathway verdict is {listed(parts)}{alike}."


def _counts(words: Counter[str]) -> str:
    """Words with the runs of each, as "language in 2 of 3 runs"."""
    runs = sum(words.values())
    return listed(f"{word} in {number} of {counted(runs, 'run')}" for word, number in sorted(words.items()))


def order_sentence(rows: Sequence[Row]) -> str:
    """In how many runs what is answered above guessing at an earlier measured step than where, and the reverse."""
    runs: dict[tuple[str, int], dict[str, list[Row]]] = {}
    for row in rows:
        if row["measure"] in ("what", "where") and row["omitted"] is None:
            runs.setdefault((row["size"], row["seed"]), {}).setdefault(row["measure"], []).append(row)
    words = Counter[str]()
    for sides in runs.values():
        if len(sides) < 2 or min(len({row["steps"] for row in side}) for side in sides.values()) < 2:
            continue
        steps = {name: min((r["steps"] for r in side if r["low"] > 0), default=None) for name, side in sides.items()}
        what, where = steps["what"], steps["where"]
        if what == where:
            words["both at once" if what is not None else "neither"] += 1
        else:
            words["what" if where is None or (what is not None and what < where) else "where"] += 1
    if not words:
        return ""
    total = sum(words.values())
    parts = listed(f"{word} in {number} of {counted(total, 'run')}" for word, number in sorted(words.items()))
    return f"First above guessing (95 % interval over rows, at the measured steps) is {parts}."


def ended_sentence(rows: Sequence[Row]) -> str:
    """Whether where still rose when training ended; empty without two snapshots of a run."""
    runs: dict[tuple[str, int], dict[int, float]] = {}
    for row in rows:
        if row["measure"] == "where" and row["omitted"] is None:
            runs.setdefault((row["size"], row["seed"]), {})[row["steps"]] = row["value"]
    last = [sorted(of)[-2:] for of in runs.values() if len(of) > 1]
    if not last or len({tuple(steps) for steps in last}) > 1:
        return ""
    before, end = last[0]
    rises = over_seeds([of[end] - of[before] for of in runs.values() if len(of) > 1])
    rose = sum(of[end] > of[before] for of in runs.values() if len(of) > 1)
    within = "" if rises.low is None else f" [{rises.low:z.2f}, {rises.high:z.2f}]"
    sentence = f"From step {before:,} to the last, {end:,}, where rose in {rose} of {counted(len(last), 'run')}"
    cut = ": training ended early, so a gap at its end is also one of how long it was" if (rises.low or 0) > 0 else ""
    return f"{sentence}, by {rises.mean:z.2f}{within} on average{cut}."


def creg_sentence(rows: Sequence[Row]) -> str:
    """How many models and steps have an interval of CREG's improvement above zero, beside what chance gives."""
    mine = [row for row in rows if row["measure"] == "creg" and row["omitted"] is None]
    if not mine:
        return "CREG was not measured."
    above = sum(row["low"] > 0 for row in mine)
    below = sum(row["high"] < 0 for row in mine)
    return (
        f"Of {counted(len(mine), 'snapshot')} of all sizes and seeds {above} {'has' if above == 1 else 'have'} an "
        f"interval of CREG's improvement above zero and {below} below; where there is nothing, 95 % intervals give "
        f"{len(mine) * 0.025:.1f} each."
    )


def markdown(table: Table) -> str:
    """The numbers of every model at its last step, as a table in Markdown."""
    lines = [
        "| size | parameters | seed | steps | " + " | ".join((*MEASURES, "pathway verdict")) + " |",
        "| --- " * (4 + len(MEASURES) + 1) + "|",
    ]
    models: dict[str, dict[str, Row]] = {}
    for row in table.rows():
        if row["last"]:
            models.setdefault(row["model"], {})[row["measure"]] = row
    for of in sorted(models.values(), key=_place):
        any_row = next(iter(of.values()))
        cells = [_cell(of.get(measure)) for measure in MEASURES]
        verdict = of["pathway"]["word"] if "pathway" in of else "omitted"
        head = [
            escape(any_row["size"], quote=False),
            f"{any_row['parameters']:,}",
            str(any_row["seed"]),
            f"{any_row['steps']:,}",
        ]
        lines.append(f"| {' | '.join((*head, *cells, verdict))} |")
    return "\n".join(lines)


def _place(of: Mapping[str, Row]) -> tuple[int, int]:
    one = next(iter(of.values()))
    return int(one["parameters"]), int(one["seed"])


def omissions(table: Table) -> list[str]:
    """Why numbers of the last step are omitted, one line a reason."""
    reasons: dict[str, list[str]] = {}
    for row in table.rows():
        if row["last"] and row["omitted"] is not None:
            where = f"{row['measure']} of {row['size']}, seed {row['seed']}"
            reasons.setdefault(row["omitted"], []).append(where)
    return [escape(f"Omitted: {listed(of)}: {reason}.", quote=False) for reason, of in reasons.items()]


def _cell(row: Row | None) -> str:
    if row is None or row["omitted"] is not None or row["value"] is None:
        return "omitted"
    digits = 1 if row["measure"] == "creg" else 2
    return f"{row['value']:z.{digits}f} [{row['low']:z.{digits}f}, {row['high']:z.{digits}f}]"
