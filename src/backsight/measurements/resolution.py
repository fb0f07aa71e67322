"""Resolution: the same scenes at other sizes and proportions than the model was made for.

Two things are measured: whether questions are still answered right, and whether a probe that reads on which third of
the picture a thing's tokens lie, fitted at one size, reads the other. Families of variable picture size get another
token grid, whatever bounds their processor sets; others resize every picture to their own, so that a small one is
blurred and one of other proportions distorted.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backsight.errors import UsageError
from backsight.examples import Example, ExampleSet, Pair
from backsight.grid import TokenGrid
from backsight.maths import probes
from backsight.measurements import asking, costs, memory
from backsight.measurements.base import Measurement, Row, Samples
from backsight.measurements.batching import batches
from backsight.models.any_size import any_size
from backsight.models.facts import ModelFacts, Shown
from backsight.models.families.common import ONE_GRID, VARIABLE_SIZE
from backsight.models.vlm import VLM
from backsight.results import Result, resolution
from backsight.stimuli.resized import resized

Cells = tuple[int, int]  # columns and rows, in twelfths of those that a picture has at its own size
Pixels = tuple[int, int]
OWN: Cells = (12, 12)
SIDE = 12  # cells a side of the picture size at which suites are drawn for a family of variable picture size
AXES = ("columns", "rows")
FOLDS = 3  # parts of the pictures, each scored by probes that are fitted on the others
FITTED = 8  # pictures that a probe is fitted on, at least
COVERED = 0.25  # of a cell that a thing's box must cover for the cell to be the thing's
COPIES = 6  # of the states of one layer that a fit holds beside them


@dataclass(frozen=True)
class Resolution(Measurement):
    """Accuracy at each size, one row a question, and what a probe reads at each, one row a picture.

    `sizes` are (columns, rows) in twelfths of the picture's own, which is always there. `probe` fits the probes, at the
    language model's input and halfway up.
    """

    result: ClassVar[Result] = resolution.RESULT
    requires: ClassVar[frozenset[str]] = frozenset({ONE_GRID})
    needs_all_samples: ClassVar[bool] = True

    sizes: tuple[Cells, ...] = ((8, 8), (16, 16), (12, 8))
    probe: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.sizes or any(min(size) < 1 for size in self.sizes) or OWN in self.sizes:
            raise UsageError(
                "Resolution takes other sizes than the picture's own, in twelfths of it", got=self.sizes,
                do="give (columns, rows), as (8, 8)",
            )  # fmt: skip

    def applies(self, samples: Samples) -> bool:
        """Any questions about pictures."""
        return isinstance(samples, ExampleSet)

    def asked(self, samples: Samples, grid: TokenGrid) -> Iterable[Example | Pair]:
        """The questions at every size, as a family of one picture size is shown them."""
        given = [e for e in samples if isinstance(e, Example)]
        scaled = (resized(e, _scaled(e.picture.size, size)) for size in self.sizes for e in given)
        return [*given, *(e for e in scaled if e is not None)]

    def check(self, facts: ModelFacts, samples: Samples) -> None:
        """CannotAnswer where the tokenizer cannot tell the options apart."""
        if not isinstance(samples, ExampleSet):
            raise UsageError("Resolution takes an example set, not pairs", got=samples.name)
        facts.check_options(samples)

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """A forward a question and size."""
        spent = 0.0
        for known, shown in self._planned(facts, samples):
            asked = [version for _, version in shown]
            for indices in batches(asked, self.batch):
                batch = [asked[i] for i in indices]
                call = known.call(batch)
                spent += known.equivalents(call, call.forward() + costs.sequences(known, call, batch))
        return spent

    def bytes_each(self, facts: ModelFacts, samples: Samples) -> int:
        """A forward at the largest size, and the states of both layers that are recorded."""
        most = 0
        for known, shown in self._planned(facts, samples):
            asked = [version for _, version in shown]
            if asked:
                sizes = known.sizes(asked)
                states = 3 * len(self._layers(facts.n_layers)) * sizes.image_tokens * sizes.text.width * sizes.item
                most = max(most, asking.bytes_each(known, asked) + states)
        return most

    def bytes_held(self, facts: ModelFacts, samples: Samples) -> int:
        """The states of things' tokens at all sizes and layers, and what a fit makes of those of one."""
        if not self.probe:
            return 0
        item, width, counts = facts.item, facts.text.width, [0]
        for known, shown in self._planned(facts, samples):
            pictures = {e.image_id: version for e, version in shown}.values()
            counts.append(sum(len(_things(e, known.grid_of(e.picture))) for e in pictures))
        whole = sum(counts) * width * item * len(self._layers(facts.n_layers))
        return whole + COPIES * max(counts) * width * memory.FLOAT

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """The rows of all sizes, and those of the probes."""
        rows: list[Row] = []
        seen: dict[Cells, list[_Seen]] = {}
        cell = vlm.grid.size[0] // SIDE if vlm.family.can(VARIABLE_SIZE) else None
        for size, shown in self._shown(samples, vlm.grid_of, cell):
            with nullcontext() if size == OWN else any_size(vlm):
                for indices in batches([version for _, version in shown], self.batch):
                    self._measured(vlm, [shown[i] for i in indices], size, rows, seen.setdefault(size, []))
        return rows + (_probed(seen, self.seed) if self.probe else [])

    def _measured(
        self, vlm: VLM, shown: Sequence[tuple[Example, Example]], size: Cells, rows: list[Row], seen: list[_Seen]
    ) -> None:
        """The answers of one batch at one size, and the states of things in pictures that were not seen yet."""
        layers = self._layers(vlm.n_layers)
        asked = [version for _, version in shown]
        with vlm.recording("resid_pre", layers=layers, positions="image") as recorded:
            batch = vlm.prepare(asked)
            logits = vlm.forward(batch)
        for (example, version), grid, choice in zip(
            shown, batch.grids, asking.chosen(vlm, batch, logits, asked), strict=True
        ):
            rows.append(_row(example, size, grid) | {"kind": "answer", "answer": version.answer, "choice": choice}
                        | {"options": len(version.options), "correct": choice == version.answer})  # fmt: skip
        if not self.probe:
            return
        counts, known = [len(grid) for grid in batch.grids], {one.example.image_id for one in seen}
        states = {layer: torch.split(recorded["resid_pre", layer], counts) for layer in layers}
        for number, ((example, version), grid) in enumerate(zip(shown, batch.grids, strict=True)):
            tokens = _things(version, grid)
            if len(tokens) and example.image_id not in known:
                known.add(example.image_id)
                picked = {layer: of[number][torch.from_numpy(tokens).to(vlm.device)] for layer, of in states.items()}
                seen.append(_Seen(example, grid, tokens, picked))

    def _layers(self, count: int) -> tuple[int, ...]:
        """The language model's input, and the layer halfway up."""
        return (0, count // 2) if self.probe else (0,)

    def _shown(
        self, samples: Iterable[Example | Pair], grid_of: Callable[..., TokenGrid], cell: int | None
    ) -> Iterator[tuple[Cells, list[tuple[Example, Example]]]]:
        """At each size the samples that have a version there, with it; `cell` is a token's side in pixels, None where
        a family takes pictures of one size only."""
        given = [e for e in samples if isinstance(e, Example)]
        yield OWN, [(e, e) for e in given]
        for size in self.sizes:
            versions = []
            for e in given:
                pixels = _scaled(e.picture.size, size)
                if cell is not None:
                    grid = grid_of(e.picture)
                    columns, rows = _scaled((grid.columns, grid.rows), size)
                    pixels = columns * cell, rows * cell
                versions.append((e, resized(e, pixels)))
            yield size, [(e, version) for e, version in versions if version is not None]

    def _planned(
        self, facts: ModelFacts, samples: Samples
    ) -> Iterator[tuple[ModelFacts, list[tuple[Example, Example]]]]:
        """At each size the facts that hold there, and the questions."""
        cell = facts.native[0] // SIDE if VARIABLE_SIZE in facts.capabilities else None
        for size, shown in self._shown(samples, facts.grid_of, cell):
            yield _unbounded(facts, shown, cell) if cell is not None and size != OWN else facts, shown


@dataclass(frozen=True)
class _Seen:
    """A picture's things: its grid at a size, their `tokens` (token,), and by layer their states (token, d_model)."""

    example: Example
    grid: TokenGrid
    tokens: NDArray[np.int64]
    states: dict[int, Tensor]

    def thirds(self, axis: str) -> NDArray[np.int64]:
        """Which third of the picture each token lies in, from left or from above."""
        side = 0 if axis == "columns" else 1
        share: NDArray[np.float64] = self.grid.centers[self.tokens, side] / self.grid.size[side]
        thirds: NDArray[np.int64] = np.minimum((3 * share).astype(np.int64), 2)
        return thirds

    @property
    def fold(self) -> int:
        """The part that the picture is in, at every size the same."""
        return zlib.crc32(f"resolution:{self.example.image_id}".encode()) % FOLDS


def _unbounded(facts: ModelFacts, shown: Sequence[tuple[Example, Example]], cell: int) -> ModelFacts:
    """The facts for pictures of whole cells where a processor sets no bounds: a token a cell."""
    native, sizes = facts.shown[facts.native], {}
    count = len(native.grid)
    for _, version in shown:
        width, height = version.picture.size
        grid = TokenGrid.rectangle(height // cell, width // cell, (width, height))
        patches, pixels = (one * len(grid) // count for one in (native.patches, native.pixels))
        sizes[width, height] = Shown(grid, patches, pixels, native.extra - count + len(grid))
    return replace(facts, shown={**facts.shown, **sizes})


def _scaled(sides: tuple[int, int], size: Cells) -> Pixels:
    """Width and height in so many twelfths."""
    return max(1, round(sides[0] * size[0] / 12)), max(1, round(sides[1] * size[1] / 12))


def _things(example: Example, grid: TokenGrid) -> NDArray[np.int64]:
    """The tokens of the things whose boxes are given, each once."""
    tokens: set[int] = set()
    for box in example.boxes.values():
        overlap = grid.overlap(box)
        if overlap.max() > 0:
            tokens |= set(np.flatnonzero(overlap >= min(COVERED, float(overlap.max()))).tolist())
    return np.array(sorted(tokens), dtype=np.int64)


def _row(example: Example, size: Cells, grid: TokenGrid) -> Row:
    return dict.fromkeys(resolution.RESOLUTION.columns) | {
        "example_id": example.id, "image_id": example.image_id, "suite": example.suite,
        "prompt": example.tags.get("prompt"), "direction": example.direction, "size": name(size),
        "columns": grid.columns, "rows": grid.rows,
    }  # fmt: skip


def name(size: Cells) -> str:
    """What a size is called: own, or its sides in twelfths of the picture's own."""
    return "own" if size == OWN else f"{size[0]}x{size[1]}"


def _probed(seen: dict[Cells, list[_Seen]], seed: int) -> list[Row]:
    """What probes fitted at each size read at every other, a row a picture, which no probe of its rows was fitted on.

    Along an axis those pictures count whose things lie on several thirds of it, so that no third is nearly all.
    """
    rows: list[Row] = []
    for axis, fold in itertools.product(AXES, range(FOLDS)):
        certain = {size: [one for one in of if len(set(one.thirds(axis))) > 1] for size, of in seen.items()}
        for fitted, pictures in certain.items():
            train = [one for one in pictures if one.fold != fold]
            labels = np.concatenate([one.thirds(axis) for one in train]) if train else np.empty(0, np.int64)
            if len(train) < FITTED or set(labels.tolist()) != {0, 1, 2}:
                continue
            mixed = np.random.default_rng(seed).permutation(labels)
            for layer in train[0].states:
                features = torch.cat([one.states[layer] for one in train])
                probe, null = (
                    probes.fit(features, torch.from_numpy(y), 3, method="logistic", seed=seed) for y in (labels, mixed)
                )
                rows += [
                    _row(one.example, size, one.grid) | {"kind": "probe", "axis": axis, "layer": layer}
                    | {"fitted": name(fitted), "share": _read(probe, one, layer, axis)}
                    | {"share_shuffled": _read(null, one, layer, axis)}
                    for size, others in certain.items() for one in others if one.fold == fold
                ]  # fmt: skip
    return rows


def _read(probe: probes.Probe, one: _Seen, layer: int, axis: str) -> float:
    """The share of a picture's tokens that a probe gives to the third that they lie in."""
    given = probe.shares(one.states[layer]).cpu().numpy()
    return float(given[np.arange(len(given)), one.thirds(axis)].mean(dtype=np.float64))
