"""Pictures of Tabletop scenes: a function of the scene alone.

The room comes first, then shadows, then what stands in it from the far side to the near one, so that nearer things
cover farther ones. Furniture is drawn at four times its size and reduced; equal scenes give equal pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from backsight.examples import Picture
from backsight.stimuli import things
from backsight.stimuli.scene import Color
from backsight.stimuli.tabletop_world import THICKNESS, Furniture, Point, TableScene, relation_of

_SCALE = 4
_PROBE = 168  # pixels of the picture on which it is counted how much of a figure shows
Face = tuple[list[Point], float]


@dataclass(frozen=True)
class TabletopPicture(Picture):
    """The lazy picture of a Tabletop scene."""

    scene: TableScene

    @property
    def id(self) -> str:
        return self.scene.id

    @property
    def size(self) -> tuple[int, int]:
        return self.scene.size

    def open(self) -> Image.Image:
        return render(self.scene)


def render(scene: TableScene) -> Image.Image:
    """The picture of a scene, RGB, exactly `scene.size` pixels."""
    canvas = _room(scene)
    _darken(canvas, _furniture_shadow(scene), 0.26)
    if scene.thing.y == 0:
        _darken(canvas, _thing_shadow(scene), 0.42)
    layers, _ = _layers(scene)
    for number, layer in enumerate(layers):
        canvas.paste(layer, (0, 0), layer)
        if number == 1 and scene.thing.y > 0:  # the furniture is there, the thing on it not yet
            _darken(canvas, ImageChops.multiply(_thing_shadow(scene), _top(scene)), 0.42)
    return canvas


def showing(scene: TableScene) -> tuple[float, float]:
    """The shares of the thing and of the furniture that nothing covers, counted on a small picture."""
    layers, at = _layers(TableScene((_PROBE, _PROBE), scene.stage, scene.thing))
    masks = [np.asarray(layer.getchannel("A")) > 127 for layer in layers]
    thing, furniture = masks.pop(at), masks[0] | masks[1]
    over = np.logical_or.reduce(masks[at:]) if masks[at:] else np.zeros_like(thing)
    seen = thing & ~over
    return _share(seen, thing), _share(furniture & ~seen, furniture)


def _share(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> float:
    return float(part.sum() / whole.sum()) if whole.any() else 0.0


def _layers(scene: TableScene) -> tuple[list[Image.Image], int]:
    """The furniture's two halves and the thing as layers of the whole picture, far ones first; the thing's index."""
    furniture = scene.stage.furniture
    relation = relation_of(scene.thing, furniture)
    beyond = relation in ("left", "right") and scene.thing.z > furniture.z
    at = 0 if relation == "behind" or beyond else 1 if relation == "under" else 2
    layers = [_drawn(scene, faces) for faces in _parts(furniture)]
    layers.insert(at, _thing(scene))
    return layers, at


def _thing(scene: TableScene) -> Image.Image:
    box = scene.thing_box
    size = (max(1, round(box.width)), max(1, round(box.height)))
    thing = scene.thing
    drawn = things.sprite(thing.name, thing.color, size, thing.shade, scene.stage.light)
    layer = Image.new("RGBA", scene.size, (0, 0, 0, 0))
    layer.paste(drawn, (round(box.left), round(box.bottom) - size[1]))
    return layer


# Furniture: boxes of wood, of which the faces that the viewer sees are drawn


def _parts(one: Furniture) -> tuple[list[Face], list[Face]]:
    """The faces of a piece of furniture, each with its brightness: those behind a thing under it, and those before."""
    along, across, leg = one.width / 2 - one.leg / 2, one.depth / 2 - one.leg / 2, one.leg / 2
    under = one.height - THICKNESS
    far: list[Face] = []
    near: list[Face] = []
    for x in (-along, along):
        far += _box(one, (x - leg, x + leg), (0.0, under), (across - leg, across + leg))
        near += _box(one, (x - leg, x + leg), (0.0, under), (-across - leg, -across + leg))
    if one.back:
        for x in (-along, along):
            far += _box(one, (x - leg, x + leg), (one.height, one.back), (across - leg, across + leg))
        rise = one.back - one.height
        for low, high in ((0.86, 1.0), (0.5, 0.58)):  # two rails, and room between them to look through
            rail = one.height + low * rise, one.height + high * rise
            far += _box(one, (-along, along), rail, (across - leg / 2, across + leg / 2))
    near += _box(one, (-one.width / 2, one.width / 2), (under, one.height), (-one.depth / 2, one.depth / 2))
    return far, near


def _box(one: Furniture, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float]) -> list[Face]:
    """The faces of an upright box in the furniture's own axes: far sides, then near ones, then the top."""
    corners = [one.point(a, 0, c) for a, c in ((x[0], z[0]), (x[1], z[0]), (x[1], z[1]), (x[0], z[1]))]
    sides: list[tuple[float, Face]] = []
    for start, end in zip(corners, [*corners[1:], corners[0]], strict=True):
        outward = (end[2] - start[2], start[0] - end[0])  # of the corners in this order, seen from above
        shade = 0.8 + 0.12 * outward[0] / max(math.hypot(*outward), 1e-9)
        face = [(start[0], y[0], start[2]), (end[0], y[0], end[2]), (end[0], y[1], end[2]), (start[0], y[1], start[2])]
        sides.append((-(start[2] + end[2]), (face, shade)))
    sides.sort(key=lambda item: item[0])
    return [*(face for _, face in sides), ([(c[0], y[1], c[2]) for c in corners], 1.0)]


def _drawn(scene: TableScene, faces: Sequence[Face]) -> Image.Image:
    """Faces as a layer of the whole picture, drawn at four times their size over the part that they take."""
    outlines = [[scene.pixels(point) for point in face] for face, _ in faces]
    xs, ys = zip(*(point for outline in outlines for point in outline), strict=True)
    left, top = math.floor(min(xs)) - 1, math.floor(min(ys)) - 1
    size = math.ceil(max(xs)) + 2 - left, math.ceil(max(ys)) + 2 - top
    big = Image.new("RGBA", (size[0] * _SCALE, size[1] * _SCALE), (0, 0, 0, 0))
    pen = ImageDraw.Draw(big)
    rim = max(1, round(_SCALE * min(scene.size) / 400))
    for outline, (_, shade) in zip(outlines, faces, strict=True):
        points = [((x - left) * _SCALE, (y - top) * _SCALE) for x, y in outline]
        color = _lit(scene.stage.furniture.color, shade * scene.stage.light)
        pen.polygon(points, fill=(*color, 255))
        pen.line([*points, points[0]], fill=(*_lit(color, 0.72), 255), width=rim, joint="curve")
    layer = Image.new("RGBA", scene.size, (0, 0, 0, 0))
    layer.paste(big.reduce(_SCALE), (left, top))
    return layer


def _lit(color: Color, light: float) -> Color:
    red, green, blue = (min(255, round(c * light)) for c in color)
    return red, green, blue


# Room and light


def _room(scene: TableScene) -> Image.Image:
    stage, (width, height) = scene.stage, scene.size
    canvas = Image.new("RGB", scene.size, _lit(stage.wall, stage.light))
    edge = round(scene.pixels((0.0, 0.0, stage.wall_at))[1])
    pen = ImageDraw.Draw(canvas)
    pen.rectangle((0, edge, width, height), fill=_lit(stage.floor, stage.light))
    board = max(1, round(min(scene.size) * 0.012))
    pen.rectangle((0, edge - board, width, edge), fill=_lit(stage.wall, stage.light * 0.86))
    if stage.texture is not None:
        rng = np.random.default_rng(stage.texture)
        for cells, strength in ((7, 0.05), (60, 0.035)):
            noise = Image.fromarray(rng.integers(0, 256, (cells, cells), dtype=np.uint8), "L")
            noise = noise.resize(scene.size, Image.Resampling.BICUBIC)
            canvas = Image.blend(canvas, Image.merge("RGB", (noise,) * 3), strength)
    return canvas


def _shadow(scene: TableScene, outlines: Sequence[Sequence[Point]], soft: float) -> Image.Image:
    """A soft mask (L) of outlines that lie on floor or board; `soft` is a share of the picture's side."""
    mask = Image.new("L", scene.size, 0)
    pen = ImageDraw.Draw(mask)
    for outline in outlines:
        pen.polygon([scene.pixels(point) for point in outline], fill=255)
    return mask.filter(ImageFilter.GaussianBlur(soft * min(scene.size)))


def _furniture_shadow(scene: TableScene) -> Image.Image:
    one, (sun_x, sun_z) = scene.stage.furniture, scene.stage.sun
    corners = [(a * one.width / 2, c * one.depth / 2) for a, c in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    board = []
    for along, across in corners:
        x, _, z = one.point(along, 0, across)
        board.append((x + sun_x * one.height, 0.0, z + sun_z * one.height))
    return _shadow(scene, [board], 0.012)


def _thing_shadow(scene: TableScene) -> Image.Image:
    """An ellipse from the thing's foot towards where the light does not come from."""
    thing, (sun_x, sun_z) = scene.thing, scene.stage.sun
    foot, length = thing.width * 0.42, thing.height * 0.5
    outlines = []
    for reach in (0.15, 0.5):
        x, z = thing.x + sun_x * length * reach, thing.z + sun_z * length * reach
        ring = [2 * math.pi * k / 40 for k in range(40)]
        outlines.append([(x + foot * math.cos(t), thing.y, z + foot * 0.6 * math.sin(t)) for t in ring])
    return _shadow(scene, outlines, 0.007)


def _top(scene: TableScene) -> Image.Image:
    one = scene.stage.furniture
    corners = [(a * one.width / 2, c * one.depth / 2) for a, c in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    return _shadow(scene, [[one.point(a, one.height, c) for a, c in corners]], 0.0)


def _darken(canvas: Image.Image, mask: Image.Image, strength: float) -> None:
    canvas.paste((18, 16, 24), (0, 0), mask.point([round(v * strength) for v in range(256)]))
