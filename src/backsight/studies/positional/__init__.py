"""The examination of one model of the positional experiment: answers at seen and unseen positions and sizes, and what
the instrument says of it at its own size.

The same rows of three stand on every grid, at the same cells or the same fractions of the picture. Each accuracy has
that of a uniform gray picture beside it.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from backsight.errors import DataError
from backsight.models.opening import load
from backsight.models.positions import budget
from backsight.models.vlm import VLM
from backsight.results.positional.tables import POSITIONAL, TRAINED
from backsight.stimuli.whole_cells import SIDE
from backsight.studies.positional.answers import PICTURES, accuracies, conditions
from backsight.studies.positional.instruments import PICTURES as INSTRUMENT
from backsight.studies.positional.instruments import PROBED, SHUFFLES, instruments
from backsight.tables import Table
from backsight.training import checkpoints, loop, positional
from backsight.training.answering import Answering

Row = dict[str, Any]
AXES = ("horizontal", "vertical")
EXAMINATION = 2  # counts up where the same model would get other rows
ENOUGH = 0.75  # of the relations among all colours along an axis, from which on it counts as learned


def examine(folder: Path, *, count: int = PICTURES) -> Table:
    """The rows of one trained model, whose log lies in its folder or beside it; DataError without, or for a training
    that is not the recipe's of that name."""
    recipe = recipe_of(folder)
    setting = next(one for one in positional.SETTINGS if f"positions-{one.name}" == recipe.name)
    records: list[Row] = []
    # A model without any position answers no test of its grid; that of the architecture is tested with random weights.
    with load(folder, check=False) as vlm:
        for condition in conditions(count):
            with torch.no_grad():
                records += accuracies(vlm, setting, condition)
        records += instruments(vlm)
        records += _ranges(vlm)
    empty = dict.fromkeys(POSITIONAL.columns)
    filled = [{**empty, **row, "setting": setting.name, "seed": recipe.seed} for row in records]
    return Table.of(POSITIONAL, filled, {**key(folder, count), "model": folder.name, "cores": os.cpu_count()})


def key(folder: Path, count: int) -> dict[str, Any]:
    """All that the rows of a model depend on: rows of another key are of another model or another examination."""
    return {
        "examination": EXAMINATION, "pictures": count, "instrument_pictures": INSTRUMENT, "probed": PROBED,
        "shuffles": SHUFFLES, "weights": weights(folder),
        "recipe": hashlib.sha256(recipe_of(folder).identity.encode()).hexdigest(),
    }  # fmt: skip


def recipe_of(folder: Path) -> Answering:
    """The recipe that a model was trained with to its end, with its seed and size, by its log.

    DataError without a log, for a log of another recipe or of fewer or more steps, and where the last checkpoint of the
    training lies beside and is of a recipe that has changed since.
    """
    path = log_of(folder)
    if path is None:
        do = "keep FOLDER.training, which `backsight train` writes beside FOLDER, or its training.parquet in FOLDER"
        raise DataError("The model's log is not there", where=folder, got="no training.parquet", do=do)
    log = Table.read(path)
    named = str(log.provenance.get("recipe"))
    if named not in positional.RECIPES:
        do = f"give one of: {', '.join(positional.RECIPES)}"
        raise DataError("This model is of another recipe", where=folder, got=named, do=do)
    size = log.provenance.get("size", "tiny")
    recipe = replace(positional.RECIPES[named], seed=int(log.provenance.get("seed", -1)), size=size)
    steps = {str(phase): int(of["step"].max()) for phase, of in log.frame.groupby("phase")}
    wanted = {phase.name: phase.steps for phase in recipe.phases}
    if steps != wanted:
        raise DataError(
            "The training is not that of the recipe", where=folder, got=f"steps {steps}, not {wanted}",
            do="train it again, to its end, with the recipe as it is",
        )  # fmt: skip
    checkpoints.read(folder.with_name(f"{folder.name}.training"), loop.identity(recipe))
    return recipe


def weights(folder: Path) -> str:
    """A digest of a checkpoint's weights and configuration: another one is another model."""
    digest = hashlib.sha256()
    for path in sorted((*folder.glob("*.safetensors"), *folder.glob("config.json"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def learned(rows: Table, logs: Path) -> Table:
    """At which step each axis of each run was learned, from logs that hold accuracy by axis; no rows of other runs.

    `logs` has SETTING-SEED.parquet, or the checkpoint SETTING-SEED with its log, for each run.
    """
    records = []
    for setting, seed in dict.fromkeys(zip(rows.frame["setting"], rows.frame["seed"], strict=True)):
        name = f"{setting}-{seed}"
        by_name = logs / f"{name}.parquet"
        path = by_name if by_name.is_file() else log_of(logs / name)
        if path is not None:
            records += [{"setting": setting, "seed": int(seed), **row} for row in learned_at(Table.read(path))]
    empty = dict.fromkeys(POSITIONAL.columns)
    return Table.of(POSITIONAL, [{**empty, **row} for row in records], rows.provenance)


def learned_at(log: Table) -> list[Row]:
    """The first step of the last phase at which accuracy along an axis reaches `ENOUGH`, a row an axis; `n` its steps.

    The value is missing where it never does. No rows of a log without accuracy by axis.
    """
    of = [row for row in log.rows() if row["step"] > 0]
    last = [row for row in of if row["phase"] == of[-1]["phase"]]
    records = []
    for axis in AXES:
        steps = [(row["step"], row["value"]) for row in last if row["figure"] == f"accuracy: {axis}"]
        if steps:
            first = next((step for step, value in steps if value >= ENOUGH), None)
            records.append(
                {"measure": "learned_at", "condition": TRAINED, "axis": axis, "n": steps[-1][0], "value": first}
            )
    return records


def log_of(folder: Path) -> Path | None:
    """The log of the training of a checkpoint: in its folder, or in that of the checkpoints on the way beside it."""
    beside = folder.with_name(f"{folder.name}.training")
    return next((path for at in (folder, beside) if (path := at / "training.parquet").is_file()), None)


def _ranges(vlm: VLM) -> list[Row]:
    """The largest phase over the own grid along columns (horizontal) and rows (vertical), in radians."""
    most: dict[tuple[str, str], float] = {}
    for row in budget(vlm.model.config, vlm.family, SIDE, SIDE).rows():
        key = row["part"], "horizontal" if row["axis"] == "column" else "vertical"
        most[key] = max(most.get(key, 0.0), row["radians_grid"])
    return [
        {"measure": "phase_range", "condition": part, "axis": axis, "value": radians}
        for (part, axis), radians in most.items()
    ]
