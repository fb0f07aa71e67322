"""Recipes of contrastive pre-training: CLIP-style, and CLOC-style with regions added; same budget, seeds and scenes.

CLOC-style adds a region-text InfoNCE over all regions of the batch and the regression of boxes from texts, through the
prompter. The weights of the three losses and the size of everything are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from backsight.training.contrastive import encoder, losses, scenes
from backsight.training.contrastive.prompter import Prompter
from backsight.training.recipe import Learner, Phase, Recipe

IMAGES = 64  # of a step
REGION = 1.0  # weight of the region-text loss
BOX = 1.0  # weight of box regression
ENCODER = Phase("encoder", 600, rate=2e-3, floor=0.02, warmup=50)


@dataclass(frozen=True, kw_only=True)
class Contrastive(Recipe):
    """An encoder from captions. `regions` adds the two losses of regions (CLOC-style); `positions` puts each thing's
    ninth of the picture into the captions, which say only *what* otherwise.
    """

    regions: bool
    positions: bool = False
    steps: int = ENCODER.steps

    @property
    def phases(self) -> tuple[Phase, ...]:
        """One phase."""
        return (Phase("encoder", self.steps, ENCODER.rate, ENCODER.floor, ENCODER.warmup),)

    def start(self, where: torch.device) -> EncoderLearner:
        """The random encoder of this seed and size."""
        return EncoderLearner(self, where)

    def _settings(self) -> Any:
        return self.regions, self.positions


class EncoderLearner(Learner):
    """An encoder that learns from captions, with a prompter where it learns from regions."""

    def __init__(self, recipe: Contrastive, where: torch.device) -> None:
        self.recipe, self.where = recipe, where
        self.model, self.processor = encoder.build(recipe.seed, recipe.scale)
        self.prompter: Prompter | None = None
        if recipe.regions:
            with torch.random.fork_rng():
                torch.manual_seed(recipe.seed)
                self.prompter = Prompter(self.model.config.vision_config.hidden_size)
        prompter = {"prompter": self.prompter} if self.prompter else {}
        self.module = torch.nn.ModuleDict({"encoder": self.model, **prompter}).to(where)
        self.names = encoder.tokens(self.processor, [scenes.described(name) for name in scenes.NAMES], where)

    def loss(self, phase: int, step: int) -> tuple[Tensor, dict[str, float]]:
        """The sum of the losses, each of them for the log, and how often a caption is retrieved for its picture."""
        given = scenes.batch((self.recipe.seed, 0, step), IMAGES, positions=self.recipe.positions)
        pooled, tokens = encoder.pictures(self.model, given.pixels.to(self.where))
        captions = encoder.texts(self.model, encoder.tokens(self.processor, given.captions, self.where))
        scale = self.model.logit_scale.exp().clamp(max=100.0)
        total = losses.info_nce(pooled, captions, scale, given.contents.to(self.where))
        nearest = (losses.unit(pooled) @ losses.unit(captions).T).argmax(-1).cpu()
        figures = {
            "accuracy: retrieval": float((given.contents[nearest] == given.contents).float().mean()),
            "image-text loss": float(total.detach()),
        }  # fmt: skip
        if self.prompter is not None:
            more, named = self._regions(self.prompter, given, tokens, scale)
            total, figures = total + more, figures | named
        return total, figures

    def _regions(
        self, prompter: Prompter, given: scenes.Batch, tokens: Tensor, scale: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        """The losses of regions: which text belongs to which, and where a text's thing is."""
        there, named, boxes = given.there.to(self.where), given.named.to(self.where), given.boxes.to(self.where)
        names = encoder.texts(self.model, self.names)
        regions = prompter.regions(tokens, boxes)[there]
        contrast = losses.info_nce(regions, names[named[there]], scale, named[there])
        drawn = prompter.boxes(tokens, names[named])[there]
        box = losses.box_loss(drawn, boxes[there])
        right = (losses.unit(regions) @ losses.unit(names).T).argmax(-1) == named[there]
        return REGION * contrast + BOX * box, {
            "accuracy: regions": float(right.float().mean()),
            "region-text loss": float(contrast.detach()),
            "box loss": float(box.detach()),
            "box IoU": float(losses.iou(drawn, boxes[there]).mean().detach()),
        }

    def save(self, folder: Path) -> None:
        """The encoder as SiglipModel; the prompter lies beside it and is no part of it."""
        encoder.save(self.model, self.processor, folder, self.prompter)


CLIP = Contrastive(
    name="clip", vlm=False, regions=False, minutes={"tiny": 1.1},
    makes="A vision encoder (SiglipModel) pre-trained on pictures and their captions only, CLIP-style; no VLM",
)  # fmt: skip
CLOC = Contrastive(
    name="cloc", vlm=False, regions=True, minutes={"tiny": 1.4},
    makes="The same with region-text contrast and box regression, CLOC-style; no VLM",
)  # fmt: skip
