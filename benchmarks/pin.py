"""A positional insert (PIN) on small models that are frozen: boxes, relations and *what*, before and after.

    backsight train pin-dormant --out runs/pin-dormant
    backsight train pin-never --out runs/pin-never
    python benchmarks/pin.py runs/pin-dormant runs/pin-never --out runs/pin [--results docs/results]
        [--seeds 3] [--steps 150] [--batch 32]

Scenes of two coloured squares on a 6 x 6 grid; the insert is trained on 2,000 and scored on 120 others, none of which
shows the same squares as one of those. Beside it: no insert, its control (the same vectors on other patches) and, where
`MODEL.training` lies beside a model, the table that it was lent in training. Rows stand in OUT/pin.csv; a row is kept
where the base model's weights and all settings are the same, and made anew where they are not. `--results` takes the
rows of the models that are named and the page that is made of them.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import platform
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from backsight import stimuli
from backsight.examples import Example, ExampleSet
from backsight.maths.intervals import mean_over_images
from backsight.measurements import Localization
from backsight.models import fingerprints
from backsight.models.opening import load, quiet
from backsight.models.vlm import VLM
from backsight.repairs import Fitted, Inserted, Pin, choosing, save
from backsight.results.localization import localization_summary
from backsight.results.pin import ENDS, PIN, page
from backsight.results.pin.tables import CONTROL, INSERT, LENT, MEASURES, NONE
from backsight.stimuli.absolute import COLORS
from backsight.stimuli.questions import BRIEF, DIRECTIONS
from backsight.stimuli.relations import relation
from backsight.stimuli.scattered import RATIO
from backsight.tables import Table, replacing
from backsight.training.pin import LAYOUT, SIDES, SYSTEM
from backsight.training.questions import presence

VERSION = 2  # of what is asked and scored here: rows of another are made anew
TRAIN, TEST = 2000, 120
RATE = 3e-3  # of so small a network; the published rate of a network 90 times its size is 1e-3
HIDDEN = (64, 96)
Row = dict[str, Any]


def scenes(count: int, seed: int) -> ExampleSet:
    """Questions about boxes, in the words of the base models."""
    return stimuli.located(
        LAYOUT, scenes=count, seed=seed, form="grid", sides=SIDES, things="squares", system=SYSTEM
    )  # fmt: skip


def shown(e: Example) -> frozenset[Any]:
    """What a scene shows, whichever square is asked about."""
    return frozenset((figure.name, figure.box) for figure in e.source.named)  # type: ignore[attr-defined]


def split(train: int = TRAIN, test: int = TEST) -> tuple[ExampleSet, ExampleSet]:
    """Questions to train an insert on, and others of which none shows what one of those shows, or another of them."""
    known = scenes(train, 1)
    seen = {shown(e) for e in known}
    fresh: list[Example] = []
    for e in scenes(4 * test, 2):
        if shown(e) not in seen and len(fresh) < test:
            seen.add(shown(e))
            fresh.append(e)
    if len(fresh) < test:
        raise SystemExit(f"Only {len(fresh)} of {test} test scenes differ from all of training's")
    return known, ExampleSet("located", tuple(fresh), only=("localization",))


def others(asked: ExampleSet) -> tuple[ExampleSet, ExampleSet]:
    """Of the same scenes where one square is relative to the other, if that is clear, and which colour is there."""
    where, what = [], []
    rng = np.random.default_rng(9)
    for e in asked:
        one, other = e.source.named  # type: ignore[attr-defined]
        direction = relation(one.box, other.box, ratio=RATIO)
        if direction is not None:
            question = BRIEF.format(tgt=one.name, ref=other.name)
            where.append(Example(f"{e.id}-where", e.picture, question, DIRECTIONS, direction, system=SYSTEM))
        colors = tuple(f.name.split(" ")[0] for f in (one, other))
        question, answer = presence("squares", colors, COLORS, rng)
        options = tuple(color for color in COLORS if color in question)
        what.append(Example(f"{e.id}-what", e.picture, question, options, answer, system=SYSTEM))
    return ExampleSet("where", tuple(where)), ExampleSet("what", tuple(what))


def scored(vlm: VLM, fitted: Fitted | None, asked: ExampleSet) -> Row:
    """Boxes, relations and what, with a repair or without, each with its interval."""
    with nullcontext() if fitted is None else fitted.applied(vlm):
        (row,) = localization_summary(Localization(words=4, batch=60)(vlm, asked)).rows()
    line = {f"{name}{end}": row.get(f"{name}{end}") for name in MEASURES for end in ENDS}
    line |= {"best": row["best"], "questions": row["questions"], "images": row["images"]}
    where, what = others(asked)
    for examples in (where, what):
        right = choosing.outcome(vlm, examples, fitted).right.astype(float)
        interval = mean_over_images(right, [e.image_id for e in examples])
        line |= dict(zip((f"{examples.name}{end}" for end in ENDS), interval[:3], strict=True))
    return line | {"relations": len(where)}


def key_of(weights: str, pin: Pin, asked: ExampleSet, train: ExampleSet) -> str:
    """What all rows of one experiment share but their seed: weights, settings, and what is asked."""
    parts = [VERSION, weights, asdict(pin) | {"seed": None}, train.fingerprint, asked.fingerprint]
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:16]


class Rows:
    """The rows of a folder, by model, insert and seed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = {_at(row): row for row in (read(folder / "pin.csv") if (folder / "pin.csv").is_file() else ())}

    def keep(self, label: str, key: str) -> None:
        """Leave out a model's rows of other weights or settings."""
        stale = [at for at, row in self.rows.items() if row["model"] == label and row["key"] != key]
        if stale:
            print(f"{label}: {len(stale)} rows are of other weights or settings, and are made anew", flush=True)
        for at in stale:
            del self.rows[at]

    def has(self, label: str, seed: int, *inserts: str) -> bool:
        """Whether a model has rows of these inserts of a seed."""
        return all((label, insert, seed) in self.rows for insert in inserts)

    def put(self, *rows: Row) -> None:
        """Add rows in place of any of the same model, insert and seed, all in one writing."""
        blank = dict.fromkeys(PIN.columns)
        self.rows |= {_at(row): blank | row for row in rows}
        write(self.folder, self.rows.values())


def _at(row: Row) -> tuple[str, str, int]:
    return row["model"], row["insert"], int(row["seed"])


def read(path: Path) -> list[Row]:
    """The rows of a pin.csv; those of an older schema are left out."""
    kinds: dict[str, Callable[[str], Any]] = {
        "str": str, "int": int, "float": float, "bool": lambda text: text == "True",
    }  # fmt: skip
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.keys() == PIN.columns.keys()]
    return [{k: kinds[PIN.columns[k]](v) if v else None for k, v in row.items()} for row in rows]


def write(folder: Path, rows: Iterable[Row]) -> None:
    """pin.csv, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / "pin.csv") as part:
        Table.of(PIN, list(rows)).frame.to_csv(part, index=False, lineterminator="\n")


def examined(rows: Rows, model: str, pin: Pin, seeds: int, train: ExampleSet, test: ExampleSet) -> None:
    """All rows of a model that are not there yet."""
    vlm, label = load(model, dtype="float32", check=False), Path(model).name
    weights, work = fingerprints.exact(vlm.model), Path(f"{model.rstrip('/')}.training")
    about: Row = {"model": label, "key": key_of(weights, pin, test, train), "weights": weights, "seed": 0}
    about |= {"base_steps": base_steps(work), "hardware": hardware()}
    rows.keep(label, about["key"])
    if not rows.has(label, 0, NONE):
        rows.put(about | {"insert": NONE} | scored(vlm, None, test))
    if (table := lent(work)) is not None and not rows.has(label, 0, LENT):
        given = Inserted(table, SIDES, SIDES, table.numel())
        rows.put(about | {"insert": LENT, "parameters": table.numel()} | scored(vlm, given, test))
    for seed in range(seeds):
        if rows.has(label, seed, INSERT, CONTROL):
            continue
        started = time.process_time()
        fitted = Pin(**asdict(pin) | {"seed": seed}).fit(vlm, train)
        fit = {"seed": seed, "seconds": round(time.process_time() - started, 1), "parameters": fitted.parameters}
        fit |= {"steps": pin.steps, "batch": pin.batch, "rate": pin.rate, "scenes": len(train)}
        path = save(fitted, rows.folder / f"{label}-{seed}.safetensors", vlm, train)
        fit |= {"kib": round(path.stat().st_size / 1024, 1), "unchanged": fingerprints.exact(vlm.model) == weights}
        one = about | fit | {"insert": INSERT} | scored(vlm, fitted, test)
        rows.put(one, about | fit | {"insert": CONTROL} | scored(vlm, fitted.control(seed), test))
        print(f"{label}, seed {seed}: {fit['seconds']} s", flush=True)


def base_steps(work: Path) -> int | None:
    """The steps of a training, by its log; None without one."""
    log = work / "training.parquet"
    return int(Table.read(log).frame["step"].max()) if log.is_file() else None


def lent(work: Path) -> torch.Tensor | None:
    """The table of positions (patch, d_vision) of a training's last checkpoint, if it has one."""
    file = work / "checkpoint.safetensors"
    return load_file(file).get("weight.table.weight") if file.is_file() else None


def hardware() -> str:
    """Where a row was measured."""
    return f"one thread of a CPU ({platform.machine()}), torch {torch.__version__.split('+')[0]}, fp32"


def main(models: list[str], out: Path, results: Path | None, seeds: int, steps: int, batch: int) -> None:
    """Fit and score what is missing; with `results` write the rows of these models and the page."""
    quiet()
    torch.set_num_threads(1)
    rows = Rows(out)
    train, test = split()
    pin = Pin(steps=steps, batch=batch, hidden=HIDDEN, sides=SIDES, rate=RATE)
    for model in models:
        examined(rows, model, pin, seeds, train, test)
    names = {Path(model).name for model in models}
    named = [row for at, row in sorted(rows.rows.items()) if at[0] in names and at[2] < seeds]
    text = page(Table.of(PIN, named))
    if results is not None:
        write(results, named)
        (results / "pin.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", help="checkpoints of the recipes pin-dormant and pin-never")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--results", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--batch", type=int, default=32)
    given = parser.parse_args()
    main(given.models, given.out, given.results, given.seeds, given.steps, given.batch)
