"""The command line: parse, call the library, print. Exit codes: 0 done, 1 failed or stopped, 2 wrong usage.

Nothing heavy is imported before a command runs, so that `--help` answers at once.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backsight.errors import BacksightError, StudyError

if TYPE_CHECKING:
    from rich.console import Console

    from backsight.models.vlm import VLM

app = typer.Typer(
    name="backsight", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False,
    help="What a vision-language model knows about where: measured, explained, repaired.",
)  # fmt: skip
data_app = typer.Typer(no_args_is_help=True, help="Look at real data before anything is run on it.")
app.add_typer(data_app, name="data")

INTERRUPTED = 130  # how typer leaves on Ctrl-C

Model = Annotated[str, typer.Argument(help="builtin:plain, a checkpoint folder, or a Hugging Face id.")]
Dtype = Annotated[str | None, typer.Option(help="float32, bfloat16 or float16. Default: float32 on a CPU.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 ... Default: a GPU where there is one.")]
MaxPixels = Annotated[int | None, typer.Option(help="Largest picture area, for families that take any size.")]


@app.command()
def study(
    model: Model = "builtin:plain",
    out: Annotated[Path, typer.Option(help="Folder for report, tables and figures.")] = Path("backsight-study"),
    seed: Annotated[int, typer.Option(help="Seed of everything that is drawn.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="At most 48 samples a job.")] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="A measurement, a set, or both as in behaviour/squares.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many samples a job.")] = None,
    data: Annotated[list[Path] | None, typer.Option(help="A folder of your own questions (metadata.jsonl).")] = None,
    photos: Annotated[Path | None, typer.Option(help="A folder in COCO's form: adds COCO-Pairs.")] = None,
    whatsup: Annotated[list[Path] | None, typer.Option(help="What'sUp as published: its sets and composites.")] = None,
    dtype: Dtype = None,
    device: Device = None,
    max_pixels: MaxPixels = None,
) -> None:
    """Examine one model and write one report."""
    from backsight.studies import Options, Study, default_sets, terminal
    from backsight.studies.store import holds_study

    console = _console()
    holds_study(out)  # a folder that cannot be used is refused before a model is opened
    extra = _own_sets(data, photos, whatsup)
    options = Options(seed, quick, tuple(only or ()), limit, dtype, max_pixels)
    vlm = _load(model, dtype, device, max_pixels)
    sets, skipped = default_sets(vlm, seed=seed)
    joined, unfit = _composites(vlm, whatsup, seed)
    made = Study(vlm, [*sets, *extra, *joined], out, options, skipped=[*skipped, *unfit], command=_command())
    terminal.announce(console, made)
    try:
        with terminal.bar() as bar:
            made.run(terminal.follow(bar, made))
        page = _report(out)
    except KeyboardInterrupt:
        console.print("\nStopped. What is finished is kept; the same command goes on from here.", style="bold")
        raise typer.Exit(1) from None
    typer.echo(str(page.resolve()))


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="The folder of a study.")]) -> None:
    """Write a study's report again from its tables."""
    typer.echo(str(_report(folder).resolve()))


@app.command()
def doctor(
    model: Model = "builtin:plain", dtype: Dtype = None, device: Device = None, max_pixels: MaxPixels = None
) -> None:  # fmt: skip
    """Check every contract of the seam on a model; exit 1 when one fails."""
    from rich.markup import escape
    from rich.table import Table

    from backsight.models import contracts

    vlm = _load(model, dtype, device, max_pixels, check=False)
    findings = contracts.all_of(vlm)
    table = Table("contract", "", "finding", title=escape(repr(vlm)))
    for finding in findings:
        mark = "failed" if not finding.passed else "warning" if finding.warning else "ok"
        style = {"failed": "bold red", "warning": "yellow", "ok": "green"}[mark]
        table.add_row(finding.name, f"[{style}]{mark}[/]", escape(finding.detail))
    _console(stderr=False).print(table)
    if not all(f.passed for f in findings):
        raise typer.Exit(1)


@app.command()
def stimuli(
    suite: Annotated[str, typer.Argument(help="squares, shapes, objects, pairs, jittered_squares, tabletop ...")],
    out: Annotated[Path, typer.Option(help="A new or empty folder.")],
    seed: Annotated[int, typer.Option(help="Seed of what is drawn.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many questions.")] = None,
    layout: Annotated[str, typer.Option(help="qwen2-vl, gemma-3 or pixtral: the paper's geometry.")] = "qwen2-vl",
    objects: Annotated[Path | None, typer.Option(help="A folder with your own eight object pictures.")] = None,
) -> None:
    """Write a suite as pictures with a metadata.jsonl (tabletop: in What'sUp's form), and a contact sheet."""
    from backsight import stimuli as suites
    from backsight.datasets import folder, tabletop
    from backsight.errors import UsageError

    if layout not in suites.PRESETS:
        raise UsageError("There is no such layout", got=layout, do=f"choose from: {', '.join(suites.PRESETS)}")
    if objects is not None and suite != "objects":
        raise UsageError("Only the suite objects takes pictures of your own", got=f"--objects with {suite}")
    if objects is not None and not objects.is_dir():
        raise UsageError("There is no such folder of object pictures", where=objects)
    grid = suites.PRESETS[layout]
    if suite == "tabletop" and limit is not None:
        raise UsageError("Tabletop is written in whole sets", got="--limit", do="leave --limit out, or name tabletop_a")
    if suite == "tabletop":
        typer.echo(str(tabletop.write(out, size=grid.size, seed=seed).resolve()))
        return
    made = suites.objects(grid, seed=seed, assets=objects) if objects else suites.build(suite, grid, seed=seed)
    typer.echo(str(folder.write(made.limit(limit), out).resolve()))


@data_app.command("coco-pairs")
def coco_pairs(
    folder: Annotated[Path, typer.Argument(help="A folder in COCO's form.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What COCO-Pairs finds in a folder: instances used and left out by each rule, ordered pairs, per relation."""
    from backsight.datasets import coco_pairs as pairs

    audit = pairs.audit(folder)
    typer.echo(json.dumps(audit.as_dict(), indent=1) if as_json else str(audit))


@data_app.command("whatsup")
def whatsup(
    folder: Annotated[Path, typer.Argument(help="A folder in What'sUp's published form.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What a folder of What'sUp holds: rows used and left out by reason, per relation, whole sets of four."""
    from backsight.datasets import whatsup as photographs

    audit = photographs.audit(folder)
    typer.echo(json.dumps(audit.as_dict(), indent=1) if as_json else str(audit))


@app.command("train-builtin")
def train_builtin(
    name: Annotated[
        str,
        typer.Argument(
            help="The recipe: plain. (Drafts, not yet trained to their end: gemma, vision, language, both.)"
        ),
    ],
    out: Annotated[Path, typer.Option(help="A new folder for the checkpoint.")],
    work: Annotated[Path | None, typer.Option(help="Folder for checkpoints on the way. Default: OUT.training.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Only so many steps of each stage, to try it.")] = None,
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
    place = work or out.with_name(f"{out.name}.training")
    try:
        with terminal.bar() as bar:
            model, processor = train(RECIPES[name], place, progress=terminal.follow_training(bar), max_steps=steps)
            save(model, processor, out)
            vlm = _load(str(out), None, "cpu", None)
            rows = card.accuracies(vlm, card.card_sets(vlm), terminal.follow_card(bar)) if steps is None else []
    except KeyboardInterrupt:
        _console().print("\nStopped. The same command goes on from the last checkpoint.", style="bold")
        raise typer.Exit(1) from None
    if rows:
        card.write_card(out, f"builtin:{name}", card.facts(RECIPES[name], vlm, place), rows)
    typer.echo(str(out.resolve()))


def main() -> None:
    """The entry point: mistakes, refused reads and writes, and stops are told in words, without a traceback."""
    try:
        signal.signal(signal.SIGTERM, _stop)
        app()
    except BacksightError as error:
        _leave(error, error.exit_code)
    except OSError as error:
        do = "make room on the disk, or see to the rights"
        said = BacksightError("A file cannot be read or written", where=error.filename, got=error.strerror, do=do)
        _leave(said, 1)
    except KeyboardInterrupt:
        _leave("stopped", 1)
    except SystemExit as left:
        if left.code == INTERRUPTED:
            _leave("stopped", 1)
        raise


def _leave(said: object, code: int) -> None:
    typer.echo(f"backsight: {said}", err=True)
    sys.exit(code)


def _stop(*_: object) -> None:
    """SIGTERM ends a run as Ctrl-C does: what is computed is kept."""
    raise KeyboardInterrupt


def _report(folder: Path) -> Path:
    from backsight.report import write_report

    if (folder / "jobs").is_dir() and not (folder / "study.json").exists():
        raise StudyError(
            "The study is not finished", where=folder, got="no study.json", do="run the command of the study again"
        )
    try:
        return write_report(folder)
    except OSError as error:
        raise StudyError(
            "Cannot write the report",
            where=error.filename or folder,
            got=error.strerror or error,
            do=f"make room or see to the rights, then `backsight report {folder}`; the tables are whole",
        ) from error


def _console(*, stderr: bool = True) -> Console:
    from rich.console import Console

    return Console(stderr=stderr)


def _command() -> str:
    return shlex.join(["backsight", *sys.argv[1:]])


def _load(model: str, dtype: str | None, device: str | None, max_pixels: int | None, *, check: bool = True) -> VLM:
    from backsight.models.loading import load, quiet

    quiet()
    return load(model, dtype=dtype, device=device, max_pixels=max_pixels, check=check)


def _own_sets(data: list[Path] | None, photos: Path | None, whatsup: list[Path] | None) -> list[Any]:
    from backsight.datasets import coco_pairs, folder
    from backsight.datasets import whatsup as photographs
    from backsight.errors import UsageError

    forms = [(path, "with metadata.jsonl and pictures") for path in data or []]
    forms += [(photos, "in COCO's form")] if photos else []
    forms += [(path, "in What'sUp's published form") for path in whatsup or []]
    for path, form in forms:
        if not path.is_dir():
            raise UsageError("There is no such folder", where=path, do=f"give a folder {form}")
    found: list[Any] = [folder.load(path) for path in data or []]
    found += [coco_pairs.load(photos)] if photos else []
    return found + [examples for path in whatsup or [] for examples in photographs.load(path)]


def _composites(vlm: VLM, whatsup: list[Path] | None, seed: int) -> tuple[list[Any], list[Any]]:
    """Composites of each folder at the model's picture size, of things that one token names; and those left out."""
    from backsight.datasets import composites
    from backsight.errors import CannotAnswer, DataError
    from backsight.models.answers import spellings
    from backsight.studies.jobs import Skipped

    def single(name: str) -> bool:
        return bool(spellings(vlm.tokenizer, name))

    found, skipped = [], []
    for path in whatsup or []:
        try:
            found.append(composites.load(path, vlm.grid.size, names=single, seed=seed))
        except (CannotAnswer, DataError) as error:
            skipped.append(Skipped(composites.suite_of(path), "all", error.what))
    return found, skipped
