"""Edits of states as pure functions of tensors: a new tensor of equal shape, dtype and device."""

from __future__ import annotations

import torch
from torch import Tensor

TINY = 1e-8  # as in the authors' code, so that a direction of no length adds nothing


def amplified(states: Tensor, directions: Tensor, alpha: float) -> Tensor:
    """What was run for Dual Mechanisms, 5.4: the part of each state along each direction, `alpha` times on top.

    `states` (row, d_model), `directions` (direction, d_model): e + alpha * sum_k (e . w_k) / (||w_k||^2 + 1e-8) w_k.
    """
    w = directions.to(states.device, torch.float32)
    along = states.float() @ w.T / (w.pow(2).sum(-1) + TINY)
    return (states.float() + alpha * along @ w).to(states.dtype)


def shifted(states: Tensor, directions: Tensor, alpha: float) -> Tensor:
    """Equation 3 of Dual Mechanisms as printed, over all directions: e + alpha * sum_k w_k."""
    w = directions.to(states.device, torch.float32)
    return (states.float() + alpha * w.sum(0)).to(states.dtype)


def random_directions(like: Tensor, seed: int) -> Tensor:
    """As many Gaussian directions of unit length as `like` (direction, d_model) has: the control that was run."""
    drawn = torch.randn(like.shape, generator=torch.Generator().manual_seed(seed))
    unit: Tensor = drawn / drawn.norm(dim=-1, keepdim=True)
    return unit.to(like.device)
