"""Relevance of image tokens from states, gradients and attention: the formulas, as functions of tensors.

All are per sample: a relevance is (batch, image_token) or (image_token,), never negative. Sources: CREG, section 3.3
and appendix A.3; attention rollout: Abnar and Zuidema 2020; relevance through attention: Chefer et al. 2021, the form
for self-attention; GradCAM: Selvaraju et al. 2017; integrated gradients: Sundararajan et al. 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

Scale = Literal["minmax", "maximum"]
LayerWeights = Literal["printed", "meant"]


def gradient_times_state(gradient: Tensor, state: Tensor) -> Tensor:
    """|sum_d g_d h_d| over the last axis (CREG, equation 2).

    At an image token before the last block it is zero but for epsilon and rounding: what the answer sees of the token
    there are keys and values of its normalised state, which a longer or shorter state leaves as they are (Euler's
    theorem for functions of degree zero). So is the textbook form of integrated gradients along that state.
    """
    return (gradient * state).sum(-1).abs()


def gradient_norm(gradient: Tensor) -> Tensor:
    """The length of the gradient over the last axis (CREG, appendix A.3)."""
    length: Tensor = gradient.norm(dim=-1)
    return length


def scaled(relevance: Tensor, scale: Scale = "minmax") -> Tensor:
    """Relevance (..., image_token) brought to [0, 1]; what is the same everywhere becomes zero under `minmax`.

    CREG says "normalized to [0, 1]" (section 3.3): by minimum and maximum, or by the maximum alone.
    """
    low = relevance.amin(-1, keepdim=True) if scale == "minmax" else torch.zeros_like(relevance[..., :1])
    span = relevance.amax(-1, keepdim=True) - low
    return torch.where(span > 0, (relevance - low) / span.clamp_min(torch.finfo(relevance.dtype).tiny), 0.0)


def aggregated(layers: Tensor, *, scale: Scale = "minmax", weights: LayerWeights = "printed") -> Tensor:
    """Relevance of several layers (layer, ..., image_token) in one (CREG, equation 3).

    As `printed` the softmax over layers takes the maxima of what was scaled to a maximum of 1, so every layer weighs
    the same; as `meant` it takes the maxima before the scaling.
    """
    brought = scaled(layers, scale)
    maxima = (brought if weights == "printed" else layers).amax(-1)
    return (torch.softmax(maxima, 0)[..., None] * brought).sum(0)


def path(state: Tensor, steps: int) -> list[tuple[float, Tensor]]:
    """The points k / steps, k = 1 .. steps, of the straight line from zero to `state`."""
    return [(k / steps, state * (k / steps)) for k in range(1, steps + 1)]


def integrated(gradients: Sequence[Tensor], state: Tensor) -> Tensor:
    """|sum_d h_d * mean_k g_d(k / n)| over the last axis: integrated gradients with a zero baseline, right sums."""
    return (torch.stack(list(gradients)).mean(0) * state).sum(-1).abs()


def accumulated(gradients: Sequence[Tensor]) -> Tensor:
    """sum_k |g(k / n)|: the gradient magnitudes that CREG's appendix A.3 adds up along the path."""
    return sum((gradient_norm(g) for g in gradients[1:]), gradient_norm(gradients[0]))


def rolled_out(attentions: Sequence[Tensor]) -> Tensor:
    """Attention rollout from the last position, (batch, position).

    `attentions` are the weights (batch, head, query, key) of every layer, the lowest first: their mean over heads with
    the identity added and rows summing to one, multiplied from the top down.
    """
    return _from_last([_normalised(a.mean(1) + _identity(a)) for a in attentions])


def through_attention(attentions: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
    """Chefer's relevance of every position for the last one, (batch, position).

    R starts as the identity and becomes R + A R in each layer, A the mean over heads of the positive part of weight
    times gradient.
    """
    shares = [(a * g).clamp_min(0).mean(1) + _identity(a) for a, g in zip(attentions, gradients, strict=True)]
    return _from_last(shares)


def _identity(attention: Tensor) -> Tensor:
    return torch.eye(attention.shape[-1], dtype=attention.dtype, device=attention.device)


def _normalised(rows: Tensor) -> Tensor:
    return rows / rows.sum(-1, keepdim=True)


def _from_last(layers: Sequence[Tensor]) -> Tensor:
    """The last row of the product of (batch, position, position) matrices, the lowest layer's rightmost."""
    row = layers[-1][:, -1:]
    for layer in reversed(layers[:-1]):
        row = row @ layer
    return row[:, 0]


def gradcam(activation: Tensor, gradient: Tensor) -> Tensor:
    """relu(sum_d mean_token(g)_d a_d), (token,), of activations and gradients (token, d_vision)."""
    return (activation * gradient.mean(0)).sum(-1).clamp_min(0)
