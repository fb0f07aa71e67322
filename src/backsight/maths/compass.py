"""CREG's compass: from relevance on the cells of a picture to evidence in directions around a reference.

Directions are in degrees, counted as in a drawing: 0 is right, 90 is up (CREG, equation 4). Sector k is centred at
k * 360 / K. The weight of a cell for a sector does not depend on its relevance, so one matrix of weights serves every
method on a sample. What the paper leaves open is a field of `Projection` with a stated default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from backsight.errors import CannotAnswer, UsageError
from backsight.grid import Box, TokenGrid

Floats = NDArray[np.float64]
CLOSE = 1e-9  # an angle so close to a border lies on it
# Two sectors are tied where their shares differ by no more of the largest, and a compass is the same everywhere where
# all do: relevance comes in single precision, and rounding depends on what else a batch holds.
TIED, FLAT = 1e-6, 1e-4
EDGE = 45.0  # degrees: a peak within them of the true direction counts as right (equation 7)


@dataclass(frozen=True)
class Projection:
    """How relevance becomes a compass (CREG, equations 4 and 5).

    `sectors` is K. A cell weighs exp(-rho^2 / 2 sigma^2) with sigma = `sigma` * r_max and r_max = `reach` * d_AB, the
    distance of the two boxes' centres: the lengths of the paper's appendix A.3 (its section 3.4 gives sigma as a
    product of two lengths). Unsaid in the paper: whether cells `beyond` r_max count, whether those of the
    `reference`'s own box do, whether the one cell whose centre is the reference's (`middle`), which has no direction,
    counts as lying to the right (what atan2(0, 0) = 0 makes of it), and whether a cell stands at its centre or the
    grid is stretched linearly to the picture's edges (`cells`).
    """

    sectors: int = 8
    beyond: Literal["dropped", "kept"] = "dropped"
    reference: Literal["kept", "dropped"] = "kept"
    middle: Literal["dropped", "right"] = "dropped"
    cells: Literal["centers", "edges"] = "centers"
    sigma: float = 0.6
    reach: float = 2.0

    def __post_init__(self) -> None:
        if self.sectors < 2:
            raise UsageError("A compass needs at least two sectors", got=self.sectors)
        if not (self.sigma > 0 and self.reach > 0):
            raise UsageError("sigma and reach are lengths", got=(self.sigma, self.reach), do="give numbers above 0")

    @property
    def centers(self) -> Floats:
        """The middle of each sector in degrees, (sector,)."""
        return sector_centers(self.sectors)


def sector_centers(sectors: int) -> Floats:
    """The middle of each of K sectors in degrees, (sector,)."""
    return np.arange(sectors, dtype=np.float64) * (360.0 / sectors)


def direction(reference: Box, subject: Box) -> float:
    """Where the subject's centre lies from the reference's, in degrees from 0 up to 360.

    CannotAnswer where the two centres are one: there is no direction.
    """
    (x, y), (x0, y0) = subject.center, reference.center
    if x == x0 and y == y0:
        raise CannotAnswer("Subject and reference have the same centre, so there is no direction", got=reference.center)
    return float(np.degrees(np.arctan2(-(y - y0), x - x0)) % 360)


def apart(one: float | Floats, other: float) -> Floats:
    """The angle between directions in degrees, 0 to 180 (equation 6)."""
    return np.abs((np.asarray(one) - other + 180.0) % 360.0 - 180.0)


def points(grid: TokenGrid, cells: Literal["centers", "edges"] = "centers") -> Floats:
    """Where each image token stands, (image_token, 2) as x, y in pixels.

    GridError for `edges` where the tokens are not one rectangle. CannotAnswer for a grid of one cell, which shows no
    direction.
    """
    if len(grid) < 2:
        raise CannotAnswer("The picture has one cell, and one cell shows no direction", got=repr(grid))
    if cells == "centers":
        return grid.centers
    steps = np.maximum([grid.columns - 1, grid.rows - 1], 1)
    stretched: Floats = np.stack([grid.column, grid.row], 1) / steps * np.array(grid.size)
    return stretched


def sector_weights(grid: TokenGrid, reference: Box, subject: Box, projection: Projection) -> Floats:
    """What a unit of relevance on each token adds to each sector, (image_token, sector).

    A token on the border of two sectors counts half for each. Only cells of the picture count; a thumbnail or a line
    break has no direction.
    """
    direction(reference, subject)  # refuses boxes with one centre
    x0, y0 = reference.center
    offset = points(grid, projection.cells) - [x0, y0]
    distance = np.hypot(*offset.T)
    limit = projection.reach * np.hypot(*np.subtract(subject.center, reference.center))
    weight = np.exp(-(distance**2) / (2 * (projection.sigma * limit) ** 2))
    weight[grid.kind != "cell"] = 0.0
    if projection.beyond == "dropped":
        weight[distance > limit] = 0.0
    if projection.reference == "dropped":
        weight[grid.overlap(reference) >= 0.5] = 0.0
    if projection.middle == "dropped":
        weight[distance == 0] = 0.0
    angle = np.degrees(np.arctan2(-offset[:, 1], offset[:, 0]))
    spread: Floats = weight[:, None] * _shares(angle, projection.sectors)
    return spread


def _shares(angle: Floats, sectors: int) -> Floats:
    """Which sector each angle falls into, (angle, sector): 1, or one half each for the two that it lies between."""
    place = (angle / (360.0 / sectors)) % sectors
    below = np.floor(place + 0.5 - CLOSE).astype(int) % sectors
    above = np.floor(place + 0.5 + CLOSE).astype(int) % sectors
    shares = np.zeros((len(angle), sectors))
    rows = np.arange(len(angle))
    shares[rows, below] += 0.5
    shares[rows, above] += 0.5
    return shares


def compass(relevance: Floats, weights: Floats) -> Floats:
    """The share of the evidence in each sector, (sector,), from relevance (image_token,) and `sector_weights`.

    Equation 5. CannotAnswer where no evidence is left to be shared, as when all of it lies beyond r_max, or where
    relevance is not finite, as half precision may make it.
    """
    if not np.isfinite(relevance).all():
        raise CannotAnswer("Relevance is not finite")
    if (relevance < 0).any():
        raise UsageError("Relevance is a number of at least 0 for each token", got=f"from {np.min(relevance):g}")
    mass = relevance @ weights
    total = mass.sum()
    if not total > 0:
        raise CannotAnswer("The compass is empty: no relevance lies where the projection looks")
    shares: Floats = mass / total
    return shares


def compass_or_none(relevance: Floats, weights: Floats) -> Floats | None:
    """As `compass`; None where it is empty or relevance is not finite."""
    try:
        return compass(relevance, weights)
    except CannotAnswer:
        return None


def mirrored(shares: Floats) -> Floats:
    """The compass of the scene seen in a mirror: left and right exchanged."""
    sectors = len(shares)
    if sectors % 2:
        raise UsageError("Only a compass with an even number of sectors has a mirror image", got=sectors)
    return shares[(sectors // 2 - np.arange(sectors)) % sectors]


def peaks(shares: Floats) -> NDArray[np.int64]:
    """The sectors with the largest share: one, or those that are tied."""
    return np.flatnonzero(shares >= shares.max() * (1 - TIED))


def alignment_error(shares: Floats, true: float) -> float:
    """DAE in degrees, 0 to 180 (equation 6); its mean over the sectors that are tied at the peak."""
    return float(apart(sector_centers(len(shares))[peaks(shares)], true).mean())


def edge_accuracy(shares: Floats, true: float) -> float:
    """EA of one sample (equation 7): 1 where the peak lies within 45 degrees of the true direction, else 0.

    Where sectors are tied, the share of them that do.
    """
    return float((apart(sector_centers(len(shares))[peaks(shares)], true) <= EDGE + CLOSE).mean())


def sector_of(angle: float, sectors: int) -> int:
    """The sector that a direction in degrees falls into; on a border the one further round."""
    return int(np.floor(angle / (360.0 / sectors) + 0.5 + CLOSE)) % sectors


def point(grid: TokenGrid, box: Box) -> Floats:
    """All relevance on the token nearest to a box's centre, evenly over tokens that are as near: the best possible."""
    distance = np.hypot(*(grid.centers - box.center).T)
    distance[grid.kind != "cell"] = np.inf
    nearest = distance <= distance.min() * (1 + CLOSE)
    shares: Floats = nearest / nearest.sum()
    return shares


def inside(grid: TokenGrid, box: Box) -> Floats:
    """Uniform relevance inside a box: the share of each token that it covers."""
    return grid.overlap(box)


def equivariance(shares: Floats, turned: Floats) -> float:
    """Pearson's r of two compasses (sector,), of one question or of many behind each other (section 6.1).

    Not a number where one of them is the same everywhere.
    """
    if any(np.ptp(each) <= FLAT * np.abs(each).max() for each in (shares, turned)):
        return float("nan")
    return float(np.corrcoef(shares, turned)[0, 1])
