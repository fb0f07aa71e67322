"""Whom answers follow, in words: shares in percent with the ends of their intervals, and differences in points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backsight.results.pages.wording import percent

Row = Mapping[str, Any]


def share(row: Row, name: str) -> str:
    """A share with its interval, as "93.8 % [88.1, 97.0]"."""
    return f"{percent(row[name])} [{100 * row[f'{name}_low']:.1f},\u00a0{100 * row[f'{name}_high']:.1f}]"


def points(row: Row, name: str) -> str:
    """A difference of shares in points with its interval, as "+3.1 points [0.4, 6.2]"."""
    ends = f"[{100 * row[f'{name}_low']:.1f},\u00a0{100 * row[f'{name}_high']:.1f}]"
    return f"{100 * row[name]:+.1f}\u00a0points {ends}"


def cell(row: Row, name: str) -> str:
    """A share or a difference for a table; a dash where there is none."""
    if row.get(name) is None:
        return "–"
    return f"{row[name]:.3f} [{row[f'{name}_low']:.3f}, {row[f'{name}_high']:.3f}]"
