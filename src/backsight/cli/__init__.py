"""The command line: parse, call the library, print. Exit codes: 0 done, 1 failed or stopped, 2 wrong usage.

Nothing heavy is imported before a command runs, so that `--help` answers at once.
"""

from __future__ import annotations

import signal
import sys

import typer

from backsight.cli import compare, data, explain, study, training
from backsight.cli.shared import app
from backsight.errors import BacksightError

__all__ = ["app", "compare", "data", "explain", "main", "study", "training"]

INTERRUPTED = 130  # how typer leaves on Ctrl-C


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
