"""The control of the rotary phase range: arithmetic on a model whose bases are chosen for a known answer.

`staged` has base 100 below layer S, over heads of 32 features, and a stretch of 1e9 above it, which is no position.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from backsight.models import positions
from backsight.selftest.base import Bench, Control, Seen

NONE = 1e-6  # radians over the grid, below any use


def position_budget(bench: Bench) -> Seen:
    """The table of a staged model beside frequencies worked out from its configuration."""
    vlm = bench.builtin("staged")
    text = vlm.model.config.get_text_config()
    rows, columns = vlm.grid.rows, vlm.grid.columns
    below = text.rope_parameters["sliding_attention"]
    expected = below["rope_theta"] ** (-np.arange(0, text.head_dim, 2) / text.head_dim)
    table = positions.budget(vlm.model.config, vlm.family, rows, columns).frame
    return turned(table, {"column": expected, "row": expected * columns})


def turned(table: pd.DataFrame, expected: dict[str, np.ndarray]) -> Seen:  # type: ignore[type-arg]
    """Radians a cell below S beside those expected by axis (frequency,), and over the grid above S."""
    mine, above = (table[table["layers"] == kind] for kind in ("sliding_attention", "full_attention"))
    cell = {
        axis: mine[mine["axis"] == axis].sort_values("frequency")["radians_cell"].to_numpy(dtype=float)
        for axis in expected
    }
    same = all(len(cell[a]) == len(expected[a]) and np.allclose(cell[a], expected[a], rtol=1e-6) for a in expected)
    most = float(above["radians_grid"].max()) if len(above) else float("nan")
    fastest = ", ".join(f"{axis}s {values.max():.3g}" for axis, values in cell.items() if len(values))
    return Seen(f"at most {fastest} radians a cell", same, f"at most {most:.1g} radians over the grid", most < NONE)


CONTROLS: tuple[Control, ...] = (
    Control("position_budget", "radians a cell", "staged below S: 100 ** (-2 i / 32) a column, times the columns a row",
            "staged from S on: no rotation over the whole grid", position_budget, ("staged",)),
)  # fmt: skip
