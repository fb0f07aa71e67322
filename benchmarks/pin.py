"""A positional insert (PIN) on small models that are frozen: boxes, relations and *what*, before and after.

    backsight train pin-dormant --out runs/pin-dormant
    python benchmarks/pin.py runs/pin-dormant --out runs/pin [--seeds 3] [--steps 150] [--batch 32]

Scenes of two coloured squares on a 6 x 6 grid; the insert is trained on 2,000 and scored on 120 others. Beside it: no
insert, its control (the same vectors on other patches) and, where `MODEL.training` lies beside a model, the table that
it was lent in training. Boxes are what the model writes (greedily); relations and
what is there are the most probable option. Prints a table in Markdown and writes all rows to pin.csv.
"""

from __future__ import annotations

import argparse
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
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
from backsight.stimuli.absolute import COLORS
from backsight.stimuli.questions import BRIEF, DIRECTIONS
from backsight.stimuli.relations import relation
from backsight.stimuli.scattered import RATIO
from backsight.training.pin import LAYOUT, SIDES, SYSTEM
from backsight.training.questions import presence

TRAIN, TEST = 2000, 120
ENDS = ("", "_low", "_high")


def scenes(count: int, seed: int) -> ExampleSet:
    """Questions about boxes, in the words of the base models."""
    return stimuli.located(
        LAYOUT, scenes=count, seed=seed, form="grid", sides=SIDES, things="squares", system=SYSTEM
    )  # fmt: skip


def others(asked: ExampleSet) -> tuple[ExampleSet, ExampleSet]:
    """Of the same scenes where one square is relative to the other, if that is clear, and which colour is there."""
    where, what = [], []
    rng = np.random.default_rng(9)
    for e in asked:
        one, other = e.source.named
        direction = relation(one.box, other.box, ratio=RATIO)
        if direction is not None:
            question = BRIEF.format(tgt=one.name, ref=other.name)
            where.append(Example(f"{e.id}-where", e.picture, question, DIRECTIONS, direction, system=SYSTEM))
        colors = tuple(f.name.split(" ")[0] for f in (one, other))
        question, answer = presence("squares", colors, COLORS, rng)
        options = tuple(color for color in COLORS if color in question)
        what.append(Example(f"{e.id}-what", e.picture, question, options, answer, system=SYSTEM))
    return ExampleSet("where", tuple(where)), ExampleSet("what", tuple(what))


def scored(vlm: VLM, fitted: Fitted | None, asked: ExampleSet) -> dict[str, Any]:
    """Boxes, relations and what, with a repair or without, each with its interval."""
    with nullcontext() if fitted is None else fitted.applied(vlm):
        (row,) = localization_summary(Localization(words=4, batch=60)(vlm, asked)).rows()
    names = ("readable", "iou", "hit", "error", "mean_box", "other", "blank", "above")
    line = {f"{name}{end}": row[f"{name}{end}"] for name in names for end in ENDS} | {"best": row["best"]}
    for examples in others(asked):
        right = choosing.outcome(vlm, examples, fitted).right.astype(float)
        interval = mean_over_images(right, [e.image_id for e in examples])
        line |= dict(zip((f"{examples.name}{end}" for end in ENDS), interval[:3], strict=True))
    return line


def main(models: list[str], out: Path, seeds: int, steps: int, batch: int) -> None:
    """Fit, score and print; what is in pin.csv already is not made again."""
    quiet()
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    file = out / "pin.csv"
    lines = pd.read_csv(file).to_dict("records") if file.is_file() else []
    train, test = scenes(TRAIN, 1), scenes(TEST, 2)
    for name in models:
        vlm, label = load(name, dtype="float32", check=False), Path(name).name
        known = {(line["model"], line["insert"], line["seed"]) for line in lines}

        def add(about: dict[str, Any], fitted: Fitted | None, vlm: VLM = vlm) -> None:
            lines.append(about | scored(vlm, fitted, test))
            pd.DataFrame(lines).to_csv(file, index=False)

        if (label, "none", 0) not in known:
            add({"model": label, "insert": "none", "seed": 0}, None)
        if (table := lent(Path(f"{name.rstrip('/')}.training"))) is not None and (label, "lent table", 0) not in known:
            add({"model": label, "insert": "lent table", "seed": 0}, Inserted(table, SIDES, SIDES, table.numel()))
        for seed in range(seeds):
            if (label, "positions shuffled", seed) in known:
                continue
            before = fingerprints.of_weights(vlm.model)
            started = time.process_time()
            fitted = Pin(steps=steps, batch=batch, hidden=(64, 96), seed=seed, sides=SIDES, rate=RATE).fit(vlm, train)
            seconds = time.process_time() - started
            assert fingerprints.of_weights(vlm.model) == before, "a weight of the model has changed"
            path = save(fitted, out / f"{label}-{seed}.safetensors", vlm, train)
            about = {"model": label, "seed": seed, "weights": before, "parameters": fitted.parameters}
            about |= {"seconds": round(seconds, 1), "KiB": round(path.stat().st_size / 1024, 1)}
            add(about | {"insert": "PIN"}, fitted)
            add(about | {"insert": "positions shuffled"}, fitted.control(seed))
    print(markdown(lines))


def lent(work: Path) -> torch.Tensor | None:
    """The table of positions (patch, d_vision) of a training's last checkpoint, if it has one."""
    file = work / "checkpoint.safetensors"
    return load_file(file).get("weight.table.weight") if file.is_file() else None


RATE = 3e-3  # of so small a network; the published rate of a network 90 times its size is 1e-3


def markdown(lines: list[dict[str, Any]]) -> str:
    """The table of the page."""
    shown = {
        "iou": "mean IoU", "error": "location error", "readable": "readable", "where": "relations", "what": "what",
    }  # fmt: skip
    rows = [f"| model | insert | seed | {' | '.join(shown.values())} |", f"|{'---|' * (3 + len(shown))}"]
    for line in lines:
        cells = (
            "–" if pd.isna(line[n]) else f"{line[n]:.3f} [{line[f'{n}_low']:.3f}, {line[f'{n}_high']:.3f}]"
            for n in shown
        )
        rows.append(f"| {line['model']} | {line['insert']} | {line['seed']} | {' | '.join(cells)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", help="checkpoints of the recipes pin-dormant and pin-never")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--batch", type=int, default=32)
    given = parser.parse_args()
    main(given.models, given.out, given.seeds, given.steps, given.batch)
