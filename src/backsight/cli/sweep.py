"""`backsight sweep`: recipes x seeds, trained, studied and compared."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backsight.cli.names import MEASUREMENT_NAMES, SET_NAMES
from backsight.cli.shared import app, command_line, open_console
from backsight.cli.study import write_page
from backsight.errors import FAILED, INTERRUPTED, BacksightError, Interrupted, StudyError, UsageError

if TYPE_CHECKING:
    from backsight.studies.sweep_compare import Compared


@app.command()
def sweep(
    file: Annotated[Path, typer.Argument(help="A TOML file: recipes, seeds, and how they are trained and studied.")],
    out: Annotated[Path, typer.Option(help="Folder for runs, tables and report.")],
) -> None:
    """Train recipes with several seeds, study each run and compare them over seeds; what is there is not made again.

    Exit codes: 0 done, 2 wrong use, 3 a run failed (the others are compared).
    """
    from backsight.models.opening import device_named
    from backsight.studies import sweep as running
    from backsight.studies import sweep_compare, sweep_file, sweep_run, terminal
    from backsight.training.loop import check_precision

    given = sweep_file.read(file)
    _refuse_unknown(given.study.only)
    every = sweep_run.runs(given, out)
    device_named(given.train.device)
    check_precision(given.train.precision, given.train.device)
    sweep_compare.claim_folder(out)
    sweep_run.refuse_others(every)
    console = open_console()
    try:
        with sweep_compare.held(out):
            sweep_compare.note(out, given, command_line())
            left = [run.label for run in every if not run.studied]
            with terminal.sweep_progress(console, left, len(every)) as shown:
                outcomes = running.run_all(every, lambda run, *event: shown(run.label, *event), write_page)
            compared = sweep_compare.compared(given, outcomes, command_line())
            sweep_compare.note(out, given, command_line(), outcomes)
            lost = sweep_compare.lost(compared, out)
            page = None if lost else _written(compared, out)
    except KeyboardInterrupt:
        raise Interrupted("Stopped. What is finished is kept; the same command goes on from here.") from None
    if page is not None:
        typer.echo(str(page.resolve()))
    for one in compared.failed:
        typer.echo(f"backsight: failed: {one.run.label}: {one.reason}", err=True)
    if lost:
        typer.echo(f"backsight: the comparison that is there stays as it is: it has {', '.join(lost)}", err=True)
    if compared.failed:
        raise typer.Exit(FAILED)


def _written(compared: Compared, out: Path) -> Path:
    """Write tables and page of a comparison; the page's path."""
    from backsight.report.sweep import write_sweep
    from backsight.studies import sweep_compare

    sweep_compare.write(compared, out)
    return write_sweep(compared, out)


def _refuse_unknown(only: Sequence[str]) -> None:
    """UsageError for what a study would refuse, before hours of training and not behind them."""
    from backsight.results import today

    known = {*MEASUREMENT_NAMES, *SET_NAMES}
    for one in only:
        if not set(today(one).split("/")) <= known:
            do = f"choose from: {', '.join((*MEASUREMENT_NAMES, *SET_NAMES))}, or two as in behaviour/squares"
            raise UsageError("study.only names nothing that a study has", got=one, do=do)


def child() -> None:
    """One run of a sweep in a process of its own: its last argument is the run as JSON, its progress one line each."""
    from backsight.studies import sweep_file, sweep_run
    from backsight.studies.sweep import reason
    from backsight.training import checkpoints

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    given = json.loads(sys.argv[-1])
    asked = sweep_file.of(given["sweep"])
    folder = Path(given["folder"])
    stream, sys.stdout = sys.stdout, sys.stderr  # what a library prints goes to the log

    def tell(**words: Any) -> None:
        stream.write(json.dumps(words) + "\n")
        stream.flush()

    try:
        run = next(one for one in sweep_run.runs(asked, folder.parent) if one.folder == folder)
        if run.identity != given["identity"]:
            raise StudyError(
                "The recipe was changed while the sweep runs", where=run.asked,
                got=checkpoints.difference(run.identity, given["identity"]), do="give the command again in a new --out",
            )  # fmt: skip
        sweep_run.perform(
            run, lambda what, done, total, words: tell(what=what, done=done, total=total, words=words), write_page
        )
        tell(finished=True)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        tell(reason=reason(error))
        sys.exit(error.exit_code if isinstance(error, BacksightError) else FAILED)
