"""Trained models and tables of examinations that are kept between two runs of a benchmark, and when they are not.

A model is kept where the run beside it (`NAME.training`) is of the very recipe and comes to its weights. A table is
kept where its key is the one that is asked for: weights, recipe and parameters. Anything else is refused or made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from backsight.errors import DataError
from backsight.tables import Table
from backsight.training import checkpoints, loop
from backsight.training.recipe import Recipe


def trained(recipe: Recipe, folder: Path, *, snapshots: Collection[int] = ()) -> Path:
    """The folder of what a recipe makes: trained where it is missing, gone on with where it was stopped.

    DataError where the folder has no run beside it, where the run is of another recipe, seed or size, and where the
    model has other weights than the run came to. UsageError where a finished run lacks one of the snapshots.
    """
    work = run(folder)
    if folder.exists() and not (work / checkpoints.NAME).is_file():
        raise DataError(
            "A model has no run beside it that says what it is", where=folder, got=f"no {work.name}",
            do="remove the model: the same command trains it anew",
        )  # fmt: skip
    learner = loop.train(recipe, work, snapshots=snapshots)
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        fresh = Path(place) / folder.name
        learner.save(fresh)
        if not folder.exists():
            fresh.rename(folder)
        elif weights(folder) != weights(fresh):
            raise DataError(
                "A model has other weights than the run beside it came to", where=folder,
                got=f"{weights(folder)}, not {weights(fresh)}", do="remove the model: the same command writes it anew",
            )  # fmt: skip
    return folder


def run(folder: Path) -> Path:
    """Where the run of a model lies: its checkpoint, log and snapshots."""
    return folder.with_name(f"{folder.name}.training")


def weights(folder: Path) -> str:
    """16 hex digits of a checkpoint's weights; DataError for a folder without any."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise DataError("The folder holds no weights", where=folder, do="give the folder of a trained model")
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def table(path: Path, key: Mapping[str, Any], make: Callable[[], Table]) -> Table:
    """The table that is kept in a parquet file, where it has this key; else it is made and kept.

    `key` is all that the rows depend on, in plain values. The machine that made the rows stays with them.
    """
    wanted = json.loads(json.dumps(key))
    with contextlib.suppress(DataError):  # a damaged table is made anew
        stored = Table.read(path)
        if stored.provenance.get("key") == wanted:
            return stored
    made = make()
    Table(made.schema, made.frame, {"key": wanted, "hardware": hardware()}).write(path.parent, path.stem)
    return Table.read(path)


def hardware() -> str:
    """The machine that this runs on, as a page names it."""
    return f"{os.cpu_count()} CPU cores ({platform.machine()})"
