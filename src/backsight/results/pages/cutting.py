"""A figure's SVG cut into its panels and the marks of its legend, each an SVG that stands by itself in a page.

What matplotlib writes is made small on the way: numbers are rounded, styles become attributes, what is not shown goes.
Colours of the palette become classes of figures.css, so that a dark page shows them lighter: `f-ink` fills with ink,
`s-ink` draws lines with it. What stands on a picture keeps its colours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any
from xml.etree import ElementTree

from backsight.results.drawing import style
from backsight.results.pages.webp import repacked

SCALE = 4 / 3  # pixels of the page, a point of the figure: text is of one size on a page
KEY = (22.0, 12.0)  # points, of a mark of the legend
BLOCKS = 128  # pixels; a smaller picture shows each pixel as a block
SIZE = 8.5  # points, of text without a size of its own
COLORS = {
    style.INK: "ink", style.SOFT: "soft", style.FAINT: "faint", style.SHADE: "shade", style.BLUE: "blue",
    style.ORANGE: "orange", style.GREEN: "green", style.PURPLE: "purple", style.AMBER: "amber", style.SKY: "sky",
    style.GRAY: "gray", style.QUIET: "quiet", style.GROUND: "ground",
    style.REST: "rest",
}  # fmt: skip
OTHERS = {style.DARK}
INKS = (style.INK, style.SOFT)
ON = style.GROUND, "on"  # of words on a coloured ground
_LINK = "{http://www.w3.org/1999/xlink}href"
_DEFAULTS = {
    ("stroke-dashoffset", "0"),
    ("stroke-linejoin", "round"),
    ("text-anchor", "start"),
    ("font-size", "8.5px"),
    ("stroke", "none"),
    ("stroke-linecap", "square"),
    ("opacity", "1"),
    ("fill", "none"),
}  # fmt: skip  of the pieces, as `_LOOKS` sets them
_LOOKS = (
    f'font-family="Helvetica,Arial,sans-serif" font-size="{SIZE}" fill="none" stroke-linejoin="round" '
    'stroke-linecap="square"'
)
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_ANY = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
_LEVEL = re.compile(r"^(M\S+ (\S+))L(\S+) \2$")
_LOOK = re.compile(r"[a-z-]+")
_REFERENCE = re.compile(r"#([\w-]+)")


@dataclass(frozen=True)
class Piece:
    """A part of a figure as SVG; `title`, `below` and `suite` are those of a panel, `title` the words of a mark.

    `width` and `height` are in pixels of the page.
    """

    svg: str
    title: str
    below: str = ""
    suite: str = ""
    width: float = 0.0
    height: float = 0.0


@dataclass(frozen=True)
class Pieces:
    """The panels of a figure and the marks of its legend."""

    panels: tuple[Piece, ...]
    keys: tuple[Piece, ...]


def cut(svg: str, name: str, label: str) -> Pieces:
    """The pieces of a figure called `name`; one that does not know its panels is a piece as it is.

    Ids in the pieces start with `name`, which is to be a figure's own on a page. `label` says what the figure shows
    to those who do not see it. ValueError where it is no SVG.
    """
    root = _parsed(svg)
    known = {of: json.loads(root.get(f"data-{of}", "[]")) for of in ("panels", "keys")}
    drawing = _Drawing(root, name)
    panels = [drawing.panel(number, one, label) for number, one in enumerate(known["panels"])]
    plain = any(_colored(drawing.by_id[f"panel-{number}"]) for number in range(len(panels)))
    keys = [drawing.key(number, one, plain=plain) for number, one in enumerate(known["keys"])]
    return Pieces(tuple(panels) or (drawing.whole(label),), tuple(keys))


def whole(svg: str, name: str, label: str) -> Piece:
    """The figure in one piece, in the page's colours. ValueError where it is no SVG."""
    return _Drawing(_parsed(svg), name).whole(label, plain=False)


def check(svg: str) -> None:
    """ValueError where a text is no SVG that could be cut."""
    _parsed(svg)


def _parsed(svg: str) -> ElementTree.Element:
    if "<!ENTITY" in svg:
        raise ValueError("An SVG that defines entities is not read")
    try:
        return ElementTree.fromstring(svg)
    except ElementTree.ParseError as error:
        raise ValueError(f"This is no SVG: {error}") from error


class _Drawing:
    """A parsed SVG: what is referred to by id, and where in the page's ids it stands."""

    def __init__(self, root: ElementTree.Element, name: str) -> None:
        self.root = root
        self.name = re.sub(r"[^\w-]", "-", name)
        self.by_id = {of: one for one in root.iter() if (of := one.get("id"))}
        self.ids: dict[str, str] = {}
        self.prefix = self.name
        self.plain = False

    def panel(self, number: int, of: Mapping[str, Any], label: str) -> Piece:
        title, below = str(of["title"]), str(of["below"])
        group = self.by_id[f"panel-{number}"]
        self._start(f"{self.name}-{number}", plain=_colored(group))
        heading = {f"panel-{number}-title", f"panel-{number}-below"}  # stands in the page as text
        body = "".join(self._markup(one) for one in group if one.get("id") not in heading)
        words = ", ".join(filter(None, (f"{label}: {title}" if title else label, below)))
        box = [float(side) for side in of["box"]]
        svg = self._svg(body, box, f'role="img" aria-label="{escape(words)}"')
        return Piece(svg, title, below, str(of["suite"]), box[2] * SCALE, box[3] * SCALE)

    def key(self, number: int, of: Mapping[str, Any], *, plain: bool) -> Piece:
        group = self.by_id.get(f"key-{number}")
        inked = group is not None and any(ink in one.get("style", "") for one in group.iter() for ink in INKS)
        self._start(f"{self.name}-k{number}", plain=plain and not inked)  # ink is seen on no dark ground
        body = "" if group is None else self._markup(group)
        (x, y), (width, height) = of["middle"], KEY
        box = [x - width / 2, y - height / 2, width, height]
        return Piece(self._svg(body, box, 'aria-hidden="true"'), str(of["words"]))

    def whole(self, label: str, *, plain: bool = True) -> Piece:
        """The drawing in one piece; its own colours stay, on white, where it is `plain`: another package drew it."""
        self._start(self.name, plain=plain)
        body = "".join(self._markup(one) for one in self.root)
        box = [float(side) for side in (self.root.get("viewBox") or "0 0 300 150").split()]
        kind = ' class="plain"' if plain else ""
        svg = self._svg(body, box, f'role="img" aria-label="{escape(label)}"{kind}')
        return Piece(svg, "", "", "", box[2] * SCALE, box[3] * SCALE)

    def _start(self, prefix: str, *, plain: bool) -> None:
        self.ids, self.prefix, self.plain = {}, prefix, plain

    def _svg(self, body: str, box: list[float], attributes: str) -> str:
        """An SVG of that part; what it refers to is in it, since another one may be out of sight."""
        defined, done = "", 0
        while done < len(self.ids):  # what is referred to may refer further
            old, new = list(self.ids.items())[done]
            element = self.by_id.get(old)
            defined += "" if element is None else self._markup(element, identity=new)
            done += 1
        inner = f"<defs>{defined}</defs>{body}" if defined else body
        view = " ".join(map(_short, box))
        size = f'width="{_short(box[2] * SCALE)}" height="{_short(box[3] * SCALE)}"'
        return f'<svg {attributes} viewBox="{view}" {size} {_LOOKS}>{inner}</svg>'

    def _markup(self, element: ElementTree.Element, *, identity: str = "") -> str:
        tag = element.tag.rpartition("}")[2]
        if tag in ("defs", "style", "metadata", "title", "desc", "script", "foreignObject"):
            return ""  # definitions are taken where they are referred to
        if tag == "clipPath" and not identity:
            return ""
        plain, axis = self.plain, (element.get("id") or "").startswith("matplotlib.axis")
        self.plain = plain and not axis  # labels of an axis stand beside the picture
        inner = "".join(self._markup(one) for one in element)
        attributes = self._attributes(element, tag, identity)
        self.plain = plain
        words = escape(element.text or "", quote=False) if tag == "text" else ""
        if tag == "g" and (not inner or not attributes):
            return inner
        if not inner and not words:
            return f"<{tag}{attributes}/>"
        return f"<{tag}{attributes}>{words}{inner}</{tag}>"

    def _attributes(self, element: ElementTree.Element, tag: str, identity: str) -> str:
        given = [f' id="{identity}"'] if identity else []
        colors = []
        drawn = dict(_styles(self._marker(element).get("style", ""))) if tag == "use" else {}
        for key, value in self._looks(element, drawn):
            name = COLORS.get(value) if key in ("fill", "stroke") and not self.plain else None
            if name is None:
                given.append(f' {key}="{escape(value)}"')
            else:
                colors.append(f"{key[0]}-{ON[1] if tag == 'text' and value == ON[0] else name}")
        if colors:
            given.append(f' class="{" ".join(colors)}"')
        return "".join(given)

    def _looks(self, element: ElementTree.Element, drawn: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """The attributes of an element, those of its style among them but for what `drawn` has of its own."""
        for key, value in element.attrib.items():
            if key in ("d", "x", "y", "width", "height", "fill", "patternUnits"):
                yield key, _rounded(value)
            elif key == "transform":
                if turned := _transform(value):
                    yield key, turned
            elif key == _LINK or key == "href":
                yield "href", self._linked(value)
            elif key == "clip-path" and not self._inside(element, value):
                yield key, self._referred(value)
        looks = dict(_styles(element.get("style", "")))
        if "stroke-dasharray" in looks:
            looks.setdefault("stroke-linecap", "butt")
        if looks.get("fill-opacity") == "0":
            looks = {key: value for key, value in looks.items() if not key.startswith("fill")}
        elif looks and "fill" not in looks and element.tag.endswith(("}text", "}use")):
            looks["fill"] = "#000000"
        for key, value in looks.items():
            if not _LOOK.fullmatch(key) or key == "font-family" or key in drawn or (key, value) in _DEFAULTS:
                continue
            if key != "image-rendering":
                yield key, self._referred(value) if key in ("fill", "stroke") else _rounded(value)
            elif value == "pixelated" and float(element.get("width", 0)) < BLOCKS:
                yield "style", f"{key}:{value}"

    def _inside(self, element: ElementTree.Element, clip: str) -> bool:
        """Whether a path lies wholly within what it is clipped by, so that the clip changes nothing."""
        reference = _REFERENCE.search(clip)
        within = None if reference is None else self.by_id.get(reference[1])
        rectangle = None if within is None else within.find("{*}rect")
        path = element.get("d")
        if rectangle is None or not path or "A" in path:
            return False
        left, top, width, height = (float(rectangle.get(side, 0)) for side in ("x", "y", "width", "height"))
        numbers = [float(one) for one in _ANY.findall(path)]
        return (
            left - 0.5 <= min(numbers[::2]) and max(numbers[::2]) <= left + width + 0.5
            and top - 0.5 <= min(numbers[1::2]) and max(numbers[1::2]) <= top + height + 0.5
        )  # fmt: skip

    def _marker(self, element: ElementTree.Element) -> ElementTree.Element:
        return self.by_id.get((element.get(_LINK) or "").removeprefix("#"), element)

    def _linked(self, value: str) -> str:
        if value.startswith("#"):
            return f"#{self._named(value[1:])}"
        if not value.startswith("data:image/"):
            return ""
        try:
            return repacked(value)
        except (OSError, ValueError):  # no picture: its place stays empty
            return ""

    def _referred(self, value: str) -> str:
        """A value with the page's ids in it, if it refers to any."""
        return _REFERENCE.sub(lambda match: f"#{self._named(match[1])}", value) if value.startswith("url(") else value

    def _named(self, old: str) -> str:
        return self.ids.setdefault(old, f"{self.prefix}-{len(self.ids)}")


def _colored(group: ElementTree.Element) -> bool:
    """Whether a panel holds a picture, or colours that stand for numbers: what stands on these keeps its colour."""
    looks = (value for one in group.iter() for _, value in _styles(one.get("style", "")) if value.startswith("#"))
    return group.find(".//{*}image") is not None or any(color not in COLORS and color not in OTHERS for color in looks)


def _styles(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split(";"):
        key, colon, value = part.partition(":")
        if colon:
            yield key.strip(), value.strip()


def _rounded(text: str) -> str:
    """Text with its numbers rounded to a hundredth, and no space that is not needed."""
    short = " ".join(_NUMBER.sub(lambda match: _short(float(match[0])), text).split())
    return _LEVEL.sub(r"\1H\3", re.sub(r" ?([MLCQzZ]) ?", r"\1", short))


def _short(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".").replace("-0.", "-.").removeprefix("0") or "0"


def _digits(number: re.Match[str]) -> str:
    """A number of a transform, of which a small one is a factor."""
    value = float(number[0])
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.5g}"


def _transform(text: str) -> str:
    return "" if text.startswith("rotate(-0 ") else " ".join(_NUMBER.sub(_digits, text).split())
