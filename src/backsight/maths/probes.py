"""Linear probes: a softmax over positions, fitted on the states of object tokens (Dual Mechanisms, 3.3 and 5.2.1).

Where what is probed does not tell two classes apart, their scores differ by rounding alone, and which is the larger
depends on the processor, in all rows alike. Such classes share the row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backsight.errors import DataError, UsageError

Method = Literal["adamw", "logistic"]
STEPS = 50  # of scikit-learn's solver at most
# Two classes whose log-odds in a row differ by no more than this, as a share of its largest score where that is above
# one, are tied. AdamW leaves classes that the features cannot tell apart some 1e-6 apart.
TIED = 1e-4


@dataclass(frozen=True)
class Probe:
    """softmax(x W + b): `weight` (d_model, class), `bias` (class,)."""

    weight: Tensor
    bias: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """The most probable class of each row of features (row, d_model); of tied ones the first."""
        return self.shares(features).argmax(-1)

    def shares(self, features: Tensor) -> Tensor:
        """Which class each row of features (row, d_model) is given, (row, class): 1 over the number tied, else 0."""
        return shared(features.float() @ self.weight + self.bias)


def shared(scores: Tensor) -> Tensor:
    """1 over the number of tied classes for each class with the highest score in its row (row, class), else 0.

    A row that is not finite is given to no class.
    """
    spread = (scores - scores.mean(-1, keepdim=True)).abs().amax(-1, keepdim=True)
    tied = scores >= scores.amax(-1, keepdim=True) - TIED * spread.clamp_min(1.0)
    return tied / tied.sum(-1, keepdim=True).clamp_min(1)


def fit(features: Tensor, labels: Tensor, classes: int, *, method: Method = "adamw", seed: int = 0) -> Probe:
    """A probe of features (row, d_model) with labels (row,) in 0 .. classes - 1.

    `adamw` is what the authors ran: AdamW at 1e-3, weight decay 1e-4, 200 epochs of the full batch. `logistic` is
    scikit-learn's logistic regression on standardised features. DataError where a class has no rows, or is the only.
    """
    if classes < 2:
        raise DataError(
            "A probe needs at least two classes", got=f"{len(labels)} rows, all of one class",
            do="give pictures of things at several positions",
        )  # fmt: skip
    missing = sorted(set(range(classes)) - set(labels.tolist()))
    if missing:
        raise DataError(
            "A probe needs rows of every class", got=f"{len(labels)} rows, none of class {missing}",
            do="give more pictures, or pictures of every position",
        )  # fmt: skip
    if method == "logistic":
        return _logistic(features, labels)
    if method != "adamw":
        raise UsageError("There is no such way to fit a probe", got=method, do="give adamw or logistic")
    x, y = features.detach().float(), labels.to(features.device)
    generator = torch.Generator().manual_seed(seed)
    bound = x.shape[1] ** -0.5  # as torch's Linear begins
    weight = torch.empty(x.shape[1], classes).uniform_(-bound, bound, generator=generator).to(x.device)
    bias = torch.empty(classes).uniform_(-bound, bound, generator=generator).to(x.device)
    weight.requires_grad_(), bias.requires_grad_()
    optimizer = torch.optim.AdamW([weight, bias], lr=1e-3, weight_decay=1e-4)
    for _ in range(200):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(x @ weight + bias, y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return Probe(weight.detach(), bias.detach())


def _logistic(features: Tensor, labels: Tensor) -> Probe:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    x = features.detach().float().cpu().numpy()
    mean, scale = x.mean(0), x.std(0)
    scale[scale == 0] = 1
    with warnings.catch_warnings():
        # A probe of shuffled positions has nothing to converge to; it stops after as many steps as any other.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(max_iter=STEPS).fit((x - mean) / scale, labels.cpu().numpy())
    coefficients, intercept = model.coef_, model.intercept_
    if len(coefficients) == 1:  # two classes: one column of the second against the first
        coefficients, intercept = np.vstack([0 * coefficients, coefficients]), np.array([0.0, *intercept])
    weight = (coefficients / scale).T
    bias = intercept - mean @ weight
    make = dict(dtype=torch.float32, device=features.device)
    return Probe(torch.as_tensor(weight, **make), torch.as_tensor(bias, **make))  # type: ignore[arg-type]


def shuffled(labels: NDArray[np.int64], images: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """The labels with the positions of each image moved on in a circle: what a probe can learn without position.

    Each step of the circle is taken by as many images as every other, as nearly as their number allows, in an order
    drawn with `seed`. So no position keeps one label more often than another, and what is left is chance.
    """
    names = np.unique(images)
    steps = np.random.default_rng(seed).permutation(len(names))
    turned = labels.copy()
    for image, step in zip(names, steps, strict=True):
        mine = images == image
        positions = np.unique(labels[mine])
        turned[mine] = positions[(np.searchsorted(positions, labels[mine]) + step) % len(positions)]
    return turned
