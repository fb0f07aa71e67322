"""A norm behind the projector against the plain one: train, measure, and write the tables, the figure and the page.

python benchmarks/projector.py DIR [--docs docs/results] [--seeds 3] [--steps N]

Nine trainings and nine measurements, each of about 40 seconds on one core. What is trained or measured already is kept,
and a training that was killed goes on where it was. Without --docs the page goes into DIR/docs/results; its
figure goes into the folder images beside.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import backsight as bs
from backsight.models import opening
from backsight.models.vlm import VLM
from backsight.results.drawing import style
from backsight.results.projector import PROJECTOR, PROJECTOR_CURVES, draw, page, projector_claims, projector_summary
from backsight.studies import projector as measuring
from backsight.tables import Table, replacing
from backsight.training.loop import train
from backsight.training.projector import PROJECTORS, RECIPES, ProjectorRecipe


def main(given: Sequence[str] | None = None) -> None:
    """Train, measure and write what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--docs", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, help="only so many steps, to try it")
    parser.add_argument("--pictures", type=int, default=measuring.PICTURES)
    options = parser.parse_args(given)
    opening.quiet()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    for seed in range(options.seeds):
        for name in PROJECTORS:
            recipe = replace(RECIPES[f"projector-{name}"], seed=seed)
            at = options.folder / f"{name}-{seed}"
            if not at.exists():
                train(recipe, at.with_name(f"{at.name}.training"), max_steps=options.steps).save(at)
            of = {"projector": name, "seed": seed}
            found, curve = learned(recipe, at, options.pictures)
            rows += [{**of, **row} for row in found]
            curves += [{**of, **row} for row in curve]
            print(f"{name}, seed {seed}", flush=True)
    docs = options.docs or options.folder / "docs" / "results"
    write(Table.of(PROJECTOR, rows), Table.of(PROJECTOR_CURVES, curves), options.folder, docs)


def learned(recipe: ProjectorRecipe, at: Path, pictures: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of one model and its curves, measured where they are not stored beside its checkpoint."""
    beside = at.with_name(f"{at.name}.training")
    means, curve = measuring.learned(Table.read(beside / "training.parquet"))
    stored = beside / f"{PROJECTOR.name}.parquet"
    if not stored.exists():
        with bs.load(str(at), device="cpu") as vlm:
            found = measuring.measured(vlm, pictures=pictures)
        with VLM(*recipe.build(recipe.seed, recipe.scale), check=False) as before:
            found += measuring.lengths(before, "start", measuring.held_out(pictures))
        own = [{"projector": at.name.split("-")[0], "seed": recipe.seed, **row} for row in found]
        Table.of(PROJECTOR, own).write(beside, PROJECTOR.name)
    found = [{k: row[k] for k in row if k not in ("projector", "seed")} for row in Table.read(stored).rows()]
    return found + means, curve


def write(rows: Table, curves: Table, folder: Path, docs: Path) -> None:
    """All tables into one folder; what the page is made of, the figure and the page into another."""
    tables = {"projector": rows, "projector_curves": curves}
    further = {"projector_summary": projector_summary(rows), "projector_claims": projector_claims(rows)}
    for name, table in (tables | further).items():
        table.write(folder, name)
    docs.mkdir(parents=True, exist_ok=True)
    for name in tables:
        with replacing(docs / f"{name}.csv") as part:
            shutil.copyfile(folder / f"{name}.csv", part)
    pictures = docs.parent / "images"
    pictures.mkdir(exist_ok=True)
    figure = style.to_svg(draw(rows, curves))
    for target, text in ((pictures / "projector.svg", figure), (docs / "projector.md", page(rows, curves))):
        with replacing(target) as part:
            part.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
