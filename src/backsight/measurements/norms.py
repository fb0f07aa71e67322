"""Norms of image and text tokens, and how much of image tokens' variance is their position.

Both are read at the vision encoder's blocks, at the language model's input and before each of its blocks. The blog's
claim is that large norms of image tokens drown their positions: the norms stand beside the share of variance that row
and column explain beyond what the tokens show (`maths.position_signal`), and the intervention, image tokens rescaled to
the text's norm, is a condition of `Permutation`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet
from backsight.grid import TokenGrid
from backsight.maths import position_signal
from backsight.maths.position_signal import Levels, Sums
from backsight.measurements import costs, memory
from backsight.measurements.base import Measurement, Row, Samples
from backsight.measurements.shuffles import text_mask
from backsight.models import embeds
from backsight.models.facts import ModelFacts
from backsight.models.families.common import ONE_GRID, PATCH_ORDER
from backsight.models.sites import SiteName
from backsight.models.vlm import VLM
from backsight.results import Result, norms

FEWEST = 8  # pictures; effects are fitted on half of them
TOUCHED, COVERED = 0.0, 0.5  # shares of a token's cell in a thing's box
GROUND, PARTLY = 0, 1  # contents that are no thing's
QUANTILES = (0.05, 0.5, 0.95)
Layer = tuple[SiteName, int]
Group = Literal["objects", "rest"]
Key = tuple[Layer, Group]


class _Tokens(NamedTuple):
    """A group of one picture's tokens: where they are (token,), design, and design with positions shifted."""

    at: Tensor
    shown: Tensor
    shifted: Tensor


@dataclass(frozen=True)
class EmbeddingNorms(Measurement):
    """Norms and sums of squares that content and position leave, a row a picture, site and layer.

    Object tokens (at least half of the cell in a named box) and the rest are fitted apart: a model may write position
    into the one and not into the other. Of pictures without boxes all tokens are the rest.
    """

    result: ClassVar[Result] = norms.RESULT
    requires: ClassVar[frozenset[str]] = frozenset({ONE_GRID})
    needs_all_samples: ClassVar[bool] = True

    seed: int = 0

    def check(self, facts: ModelFacts, samples: Samples) -> None:
        """CannotAnswer where there are too few pictures to fit effects on half of them."""
        if not isinstance(samples, ExampleSet):
            raise UsageError("EmbeddingNorms takes an example set, not pairs", got=samples.name)
        pictures = len({e.image_id for e in samples})
        if pictures < FEWEST:
            raise CannotAnswer(
                "Too few pictures to tell what position explains", got=f"{pictures}, at least {FEWEST} are needed"
            )

    def applies(self, samples: Samples) -> bool:
        """Any examples."""
        return isinstance(samples, ExampleSet)

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """Two forwards a picture: one to fit effects and one to score them."""
        assert isinstance(samples, ExampleSet)
        spent = costs.forwards(facts, _pictures(samples.items), self.batch)
        return 2 * sum(facts.equivalents(call, flops) for call, flops in spent)

    def bytes_each(self, facts: ModelFacts, samples: Samples) -> int:
        """A forward with the residual stream of all blocks, the vision encoder's blocks, and one layer at work."""
        sizes = facts.sizes(samples)
        stream = (sizes.text.layers + 1) * sizes.tokens * sizes.text.width * sizes.item
        patches = sizes.vision.layers * sizes.patches * sizes.vision.width * sizes.item
        return memory.forward(sizes) + stream + patches + 4 * memory.states(sizes, deep=False) * memory.FLOAT

    def bytes_held(self, facts: ModelFacts, samples: Samples) -> int:
        """Sums and effects of both halves and groups, as they are and shifted, at every site."""
        assert isinstance(samples, ExampleSet)
        pictures = _pictures(samples.items)
        levels = _levels(pictures, [facts.grid_of(e.picture) for e in pictures], _names(pictures))
        sizes = facts.sizes(samples)
        widths = (sizes.text.layers + 1) * sizes.text.width + sizes.vision.layers * sizes.vision.width
        return 2 * 2 * 2 * 2 * levels.all * widths * memory.FLOAT

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """A row a picture, site and layer."""
        pictures = _pictures(samples)
        names = _names(pictures)
        levels = _levels(pictures, [vlm.grid_of(e.picture) for e in pictures], names)
        half = _halves(pictures)
        sums: dict[tuple[int, Key], tuple[Sums, Sums]] = {}
        for example, states, _ in self._seen(vlm, pictures):
            tokens = self._tokens(example, vlm.grid_of(example.picture), names, levels)
            for layer, value in states.items():
                for group, of in tokens.items():
                    key = half[example.image_id], (layer, group)
                    if key not in sums:
                        sums[key] = (Sums.none(levels, value.shape[-1]), Sums.none(levels, value.shape[-1]))
                    entered = position_signal.centred(value[of.at.to(value.device)])
                    sums[key][0].add(of.shown, entered)
                    sums[key][1].add(of.shifted, entered)
        effects = {key: _effects(*sums.pop(key), levels) for key in list(sums)}
        rows: list[Row] = []
        for example, states, measured in self._seen(vlm, pictures):
            tokens = self._tokens(example, vlm.grid_of(example.picture), names, levels)
            for layer, value in states.items():
                row: Row = dict.fromkeys(self.schema.columns)
                row |= {"example_id": example.id, "image_id": example.image_id, "suite": example.suite}
                row |= {"site": layer[0], "layer": layer[1], **measured[layer]}
                for group, of in tokens.items():
                    other = effects.get((1 - half[example.image_id], (layer, group)))
                    if other is not None:
                        row |= _left(value[of.at.to(value.device)], of, other, group)
                rows.append(row)
        return rows

    def _tokens(
        self, example: Example, grid: TokenGrid, names: dict[str, int], levels: Levels
    ) -> dict[Group, _Tokens]:  # fmt: skip
        """The groups of a picture's tokens that have at least two.

        For the null the picture's rows and columns are shifted around its grid by a number sampled for the picture, so
        that neighbours stay neighbours: shuffled one by one they would fit noise that neighbours share less well.
        """
        shown = content(example, grid, names)
        rng = np.random.default_rng([self.seed, zlib.crc32(example.image_id.encode())])
        down, right = divmod(int(rng.integers(1, len(grid))), grid.columns)
        groups: dict[Group, _Tokens] = {}
        for group, index in (("objects", np.flatnonzero(shown > PARTLY)), ("rest", np.flatnonzero(shown <= PARTLY))):
            if len(index) > 1:
                row, column = (grid.row + down) % grid.rows, (grid.column + right) % grid.columns
                groups[group] = _Tokens(  # type: ignore[index]
                    torch.from_numpy(index),
                    position_signal.design(shown[index], grid.row[index], grid.column[index], levels),
                    position_signal.design(shown[index], row[index], column[index], levels),
                )
        return groups

    def _seen(
        self, vlm: VLM, pictures: Sequence[Example]
    ) -> Iterator[tuple[Example, dict[Layer, Tensor], dict[Layer, Row]]]:
        """Each picture with its image tokens' states (image_token, d_model) and the norms at every site and layer."""
        sites: list[SiteName] = ["resid_pre"]
        if vlm.family.can(PATCH_ORDER) and vlm.parts.vision_blocks:
            sites.insert(0, "vision")
        for start in range(0, len(pictures), self.batch):
            batch = vlm.prepare(pictures[start : start + self.batch])
            with vlm.recording(*sites) as recorded:
                vlm.forward(batch)
            counts, text = [len(grid) for grid in batch.grids], text_mask(batch)
            states: dict[Layer, list[Tensor]] = {}
            words: dict[Layer, list[Tensor]] = {}
            for at in sorted(recorded.values, key=lambda one: (one[0] != "vision", one[1])):
                value = recorded.values.pop(at)
                by_cell = embeds.by_cell(vlm, value, batch) if at[0] == "vision" else value[batch.image_mask]
                states[at] = list(torch.split(by_cell, counts))
                if at[0] != "vision":
                    words[at] = [value[i][text[i]] for i in range(len(batch))]
            for i, example in enumerate(batch.examples):
                of = {at: value[i] for at, value in states.items()}
                lengths = {at: _lengths("image", value) for at, value in of.items()}
                for at, spoken in words.items():
                    lengths[at] |= _lengths("text", spoken[i])
                yield example, of, lengths


def content(example: Example, grid: TokenGrid, names: dict[str, int]) -> NDArray[np.int64]:
    """What each token shows (image_token,): a thing's number by its name, 0 the ground, 1 a part of a thing."""
    shown = np.full(len(grid), GROUND)
    most = np.zeros(len(grid))
    for name, box in example.boxes.items():
        share = grid.overlap(box)
        more = share > most
        shown[more & (share > TOUCHED)] = PARTLY
        shown[more & (share >= COVERED)] = names[name]
        most = np.maximum(most, share)
    return shown


def _pictures(samples: Sequence[Example]) -> list[Example]:
    """The first example about each picture."""
    return list({e.image_id: e for e in reversed(samples)}.values())[::-1]


def _names(pictures: Sequence[Example]) -> dict[str, int]:
    """A number for each thing that has a box, from 2 on."""
    return {name: number + PARTLY + 1 for number, name in enumerate(sorted({n for e in pictures for n in e.boxes}))}


def _levels(pictures: Sequence[Example], grids: Sequence[TokenGrid], names: dict[str, int]) -> Levels:
    return Levels(len(names) + PARTLY + 1, max(g.rows for g in grids), max(g.columns for g in grids))


def _halves(pictures: Sequence[Example]) -> dict[str, int]:
    """Each picture's half, 0 or 1, sampled by its id."""
    in_order = sorted((e.image_id for e in pictures), key=lambda name: (zlib.crc32(name.encode()), name))
    return {name: number % 2 for number, name in enumerate(in_order)}


def _effects(as_they_are: Sums, shifted: Sums, levels: Levels) -> tuple[Tensor, Tensor, Tensor]:
    """Effects of content by itself, of content and position, and of content and shifted positions."""
    return as_they_are.effects(levels.content), as_they_are.effects(), shifted.effects()


def _left(value: Tensor, of: _Tokens, effects: tuple[Tensor, Tensor, Tensor], group: Group) -> Row:
    """Sums of squares of one picture's tokens that each of three fits to the other half leaves.

    Where content leaves no more than rounding all three are zero: there is nothing for position to explain.
    """
    entered = position_signal.centred(value)
    fits = zip(("content", "position", "shifted"), (of.shown, of.shown, of.shifted), effects, strict=True)
    left = {f"{group}_{name}": position_signal.left(shown, entered, effect) for name, shown, effect in fits}
    flat = left[f"{group}_content"] <= position_signal.FLAT * float(value.float().square().sum())
    return dict.fromkeys(left, 0.0) if flat else left


def _lengths(of: str, states: Tensor) -> Row:
    """The mean and three quantiles of the norms of some tokens' states (token, d_model)."""
    lengths = states.float().norm(dim=-1)
    quantiles = torch.quantile(lengths, torch.tensor(QUANTILES, device=lengths.device)).tolist()
    names = (f"{of}_low", f"{of}_median", f"{of}_high")
    return {f"{of}_mean": float(lengths.mean()), **dict(zip(names, quantiles, strict=True))}
