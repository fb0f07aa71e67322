"""A norm behind the projector against the plain one: train, measure, and write the tables, the figure and the page.

python benchmarks/projector.py DIR [--docs docs/results] [--seeds 3] [--steps N] [--pictures N]

Nine trainings of about three minutes and nine measurements of about 40 seconds on one core. A model is kept where it
was trained by this recipe, number of steps, first weights and first batch, its rows where they are of its weights and
of these pictures; anything else in DIR is made anew, which it says. A training that was killed goes on where it was.
Without --docs the page goes into DIR/docs/results; its figure goes into the folder images beside.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import backsight as bs
from backsight.models import fingerprints, opening
from backsight.models.vlm import VLM
from backsight.results.drawing import style
from backsight.results.projector import PROJECTOR, PROJECTOR_CURVES, draw, page, projector_claims, projector_summary
from backsight.studies import projector as measuring
from backsight.studies.record import machine
from backsight.tables import Table, replacing
from backsight.training import loop
from backsight.training.projector import PROJECTORS, RECIPES, ProjectorRecipe

Row = dict[str, Any]
MADE = "made.json"  # what a training is of, beside its checkpoint


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
    rows: list[Row] = []
    curves: list[Row] = []
    for seed in range(options.seeds):
        for name in PROJECTORS:
            recipe = replace(RECIPES[f"projector-{name}"], seed=seed)
            at = options.folder / f"{name}-{seed}"
            trained(recipe, at, options.steps)
            found, curve = learned(recipe, at, options.pictures)
            of = {"projector": name, "seed": seed}
            rows += [{**of, "hardware": hardware(at), **row} for row in found]
            curves += [{**of, **row} for row in curve]
            print(f"{name}, seed {seed}", flush=True)
    docs = options.docs or options.folder / "docs" / "results"
    write(Table.of(PROJECTOR, rows), Table.of(PROJECTOR_CURVES, curves), options.folder, docs)


def trained(recipe: ProjectorRecipe, at: Path, steps: int | None) -> None:
    """Train a model where it is missing, and anew where what is there was made by another recipe."""
    beside, made = _beside(at), made_of(recipe, steps)
    known = _read(beside / MADE)
    if {key: known.get(key) for key in made} != made:
        if at.exists() or beside.exists():
            print(f"{at.name}: made by another recipe, or it does not say by which; trained anew", flush=True)
        for folder in (at, beside):
            shutil.rmtree(folder, ignore_errors=True)
        beside.mkdir(parents=True)
        facts = machine()
        words = f"{facts.get('gpu') or facts['cpu']}, {facts['threads']} of {facts['cores']} cores"
        with replacing(beside / MADE) as part:
            part.write_text(json.dumps({**made, "hardware": words}, indent=1), encoding="utf-8")
    if not at.exists():
        loop.train(recipe, beside, max_steps=steps).save(at)


def made_of(recipe: ProjectorRecipe, steps: int | None) -> dict[str, str]:
    """All that a training depends on: what the recipe says, and of what its functions give the first."""
    model, _ = recipe.build(recipe.seed, recipe.scale)
    stage = recipe.stages[0]
    asked = recipe.asks(
        "squares", recipe.layout, images=stage.images, key=(recipe.seed, 0, 0), exact=stage.exact, textured=0.0
    )
    batch = hashlib.sha256()
    for one in asked:
        batch.update(repr((one.questions, one.row)).encode() + one.image.tobytes())
    settings = getattr(model.config, "backsight_additions", None)
    return {
        "recipe": loop.identity(recipe, max_steps=steps),
        "first weights": f"{fingerprints.of_weights(model)} {json.dumps(settings, sort_keys=True)}",
        "first batch": batch.hexdigest()[:16],
    }


def learned(recipe: ProjectorRecipe, at: Path, pictures: int) -> tuple[list[Row], list[Row]]:
    """The rows of one model and its curves, measured where none are stored of its weights and these pictures."""
    beside, examples = _beside(at), measuring.tested(pictures, seed=recipe.seed)
    means, curve = measuring.learned(Table.read(beside / "training.parquet"))
    stored = beside / f"{PROJECTOR.name}.parquet"
    with bs.load(str(at), device="cpu") as vlm:
        of = {
            "model": fingerprints.of(vlm.model, vlm.processor, at),
            "pictures": examples.fingerprint,
            "version": measuring.VERSION,
        }
        known = Table.read(stored) if stored.exists() else None
        if known is None or dict(known.provenance) != of:
            found = measuring.measured(vlm, examples)
            with VLM(*recipe.build(recipe.seed, recipe.scale), check=False) as before:
                found += measuring.lengths(before, "start", examples)
            own = {"projector": at.name.split("-")[0], "seed": recipe.seed, "hardware": hardware(at)}
            known = Table.of(PROJECTOR, [{**own, **row} for row in found], of)
            known.write(beside, PROJECTOR.name)
    found = [{k: row[k] for k in row if k not in ("projector", "seed", "hardware")} for row in known.rows()]
    return found + means, curve


def hardware(at: Path) -> str:
    """What a model was trained on."""
    return str(_read(_beside(at) / MADE).get("hardware", ""))


def _beside(at: Path) -> Path:
    return at.with_name(f"{at.name}.training")


def _read(path: Path) -> dict[str, Any]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


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
