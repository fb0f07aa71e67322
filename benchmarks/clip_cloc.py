"""CLIP-style against CLOC-style pre-training: trains what is missing, examines it, writes the comparison.

For each seed: both encoders, and over each a VLM with the language model's position pathway open and one with it
closed. A run that was stopped goes on where it was; a model that is not what its run came to, and a VLM whose tower is
not the encoder beside it, are refused. Run: python benchmarks/clip_cloc.py --out DIR [--seeds 3] [--threads 1]
[--results docs/results]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from backsight.errors import DataError
from backsight.models import opening
from backsight.results import contrastive
from backsight.results.contrastive import figure, page
from backsight.results.drawing import style
from backsight.tables import Table
from backsight.training import kept
from backsight.training.contrastive import encoder, examine, language
from backsight.training.contrastive.recipe import CLIP, CLOC, Contrastive
from backsight.training.recipe import Recipe

OPEN = {"open": True, "closed": False}
EXAMINATION = 2  # raised where what `examine` asks, or how, is another


def examined(out: Path, of: Contrastive, seed: int) -> Iterator[Table]:
    """The rows of one encoder and of the VLMs over it, each examination kept as a table of its own."""
    first = replace(of, seed=seed)
    folder = kept.trained(first, out / f"{of.name}-{seed}")
    yield rows(out, folder, first, of, lambda: examine.of_encoder(*encoder.load(folder)))
    for part, rotary in reversed(OPEN.items()):
        recipe = replace(language.over(of, rotary=rotary), seed=seed, encoder=folder)
        place = kept.trained(recipe, out / f"{recipe.name}-{seed}")
        check_tower(folder, place)
        yield rows(out, place, recipe, of, lambda place=place, part=part: of_vlm(place, part))  # type: ignore[misc]


def of_vlm(folder: Path, part: str) -> Iterator[dict[str, Any]]:
    """The rows of a stored VLM."""
    vlm = opening.load(str(folder))
    return examine.of_vlm(vlm.model, vlm.processor, part)


def check_tower(first: Path, vlm: Path) -> None:
    """DataError where a VLM's frozen tower is not the encoder, which was trained anew then."""
    tower = opening.load(str(vlm)).model.get_submodule("model.vision_tower").state_dict()
    own = encoder.load(first)[0].vision_model.state_dict()
    wrong = [name for name, value in tower.items() if not torch.equal(value.bfloat16(), own[name].bfloat16())]
    if wrong:
        raise DataError(
            "The tower of a VLM is not the encoder that it is over", where=vlm, got=f"other weights: {wrong[0]}",
            do=f"remove {vlm.name} and {kept.run(vlm).name}: the same command trains them anew",
        )  # fmt: skip


def rows(
    out: Path, folder: Path, recipe: Recipe, of: Contrastive, make: Callable[[], Iterable[dict[str, Any]]]
) -> Table:  # fmt: skip
    """The rows of an examination, kept by weights, recipe and examination."""

    def fresh() -> Table:
        print(f"examining {folder.name}", flush=True)
        return Table.of(contrastive.EXAMINED, [{"recipe": of.name, "seed": recipe.seed} | row for row in make()])

    key = {"weights": kept.weights(folder), "recipe": recipe.identity, "examination": EXAMINATION}
    return kept.table(out / f"{folder.name}.parquet", key, fresh)


def write(tables: list[Table], folder: Path) -> None:
    """The rows, the claims and the page into a folder, the figure into the folder images beside it."""
    machines = sorted({str(table.provenance["hardware"]) for table in tables})
    whole = Table.concat(tables)
    whole = Table(whole.schema, whole.frame, {"command": page.COMMAND, "hardware": machines})
    whole.write(folder, "clip-cloc")
    contrastive.claims(whole).write(folder, "clip-cloc-claims")
    drawn = style.to_svg(figure.draw(contrastive.summary(whole)))
    images = folder.parent / "images"
    images.mkdir(exist_ok=True)
    (images / "clip-cloc.svg").write_text(drawn, encoding="utf-8")
    (folder / "clip-cloc.md").write_text(page.page(whole), encoding="utf-8")


def main() -> None:
    """Seeds in order, so that whole seeds are there early."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    given.out.mkdir(parents=True, exist_ok=True)
    tables: list[Table] = []
    for seed in range(given.seeds):
        for of in (CLIP, CLOC):
            tables += examined(given.out, of, seed)
        write(tables, given.results or given.out)


if __name__ == "__main__":
    main()
