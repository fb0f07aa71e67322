"""`backsight compare`: finished studies side by side, and whether what was asked for got worse."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backsight.cli.shared import app, command_line


@app.command()
def compare(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR DIR...", help="Folders of finished studies, the baseline first.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for report, table and figure.")] = Path("backsight-compare"),
    fail_if_worse: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METRIC",
            help="Exit 1 where a paired difference is for the worse: its 95 % interval on that side of zero, p < .05. "
            "A metric as in compare.json, or the start of one: accuracy, accuracy/squares. Holm's p plays no part.",
        ),
    ] = None,
) -> None:
    """Compare finished studies with the first of them, over the samples that they share."""
    from backsight.report.compare import signed, write_comparison
    from backsight.studies import compare as comparing

    comparing.holds_comparison(out)  # a folder that cannot be used is refused before the tables are read
    made = comparing.compare(folders, command=command_line()).gated(fail_if_worse or ())
    comparing.write(made, out)
    page = write_comparison(made, out)
    typer.echo(str(page.resolve()))
    for said in made.gate.left_out():
        typer.echo(f"backsight: not judged: {said}", err=True)
    for row in made.gate.worse:
        said = f"{row['metric']} of {row['study']}: {signed(row)}, {row['shared']} samples, {row['images']} images"
        typer.echo(f"backsight: worse: {said}", err=True)
    if made.gate.worse:
        raise typer.Exit(1)
