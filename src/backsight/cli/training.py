"""`backsight train`: train a recipe, one of the package's or one of a file of the user's own."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from backsight.cli.names import PRECISIONS, SIZES
from backsight.cli.shared import LARGEST_SEED, app, open_console, open_model

if TYPE_CHECKING:
    from rich.console import Console

    from backsight.models.vlm import VLM
    from backsight.training.answering import Answering
    from backsight.training.loop import Precision
    from backsight.training.recipe import Recipe, Size

RecipeName = Annotated[
    str | None, typer.Argument(help="The name of a recipe (--list), or a Python file, FILE.py or FILE.py:NAME.")
]
Seed = Annotated[
    int | None,
    typer.Option(min=0, max=LARGEST_SEED, help="Seed of weights and batches. Default: the recipe's own."),
]


@app.command("train-builtin", hidden=True)  # its name in earlier releases
@app.command("train")
def train(
    recipe: RecipeName = None,
    out: Annotated[Path | None, typer.Option(help="A new folder for the checkpoint.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="What recipes there are, and what each makes.")] = False,
    size: Annotated[str, typer.Option(help=f"{', '.join(SIZES)}.")] = SIZES[0],
    work: Annotated[Path | None, typer.Option(help="Folder for checkpoints on the way. Default: OUT.training.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Only so many steps of each phase, to try it.")] = None,
    seed: Seed = None,
    photos: Annotated[
        Path | None, typer.Option(help="Folder of photographs in COCO's form, for the recipe cutouts.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 ...")] = "cpu",
    precision: Annotated[str, typer.Option(help=f"Mixed precision: {', '.join(PRECISIONS)}.")] = PRECISIONS[0],
    threads: Annotated[int | None, typer.Option(min=1, max=1024, help="CPU threads. Default: all cores.")] = None,
    snapshots: Annotated[
        str | None, typer.Option(help="Steps over all phases, as 100,400: the model after each is kept in WORK.")
    ] = None,
) -> None:
    """Train a model from a recipe; a run that was killed goes on where it was, on a CPU bit for bit."""
    from backsight.errors import Interrupted, UsageError

    if list_:
        _print_list()
        return
    if recipe is None or out is None:
        missing = "no recipe" if recipe is None else "no --out"
        raise UsageError("A training takes a recipe and a folder", got=missing, do="train RECIPE --out DIR, or --list")
    import torch

    from backsight.models.opening import quiet
    from backsight.studies import terminal
    from backsight.training import checkpoints, loop, writing

    chosen = _chosen(recipe, size, seed, photos)
    place = _places(out, work)
    where = _device(device)
    loop.check_precision(precision, where)
    torch.set_num_threads(threads or os.cpu_count() or 1)
    quiet()
    console = open_console()
    mixed = cast("Precision", precision)
    try:
        with _held(place), _warnings(console):
            with terminal.training_progress(console, chosen.lengths(steps)) as progress:
                learner = loop.train(
                    chosen, place, device=where, precision=mixed, progress=progress, max_steps=steps,
                    snapshots=_steps(snapshots),
                )  # fmt: skip
            terminal.step(console, "writing the checkpoint")
            builtin = steps is None and _is_builtin(chosen)
            measured = partial(_measure, chosen, place, photos, (where, mixed)) if builtin else None
            writing.write(learner, place, out, measured)
    except KeyboardInterrupt:
        there = (place / checkpoints.NAME).exists()
        goes = "goes on from the last checkpoint" if there else "begins again: no checkpoint was written yet"
        raise Interrupted(f"Stopped. The same command {goes}.") from None
    typer.echo(str(out.resolve()))


def _chosen(name: str, size: str, seed: int | None, photos: Path | None) -> Recipe:
    """The recipe as asked for; UsageError for names, sizes and photographs that do not go together."""
    from backsight.errors import UsageError
    from backsight.training import catalogue, cutouts

    if size not in SIZES:
        raise UsageError("There is no such size", got=size, do=f"choose from: {', '.join(SIZES)}")
    recipe = catalogue.find(name)
    recipe = replace(recipe, size=cast("Size", size), seed=recipe.seed if seed is None else seed)
    if recipe.photographs != (photos is not None):
        raise UsageError(
            f"The recipe {name} takes {'a folder of' if recipe.photographs else 'no'} photographs",
            got=photos or "no --photos",
            do="give --photos DIR" if recipe.photographs else "leave out --photos",
        )
    if photos is None:
        return recipe
    if "asks" not in {field.name for field in fields(recipe)}:
        raise UsageError(
            "The recipe takes photographs and has no field for what it asks of them", where=f"recipe {recipe.name}",
            got=type(recipe).__name__, do="give its class a field `asks`, as Answering has, or photographs=False",
        )  # fmt: skip
    return replace(recipe, asks=cutouts.asker(photos))  # type: ignore[call-arg]


def _steps(given: str | None) -> tuple[int, ...]:
    """The steps in `--snapshots`; UsageError for what is no list of numbers."""
    from backsight.errors import UsageError

    try:
        return () if given is None else tuple(int(number) for number in given.split(","))
    except ValueError:
        raise UsageError("--snapshots takes steps", got=given, do="give whole numbers, as 100,400") from None


def _places(out: Path, work: Path | None) -> Path:
    """The folder for checkpoints on the way; UsageError where a folder cannot be given."""
    from backsight.errors import UsageError

    if work is not None and work.exists() and not work.is_dir():
        raise UsageError("This is a file, not a folder", where=work, do="give a folder as --work")
    if out.is_file():
        raise UsageError("This is a file, not a folder", where=out, do="give a new folder as --out")
    for path in (out, work or out):
        there = next(one for one in path.absolute().parents if one.exists())
        if not there.is_dir():
            raise UsageError("The folder would lie in a file", where=path, got=f"{there} is a file", do="give another")
    if out.exists():
        raise UsageError("The folder for the checkpoint is there already", where=out, do="give a new one as --out")
    place = work or out.with_name(f"{out.name}.training")
    if place.resolve().is_relative_to(out.resolve()):
        raise UsageError("The folder for checkpoints on the way lies in the one for the checkpoint", where=place,
                         got=f"--out {out}", do="give another as --work")  # fmt: skip
    return place


@contextmanager
def _held(place: Path) -> Iterator[None]:
    """Be the one that trains in a folder; StudyError where another process does, or where it cannot be written."""
    from backsight.studies import lock
    from backsight.studies.store import writing

    anew = not place.exists()
    with writing("the lock of the training", place):
        place.mkdir(parents=True, exist_ok=True)
        holding = lock.held(place, lock.TRAINING)
        note = holding.__enter__()
    try:
        if note:
            typer.echo(f"backsight: warning: {note}", err=True)
        yield
    finally:
        holding.__exit__(None, None, None)
        if anew and place.is_dir() and not any(place.iterdir()):  # refused before its first step
            place.rmdir()


@contextmanager
def _warnings(console: Console) -> Iterator[None]:
    """Say in the command line's way that a run goes on under other conditions."""
    from backsight.errors import ConditionsWarning

    before = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, ConditionsWarning):
            console.print(f"warning: {message}", style="bold", markup=False, soft_wrap=True)
        else:
            before(message, category, *where, **more)

    with warnings.catch_warnings():
        warnings.simplefilter("always", ConditionsWarning)
        warnings.showwarning = show
        yield


def _device(name: str) -> str:
    """A device that is there, by its name; UsageError names those that are."""
    from backsight.models.opening import device_named

    return str(device_named(name))


def _print_list() -> None:
    """A line a recipe: its name, what it makes, and the minutes that its tiny size took (docs/training.md)."""
    from rich.table import Table

    from backsight.training import catalogue

    table = Table()
    table.add_column("recipe", no_wrap=True)  # names are there to be copied
    table.add_column("makes")
    table.add_column("minutes, tiny")
    for recipe in catalogue.recipes().values():
        minutes = recipe.minutes.get("tiny")
        table.add_row(recipe.name, recipe.makes, "" if minutes is None else f"{minutes:g}")
    open_console(stderr=False).print(table)


def _is_builtin(recipe: Recipe) -> bool:
    """Whether it is the recipe of a built-in model, in all but its seed and its photographs."""
    from backsight.training.recipes import RECIPES

    known = RECIPES.get(recipe.name)
    if known is None or not isinstance(recipe, type(known)):
        return False
    return replace(known, seed=recipe.seed, asks=recipe.asks if known.photographs else known.asks).identity == (
        recipe.identity
    )


def _measure(recipe: Recipe, place: Path, photos: Path | None, ran: tuple[str, str], folder: Path) -> None:
    """Measure what is stored in a folder, and write the card beside the weights."""
    from backsight.studies import terminal

    with terminal.card_progress(open_console()) as measured:
        _card(cast("Answering", recipe), open_model(str(folder), None, "cpu", None), place, photos, ran, measured)


def _card(
    recipe: Answering, vlm: VLM, place: Path, photos: Path | None, ran: tuple[str, str],
    progress: Callable[[str, int, int], None],
) -> None:  # fmt: skip
    """Measure what was stored and write it beside the weights."""
    from backsight.studies import card

    assert vlm.origin is not None
    with tempfile.TemporaryDirectory() as folder:
        rows = card.accuracies(vlm, card.card_sets(vlm, recipe, Path(folder) / "tabletop", photos), progress)
    card.write_card(
        vlm.origin, f"builtin:{recipe.name}", card.facts(recipe, vlm, place, *ran), rows, card.pathways(vlm, progress)
    )
