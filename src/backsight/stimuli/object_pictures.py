"""The eight pictures of the Objects suite, drawn from simple figures so that the package owns them.

Each object is one small function that paints discs, smooth outlines and strokes on a square of
100 x 100 units (x to the right, y downwards); what it painted is then cut out, centred and reduced.
The package loads the stored copies in ``assets``: ``python -m backsight.stimuli.object_pictures DIR``
rewrites them.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw

NAMES: tuple[str, ...] = ("orange", "apple", "pot", "bell", "hat", "rose", "key", "bomb")

FILL = 0.92  # share of the square's side that the object's longer side takes
OVERSAMPLING = 4

Point = tuple[float, float]
Colour = tuple[int, int, int]

LEAF: Colour = (98, 178, 62)
LEAF_DARK: Colour = (30, 96, 38)
STALK: Colour = (104, 66, 34)


def oval(cx: float, cy: float, rx: float, ry: float | None = None, turn: float = 0.0) -> list[Point]:
    """Points round an ellipse whose first axis is turned by `turn` degrees."""
    ry = rx if ry is None else ry
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    angles = [2 * math.pi * i / 120 for i in range(120)]
    ring = [(rx * math.cos(a), ry * math.sin(a)) for a in angles]
    return [(cx + x * c - y * s, cy + x * s + y * c) for x, y in ring]


def smooth(points: Sequence[Point], closed: bool = True) -> list[Point]:
    """A Catmull-Rom curve through the points."""
    n = len(points)
    out: list[Point] = []
    for i in range(n if closed else n - 1):
        ids = [(j % n) if closed else min(max(j, 0), n - 1) for j in range(i - 1, i + 3)]
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = (points[j] for j in ids)
        for step in range(16):
            t = step / 16
            wa, wb = -t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3
            wc, wd = t + 4 * t**2 - 3 * t**3, t**3 - t**2
            x, y = wa * ax + wb * bx + wc * cx + wd * dx, wa * ay + wb * by + wc * cy + wd * dy
            out.append((x / 2, y / 2))
    return out if closed else [*out, points[-1]]


def mirrored(right: Sequence[Point], axis: float = 50.0) -> list[Point]:
    """The right half of an outline, top to bottom, closed by its mirror image."""
    return [*right, *((2 * axis - x, y) for x, y in reversed(right))]


class Canvas:
    """A square of 100 x 100 units on which shaded figures and strokes are laid one over another."""

    def __init__(self, size: int) -> None:
        self.scale = size / 100
        self.image = Image.new("RGBA", (size, size), (0, 0, 0, 0))

    def _px(self, points: Sequence[Point]) -> list[Point]:
        return [(x * self.scale, y * self.scale) for x, y in points]

    def _ramp(self, cx: float, cy: float, rx: float, ry: float) -> Image.Image:
        """0 at (cx, cy), growing to 255 on and outside the ellipse with these radii."""
        k = self.scale
        ramp = Image.new("L", self.image.size, 255)
        disc = Image.radial_gradient("L").point([min(255, round(v * math.sqrt(2))) for v in range(256)])
        spot = disc.resize((max(1, round(2 * rx * k)), max(1, round(2 * ry * k))), Image.Resampling.BICUBIC)
        ramp.paste(spot, (round((cx - rx) * k), round((cy - ry) * k)))
        return ramp

    def figure(
        self,
        outline: Sequence[Point],
        light: Colour,
        dark: Colour,
        focus: tuple[float, float, float],
        rim: float = 1.8,
        hole: Sequence[Point] = (),
    ) -> None:
        """Fill an outline, light at the focus (x, y, radius) and dark at its radius, with a dark rim."""
        mask = Image.new("L", self.image.size, 0)
        pen = ImageDraw.Draw(mask)
        pen.polygon(self._px(outline), fill=255)
        if hole:
            pen.polygon(self._px(hole), fill=0)
        x, y, r = focus
        deep, bright = (Image.new("RGB", mask.size, colour) for colour in (dark, light))
        shade = Image.composite(deep, bright, self._ramp(x, y, r, r))
        self.image.paste(shade, (0, 0), mask)
        edge = (int(dark[0] * 0.72), int(dark[1] * 0.72), int(dark[2] * 0.72))
        for ring in (outline, hole):
            if ring and rim > 0:
                self.stroke([*ring, ring[0]], edge, rim)

    def stroke(self, points: Sequence[Point], colour: Colour, width: float) -> None:
        """A line of even width with round ends and corners."""
        pen = ImageDraw.Draw(self.image)
        line = self._px(points)
        thick = max(1, round(width * self.scale))
        half = (thick - 1) / 2
        pen.line(line, fill=(*colour, 255), width=thick)
        for x, y in line:
            pen.ellipse((x - half, y - half, x + half, y + half), fill=(*colour, 255))

    def gleam(self, cx: float, cy: float, rx: float, ry: float, strength: float) -> None:
        """A soft white highlight, strongest in its middle."""
        alpha = self._ramp(cx, cy, rx, ry).point([round((255 - v) * strength) for v in range(256)])
        white = Image.new("RGBA", self.image.size, (255, 255, 255, 0))
        white.putalpha(alpha)
        self.image.alpha_composite(white)

    def leaf(self, base: Point, tip: Point, width: float) -> None:
        """A pointed leaf with its vein."""
        (ax, ay), (bx, by) = base, tip
        dx, dy = bx - ax, by - ay
        nx, ny = -dy / math.hypot(dx, dy), dx / math.hypot(dx, dy)
        steps = [i / 30 for i in range(31)]
        bulge = [width / 2 * math.sin(math.pi * t**0.85) for t in steps]
        one = [(ax + dx * t + nx * b, ay + dy * t + ny * b) for t, b in zip(steps, bulge, strict=True)]
        two = [(ax + dx * t - nx * b, ay + dy * t - ny * b) for t, b in zip(steps, bulge, strict=True)]
        focus = (ax + 0.6 * dx, ay + 0.6 * dy, math.hypot(dx, dy) * 0.8)
        self.figure([*one, *reversed(two)], LEAF, LEAF_DARK, focus, rim=1.2)
        self.stroke([base, (ax + 0.8 * dx, ay + 0.8 * dy)], LEAF_DARK, 1.2)


def _orange(c: Canvas) -> None:
    c.figure(oval(50, 56, 40, 39), (255, 178, 40), (232, 100, 0), (38, 42, 66))
    for i in range(8, 150):  # dimples, on a sunflower spiral
        r, a = 37 * math.sqrt(i / 150), i * 2.39996
        x, y = 50 + r * math.cos(a), 57 + r * math.sin(a) * 0.97
        c.stroke([(x, y), (x + 0.1, y)], (226, 112, 4), 1.7)
        c.stroke([(x + 0.6, y + 0.7), (x + 0.7, y + 0.7)], (255, 190, 74), 0.9)
    c.gleam(36, 42, 17, 14, 0.55)
    c.leaf((51, 22), (79, 8), 15)
    for turn in range(0, 360, 72):
        a = math.radians(turn)
        c.stroke([(50, 23), (50 + 6 * math.cos(a), 23 + 3.4 * math.sin(a))], LEAF_DARK, 2.6)
    c.stroke([(50, 23), (49, 18)], (70, 110, 40), 4)


def _apple(c: Canvas) -> None:
    half = [(58, 26), (70, 24), (83, 30), (89, 45), (86, 64), (77, 82), (65, 93), (57, 94)]
    outline = smooth([(50, 31), *half, (50, 91), *((100 - x, y) for x, y in reversed(half))])
    c.figure(outline, (244, 62, 52), (164, 8, 22), (38, 48, 62), rim=2)
    c.figure(oval(50, 32, 12, 4), (120, 6, 18), (168, 16, 26), (50, 33, 12), rim=0)
    c.gleam(29, 46, 11, 17, 0.75)
    c.stroke(smooth([(50, 33), (50.5, 22), (46, 9)], closed=False), STALK, 5)
    c.leaf((51, 21), (82, 7), 17)


def _pot(c: Canvas) -> None:
    steel, deep = (164, 192, 214), (62, 92, 124)
    for side in (-1, 1):
        loop = [(50 + side * x, y) for x, y in ((34, 46), (45, 45), (46.5, 51), (45, 57), (34, 57))]
        c.stroke(smooth(loop, closed=False), (34, 48, 66), 6)
    body = [(86, 38), (86, 72), *smooth([(86, 74), (84, 83), (76, 88)], closed=False)]
    c.figure(mirrored(body), steel, deep, (36, 56, 52), rim=2)
    for x, width, tone in ((24, 5, (214, 230, 242)), (33, 2, (200, 220, 236))):
        c.stroke([(x, 48), (x, 77)], tone, width)
    dome = smooth([(50, 17), (66, 19), (79, 26), (86, 37)], closed=False)
    c.figure(mirrored(dome), (188, 212, 230), deep, (38, 25, 46), rim=2)
    bar = mirrored([(89, 35.5), (90.5, 38.5), (89, 41.5)])
    c.figure(bar, (206, 222, 236), (88, 120, 152), (34, 38, 54), rim=1.6)
    c.stroke([(50, 17), (50, 14)], (34, 48, 66), 7)
    c.figure(oval(50, 11, 8, 5), (84, 104, 128), (34, 48, 66), (47, 9, 9), rim=1)


def _bell(c: Canvas) -> None:
    c.stroke(oval(50, 11, 6.5), (150, 96, 6), 5)
    c.figure(oval(50, 88, 9.5), (236, 172, 40), (128, 76, 4), (47, 85, 12))
    side = [(50, 15), (60, 17), (68, 25), (72, 39), (74.5, 56), (80, 68), (90, 77)]
    c.figure(mirrored(smooth(side, closed=False)), (255, 222, 84), (204, 134, 8), (40, 42, 56), rim=2)
    c.stroke(smooth([(25, 60), (50, 64), (75, 60)], closed=False), (180, 112, 6), 2.4)
    c.figure(oval(50, 78, 40.5, 6.5), (255, 214, 72), (196, 122, 6), (38, 77, 50), rim=2)
    c.gleam(38, 39, 7, 22, 0.8)


def _hat(c: Canvas) -> None:
    light, deep = (160, 104, 214), (82, 36, 138)
    c.figure(oval(50, 69, 47, 15), light, deep, (36, 64, 52), rim=2)
    crown = smooth([(22, 68), (24, 48), (29, 30), (38, 24), (50, 29), (62, 24), (71, 30), (76, 48), (78, 68), (50, 75)])
    c.figure(crown, (178, 124, 230), deep, (38, 40, 44), rim=2)
    top = smooth([(23, 53), (50, 60), (77, 53)], closed=False)
    bottom = smooth([(78, 67), (50, 74.5), (22, 67)], closed=False)
    c.figure([*top, *bottom], (255, 226, 120), (236, 176, 50), (40, 62, 40), rim=1.4)
    c.stroke(smooth([(41, 30), (50, 37), (59, 30)], closed=False), deep, 2)
    c.gleam(35, 40, 7, 12, 0.45)


def _rose(c: Canvas) -> None:
    c.stroke(smooth([(50, 50), (51, 74), (48, 97)], closed=False), (30, 96, 38), 6)
    c.stroke(smooth([(49.5, 50), (50.2, 74), (47.4, 97)], closed=False), (78, 152, 56), 2.4)
    c.leaf((50, 84), (82, 66), 17)
    c.leaf((50, 92), (16, 74), 17)
    for turn in (35.0, 90.0, 145.0):
        a = math.radians(turn)
        c.leaf((50, 50), (50 + 27 * math.cos(a), 46 + 25 * math.sin(a)), 12)
    rings = ((17, 17, 5, 18.0, 0), (12, 12.5, 5, 54.0, 18), (6.5, 9, 3, 20.0, 36))
    for away, size, count, start, lift in rings:  # petals, from the outermost ring inwards
        light, deep = (255, 126 + lift // 2, 168), (206 - lift, 24, 86 - lift // 2)
        for turn in (start + 360 * i / count for i in range(count)):
            x, y = 50 + away * math.cos(math.radians(turn)), 33 + away * math.sin(math.radians(turn))
            out = (x + 0.5 * (x - 50), y + 0.5 * (y - 33), size * 1.9)
            c.figure(oval(x, y, size * 0.86, size, turn), light, deep, out, rim=1.5)
    c.figure(oval(50, 33, 8), (238, 84, 132), (170, 10, 60), (50, 31, 12), rim=1.5)
    spiral = [(50 + i / 14 * math.cos(i / 7), 33 + i / 14 * math.sin(i / 7)) for i in range(92)]
    c.stroke(spiral, (112, 4, 42), 1.8)


def _key(c: Canvas) -> None:
    def turned(points: Sequence[Point]) -> list[Point]:  # drawn upright, laid along the diagonal
        h = 0.85 * math.sqrt(0.5)
        return [(50 + (x - 50) * h + (y - 50) * h, 50 - (x - 50) * h + (y - 50) * h) for x, y in points]

    light, deep = (226, 160, 92), (130, 72, 26)
    blade = [(42.5, 30), (57.5, 30), (57.5, 76), (76, 76), (76, 86), (67, 86), (67, 91), (76, 91), (76, 100)]
    blade += [(57.5, 100), (57.5, 106), (42.5, 106)]
    c.figure(turned(blade), light, deep, (60, 58, 62), rim=2.2)
    c.stroke(turned([(47, 42), (47, 102)]), (244, 196, 136), 2)
    collar = [(37, 37), (63, 37), (63, 46), (37, 46)]
    c.figure(turned(collar), light, deep, (38, 36, 20), rim=2.2)
    bow, eye = turned(oval(50, 15, 25, 25)), turned(oval(50, 15, 12.5, 12.5))
    c.figure(bow, light, deep, (18, 16, 44), rim=2.2, hole=eye)
    c.stroke(turned(oval(50, 15, 19.5))[42:76], (246, 204, 148), 2.6)


def _bomb(c: Canvas) -> None:
    c.stroke(smooth([(64, 34), (70, 22), (79, 18), (86, 20)], closed=False), (176, 132, 80), 4.5)
    c.figure([(53, 33), (64, 23), (77, 36), (66, 47)], (112, 112, 120), (36, 36, 42), (60, 32, 18), rim=2)
    c.figure(oval(42, 61, 36), (84, 86, 96), (14, 14, 18), (30, 47, 46), rim=2)
    c.gleam(28, 46, 12, 10, 0.8)
    for outer, inner, colour in ((14, 6.5, (236, 74, 20)), (9.5, 4.5, (255, 206, 40))):
        star = []
        for i in range(16):
            r, a = (outer if i % 2 == 0 else inner), math.pi * i / 8
            star.append((84 + r * math.cos(a), 19 + r * math.sin(a)))
        c.figure(star, colour, colour, (84, 19, 10), rim=0)
    c.figure(oval(84, 19, 3), (255, 255, 230), (255, 250, 190), (84, 19, 3), rim=0)


_PAINTERS: dict[str, Callable[[Canvas], None]] = {
    "orange": _orange,
    "apple": _apple,
    "pot": _pot,
    "bell": _bell,
    "hat": _hat,
    "rose": _rose,
    "key": _key,
    "bomb": _bomb,
}


def draw(name: str, side: int = 256) -> Image.Image:
    """The named object on a transparent square (RGBA, side x side), centred."""
    if name not in _PAINTERS:
        raise ValueError(f"unknown object {name!r}; known: {', '.join(NAMES)}")
    canvas = Canvas(OVERSAMPLING * side)
    _PAINTERS[name](canvas)
    cut = canvas.image.crop(canvas.image.getbbox())
    ratio = FILL * side / max(cut.size)
    width, height = (max(1, round(length * ratio)) for length in cut.size)
    small = cut.resize((width, height), Image.Resampling.LANCZOS)
    tones = [round(v / 5) * 5 for v in range(256)]  # 52 tones a channel: small files
    small = small.point([*tones * 3, *range(256)])
    square = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    square.paste(small, ((side - width) // 2, (side - height) // 2))
    return square


def main(folder: Path) -> None:
    """Write every picture to `folder` as a PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        draw(name).save(folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m backsight.stimuli.object_pictures DIR")
    main(Path(sys.argv[1]))
