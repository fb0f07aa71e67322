"""`backsight compare`: finished studies side by side, and whether what was asked for got worse."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backsight.cli.shared import app, command_line
from backsight.errors import WORSE


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
    fail_if_not_judged: Annotated[
        bool,
        typer.Option(
            "--fail-if-not-judged",
            help="Exit 1 too where a metric asked for (else: one of those plotted) cannot be compared paired.",
        ),
    ] = False,
) -> None:
    """Compare finished studies with the first of them, over the samples that they share.

    Exit codes: 0 nothing asked for is worse, 1 something is, 2 wrong use, 3 failed.
    """
    from backsight.report.compare import write_comparison
    from backsight.studies import compare as comparing
    from backsight.studies.compare_answer import worded

    comparing.holds_comparison(out)  # a folder that cannot be used is refused before the tables are read
    compared = comparing.compare(folders, command=command_line()).gated(fail_if_worse or (), strict=fail_if_not_judged)
    comparing.write(compared, out)
    page = write_comparison(compared, out)
    for one in compared.judged:
        typer.echo("\n".join(one.lines()))
    typer.echo(str(page.resolve()))
    for row in compared.worse:
        typer.echo(f"backsight: worse: {row['study']}: {worded(row)}", err=True)
    if compared.failed and not compared.worse:
        typer.echo("backsight: failed: a metric could not be judged", err=True)
    if compared.failed:
        raise typer.Exit(WORSE)
