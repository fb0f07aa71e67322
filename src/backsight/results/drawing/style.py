"""One quiet style for all figures, and SVG that comes out the same every time.

Nothing global is changed: the style holds inside `style()` only, and figures are made without pyplot. Text
stays text. It is measured in DejaVu Sans, which matplotlib carries and which is wide, so that a browser's
narrower fonts fit.
"""

from __future__ import annotations

import io
import json
import re
import textwrap
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart with the common colour blindnesses; markers differ too, for gray print.
BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY = "#0072b2", "#d55e00", "#009e73", "#a6568a", "#b87f00", "#4a9fcf"
INK, SOFT, FAINT, SHADE = "#222222", "#6b6b6b", "#e2e2e2", "#f6e3cf"
GRAY, QUIET, GROUND = "#9a9a9a", "#f6f6f6", "#ffffff"
REST, DARK = "#d4d4d4", "#111111"  # of bars: the last share, and words and lines on orange, where white is not read

WIDTH = 8.8  # inches, of a figure with several columns
NARROW = 4.2  # inches, of a figure for a phone
PANEL, THIRD = 3.75, 2.75  # inches, of a panel that stands two or three in a row
FONTS = "'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif"
PAD, BELOW = 17, 8  # points above the axes, of a panel's title and of the line under it
BELOW_ID = "below"
TITLES = {  # of suites whose names are not words
    "whatsup_a": "What'sUp A",
    "whatsup_b": "What'sUp B",
    "whatsup_a_captions": "What'sUp A, captions",
    "whatsup_b_captions": "What'sUp B, captions",
    "whatsup_composites": "What'sUp composites",
    "tabletop_a": "Tabletop A",
    "tabletop_b": "Tabletop B",
    "tabletop_a_captions": "Tabletop A, captions",
    "tabletop_b_captions": "Tabletop B, captions",
    "pairs_a": "Pairs, prompt A",
    "pairs_textured_a": "Pairs textured, prompt A",
    "coco_pairs": "COCO-Pairs",
    "coco_boxes": "COCO-Boxes",
    "located": "Boxes of generated things",
    "vsr": "VSR",
    "all": "All suites together",
    "hard": "Hard questions",
}
NO_METADATA: dict[str, None] = {"Date": None, "Creator": None, "Format": None, "Type": None}

_RC: dict[str, Any] = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.facecolor": "white",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Helvetica", "Arial"],
    "font.size": 8.5,
    "text.color": INK,
    "text.usetex": False,
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "axes.edgecolor": SOFT,
    "axes.labelcolor": SOFT,
    "axes.linewidth": 0.6,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": False,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "backsight",
}


def style(salt: str = "backsight") -> AbstractContextManager[None]:
    """The style, as a context; `salt` goes into the ids of an SVG."""
    import matplotlib  # no import of the package needs it, and it takes its time

    settings: Any = {**_RC, "svg.hashsalt": salt}
    return matplotlib.rc_context(settings)


def heading(axes: Axes, title: str, below: str) -> None:
    """A panel's title with a smaller line under it."""
    # A title of which matplotlib knows the height is not moved out of the way of labels, which takes a second layout.
    axes.set_title(title, y=1, pad=PAD, fontweight="bold")
    place: dict[str, Any] = {"xycoords": "axes fraction", "xytext": (0, BELOW), "textcoords": "offset points"}
    axes.annotate(below, (0, 1), color=SOFT, fontsize=7.5, gid=BELOW_ID, **place)


def lift(axes: Axes, lines: int) -> None:
    """Lift a panel's title over further lines under it."""
    axes._set_title_offset_trans(PAD + 9 * lines)  # type: ignore[attr-defined]


def broken(words: str, width: float, room: float) -> str:
    """Words of that width in lines that fit into the room, in one unit; as they are where they do."""
    if width <= room:
        return words
    return textwrap.fill(words, max(12, int(len(words) * room / width)), break_long_words=False)


def suite_title(name: str, titles: Mapping[str, str] | None = None) -> str:
    """What a person calls a suite: `pairs_textured` is "Pairs textured" unless `titles` says otherwise."""
    given = (titles or {}).get(name) or TITLES.get(name)
    return given or (name.replace("_", " ").strip()[:1].upper() + name.replace("_", " ").strip()[1:])


def counted(number: int, noun: str) -> str:
    """A number with its noun: "1 pair", "48 pairs"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def to_svg(figure: Figure, salt: str = "backsight") -> str:
    """The figure as SVG text, the same for the same figure.

    Figures that share a page need different `salt`s, since ids in an SVG are ids of the page. Where the figure knows
    its panels and its legend, `data-panels` and `data-keys` of the SVG say in JSON where they stand, in points.
    """
    from matplotlib.figure import Figure

    from backsight.results.drawing.aligned import aligned

    buffer = io.StringIO()
    with style(salt):
        Figure.savefig(figure, buffer, format="svg", metadata=NO_METADATA)
        drawn = aligned(buffer.getvalue())
    svg = re.sub(r"font-family: [^;\"]*", f"font-family: {FONTS}", drawn)
    return svg.replace("<svg ", f"<svg {_parts(figure)}", 1)


def _parts(figure: Figure) -> str:
    """Where a figure's panels and the marks of its legend stand, as attributes of an SVG; known once it is drawn."""
    slots, words = getattr(figure, "slots", ()), getattr(figure, "keys", ())
    if not slots:
        return ""
    height = 72 * figure.get_figheight()
    keys = []
    for handle, entry in zip(figure.legends[0].legend_handles if figure.legends else (), words, strict=True):
        extent = handle.get_window_extent()  # type: ignore[union-attr]
        keys.append({"words": entry, "middle": [(extent.x0 + extent.x1) / 2, height - (extent.y0 + extent.y1) / 2]})
    panels = [{**vars(slot), "box": slot.box} for slot in slots]
    return "".join(f"data-{name}={quoteattr(_json(of))} " for name, of in (("panels", panels), ("keys", keys)))


def _json(of: Any) -> str:
    return json.dumps(json.loads(json.dumps(of), parse_float=lambda number: round(float(number), 2)))
