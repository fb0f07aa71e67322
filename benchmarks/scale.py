"""The what/where gap, the pathway verdict and CREG's improvement over its baseline, by size and by steps.

    python benchmarks/scale.py RUNS OUT [--seeds 3] [--results docs]

Trains what is missing (RUNS/SIZE-SEED, its run and snapshots in RUNS/SIZE-SEED.training), measures every model and
snapshot that was not measured with these weights and parameters, and writes tables, figures and page into OUT. With
`--results` they go into results/ and images/ of that folder too. It goes on where it was stopped. A model that is not
what its run came to, and a run of another recipe, are refused.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import torch

from backsight.errors import CannotAnswer, DataError
from backsight.measurements import Creg, Gap, Pathways
from backsight.measurements.base import measure
from backsight.models.opening import load, quiet
from backsight.results.drawing.style import to_svg
from backsight.results.scale import SCALE, Point, draw, page, scale, scale_changes, scale_claims
from backsight.results.scale.tables import Against
from backsight.tables import Table, replacing
from backsight.training import kept
from backsight.training.recipe import SCALES, Size
from backsight.training.scale import SCALE as RECIPE
from backsight.training.scale import in_both_orders
from backsight.training.snapshots import snapshot

SIZES: tuple[Size, ...] = ("tiny", "small")
SNAPSHOTS = (100, 200, 300, 400, 500, 600, 800, 1000)
QUESTIONS, SHUFFLES = 192, 5
DEPTH = 3  # layers of CREG: the smallest model has no more
LAST = sum(phase.steps for phase in RECIPE.phases)


def main() -> None:
    """Train and measure what is missing, and write the tables, figures and page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--results", type=Path)
    given = parser.parse_args()
    quiet()
    torch.set_num_threads(1)
    given.runs.mkdir(parents=True, exist_ok=True)
    tables = [
        table
        for seed in range(given.seeds)
        for size in SIZES
        for table in of_run(replace(RECIPE, size=size, seed=seed), given.runs / f"{size}-{seed}", given.out / "models")
    ]
    whole = Table.concat(tables)
    hardware = sorted({str(table.provenance["hardware"]) for table in tables})
    whole = Table(whole.schema, whole.frame, {"facts": facts(hardware)})
    write(whole, given.out, given.out)
    if given.results:
        write(whole, given.results / "results", given.results / "images")


def of_run(recipe: Any, folder: Path, out: Path) -> Iterator[Table]:
    """The rows of a run's snapshots and of its end."""
    kept.trained(recipe, folder, snapshots=SNAPSHOTS)
    for steps in (*SNAPSHOTS, LAST):
        place = folder if steps == LAST else snapshot(kept.run(folder), steps)
        name = f"scale-{recipe.size}-{recipe.seed}-{steps}"
        point = Point(name, recipe.name, recipe.size, 0, recipe.seed, steps, steps == LAST)
        key = {"weights": kept.weights(place), "recipe": recipe.identity, "point": asdict(point)} | parameters()

        def measured(place: Path = place, point: Point = point) -> Table:
            print(f"measuring {point.model}", flush=True)
            return of_model(place, point)

        yield kept.table(out / f"{name}.parquet", key, measured)


def parameters() -> dict[str, Any]:
    """What the rows depend on beside the model: what is asked, and how."""
    asked = in_both_orders(QUESTIONS)
    return {
        "questions": asked.fingerprint, "columns": list(SCALE.columns),
        "measurements": [f"{one!r}, version {one.version}" for one in (Gap(), Pathways(shuffles=SHUFFLES), creg())],
    }  # fmt: skip


def creg() -> Creg:
    """CREG by itself, on as many layers as the smallest model has."""
    return Creg(methods=("creg",), depth=DEPTH)


def of_model(place: Path, point: Point) -> Table:
    """The rows of one model."""
    vlm = load(str(place), dtype="float32", check=False)
    point = replace(point, parameters=sum(p.numel() for p in vlm.model.parameters()))
    asked = in_both_orders(QUESTIONS)
    try:
        relevance: Table | str = measure(vlm, asked, creg())
    except CannotAnswer as error:
        relevance = str(error)
    return scale(point, measure(vlm, asked, Gap()), measure(vlm, asked, Pathways(shuffles=SHUFFLES)), relevance)


def facts(hardware: list[str]) -> dict[str, Any]:
    """What the page says of how models were trained and measured."""
    stage, layout = RECIPE.stages[0], RECIPE.layout
    return {
        "steps": LAST, "images": stage.images, "rate": stage.rate, "questions": QUESTIONS, "shuffles": SHUFFLES,
        "depth": DEPTH, "grid": f"{layout.columns} x {layout.rows} cells of {layout.cell} px", "hardware": hardware,
        "sizes": {size: described(size) for size in SIZES},
    }  # fmt: skip


def described(size: Size) -> str:
    """A size's blocks and widths, read off a model of it."""
    model, _ = RECIPE.build(0, SCALES[size])
    text, vision = model.config.text_config, model.config.vision_config
    return (
        f"language model of {text.num_hidden_layers} blocks of width {text.hidden_size}, vision encoder of "
        f"{vision.depth} of {vision.embed_dim}"
    )


def write(whole: Table, results: Path, images: Path) -> None:
    """The tables, the page and both figures."""
    whole.write(results, SCALE.name)
    for table in (scale_changes(whole), scale_claims(whole)):
        table.write(results, table.schema.name)
    images.mkdir(parents=True, exist_ok=True)
    for against in get_args(Against):
        try:
            svg = to_svg(draw(whole, against=against))
        except DataError as error:  # one size, or no snapshots
            print(error)
            continue
        with replacing(images / f"scale-{against}.svg") as part:
            part.write_text(svg, encoding="utf-8")
    with replacing(results / "scale.md") as part:
        part.write_text(page(whole), encoding="utf-8")


if __name__ == "__main__":
    main()
