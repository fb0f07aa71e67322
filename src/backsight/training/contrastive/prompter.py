"""The light prompter: image tokens and a box give a region's feature, image tokens and a text give a box.

One cross-attention each, so that whatever a region needs has to be in the image tokens already. It is trained along
and thrown away: only the encoder is kept. Its layout is ours, CLOC's weights and code are not public.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from backsight.training.contrastive.losses import corners, unit

OCTAVES = 5  # of the sine features of a coordinate: wavelengths of twice the picture down to an eighth of it
HEADS = 4
SHARP = 4.0  # of queries: an attention that begins nearly uniform reads 64 tokens of ground


def box_features(boxes: Tensor) -> Tensor:
    """Sines and cosines (..., 8 x OCTAVES) of boxes (..., 4) in shares of the picture."""
    frequencies = math.pi * 2.0 ** torch.arange(OCTAVES, device=boxes.device)
    angles = (boxes[..., None] * frequencies).flatten(-2)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class Reading(nn.Module):
    """One cross-attention block: queries (scene, query, d) read image tokens (scene, token, d)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.asked = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, HEADS, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.out = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, queries: Tensor, tokens: Tensor) -> Tensor:
        # No residual of the query: what is read has to come out of the image tokens, or content is drowned at first.
        read = self.norm(self.attention(SHARP * self.asked(queries), tokens, tokens, need_weights=False)[0])
        result: Tensor = read + self.out(read)
        return result


class Prompter(nn.Module):
    """Region features of boxes, and boxes of texts."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.box_query = nn.Sequential(nn.Linear(8 * OCTAVES, width), nn.GELU(), nn.Linear(width, width))
        self.region = Reading(width)
        self.text_query = nn.Linear(width, width)
        self.grounding = Reading(width)
        self.box = nn.Linear(width, 4)

    def regions(self, tokens: Tensor, boxes: Tensor) -> Tensor:
        """Features (scene, box, d) of boxes (scene, box, 4) in image tokens (scene, token, d)."""
        result: Tensor = self.region(self.box_query(box_features(boxes)), tokens)
        return result

    def boxes(self, tokens: Tensor, texts: Tensor) -> Tensor:
        """The box (scene, text, 4), left, top, right and bottom, of each text (scene, text, d) in image tokens."""
        return corners(self.box(self.grounding(self.text_query(unit(texts)), tokens)).sigmoid())
