"""The contract of the token grid: where a picture is changed is where its image tokens change.

A grid that is transposed, flipped or shifted by one gives every strip, box and probe the wrong tokens, and nothing
else would show it. One cell of a gray picture is changed at a time, and a paired test over the cells compares the token
that the grid names with the one that each rival names. Significantly better than every rival passes, significantly
worse than one is refused, and anything else takes more cells. Where the last are spent the model opens with a
warning: a vision encoder that spreads every change over all tokens gives no evidence for its grid, and none against it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from backsight.examples import MemoryPicture
from backsight.grid import Box, TokenGrid
from backsight.models.findings import Finding
from backsight.models.seam import Seam

NAME = "the token grid is right"
LOOKS = (9, 18, 36)  # cells after which it is decided, if it can be
# A pass asks for this level against each rival, and has to be had against all: no correction makes it stricter.
BETTER = 0.005
# A refusal takes one of some rivals, at one of the looks (the first has too few cells for it): the level is shared
# among the rivals. Without evidence it comes to at most .004: two looks, .002 each.
WORSE = 0.002
LARGEST = 1e-4  # a change below this share of the largest one in its picture is rounding
EQUAL = 1e-3  # logarithms of changes that differ by less are the same: float32 leaves as much of a small change
MOSTLY = 0.5  # of a picture's change: a token that has so much is where the change went
DO = (
    "give the family a grid in the order of its image tokens (`Family.grid`, docs/extending.md), or open the "
    "checkpoint with its own processor; until then nothing that rests on positions can be trusted"
)
CAUTION = (
    "see with `backsight study MODEL --only probes` that positions can be read from the tokens of objects before "
    "strips, boxes and compasses of this model are trusted"
)
Floats = NDArray[np.float64]
Move = Callable[[int, int, int, int], tuple[int, int]]  # row, column, rows, columns -> row, column
RIVALS: dict[str, Move] = {
    "flipped left to right": lambda r, c, rows, columns: (r, columns - 1 - c),
    "flipped top to bottom": lambda r, c, rows, columns: (rows - 1 - r, c),
    "turned by half": lambda r, c, rows, columns: (rows - 1 - r, columns - 1 - c),
    "transposed": lambda r, c, rows, columns: divmod(c * rows + r, columns),
    "shifted left": lambda r, c, rows, columns: (r, c - 1),
    "shifted right": lambda r, c, rows, columns: (r, c + 1),
    "shifted up": lambda r, c, rows, columns: (r - 1, c),
    "shifted down": lambda r, c, rows, columns: (r + 1, c),
}
ANOTHER = "one other token each"  # whatever the order: most of a change falls on one token, and not on the named one


class Against(NamedTuple):
    """The grid against one rival: in how many `cells` they differ, one-sided p for each being the better fit, and by
    how much the grid's is the better one (mean over cells, logarithm). `usual` is the p of the rival's tokens changing
    more than the usual token of their pictures."""

    cells: int
    better: float
    worse: float
    gap: float = 0.0
    usual: float = 0.0


def grid(vlm: Seam, *, looks: Sequence[int] = LOOKS) -> Finding:
    """Of a picture with one cell changed at a time, the tokens' relative changes fit the grid better than its rivals.

    Rivals are the transpose, both flips, the half turn and the shifts by one, each within a view, the same cell of
    another view, and one other token for each cell. `looks` are the numbers of cells after which it is decided.
    """
    picture = MemoryPicture(Image.new("RGB", vlm.prompter.native_size(), (128, 128, 128)))
    tokens = vlm.grid_of(picture)
    order = _order(tokens)
    seen = torch.empty(0)
    chosen: list[int] = []
    against: dict[str, Against] = {}
    changes = np.empty((0, len(tokens)))
    for look in looks if len(order) > 2 * looks[0] else (len(order),):  # a small grid is looked at once
        more = order[len(chosen) : look]
        if not more:
            break
        shown = [_with_cell(picture.open(), Box(*tokens.box[token])) for token in more]
        embeds = _image_embeds(vlm, shown if chosen else [picture.open(), *shown])
        pictures = len(more) + (not chosen)
        if len(embeds) != pictures * len(tokens):
            counted = f"{len(embeds)} image embeddings for {pictures} pictures with grids of {len(tokens)} tokens"
            return Finding(NAME, False, counted, do=DO)
        seen = torch.cat([seen.to(embeds), embeds.view(pictures, len(tokens), -1)])
        chosen += more
        changes = _changes(seen[0], seen[1:])
        against = compared(changes, tokens, chosen)
        if worse(against) or better(against):
            break
    return _finding(changes, chosen, against)


def _changes(base: Tensor, changed: Tensor) -> Floats:
    """Relative changes (picture, token) of the image embeddings (picture, token, d_model) of changed pictures."""
    moved = (changed - base).float().norm(dim=-1) / base.float().norm(dim=-1).clamp_min(1e-9)
    return moved.double().cpu().numpy()  # type: ignore[no-any-return]


def _finding(changes: Floats, chosen: Sequence[int], against: dict[str, Against]) -> Finding:
    cells = f"{len(chosen)} cells"
    if not changes.any():
        return Finding(NAME, True, f"no image token changes with the picture, in {cells}", warning=True, do=CAUTION)
    own = float((changes[np.arange(len(chosen)), chosen] / changes.sum(1).clip(1e-300)).mean())
    share = f"share of change at the named cell {own:.3f}, over {cells}"
    if refused := worse(against):
        rival = min(refused, key=lambda name: against[name].gap)
        return Finding(NAME, False, f"{share}; {rival} fits better (p {against[rival].worse:.1g})", do=DO)
    if better(against):
        return Finding(NAME, True, f"{share}; better than {len(against)} rivals (p {_largest(against):.1g} or less)")
    undecided = [name for name, one in against.items() if not one.better < BETTER]
    detail = f"{share}; they do not tell it from: {', '.join(undecided) or 'anything'}"
    return Finding(NAME, True, detail, warning=True, do=CAUTION)


def _largest(against: dict[str, Against]) -> float:
    return max(one.better for one in against.values())


def better(against: dict[str, Against]) -> bool:
    """Whether the grid fits significantly better than every rival."""
    return bool(against) and all(one.better < BETTER for one in against.values())


def worse(against: dict[str, Against]) -> list[str]:
    """The rivals that fit significantly better than the grid and than a usual token, the level shared among all.

    Where the named token answers to its own cell less than all others do alike, as in an encoder that knows no position
    and mixes, every rival fits better and none of them is where the change went.
    """
    level = WORSE / len(against) if against else 0.0
    return [name for name, one in against.items() if one.worse < level and one.usual < level]


def compared(changes: Floats, tokens: TokenGrid, chosen: Sequence[int]) -> dict[str, Against]:
    """Wilcoxon's signed-rank test of the grid against each rival, over changed cells; rivals that name none are left
    out.

    `changes` (cell, token) are the relative changes of the tokens, |e' - e| / |e|. What is compared is their logarithm
    less the token's mean over cells: how much a token answers to any change says nothing of where the change was.
    """
    floor = np.maximum(LARGEST * changes.max(1, keepdims=True), 1e-300)
    logs = np.log(np.maximum(changes, floor))
    fit = logs - logs.mean(0)
    usual = logs - np.median(logs, 0)  # what a token does in its own cell hardly moves its median
    usual -= np.median(usual, 1, keepdims=True)
    against = {}
    for name, named in {**_rivals(tokens, chosen), ANOTHER: _elsewhere(changes, chosen)}.items():
        pairs = [(i, own, other) for i, (own, other) in enumerate(zip(chosen, named, strict=True)) if other is not None]
        pairs = [pair for pair in pairs if pair[1] != pair[2]]
        gaps = np.array([fit[i, own] - fit[i, other] for i, own, other in pairs])
        above = np.array([usual[i, other] for i, _, other in pairs])
        if name != ANOTHER or len(gaps) > len(chosen) / 2:
            against[name] = _tested(gaps)._replace(usual=_p(above, "greater"))
    return {name: one for name, one in against.items() if one.cells}


def _tested(gaps: Floats) -> Against:
    if not (np.abs(gaps) > EQUAL).any():
        return Against(len(gaps), 1.0, 1.0)
    return Against(len(gaps), _p(gaps, "greater"), _p(gaps, "less"), float(gaps.mean()))


def _p(gaps: Floats, alternative: Literal["greater", "less"]) -> float:
    """One-sided p of Wilcoxon's signed-rank test; 1 where nothing differs."""
    from scipy import stats  # a third of a second of imports

    unequal = gaps[np.abs(gaps) > EQUAL]
    return float(stats.wilcoxon(unequal, alternative=alternative, method="exact").pvalue) if len(unequal) else 1.0


def _elsewhere(changes: Floats, chosen: Sequence[int]) -> list[int | None]:
    """The token other than the chosen one on which most of a picture's change falls; None where there is none."""
    others = changes.copy()
    others[np.arange(len(chosen)), chosen] = 0
    most = others.argmax(1)
    return [int(token) if others[i, token] > MOSTLY * changes[i].sum() else None for i, token in enumerate(most)]


def _sides(tokens: TokenGrid) -> dict[int, tuple[int, int]]:
    """Rows and columns of each view."""
    views = {int(view): tokens.view == view for view in np.unique(tokens.view)}
    return {view: (int(tokens.row[on].max()) + 1, int(tokens.column[on].max()) + 1) for view, on in views.items()}


def _order(tokens: TokenGrid) -> list[int]:
    """All cells of the picture at random, those before others that more rivals name another token for."""
    cells = [
        int(token) for token in np.random.default_rng(1).permutation(len(tokens))
        if tokens.kind[token] == "cell" and Box(*tokens.box[token]).width > 0 and Box(*tokens.box[token]).height > 0
    ]  # fmt: skip
    named = _rivals(tokens, cells)
    apart = {token: sum(of[i] is not None and of[i] != token for of in named.values()) for i, token in enumerate(cells)}
    return sorted(cells, key=lambda token: -apart[token])


def _rivals(tokens: TokenGrid, chosen: Sequence[int]) -> dict[str, list[int | None]]:
    """The token that each rival names for each of the chosen ones; None where it names none."""
    at = {
        (int(v), int(r), int(c)): i
        for i, (v, r, c) in enumerate(zip(tokens.view, tokens.row, tokens.column, strict=True))
    }
    sides = _sides(tokens)
    named: dict[str, list[int | None]] = {name: [] for name in RIVALS}
    for token in chosen:
        view, row, column = (int(part[token]) for part in (tokens.view, tokens.row, tokens.column))
        for name, move in RIVALS.items():
            named[name].append(at.get((view, *move(row, column, *sides[view]))))
    for step in range(1, len(sides)):
        named[f"{step} views further"] = [_in_view(tokens, at, list(sides), token, step) for token in chosen]
    return named


def _in_view(
    tokens: TokenGrid, at: dict[tuple[int, int, int], int], views: list[int], token: int, step: int
) -> int | None:
    """The same cell of a later view, in turn; None where it sees some of the token's own pixels, as a thumbnail may."""
    view = views[(views.index(int(tokens.view[token])) + step) % len(views)]
    other = at.get((view, int(tokens.row[token]), int(tokens.column[token])))
    return None if other is None or tokens.overlap(Box(*tokens.box[token]))[other] > 0 else other


def _with_cell(image: Image.Image, box: Box) -> Image.Image:
    """The picture with noise in one cell, around the ground's gray.

    Noise of full contrast is nothing that a small trained encoder has seen: all of its tokens may answer to it.
    """
    width, height = max(1, round(box.width)), max(1, round(box.height))
    noise = np.random.default_rng(2).integers(64, 193, (height, width, 3), dtype=np.uint8)
    image.paste(Image.fromarray(noise), (round(box.left), round(box.top)))
    return image


def _image_embeds(vlm: Seam, images: list[Image.Image]) -> Tensor:
    """Image tokens as they enter the language model, (image x token, d_model)."""
    pixels = {k: v.to(vlm.device) for k, v in vlm.prompter.pixels(images).items() if isinstance(v, Tensor)}
    pixels["pixel_values"] = pixels["pixel_values"].to(vlm.dtype)
    with torch.no_grad():
        return vlm.family.features(vlm.model, vlm.family.taken(pixels))
