"""PIN: a learned positional insert on a frozen model (Dorkenwald and others, "PIN: Positional Insert Unlocks Object
Localisation Abilities in VLMs", 2024).

The sinusoid of each patch's index goes through a small network, and what comes out is added to the vision encoder's
output, the same for every picture. Trained is that network alone, by next-token prediction of the text that says where
a thing is. It hangs on no picture, so that what is kept of it is one vector a patch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from backsight.errors import CannotAnswer, EditError, UsageError
from backsight.examples import Example, ExampleSet
from backsight.grid import TokenGrid
from backsight.maths import boxes
from backsight.maths.boxes import Form
from backsight.models import blocks
from backsight.models.families.common import PATCH_ORDER
from backsight.models.prompts import Batch
from backsight.models.sites import Edit, SiteName
from backsight.models.vlm import VLM
from backsight.repairs import choosing
from backsight.repairs.base import Fitted, Repair
from backsight.stimuli import absolute

BASE = 10_000.0  # of the sinusoid


@dataclass(frozen=True, eq=False)
class Inserted(Fitted):
    """A fitted insert: `insert` (patch, d_vision) in raster order of a picture of `rows` x `columns` patches.

    It is added to the output of the vision encoder's last block, in front of the encoder's final norm and the
    projector: the last site before the patches of a token are put together. `parameters` is how many were trained.
    """

    name: ClassVar[str] = "pin"
    sites: ClassVar[tuple[SiteName | Literal["logits"], ...]] = ("vision",)
    requires: ClassVar[frozenset[str]] = frozenset({PATCH_ORDER})

    insert: Tensor
    rows: int
    columns: int
    parameters: int

    def __post_init__(self) -> None:
        if self.insert.ndim != 2 or len(self.insert) != self.rows * self.columns:
            raise UsageError(
                "An insert has a vector for each patch", got=f"{tuple(self.insert.shape)} for {self.rows} x "
                f"{self.columns} patches", do="fit it on a model",
            )  # fmt: skip

    def check(self, vlm: VLM) -> None:
        """CannotAnswer where the vision encoder has no blocks or its patches' order is not known; UsageError where its
        patches have another width, or its own pictures another number of them."""
        super().check(vlm)
        shape = shape_of(vlm)
        if shape.width != self.insert.shape[1]:
            raise UsageError(
                "This insert was made for patches of another width",
                got=f"an insert of {self.insert.shape[1]}, patches of {shape.width}", do="fit it on this model",
            )  # fmt: skip
        if (shape.rows, shape.columns) != (self.rows, self.columns):
            raise UsageError(
                "This insert was made for pictures of another number of patches",
                got=f"an insert for {self.rows} x {self.columns}, pictures of {shape.rows} x {shape.columns}",
                do="fit it on this model, at the size at which it is asked",
            )  # fmt: skip

    def ready(self, vlm: VLM, examples: Sequence[Example]) -> None:
        """CannotAnswer where a picture has another number of patches than the insert has vectors."""
        super().ready(vlm, examples)
        self._fits(vlm, [vlm.grid_of(picture) for picture in {e.image_id: e.picture for e in examples}.values()])

    def edits(self, vlm: VLM, batch: Batch | None) -> tuple[Edit, ...]:
        """One edit of the last block's output. CannotAnswer where a picture of the batch has another grid."""
        if batch is not None:
            self._fits(vlm, batch.grids)
        table = self.insert[order_of(vlm)]
        return (Edit("vision", lambda states: added(states, table), (len(vlm.parts.vision_blocks) - 1,)),)

    def control(self, seed: int) -> Inserted:
        """The same vectors on other patches, in an order sampled at random: as long, and no position."""
        order = np.random.default_rng([seed, 64]).permutation(len(self.insert))
        return replace(self, insert=self.insert[torch.from_numpy(order)])

    def _fits(self, vlm: VLM, grids: Sequence[TokenGrid]) -> None:
        own = vlm.grid
        wrong = [grid for grid in grids if (grid.rows, grid.columns) != (own.rows, own.columns)]
        if wrong:
            raise CannotAnswer(
                "An insert is for pictures of one number of patches", where=self.name,
                got=f"a picture of {wrong[0].rows} x {wrong[0].columns} image tokens beside {own.rows} x {own.columns}",
                do="give pictures of the model's own size",
            )  # fmt: skip


class Shape(NamedTuple):
    """Patches of a picture of a model's own size, and how many values each has behind the last block."""

    rows: int
    columns: int
    width: int
    merge: int  # patches along one side of an image token


def shape_of(vlm: VLM) -> Shape:
    """The patches of a model's own pictures; CannotAnswer where the vision encoder has no blocks."""
    if not vlm.parts.vision_blocks:
        raise CannotAnswer(
            "The vision encoder has no blocks behind which an insert could be added", where=vlm.name,
            do="take a model whose vision encoder has a block",
        )  # fmt: skip
    grid, vision = vlm.grid, vlm.model.config.vision_config
    merge = math.isqrt(vlm.prompter.patches(grid.size) // len(grid))
    width = getattr(vision, "embed_dim", None) or vision.hidden_size  # Qwen2-VL's hidden_size is its output's
    return Shape(grid.rows * merge, grid.columns * merge, int(width), merge)


def order_of(vlm: VLM) -> Tensor:
    """The raster index of each patch in the order in which the vision encoder holds them, (patch,)."""
    shape = shape_of(vlm)
    raster = torch.arange(shape.rows * shape.columns)
    if vlm.family.patches != "merged":
        return raster
    blocks = raster.view(shape.rows // shape.merge, shape.merge, shape.columns // shape.merge, shape.merge)
    return blocks.transpose(1, 2).flatten()


def added(states: Tensor, table: Tensor) -> Tensor:
    """Patches (..., patch, d_vision) of pictures that follow each other, with a table (patch, d_vision) added to each.

    EditError where they are not whole pictures.
    """
    flat = states.reshape(-1, len(table), states.shape[-1]) if _whole(states, table) else None
    if flat is None:
        raise EditError(
            "These patches are not those of whole pictures of the insert's size", where="vision",
            got=tuple(states.shape), do=f"give pictures of {len(table)} patches",
        )  # fmt: skip
    return (flat + table.to(states.device, states.dtype)).reshape(states.shape)


def _whole(states: Tensor, table: Tensor) -> bool:
    patches = states.numel() // states.shape[-1]
    return patches % len(table) == 0 and (states.ndim == 2 or states.shape[-2] == len(table))


def sinusoid(count: int, width: int) -> Tensor:
    """Sines and cosines (index, width) of the indices 0 .. count-1 (Vaswani and others 2017, 3.5)."""
    turns = torch.arange(count)[:, None] / BASE ** (torch.arange(0, width, 2) / width)
    return torch.stack([turns.sin(), turns.cos()], -1).flatten(1)


def network(frequencies: int, hidden: Sequence[int], width: int) -> nn.Sequential:
    """Sinusoid -> hidden -> d_vision, SiLU and LayerNorm behind each hidden layer.

    With 64 -> 512 -> 768 and 1,024 values a patch it has 1.22 million parameters, as published.
    """
    parts: list[nn.Module] = []
    sizes = [frequencies, *hidden]
    for one, other in pairwise(sizes):
        parts += [nn.Linear(one, other), nn.SiLU(), nn.LayerNorm(other)]
    return nn.Sequential(*parts, nn.Linear(sizes[-1], width))


@dataclass(frozen=True)
class Pin(Repair):
    """An insert trained by Adam on the text of boxes: `steps` of `batch` questions at rate `rate`.

    As published: `frequencies` 64, `hidden` 512 and 768, rate 1e-3, batch 64, boxes in a grid of 16 x 16 (`form`,
    `sides`); smaller models need less. Examples of the suite `located` say themselves in which format their answer is;
    of others the box of their subject is asked for, in `form`. `at_once` questions go through the model at a time.
    """

    name: ClassVar[str] = "pin"

    steps: int = 300
    batch: int = 64
    rate: float = 1e-3
    hidden: tuple[int, ...] = (512, 768)
    frequencies: int = 64
    form: Form = "grid"
    sides: int = boxes.SIDES
    seed: int = 0
    at_once: int = 64

    def __post_init__(self) -> None:
        boxes.demand_form(self.form)
        numbers = {"steps": self.steps, "batch": self.batch, "at_once": self.at_once, "sides": self.sides}
        if wrong := [f"{name} {value}" for name, value in numbers.items() if value < 1]:
            raise UsageError("A number of an insert's training is at least one", got=", ".join(wrong))
        if not self.hidden or min(self.hidden) < 1 or self.frequencies < 2 or self.frequencies % 2:
            raise UsageError(
                "The network of an insert has hidden layers and an even number of sines and cosines",
                got=f"hidden {self.hidden}, frequencies {self.frequencies}",
                do="give hidden=(512, 768), frequencies=64",
            )  # fmt: skip

    def fit(self, vlm: VLM, examples: ExampleSet) -> Inserted:
        """The insert after its training; the model's own weights are as before.

        UsageError where no example has a box; CannotAnswer where the architecture cannot take an insert, or the loss is
        no number.
        """
        choosing.demand_some(examples, self.name)
        asked = self.asked(examples)
        shape = shape_of(vlm)
        Inserted(torch.zeros(shape.rows * shape.columns, shape.width), shape.rows, shape.columns, 0).ready(vlm, asked)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            net = network(self.frequencies, self.hidden, shape.width).to(vlm.device)
        signal = sinusoid(shape.rows * shape.columns, self.frequencies).to(vlm.device)
        unit = root_mean_square(vlm, asked[: self.at_once])
        order = order_of(vlm).to(vlm.device)
        optimizer = torch.optim.Adam(net.parameters(), lr=self.rate)
        rng = np.random.default_rng([self.seed, 2024])
        last = len(vlm.parts.vision_blocks) - 1
        for step in range(self.steps):
            chosen = [asked[i] for i in rng.integers(0, len(asked), self.batch)]
            optimizer.zero_grad(set_to_none=True)
            for start in range(0, len(chosen), self.at_once):
                part = chosen[start : start + self.at_once]
                with torch.enable_grad():
                    table = unit * net(signal)[order]
                    with vlm.editing(Edit("vision", lambda states, table=table: added(states, table), (last,))):  # type: ignore[misc]
                        loss = text_loss(vlm, part)
                    if not bool(loss.isfinite()):
                        raise CannotAnswer(
                            "The training of the insert gives a loss that is no number", where=f"step {step + 1}",
                            got=str(loss.item()), do="give a smaller rate, or open the model in float32",
                        )  # fmt: skip
                    (loss * len(part) / len(chosen)).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        with torch.no_grad():
            insert = unit * net(signal).float().cpu()
        return Inserted(insert, shape.rows, shape.columns, sum(weight.numel() for weight in net.parameters()))

    def asked(self, examples: Sequence[Example]) -> list[Example]:
        """The questions about boxes that are trained on, each with its text; UsageError where there is none."""
        asked = []
        for e in examples:
            if "form" in e.tags:
                asked.append(e)
            elif e.subject is not None and e.subject in e.boxes:
                asked.append(
                    absolute.example(e.id, e.picture, e.subject, e.boxes[e.subject], self.form, suite=e.suite,
                                    sides=self.sides, system=e.system)
                )  # fmt: skip
        if not asked:
            raise UsageError(
                "An insert is trained on boxes, and no example has one", got=f"{len(examples)} examples",
                do="give backsight.stimuli.located(vlm.grid), or examples with a subject and its box",
            )  # fmt: skip
        return asked


def root_mean_square(vlm: VLM, examples: Sequence[Example]) -> float:
    """The root mean square of what the vision encoder's last block gives of some pictures.

    The network's output is counted in it. Without a unit an insert is a few percent of states as long as those of
    SigLIP, and Adam needs thousands of steps to make it longer; the published insert has none.
    """
    last = len(vlm.parts.vision_blocks) - 1
    with vlm.uncounted(), torch.no_grad(), vlm.recording("vision", layers=[last]) as recorded:
        vlm.forward(vlm.prepare(examples))
    return float(recorded["vision", last].float().square().mean().sqrt())


def text_loss(vlm: VLM, examples: Sequence[Example]) -> Tensor:
    """The mean negative log probability of the tokens of the examples' answers behind their prompts, with gradients."""
    tails = [vlm.tokenizer(e.answer, add_special_tokens=False).input_ids for e in examples]
    batch, written = vlm.prepare(examples), max(map(len, tails))
    start, call = batch.input_ids.shape[1], vlm.call(batch)
    vlm.charge(call, call.forward(longer=written, logits=written) + call.whole_backward())
    longer = vlm.extended(batch, tails)
    with vlm.hooks.behind(written):
        logits = vlm.model(**longer.inputs, **blocks.WHOLE_PROMPT).logits[:, start - 1 : -1].float()
    wanted = longer.input_ids[:, start:]
    real = longer.attention_mask[:, start:].bool()
    return nn.functional.cross_entropy(logits[real], wanted[real])
