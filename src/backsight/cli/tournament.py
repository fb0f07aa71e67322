"""`backsight repair compare`: every repair beside its controls, and which one is worth having on a model."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backsight.cli.names import REPAIR_NAMES, VSR_SPLITS
from backsight.cli.shared import (
    DEFAULT_MODEL,
    LARGEST_SEED,
    Device,
    Dtype,
    MaxPixels,
    Model,
    command_line,
    open_console,
    open_model,
    repair_app,
)
from backsight.cli.study import own_sets, write_page
from backsight.errors import Interrupted

if TYPE_CHECKING:
    from backsight.examples import ExampleSet
    from backsight.models.vlm import VLM
    from backsight.tables import Table

HARD = "hard"


@repair_app.command()
def compare(
    model: Model = DEFAULT_MODEL,
    out: Annotated[
        Path | None, typer.Option(help="Folder for report, tables and figures. Default: none is kept.")
    ] = None,
    repair: Annotated[
        list[str] | None,
        typer.Option(help=f"A repair; give it again for more. Default: all. Repairs: {', '.join(REPAIR_NAMES)}."),
    ] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="At most so many questions of a set.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of everything that is drawn.")] = 0,
    data: Annotated[list[Path] | None, typer.Option(help="A folder of your own questions (metadata.jsonl).")] = None,
    photos: Annotated[Path | None, typer.Option(help="A folder in COCO's form: adds COCO-Pairs.")] = None,
    vsr: Annotated[Path | None, typer.Option(help="VSR's annotations: adds VSR, with the boxes of --photos.")] = None,
    vsr_split: Annotated[str, typer.Option(help="The split of VSR, as study takes it.")] = VSR_SPLITS[0],
    whatsup: Annotated[list[Path] | None, typer.Option(help="What'sUp as published.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    dtype: Dtype = None,
    device: Device = None,
    max_pixels: MaxPixels = None,
) -> None:
    """Compare repairs that need no training, each beside its controls, on questions that they were not fitted on.

    Without data of your own the questions are generated ones that models answer incorrectly (`hard`).
    """
    typer.echo(f"backsight: comparing repairs on {model}", err=True)  # at once: the imports take seconds
    from backsight.measurements import Tournament
    from backsight.studies import Options, Study, terminal
    from backsight.studies.lock import refuse_busy
    from backsight.studies.store import holds_study

    measurement = Tournament(repairs=tuple(repair or ()), seed=seed)  # an unknown name is refused before a model opens
    if out is not None:
        holds_study(out)
        refuse_busy(out)
    given = own_sets(data, photos, whatsup, vsr, vsr_split)
    console = open_console()
    vlm = open_model(model, dtype, device, max_pixels)
    sets = given or [_hard(vlm, seed)]
    with tempfile.TemporaryDirectory() as scratch:
        options = Options(seed, only=("tournament",), limit=samples, dtype=dtype, max_pixels=max_pixels)
        study = Study(
            vlm, sets, out or Path(scratch), options, measurements=(measurement,), command=command_line()
        )  # fmt: skip
        terminal.announce(console, study)
        try:
            with terminal.study_progress(console, study) as progress:
                study.run(progress)
            page = write_page(study.folder) if out is not None else None
        except KeyboardInterrupt:
            raise Interrupted("Stopped. With --out what is finished is kept, and the same command goes on.") from None
        _print(_summaries(study.folder), as_json=as_json)
    if page is not None:
        typer.echo(str(page.resolve()), err=as_json)


def _hard(vlm: VLM, seed: int) -> ExampleSet:
    """Generated questions at which models fail."""
    from backsight import stimuli

    return stimuli.build(HARD, vlm.grid, seed=seed)


def _summaries(folder: Path) -> Table:
    from backsight.results.tournament import SUMMARY
    from backsight.tables import Table

    return Table.read(folder / "tables" / f"{SUMMARY.name}.parquet")


def _print(summary: Table, *, as_json: bool) -> None:
    """The sentence of each set, then a line a repair; as JSON the rows and the sentences."""
    from backsight.results.tournament import sentence, statements

    rows: dict[str, list[dict[str, Any]]] = {}
    for row in summary.rows():
        rows.setdefault(row["suite"], []).append(row)
    more = {suite: [one.text for one in statements(of)] for suite, of in rows.items()}
    if as_json:
        sentences = {
            suite: {"sentence": sentence(of), "more": more[suite], "repairs": of} for suite, of in rows.items()
        }
        typer.echo(json.dumps(sentences, indent=1))
        return
    for suite, of in rows.items():
        open_console(stderr=False).print(_table(suite, of))
        typer.echo("\n".join((sentence(of), *more[suite])))


NUMBERS = {
    "correct": "accuracy", "free": "free", "corrected": "corrected", "broken": "broken", "p": "p_nothing_holm",
    "p control": "p_control_holm", "cost": "cost",
}  # fmt: skip


def _table(suite: str, rows: list[dict[str, Any]]) -> Any:
    """What fits 80 columns; what was chosen, intervals and verdicts stand in report and JSON."""
    from rich.table import Table

    from backsight.results.tournament.schema import LEFT_OUT, SCORE, called

    asked = [row for row in rows if row["part"] == SCORE]
    counts = f"{asked[0]['questions']} held-out questions, {asked[0]['failures']} failures"
    title = f"{suite}: {counts}; p after Holm's correction"
    table = Table(title=title, box=None, title_justify="left", padding=(0, 1, 0, 0))
    table.add_column("repair", no_wrap=True)
    for name in NUMBERS:
        table.add_column(name, justify="right", no_wrap=True)
    for row in asked:
        name = called(row["repair"]) if row["control"] is None else f"- {row['control']}"
        cells = ("" if row[n] is None else f"{row[n]:.2f}" for n in NUMBERS.values())
        table.add_row(name, *cells)
    for row in rows:
        if row["part"] == LEFT_OUT:
            table.add_row(f"{called(row['repair'])}: {LEFT_OUT}")
    return table
