"""The vote of both sides: the mirrored picture is asked too, and both answers are combined.

No parameters, nothing fitted, twice the cost: what any other repair must beat.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from backsight.errors import EditError
from backsight.examples import Example, ExampleSet
from backsight.models import blocks
from backsight.models.families.common import MIRRORS
from backsight.models.prompts import Batch
from backsight.models.sides import Exchange, Sides, with_columns
from backsight.models.sites import Edit, SiteName
from backsight.models.vlm import VLM
from backsight.repairs.base import Fitted, Repair

SHIFT = 24  # a shifted picture is moved by up to one part in so many of its side


@dataclass(frozen=True)
class Voted(Fitted):
    """The mean of log p of the plain call and of the mirrored one, the words left and right exchanged back.

    The mirrored call shows the picture in a mirror and asks with left and right exchanged (`models.sides`); a question
    without these words (above, below) is asked as it is. It holds for each call of the model for a prompt, so that in
    `generate` the first token is voted and later ones follow from the plain side. With a `shifted` seed the second
    picture is shifted instead, and nothing is exchanged: the control.
    """

    name: ClassVar[str] = "both_sides"
    sites: ClassVar[tuple[SiteName | Literal["logits"], ...]] = ("logits",)
    requires: ClassVar[frozenset[str]] = frozenset({MIRRORS})
    passes: ClassVar[float] = 2.0

    shifted: int | None = None

    def ready(self, vlm: VLM, examples: Sequence[Example]) -> None:
        """CannotAnswer where a word of a question has no counterpart in the tokenizer."""
        super().ready(vlm, examples)
        sides = Sides(vlm.tokenizer, vlm.prompter.image_token_id)
        if self.shifted is None:
            for text in dict.fromkeys(vlm.prompter.text(e.question, e.system) for e in examples):
                sides.exchanged(torch.tensor([vlm.tokenizer.encode(text)]))

    def edits(self, vlm: VLM, batch: Batch | None) -> tuple[Edit, ...]:
        """None: it acts on whole calls."""
        return ()

    def entered(self, vlm: VLM, batch: Batch | None) -> AbstractContextManager[None]:
        """The second call beside each call for a prompt; CannotAnswer where the tokenizer has no words for it."""
        return _voting(vlm, self, Sides(vlm.tokenizer, vlm.prompter.image_token_id))

    def control(self, seed: int) -> Voted:
        """A second look that is no mirror: the picture shifted by a few pixels, the same question, the same mean.

        Up to 1/24 of its sides, around the edge; by how much follows from the seed.
        """
        return replace(self, shifted=seed)

    def redraw(self, raster: Tensor) -> Tensor:
        """Rasters (..., height, width) as the second call shows them."""
        if self.shifted is None:
            return raster.flip(-1)
        rng = np.random.default_rng(self.shifted)
        most = [max(1, side // SHIFT) for side in raster.shape[-2:]]
        moved = tuple(int(rng.integers(1, m + 1)) * int(rng.choice([-1, 1])) for m in most)
        return raster.roll(moved, (-2, -1))


@dataclass(frozen=True)
class BothSides(Repair):
    """Both sides of a question, combined; there is nothing to fit, and no development split is needed."""

    name: ClassVar[str] = "both_sides"

    def fit(self, vlm: VLM, examples: ExampleSet) -> Voted:
        """The vote."""
        return Voted()


@dataclass
class _Vote:
    """The second call of each call of a model."""

    vlm: VLM
    fitted: Voted
    sides: Sides
    encoded: dict[str, Any] = field(default_factory=dict)  # the pixels that `generate` encoded before its first call

    def around(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Callable[[Tensor], Tensor]:
        """Run the second call; what comes back combines a call's logits with it."""
        ids = blocks.input_ids(args, kwargs)
        if ids is None:
            raise EditError("A question cannot be exchanged in a call without input ids", where=self.fitted.name)
        asked, labels = self.sides.exchanged(ids) if self.fitted.shifted is None else (ids, [])
        pixels = self._pixels(kwargs, len(ids))
        shown = self.vlm.family.redrawn(self.vlm.model.config, pixels, self.fitted.redraw)
        kept = blocks.cut_mask(blocks.without_encoded(blocks.without_cache(kwargs)), ids.shape[1])
        given = {**kept, **shown, "input_ids": asked}
        with self.vlm.hooks.aside(), torch.no_grad():
            logits: Tensor = self.vlm.model(**given, **blocks.WHOLE_PROMPT).logits
        return lambda plain: self.combined(plain, logits, labels)

    def combined(self, plain: Tensor, second: Tensor, labels: list[tuple[Exchange, ...]]) -> Tensor:
        """The mean of log p of both calls (batch, position, vocabulary), what the second one says exchanged back."""
        if self.fitted.shifted is None:
            second = with_columns(second, self.sides.words)
            second = torch.stack([with_columns(one, pairs) for one, pairs in zip(second, labels, strict=True)])
        mean = (torch.log_softmax(plain.float(), -1) + torch.log_softmax(second.float(), -1)) / 2
        return mean.to(plain.dtype)

    def _pixels(self, kwargs: dict[str, Any], rows: int) -> Mapping[str, Tensor]:
        """The pixels of a call's pictures, one a prompt; `generate` may ask about a picture several times."""
        pixels = self.vlm.family.taken(kwargs) or self.vlm.family.taken(self.encoded)
        if not pixels:
            raise EditError("A call without a picture has no other side", where=self.fitted.name)
        return _repeated(pixels, rows // len(pixels[self.vlm.family.image_inputs[-1]]))


def _repeated(pixels: Mapping[str, Tensor], times: int) -> Mapping[str, Tensor]:
    if times == 1:
        return pixels
    grids = pixels.get("image_grid_thw")
    parts = torch.split(pixels["pixel_values"], 1 if grids is None else grids.prod(-1).tolist())
    new = {"pixel_values": torch.cat([part for part in parts for _ in range(times)])}
    return new if grids is None else {**new, "image_grid_thw": grids.repeat_interleave(times, 0)}


@contextmanager
def _voting(vlm: VLM, fitted: Voted, sides: Sides) -> Iterator[None]:
    vote, base = _Vote(vlm, fitted, sides), vlm.parts.base
    plain: Callable[..., Any] = base.get_image_features  # type: ignore[assignment]

    @functools.wraps(plain)
    def kept(*args: Any, **kwargs: Any) -> Any:
        if not vlm.hooks.is_aside:
            vote.encoded = {**dict(zip(vlm.family.image_inputs, args, strict=False)), **kwargs}
        return plain(*args, **kwargs)

    base.get_image_features = kept  # type: ignore[assignment]
    try:
        with vlm.hooks.around(vote.around):
            yield
    finally:
        del base.get_image_features
