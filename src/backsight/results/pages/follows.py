"""Shares in words: in percent with the ends of their intervals or from lowest to highest, and differences in points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.results.pages.wording import percent

Row = Mapping[str, Any]


def share(row: Row, name: str) -> str:
    """A share with its interval, as "93.8 % [88.1, 97.0]"."""
    return f"{percent(row[name])} [{100 * row[f'{name}_low']:.1f},\u00a0{100 * row[f'{name}_high']:.1f}]"


def span(shares: Sequence[float]) -> str:
    """The lowest and the highest of shares, as "10.0 to 26.5 %"; one number where they are alike."""
    low, high = percent(min(shares)), percent(max(shares))
    return low if low == high else f"{100 * min(shares):.1f} to {high}"


def points(row: Row, name: str) -> str:
    """A difference of shares in points with its interval, as "+3.1 points [0.4, 6.2]"; what rounds to 0 has no sign."""
    ends = f"[{100 * row[f'{name}_low']:z.1f},\u00a0{100 * row[f'{name}_high']:z.1f}]"
    number = f"{100 * row[name]:+z.1f}"
    return f"{number.removeprefix('+') if number == '+0.0' else number}\u00a0points {ends}"


def cell(row: Row, name: str) -> str:
    """A share or a difference for a table; a dash where there is none."""
    if row.get(name) is None:
        return "–"
    return f"{row[name]:z.3f} [{row[f'{name}_low']:z.3f}, {row[f'{name}_high']:z.3f}]"
