"""The page of the experiment with PIN, in Markdown: all numbers and sentences are made of its rows."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from backsight.results.pages.wording import decimal, listed, with_interval
from backsight.results.pin.claims import DORMANT, NEVER, Claim, claims
from backsight.results.pin.tables import CONTROL, ENDS, INSERT, INSERTS, LENT, NONE
from backsight.tables import Table

Row = Mapping[str, Any]
RELATIONS = 0.25  # chance of a relation of two squares
SHOWN = {"iou": "mean IoU", "error": "location error", "readable": "readable", "where": "relations", "what": "what"}
INTRODUCTION = """# A positional insert on a frozen model

PIN (Dorkenwald and others 2024) adds a learned vector to each patch of a frozen model, the same for every picture, and
finds that the model can then say where things are. Here the same is done to small models whose knowledge is known by
how they were made. [How the insert is built and trained, and where it differs from the published
one](../repairs.md#the-repairs).

## The models

Both are Gemma-3 with 6 x 6 image tokens (vision 1 x 32, language 4 x 64, 0.2 million parameters) and have no position
of image tokens at all: SigLIP's position table is zero, rotary positions are stretched by 1e9. They are asked for boxes
("The box of the red square is", answer "two four three five": first column, first row, last column, last row), for the
relation of two squares (chance .25), and which of two colours is there (chance .5).

- `pin-dormant` was lent a table of positions on 80 % of its training steps, added where the insert is added, and the
  table was thrown away. Its language model can read positions that its vision encoder does not give.
- `pin-never` never had a position. What an insert gives it, its language model has never seen.

<!-- parsed only: it trains two models and six inserts, which takes minutes -->
```bash
backsight train pin-dormant --out runs/pin-dormant
backsight train pin-never --out runs/pin-never
python benchmarks/pin.py runs/pin-dormant runs/pin-never --out runs/pin --results docs/results
```
"""
READING = """Boxes are what the model writes, read in the form `grid`; relations and *what* are the most probable
option. Brackets are 95 % intervals over pictures. `positions shuffled` is the control: the same vectors on other
patches. `lent table` is the table that the model was trained with; its training has seen pictures of the same world,
the scored ones not excepted, so that it is an upper bound and not held out.
"""


def page(table: Table) -> str:
    """The page; of models and inserts that are not in the table it says nothing."""
    rows = sorted(table.rows(), key=lambda row: (row["model"], row["seed"], INSERTS.index(row["insert"])))
    if not rows:
        return INTRODUCTION + "\nNothing is measured yet.\n"
    judged = claims(rows)
    lines = _nulls(rows), [relations(rows), RULE.format(claims=len(judged)), _missing(judged), *_costs(rows)]
    parts = [
        INTRODUCTION, _fill(_training(rows)), "## Before and after\n", markdown(rows), "", READING,
        *map(_fill, lines[0]), "## What the seeds say\n", verdicts(judged), "",
        *(_fill(line) for line in lines[1] if line), _fill(LIMITS.format(bases=_bases(rows))),
    ]  # fmt: skip
    return "\n".join(parts).rstrip("\n") + "\n"


RULE = (
    "A sentence is confirmed where Student's 95 % interval over seeds of the insert lies wholly on its side, after "
    "Holm over the {claims} sentences, not confirmed where it lies wholly on the other side, else undecided; fewer "
    "than three seeds decide nothing. Of that interval and the one over the pictures, which all seeds share, the wider "
    "holds. Brackets are intervals before Holm."
)
LIMITS = (
    "What it does not show: {bases}, photographs, and longer trainings of the insert. The dormant model was made to "
    "read exactly this kind of vector at exactly this site; a pre-trained model need not. The base models' own "
    "training samples its pictures from the world of the scored ones."
)


def markdown(rows: Sequence[Row]) -> str:
    """The table of what was measured, a line a row."""
    lines = [f"| model | insert | seed | {' | '.join(SHOWN.values())} |", f"|{'---|' * (3 + len(SHOWN))}"]
    for row in rows:
        seed = "" if row["insert"] in (NONE, LENT) else row["seed"]
        cells = (with_interval(*(row[f"{name}{end}"] for end in ENDS)) for name in SHOWN)
        lines.append(f"| {row['model']} | {row['insert']} | {seed} | {' | '.join(cells)} |")
    return "\n".join(lines)


def verdicts(judged: Sequence[Claim]) -> str:
    """The table of sentences, each with its number, seeds, p and verdict."""
    lines = ["| model | sentence | mean over seeds | seeds | p (Holm) | verdict |", "|---|---|---|---|---|---|"]
    for one in judged:
        number = one.number
        if number is None:
            continue
        cells = [f"`{one.asked.model}`", one.asked.words, with_interval(number.mean, number.low, number.high)]
        cells += [str(number.n), decimal(number.p), one.verdict]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _training(rows: Sequence[Row]) -> str:
    """How bases and inserts were trained, and what they are scored on."""
    fits = [row for row in rows if row["insert"] == INSERT]
    steps = sorted({(row["model"], row["base_steps"]) for row in rows}, key=str)
    bases = listed(f"{model} {'in steps that no log says' if n is None else f'in {n} steps'}" for model, n in steps)
    scored = listed(sorted({f"{row['questions']} others" for row in rows}))
    words = f"Base models are trained by their recipes, one of each: {bases}."
    if fits:
        how = listed(
            sorted({
                f"the boxes of {row['scenes']:,} scenes of two squares ({row['parameters']:,} parameters, "
                f"{row['steps']} steps of {row['batch']} questions, Adam at {row['rate']:g})" for row in fits
            })
        )  # fmt: skip
        words += f" An insert is trained on {how}"
        words += f" and scored on {scored}, none of which shows the squares of a picture that it was trained on."
    return f"{words} Measured on {listed(sorted({str(row['hardware']) for row in rows}))}."


def _nulls(rows: Sequence[Row]) -> list[str]:
    """The nulls of the boxes, over all rows."""

    def between(name: str) -> str:
        values = [row[name] for row in rows if row[name] is not None]
        low, high = min(values), max(values)
        return decimal(low) if low == high else f"{decimal(low)} to {decimal(high)}"

    relations = listed(sorted({str(row["relations"]) for row in rows}))
    return [
        f"Relations are {relations} questions. Nulls of the mean IoU: the one box that fits the other pictures best "
        f"{between('constant')} (no model needed), boxes named for other pictures {between('other')}, boxes named for "
        f"a gray picture {between('blank')}."
    ]


def relations(rows: Sequence[Row]) -> str:
    """Relations of the dormant model beside chance and the control; empty where one was not measured."""
    mine = [row for row in rows if row["model"] == DORMANT and row["where"] is not None]
    of = {name: [row["where"] for row in mine if row["insert"] == name] for name in (NONE, CONTROL, INSERT)}
    if not all(of.values()):
        return ""
    none, control, insert = (sum(values) / len(values) for values in of.values())
    return (
        f"Relations of `{DORMANT}`, means over seeds: {decimal(none)} without an insert (chance {RELATIONS:g}), "
        f"{decimal(control)} with shuffled positions, {decimal(insert)} with the insert. What any vectors do, the "
        "control does too: only a gain over it speaks of positions."
    )


def _missing(judged: Sequence[Claim]) -> str:
    """The sentences that no row says anything of; empty where there is none."""
    missing = [f"{one.asked.words} (`{one.asked.model}`)" for one in judged if one.number is None]
    return f"Not measured: {'; '.join(missing)}." if missing else ""


def _costs(rows: Sequence[Row]) -> list[str]:
    """What a fit costs, and whether it left the weights as they were."""
    fits = [row for row in rows if row["insert"] == INSERT]
    if not fits:
        return []
    seconds, kib = ([row[name] for row in fits] for name in ("seconds", "kib"))
    sizes = listed(f"{size:,}" for size in sorted({row["parameters"] for row in fits}))
    changed = [f"`{row['model']}` (seed {row['seed']})" for row in fits if not row["unchanged"]]
    kept = "bit for bit the same before and after each fit" if not changed else f"not the same after {listed(changed)}"
    return [
        f"**Cost.** {sizes} parameters, "
        f"{min(seconds):.0f} to {max(seconds):.0f} seconds of one core, {max(kib):.0f} KiB in the file. The weights of "
        f"the base models are {kept}. A question costs what it did before.",
    ]


def _bases(rows: Sequence[Row]) -> str:
    """How many base models there are, as what is not shown."""
    models = {model: len({row["weights"] for row in rows if row["model"] == model}) for model in (DORMANT, NEVER)}
    there = [
        f"{count} base {'model' if count == 1 else 'models'} of `{model}`" for model, count in models.items() if count
    ]
    return f"more than {listed(there)}" if there else "base models of these recipes"


def _fill(words: str) -> str:
    return textwrap.fill(words, 120, break_long_words=False, break_on_hyphens=False) + "\n"
