"""Scale and time in words: each sentence is a function of the tables' numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from backsight.maths.gap import NO_GAP
from backsight.results.drawing.style import counted
from backsight.results.pages.wording import listed
from backsight.results.scale.tables import MEASURES, SEEDS
from backsight.tables import Table

Row = Mapping[str, Any]
NAMES = {
    "what": "accuracy on what, corrected for guessing,",
    "where": "accuracy on where, corrected for guessing,",
    "gap": "the what/where gap",
    "vision": "the share that the vision encoder gives by itself",
    "language": "the share that the language model gives by itself",
    "creg": "CREG's improvement over uniform relevance",
}
VERDICTS = {
    "what": "what is answered better than where",
    "where": "where is answered better than what",
    "none": f"no gap is left, within {NO_GAP:g}",
    "cannot tell": "it cannot be told",
}
SMALL = "Two sizes of one small architecture, trained on squares: what holds at the sizes of real models is not shown."


def statements(table: Table, changes: Table) -> list[str]:
    """All sentences: the answer, then each change with size, the verdicts, then each change with steps."""
    rows, moved = table.rows(), changes.rows()
    by_size = [row for row in moved if row["against"] == "size"]
    by_steps = [row for row in moved if row["against"] == "steps"]
    return [
        answer(rows, by_size), *filter(None, [spread_sentence(rows)]), *(change_sentence(row) for row in by_size),
        pathway_sentence(rows), *(change_sentence(row) for row in by_steps), SMALL,
    ]  # fmt: skip


def change_sentence(row: Row) -> str:
    """How one number changes, with its interval, and whether it is told from none."""
    name = NAMES[row["measure"]]
    ends = f"{row['start']:,} to {row['end']:,} {'parameters' if row['against'] == 'size' else 'steps'}"
    where = f"From {ends}" + (f" of size {row['of']}" if row["of"] else "")
    if row["omitted"] is not None:
        return f"{where} {name} cannot be compared: {row['omitted']}."
    digits, unit = (1, " degrees") if row["measure"] == "creg" else (2, "")
    numbers = {key: f"{row[key]:z.{digits}f}" for key in ("before", "after", "change", "low", "high")}
    verb = {"rises": "rises", "falls": "falls", "undecided": "goes"}[row["word"]]
    moved = f"{where} {name} {verb} from {numbers['before']} to {numbers['after']}{unit}"
    interval = f"{numbers['change']} [{numbers['low']}, {numbers['high']}], {counted(row['seeds'], 'seed')}"
    doubt = ""
    if row["word"] == "undecided":
        few = not row["low"] <= 0 <= row["high"]
        doubt = f"; fewer than {SEEDS} seeds tell no size from a seed" if few else "; the interval holds zero"
    return f"{moved} (change {interval}, 95 % interval over {row['interval']}{doubt})."


def answer(rows: Sequence[Row], by_size: Sequence[Row]) -> str:
    """Does the gap vanish with scale, as far as these sizes say; undecided where the intervals do not tell."""
    question = "Does the gap vanish with scale?"
    gap = next((row for row in by_size if row["measure"] == "gap"), None)
    if gap is None or gap["omitted"] is not None:
        return f"{question} Not measured: {'there is one size' if gap is None else gap['omitted']}."
    words = Counter(row["word"] for row in _last(rows, "gap") if row["parameters"] == gap["end"])
    runs = sum(words.values())
    ends = f"at {gap['end']:,} parameters, {_counts(words, VERDICTS)}"
    if words["none"] == runs and gap["word"] == "falls":
        return f"{question} Here it does: it falls with size, and {ends}."
    if words["what"] == runs and gap["word"] != "falls" and gap["seeds"] >= SEEDS:
        held = "rises with size" if gap["word"] == "rises" else "is not shown to fall with size"
        return f"{question} Not here: it {held}, and {ends}."
    if gap["word"] == "falls":
        return f"{question} It falls with size; {ends}."
    few = f", and fewer than {SEEDS} seeds tell no size from a seed" if gap["seeds"] < SEEDS else ""
    return f"{question} Undecided: {ends}{few}."


def spread_sentence(rows: Sequence[Row]) -> str:
    """How far the gap of one size differs over seeds; empty where no size has two."""
    mine = [row for row in _last(rows, "gap") if row["omitted"] is None]
    parts = []
    for size in sorted({row["parameters"] for row in mine}):
        values = sorted(row["value"] for row in mine if row["parameters"] == size)
        if len(values) > 1:
            parts.append(f"{values[0]:z.2f} to {values[-1]:z.2f} at {size:,} parameters ({len(values)} seeds)")
    return f"Over seeds the gap goes from {listed(parts)}." if parts else ""


def pathway_sentence(rows: Sequence[Row]) -> str:
    """The verdict on the pathways at every size, counted over runs."""
    mine = _last(rows, "pathway")
    if not mine:
        return "The pathways were not measured."
    sizes = sorted({row["parameters"] for row in mine})
    parts = [
        f"{_counts(Counter(row['word'] for row in mine if row['parameters'] == size), {})} at {size:,} parameters"
        for size in sizes
    ]
    verdicts = {frozenset(row["word"] for row in mine if row["parameters"] == size) for size in sizes}
    same = len(sizes) > 1 and len(verdicts) == 1 and len(next(iter(verdicts))) == 1
    alike = ": the same at every size" if same and verdicts != {frozenset(["cannot tell"])} else ""
    return f"The pathway verdict is {listed(parts)}{alike}."


def _last(rows: Sequence[Row], measure: str) -> list[Row]:
    """The rows of a measure at the last step, of the recipe of the smallest model, that have a word."""
    if not rows:
        return []
    recipe = min(rows, key=lambda row: row["parameters"])["recipe"]
    return [r for r in rows if r["measure"] == measure and r["last"] and r["recipe"] == recipe and r["word"]]


def _counts(words: Counter[str], names: Mapping[str, str]) -> str:
    """Words with the runs of each, as "none in 2 of 3 runs"."""
    runs = sum(words.values())
    return listed(f"{names.get(word, word)} in {number} of {counted(runs, 'run')}" for word, number in words.items())


def markdown(table: Table) -> str:
    """The numbers of every model at its last step, as a table in Markdown."""
    lines = [
        "| model | parameters | seed | steps | " + " | ".join((*MEASURES, "pathway verdict")) + " |",
        "| --- " * (4 + len(MEASURES) + 1) + "|",
    ]
    models: dict[str, dict[str, Row]] = {}
    for row in table.rows():
        if row["last"]:
            models.setdefault(row["model"], {})[row["measure"]] = row
    for model, of in sorted(models.items(), key=lambda item: next(iter(item[1].values()))["parameters"]):
        any_row = next(iter(of.values()))
        cells = [_cell(of.get(measure)) for measure in MEASURES]
        verdict = of["pathway"]["word"] if "pathway" in of else "–"
        head = [f"`{model}`", f"{any_row['parameters']:,}", str(any_row["seed"]), f"{any_row['steps']:,}"]
        lines.append(f"| {' | '.join((*head, *cells, verdict))} |")
    return "\n".join(lines)


def _cell(row: Row | None) -> str:
    if row is None or row["omitted"] is not None or row["value"] is None:
        return "omitted"
    digits = 1 if row["measure"] == "creg" else 2
    return f"{row['value']:z.{digits}f} [{row['low']:z.{digits}f}, {row['high']:z.{digits}f}]"
