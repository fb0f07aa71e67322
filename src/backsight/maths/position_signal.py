"""How much of the variance of image tokens their row and column explain, beyond what they show.

States (token, d_model) are regressed on categorical factors: what a token shows (content), its row and its column. The
partial R^2 of position is the share of the sum of squares that content leaves which row and column take, over all
features together. Every picture is centred by itself, so what a picture has as a whole counts for nothing. Effects are
fitted on one half of the pictures and scored on the other: a factor that explains nothing then has a share of zero or a
little less, whatever its number of levels, and so have positions shifted around each picture's grid
by a number of its own, which is the null.

Least squares has a few pseudo-tokens without effect for each row and column (a ridge), so that a row which the other
half hardly shows has no wild effect. Content is not held back: what it could have explained is not left to position.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

RIDGE = 4.0  # tokens: as many as a small thing covers
NONE = 1e-6  # of content: enough for a kind that one half does not show at all
FLAT = 1e-10  # of the states' squares: what varies less is rounding
Integers = NDArray[np.int64]


class Levels(NamedTuple):
    """How many kinds of content, rows and columns there are."""

    content: int
    rows: int
    columns: int

    @property
    def all(self) -> int:
        """The columns of a design."""
        return self.content + self.rows + self.columns


def design(content: Integers, row: Integers, column: Integers, levels: Levels) -> Tensor:
    """The factors of one picture's tokens (token,) as indicators (token, level), each centred over the picture."""
    shown = torch.zeros(len(content), levels.all)
    start = 0
    for factor, count in zip((content, row, column), levels, strict=True):
        shown[torch.arange(len(factor)), torch.from_numpy(factor) + start] = 1.0
        start += count
    return shown - shown.mean(0)


@dataclass
class Sums:
    """What least squares needs of some pictures: `gram` (level, level) and `cross` (level, d_model)."""

    gram: Tensor
    cross: Tensor
    content: int  # the first levels, which are content's

    @classmethod
    def none(cls, levels: Levels, width: int) -> Sums:
        """The sums of no picture."""
        gram = torch.zeros(levels.all, levels.all, dtype=torch.float64)
        return cls(gram, torch.zeros(levels.all, width), levels.content)

    def add(self, shown: Tensor, states: Tensor) -> None:
        """Add one picture: its design (token, level) and its centred states (token, d_model)."""
        self.gram += (shown.T @ shown).double()
        self.cross += (shown.to(states.device).T @ states).cpu()

    def effects(self, count: int | None = None) -> Tensor:
        """The effects (level, d_model) of the first `count` levels, or of all, each fitted together with the others."""
        count = len(self.gram) if count is None else count
        ridge = torch.full((len(self.gram),), RIDGE, dtype=torch.float64)
        ridge[: self.content] = NONE
        gram = self.gram[:count, :count] + torch.diag(ridge[:count])
        effects: Tensor = torch.linalg.solve(gram, self.cross[:count].double()).float()
        return effects


def centred(states: Tensor) -> Tensor:
    """States (token, d_model) of one picture less their mean, in float32."""
    states = states.float()
    return states - states.mean(0)


def left(shown: Tensor, states: Tensor, effects: Tensor) -> float:
    """The sum of squares of centred states (token, d_model) that the effects (level, d_model) leave."""
    fitted = (shown[:, : len(effects)] @ effects).to(states.device)
    return float((states - fitted).square().sum())
