"""Drawing scenes of cut-outs: objects on their polygons, and pieces of photographs as ground.

A cut-out is fitted into its figure's box with its proportions kept; its outline is drawn at four times its size and
reduced, for soft edges. Equal scenes of equal photographs give equal pixels.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from backsight.datasets.coco import Photo
from backsight.grid import Box
from backsight.pictures import Credit, FilePicture
from backsight.stimuli.render import Painter
from backsight.stimuli.scene import Figure, Scene

Split = Literal["train", "test"]
SIDE = 256  # pixels of a cut-out's longer side, as it is kept
_SCALE = 4  # a silhouette is drawn so much larger and reduced, for soft edges
Outline = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Cutout:
    """An object in a photograph: its outline in pixels of the photograph, closed from the last point to the first."""

    name: str
    id: int
    photo: int
    path: Path
    outline: Outline


@dataclass(frozen=True)
class CutoutFigure(Figure):
    """A figure that shows the cut-out of an annotation, perhaps as in a mirror, fitted into its box and centred."""

    photo: int = 0
    cutout: int = 0
    mirrored: bool = False


@dataclass(frozen=True)
class Piece:
    """A piece of a photograph without any annotated object, in whole pixels."""

    photo: int
    box: Box


@dataclass(frozen=True)
class CutoutScene(Scene):
    """A scene whose ground is a piece of a photograph, or plain where `piece` is None."""

    piece: Piece | None = None


@dataclass(frozen=True)
class Audit:
    """What a half of a folder holds, and what each rule leaves out, under the first rule that an instance fails."""

    photographs: int
    instances: int
    left_out: Mapping[str, int]
    cutouts: Mapping[str, int]
    pieces: int

    def as_dict(self) -> dict[str, Any]:
        """All counts as plain values, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Cutouts(Painter):
    """The cut-outs of one half of a folder by name, and its empty pieces. Equal where they draw the same."""

    root: Path
    split: Split
    by_name: Mapping[str, tuple[Cutout, ...]]
    pieces: tuple[Piece, ...]
    photos: Mapping[int, Photo]
    audit: Audit

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.by_name)

    def __repr__(self) -> str:
        count = sum(map(len, self.by_name.values()))
        return f"Cutouts({self.split}: {count} of {', '.join(self.names)}; {len(self.pieces)} empty pieces)"

    @property
    def digest(self) -> str:
        """What tells these cut-outs from others that draw anything else: the same wherever the folder stands."""
        return self._all

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cutouts) and self._all == other._all

    def __hash__(self) -> int:
        return hash(self._all)

    @cached_property
    def _all(self) -> str:
        shown = sorted({c.photo for of in self.by_name.values() for c in of} | {p.photo for p in self.pieces})
        outlines = [(c.name, c.id, c.outline) for of in self.by_name.values() for c in of]
        return _digest((self.split, outlines, self.pieces, [self._content(photo) for photo in shown]))

    @cached_property
    def _by_ids(self) -> dict[tuple[int, int], Cutout]:
        return {(cutout.photo, cutout.id): cutout for of in self.by_name.values() for cutout in of}

    def _of(self, figure: Figure) -> Cutout:
        assert isinstance(figure, CutoutFigure)
        return self._by_ids[figure.photo, figure.cutout]

    def _path(self, photo: int) -> Path:
        path = self.photos[photo].path
        assert path is not None
        return path

    def _content(self, photo: int) -> str:
        return _content(self._path(photo))

    def ground(self, scene: Scene) -> Image.Image:
        piece = scene.piece if isinstance(scene, CutoutScene) else None
        if piece is None:
            return Image.new("RGB", scene.size, scene.ground)
        return _piece(self._path(piece.photo), piece.box, scene.size).copy()

    def sprite(self, figure: Figure) -> Image.Image:
        """The cut-out of a figure, as large as fits into the box with its proportions kept, centred."""
        assert isinstance(figure, CutoutFigure)
        size = round(figure.box.width), round(figure.box.height)
        return _sprite(self._of(figure), size, round(figure.shade, 2), figure.mirrored)

    def instead(self, name: str, figure: Figure) -> Figure:
        assert isinstance(figure, CutoutFigure)
        of = self.by_name[name]
        chosen = of[zlib.crc32(f"{name}:{figure.cutout}".encode()) % len(of)]
        return replace(figure, name=name, photo=chosen.photo, cutout=chosen.id)

    def figure(self, name: str, box: Box, rng: np.random.Generator, *, shade: float = 0.0) -> CutoutFigure:
        """A figure of one of a name's cut-outs, drawn by `rng`; half of them as in a mirror."""
        of = self.by_name[name]
        chosen = of[int(rng.integers(len(of)))]
        mirrored = bool(rng.random() < 0.5)
        return CutoutFigure(name, "picture", box, shade=shade, photo=chosen.photo, cutout=chosen.id, mirrored=mirrored)

    def proportions(self, figure: CutoutFigure) -> tuple[float, float]:
        """Width and height of a figure's cut-out as shares of its longer side."""
        width, height = _cut(self._of(figure)).size
        return width / max(width, height), height / max(width, height)

    def _shown(self, scene: Scene) -> list[int]:
        figures = [f.photo for f in scene.figures if isinstance(f, CutoutFigure)]
        piece = scene.piece if isinstance(scene, CutoutScene) else None
        return sorted({*figures, *([piece.photo] if piece is not None else [])})

    def key(self, scene: Scene) -> str:
        """Hash of the photographs that a scene shows, and of the outlines that it cuts."""
        outlines = [self._of(figure).outline for figure in scene.figures]
        return _digest(([self._content(photo) for photo in self._shown(scene)], outlines))[:8]

    def credits(self, scene: Scene) -> tuple[Credit, ...]:
        known = (self.photos[photo].credit for photo in self._shown(scene))
        return tuple(credit for credit in known if credit is not None)


@lru_cache(maxsize=1024)
def _content(path: Path) -> str:
    return FilePicture(path).id


@lru_cache(maxsize=256)
def _piece(path: Path, box: Box, size: tuple[int, int]) -> Image.Image:
    """A piece of a photograph at a size, cut to its proportions from the middle."""
    cut = FilePicture(path).open().crop((round(box.left), round(box.top), round(box.right), round(box.bottom)))
    return ImageOps.fit(cut, size, Image.Resampling.LANCZOS)


@lru_cache(maxsize=1024)
def _cut(cutout: Cutout) -> Image.Image:
    """An object on a transparent ground (RGBA), cut to its outline, its longer side at most 256 px."""
    points = np.array(cutout.outline)
    left, top = (int(n) for n in np.floor(points.min(0)))
    right, bottom = (int(n) for n in np.ceil(points.max(0)))
    mask = Image.new("L", ((right - left) * _SCALE, (bottom - top) * _SCALE), 0)
    corners: NDArray[np.float64] = (points - (left, top)) * _SCALE
    ImageDraw.Draw(mask).polygon([(x, y) for x, y in corners.tolist()], fill=255)
    cut = FilePicture(cutout.path).open().crop((left, top, right, bottom)).convert("RGBA")
    cut.putalpha(mask.resize(cut.size, Image.Resampling.BOX))
    cut = cut.crop(cut.getchannel("A").point(lambda alpha: 255 if alpha >= 128 else 0).getbbox())
    scale = min(1.0, SIDE / max(cut.size))
    size = max(1, round(cut.width * scale)), max(1, round(cut.height * scale))
    return cut if scale == 1 else cut.resize(size, Image.Resampling.LANCZOS)


@lru_cache(maxsize=2048)
def _sprite(cutout: Cutout, size: tuple[int, int], shade: float, mirrored: bool) -> Image.Image:
    """A cut-out fitted into `size` and centred (RGBA), moved to white or black by `shade`."""
    cut = _cut(cutout)
    scale = min(size[0] / cut.width, size[1] / cut.height)
    fitted = max(1, round(cut.width * scale)), max(1, round(cut.height * scale))
    if max(size[0] - fitted[0], size[1] - fitted[1]) <= 1:  # a box of these proportions but for rounding is filled
        fitted = size
    small = cut.resize(fitted, Image.Resampling.LANCZOS, reducing_gap=2.0)
    if mirrored:
        small = ImageOps.mirror(small)
    if shade:
        pixels = np.asarray(small).astype(np.float32)
        pixels[..., :3] += ((255.0 if shade > 0 else 0.0) - pixels[..., :3]) * abs(shade)
        small = Image.fromarray(pixels.round().astype(np.uint8), "RGBA")
    sprite = Image.new("RGBA", size, (0, 0, 0, 0))
    sprite.paste(small, ((size[0] - fitted[0]) // 2, (size[1] - fitted[1]) // 2))
    return sprite


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]
