"""`backsight train-builtin`: make one of the shipped models from its recipe."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from backsight.cli.shared import app, open_console, open_model


@app.command("train-builtin")
def train_builtin(
    name: Annotated[
        str,
        typer.Argument(help="The recipe: plain, gemma, vision, language or both."),
    ],
    out: Annotated[Path, typer.Option(help="A new folder for the checkpoint.")],
    work: Annotated[Path | None, typer.Option(help="Folder for checkpoints on the way. Default: OUT.training.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Only so many steps of each stage, to try it.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of weights and batches; 0 made the shipped weights.")] = 0,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
) -> None:
    """Train a built-in model from scratch; a run that was killed goes on where it was."""
    import torch

    from backsight.errors import UsageError
    from backsight.studies import card, terminal
    from backsight.training.loop import train
    from backsight.training.recipes import RECIPES
    from backsight.training.saving import save

    if name not in RECIPES:
        raise UsageError("There is no such recipe", got=name, do=f"choose from: {', '.join(RECIPES)}")
    if out.exists():
        raise UsageError("The folder for the checkpoint is there already", where=out, do="give a new one as --out")
    torch.set_num_threads(threads or os.cpu_count() or 1)
    recipe = replace(RECIPES[name], seed=seed)
    place = work or out.with_name(f"{out.name}.training")
    try:
        with terminal.bar() as bar:
            model, processor = train(recipe, place, progress=terminal.follow_training(bar), max_steps=steps)
            save(model, processor, out)
            vlm = open_model(str(out), None, "cpu", None)
            rows = card.accuracies(vlm, card.card_sets(vlm), terminal.follow_card(bar)) if steps is None else []
    except KeyboardInterrupt:
        open_console().print("\nStopped. The same command goes on from the last checkpoint.", style="bold")
        raise typer.Exit(1) from None
    if rows:
        card.write_card(out, f"builtin:{name}", card.facts(recipe, vlm, place), rows)
    typer.echo(str(out.resolve()))
