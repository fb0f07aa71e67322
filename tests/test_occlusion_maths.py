"""The formulas of causal occlusion, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from backsight.maths.occlusion import changes_at, opposite


def test_what_lies_across_by_hand() -> None:
    """Of eight sectors right (0) faces left (4), above (2) below (6); of four, 1 faces 3."""
    assert list(opposite(np.array([0, 2, 5, 7]), 8)) == [4, 6, 1, 3]
    assert list(opposite(np.array([1, 3]), 4)) == [3, 1]


def test_changes_of_a_sector_of_the_one_across_and_of_its_neighbours_by_hand() -> None:
    """Two questions; the first asks of sector 0, whose neighbours are 7 and 1, the second of sector 6."""
    changes = np.array([[-4.0, -1.0, 0.0, 0.5, -0.5, 9.0, 9.0, -3.0], [9.0, 9.0, -0.25, 9.0, 9.0, -2.0, -6.0, -1.0]])
    own, across, beside = changes_at(changes, np.array([0, 6]))
    assert (list(own), list(across), list(beside)) == ([-4.0, -6.0], [-0.5, -0.25], [-2.0, -1.5])
    assert list(across - own) == [3.5, 5.75]  # COS
    assert changes_at(changes[:0], np.array([], dtype=int))[0].shape == (0,)


@pytest.mark.parametrize("sectors", [4, 8, 16])
def test_across_of_across_is_the_sector_itself(sectors: int) -> None:
    every = np.arange(sectors)
    assert list(opposite(opposite(every, sectors), sectors)) == list(every)
    assert not (opposite(every, sectors) == every).any()
