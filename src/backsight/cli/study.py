"""`backsight study`, `report` and `doctor`: examine a model, write the page again, check the seam."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backsight.cli.shared import Device, Dtype, MaxPixels, Model, app, command_line, open_console, open_model
from backsight.errors import StudyError

if TYPE_CHECKING:
    from backsight.models.vlm import VLM


@app.command()
def study(
    model: Model = "builtin:plain",
    out: Annotated[Path, typer.Option(help="Folder for report, tables and figures.")] = Path("backsight-study"),
    seed: Annotated[int, typer.Option(help="Seed of everything that is drawn.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="At most 16 samples a job.")] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="A measurement, a set, or both as in behaviour/squares.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many samples a job.")] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="So many samples a job where a set has them, as 300 for CREG's tables.")
    ] = None,
    data: Annotated[list[Path] | None, typer.Option(help="A folder of your own questions (metadata.jsonl).")] = None,
    photos: Annotated[Path | None, typer.Option(help="A folder in COCO's form: adds COCO-Pairs.")] = None,
    vsr: Annotated[Path | None, typer.Option(help="VSR's annotations: adds VSR, with the boxes of --photos.")] = None,
    whatsup: Annotated[list[Path] | None, typer.Option(help="What'sUp as published: its sets and composites.")] = None,
    dtype: Dtype = None,
    device: Device = None,
    max_pixels: MaxPixels = None,
    memory: Annotated[
        str | None,
        typer.Option(help="Cap of weights and a batch, as 8GiB. Default: 60 % of what is free, and weights."),
    ] = None,
) -> None:
    """Examine one model and write one report."""
    from backsight.studies import Options, Study, default_sets, terminal
    from backsight.studies.memory import size_of
    from backsight.studies.store import holds_study

    console = open_console()
    room = None if memory is None else size_of(memory)
    holds_study(out)  # a folder that cannot be used is refused before a model is opened
    extra = _own_sets(data, photos, whatsup, vsr)
    options = Options(seed, quick, tuple(only or ()), limit, dtype, max_pixels, room, samples)
    vlm = open_model(model, dtype, device, max_pixels)
    sets, skipped = default_sets(vlm, seed=seed, asked=options.only)
    joined, unfit = _composites(vlm, whatsup, seed)
    given = {s.name for s in extra if s.name.startswith("tabletop")}  # scenes from a folder, in place of those drawn
    sets = [s for s in sets if s.name not in given]
    made = Study(vlm, [*sets, *extra, *joined], out, options, skipped=[*skipped, *unfit], command=command_line())
    terminal.announce(console, made)
    for one in (*extra, *joined):
        if one.note:
            console.print(f"{one.name}: {one.note}", markup=False, soft_wrap=True)
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

    vlm = open_model(model, dtype, device, max_pixels, check=False)
    findings = contracts.all_of(vlm)
    table = Table("contract", "", "finding", title=escape(repr(vlm)))
    for finding in findings:
        mark = "failed" if not finding.passed else "warning" if finding.warning else "ok"
        style = {"failed": "bold red", "warning": "yellow", "ok": "green"}[mark]
        table.add_row(finding.name, f"[{style}]{mark}[/]", escape(finding.detail))
    open_console(stderr=False).print(table)
    if not all(f.passed for f in findings):
        raise typer.Exit(1)


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


def _own_sets(
    data: list[Path] | None, photos: Path | None, whatsup: list[Path] | None, vsr: Path | None
) -> list[Any]:  # fmt: skip
    from backsight.datasets import coco_pairs, folder
    from backsight.datasets import vsr as relations
    from backsight.datasets import whatsup as photographs
    from backsight.errors import UsageError

    forms = [(path, "with metadata.jsonl and pictures") for path in data or []]
    forms += [(photos, "in COCO's form")] if photos else []
    forms += [(path, "in What'sUp's published form") for path in whatsup or []]
    forms += [(vsr, "with VSR's annotations")] if vsr else []
    if vsr and not photos:
        raise UsageError(
            "VSR has no boxes of its own", got="--vsr without --photos", do="give COCO's folder as --photos"
        )
    for path, form in forms:
        if not path.is_dir():
            raise UsageError("There is no such folder", where=path, do=f"give a folder {form}")
    found: list[Any] = [folder.load(path) for path in data or []]
    found += [coco_pairs.load(photos)] if photos else []
    found += [relations.load(vsr, photos=photos)] if vsr and photos else []
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
