"""Shares that add up to one, as stacked bars: whom answers follow, each share of interest with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from backsight.results.drawing import panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = Mapping[str, Any]
COLORS = (style.BLUE, style.ORANGE, style.REST)
WORDS = (style.GROUND, style.DARK, style.DARK)  # on these colours
BAR = 0.52  # of the distance between two bars
LINE = 0.46  # inches, of a bar
NUMBERED = 0.07  # the least share that has room for its number in percent


class Bar(NamedTuple):
    """A bar: its label, its shares with the ends of their intervals, and words in place of one that is omitted."""

    label: str
    shares: tuple[tuple[float, float, float], ...]
    missing: str = ""
    null: tuple[float, ...] = ()  # the shares that the null has, where there is one


def bar(label: str, row: Row, names: Sequence[str], *, null: str = "") -> Bar:
    """The bar of a summary row with the columns NAME, NAME_low and NAME_high; of its null NAME + `null`."""
    if row["omitted"]:
        return Bar(label, (), f"omitted (n={row['questions']})")
    shares = tuple(
        (0.0, 0.0, 0.0) if row[name] is None else (row[name], row[f"{name}_low"], row[f"{name}_high"]) for name in names
    )
    nulls = tuple(value for name in names if null and (value := row.get(name + null)) is not None)
    return Bar(label, shares, null=nulls if len(nulls) == len(names) else ())


def entries(words: Sequence[str]) -> list[panels.Entry]:
    """The legend of bars whose shares are called `words`, the last one the rest."""
    shares = [(panels.patch(facecolor=color, linewidth=0), one) for color, one in zip(COLORS, words, strict=True)]
    interval = panels.line(color=style.INK, linewidth=0.9)
    return [*shares, (interval, "95 % interval; number: percent; thin bar: blank image")]


def draw(axis: Axes, bars: Sequence[Bar], *, colors: Sequence[str] = COLORS, xlabel: str = "share of answers") -> None:
    """Bars from above to below; the null is a thin bar under each, intervals are those of the first two shares."""
    for place, one in enumerate(bars):
        if one.missing:
            panels.note(axis, 0.0, place, one.missing)
            continue
        left = 0.0
        for number, (value, low, high) in enumerate(one.shares):
            axis.barh(place, value, BAR, left=left, color=colors[number], linewidth=0)
            if number < 2 and high > 0:
                y = place + (number - 0.5) * 0.36
                # The second share is counted from the right end of the first one.
                axis.plot([left + low, min(1.0, left + high)], [y, y], color=style.DARK, linewidth=0.9, zorder=3)
            if value >= NUMBERED:
                ink = WORDS[number]
                middle: dict[str, Any] = {"color": ink, "fontsize": 7, "ha": "center", "va": "center"}
                axis.text(left + value / 2, place, f"{100 * value:.0f}", **middle)
            left += value
        left = 0.0
        for number, value in enumerate(one.null):
            axis.barh(place + BAR / 2 + 0.09, value, 0.11, left=left, color=colors[number], linewidth=0)
            left += value
    axis.set(xlim=(0, 1), ylim=(len(bars) - 0.4, -0.6), xlabel=xlabel)
    axis.set_yticks(range(len(bars)), labels=[one.label for one in bars])
    axis.set_xticks(panels.SHARES, labels=panels.SHARE_LABELS)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def height(count: int) -> float:
    """Inches of a panel with so many bars."""
    return 0.75 + LINE * max(count, 2)
