"""Sites: where in a model one reads or writes, and which positions of it.

The canonical sweep site is `resid_pre(l)`, l = 0..L: the input of decoder block l, and for l = L that of the final
norm. `resid_post(l)` is block l's raw output; the two differ where a family adds something between blocks. Then
`image_embeds` (image tokens as they enter the language model), `vision` (outputs of the vision encoder's blocks),
`heads` (input of the attention's output projection) and `scores` (attention before the softmax).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from backsight.errors import EditError, UsageError
from backsight.models.families.common import Family

SiteName = Literal["resid_pre", "resid_post", "image_embeds", "vision", "heads", "scores"]
SITES: tuple[SiteName, ...] = ("resid_pre", "resid_post", "image_embeds", "vision", "heads", "scores")


@dataclass(frozen=True)
class ImageTokens:
    """Positions given as indices into each example's image tokens: one list for all, or one an example."""

    indices: Sequence[int] | Sequence[Sequence[int]]

    def of(self, example: int) -> Sequence[int]:
        """The indices for one example of a batch."""
        first = self.indices[0] if len(self.indices) else 0
        if isinstance(first, Sequence):
            chosen = self.indices[example]
            assert isinstance(chosen, Sequence)
            return chosen
        return self.indices  # type: ignore[return-value]


@dataclass(frozen=True)
class AnyTokens:
    """As many positions of each prompt as it has image tokens, sampled from all of its tokens, text and image alike.

    Which ones follows from `seed` and the prompt's token ids, whatever else is in the batch.
    """

    seed: int


Positions = Literal["all", "image", "last"] | ImageTokens | AnyTokens | Tensor


@dataclass(frozen=True)
class Edit:
    """A pure function of the selected rows at a site, in some layers.

    `function` takes the selected rows (row, ...) in batch-major order and gives new ones of equal shape, dtype and
    device. At `resid_pre`, `resid_post` and `image_embeds` a row is (d_model,); at `heads` (heads x head_dim,); at
    `scores` (head, key), one row a query. At `vision` the function takes a block's whole output. An edit addresses
    the prompt, not the tokens decoded after it, unless `decoded`. `layers` None means every layer of the site.

    At `scores`, `keys` are the positions that are looked at: then a row is (head,), one a query and key of those.
    `gate` makes of a prompt's plain next-token logits (batch, vocabulary) one number a prompt (batch,), and the
    function takes that number of each row's prompt (row,) as its second argument. The plain logits come from a forward
    pass of their own, in which edits without a gate apply. With `by_prompt` the function takes, as its last argument,
    which prompt of the batch each row belongs to (row,).
    """

    site: SiteName
    function: Callable[..., Tensor]
    layers: tuple[int, ...] | None = None
    positions: Positions = "all"
    decoded: bool = False
    keys: Positions | None = None
    gate: Callable[[Tensor], Tensor] | None = None
    by_prompt: bool = False

    def __post_init__(self) -> None:
        if self.site not in SITES:
            raise UsageError("There is no such site", got=self.site, do=f"choose from: {', '.join(SITES)}")
        if self.site == "vision" and not (isinstance(self.positions, str) and self.positions == "all"):
            raise UsageError("The vision encoder's blocks have no prompt positions", got=self.positions, do='use "all"')
        if self.keys is not None and (self.site != "scores" or self.decoded):
            raise UsageError(
                "Only scores of a prompt have keys", got=f"{self.site}, decoded={self.decoded}", do="leave out keys"
            )
        if (self.gate is not None or self.by_prompt) and (self.site == "vision" or self.decoded):
            raise UsageError(
                "A gate needs a site of the prompt in the language model, and so does an edit by prompt",
                got=f"{self.site}, decoded={self.decoded}", do="leave out `gate` and `by_prompt`",
            )  # fmt: skip

    def at(self, site: SiteName, layer: int) -> bool:
        """Whether the edit speaks to this site and layer."""
        return site == self.site and (self.layers is None or layer in self.layers)

    def apply(self, rows: Tensor, *more: Tensor) -> Tensor:
        """The function's result, of the rows and what its gate gave for each or whose they are; EditError where it
        changed shape, dtype or device."""
        new = self.function(rows, *more)
        got = (tuple(new.shape), new.dtype, new.device)
        if got != (tuple(rows.shape), rows.dtype, rows.device):
            raise EditError(
                "An edit must keep shape, dtype and device",
                where=f"{self.site}, layers {self.layers}",
                got=got,
                do=f"return {(tuple(rows.shape), rows.dtype, rows.device)}",
            )
        return new


@dataclass(frozen=True)
class Call:
    """What is known of the model call in progress, from its own arguments.

    `behind` tokens stand behind each prompt, as if they were decoded already: the prompt's last position is before
    them.
    """

    input_ids: Tensor | None
    attention_mask: Tensor | None
    past: int
    logits: Tensor | None = None  # (batch, vocabulary), plain ones, where an edit has a gate
    behind: int = 0

    def mask(self, positions: Positions, length: int, image_token_id: int) -> Tensor | None:
        """(batch, position), true at the selected positions; None for all. EditError where they cannot be found."""
        if isinstance(positions, str) and positions == "all":
            return None
        if isinstance(positions, Tensor):
            return self._given(positions, length)
        if self.input_ids is None:
            raise EditError("Positions cannot be found in a call without input ids", got=positions)
        if isinstance(positions, str) and positions == "last":
            return self._last(length)
        image = self.input_ids == image_token_id
        if isinstance(positions, ImageTokens):
            return _choose(image, positions)
        return self._sampled(image, positions) if isinstance(positions, AnyTokens) else image

    def _sampled(self, image: Tensor, positions: AnyTokens) -> Tensor:
        assert self.input_ids is not None
        chosen = torch.zeros_like(image)
        for row, ids in enumerate(self.input_ids[:, : image.shape[1] - self.behind].cpu()):
            places = torch.arange(len(ids))
            if self.attention_mask is not None and self.attention_mask.shape == self.input_ids.shape:
                places = self.attention_mask[row, : len(ids)].cpu().nonzero().flatten()
            entropy = positions.seed, zlib.crc32(ids[places].numpy().tobytes())
            order = np.random.default_rng(entropy).permutation(len(places))[: int(image[row].sum())]
            chosen[row, places[order].to(chosen.device)] = True
        return chosen

    def _given(self, positions: Tensor, length: int) -> Tensor:
        if self.behind and self.input_ids is not None and positions.shape[1] + self.behind == self.input_ids.shape[1]:
            positions = torch.cat([positions, positions.new_zeros(len(positions), self.behind)], 1)
        if self.input_ids is not None and positions.shape != self.input_ids.shape:
            raise EditError(
                "A mask of positions must have the shape of the input ids",
                got=tuple(positions.shape),
                do=f"give {tuple(self.input_ids.shape)}",
            )
        return positions.bool()

    def _last(self, length: int) -> Tensor:
        assert self.input_ids is not None
        rows = self.input_ids.shape[0]
        last = torch.full((rows,), length - 1 - self.behind, device=self.input_ids.device)
        if self.attention_mask is not None and self.attention_mask.shape == self.input_ids.shape:
            indices = torch.arange(length, device=last.device)
            last = (self.attention_mask.bool() * indices).argmax(-1) - self.behind
        mask = torch.zeros(rows, length, dtype=torch.bool, device=last.device)
        mask[torch.arange(rows, device=last.device), last] = True
        return mask


def _choose(image: Tensor, tokens: ImageTokens) -> Tensor:
    chosen = torch.zeros_like(image)
    for example in range(image.shape[0]):
        prompt = image[example].nonzero().flatten()
        wanted = list(tokens.of(example))
        if wanted and (max(wanted) >= len(prompt) or min(wanted) < 0):
            raise EditError(
                "An image token that the prompt does not have",
                where=f"example {example}",
                got=max(wanted),
                do=f"its prompt has {len(prompt)} image tokens, counted from 0",
            )
        chosen[example, prompt[wanted]] = True
    return chosen


@dataclass(frozen=True)
class Parts:
    """The modules of a model that sites live on."""

    base: nn.Module
    decoder: nn.Module
    layers: list[nn.Module]
    norm: nn.Module
    vision_blocks: list[nn.Module]

    @classmethod
    def of(cls, model: nn.Module, family: Family) -> Parts:
        """The parts of a model, where its family says they are."""
        return cls(*family.parts(model, family.vision_blocks))

    def count(self, site: SiteName) -> int:
        """How many layers a site has: L + 1 for resid_pre, L for the other decoder sites."""
        sizes = {"resid_pre": len(self.layers) + 1, "image_embeds": 1, "vision": len(self.vision_blocks)}
        return sizes.get(site, len(self.layers))

    @property
    def sites(self) -> tuple[SiteName, ...]:
        """The sites that this model has: a vision encoder may be without blocks."""
        return tuple(site for site in SITES if self.count(site))
