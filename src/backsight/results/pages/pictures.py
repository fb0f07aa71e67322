"""Figures of a report: written as files, and set into the page.

Each is drawn once. The file has all panels and the legend; the page has each panel by itself, so that as many stand
in a row as there is room for, and the legend as a list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from backsight.results.drawing.style import to_svg
from backsight.results.pages.beside import Later
from backsight.results.pages.cutting import check, cut
from backsight.tables import Table, replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class KeyView:
    """A line of a legend: the mark and its words."""

    mark: Markup
    words: str


@dataclass(frozen=True)
class PanelView:
    """A panel: its heading, the line below it, the drawing, and how wide that is by itself in pixels.

    `suite` is the name of the suite that it is of, empty where it is of none or of several.
    """

    title: str
    below: str
    svg: Markup
    width: float
    suite: str = ""


@dataclass(frozen=True)
class FigureView:
    """A figure in the page: its anchor, what to read off it, its drawing and the files."""

    anchor: str
    caption: str
    drawing: Later[tuple[tuple[PanelView, ...], tuple[KeyView, ...]]]
    files: tuple[tuple[str, str], ...] = ()  # relative address, what it is

    @property
    def panels(self) -> tuple[PanelView, ...]:
        """Its panels, once they are drawn."""
        return self.drawing.result()[0]

    @property
    def legend(self) -> tuple[KeyView, ...]:
        """The lines of its legend, once it is drawn."""
        return self.drawing.result()[1]


def figure(
    folder: Path, name: str, draw: Callable[..., Figure], table: Table, *, label: str, caption: str, **options: object
) -> FigureView:  # fmt: skip
    """Draw a table by `draw`, write figures/NAME.svg and set it into the page; its anchor is figure-NAME."""
    drawing = Later(_drawn, folder, name, draw, table, label, options)
    return FigureView(f"figure-{name}", caption, drawing, ((f"figures/{name}.svg", "this figure, SVG"),))


def view(name: str, svg: str, label: str, caption: str, files: tuple[tuple[str, str], ...]) -> FigureView:
    """The figure of an SVG that is there; `label` says what it shows. ValueError where the text is no SVG."""
    check(svg)
    return FigureView(f"figure-{name}", caption, Later(set_into_page, name, svg, label), files)


def _drawn(
    folder: Path, name: str, draw: Callable[..., Figure], table: Table, label: str, options: Mapping[str, Any]
) -> tuple[tuple[PanelView, ...], tuple[KeyView, ...]]:  # fmt: skip
    svg = to_svg(draw(table, **options), name)
    write(folder, name, svg)
    return set_into_page(name, svg, label, options.get("titles"))


def set_into_page(
    name: str, svg: str, label: str, titles: Mapping[str, str] | None = None
) -> tuple[tuple[PanelView, ...], tuple[KeyView, ...]]:  # fmt: skip
    """The panels and the legend of a figure's SVG; `titles` are those of suites by their names."""
    pieces = cut(svg, name, label)
    panels = tuple(
        PanelView(one.title, one.below, Markup(one.svg), one.width, one.suite or _suite(one.title, titles or {}))
        for one in pieces.panels
    )
    return panels, tuple(KeyView(Markup(one.svg), one.title) for one in pieces.keys)


def _suite(title: str, titles: Mapping[str, str]) -> str:
    """The suite whose title a panel's heading starts with, the longest one that does."""
    starts = [(len(words), name) for name, words in titles.items() if words and _starts(title, words)]
    return max(starts, default=(0, ""))[1]


def _starts(title: str, words: str) -> bool:
    return title == words or title.startswith((f"{words}, ", f"{words}: "))


def write(folder: Path, name: str, svg: str) -> str:
    """Write figures/NAME.svg; its relative address."""
    (folder / "figures").mkdir(exist_ok=True)
    target = folder / "figures" / f"{name}.svg"
    with replacing(target) as path:
        path.write_text(svg, encoding="utf-8")
    return f"figures/{name}.svg"
