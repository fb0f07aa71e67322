"""What stands on, under and beside the furniture of Tabletop: six things drawn here, and the eight object pictures.

Each is painted once, in the way of `object_pictures`, cut out and kept; a scene reduces it to the size at which it
stands there. The six come in several colours.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from importlib import resources

import numpy as np
from PIL import Image

from backsight.stimuli import object_pictures
from backsight.stimuli.object_pictures import OVERSAMPLING, Canvas, mirrored, oval, smooth
from backsight.stimuli.scene import Color

SIDE = 160  # pixels of a painting's longer side, before it is reduced

COLORS: tuple[Color, ...] = (
    (206, 58, 52),
    (48, 104, 196),
    (56, 148, 84),
    (232, 178, 46),
    (138, 84, 176),
    (40, 160, 170),
)


def _lighter(color: Color, by: float) -> Color:
    """A colour moved towards white (by > 0) or black (by < 0), by a share of the way."""
    goal = 255 if by > 0 else 0
    red, green, blue = (round(c + (goal - c) * abs(by)) for c in color)
    return red, green, blue


def _cup(c: Canvas, color: Color) -> None:
    light, dark = _lighter(color, 0.35), _lighter(color, -0.35)
    handle = smooth([(70, 36), (88, 32), (95, 46), (88, 64), (66, 70)], closed=False)
    c.stroke(handle, _lighter(dark, -0.28), 12)
    c.stroke(handle, color, 8)
    side = [(76, 20), (75, 45), (70, 70), *smooth([(69, 74), (63, 84), (41, 87)], closed=False)]
    c.figure(mirrored(side, 41), light, dark, (26, 40, 62), rim=2)
    c.figure(oval(41, 20, 35, 10), _lighter(color, 0.5), color, (30, 18, 40), rim=2)
    c.figure(oval(41, 21.5, 29, 7), (96, 58, 34), (60, 34, 20), (41, 22, 30), rim=1.2)
    c.gleam(22, 50, 6, 20, 0.6)


def _book(c: Canvas, color: Color) -> None:
    light, dark = _lighter(color, 0.2), _lighter(color, -0.3)
    c.figure([(70, 5), (86, 13), (86, 97), (70, 92)], (250, 246, 232), (206, 198, 176), (72, 30, 60), rim=2)
    for x in (74, 78, 82):
        c.stroke([(x, 8 + (x - 70) / 2), (x, 92 + (x - 70) / 3.2)], (190, 180, 156), 0.9)
    c.figure([(14, 8), (72, 3), (72, 94), (14, 97)], light, dark, (32, 26, 84), rim=2.4)
    c.figure([(14, 8), (23, 7.2), (23, 96.5), (14, 97)], dark, _lighter(dark, -0.3), (16, 40, 60), rim=1.2)
    c.figure([(32, 23), (64, 20.6), (64, 44), (32, 45.6)], (252, 244, 220), (236, 224, 190), (44, 30, 40), rim=1.2)
    for y, end in ((29, 60), (35, 60), (40.5, 52)):
        c.stroke([(36, y), (end, y - 1.5)], (96, 84, 70), 2)
    c.stroke([(34, 84), (62, 82.4)], _lighter(color, 0.6), 2.4)


def _bottle(c: Canvas, color: Color) -> None:
    light, dark = _lighter(color, 0.35), _lighter(color, -0.4)
    side = [(57, 14), (57, 30), *smooth([(57, 33), (66, 42), (71, 54)], closed=False), (71, 92), (67, 97)]
    c.figure(mirrored(side), light, dark, (40, 56, 52), rim=2)
    c.figure([(41, 3), (59, 3), (59, 14), (41, 14)], (236, 232, 226), (160, 152, 146), (45, 7, 22), rim=1.8)
    c.figure([(29.4, 58), (70.6, 58), (70.6, 82), (29.4, 82)], (255, 252, 240), (224, 216, 196), (42, 68, 40), rim=1.2)
    c.figure(oval(50, 70, 8), light, dark, (47, 67, 14), rim=1)
    c.stroke([(44, 18), (44, 34)], _lighter(color, 0.7), 2.6)
    c.stroke([(35, 48), (34, 55)], _lighter(color, 0.7), 2.6)


def _bowl(c: Canvas, color: Color) -> None:
    light, dark = _lighter(color, 0.35), _lighter(color, -0.35)
    c.figure([(36, 76), (64, 76), (67, 84), (33, 84)], color, _lighter(dark, -0.1), (42, 78, 30), rim=2)
    side = smooth([(97, 40), (94, 52), (84, 66), (66, 77), (50, 79)], closed=False)
    c.figure(mirrored(side), light, dark, (28, 52, 66), rim=2)
    c.figure(oval(50, 40, 47, 11), _lighter(color, 0.6), color, (36, 36, 60), rim=2)
    c.figure(oval(50, 42, 41, 8), _lighter(dark, -0.1), color, (50, 36, 46), rim=1.2)
    c.stroke(smooth([(12, 58), (32, 69.5), (50, 72), (68, 69.5), (88, 58)], closed=False), _lighter(color, 0.7), 3)
    c.gleam(26, 58, 8, 8, 0.5)


def _ball(c: Canvas, color: Color) -> None:
    white, gray = (252, 252, 250), (196, 200, 206)
    c.figure(oval(50, 50, 46), white, gray, (36, 34, 74), rim=0)
    top = (46.0, 10.0)
    for tone, side in ((color, -1), (_lighter(color, -0.35), 1)):  # two stripes from the pole down to the rim
        near = smooth([top, (50 + side * 11, 34), (50 + side * 14, 62), (50 + side * 11, 94)], closed=False)
        rim = [(50 + side * 45 * math.cos(t / 20), 50 + 45 * math.sin(t / 20)) for t in range(27, 13, -1)]
        far = smooth([rim[-1], (50 + side * 41, 54), (50 + side * 32, 28), top], closed=False)
        c.figure([*near, *rim, *far], _lighter(tone, 0.2), _lighter(tone, -0.25), (38, 34, 70), rim=0)
    c.stroke([*oval(50, 50, 45.4), oval(50, 50, 45.4)[0]], _lighter(color, -0.55), 2.2)
    c.figure(oval(*top, 6, 3.6), white, gray, (45, 9, 8), rim=1.2)
    c.gleam(34, 30, 13, 11, 0.7)


def _lamp(c: Canvas, color: Color) -> None:
    metal, deep = (176, 170, 160), (88, 82, 76)
    c.figure([(47, 44), (53, 44), (53, 88), (47, 88)], metal, deep, (48, 60, 40), rim=1.6)
    c.figure(oval(50, 90, 24, 7), metal, deep, (42, 88, 26), rim=2)
    shade = [(66, 6), (84, 50)]
    c.figure(mirrored(shade), _lighter(color, 0.55), color, (46, 38, 44), rim=2)
    c.figure(oval(50, 50, 34, 6), (255, 246, 196), (250, 220, 120), (50, 50, 34), rim=1.6)
    c.figure(oval(50, 6, 16, 3.4), _lighter(color, 0.3), _lighter(color, -0.3), (50, 6, 18), rim=1.6)
    c.gleam(42, 32, 10, 18, 0.5)


PAINTERS: dict[str, Callable[[Canvas, Color], None]] = {
    "cup": _cup,
    "book": _book,
    "bottle": _bottle,
    "bowl": _bowl,
    "ball": _ball,
    "lamp": _lamp,
}
NAMES: tuple[str, ...] = (*PAINTERS, *object_pictures.NAMES)


@lru_cache(maxsize=256)
def painting(name: str, color: Color | None = None) -> Image.Image:
    """A thing on a transparent ground (RGBA), cut to its outline; `color` is for those that come in several."""
    if name in PAINTERS:
        canvas = Canvas(OVERSAMPLING * SIDE)
        PAINTERS[name](canvas, COLORS[0] if color is None else color)
        image = canvas.image
    else:
        file = resources.files("backsight.stimuli") / "assets" / f"{name}.png"
        with resources.as_file(file) as path, Image.open(path) as stored:
            image = stored.convert("RGBA")
    cut = image.crop(image.getbbox())
    scale = min(1.0, SIDE / max(cut.size))
    return cut.resize((round(cut.width * scale), round(cut.height * scale)), Image.Resampling.LANCZOS)


def outline(name: str) -> tuple[float, float]:
    """Width and height of a thing as shares of its longer side."""
    width, height = painting(name).size
    return round(width / max(width, height), 2), round(height / max(width, height), 2)


@lru_cache(maxsize=64)
def sprite(name: str, color: Color | None, size: tuple[int, int], shade: float, light: float) -> Image.Image:
    """A thing at `size` pixels (RGBA), moved to white or black by `shade` and then dimmed to `light`."""
    small = painting(name, color).resize(size, Image.Resampling.LANCZOS)
    pixels = np.asarray(small).astype(np.float32)
    goal = 255.0 if shade > 0 else 0.0
    pixels[..., :3] += (goal - pixels[..., :3]) * abs(shade)
    pixels[..., :3] = np.clip(pixels[..., :3] * light, 0, 255)
    return Image.fromarray(pixels.round().astype(np.uint8), "RGBA")
