"""The losses of contrastive pre-training, as functions of tensors."""

from __future__ import annotations

import torch
from torch import Tensor

cross_entropy = torch.nn.functional.cross_entropy


def info_nce(one: Tensor, other: Tensor, scale: Tensor | float, same: Tensor | None = None) -> Tensor:
    """Symmetric InfoNCE of two sets of features (pair, d) whose rows belong together (CLIP, Radford et al. 2021).

    The mean of both directions' cross-entropy over cosines times `scale`. Pairs with equal numbers in `same` (pair,)
    are no negatives of each other, since their texts say the same.
    """
    logits = scale * unit(one) @ unit(other).T
    if same is not None:
        alike = (same[:, None] == same[None]) & ~torch.eye(len(same), dtype=torch.bool, device=same.device)
        logits = logits.masked_fill(alike, float("-inf"))
    target = torch.arange(len(logits), device=logits.device)
    return (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2


def unit(features: Tensor) -> Tensor:
    """Features of length 1."""
    length: Tensor = features.norm(dim=-1, keepdim=True)
    return features / length.clamp_min(1e-8)


def corners(boxes: Tensor) -> Tensor:
    """Boxes (box, 4) of centre, width and height as left, top, right and bottom."""
    center, size = boxes[..., :2], boxes[..., 2:]
    return torch.cat([center - size / 2, center + size / 2], dim=-1)


def iou(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union (box,) of boxes (box, 4) of left, top, right and bottom, row by row."""
    return _overlap(one, other)[0]


def giou(one: Tensor, other: Tensor) -> Tensor:
    """Generalised IoU (box,): IoU less the share of the hull that neither covers (Rezatofighi et al. 2019, eq. 3)."""
    overlap, union = _overlap(one, other)
    hull = torch.cat([torch.minimum(one[..., :2], other[..., :2]), torch.maximum(one[..., 2:], other[..., 2:])], dim=-1)
    area = _area(hull)
    return overlap - (area - union) / area.clamp_min(1e-8)


def box_loss(named: Tensor, wanted: Tensor) -> Tensor:
    """The loss of box regression: mean L1 distance of the four corners' coordinates plus 1 - GIoU."""
    return (named - wanted).abs().mean() + (1 - giou(named, wanted)).mean()


def _area(boxes: Tensor) -> Tensor:
    return (boxes[..., 2:] - boxes[..., :2]).clamp_min(0).prod(-1)


def _overlap(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and the union's area."""
    shared = torch.cat(
        [torch.maximum(one[..., :2], other[..., :2]), torch.minimum(one[..., 2:], other[..., 2:])], dim=-1
    )
    common = _area(shared)
    union = _area(one) + _area(other) - common
    return common / union.clamp_min(1e-8), union
