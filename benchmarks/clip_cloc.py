"""CLIP-style against CLOC-style pre-training: trains what is missing, examines it, writes the comparison.

For each seed: both encoders, and over each a VLM with the language model's position pathway open and one with it
closed. A run that was stopped goes on where it was. Run: python benchmarks/clip_cloc.py --out DIR [--seeds 3]
[--threads 1] [--results docs/results]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from backsight.models import opening
from backsight.results import contrastive
from backsight.results.contrastive import figure, page
from backsight.results.drawing import style
from backsight.tables import Table
from backsight.training import loop
from backsight.training.contrastive import encoder, examine, language
from backsight.training.contrastive.recipe import CLIP, CLOC, Contrastive

OPEN = {"open": True, "closed": False}


def trained(recipe: Any, folder: Path) -> Path:
    """The folder of a recipe's checkpoint, trained where it is not there."""
    if not folder.is_dir():
        begun = time.process_time()
        learner = loop.train(recipe, folder.with_name(f"{folder.name}.training"))
        learner.save(folder)
        print(f"{folder.name}: {time.process_time() - begun:.0f} s of processor", flush=True)
    return folder


def examined(out: Path, of: Contrastive, seed: int) -> Iterator[dict[str, Any]]:
    """The rows of one encoder and of the VLMs over it, each examination kept as a table of its own."""
    folder = trained(replace(of, seed=seed), out / f"{of.name}-{seed}")
    yield from kept(out, folder.name, of, seed, lambda: examine.of_encoder(*encoder.load(folder)))
    for part, rotary in reversed(OPEN.items()):
        recipe = replace(language.over(of, rotary=rotary), seed=seed, encoder=folder)
        place = trained(recipe, out / f"{recipe.name}-{seed}")
        yield from kept(out, place.name, of, seed, lambda place=place, part=part: of_vlm(place, part))  # type: ignore[misc]


def of_vlm(folder: Path, part: str) -> Iterator[dict[str, Any]]:
    """The rows of a stored VLM."""
    vlm = opening.load(str(folder))
    return examine.of_vlm(vlm.model, vlm.processor, part)


def kept(out: Path, name: str, of: Contrastive, seed: int, rows: Any) -> list[dict[str, Any]]:
    """The rows of an examination, from its table where there is one."""
    if not (out / f"{name}.parquet").is_file():
        fresh = [{"recipe": of.name, "seed": seed} | row for row in rows()]
        Table.of(contrastive.EXAMINED, fresh).write(out, name)
    return Table.read(out / f"{name}.parquet").rows()


def write(table: Table, folder: Path) -> None:
    """The rows and the page into a folder, the figure into the folder images beside it."""
    table.write(folder, "clip-cloc")
    summary = contrastive.summary(table)
    images = folder.parent / "images"
    images.mkdir(exist_ok=True)
    (images / "clip-cloc.svg").write_text(style.to_svg(figure.draw(summary)), encoding="utf-8")
    (folder / "clip-cloc.md").write_text(page.page(summary), encoding="utf-8")


def main() -> None:
    """Seeds in order, so that whole seeds are there early."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    rows: list[dict[str, Any]] = []
    for seed in range(given.seeds):
        for of in (CLIP, CLOC):
            rows += examined(given.out, of, seed)
        write(
            Table.of(contrastive.EXAMINED, rows, {"command": page.COMMAND, "hardware": page.HARDWARE}),
            given.results or given.out,
        )


if __name__ == "__main__":
    main()
