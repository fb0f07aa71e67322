"""Relevance of image tokens from states, gradients and attention: the formulas, as functions of tensors.

All are per sample: a relevance is (batch, image_token) or (image_token,), never negative. Sources: CREG, section 3.3
and appendix A.3; attention rollout: Abnar and Zuidema 2020; relevance through attention: Chefer et al. 2021, the form
for self-attention; GradCAM: Selvaraju et al. 2017; integrated gradients: Sundararajan et al. 2017.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from backsight.maths.relevance import DECADES, PER_DECADE

Scale = Literal["minmax", "maximum"]
LayerWeights = Literal["printed", "meant"]


def gradient_times_state(gradient: Tensor, state: Tensor) -> Tensor:
    """|sum_d g_d h_d| over the last axis (CREG, equation 2).

    It is zero by construction where the answer sees the direction of a state alone (`models.reach_contract`).
    """
    return (gradient * state).sum(-1).abs()


def rounding(dtype: torch.dtype = torch.float32) -> float:
    """How large `share_of_length` may come out of rounding alone, where states have a dtype.

    32 units of single precision, in which sums are made, and 2 of the dtype's own, in which both factors are stored.
    Measured where it is zero: up to 7 in float32, .3 in bfloat16 and 1 in float16; where it is not, more than 160,000,
    10 and 80 (trained models).
    """
    return 32 * torch.finfo(torch.float32).eps + (0.0 if dtype == torch.float32 else 2 * torch.finfo(dtype).eps)


def share_of_length(gradient: Tensor, state: Tensor) -> Tensor:
    """How much of gradient times state is left when its features are summed, over tokens: a scalar.

    The root of sum_i (sum_d g_id h_id)^2 over that of sum_id (g_id h_id)^2, from (image_token, d_model) each. Where
    each product is off by a share r of its own size, independently, this is r; zero where the gradient is.
    """
    products = gradient * state
    whole = products.norm()
    return torch.where(whole > 0, products.sum(-1).norm() / whole.clamp_min(torch.finfo(products.dtype).tiny), 0.0)


def is_evidence(gradient: Tensor, state: Tensor, dtype: torch.dtype) -> bool:
    """Whether gradient times state of one question's image tokens is more than its own rounding."""
    return float(share_of_length(gradient, state)) > rounding(dtype)


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


def right_weights(steps: int) -> list[float]:
    """The weight of each point of `path` in an integral over the line, by right sums."""
    return [1 / steps] * steps


def log_points(per_decade: int = PER_DECADE, decades: int = DECADES) -> list[float]:
    """The shares alpha of a state from 10^-decades to 1, evenly spaced in log alpha.

    Behind a norm all that happens between zero and a state happens where the norm's epsilon acts: where the state is
    1e-3 long, and behind several norms in a row where it is 1e-3 to the power of their number. Right sums begin long
    after that.
    """
    return [10 ** (k / per_decade - decades) for k in range(per_decade * decades + 1)]


def log_weights(per_decade: int = PER_DECADE, decades: int = DECADES) -> list[float]:
    """The weight of each of `log_points` in an integral over alpha from 0 to 1.

    The trapezoid rule in log alpha, where d alpha = alpha d log alpha, with Gregory's correction at the end where alpha
    is 1 and the score may still move; the piece from zero to the first point is a rectangle.
    """
    points, step = log_points(per_decade, decades), math.log(10) / per_decade
    shares = [0.5, *[1.0] * (len(points) - 4), 23 / 24, 7 / 6, 3 / 8]
    weights = [share * alpha * step for share, alpha in zip(shares, points, strict=True)]
    return [weights[0] + points[0], *weights[1:]]


def attributed(gradients: Sequence[Tensor], state: Tensor, weights: Sequence[float]) -> Tensor:
    """sum_d h_d * sum_k w_k g_d(alpha_k) over the last axis: integrated gradients with a zero baseline, signed.

    Sundararajan et al. 2017, equation 1. Summed over all tokens it is f(h) - f(0) where the rule is good enough
    (completeness, their proposition 1).
    """
    return sum(((g * state).sum(-1) * w for g, w in zip(gradients, weights, strict=True)), torch.zeros(()))


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
