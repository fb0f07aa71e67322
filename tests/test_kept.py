"""What a benchmark keeps: models that are what their run came to, tables of the same weights, recipe and parameters."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from backsight.errors import DataError, UsageError
from backsight.tables import Schema, Table
from backsight.training import kept
from backsight.training import scale as recipes

STAGE = replace(recipes.SCALE.stages[0], steps=3, images=2, warmup=1)
LITTLE = replace(recipes.SCALE, save_every=2, stages=(STAGE,))
NUMBERS = Schema("numbers", {"value": "int"})


def changed(folder: Path) -> None:
    """Other weights in a checkpoint."""
    (path,) = folder.glob("*.safetensors")
    weights = load_file(path)
    name = next(iter(weights))
    save_file(weights | {name: weights[name] + 1}, path, metadata={"format": "pt"})


def test_a_model_is_trained_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = kept.trained(LITTLE, tmp_path / "m", snapshots=(2,))
    first = kept.weights(folder)
    stamp = next(folder.glob("*.safetensors")).stat().st_mtime_ns

    def loss(*_: Any) -> Any:
        raise AssertionError("no step is taken again")

    monkeypatch.setattr("backsight.training.answering.AnsweringLearner.loss", loss)
    assert kept.trained(LITTLE, folder, snapshots=(2,)) == folder and kept.weights(folder) == first
    assert next(folder.glob("*.safetensors")).stat().st_mtime_ns == stamp
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "m.training"]
    with pytest.raises(UsageError, match="past the step of a snapshot"):
        kept.trained(LITTLE, folder, snapshots=(1, 2))


def test_a_model_of_another_recipe_is_refused(tmp_path: Path) -> None:
    """One of fewer steps is no shorter run of the same."""
    folder = kept.trained(LITTLE, tmp_path / "m")
    for other in (replace(LITTLE, stages=(replace(STAGE, steps=6),)), replace(LITTLE, seed=1)):
        with pytest.raises(DataError, match="belongs to another recipe"):
            kept.trained(other, folder)
    changed(folder)
    with pytest.raises(DataError, match="other weights than the run"):
        kept.trained(LITTLE, folder)
    shutil.rmtree(kept.run(folder))
    with pytest.raises(DataError, match="no run beside it"):
        kept.trained(LITTLE, folder)


def test_a_table_is_kept_by_its_key(tmp_path: Path) -> None:
    path, made = tmp_path / "t.parquet", []

    def make() -> Table:
        made.append(len(made))
        return Table.of(NUMBERS, [{"value": len(made)}])

    key = {"weights": "a", "parameters": (192, 5)}
    for wanted, times in ((key, 1), (key, 1), (key | {"weights": "b"}, 2), (key | {"parameters": (96, 5)}, 3)):
        table = kept.table(path, wanted, make)
        assert len(made) == times and table.rows() == [{"value": times}]
    assert table.provenance["hardware"] == kept.hardware()
    Table.of(NUMBERS, [{"value": 9}]).write(tmp_path, "t")  # of an earlier version, without a key
    assert kept.table(path, key, make).rows() == [{"value": 4}]
    path.write_bytes(b"damaged")
    assert kept.table(path, key, make).rows() == [{"value": 5}]


def test_weights_are_told_apart(tmp_path: Path) -> None:
    for name, value in (("a", 1.0), ("b", 1.0), ("c", 2.0)):
        (tmp_path / name).mkdir()
        save_file({"w": torch.full((2,), value)}, tmp_path / name / "model.safetensors")
    a, b, c = (kept.weights(tmp_path / name) for name in "abc")
    assert a == b != c
    with pytest.raises(DataError, match="no weights"):
        kept.weights(tmp_path)
