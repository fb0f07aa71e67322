"""Scene: a drawn world with exact geometry.

A scene is a value: the size of the picture, a ground and figures with their boxes. The picture is a function of
the scene alone (`render`), and so is its id, so that two equal scenes are one picture everywhere.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Literal

from backsight.grid import Box

Color = tuple[int, int, int]
FigureKind = Literal["square", "circle", "triangle", "star", "cross", "heart", "picture"]

WHITE: Color = (255, 255, 255)


@dataclass(frozen=True)
class Figure:
    """One figure: what it is called, what is drawn, in which colour, and its box in whole pixels.

    `kind` "picture" draws the object picture called `name`, whose colours are its own, shifted by `shade`
    (-1 to 1, darker to lighter). `named` is false for a distractor that no question speaks of.
    """

    name: str
    kind: FigureKind
    box: Box
    color: Color = (0, 0, 0)
    shade: float = 0.0
    named: bool = True


@dataclass(frozen=True)
class Scene:
    """Figures on a ground, later ones over earlier ones. `texture` is a seed for a textured ground, or None."""

    size: tuple[int, int]
    figures: tuple[Figure, ...]
    ground: Color = WHITE
    texture: int | None = None

    @property
    def id(self) -> str:
        """Hash of the whole scene; equal ids are equal pictures."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    @property
    def named(self) -> tuple[Figure, ...]:
        """The figures that questions may speak of."""
        return tuple(f for f in self.figures if f.named)

    def with_figures(self, figures: tuple[Figure, ...]) -> Scene:
        """The same scene with other figures."""
        return replace(self, figures=figures)
