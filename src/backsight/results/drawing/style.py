"""One quiet style for all figures, and SVG that comes out the same every time.

Nothing global is changed: the style holds inside `style()` only, and figures are made without pyplot. Text
stays text. It is measured in DejaVu Sans, which matplotlib carries and which is wide, so that a browser's
narrower fonts fit.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart with the common colour blindnesses; markers differ too, for gray print.
BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY = "#0072b2", "#d55e00", "#009e73", "#a6568a", "#b87f00", "#4a9fcf"
INK, SOFT, FAINT, SHADE = "#222222", "#6b6b6b", "#e2e2e2", "#f6e3cf"

WIDTH = 8.8  # inches, of a figure with several columns
NARROW = 4.2  # inches, of a figure for a phone
FONTS = "'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif"
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
    axes.set_title(title, pad=17, fontweight="bold")
    place: dict[str, Any] = {"xycoords": "axes fraction", "xytext": (0, 6), "textcoords": "offset points"}
    axes.annotate(below, (0, 1), color=SOFT, fontsize=7.5, **place)


def suite_title(name: str, titles: Mapping[str, str] | None = None) -> str:
    """What a person calls a suite: `pairs_textured` is "Pairs textured" unless `titles` says otherwise."""
    given = (titles or {}).get(name) or TITLES.get(name)
    return given or (name.replace("_", " ").strip()[:1].upper() + name.replace("_", " ").strip()[1:])


def counted(number: int, noun: str) -> str:
    """A number with its noun: "1 pair", "48 pairs"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def to_svg(figure: Figure, salt: str = "backsight") -> str:
    """The figure as SVG text, the same for the same figure.

    Figures that share a page need different `salt`s, since ids in an SVG are ids of the page.
    """
    from matplotlib.figure import Figure

    buffer = io.StringIO()
    with style(salt):
        Figure.savefig(figure, buffer, format="svg", metadata=NO_METADATA)
    return re.sub(r"font-family: [^;\"]*", f"font-family: {FONTS}", buffer.getvalue())
