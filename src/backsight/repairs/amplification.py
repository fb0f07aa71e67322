"""Amplification of order in the image embeddings, along the directions of position probes (Dual Mechanisms, 5.4)."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from backsight.errors import UsageError
from backsight.examples import ExampleSet
from backsight.maths import edits, probes
from backsight.models import embeds
from backsight.models.sites import Edit
from backsight.models.vlm import VLM
from backsight.stimuli.arrangements import by_arrangement, labelled

Form = Literal["projected", "printed"]
LARGEST = 15.0


@dataclass(frozen=True)
class Amplified:
    """A fitted amplification: `directions` (direction, d_model), added to every image token on its way in."""

    directions: Tensor
    alpha: float
    form: Form = "projected"

    def __call__(self, states: Tensor) -> Tensor:
        """The image embeddings (image_token, d_model) with order amplified."""
        change = edits.amplified if self.form == "projected" else edits.shifted
        return change(states, self.directions, self.alpha)

    def applied(self, vlm: VLM) -> AbstractContextManager[None]:
        """A context in which every call of the model, `generate` included, has the amplified embeddings."""
        return vlm.editing(Edit("image_embeds", self))


@dataclass(frozen=True)
class Amplification:
    """`alpha` times the probe directions' part on top of every image embedding.

    `form` is `projected`, as the authors' code ran it, or `printed`, their equation 3. UsageError for an alpha outside
    of 0 .. 15, the range that they tried.
    """

    alpha: float = 4.0
    form: Form = "projected"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= LARGEST:
            raise UsageError("alpha is outside of its range", got=self.alpha, do=f"give 0 to {LARGEST:g}")
        if self.form not in ("projected", "printed"):
            raise UsageError("There is no such form of amplification", got=self.form, do="give projected or printed")

    def fit(self, vlm: VLM, examples: ExampleSet) -> Amplified:
        """Fit position probes on rows of three (each axis by itself) and take their columns as directions."""
        return Amplified(directions(vlm, examples, self.seed), self.alpha, self.form)


def directions(vlm: VLM, examples: ExampleSet, seed: int = 0, batch: int = 16) -> Tensor:
    """The columns (direction, d_model) of position probes fitted on the object tokens of some rows or grids."""
    found = []
    for pictures in by_arrangement(examples).values():
        states, labels = [], []
        for start in range(0, len(pictures), batch):
            part = pictures[start : start + batch]
            for example, value in zip(part, embeds.of_pictures(vlm, [e.picture for e in part]), strict=True):
                place = torch.from_numpy(labelled(example, vlm.grid_of(example.picture))[0]).to(value.device)
                states.append(value[place >= 0])
                labels.append(place[place >= 0])
        label = torch.cat(labels)
        found.append(probes.fit(torch.cat(states), label, int(label.max()) + 1, seed=seed).weight.T)
    return torch.cat(found)
