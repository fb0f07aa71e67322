"""Every recipe of the catalogue: it trains, its loss falls, and a run that is killed ends as one that is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backsight.tables import Table
from backsight.training import cutouts
from backsight.training.catalogue import recipes
from backsight.training.loop import train
from backsight.training.recipe import Learner, Recipe
from tests.test_cutouts import photographs

STEPS = 24  # of a run, over all phases, and at least three of each


class KilledError(Exception):
    """What ends a run between two checkpoints."""


def little(name: str, folder: Path) -> Recipe:
    """A recipe of the catalogue at a small price, with checkpoints each third step."""
    recipe = replace(recipes()[name].tried(2), save_every=3)
    if recipe.photographs:
        root = photographs(folder / "photos")
        return replace(recipe, asks=cutouts.asker(root))  # type: ignore[call-arg]
    return recipe


def weights(learner: Learner) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in learner.module.state_dict().items()}


def log(folder: Path) -> list[dict[str, Any]]:
    """The rows of a log without the seconds, which no two runs share."""
    rows = Table.read(folder / "training.parquet").rows()
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def losses(learner: Learner, phase: int, steps: int) -> float:
    """The mean loss of the first batches of a phase, with the weights as they are."""
    with torch.no_grad(), torch.random.fork_rng():
        return float(np.mean([float(learner.loss(phase, step)[0]) for step in range(steps)]))


@pytest.mark.slow
@pytest.mark.parametrize("name", recipes())
def test_a_killed_run_of_every_recipe_ends_as_a_whole_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last phase lowers the loss of the batches that it learns from: a few steps hardly lower that of others."""
    recipe = little(name, tmp_path)
    each = max(3, STEPS // len(recipe.phases))
    last, steps = len(recipe.phases) - 1, min(each, 6)
    before: list[float] = []

    def start(self: Recipe, where: torch.device) -> Learner:
        learner = original(self, where)
        enter = learner.enter

        def entering(phase: int) -> bool:
            begun = enter(phase)
            if phase == last:
                before.append(losses(learner, last, steps))
            return begun

        learner.enter = entering  # type: ignore[method-assign]
        return learner

    original = type(recipe).start
    with monkeypatch.context() as patched:
        patched.setattr(type(recipe), "start", start)
        learner = train(recipe, tmp_path / "whole", max_steps=each)
    whole = weights(learner)
    assert losses(learner, last, steps) < before[0]
    taken = 0

    def kill(phase: str, step: int, steps: int, figures: Any) -> None:
        nonlocal taken
        taken += 1
        if taken == each * len(recipe.phases) // 2 + 1:
            raise KilledError

    with pytest.raises(KilledError):
        train(recipe, tmp_path / "killed", progress=kill, max_steps=each)
    resumed = weights(train(recipe, tmp_path / "killed", max_steps=each))
    assert resumed.keys() == whole.keys()
    assert [key for key in whole if not torch.equal(whole[key], resumed[key])] == []
    rows = log(tmp_path / "whole")
    assert log(tmp_path / "killed") == rows


def test_every_recipe_says_what_it_makes_and_how_long_it_takes() -> None:
    for name, recipe in recipes().items():
        assert recipe.name == name and recipe.makes and recipe.minutes.get("tiny"), name
