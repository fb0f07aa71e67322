"""Norms by layer, and the share of image tokens' variance that row and column explain beyond content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from backsight.maths.comparison import sign_flips_of
from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.intervals import holm
from backsight.maths.ratios import share
from backsight.tables import Schema, Table

GROUPS = ("objects", "rest")
_FITS = ("content", "position", "shifted")
_NORM = ("mean", "low", "median", "high")
_ENDS = ("", "_low", "_high")
EMBEDDING_NORMS = Schema(
    "embedding_norms",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "site": "str",  # vision: behind a block of the encoder; resid_pre: before a block of the language model
        "layer": "int",
        # Of the tokens' norms: the mean and the quantiles .05, .5 and .95.
        **{f"{of}_{name}": "float" for of in ("image", "text") for name in _NORM},
        # Sums of squares that effects fitted on other pictures leave: of content by itself, and with position added.
        **{f"{group}_{fit}": "float" for group in GROUPS for fit in _FITS},
    },
    "Norms of image and text tokens, and what their content and position leave, one row a picture, site and layer",
)
EMBEDDING_NORMS_SUMMARY = Schema(
    "embedding_norms_summary",
    {
        "suite": "str",
        "site": "str",
        "layer": "int",
        "pictures": "int",
        **{f"{of}_{name}": "float" for of in ("image", "text") for name in _NORM},
        **{f"ratio{end}": "float" for end in _ENDS},  # of the mean norms, image over text
        "ratio_median": "float",
        # The partial R^2 of row and column, that of shifted positions, and the difference, by group of tokens.
        **{f"{group}{of}{end}": "float" for group in GROUPS for of in ("", "_null", "_above") for end in _ENDS},
        **{f"{group}_p": "float" for group in GROUPS},  # of the difference: sign flips, Holm's over a suite's layers
        "omitted": "bool",
    },
    "Norms by layer and the share of variance that position explains, with 95 % intervals over pictures",
)


def embedding_norms_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Means of the norms over pictures and the partial R^2 of position, by suite, site and layer."""
    expect(rows, EMBEDDING_NORMS.name)
    summary: list[dict[str, Any]] = []
    for (suite,), of_suite in groups(rows.frame, ["suite"]):
        lines = [
            {"suite": suite, "site": site, "layer": int(layer)} | _line(group, smallest)
            for (site, layer), group in groups(of_suite, ["site", "layer"])
        ]
        _adjust(lines)
        summary += lines
    return Table.of(EMBEDDING_NORMS_SUMMARY, summary, rows.provenance)


def _line(group: pd.DataFrame, smallest: int) -> dict[str, Any]:
    line: dict[str, Any] = dict.fromkeys(list(EMBEDDING_NORMS_SUMMARY.columns)[3:])
    line |= {"pictures": len(group), "omitted": len(group) < smallest}
    if line["omitted"]:
        return line
    for of in ("image", "text"):
        line |= {f"{of}_{name}": _mean(group[f"{of}_{name}"]) for name in _NORM}
    if group["text_mean"].notna().all():
        line |= _named("ratio", share(group["image_mean"], group["text_mean"]))
        line["ratio_median"] = float(group["image_median"].sum() / group["text_median"].sum())
    for tokens in GROUPS:
        there = group[[f"{tokens}_{fit}" for fit in _FITS]].dropna().to_numpy(dtype=float)
        if len(there) >= smallest and (there[:, 0].sum() > 0):
            line |= _position(tokens, there)
    return line


def _position(tokens: str, there: np.ndarray) -> dict[str, float]:  # type: ignore[type-arg]
    """Shares of what content leaves, from sums of squares (picture, fit)."""
    content, position, shifted = there.T
    shares = {
        tokens: share(content - position, content),
        f"{tokens}_null": share(content - shifted, content),
        f"{tokens}_above": share(shifted - position, content),
    }
    numbers = {name: value for key, one in shares.items() for name, value in _named(key, one).items()}
    (p,) = sign_flips_of((shifted - position)[:, None], ["two-sided"])
    return numbers | {f"{tokens}_p": p}


def _adjust(lines: list[dict[str, Any]]) -> None:
    """Holm's adjustment of a suite's p-values, over layers and groups of tokens."""
    asked = [(line, f"{tokens}_p") for line in lines for tokens in GROUPS if line[f"{tokens}_p"] is not None]
    for (line, name), p in zip(asked, holm([line[name] for line, name in asked]), strict=True):
        line[name] = p


def shown(row: Mapping[str, Any], tokens: str) -> bool:
    """Whether position explains some of a group's variance at a layer, and more than shifted positions do."""
    return bool(
        row[tokens] is not None and row[tokens] > 0 and row[f"{tokens}_above_low"] > 0 and row[f"{tokens}_p"] < 0.05
    )


def _mean(values: pd.Series[float]) -> float | None:
    return float(values.mean()) if values.notna().all() else None


def _named(name: str, ends: tuple[float, ...]) -> dict[str, float]:
    return {f"{name}{end}": float(value) for end, value in zip(_ENDS, ends, strict=True)}
