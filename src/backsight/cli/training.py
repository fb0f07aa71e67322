"""`backsight train-builtin`: make one of the shipped models from its recipe."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backsight.cli.shared import LARGEST_SEED, app, open_console, open_model

if TYPE_CHECKING:
    from backsight.models.vlm import VLM
    from backsight.training.loop import Recipe


@app.command("train-builtin")
def train_builtin(
    name: Annotated[
        str,
        typer.Argument(help="The recipe: the name of a built-in model."),
    ],
    out: Annotated[Path, typer.Option(help="A new folder for the checkpoint.")],
    work: Annotated[Path | None, typer.Option(help="Folder for checkpoints on the way. Default: OUT.training.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Only so many steps of each stage, to try it.")] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=LARGEST_SEED, help="Seed of weights and batches. Default: the shipped weights'."),
    ] = None,
    photos: Annotated[
        Path | None, typer.Option(help="Folder of photographs in COCO's form, for the recipe cutouts.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, max=1024, help="CPU threads.")] = None,
) -> None:
    """Train a built-in model from scratch; a run that was killed goes on where it was."""
    import torch

    from backsight.errors import Interrupted, UsageError
    from backsight.studies import terminal
    from backsight.training import cutouts
    from backsight.training.loop import train
    from backsight.training.recipes import RECIPES
    from backsight.training.saving import save

    if name not in RECIPES:
        raise UsageError("There is no such recipe", got=name, do=f"choose from: {', '.join(RECIPES)}")
    if work is not None and work.exists() and not work.is_dir():
        raise UsageError("This is a file, not a folder", where=work, do="give a folder as --work")
    if out.exists():
        raise UsageError("The folder for the checkpoint is there already", where=out, do="give a new one as --out")
    if RECIPES[name].photographs != (photos is not None):
        raise UsageError(
            f"The recipe {name} takes {'a folder of' if RECIPES[name].photographs else 'no'} photographs",
            got=photos or "no --photos",
            do="give --photos DIR" if RECIPES[name].photographs else "leave out --photos",
        )
    torch.set_num_threads(threads or os.cpu_count() or 1)
    recipe = replace(RECIPES[name], seed=RECIPES[name].seed if seed is None else seed)
    if photos is not None:
        recipe = replace(recipe, asks=cutouts.asker(photos))
    place = work or out.with_name(f"{out.name}.training")
    try:
        with terminal.training_progress(open_console()) as progress:
            model, processor = train(recipe, place, progress=progress, max_steps=steps)
        save(model, processor, out)
        vlm = open_model(str(out), None, "cpu", None)
        if steps is None:
            with terminal.card_progress(open_console()) as measured:
                _card(recipe, vlm, place, photos, measured)
    except KeyboardInterrupt:
        raise Interrupted("Stopped. The same command goes on from the last checkpoint.") from None
    typer.echo(str(out.resolve()))


def _card(
    recipe: Recipe, vlm: VLM, place: Path, photos: Path | None, progress: Callable[[str, int, int], None]
) -> None:
    """Measure what was stored and write it beside the weights."""
    from backsight.studies import card

    assert vlm.origin is not None
    with tempfile.TemporaryDirectory() as folder:
        rows = card.accuracies(vlm, card.card_sets(vlm, recipe, Path(folder) / "tabletop", photos), progress)
    card.write_card(
        vlm.origin, f"builtin:{recipe.name}", card.facts(recipe, vlm, place), rows, card.pathways(vlm, progress)
    )
