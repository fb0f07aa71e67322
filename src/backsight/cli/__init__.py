"""The command line: parse, call the library, print. Exit codes stand in `errors.py`.

Nothing heavy is imported before a command runs, so that `--help` answers at once.
"""

from __future__ import annotations

import signal
import sys

import typer

from backsight.cli import compare, data, explain, repair, selftest, study, sweep, tournament, training
from backsight.cli.shared import app
from backsight.errors import FAILED, INTERRUPTED, BacksightError

__all__ = [
    "app",
    "compare",
    "data",
    "explain",
    "main",
    "repair",
    "selftest",
    "study",
    "sweep",
    "tournament",
    "training",
]


def main() -> None:
    """The entry point: mistakes, refused reads and writes, and stops are told in words, without a traceback."""
    try:
        signal.signal(signal.SIGTERM, _stop)
        app()
    except BacksightError as error:
        _leave(error, error.exit_code)
    except OSError as error:
        do = "make room on the disk, or see to the rights"
        text = error.strerror or str(error)
        _leave(BacksightError("A file cannot be read or written", where=error.filename, got=text, do=do), FAILED)
    except KeyboardInterrupt:
        _leave("stopped", INTERRUPTED)
    except SystemExit as left:
        if left.code == INTERRUPTED:  # how typer leaves on Ctrl-C
            _leave("stopped", INTERRUPTED)
        raise


def _leave(message: object, code: int) -> None:
    typer.echo(f"backsight: {message}", err=True)
    sys.exit(code)


def _stop(*_: object) -> None:
    """SIGTERM ends a run as Ctrl-C does: what is computed is kept."""
    raise KeyboardInterrupt
