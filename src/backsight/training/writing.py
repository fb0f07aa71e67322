"""What a training leaves: the checkpoint with the log and its curves beside it, whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from backsight.errors import StudyError, UsageError
from backsight.results import learning
from backsight.results.drawing import style
from backsight.tables import HOST, Table
from backsight.training.recipe import Learner

LOG = ("training.csv", "training.parquet")
CARD = "README.md"


def write(learner: Learner, work: Path, out: Path, beside: Callable[[Path], None] | None = None) -> None:
    """Write what was trained into a new folder: the checkpoint, and of the log in `work` its table, curves and a card.

    `beside` writes further files into the folder that it is given, or a card of its own. UsageError where `out` is
    there and not empty, StudyError where it cannot be written.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError("The folder for the checkpoint is there already", where=out, do="give another, or remove it")
    part = out.with_name(f".{out.name}.{HOST}.{os.getpid()}.new")
    try:
        shutil.rmtree(part, ignore_errors=True)
        out.parent.mkdir(parents=True, exist_ok=True)
        learner.save(part)
        log = Table.read(work / LOG[1])
        curves = style.to_svg(learning.curves(log))
        (part / "training.svg").write_text(curves, encoding="utf-8")
        for name in LOG:
            shutil.copyfile(work / name, part / name)
        if not (part / CARD).exists():
            (part / CARD).write_text(learning.card(log), encoding="utf-8")
        if beside is not None:
            beside(part)
        part.rename(out)
    except OSError as error:
        raise StudyError(
            "The checkpoint cannot be written", where=out, got=error.strerror or error,
            do="make room on the disk and give the same command again: what was trained is kept",
        ) from error  # fmt: skip
    finally:
        shutil.rmtree(part, ignore_errors=True)
