"""Accuracy by direction, one panel a suite, the worst first.

Filled marks are the picture's accuracy with its interval, hollow ones that of a gray picture: the null of
every number. A dashed line is chance. Prompts stand beneath each other within a direction, each in its own
colour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from backsight.errors import DataError, UsageError
from backsight.results.behaviour.named import with_ground
from backsight.results.behaviour.worst import by_worst
from backsight.results.drawing import panels, style
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
READ_OUTS = ("options", "free")
ORDER = ("all", "left", "right", "above", "below", "on", "under", "front", "behind")
# Suites whose directions lie in one frame share their lines, so that panels can be read across.
FRAMES = (
    {"left", "right", "above", "below"},
    {"left", "right", "on", "under"},
    {"left", "right", "front", "behind"},
)
PROMPT_STYLES = (
    (style.BLUE, "o"),
    (style.ORANGE, "s"),
    (style.GREEN, "^"),
    (style.PURPLE, "D"),
    (style.AMBER, "v"),
    (style.SKY, "P"),
)
PLAIN = (style.INK, "o")
HOLLOW: dict[str, Any] = {
    "markerfacecolor": "none",
    "markersize": 7,
    "markeredgewidth": 0.9,
    "linestyle": "none",
}


def draw(
    table: Table,
    *,
    read_out: str = "options",
    columns: int | None = None,
    titles: Mapping[str, str] | None = None,
) -> Figure:
    """Accuracy by direction for each suite (and ground), by `read_out`: options, or free for the top token.

    `columns` is the number of panels across; 1 is for a phone. `titles` gives suites the names to print.
    """
    if read_out not in READ_OUTS:
        raise UsageError("There is no such read-out", got=read_out, do=f"choose from: {', '.join(READ_OUTS)}")
    rows = [row for row in by_worst(table.rows()) if row["read_out"] == read_out]
    if not rows:
        raise DataError("The table has no rows of this read-out", got=read_out, where=table.schema.name)
    groups: dict[tuple[str, str | None], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["suite"], row["ground"]), []).append(row)
    directions = _directions(rows)
    prompts = list(dict.fromkeys(row["prompt"] for row in rows if row["prompt"]))
    shown_panels = []
    for (suite, ground), group in groups.items():
        title = with_ground(style.suite_title(suite, titles), (suite, ground), groups)
        lines = len({row["prompt"] for row in group})
        height = 0.9 + len(directions[suite]) * max(0.22, 0.15 * lines + 0.06)
        draw = partial(_panel, group=group, directions=directions[suite], prompts=prompts)
        shown_panels.append(panels.Panel(title, _counts(group), draw, height=height))
    with style.style():
        return panels.draw(shown_panels, _entries(rows, prompts), columns, across=3)


def _directions(rows: Sequence[Row]) -> dict[str, list[str]]:
    """The directions that a suite's panel lists, "all" first: those of all suites in its frame."""
    own: dict[str, set[str]] = {}
    for row in rows:
        own.setdefault(row["suite"], set()).add(row["direction"])
    frames = {
        suite: next((n for n, f in enumerate(FRAMES) if names - {"all"} <= f), -1) for suite, names in own.items()
    }
    by_suite = {}
    for suite in own:
        listed = {d for other, names in own.items() if frames[other] == frames[suite] for d in names}
        by_suite[suite] = [d for d in ORDER if d in listed] + sorted(listed - set(ORDER))
    return by_suite


def _counts(group: Sequence[Row]) -> str:
    whole = [r for r in group if r["direction"] == "all" and r["condition"] == "picture"] or list(group)
    asked = _span([row["questions"] for row in whole])
    each = " a prompt" if len({row["prompt"] for row in whole}) > 1 else ""
    return f"{asked} questions{each}, {style.counted(max(row['images'] for row in whole), 'picture')}"


def _panel(axis: Axes, group: Sequence[Row], directions: Sequence[str], prompts: Sequence[str]) -> None:
    by_about = {(row["direction"], row["prompt"], row["condition"]): row for row in group}
    own = sorted({row["prompt"] for row in group}, key=lambda p: prompts.index(p) if p in prompts else -1)
    places = [n + (0.35 if n else 0.0) for n in range(len(directions))]
    chance: list[tuple[float, float]] = []
    for place, direction in zip(places, directions, strict=True):
        axis.axhline(place, color=style.FAINT, linewidth=0.6, zorder=0)
        here = [row for key, row in by_about.items() if key[0] == direction]
        absent = _absent(here)
        if absent:
            panels.note(axis, 0.0, place, absent)
        for number, prompt in enumerate(own):
            y = place + (number - (len(own) - 1) / 2) * min(0.28, 0.84 / len(own))
            color, marker = PROMPT_STYLES[prompts.index(prompt) % 6] if prompt in prompts else PLAIN
            picture, gray = by_about.get((direction, prompt, "picture")), by_about.get((direction, prompt, "gray"))
            if not absent:
                _marks(axis, y, picture, gray, color, marker)
            one = picture or gray
            if one and one["chance"] is not None:
                half = 0.5 / len(own)
                chance += [(one["chance"], y - half), (one["chance"], y + half)]
    if chance:
        axis.plot(*zip(*chance, strict=True), **panels.CHANCE, zorder=1)
    axis.set(xlim=(-0.02, 1.02), ylim=(places[-1] + 0.6, -0.6), xlabel="accuracy")
    axis.set_yticks(places, labels=directions)
    axis.set_xticks(panels.SHARES, labels=panels.SHARE_LABELS)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def _absent(rows: Sequence[Row]) -> str:
    """What is said once in place of a direction's marks: nothing where there is something to draw."""
    if not rows:
        return "not asked"
    if not all(row["omitted"] for row in rows):
        return ""
    return f"omitted (n={_span([row['questions'] for row in rows])})"


def _span(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low}-{high}"


def _marks(axis: Axes, y: float, picture: Row | None, gray: Row | None, color: str, marker: str) -> None:
    if picture is not None and not picture["omitted"]:
        ends = [picture["low"], picture["high"]]
        axis.plot(ends, [y, y], color=color, linewidth=1.3, zorder=3, clip_on=False)
        axis.plot([picture["accuracy"]], [y], marker, color=color, markersize=4.6, zorder=4, clip_on=False)
    elif picture is not None:
        panels.note(axis, 0.0, y, f"omitted (n={picture['questions']})")
    if gray is None:
        return
    if not gray["omitted"]:
        # Larger than the filled mark, so that it shows as a ring where the two fall together.
        axis.plot([gray["accuracy"]], [y], color=color, marker=marker, **HOLLOW, zorder=3, clip_on=False)
    elif picture is not None and not picture["omitted"]:
        panels.note(axis, 0.0 if picture["accuracy"] > 0.5 else 0.6, y, f"gray omitted (n={gray['questions']})")


def _entries(rows: Sequence[Row], prompts: Sequence[str]) -> list[panels.Entry]:
    plain = any(not row["prompt"] for row in rows)
    kinds = [(PLAIN, "picture, with 95 % interval")] if plain else []
    kinds += [(PROMPT_STYLES[n % 6], f"picture, prompt {prompt}") for n, prompt in enumerate(prompts)]
    entries: list[panels.Entry] = [
        (panels.line(color=color, marker=marker, markersize=4.6, linewidth=1.3), label)
        for (color, marker), label in kinds
    ]
    if any(row["condition"] == "gray" for row in rows):
        color, marker = PLAIN if plain or len(prompts) > 1 else PROMPT_STYLES[0]
        label = "gray picture: what the question alone gives" + (" (hollow)" if prompts else "")
        entries.append((panels.line(color=color, marker=marker, **HOLLOW), label))
    return [*entries, (panels.line(**panels.CHANCE), "chance")]
