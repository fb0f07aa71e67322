"""Position probes: is the place of each thing readable from its tokens, from the background's, and from which layer on?

A linear probe is fitted on the tokens of the objects in three quarters of the pictures and scored on the rest (Dual
Mechanisms, 5.2.1, B.3, B.4): at the image embeddings, behind each block of the vision encoder, before each block of the
language model. Beside it stands a probe of shuffled places, and beyond the objects the background tokens: how many
are given the place of the strip that they lie in. Rows that stand elsewhere tell ordinal place from absolute column.
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
from backsight.measurements import memory
from backsight.measurements.base import Measurement, Row, Samples
from backsight.models import embeds
from backsight.models.sites import SiteName
from backsight.models.vlm import VLM
from backsight.results import Result, probe_maps
from backsight.results import probes as position_probes
from backsight.stimuli.arrangements import arrangement, by_arrangement, labelled, places, shifted, split
from backsight.stimuli.rows import Row as Row3

Place = tuple[SiteName, int]


@dataclass(frozen=True)
class _Shown:
    """A picture to be probed. `labels` (image_token,): the place of a token's object, -1 on the background.

    `strips` (image_token,): the strip, or the field of a grid of things, that each token lies in.
    """

    example: Example
    labels: np.ndarray  # type: ignore[type-arg]
    strips: np.ndarray  # type: ignore[type-arg]


@dataclass(frozen=True)
class Probes(Measurement):
    """Share of tokens given their place, one row a test picture, site and layer. Fitted per arrangement (axis or grid).

    `deep` also probes every block of the vision encoder and the language model, and the shifted rows.
    """

    result: ClassVar[Result] = position_probes.RESULT
    whole: ClassVar[bool] = True

    deep: bool = True
    method: probes.Method = "adamw"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in ("adamw", "logistic"):
            raise UsageError("There is no such way to fit a probe", got=self.method, do="give adamw or logistic")

    def applies(self, samples: Samples) -> bool:
        """Rows and grids of things."""
        try:
            return isinstance(samples, ExampleSet) and all(places(e) for e in samples)
        except CannotAnswer:
            return False

    def check(self, vlm: VLM, samples: Samples) -> None:
        """CannotAnswer where the samples show no places, or too few pictures to fit on."""
        if not isinstance(samples, ExampleSet):
            raise UsageError("Probes take an example set, not pairs", got=samples.name)
        for pictures in by_arrangement(samples).values():
            if len(pictures) < 8:
                raise CannotAnswer("Too few pictures to fit a probe", got=f"{len(pictures)}, at least 8 are needed")

    def cost(self, vlm: VLM, samples: Samples) -> float:
        """One forward a picture, three where shifted rows are shown beside."""
        assert isinstance(samples, ExampleSet)
        return float(sum(len(p) * (1.5 if self.deep else vlm.vision_share) for p in by_arrangement(samples).values()))

    def bytes_each(self, vlm: VLM, samples: Samples) -> int:
        """One pass with the states of all sites, and those of the batch before it."""
        sizes = memory.of(vlm, samples)
        states = memory.states(sizes, deep=self.deep)
        if not self.deep:
            return memory.pictures(sizes, 1) + states
        patches = sizes.vision.layers * sizes.patches * sizes.vision.width * sizes.item
        return memory.forward(sizes) + patches + 2 * states

    def bytes_held(self, vlm: VLM, samples: Samples) -> int:
        """The object tokens' states of all sites that a probe is fitted on, and four times over those of one site."""
        assert isinstance(samples, ExampleSet)
        sizes = memory.of(vlm, samples)
        kinds = by_arrangement(samples).values()
        most = max(memory.marked(vlm, split(pictures, self.seed)[0]) for pictures in kinds)
        of_all = memory.states(sizes, deep=self.deep) // sizes.image_tokens
        return most * (of_all + 4 * max(sizes.text.width, sizes.vision.width) * memory.FLOAT)

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """Rows of every test picture at every site and layer; shifted rows have `shown` shifted."""
        found: list[Row] = []
        for kind, pictures in by_arrangement(samples).items():
            train, test = split(pictures, self.seed)
            fitted = self._fit(vlm, train)
            found += self._scored(vlm, test, fitted, kind, "standard")
            if self.deep and all(isinstance(e.source, Row3) for e in test):
                moved = [m for e in test for m in _shifted(vlm, e)]
                found += self._scored(vlm, moved, fitted, kind, "shifted", asked=test)
        return found

    def _fit(self, vlm: VLM, train: Sequence[Example]) -> dict[Place, tuple[probes.Probe, probes.Probe]]:
        """A probe and one of shuffled places, at every site and layer."""
        states: dict[Place, list[Tensor]] = {}
        labels, images = [], []
        for number, (shown, features) in enumerate(self._seen(vlm, train)):
            on = shown.labels >= 0
            labels.append(shown.labels[on])
            images.append(np.full(on.sum(), number))
            for place, value in features.items():
                states.setdefault(place, []).append(value[torch.from_numpy(on).to(value.device)])
        label = np.concatenate(labels)
        mixed = probes.shuffled(label, np.concatenate(images), self.seed)
        classes = int(label.max()) + 1
        return {
            place: (
                probes.fit(torch.cat(value), torch.from_numpy(label), classes, method=self.method, seed=self.seed),
                probes.fit(torch.cat(value), torch.from_numpy(mixed), classes, method=self.method, seed=self.seed),
            )
            for place, value in states.items()
        }

    def _scored(
        self, vlm: VLM, test: Sequence[Example], fitted: dict[Place, tuple[probes.Probe, probes.Probe]], kind: str,
        shown: str, *, asked: Sequence[Example] = (),
    ) -> list[Row]:  # fmt: skip
        found = []
        per = len(test) // len(asked) if asked else 1
        for number, (seen, features) in enumerate(self._seen(vlm, test)):
            original = asked[number // per] if asked else seen.example
            on = seen.labels >= 0
            for (site, layer), value in features.items():
                probe, null = fitted[site, layer]
                given, chance = probe(value).cpu().numpy(), null(value).cpu().numpy()
                differ = on & (seen.labels != seen.strips)
                row = {
                    "example_id": original.id, "image_id": seen.example.image_id, "suite": original.suite,
                    "arrangement": kind, "shown": shown, "site": site, "layer": layer,
                    "places": probe.bias.shape[0],
                    "objects": _share(given == seen.labels, on),
                    "objects_shuffled": _share(chance == seen.labels, on),
                    "background": _share(given == seen.strips, ~on),
                    "background_shuffled": _share(chance == seen.strips, ~on),
                    "as_ordinal": _share(given == seen.labels, differ),
                    "as_column": _share(given == seen.strips, differ),
                }  # fmt: skip
                found.append(row)
        return found

    def _seen(self, vlm: VLM, pictures: Sequence[Example]) -> Iterator[tuple[_Shown, dict[Place, Tensor]]]:
        """Each picture with its tokens' states (image_token, d_model) by site and layer."""
        for start in range(0, len(pictures), self.batch):
            part = pictures[start : start + self.batch]
            states = _states(vlm, part) if self.deep else _embedded(vlm, part)
            for index, example in enumerate(part):
                grid = vlm.grid_of(example.picture)
                labels, strips = labelled(example, grid)
                yield _Shown(example, labels, strips), {place: values[index] for place, values in states.items()}


@dataclass(frozen=True)
class ProbeMaps(Probes):
    """What the probe at the image embeddings says of every token, over the test pictures: one row a token."""

    result: ClassVar[Result] = probe_maps.RESULT

    deep: bool = False

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """A row a token and place: the share of test pictures in which the token is given that place."""
        found: list[Row] = []
        for kind, pictures in by_arrangement(samples).items():
            train, test = split(pictures, self.seed)
            probe, _ = self._fit(vlm, train)["image_embeds", 0]
            given = torch.stack([probe(f["image_embeds", 0]) for _, f in self._seen(vlm, test)]).cpu().numpy()
            grid = vlm.grid_of(test[0].picture)
            labels, _ = labelled(test[0], grid)
            for token in range(len(grid)):
                for place in range(probe.bias.shape[0]):
                    found.append(
                        {
                            "suite": samples[0].suite, "arrangement": kind, "row": int(grid.row[token]),
                            "column": int(grid.column[token]), "place": place,
                            "share": float((given[:, token] == place).mean()), "pictures": len(test),
                            "object": None if labels[token] < 0 else int(labels[token]),
                        }
                    )  # fmt: skip
        return found


def _share(hit: np.ndarray, among: np.ndarray) -> float | None:  # type: ignore[type-arg]
    return float(hit[among].mean()) if among.any() else None


def _shifted(vlm: VLM, example: Example) -> list[Example]:
    grid = vlm.grid_of(example.picture)
    return shifted(example, grid.cell[0 if arrangement(example) == "horizontal" else 1])


def _embedded(vlm: VLM, examples: Sequence[Example]) -> dict[Place, list[Tensor]]:
    return {("image_embeds", 0): embeds.of_pictures(vlm, [e.picture for e in examples])}


def _states(vlm: VLM, examples: Sequence[Example]) -> dict[Place, list[Tensor]]:
    """States of each example's image tokens, in raster order, at every site and layer."""
    batch = vlm.prepare(examples)
    sites: list[SiteName] = ["image_embeds", "resid_pre"]
    if vlm.family.patches is not None:
        sites.append("vision")
    with vlm.recording(*sites, positions="image") as recorded:
        vlm.forward(batch)
    counts = [len(grid) for grid in batch.grids]
    found = {}
    for (site, layer), value in recorded.values.items():
        states = embeds.by_cell(vlm, value, batch) if site == "vision" else value
        found[site, layer] = list(torch.split(states, counts))
    return found
