"""The diagram of the path: stages from left to right, what happens at each of their layers from above to below.

One drawing in inches, so that all of it is where it is said to be: `layout` has the places.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from backsight.results.drawing import style
from backsight.results.path.facts import PathFacts
from backsight.results.path.lanes import EMBEDS, LAYER, VISION, Bar, Lane, Place
from backsight.results.path.layout import LEFT, PHONE, WIDE, Layout, Span
from backsight.results.path.verdict import PathwayOutcome
from backsight.results.path.words import LABELS, SCALE, agreement, where

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ENDS = (-0.25, 1.25)  # of a pathway's scale, on which 0 is chance and 1 is nothing lost; what lies beyond is cut off
SMALL = 8.0  # points, of all words but the title
COLORS = {"readable": style.BLUE, "flips": style.BLUE, "ordinal": style.ORANGE}  # image tokens, the last token
GAP = 0.16  # of a layer's width, between two bars
MANY = 40  # layers, from which on intervals of single bars are not drawn
TICK = 0.22  # inches from number to number below the bars
MARKS = {"suffices": "full", "does not suffice": "none"}


def draw(facts: PathFacts, *, columns: int | None = None) -> Figure:
    """The diagram of a study's path; `columns` is 1 for a phone."""
    from backsight.results.drawing import canvas

    place = PHONE if columns == 1 else WIDE
    with style.style():
        figure = canvas.QuietFigure(figsize=(place.width, place.height))
        axis = figure.add_axes((0, 0, 1, 1))
        axis.set(xlim=(0, place.width), ylim=(0, place.height))
        axis.set_axis_off()
        _title(axis, facts, place)
        _stages(axis, facts, place)
        _pathways(axis, facts, place)
        for row, lane in zip(place.rows[1:], facts.lanes, strict=True):
            _lane(axis, lane, facts, place, row)
        _tokens(axis, place)
        _ticks(axis, facts, place)
        return figure


def _write(axis: Axes, x: float, y: float, words: str, **looks: Any) -> None:
    every: dict[str, Any] = {"fontsize": SMALL, "va": "center", "ha": "left"}
    axis.text(x, y, words, **(every | looks))


def _title(axis: Axes, facts: PathFacts, place: Layout) -> None:
    """Where position comes from; below it the model, the suite, and how many questions that rests on."""
    asked = facts.verdict.questions
    beside = "; ".join(filter(None, (style.counted(asked, "question") if asked else "", agreement(*facts.same))))
    about = facts.title + (f" ({beside})" if beside else "")
    name = facts.model if len(facts.model) <= 32 else f"...{facts.model[-30:]}"
    words = textwrap.fill(facts.verdict.headline, place.letters)
    size = 10.5 if place.beside else 9.5
    _write(axis, LEFT, place.title, words, fontsize=size, fontweight="bold", va="top")
    below = place.title - 1.22 * size / 72 * (words.count("\n") + 1) - 0.03
    _write(axis, LEFT, below, ", ".join(filter(None, (name, about))), color=style.SOFT, va="top")


def _stages(axis: Axes, facts: PathFacts, place: Layout) -> None:
    """The stages' names and the way between them; dark where the pathway suffices by itself, dashed where unknown."""
    words = ("Projector", "Proj.") if facts.projector else ("Embeddings", "Emb.")
    names = {
        place.vision: ("Vision encoder", facts.verdict.vision),
        place.projector: (words[0] if place.beside else words[1], None),
        place.language: ("Language model", facts.verdict.language),
    }
    for span, (name, one) in names.items():
        known = one is None or one.outcome in MARKS
        full = one is not None and MARKS.get(one.outcome) == "full"
        line = "-" if known else (0, (3, 2))
        looks = {"edgecolor": style.INK if full else style.SOFT, "linewidth": 0.9, "linestyle": line}
        fill = style.INK if full else "white"
        _box(axis, span.left, place.stages - 0.12, span.width, 0.24, fill, **looks)
        color = "white" if full else style.INK
        _write(axis, span.middle, place.stages, name, ha="center", fontweight="bold", color=color)
    for start, end in ((place.vision, place.projector), (place.projector, place.language)):
        _arrow(axis, start.right + 0.03, end.left - 0.03, place.stages)
    if place.beside:
        _write(axis, place.vision.left - 0.36, place.stages, "Picture", ha="right", color=style.SOFT)
        _arrow(axis, place.vision.left - 0.32, place.vision.left - 0.03, place.stages)
    answer = place.tokens if place.beside else place.tokens - 0.02
    _arrow(axis, place.language.right + 0.03, answer - 0.04, place.stages)
    _write(axis, answer, place.stages, "Answer", color=style.SOFT)


def _box(axis: Axes, x: float, y: float, width: float, height: float, color: str, **looks: Any) -> None:
    from matplotlib.patches import Rectangle

    every: dict[str, Any] = {"facecolor": color, "linewidth": 0, "zorder": 0}
    axis.add_patch(Rectangle((x, y), width, height, **(every | looks)))


def _arrow(axis: Axes, start: float, end: float, y: float) -> None:
    look = {"arrowstyle": "-|>", "color": style.SOFT, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 6}
    axis.annotate("", (end, y), (start, y), arrowprops=look)


def _pathways(axis: Axes, facts: PathFacts, place: Layout) -> None:
    row = place.rows[0]
    y = row + (0.26 if place.beside else 0.56)
    _label(axis, place, y, ("Pathway by itself",) * 2, SCALE, "")
    for name, span in (("vision", place.vision), ("language", place.language)):
        _meter(axis, facts.verdict.pathways[name], span, row)


def _label(axis: Axes, place: Layout, y: float, labels: tuple[str, str], below: str, more: str) -> None:
    """What a row is and what it shows: two or three lines about `y` beside it, or one above it at `y`.

    `more` is left out where it does not fit.
    """
    both = ", ".join(filter(None, (below, more)))
    if not place.beside:
        line = f"{labels[1]}: {both}"
        _write(axis, LEFT, y, line if len(line) <= place.words else f"{labels[1]}: {below}")
        return
    lines = textwrap.wrap(both, place.words)
    lines = lines if len(lines) <= 2 else textwrap.wrap(below, place.words)
    _write(axis, LEFT, y + 0.07 * len(lines), labels[0], fontweight="bold")
    for number, words in enumerate(lines):
        _write(axis, LEFT, y + 0.07 * len(lines) - 0.14 * (number + 1), words, color=style.SOFT)


def _meter(axis: Axes, one: PathwayOutcome, span: Span, row: float) -> None:
    """A share on a scale from chance to nothing lost, its interval, and what follows."""
    y = row + 0.1

    def at(share: float) -> float:
        return span.left + span.width * (min(max(share, ENDS[0]), ENDS[1]) - ENDS[0]) / (ENDS[1] - ENDS[0])

    share = "" if one.share is None else str(one.share)
    _write(axis, span.left, row + 0.4, one.outcome, fontweight="bold")
    _write(axis, span.left, row + 0.26, share)
    if one.share is None:
        return
    axis.plot([at(0), at(1)], [y, y], color=style.FAINT, linewidth=4, solid_capstyle="butt", zorder=1)
    axis.plot([at(0)] * 2, [y - 0.08, y + 0.08], color=style.SOFT, linewidth=0.9, linestyle=(0, (2, 1.5)), zorder=2)
    axis.plot([at(one.share.low), at(one.share.high)], [y, y], color=style.INK, linewidth=1.3, zorder=2)
    face = style.INK if MARKS.get(one.outcome) == "full" else "white"
    marker: dict[str, Any] = {"marker": "o", "markersize": 5.5, "markeredgecolor": style.INK, "markerfacecolor": face}
    axis.plot([at(one.share.value)], [y], linestyle="none", zorder=3, **marker)


def _lane(axis: Axes, lane: Lane, facts: PathFacts, place: Layout, row: float) -> None:
    """A row of bars, each stage on its ground; or why there are none."""
    other = f"{lane.title}: " if lane.suite not in ("", facts.suite) else ""
    phrase = f"{other}{where(lane, short=not place.beside)}"
    y = row + (place.track / 2 if place.beside else place.track + place.above)
    _label(axis, place, y, LABELS[lane.kind], phrase, agreement(lane.same, lane.suites))
    stages = {_stage(bar.place, place) for bar in lane.bars}
    for span in stages or {place.language}:
        _box(axis, span.left, row, span.width, place.track, style.QUIET)
        axis.plot([span.left, span.right], [row, row], color=style.FAINT, linewidth=1, zorder=0.5)
        if lane.null is not None:
            y = row + lane.null * place.track
            looks: dict[str, Any] = {"color": style.SOFT, "linewidth": 0.8, "linestyle": (0, (3, 2)), "zorder": 3}
            axis.plot([span.left, span.right], [y, y], **looks)
    if not lane.bars:
        _write(axis, place.language.middle, row + place.track / 2, where(lane), color=style.SOFT, ha="center")
    for bar in lane.bars:
        cell = _cell(bar.place, facts, place)
        if cell is not None:
            _bar(axis, bar, cell, row, place.track, COLORS[lane.kind], interval=(facts.layers or 0) < MANY)


def _bar(axis: Axes, bar: Bar, cell: Span, row: float, track: float, color: str, *, interval: bool) -> None:
    """A share as a bar, its interval as a line in it."""
    gap = GAP * cell.width / 2
    fill = color if bar.counts else style.FAINT
    _box(axis, cell.left + gap, row, cell.width - 2 * gap, max(bar.share, 0.0) * track, fill, zorder=1)
    if interval:
        ends = [row + min(max(end, 0.0), 1.0) * track for end in (bar.low, bar.high)]
        axis.plot([cell.middle] * 2, ends, color=style.INK, linewidth=0.8, zorder=2, solid_capstyle="butt")


def _tokens(axis: Axes, place: Layout) -> None:
    """Which tokens the lanes are about, at the right."""
    for row, words, color in zip(place.rows[1:], ("image", "image", "last"), COLORS.values(), strict=True):
        x, middle = place.tokens, row + place.track / 2
        axis.plot([x - 0.07] * 2, [row, row + place.track], color=color, linewidth=2, solid_capstyle="butt")
        _write(axis, x, middle, f"{words}\ntoken{'s' if words == 'image' else ''}", color=style.SOFT, linespacing=1.05)


def _stage(one: Place, place: Layout) -> Span:
    return {VISION: place.vision, EMBEDS: place.projector, LAYER: place.language}[one.site]


def _cell(one: Place, facts: PathFacts, place: Layout) -> Span | None:
    """Where a place stands; None for one that the model is not known to have."""
    stage = _stage(one, place)
    count = {VISION: facts.blocks, EMBEDS: 1, LAYER: None if facts.layers is None else facts.layers + 1}[one.site]
    if count is None or one.layer >= count:
        return None
    width = stage.width / count
    return Span(stage.left + one.layer * width, stage.left + (one.layer + 1) * width)


def _ticks(axis: Axes, facts: PathFacts, place: Layout) -> None:
    """The numbers of blocks and layers below all rows, as close as they can be read."""
    for site, count in ((VISION, facts.blocks), (LAYER, None if facts.layers is None else facts.layers + 1)):
        if not count:
            continue
        width = (place.vision if site == VISION else place.language).width / count
        step = next((step for step in (1, 2, 5, 10, 20, 50) if step * width >= TICK), 100)
        for number in range(0, count, step):
            cell = _cell(Place(site, number), facts, place)
            if cell is not None:
                _write(axis, cell.middle, place.ticks, str(number), color=style.SOFT, ha="center")
    if place.beside and (facts.blocks or facts.layers):
        _write(axis, place.vision.left - 0.08, place.ticks, "layer", color=style.SOFT, ha="right")
