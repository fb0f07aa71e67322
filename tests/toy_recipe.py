"""Recipes that take no time, as files of one's own: a line is fitted, and its weights are the checkpoint."""

from __future__ import annotations

from pathlib import Path

TOY = """
import os, signal
from dataclasses import dataclass

import numpy as np
import torch
from safetensors.torch import save_file

from backsight.training.recipe import Learner, Phase, Recipe


@dataclass(frozen=True, kw_only=True)
class Line(Recipe):
    rate: float = 0.05

    @property
    def phases(self):
        return Phase("first", 6, rate=self.rate, warmup=1), Phase("second", 5, rate=self.rate, warmup=1)

    def start(self, where):
        return LineLearner(self, where)


class LineLearner(Learner):
    def __init__(self, recipe, where):
        self.recipe, self.where = recipe, where
        self.module = torch.nn.Linear(4, 1).to(where)

    def loss(self, phase, step):
        drawn = np.random.default_rng((self.recipe.seed, phase, step)).normal(size=(8, 4)).astype("float32")
        inputs = torch.from_numpy(drawn).to(self.where)
        error = self.module(inputs)[:, 0] - inputs.sum(1)
        return (error**2).mean(), {"error": float(error.detach().abs().mean())}

    def save(self, folder):
        folder.mkdir(parents=True)
        save_file(self.module.state_dict(), folder / "line.safetensors")


line = Line(name="line", save_every=2)
"""


def written(folder: Path, name: str = "own.py", more: str = "", code: str = TOY) -> Path:
    """A file with the recipe `line`, and what `more` adds to it."""
    path = folder / name
    path.write_text(code + more)
    return path
