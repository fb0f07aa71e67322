"""Amplification of order in the image embeddings, along the directions of position probes (Dual Mechanisms, 5.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet
from backsight.maths import edits, probes
from backsight.models import embeds
from backsight.models.prompts import Batch
from backsight.models.sites import Edit, SiteName
from backsight.models.vlm import VLM
from backsight.repairs import choosing
from backsight.repairs.base import Affine, Fitted, Repair
from backsight.stimuli.arrangements import by_arrangement, labelled, split

Form = Literal["projected", "printed"]
LARGEST = 15.0


@dataclass(frozen=True, eq=False)
class Amplified(Fitted):
    """A fitted amplification: `directions` (direction, d_model), added to every image token on its way in."""

    name: ClassVar[str] = "amplification"
    sites: ClassVar[tuple[SiteName | Literal["logits"], ...]] = ("image_embeds",)

    directions: Tensor
    alpha: float
    form: Form = "projected"

    def __call__(self, states: Tensor) -> Tensor:
        """The image embeddings (image_token, d_model) with order amplified."""
        change = edits.amplified if self.form == "projected" else edits.shifted
        return change(states, self.directions, self.alpha)

    def check(self, vlm: VLM) -> None:
        """UsageError where the model's embeddings have another width than the directions."""
        super().check(vlm)
        width = int(vlm.model.get_input_embeddings().weight.shape[1])
        if self.directions.shape[1] != width:
            raise UsageError(
                "This amplification was made for embeddings of another width",
                got=f"directions of {self.directions.shape[1]}, embeddings of {width}", do="fit it on this model",
            )  # fmt: skip

    def edits(self, vlm: VLM, batch: Batch | None) -> tuple[Edit, ...]:
        """One edit of the image embeddings."""
        return (Edit("image_embeds", self),)

    def control(self, seed: int) -> Amplified:
        """The same with the directions turned at random."""
        return replace(self, directions=edits.random_directions(self.directions, seed))

    def affine(self, width: int) -> Affine:
        """Both forms are one: e + alpha e P of the projected one, e + alpha s of the printed one."""
        nothing = torch.zeros(1, width)
        shift = self(nothing)[0]
        return Affine(self(torch.eye(width)) - shift, shift)


@dataclass(frozen=True)
class Amplification(Repair):
    """`alpha` times the probe directions' part on top of every image embedding.

    `form` is `projected`, as the authors' code ran it, or `printed`, their equation 3. `method` fits the probes:
    `logistic`, or `adamw`, the authors' fit, whose directions keep much of their random beginning (docs/method.md).
    UsageError for an alpha outside of 0 .. 15, the range that they tried.
    """

    name: ClassVar[str] = "amplification"

    alpha: float = 4.0
    form: Form = "projected"
    seed: int = 0
    method: probes.Method = "logistic"

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= LARGEST:
            raise UsageError("alpha is outside of its range", got=self.alpha, do=f"give 0 to {LARGEST:g}")
        if self.seed < 0:
            raise UsageError("A seed is a number from 0 on", got=self.seed)
        if self.form not in ("projected", "printed"):
            raise UsageError("There is no such form of amplification", got=self.form, do="give projected or printed")

    def fit(self, vlm: VLM, examples: ExampleSet) -> Amplified:
        """Fit position probes on rows of three (each axis by itself) and take their columns as directions.

        UsageError where there are none.
        """
        choosing.demand_some(examples, self.name)
        return Amplified(directions(vlm, examples, self.seed, method=self.method).columns, self.alpha, self.form)


class Directions(NamedTuple):
    """The columns (direction, d_model) of position probes, and their accuracy on object tokens of other pictures."""

    columns: Tensor
    accuracy: float


def directions(
    vlm: VLM, examples: ExampleSet, seed: int = 0, batch: int = 16, *, method: probes.Method = "logistic"
) -> Directions:
    """Position probes fitted on the object tokens of some rows or grids: three quarters of them, the rest to score."""
    columns, right = [], []
    for number, pictures in enumerate(by_arrangement(examples).values()):
        train, test = split(pictures, seed)
        if not train or not test:
            raise CannotAnswer("Too few pictures to fit position probes on some and score them on others",
                               got=len(pictures))  # fmt: skip
        states, labels = _object_tokens(vlm, train, batch)
        probe = probes.fit(states, labels, int(labels.max()) + 1, method=method, seed=seed + number)
        columns.append(probe.weight.T)
        states, labels = _object_tokens(vlm, test, batch)
        right.append(probe.shares(states).gather(-1, labels[:, None]).flatten())
    return Directions(torch.cat(columns), float(torch.cat(right).mean()))


def _object_tokens(vlm: VLM, pictures: Sequence[Example], batch: int) -> tuple[Tensor, Tensor]:
    """Image embeddings (token, d_model) of tokens on which an object is, and the positions there (token,)."""
    states, positions = [], []
    for start in range(0, len(pictures), batch):
        part = pictures[start : start + batch]
        for example, value in zip(
            part, embeds.of_pictures(vlm, [e.picture for e in part], vlm.call(part)), strict=True
        ):
            position = torch.from_numpy(labelled(example, vlm.grid_of(example.picture))[0]).to(value.device)
            states.append(value[position >= 0])
            positions.append(position[position >= 0])
    return torch.cat(states), torch.cat(positions)
