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
    """`like` (direction, d_model) turned into a subspace drawn at random: the same lengths, angles and sum's length.

    The authors drew independent Gaussian directions of unit length, which change a state more than directions do that
    lean on each other; so the control would differ in strength as well.
    """
    drawn = torch.randn(like.shape[::-1], generator=torch.Generator().manual_seed(seed))
    _, triangle = torch.linalg.qr(like.detach().cpu().float().T)
    basis, _ = torch.linalg.qr(drawn)
    turned: Tensor = (basis @ triangle).T
    return turned.to(like.device)
