"""Lines of one text that end, or are centred, at one place whatever the browser's font.

Matplotlib sets each line of a text at its left end, as wide as its own font is. A browser's font is narrower, so that
lines that end at one place would not.
"""

from __future__ import annotations

import re
from html import unescape

_TEXT = re.compile(
    r'<text style="(?P<style>[^"]*)" transform="translate\((?P<x>\S+) (?P<y>\S+)\)">(?P<words>[^<]*)</text>'
)
_LINES = re.compile(rf'(?<=">)\s*(?:{re.sub("[?]P<[a-z]+>", "?:", _TEXT.pattern)}\s*){{2,}}(?=</g>)')
NEAR = 0.3  # points


def aligned(svg: str) -> str:
    """The SVG with lines of one text anchored where they end, or at their middle, if that is one place."""
    return _LINES.sub(lambda match: _anchored(match[0]), svg)


def _anchored(lines: str) -> str:
    matches = list(_TEXT.finditer(lines))
    for anchor, part in (("start", 0.0), ("end", 1.0), ("middle", 0.5)):
        places = [float(one["x"]) + part * _wide(one["words"], one["style"]) for one in matches]
        if max(places) - min(places) < NEAR:
            place = f"{places[0]:.6g}"
            return _TEXT.sub(
                lambda one: (
                    f'<text style="{one["style"]}; text-anchor: {anchor}" x="{place}" y="{one["y"]}">'  # noqa: B023
                    f"{one['words']}</text>"
                ),
                lines,
            )
    return lines


def _wide(words: str, style: str) -> float:
    """Points that the words take in the font in which matplotlib measured them."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    size = re.search(r"([\d.]+)px", style)
    weight = "bold" if "bold" in style or " 700" in style else "normal"
    font = FontProperties(size=float(size[1]) if size else 8.5, weight=weight)
    return float(text_to_path.get_text_width_height_descent(unescape(words), font, False)[0])
