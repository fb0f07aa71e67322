"""What a family is, and what most families share: the common Hugging Face way, as defaults of its fields.

A family is data, at most four small functions (the token grid of a picture, image features, where the parts are, pixels
redrawn) and a set of capabilities. Measurements declare the capabilities that they need, and ask for no family by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from backsight.errors import CannotAnswer, ModelError, UsageError
from backsight.grid import TokenGrid
from backsight.models import releases

Size = tuple[int, int]  # width, height in pixels
Processed = Mapping[str, Tensor]  # what an image processor makes of some pictures
Redraw = Callable[[Tensor], Tensor]  # of rasters (..., height, width), new ones of that size

CHAT = "chat"  # prompts go through a chat template; without it a prompt is the question behind the picture
VARIABLE_SIZE = "variable_size"  # pictures of any size, each with a grid of its own
ONE_GRID = "one_grid"  # the image tokens of a picture are the cells of one rectangle
ENTERS_ONCE = "enters_once"  # vision features enter the language model at its embeddings and nowhere else
SINGLE_CELLS = "single_cells"  # the vision encoder can take a cell by itself
MIRRORS = "mirrors"  # pixels behind the processor can be redrawn, such as in a mirror
PATCH_ORDER = "patch_order"  # which patches of the vision encoder belong to a token is known

LACKING: dict[str, str] = {
    CHAT: "This architecture's prompts have no chat template",
    VARIABLE_SIZE: "This family takes pictures of one size only",
    ONE_GRID: "The image tokens of this architecture are not one rectangle of cells",
    ENTERS_ONCE: "Vision features enter between the decoder's blocks too",
    SINGLE_CELLS: "The vision encoder of this architecture cannot take a cell by itself",
    MIRRORS: "How this architecture's pixels make a picture, which could be mirrored, is not known",
    PATCH_ORDER: "The order of this vision encoder's patches is not known",
}
USUAL = frozenset({CHAT, ONE_GRID, ENTERS_ONCE})


class Modules(NamedTuple):
    """The modules of a model that sites live on."""

    base: nn.Module
    decoder: nn.Module
    layers: list[nn.Module]
    norm: nn.Module
    vision_blocks: list[nn.Module]


@dataclass(frozen=True)
class Rotary:
    """Which axis of the picture each rotary frequency turns along.

    `vision`: `axial` gives half of a head's pairs to rows and half to columns, a position a patch; None has no rotary
    positions. `language`: `sections` as `mrope_section` shares them among time, rows and columns; `order` counts
    positions in raster order, where the next column is one position away and the next row a whole row of them.
    """

    vision: Literal["axial"] | None = None
    language: Literal["sections", "order"] = "order"


def square_grid(config: Any, size: Size, processed: Processed, index: int) -> TokenGrid:
    """One square grid over the whole picture, as many tokens as the configuration gives every picture."""
    pooled = getattr(config, "mm_tokens_per_image", None)
    side = math.isqrt(int(pooled)) if pooled is not None else patches_a_side(config)
    return TokenGrid.rectangle(side, side, size)


def patches_a_side(config: Any) -> int:
    """Patches along one side of a picture of the one size that a vision encoder takes."""
    return int(config.vision_config.image_size) // int(config.vision_config.patch_size)


def redrawn(config: Any, inputs: Mapping[str, Tensor], act: Redraw) -> dict[str, Tensor]:
    """A model's inputs with the pictures in them redrawn, where those are rasters."""
    return {**inputs, "pixel_values": act(inputs["pixel_values"])}


def image_features(model: Any, inputs: Mapping[str, Tensor]) -> Tensor:
    """Image embeddings (image_token, d_model) behind the projector, in the order of the prompts, with gradients."""
    output = model.base_model.get_image_features(**inputs, return_dict=True).pooler_output
    features: Tensor = torch.cat(list(output)) if isinstance(output, (tuple, list)) else output.flatten(0, -2)
    return features


def capped(model: Any, logits: Tensor) -> Tensor:
    """Logits behind the soft cap that some models put on them."""
    cap = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
    return logits if cap is None else torch.tanh(logits / cap) * cap


def modules(model: Any, vision_blocks: Iterable[str]) -> Modules:
    """The decoder as `get_decoder` gives it, and the vision blocks under the first of some paths that exists.

    ModelError where no path exists, or the blocks there are not as many as the configuration says.
    """
    decoder = model.get_decoder()
    paths = tuple(vision_blocks)
    blocks = next((list(child.children()) for path in paths if (child := _under(model, path)) is not None), [])
    vision = model.config.vision_config
    depths = (getattr(vision, name, None) for name in ("depth", "num_hidden_layers"))
    depth = next((int(n) for n in depths if n is not None), 0)
    if len(blocks) != depth:
        raise ModelError(
            "The vision encoder's blocks are not where they are looked for",
            where=" or ".join(paths), got=f"{len(blocks)} of {depth}",
            do=f"name their path in the family (`vision_blocks`); for a built-in family {releases.advice()}",
        )  # fmt: skip
    return Modules(model.base_model, decoder, list(decoder.layers), decoder.norm, blocks)


def _under(model: nn.Module, path: str) -> nn.Module | None:
    try:
        return model.get_submodule(path)
    except AttributeError:
        return None


@dataclass(frozen=True)
class Family:
    """One architecture.

    `model_type` is the configuration's. `vision_blocks` are paths of the vision encoder's blocks from the model, the
    first that exists is taken. `image_inputs` is what `features` takes of the processor's output. `type_ids` are
    inputs without which transformers silently computes something else. `stock_processor` names a processor class that
    must be opened without its video half. `suffix_type` is the type id of tokens behind the prompt. `patches` is the
    order of patches in the vision encoder: `merged` when those of a token follow one another, `raster`, or None.

    `grid(config, size, processed, index)` is the token grid of picture `index` of what the image processor gave, whose
    original size is (width, height): one token a row, in the order of the prompt, views one after another.
    `redrawn(config, inputs, act)` gives a model's inputs with each picture in them, as a raster, redrawn by `act`.
    `features(model, inputs)` gives the image embeddings (image_token, d_model), `parts(model, vision_blocks)` the
    modules that sites live on.
    """

    model_type: str
    name: str
    vision_blocks: tuple[str, ...]
    capabilities: frozenset[str] = USUAL
    image_inputs: tuple[str, ...] = ("pixel_values",)
    type_ids: tuple[str, ...] = ()
    stock_processor: str | None = None
    suffix_type: int = 0
    patches: Literal["merged", "raster"] | None = None
    rotary: Rotary = Rotary()
    grid: Callable[[Any, Size, Processed, int], TokenGrid] = square_grid
    redrawn: Callable[[Any, Mapping[str, Tensor], Redraw], dict[str, Tensor]] = redrawn
    features: Callable[[Any, Mapping[str, Tensor]], Tensor] = image_features
    parts: Callable[[Any, Iterable[str]], Modules] = modules

    def __post_init__(self) -> None:
        unknown = self.capabilities - LACKING.keys()
        if unknown:
            raise UsageError(
                "There is no such capability", where=f"family {self.name}", got=", ".join(sorted(unknown)),
                do=f"choose from: {', '.join(LACKING)}",
            )  # fmt: skip
        if self.can(PATCH_ORDER) != (self.patches is not None):
            raise UsageError(
                "A family that knows its patches' order must say it", where=f"family {self.name}",
                got=f"patches={self.patches!r}", do=f"give {PATCH_ORDER!r} and `patches` together, or neither",
            )  # fmt: skip

    def can(self, capability: str) -> bool:
        """Whether the architecture has a capability."""
        return capability in self.capabilities

    def taken(self, processed: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What `features` takes of a processor's output."""
        return {name: processed[name] for name in self.image_inputs if name in processed}


def demand(family: Family, capabilities: Iterable[str]) -> None:
    """CannotAnswer where an architecture lacks one of some capabilities."""
    for capability in sorted(set(capabilities)):
        if not family.can(capability):
            raise CannotAnswer(LACKING[capability], got=family.name)
