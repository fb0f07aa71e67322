"""The rotary phase range: radians from one cell of the picture to the next, and over the grid.

It costs no forward pass: the numbers come from a model's settings. A pair of features that turns by less than a few
hundredths of a radian over the whole grid cannot tell its cells apart by rotation; then order along that axis must come
from elsewhere (the vision encoder, or causal order).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from backsight.models.families.common import Family, Rotary
from backsight.results.position_budget import POSITION_BUDGET
from backsight.tables import Table

Axis = Literal["row", "column"]


PLAIN = ("default", "linear", "mrope", "axial")  # kinds of rotary positions whose frequencies the settings give


@dataclass(frozen=True)
class Turn:
    """One rotary frequency that an axis is given: `step` positions a cell, `frequency` radians a position."""

    part: Literal["vision", "language"]
    layers: str
    axis: Axis
    index: int
    frequency: float
    step: int


def budget(config: Any, family: Family, rows: int, columns: int) -> Table:
    """Radians a cell and over the grid (cells - 1 of them), for every frequency that rows and columns are given.

    A part without rotary positions (SigLIP has a table of them) has no rows, nor has one whose frequencies are scaled
    in another way than linearly (yarn, llama3 ...): what those turn by depends on more than their settings.
    """
    records = []
    for turn in (*_vision(config, family.rotary), *_language(config, family.rotary, columns)):
        radians = turn.frequency * turn.step
        cells = rows if turn.axis == "row" else columns
        records.append(
            {
                "part": turn.part, "layers": turn.layers, "axis": turn.axis, "frequency": turn.index,
                "radians_cell": radians, "radians_grid": radians * (cells - 1), "cells": cells,
            }
        )  # fmt: skip
    return Table.of(POSITION_BUDGET, records, {"family": family.name})


def frequencies(parameters: dict[str, Any] | None, size: int, default: float = 10_000.0) -> list[float]:
    """Radians a position of each pair of features: base ** (-2 i / size), divided by a linear scaling factor.

    None at all for any other scaling, or where a part of the features turns only.
    """
    parameters = parameters or {}
    plain = parameters.get("rope_type", "default") in PLAIN and parameters.get("partial_rotary_factor", 1.0) == 1.0
    if not plain:
        return []
    base = float(parameters.get("rope_theta", default))
    factor = float(parameters.get("factor", 1.0)) if parameters.get("rope_type") == "linear" else 1.0
    return [base ** (-2 * i / size) / factor for i in range(size // 2)]


def _vision(config: Any, rotary: Rotary) -> Iterator[Turn]:
    """Axial: half of each head's pairs turn along rows and half along columns, a position a patch."""
    vision = config.vision_config
    if rotary.vision is None:
        return
    width = int(getattr(vision, "embed_dim", None) or vision.hidden_size)
    size = width // int(vision.num_heads) // 2
    for index, frequency in enumerate(frequencies(getattr(vision, "rope_parameters", None) or {}, size)):
        for axis in ("row", "column"):
            yield Turn("vision", "all", axis, index, frequency, int(vision.spatial_merge_size))  # type: ignore[arg-type]


def _language(config: Any, rotary: Rotary, columns: int) -> Iterator[Turn]:
    text = config.get_text_config()
    size = int(getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads)
    parameters = text.rope_parameters or {}
    if rotary.language == "sections":
        given = frequencies(parameters, size)
        for index, axis in enumerate(_sections(parameters, len(given)) if given else ()):
            if axis != "time":
                yield Turn("language", "all", axis, index, given[index], 1)  # type: ignore[arg-type]
        return
    by_kind = bool(parameters) and all(isinstance(of, dict) for of in parameters.values())
    kinds = parameters if by_kind else {"all": parameters}
    for layers, of in kinds.items():
        for index, frequency in enumerate(frequencies(of, size)):
            yield Turn("language", layers, "row", index, frequency, columns)
            yield Turn("language", layers, "column", index, frequency, 1)


def _sections(parameters: dict[str, Any], pairs: int) -> list[str]:
    """Which axis each frequency is given to: M-RoPE's sections one after another, or interleaved (Qwen3-VL)."""
    names = ("time", "row", "column")
    sections = list(parameters["mrope_section"])
    if not parameters.get("mrope_interleaved", False):
        return [names[i % 3] for i, length in enumerate(sections) for _ in range(length)]
    axes = ["time"] * pairs
    for offset in (1, 2):
        for index in range(offset, min(3 * sections[offset], pairs), 3):
            axes[index] = names[offset]
    return axes
