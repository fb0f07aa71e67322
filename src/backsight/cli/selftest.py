"""`backsight selftest`: every measurement on a model on which it must fire, and on one on which it must not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backsight.cli.shared import app, existing, open_console
from backsight.errors import WORSE, UsageError

if TYPE_CHECKING:
    from backsight.results.selftest import Outcome
    from backsight.selftest import Control


@app.command()
def selftest(
    measurement: Annotated[
        list[str] | None, typer.Option(help="Only the controls of this measurement; give it again for more.")
    ] = None,
    samples: Annotated[str, typer.Option(help="small: minutes on one core; full: as many as a study takes.")] = "small",
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=DIR", help="A checkpoint to take in place of builtin:NAME, as staged=DIR."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option(help="A folder for selftest.json.")] = None,
    write: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the outcome to this file, as the package carries it.")
    ] = None,
) -> None:
    """Run every measurement on its positive and its negative control; exit 1 when one fails."""
    if out is not None and out.exists() and not out.is_dir():
        raise UsageError("The folder for the outcome is a file", where=out, do="give another --out")
    if write is not None and write.is_dir():
        raise UsageError("The file for the outcome is a folder", where=write, do="give a file as --write")
    if write is not None and measurement:
        do = "leave --measurement out, or write to a folder by --out"
        raise UsageError("A part of the controls is no outcome of a version", got="--write, --measurement", do=do)
    folders = dict(_folder(one) for one in model or ())
    from backsight import selftest as controls
    from backsight.models.opening import quiet

    quiet()
    console = open_console()

    def progress(control: Control) -> None:
        console.print(f"{control.measurement}: {control.about}", markup=False, soft_wrap=True)

    outcome = controls.run(tuple(measurement or ()), size=samples, folders=folders, progress=progress)  # type: ignore[arg-type]
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    for path in (write, out and out / "selftest.json"):
        if path is not None:
            outcome.write(path)
    if as_json:
        typer.echo(json.dumps(outcome.as_dict(), indent=1, ensure_ascii=False))
    else:
        _show(outcome)
    if outcome.failed:
        raise typer.Exit(WORSE)


def _folder(given: str) -> tuple[str, Path]:
    name, equals, folder = given.partition("=")
    if not (equals and name and folder):
        raise UsageError("This names no model and folder", got=given, do="give --model NAME=DIR, as staged=DIR")
    return name.removeprefix("builtin:"), existing(Path(folder), "the folder of a checkpoint")


def _show(outcome: Outcome) -> None:
    from rich.markup import escape
    from rich.table import Table

    from backsight.results.selftest import summary

    grid = outcome.grid()
    table = Table(*grid.columns, title="Controls", show_lines=True)
    styles = {"passed": "green", "failed": "bold red", "no control": "yellow"}
    for row in grid.rows:
        table.add_row(*map(escape, row[:-1]), f"[{styles[row[-1]]}]{row[-1]}[/]")
    console = open_console(stderr=False)
    console.print(table)
    console.print(summary(outcome), markup=False, soft_wrap=True)
