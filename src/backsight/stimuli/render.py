"""Pictures of scenes: a function of the scene alone.

Every figure is drawn once at four times its size, reduced, and pasted at whole pixels, so that equal scenes give
equal pixels on every run. `ScenePicture` is the lazy picture of a scene.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, UnidentifiedImageError

from backsight.errors import DataError
from backsight.examples import Picture
from backsight.pictures import Credit
from backsight.stimuli import object_pictures
from backsight.stimuli.scene import Color, Figure, FigureKind, Scene

_SCALE = 4


class Painter(ABC):
    """What draws a scene's ground and figures in place of the package, as from photographs."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The names of the figures that it can draw."""

    @abstractmethod
    def ground(self, scene: Scene) -> Image.Image:
        """The empty ground of a scene, RGB, of the scene's size, the caller's own."""

    @abstractmethod
    def sprite(self, figure: Figure) -> Image.Image:
        """A figure, RGBA, of the size of its box."""

    @abstractmethod
    def instead(self, name: str, figure: Figure) -> Figure:
        """The figure called `name` to stand where another stands, always the same for these two."""

    @abstractmethod
    def key(self, scene: Scene) -> str:
        """What names the pixels that a scene takes from outside of the package."""

    def credits(self, scene: Scene) -> tuple[Credit, ...]:
        """Whose photographs a scene shows."""
        return ()


Assets = Path | Painter | None  # a folder with object pictures, what draws, or the package's own pictures


@dataclass(frozen=True)
class ScenePicture(Picture):
    """The lazy picture of a scene. `assets` is a folder with object pictures in place of the package's own."""

    scene: Scene
    assets: Assets = None

    @property
    def id(self) -> str:
        if self.assets is None:
            return self.scene.id
        known = self.assets.key(self.scene) if isinstance(self.assets, Painter) else assets_id(self.assets)
        return f"{self.scene.id}-{known}"

    @property
    def credits(self) -> tuple[Credit, ...]:
        return self.assets.credits(self.scene) if isinstance(self.assets, Painter) else ()

    @property
    def size(self) -> tuple[int, int]:
        return self.scene.size

    def open(self) -> Image.Image:
        return render(self.scene, self.assets)


def render(scene: Scene, assets: Assets = None) -> Image.Image:
    """The picture of a scene, RGB, exactly `scene.size` pixels."""
    if isinstance(assets, Painter):
        canvas = assets.ground(scene)
    elif scene.texture is None:
        canvas = Image.new("RGB", scene.size, scene.ground)
    else:
        canvas = _texture(scene.size, scene.texture)
    for figure in scene.figures:
        sprite = assets.sprite(figure) if isinstance(assets, Painter) else _sprite(figure, assets)
        canvas.paste(sprite, (round(figure.box.left), round(figure.box.top)), sprite)
    return canvas


def _sprite(figure: Figure, assets: Path | None) -> Image.Image:
    size = (round(figure.box.width), round(figure.box.height))
    if figure.kind == "picture":
        return _object_sprite(figure.name, size, round(figure.shade, 2), assets)
    return _shape_sprite(figure.kind, figure.color, size)


@lru_cache(maxsize=4096)
def _shape_sprite(kind: FigureKind, color: Color, size: tuple[int, int]) -> Image.Image:
    width, height = size[0] * _SCALE, size[1] * _SCALE
    mask = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(mask)
    if kind == "square":
        draw.rectangle((0, 0, width, height), fill=255)
    elif kind == "circle":
        draw.ellipse((0, 0, width - 1, height - 1), fill=255)
    else:
        draw.polygon([(x * width, y * height) for x, y in _OUTLINES[kind]], fill=255)
    sprite = Image.new("RGBA", size, (*color, 255))
    sprite.putalpha(mask.resize(size, Image.Resampling.BOX))
    return sprite


def _star() -> list[tuple[float, float]]:
    points = []
    for k in range(10):
        radius = 0.5 if k % 2 == 0 else 0.2
        angle = math.pi * k / 5 - math.pi / 2
        points.append((0.5 + radius * math.cos(angle), 0.52 + radius * math.sin(angle)))
    return points


def _heart() -> list[tuple[float, float]]:
    points = []
    for k in range(72):
        t = 2 * math.pi * k / 72
        x = 16 * math.sin(t) ** 3
        y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        points.append((0.5 + x / 34, 0.46 - y / 34))
    return points


_OUTLINES: dict[str, list[tuple[float, float]]] = {
    "triangle": [(0.5, 0.02), (1.0, 0.98), (0.0, 0.98)],
    "star": _star(),
    "cross": [
        (0.33, 0), (0.67, 0), (0.67, 0.33), (1, 0.33), (1, 0.67), (0.67, 0.67),
        (0.67, 1), (0.33, 1), (0.33, 0.67), (0, 0.67), (0, 0.33), (0.33, 0.33),
    ],
    "heart": _heart(),
}  # fmt: skip


@lru_cache(maxsize=4096)
def _object_sprite(name: str, size: tuple[int, int], shade: float, assets: Path | None) -> Image.Image:
    sprite = _asset(name, assets).resize(size, Image.Resampling.LANCZOS)
    if shade:
        pixels = np.asarray(sprite).astype(np.float32)
        goal = 255.0 if shade > 0 else 0.0
        pixels[..., :3] += (goal - pixels[..., :3]) * abs(shade)
        sprite = Image.fromarray(pixels.round().astype(np.uint8), "RGBA")
    return sprite


@lru_cache(maxsize=64)
def _asset(name: str, assets: Path | None) -> Image.Image:
    if assets is None:
        with resources.as_file(resources.files("backsight.stimuli") / "assets" / f"{name}.png") as path:
            return Image.open(path).convert("RGBA")
    path = _asset_path(name, assets)
    try:
        return Image.open(path).convert("RGBA")
    except (OSError, UnidentifiedImageError) as error:
        raise DataError("An object picture cannot be read", where=path, got=error, do="give a PNG file") from error


def _asset_path(name: str, assets: Path) -> Path:
    for ending in ("png", "jpg", "jpeg", "webp"):
        path = assets / f"{name}.{ending}"
        if path.is_file():
            return path
    raise DataError(
        "An object picture is missing", where=assets / f"{name}.png", do="put one picture a name into the folder"
    )


@lru_cache(maxsize=8)
def assets_id(assets: Path) -> str:
    """Hash of the eight pictures in a user's folder of objects; DataError where one is missing."""
    digest = hashlib.sha256()
    for name in object_pictures.NAMES:
        path = _asset_path(name, assets)
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:8]


def _texture(size: tuple[int, int], seed: int) -> Image.Image:
    """Soft coloured noise in two octaves, light enough that figures stand out."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(170, 256, (5, 5, 3), dtype=np.uint8), "RGB").resize(
        size, Image.Resampling.BICUBIC
    )
    fine = Image.fromarray(rng.integers(0, 256, (48, 48, 3), dtype=np.uint8), "RGB").resize(
        size, Image.Resampling.BILINEAR
    )
    return Image.blend(coarse, fine, 0.12)
