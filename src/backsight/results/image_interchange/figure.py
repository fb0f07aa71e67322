"""The clean and the flipped answer's probability by layer, one panel a suite and set of image tokens.

Figures 6, 7 and 8 of Dual Mechanisms, for any model: where the flipped answer stands above the clean one, with
intervals apart, and is the model's, the swapped tokens carry the order that the answer goes by; those layers are
shaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from backsight.errors import UsageError
from backsight.results.drawing import panels, style, sweeps
from backsight.results.image_interchange.tables import flip_layers
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = dict[str, Any]
Key = tuple[str, str, str, str]  # suite, vision, tokens, direction
FLIP_WORDS = {"clean": "clean answer", "flipped": "flipped answer: the object on the other side"}
VISION_WORDS = {"intact": "intact", "removed": "after removal"}
LOOKS = {"clean": (style.BLUE, "o"), "flipped": (style.ORANGE, "s")}


def draw(
    table: Table,
    *,
    vision: str | None = None,
    direction: str = "all",
    columns: int | None = None,
    titles: Mapping[str, str] | None = None,
) -> Figure:
    """Probability against layer of one `direction`, of an axis, of all together, or "each" by itself.

    `vision` keeps to intact or removed rows. `columns` is the number of panels across; 1 is for a phone. `titles`
    gives suites the names to print.
    """
    rows = table.rows()
    visions = list(dict.fromkeys(row["vision"] for row in rows))
    if vision is not None and rows and vision not in visions:
        raise UsageError("There are no such rows", got=f"vision {vision}", do=f"choose from: {', '.join(visions)}")
    rows = [row for row in rows if vision in (None, row["vision"])]
    shown = sweeps.chosen(rows, direction, table.schema.name)
    groups: dict[Key, list[Row]] = {}
    for row in rows:
        if row["direction"] in shown:
            groups.setdefault((row["suite"], row["vision"], row["tokens"], row["direction"]), []).append(row)
    keys = list(groups)
    if direction == sweeps.EACH:
        columns = columns or max(2, len(shown))
    elif columns is None:
        keys, columns = _laid_out(keys)
    last = sweeps.last_layer(rows)
    flips = {
        (r["suite"], r["vision"], r["tokens"], r["direction"]): str(r["layers"]) for r in flip_layers(table).rows()
    }
    shown_panels = []
    for key in keys:
        kept, empty = sweeps.counts(groups[key])
        draw = partial(sweeps.panel, group=groups[key], looks=LOOKS, spans=flips[key], last=last)
        title, below = _heading(key, titles, several=vision is None and len(visions) > 1)
        shown_panels.append(panels.Panel(title, f"{below}{kept}", draw, empty, suite=key[0]))
    shaded = "flipped above clean, and the answer" if any(flips[key] for key in keys) else ""
    with style.style():
        return panels.draw(shown_panels, sweeps.entries(LOOKS, FLIP_WORDS, shaded), columns, across=3)


def _laid_out(keys: Sequence[Key]) -> tuple[list[Key], int | None]:
    """The panels in order, and how many in a row: a column a suite where two or three fit, else one a set of tokens."""
    suites = list(dict.fromkeys(key[0] for key in keys))
    kinds = list(dict.fromkeys(key[1:3] for key in keys))
    if len(kinds) < 2:
        return list(keys), None
    if len(suites) in (2, 3) and len(keys) == len(suites) * len(kinds):
        return sorted(keys, key=lambda key: (kinds.index(key[1:3]), suites.index(key[0]))), len(suites)
    return list(keys), len(kinds)


def _heading(key: Key, titles: Mapping[str, str] | None, *, several: bool) -> tuple[str, str]:
    """A panel's title, and what stands before the counts below it: what the title has no room for."""
    suite, vision, tokens, direction = key
    words = sweeps.TOKEN_WORDS.get(tokens, tokens)
    below = [words] if direction != "all" else []
    below += [VISION_WORDS.get(vision, vision)] if several else []
    title = f"{style.suite_title(suite, titles)}, {words if direction == 'all' else direction}"
    return title, f"{', '.join(below)}: " if below else ""
