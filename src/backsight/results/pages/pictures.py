"""Figures of a report: written as files, and set into the page.

Each is drawn twice, wide for a desk and in one column for a phone, and the page's style shows the one that
fits. In the page an SVG keeps only the ids that it refers to, since ids of a page must differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from backsight.results.drawing.style import to_svg
from backsight.tables import Table, replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class FigureView:
    """A figure in the page: its anchor, what to read off it, both drawings and the files."""

    anchor: str
    caption: str
    wide: Markup
    narrow: Markup
    files: tuple[tuple[str, str], ...]  # relative address, what it is


def figure(
    folder: Path, name: str, draw: Callable[..., Figure], table: Table, *, label: str, caption: str, **options: Any
) -> FigureView:  # fmt: skip
    """Draw a table by `draw`, write figures/NAME.svg, give both drawings for the page; its anchor is figure-NAME."""
    drawn = to_svg(draw(table, **options), name)
    file = write(folder, name, drawn)
    narrow = to_svg(draw(table, columns=1, **options), f"{name}.narrow")
    files = ((file, "this figure, SVG"),)
    return FigureView(f"figure-{name}", caption, inline(drawn, label), inline(narrow, label), files)


def with_file(view: FigureView, *files: tuple[str, str]) -> FigureView:
    """The figure with links to further files."""
    return replace(view, files=(*view.files, *files))


def write(folder: Path, name: str, svg: str) -> str:
    """Write figures/NAME.svg; its relative address."""
    (folder / "figures").mkdir(exist_ok=True)
    target = folder / "figures" / f"{name}.svg"
    with replacing(target) as path:
        path.write_text(svg, encoding="utf-8")
    return f"figures/{name}.svg"


def inline(svg: str, label: str) -> Markup:
    """The SVG as a part of a page, with a label for those who do not see it."""
    body = svg[svg.index("<svg") :]
    used = set(re.findall(r"url\(#([^)]+)\)", body)) | set(re.findall(r'href="#([^"]+)"', body))
    body = re.sub(r' id="([^"]*)"', lambda match: match[0] if match[1] in used else "", body)
    width = re.search(r'width="([\d.]+)pt"', body)
    natural = f' style="max-width: {float(width[1]) * 1.2:.0f}px"' if width else ""
    return Markup(body.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"{natural}', 1))
