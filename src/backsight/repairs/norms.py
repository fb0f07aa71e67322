"""A rescale of image embeddings at inference time, to the length of the text embeddings beside them.

Not the *embedding norm normalisation* of "Beyond Semantics" (arXiv 2503.17349), which is a projector with a norm layer,
trained: a rescale of a model that was not trained with it is another intervention.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

from backsight.errors import UsageError
from backsight.examples import ExampleSet
from backsight.models import embeds
from backsight.models.prompts import Batch
from backsight.models.sites import Edit, SiteName
from backsight.models.vlm import VLM
from backsight.repairs import choosing
from backsight.repairs.base import Affine, Fitted, Repair

Mode = Literal["token", "fixed"]
MODES: tuple[Mode, ...] = ("token", "fixed")


@dataclass(frozen=True)
class Rescaled(Fitted):
    """Image embeddings at another length, directions kept. Lengths are Euclidean norms at the language model's input.

    `token` gives each image token the length `text`; `fixed` multiplies all by `text` / `image`, the mean lengths of
    text and image tokens on the development split. What is then longer than `clip` is cut to it; None cuts nothing.
    With a `dealt` seed each token's factor is turned upside down at random: the control.
    """

    name: ClassVar[str] = "norm_rescale"
    sites: ClassVar[tuple[SiteName | Literal["logits"], ...]] = ("image_embeds",)

    text: float
    image: float
    mode: Mode = "token"
    clip: float | None = None
    dealt: int | None = None

    def __post_init__(self) -> None:
        _demand_mode(self.mode)
        lengths = {"text": self.text, "image": self.image, "clip": 1.0 if self.clip is None else self.clip}
        wrong = [f"{name} {value:g}" for name, value in lengths.items() if not 0 < value < math.inf]
        if wrong:
            raise UsageError("A length of embeddings is positive", got=", ".join(wrong), do="fit it to a model")

    def __call__(self, states: Tensor, prompts: Tensor | None = None) -> Tensor:
        """The image embeddings (image_token, d_model) rescaled; `prompts` says whose they are, None of one picture."""
        lengths = states.float().norm(dim=-1, keepdim=True).clamp_min(1e-12)
        factor = self.text / lengths if self.mode == "token" else torch.full_like(lengths, self.text / self.image)
        if self.clip is not None:
            factor = torch.minimum(factor, self.clip / lengths)
        if self.dealt is not None:
            factor = torch.where(self._turned(prompts, states)[:, None], 1 / factor, factor)
        return (states.float() * factor).to(states.dtype)

    def _turned(self, prompts: Tensor | None, states: Tensor) -> Tensor:
        """Which tokens' factors are turned upside down, by their number within the picture."""
        if prompts is None:
            prompts = torch.zeros(len(states), dtype=torch.long, device=states.device)
        counts = torch.bincount(prompts)
        first = counts.cumsum(0) - counts
        number = torch.arange(len(prompts), device=prompts.device) - first[prompts]
        generator = torch.Generator().manual_seed(int(self.dealt or 0))
        signs = torch.rand(4096, generator=generator) < 0.5  # of a picture with more tokens they repeat
        return signs.to(states.device)[number % len(signs)]

    def edits(self, vlm: VLM, batch: Batch | None) -> tuple[Edit, ...]:
        """One edit of the image embeddings."""
        return (Edit("image_embeds", self, by_prompt=True),)

    def control(self, seed: int) -> Rescaled:
        """The same change of each token's length, up or down at random: lengths change alike, to no length of text."""
        return replace(self, dealt=seed)

    def affine(self, width: int) -> Affine | None:
        """A factor, if it is one: `fixed` without a clip."""
        if self.mode != "fixed" or self.clip is not None or self.dealt is not None:
            return None
        return Affine(torch.eye(width) * (self.text / self.image), torch.zeros(width))


@dataclass(frozen=True)
class NormRescale(Repair):
    """Image embeddings rescaled to the mean length of the development split's text tokens.

    `mode` is `token`, each image token to that length, or `fixed`, one factor for all. `clip` cuts what is longer than
    the longest text embedding there, as the paper's projector does. UsageError for an unknown mode.
    """

    name: ClassVar[str] = "norm_rescale"

    mode: Mode = "token"
    clip: bool = True

    def __post_init__(self) -> None:
        _demand_mode(self.mode)

    def fit(self, vlm: VLM, examples: ExampleSet) -> Rescaled:
        """The lengths on the development split, of which no answer is asked; UsageError where it is empty."""
        choosing.demand_some(examples, self.name)
        text, image = lengths(vlm, examples)
        return Rescaled(float(text.mean()), float(image.mean()), self.mode, float(text.max()) if self.clip else None)


def lengths(vlm: VLM, examples: ExampleSet) -> tuple[Tensor, Tensor]:
    """Norms of the text embeddings (text_token,) of prompts and of the image embeddings (image_token,) of their
    pictures, as they stand side by side at the language model's input; equal pictures count once."""
    text, image, shown = [], [], set[str]()
    for part in choosing.batches(examples):
        batch = vlm.prepare(part)
        ids = batch.input_ids[batch.attention_mask.bool() & ~batch.image_mask]
        with torch.no_grad():
            text.append(vlm.model.get_input_embeddings()(ids).float().norm(dim=-1))
        new = {e.image_id: e.picture for e in part if e.image_id not in shown}
        shown |= new.keys()
        if new:
            image += [e.float().norm(dim=-1) for e in embeds.of_pictures(vlm, list(new.values()), vlm.call(batch))]
    return torch.cat(text).cpu(), torch.cat(image).cpu()


def _demand_mode(mode: str) -> None:
    if mode not in MODES:
        raise UsageError("There is no such mode of rescaling", got=mode, do=f"choose from: {', '.join(MODES)}")
