"""Position probes: is a thing's ordinal position readable from its tokens, from the background's, from which layer on?

A linear probe is fitted on the tokens of the objects in three quarters of the pictures and scored on the rest (Dual
Mechanisms, 5.2.1, B.3, B.4): at the image embeddings, behind each block of the vision encoder, before each block of the
language model. Beside it stands a probe of shuffled positions, and beyond the objects the background tokens: how many
are given the position of the strip that they lie in. Rows that stand elsewhere tell ordinal position from absolute
column. A token that a probe gives to several positions alike counts for each as its share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet
from backsight.maths import probes
from backsight.measurements import costs, memory
from backsight.measurements.base import Measurement, Row, Samples
from backsight.models import embeds
from backsight.models.facts import ModelFacts
from backsight.models.families.common import ONE_GRID, PATCH_ORDER
from backsight.models.sites import SiteName
from backsight.models.vlm import VLM
from backsight.results import Result, probe_maps
from backsight.results import probes as position_probes
from backsight.stimuli.arrangements import arrangement, by_arrangement, labelled, positions, shifted, split
from backsight.stimuli.rows import Row as Row3

Layer = tuple[SiteName, int]  # a site and a layer of it


@dataclass(frozen=True)
class _Shown:
    """A picture to be probed. `labels` (image_token,): the position of a token's object, -1 on the background.

    `strips` (image_token,): the strip, or the field of a grid of things, that each token lies in.
    """

    example: Example
    labels: np.ndarray  # type: ignore[type-arg]
    strips: np.ndarray  # type: ignore[type-arg]


@dataclass(frozen=True)
class Probes(Measurement):
    """Share of tokens given their position, a row a test picture, site and layer. Fitted by arrangement (axis or grid).

    `deep` also probes every block of the vision encoder and the language model, and the shifted rows. `method` is the
    authors' fit, `adamw`, or `logistic`, which a study takes: it reads more where there are many positions, and hangs
    on no random beginning (docs/method.md has both in numbers).
    """

    result: ClassVar[Result] = position_probes.RESULT
    requires: ClassVar[frozenset[str]] = frozenset({ONE_GRID})
    needs_all_samples: ClassVar[bool] = True

    deep: bool = True
    method: probes.Method = "adamw"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in ("adamw", "logistic"):
            raise UsageError("There is no such way to fit a probe", got=self.method, do="give adamw or logistic")

    def applies(self, samples: Samples) -> bool:
        """Rows and grids of things."""
        try:
            return isinstance(samples, ExampleSet) and all(positions(e) for e in samples)
        except CannotAnswer:
            return False

    def check(self, facts: ModelFacts, samples: Samples) -> None:
        """CannotAnswer where the samples show no positions, or too few pictures to fit on."""
        if not isinstance(samples, ExampleSet):
            raise UsageError("Probes take an example set, not pairs", got=samples.name)
        for pictures in by_arrangement(samples).values():
            if len(pictures) < 8:
                raise CannotAnswer("Too few pictures to fit a probe", got=f"{len(pictures)}, at least 8 are needed")
            train, test = split(pictures, self.seed)
            if len(train) < 6 or not test:
                got = f"{len(train)} to fit on and {len(test)} to score, of {len(pictures)} that share photographs"
                raise CannotAnswer("Too few pictures to fit a probe", got=got)

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """One forward a picture, and two for each test picture whose shifted rows are shown beside; without `deep` the
        vision encoder alone."""
        assert isinstance(samples, ExampleSet)
        spent: list[costs.Spent] = []
        for pictures in by_arrangement(samples).values():
            for number, part in enumerate(split(pictures, self.seed)):
                run = costs.forwards if self.deep else costs.pictures
                spent += run(facts, part, self.batch)
                if number and self.deep and all(isinstance(e.source, Row3) for e in part):
                    spent += run(facts, [e for e in part for _ in range(2)], self.batch)
        return sum(facts.equivalents(call, flops) for call, flops in spent)

    def bytes_each(self, facts: ModelFacts, samples: Samples) -> int:
        """One pass with the states of all sites, and those of the batch before it."""
        sizes = facts.sizes(samples)
        states = memory.states(sizes, deep=self.deep)
        if not self.deep:
            return memory.pictures(sizes, 1) + states
        patches = sizes.vision.layers * sizes.patches * sizes.vision.width * sizes.item
        return memory.forward(sizes) + patches + 2 * states

    def bytes_held(self, facts: ModelFacts, samples: Samples) -> int:
        """The object tokens' states of all sites that a probe is fitted on, and four times over those of one site."""
        assert isinstance(samples, ExampleSet)
        sizes = facts.sizes(samples)
        kinds = by_arrangement(samples).values()
        most = max(memory.marked(facts, split(pictures, self.seed)[0]) for pictures in kinds)
        of_all = memory.states(sizes, deep=self.deep) // sizes.image_tokens
        return most * (of_all + 4 * max(sizes.text.width, sizes.vision.width) * memory.FLOAT)

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """Rows of every test picture at every site and layer; shifted rows have `shown` shifted."""
        scored: list[Row] = []
        for kind, pictures in by_arrangement(samples).items():
            train, test = split(pictures, self.seed)
            fitted = self._fit(vlm, train)
            scored += self._scored(vlm, test, fitted, kind, "standard")
            if self.deep and all(isinstance(e.source, Row3) for e in test):
                moved = [m for e in test for m in _shifted(vlm, e)]
                scored += self._scored(vlm, moved, fitted, kind, "shifted", asked=test)
        return scored

    def _fit(self, vlm: VLM, train: Sequence[Example]) -> dict[Layer, tuple[probes.Probe, probes.Probe]]:
        """A probe and one of shuffled positions, at every site and layer."""
        states: dict[Layer, list[Tensor]] = {}
        labels, images = [], []
        for number, (shown, features) in enumerate(self._seen(vlm, train)):
            on = shown.labels >= 0
            labels.append(shown.labels[on])
            images.append(np.full(on.sum(), number))
            for at, value in features.items():
                states.setdefault(at, []).append(value[torch.from_numpy(on).to(value.device)])
        label = np.concatenate(labels)
        mixed = probes.shuffled(label, np.concatenate(images), self.seed)
        classes = int(label.max()) + 1
        return {
            at: (
                probes.fit(torch.cat(value), torch.from_numpy(label), classes, method=self.method, seed=self.seed),
                probes.fit(torch.cat(value), torch.from_numpy(mixed), classes, method=self.method, seed=self.seed),
            )
            for at, value in states.items()
        }

    def _scored(
        self, vlm: VLM, test: Sequence[Example], fitted: dict[Layer, tuple[probes.Probe, probes.Probe]], kind: str,
        shown: str, *, asked: Sequence[Example] = (),
    ) -> list[Row]:  # fmt: skip
        scored: list[Row] = []
        per = len(test) // len(asked) if asked else 1
        for number, (seen, features) in enumerate(self._seen(vlm, test)):
            original = asked[number // per] if asked else seen.example
            on = seen.labels >= 0
            for (site, layer), value in features.items():
                probe, null = fitted[site, layer]
                given, chance = probe.shares(value).cpu().numpy(), null.shares(value).cpu().numpy()
                differ = on & (seen.labels != seen.strips)
                row = {
                    "example_id": original.id, "image_id": seen.example.image_id, "suite": original.suite,
                    "arrangement": kind, "shown": shown, "site": site, "layer": layer,
                    "places": probe.bias.shape[0],
                    "objects": _share(given, seen.labels, on),
                    "objects_shuffled": _share(chance, seen.labels, on),
                    "background": _share(given, seen.strips, ~on),
                    "background_shuffled": _share(chance, seen.strips, ~on),
                    "as_ordinal": _share(given, seen.labels, differ),
                    "as_column": _share(given, seen.strips, differ),
                }  # fmt: skip
                scored.append(row)
        return scored

    def _seen(self, vlm: VLM, pictures: Sequence[Example]) -> Iterator[tuple[_Shown, dict[Layer, Tensor]]]:
        """Each picture with its tokens' states (image_token, d_model) by site and layer."""
        for start in range(0, len(pictures), self.batch):
            part = pictures[start : start + self.batch]
            states = _states(vlm, part) if self.deep else _embedded(vlm, part)
            for index, example in enumerate(part):
                grid = vlm.grid_of(example.picture)
                labels, strips = labelled(example, grid)
                yield _Shown(example, labels, strips), {at: values[index] for at, values in states.items()}


@dataclass(frozen=True)
class ProbeMaps(Probes):
    """What the probe at the image embeddings says of every token over the test pictures, a row a token and position."""

    result: ClassVar[Result] = probe_maps.RESULT
    requires: ClassVar[frozenset[str]] = frozenset({ONE_GRID})

    deep: bool = False

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """A row a token and position: the share of test pictures in which the token is given that position."""
        maps: list[Row] = []
        for kind, pictures in by_arrangement(samples).items():
            train, test = split(pictures, self.seed)
            probe, _ = self._fit(vlm, train)["image_embeds", 0]
            seen = (features["image_embeds", 0] for _, features in self._seen(vlm, test))
            given = np.stack([probe.shares(states).cpu().numpy() for states in seen]).mean(0, dtype=np.float64)
            grid = vlm.grid_of(test[0].picture)
            labels, _ = labelled(test[0], grid)
            for token in range(len(grid)):
                for position in range(probe.bias.shape[0]):
                    maps.append(
                        {
                            "suite": samples[0].suite, "arrangement": kind, "row": int(grid.row[token]),
                            "column": int(grid.column[token]), "place": position,
                            "share": float(given[token, position]), "pictures": len(test),
                            "object": None if labels[token] < 0 else int(labels[token]),
                        }
                    )  # fmt: skip
        return maps


def _share(given: np.ndarray, wanted: np.ndarray, among: np.ndarray) -> float | None:  # type: ignore[type-arg]
    """The mean share (image_token, class) that the tokens `among` all give to their wanted class (image_token,)."""
    at = np.flatnonzero(among)
    return float(given[at, wanted[at]].mean(dtype=np.float64)) if len(at) else None


def _shifted(vlm: VLM, example: Example) -> list[Example]:
    grid = vlm.grid_of(example.picture)
    return shifted(example, grid.cell[0 if arrangement(example) == "horizontal" else 1])


def _embedded(vlm: VLM, examples: Sequence[Example]) -> dict[Layer, list[Tensor]]:
    return {("image_embeds", 0): embeds.of_pictures(vlm, [e.picture for e in examples], vlm.call(examples))}


def _states(vlm: VLM, examples: Sequence[Example]) -> dict[Layer, list[Tensor]]:
    """States of each example's image tokens, in raster order, at every site and layer."""
    batch = vlm.prepare(examples)
    sites: list[SiteName] = ["image_embeds", "resid_pre"]
    if vlm.family.can(PATCH_ORDER):
        sites.append("vision")
    with vlm.recording(*sites, positions="image") as recorded:
        vlm.forward(batch)
    counts = [len(grid) for grid in batch.grids]
    states = {}
    for (site, layer), value in recorded.values.items():
        by_cell = embeds.by_cell(vlm, value, batch) if site == "vision" else value
        states[site, layer] = list(torch.split(by_cell, counts))
    return states
