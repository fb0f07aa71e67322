"""The what/where gap, the pathway verdict and CREG's improvement over its baseline, by size and by steps.

    for seed in 0 1 2; do for size in tiny small; do
        backsight train scale --size $size --seed $seed --out RUNS/$size-$seed \
            --snapshots 50,100,150,200,250,300,350,400,450,500
    done; done
    python benchmarks/scale.py RUNS OUT [--with builtin:plain]

Every run and its snapshots (in RUNS/NAME.training) are asked about squares in whole cells, triples that training never
showed; other models about jittered squares on their own grid. OUT takes the tables, both figures and the numbers in
Markdown. A model that is measured already is not measured again.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import torch

from backsight import stimuli
from backsight.errors import CannotAnswer, DataError
from backsight.measurements import Creg, Gap, Pathways
from backsight.measurements.base import measure
from backsight.models.opening import load, quiet
from backsight.models.vlm import VLM
from backsight.results.drawing.style import to_svg
from backsight.results.scale import SCALE, Point, draw, markdown, scale, scale_changes, statements
from backsight.results.scale.tables import Against
from backsight.tables import Table
from backsight.training.recipes import RECIPES
from backsight.training.scale import SCALE as SCALE_RECIPE
from backsight.training.scale import held_out

QUESTIONS, PATHWAYS = 240, 192
DEPTH = 3  # layers of CREG: the smallest model has no more


def main() -> None:
    """Measure what is missing and write the tables, figures and numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--with", dest="others", nargs="*", default=[], help="further models, as builtin:plain")
    given = parser.parse_args()
    quiet()
    torch.set_num_threads(1)
    tables = []
    for where, point in (*points(given.runs), *((name, None) for name in given.others)):
        kept = given.out / "models" / f"{(point.model if point else where).replace(':', '-')}.parquet"
        if not kept.exists():
            vlm = load(where, dtype="float32", check=False)
            count = sum(p.numel() for p in vlm.model.parameters())
            point = point or other(where)
            measured(vlm, replace(point, parameters=count)).write(kept.parent, kept.stem)
            print(f"measured {kept.stem}", flush=True)
        tables.append(Table.read(kept))
    whole = Table.concat(tables)
    changes = scale_changes(whole)
    whole.write(given.out, SCALE.name)
    changes.write(given.out, changes.schema.name)
    for against in get_args(Against):
        try:
            svg = to_svg(draw(whole, against=against))
        except DataError as error:  # one size, or no snapshots
            print(error)
            continue
        (given.out / f"{against}.svg").write_text(svg, encoding="utf-8")
    words = [markdown(whole), "", *(f"- {sentence}" for sentence in statements(whole, changes))]
    (given.out / "scale.md").write_text("\n".join(words) + "\n", encoding="utf-8")


def points(runs: Path) -> Iterator[tuple[str, Point]]:
    """Every finished run, called SIZE-SEED, and its snapshots, by folder."""
    for run in sorted(path for path in runs.iterdir() if (path / "config.json").is_file()):
        size, _, seed = run.name.partition("-")
        taken = {int(path.name.removeprefix("step-")): path for path in Path(f"{run}.training").glob("step-*")}
        last = int(Table.read(Path(f"{run}.training") / "training.parquet").frame["step"].max())
        for steps, folder in sorted(({**taken, last: run}).items()):
            model = f"scale-{size}-{seed}-{steps}"
            yield str(folder), Point(model, "scale", size, 0, int(seed), steps, steps == last)


def other(name: str) -> Point:
    """A built-in model, after all steps of its recipe."""
    recipe = RECIPES[name.removeprefix("builtin:")]
    return Point(name, name, recipe.size, 0, recipe.seed, sum(stage.steps for stage in recipe.stages), True)


def measured(vlm: VLM, point: Point) -> Table:
    """The rows of one model."""
    own = point.recipe == SCALE_RECIPE.name
    asked = held_out(QUESTIONS) if own else stimuli.build("jittered_squares", vlm.grid).limit(QUESTIONS)
    try:
        creg: Table | str = measure(vlm, asked, Creg(methods=("creg",), depth=DEPTH))
    except CannotAnswer as error:
        creg = str(error)
    return scale(point, measure(vlm, asked, Gap()), measure(vlm, asked, Pathways(max_samples=PATHWAYS)), creg)


if __name__ == "__main__":
    main()
