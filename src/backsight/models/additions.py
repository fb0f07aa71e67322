"""What an architecture of transformers lacks and a checkpoint carries all the same.

An addition is a module that acts through hooks which stay: a relative bias of attention, a rotation of an encoder's
queries and keys. Its weights stand in the checkpoint's safetensors under `backsight_additions.NAME`, its settings in
config.json under `backsight_additions`, and `load` puts it back. Plain transformers opens the same files, reports those
weights as unexpected and leaves the addition out.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from safetensors import safe_open
from torch import Tensor, nn

from backsight.errors import CannotAnswer, ModelError, UsageError
from backsight.models import blocks, standing_hooks
from backsight.models.families import family_of
from backsight.models.projector_norm import PAPER, normed

PLACE = "backsight_additions"
# How many times an entry of a bias table counts. A score differs by several units where attention is sharp, and an
# optimiser moves a weight by hundredths: without this the bias of a short training stays near nothing (LOG.md).
GAIN = 10.0
START = 0.1  # standard deviation of the entries of a new table


class Addition(nn.Module, ABC):
    """A module that is hung into a model. `settings` are what `KINDS[kind](**settings)` makes it again of."""

    kind: ClassVar[str]

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.settings: dict[str, Any] = settings

    @abstractmethod
    def hang(self, model: nn.Module) -> None:
        """Let it act in every call of the model; CannotAnswer where the model has no place for it."""


def add(model: Any, additions: Mapping[str, Addition]) -> None:
    """Hang additions into a model that has none, by name; from here on they are a part of it and saved with it."""
    if hasattr(model, PLACE):
        raise CannotAnswer("The model has additions already", got=", ".join(model.config.backsight_additions))
    setattr(model, PLACE, nn.ModuleDict(dict(additions)))
    model.config.backsight_additions = {name: {"kind": a.kind, **a.settings} for name, a in additions.items()}
    for addition in additions.values():
        addition.hang(model)


def carried(config: Any) -> dict[str, dict[str, Any]]:
    """The additions that a configuration names, with their kinds and settings; ModelError where it is no table of
    them."""
    given = getattr(config, PLACE, None) or {}
    entries = given.values() if isinstance(given, Mapping) else [given]
    wrong = [entry for entry in entries if not (isinstance(entry, Mapping) and isinstance(entry.get("kind"), str))]
    if wrong:
        raise ModelError(
            "The configuration names additions in a way that is not known", where=f"config.json, {PLACE}",
            got=repr(wrong[0])[:80], do='each is {"NAME": {"kind": KIND, ...}}; save or download the checkpoint again',
        )  # fmt: skip
    return {name: dict(entry) for name, entry in given.items()}


def demand_present(model: Any) -> None:
    """ModelError where a model's configuration names additions that do not hang in it: it would answer without them."""
    there = set(getattr(model, PLACE, ()))
    if lacking := sorted(set(carried(getattr(model, "config", None))) - there):
        raise ModelError(
            "The model lacks additions that its configuration names", got=", ".join(lacking),
            do="open the checkpoint with backsight.load; to examine the model without them, delete "
            f"model.config.{PLACE}",
        )  # fmt: skip


def restore(model: Any, files: list[Path]) -> None:
    """Put the additions of a checkpoint back, with weights out of its safetensors, in the model's dtype.

    ModelError where a kind or a setting is not known, or the weights are missing or of another size.
    """
    wanted = carried(model.config)
    if not wanted:
        return
    unknown = sorted({given["kind"] for given in wanted.values()} - KINDS.keys())
    if unknown:
        raise ModelError(
            "The checkpoint carries an addition that is not known", got=", ".join(unknown),
            do=f"open it with the release of backsight that wrote it; known: {', '.join(KINDS)}",
        )  # fmt: skip
    made = {name: _made(name, given) for name, given in wanted.items()}
    stored: dict[str, Tensor] = {}
    for path in files:
        with safe_open(path, "pt") as file:
            stored |= {
                name.removeprefix(f"{PLACE}."): file.get_tensor(name)
                for name in file.keys()  # noqa: SIM118, it is no mapping
                if name.startswith(f"{PLACE}.")
            }
    weights = nn.ModuleDict(dict(made))
    own = weights.state_dict()
    wrong = sorted(own.keys() ^ stored.keys())
    wrong += [
        f"{name}: {tuple(stored[name].shape)} for {tuple(value.shape)}"
        for name, value in own.items()
        if name in stored and stored[name].shape != value.shape
    ]
    if wrong:
        raise ModelError(
            "The weights of the checkpoint's additions do not fit its configuration",
            got=", ".join(wrong[:3]), do="save or download the checkpoint again",
        )  # fmt: skip
    weights.load_state_dict(stored)
    add(model, {name: module.to(model.dtype) for name, module in made.items()})


def _made(name: str, given: Mapping[str, Any]) -> Addition:
    """An addition of its settings, with weights to be loaded; ModelError where it cannot be made of them."""
    try:
        return KINDS[given["kind"]](**{key: value for key, value in given.items() if key != "kind"})
    except (TypeError, ValueError, RuntimeError, UsageError) as error:
        raise ModelError(
            "The settings of an addition are not those of its kind",
            where=f"config.json, {PLACE}, {name}",
            got=str(error).split("\n")[0][:200],
            do="save or download the checkpoint again",
        ) from error


def encoder(model: Any) -> Any:
    """The encoder of a SigLIP tower, with its blocks in `layers`; CannotAnswer where there is none."""
    tower = getattr(model.base_model, "vision_tower", None)
    at = getattr(tower, "encoder", None) or getattr(getattr(tower, "vision_model", None), "encoder", None)
    if at is None:
        raise CannotAnswer("This addition acts in a SigLIP vision encoder", got=type(model).__name__)
    return at


def cells(tokens: int, grid: tuple[int, int] | None) -> Tensor:
    """Row and column (token, 2) of the tokens of a grid in raster order; of a square one where `grid` is None."""
    rows, columns = grid or (math.isqrt(tokens), math.isqrt(tokens))
    if rows * columns != tokens:
        raise CannotAnswer("The tokens are no square; say how they stand", got=f"{tokens} tokens")
    at = torch.arange(tokens)
    return torch.stack([at // columns, at % columns], -1)


class RelativeBias(Addition):
    """A bias of a SigLIP encoder's attention by the offset of two patches, per head, shared by all blocks.

    Shaw et al. 2018 and T5 for two axes, as in Swin (Liu et al. 2021, section 3.2): `table` (2 reach + 1, 2 reach + 1,
    head) holds the bias of every offset in rows and columns up to `reach`, as a part of `GAIN`; farther ones have that
    of the farthest.
    """

    kind = "relative_bias"

    def __init__(self, reach: int, heads: int) -> None:
        super().__init__(reach=reach, heads=heads)
        self.table = nn.Parameter(START * torch.randn(2 * reach + 1, 2 * reach + 1, heads))
        self.grid: tuple[int, int] | None = None  # of pictures that are no squares

    def bias(self, tokens: int) -> Tensor:
        """The bias (1, head, query, key) of that many tokens."""
        at, reach = cells(tokens, self.grid).to(self.table.device), int(self.settings["reach"])
        offset = (at[:, None] - at[None]).clamp(-reach, reach) + reach
        return GAIN * self.table[offset[..., 0], offset[..., 1]].permute(2, 0, 1)[None]

    def hang(self, model: nn.Module) -> None:
        """Give it to the encoder as what is added to its scores."""
        standing_hooks.always_before(encoder(model), self.given)

    def given(self, given: dict[str, Any]) -> dict[str, Any]:
        """The encoder's keyword arguments with the bias as its mask."""
        states = given["inputs_embeds"]
        return {**given, blocks.MASK: self.bias(states.shape[1]).to(states.dtype)}


class Rotation(Addition):
    """Rotary positions in a SigLIP encoder (Su et al. 2021): queries and keys of each block are turned.

    `axes` 1 counts tokens in raster order; 2 gives half of a head's pairs to rows and half to columns. Pair i of n
    turns by `base` ** (-i / n) a step.
    """

    kind = "rotation"

    def __init__(self, axes: Literal[1, 2], base: float, heads: int) -> None:
        super().__init__(axes=axes, base=base, heads=heads)
        self.grid: tuple[int, int] | None = None

    def angles(self, tokens: int, width: int) -> Tensor:
        """Angles (token, width / 2) of a head of that width."""
        axes, base = int(self.settings["axes"]), float(self.settings["base"])
        pairs = width // 2 // axes
        speeds = base ** (-torch.arange(pairs) / pairs)
        at = torch.arange(tokens)[:, None] if axes == 1 else cells(tokens, self.grid)
        return (at[:, :, None] * speeds).flatten(1)

    def turned(self, states: Tensor) -> Tensor:
        """Queries or keys (batch, token, head x width), turned by their positions."""
        batch, tokens, wide = states.shape
        heads = int(self.settings["heads"])
        angles = self.angles(tokens, wide // heads).to(states.device)[:, None]
        sine, cosine = angles.sin().to(states.dtype), angles.cos().to(states.dtype)
        one, two = states.view(batch, tokens, heads, -1).chunk(2, -1)
        return torch.cat([one * cosine - two * sine, two * cosine + one * sine], -1).view(batch, tokens, wide)

    def hang(self, model: nn.Module) -> None:
        """Turn what the projections to queries and keys give in every block."""
        for block in encoder(model).layers:
            attention: Any = blocks.attending(block)
            standing_hooks.always_after(attention.q_proj, self.turned)
            standing_hooks.always_after(attention.k_proj, self.turned)


class OrderBias(Addition):
    """A bias of the language model's attention by the distance of two tokens in the prompt, per head (T5).

    Raffel et al. 2020, section 2.1: half of `buckets` for tokens behind and half for tokens before, each half exact up
    to a quarter of all and logarithmic up to `reach`; `table` (bucket, head) is shared by all layers and holds parts of
    `GAIN`. The bias goes into the masks, which every attention function adds to its scores.
    """

    kind = "order_bias"

    def __init__(self, heads: int, buckets: int = 32, reach: int = 128) -> None:
        super().__init__(heads=heads, buckets=buckets, reach=reach)
        self.table = nn.Parameter(START * torch.randn(buckets, heads))

    def bucket(self, distance: Tensor) -> Tensor:
        """The bucket of a distance (query less key, in tokens)."""
        half = int(self.settings["buckets"]) // 2
        exact, far = half // 2, distance.abs()
        spread = math.log(int(self.settings["reach"]) / exact)
        log = exact + (far.clamp(min=1).float() / exact).log() / spread * (half - exact)
        return torch.where(far < exact, far, log.long().clamp(max=half - 1)) + half * (distance < 0)

    def bias(self, at: Tensor, keys: int, past: int = 0) -> Tensor:
        """The bias (batch, head, query, key) of queries at positions `at` (batch, query) behind `past` decoded tokens.

        Keys are the last tokens up to the last query, and behind them the empty slots of a cache of fixed length.
        """
        last = min(past + at.shape[1], keys) - 1  # the slot of the last query
        keys_at = at if at.shape[1] == keys else at[:, -1:] - last + torch.arange(keys, device=at.device)
        return GAIN * self.table[self.bucket(at[:, :, None] - keys_at[:, None])].permute(0, 3, 1, 2)

    def _masked(self, mask: Tensor | None, at: Tensor, past: int, dtype: torch.dtype) -> Tensor:
        queries = at.shape[1]
        keys = past + queries if mask is None else mask.shape[-1]
        bias = self.bias(at, keys, past).to(dtype)
        if mask is None:
            mask = torch.ones(queries, keys, dtype=torch.bool, device=at.device).tril(keys - queries)[None, None]
        if mask.dtype == torch.bool:
            return bias.masked_fill(~mask, torch.finfo(dtype).min)
        return torch.where(mask < 0, mask, bias)

    def hang(self, model: nn.Module) -> None:
        """Put it into the masks that the decoder is called with."""
        standing_hooks.always_before(model.get_decoder(), self.given)  # type: ignore[operator]

    def given(self, given: dict[str, Any]) -> dict[str, Any]:
        """The decoder's keyword arguments with the bias in each of its masks."""
        states, at = given["inputs_embeds"], given.get(blocks.BY_POSITION[0])
        past = blocks.decoded_before(given)
        if at is None:
            at = past + torch.arange(states.shape[1], device=states.device)[None]
        masks = given[blocks.MASK]
        if not isinstance(masks, dict):
            raise CannotAnswer("This addition acts on masks by kind of layer", got=type(masks).__name__)
        at = at.expand(states.shape[0], -1)
        return {**given, blocks.MASK: {k: self._masked(m, at, past, states.dtype) for k, m in masks.items()}}


class ProjectorNorm(Addition):
    """`projector_norm.normed` behind the projector, with a learned weight (d_model,), one at first.

    `cut` and `scale` are settings and stay as they are given; by default they are those of LLaMA, as published. Those
    of another model are `lengths.cut` and `lengths.mean` of its `text_lengths`. UsageError where they are not positive.
    """

    kind = "projector_norm"

    def __init__(self, width: int, cut: float = PAPER.cut, scale: float = PAPER.mean) -> None:
        super().__init__(width=width, cut=cut, scale=scale)
        if not (0 < cut < math.inf and 0 < scale < math.inf):
            raise UsageError("Cut and scale of a projector's norm are positive", got=f"cut {cut:g}, scale {scale:g}")
        self.cut, self.scale = cut, scale
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, states: Tensor) -> Tensor:
        """Image embeddings (..., d_model), normed."""
        return normed(states, self.weight, cut=self.cut, scale=self.scale)

    def hang(self, model: nn.Module) -> None:
        """Norm what the projector gives in every call; CannotAnswer where it is not known what the projector is."""
        family = family_of(model.config)
        if family.projector is None:
            raise CannotAnswer(
                "It is not known where this architecture's projector ends", got=family.name,
                do="name the path of its last layer in the family (`projector`)",
            )  # fmt: skip
        standing_hooks.always_after(model.get_submodule(family.projector.rpartition(".")[0]), self)


KINDS: dict[str, type[Addition]] = {kind.kind: kind for kind in (RelativeBias, Rotation, OrderBias, ProjectorNorm)}
