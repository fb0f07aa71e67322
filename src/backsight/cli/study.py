"""`backsight study`, `report` and `doctor`: examine a model, write the page again, check the seam."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backsight.cli.names import MEASUREMENT_NAMES, SET_NAMES, VSR_SPLITS
from backsight.cli.shared import (
    DEFAULT_MODEL,
    LARGEST_SEED,
    Device,
    Dtype,
    MaxPixels,
    Model,
    app,
    command_line,
    existing,
    open_console,
    open_model,
)
from backsight.errors import WORSE, Interrupted, StudyError, UsageError

if TYPE_CHECKING:
    from backsight.models.vlm import VLM


@app.command()
def study(
    model: Model = DEFAULT_MODEL,
    out: Annotated[Path, typer.Option(help="Folder for report, tables and figures.")] = Path("backsight-study"),
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of everything that is drawn.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="A first look: as few samples as the figures need.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="A measurement, a set, or both as in behaviour/squares; give it again for more. What the folder has "
            f"stays. Measurements: {', '.join(MEASUREMENT_NAMES)}. Sets: {', '.join(SET_NAMES)}, and those of "
            "--data, --photos, --cutouts, --vsr and --whatsup."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many samples a job.")] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="So many samples a job where a set has them, as 300 for CREG's tables.")
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(
            min=1, help="The most questions of what asks until it is decided (pathways): from 96 on. Default: 480."
        ),
    ] = None,
    data: Annotated[list[Path] | None, typer.Option(help="A folder of your own questions (metadata.jsonl).")] = None,
    photos: Annotated[
        Path | None,
        typer.Option(help="A folder in COCO's form: adds COCO-Pairs; with --only localization, COCO-Boxes."),
    ] = None,
    cutouts: Annotated[
        Path | None, typer.Option(help="A folder in COCO's form, with polygons: adds scenes of objects cut out of it.")
    ] = None,
    vsr: Annotated[Path | None, typer.Option(help="VSR's annotations: adds VSR, with the boxes of --photos.")] = None,
    vsr_split: Annotated[
        str, typer.Option(help=f"The split of VSR: {', '.join(VSR_SPLITS)}; a folder may hold fewer.")
    ] = VSR_SPLITS[0],
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
    typer.echo(f"backsight: starting the study of {model}", err=True)  # at once: the imports take seconds
    from backsight.studies import Options, Study, default_sets, terminal
    from backsight.studies.lock import refuse_busy
    from backsight.studies.memory import size_of
    from backsight.studies.store import holds_study

    console = open_console()
    room = None if memory is None else size_of(memory)
    holds_study(out)  # a folder that cannot be used is refused before a model is opened
    refuse_busy(out)
    extra = own_sets(data, photos, whatsup, vsr, vsr_split, asked=only or ())
    if cutouts is not None:
        existing(cutouts, "a folder in COCO's form")
    options = Options(seed, quick, tuple(only or ()), limit, dtype, max_pixels, room, samples, budget)
    terminal.step(console, f"opening {model}")
    vlm = open_model(model, dtype, device, max_pixels)
    terminal.step(console, "making the example sets")
    sets, skipped = default_sets(vlm, seed=seed, asked=options.only)
    joined, unfit = _fitted(vlm, whatsup, cutouts, seed)
    given = {s.name for s in extra if s.name.startswith("tabletop")}  # scenes from a folder, in place of those drawn
    sets = [s for s in sets if s.name not in given]
    one = Study(vlm, [*sets, *extra, *joined], out, options, skipped=[*skipped, *unfit], command=command_line())
    terminal.announce(console, one)
    for examples in (*extra, *joined):
        if examples.note:
            console.print(f"{examples.name}: {examples.note}", markup=False, soft_wrap=True)
    try:
        with terminal.study_progress(console, one) as progress:
            one.run(progress)
        terminal.step(console, "writing the report")
        page = write_page(out)
    except KeyboardInterrupt:
        raise Interrupted("Stopped. What is finished is kept; the same command goes on from here.") from None
    typer.echo(str(page.resolve()))


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="The folder of a study.")]) -> None:
    """Write a study's report again from its tables; exit 3 where some are missing or damaged."""
    existing(folder, "the folder of a study")
    typer.echo(str(write_page(folder).resolve()))


@app.command()
def doctor(
    model: Model = DEFAULT_MODEL, dtype: Dtype = None, device: Device = None, max_pixels: MaxPixels = None
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
        table.add_row(
            finding.name, f"[{style}]{mark}[/]", escape(finding.detail + (f"\ndo: {finding.do}" if finding.do else ""))
        )
    open_console(stderr=False).print(table)
    if not all(f.passed for f in findings):
        raise typer.Exit(WORSE)


def write_page(folder: Path) -> Path:
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


def own_sets(
    data: list[Path] | None, photos: Path | None, whatsup: list[Path] | None, vsr: Path | None, split: str,
    asked: Sequence[str] = (),
) -> list[Any]:  # fmt: skip
    """The sets of a user's folders. COCO-Boxes is one where `asked` names it or the measurement that it is for."""
    from backsight.datasets import coco_boxes, coco_pairs, folder
    from backsight.datasets import vsr as relations
    from backsight.datasets import whatsup as photographs

    forms = [(path, "with metadata.jsonl and pictures") for path in data or []]
    forms += [(photos, "in COCO's form")] if photos else []
    forms += [(path, "in What'sUp's published form") for path in whatsup or []]
    forms += [(vsr, "with VSR's annotations")] if vsr else []
    if vsr and not photos:
        raise UsageError(
            "VSR has no boxes of its own", got="--vsr without --photos", do="give COCO's folder as --photos"
        )
    if split != VSR_SPLITS[0] and not vsr:
        raise UsageError("--vsr-split goes with --vsr", got=split, do="give VSR's annotations as --vsr")
    for path, form in forms:
        existing(path, f"a folder {form}")
    sets: list[Any] = [folder.load(path) for path in data or []]
    boxes = any(part in ("localization", coco_boxes.SUITE) for name in asked for part in name.split("/"))
    if photos and not (boxes and all(_of_boxes(name) for name in asked)):
        sets.append(coco_pairs.load(photos))
    if photos and boxes:
        sets.append(coco_boxes.load(photos))
    sets += [relations.load(vsr, photos=photos, split=split)] if vsr and photos else []
    return sets + [examples for path in whatsup or [] for examples in photographs.load(path)]


def _of_boxes(name: str) -> bool:
    """Whether a name of --only asks for boxes and for nothing else, so that no pairs of photographs are needed."""
    return name.split("/")[0] == "localization" or name == "coco_boxes"


def _fitted(
    vlm: VLM, whatsup: list[Path] | None, photos: Path | None, seed: int
) -> tuple[list[Any], list[Any]]:  # fmt: skip
    """Composites of each folder and suites of cut-outs, of things that one token names; and those left out."""
    from backsight.datasets import composites, cutouts
    from backsight.errors import CannotAnswer, DataError, GridError
    from backsight.models.answers import spellings
    from backsight.studies.jobs import Skipped

    def single(name: str) -> bool:
        return bool(spellings(vlm.tokenizer, name))

    sets, skipped = [], []
    for path in whatsup or []:
        try:
            sets.append(composites.load(path, vlm.grid.size, names=single, seed=seed))
        except (CannotAnswer, DataError) as error:
            skipped.append(Skipped(composites.suite_of(path), "all", error.what))
    try:
        sets += cutouts.load(photos, vlm.grid, names=single, seed=seed) if photos else ()
    except (CannotAnswer, GridError) as error:
        skipped += [Skipped(name, "all", error.what) for name in cutouts.SUITES]
    return sets, skipped
