"""Whether two studies hold the same numbers: `python benchmarks/same_tables.py BEFORE AFTER`.

Every table of the first is looked for in the second, by its own name or by the one that it bears today, and compared
column by column: numbers to a tolerance, all else exactly. What only one of them has is listed. Exit 1 where a number
differs or a table or column of the first is gone.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

# Tables and columns that bear another name today: old, new.
TABLES = {"roads": "pathways"}
COLUMNS: dict[str, str] = {}
VALUES: dict[str, str] = {}


def new_name(table: str, there: set[str]) -> str:
    """What a table of an earlier study is called today."""
    if table in there:
        return table
    for old, new in TABLES.items():
        if table == old or table.startswith((f"{old}.", f"{old}_")):
            return new + table.removeprefix(old)
    return table


def differing(old: pd.Series, new: pd.Series, tolerance: float) -> float | None:
    """The largest difference of two columns, None where they are the same; infinite where they are not comparable."""
    if pd.api.types.is_float_dtype(old) or pd.api.types.is_float_dtype(new):
        one, two = (column.astype("Float64").to_numpy(float, na_value=np.nan) for column in (old, new))
        if np.array_equal(np.isnan(one), np.isnan(two)):
            gap = np.abs(one - two)
            gap[one == two] = 0.0  # infinities
            largest = float(np.nanmax(gap, initial=0.0))
            return largest if largest > tolerance else None
        return float("inf")
    same = [VALUES.get(value, value) for value in as_text(old)] == as_text(new)
    return None if same else float("inf")


def as_text(column: pd.Series) -> list[str]:
    """The values of a column as text; a missing one is an empty string."""
    return ["" if pd.isna(value) else str(value) for value in column]


def compare(before: Path, after: Path, tolerance: float) -> tuple[int, list[str], list[str]]:
    """How many tables were compared, what is wrong, and what the second alone has."""
    wrong, more = [], []
    there = {path.stem: path for path in (after / "tables").glob("*.parquet")}
    stored = sorted((before / "tables").glob("*.parquet"))
    known = {new_name(path.stem, set(there)): path for path in stored}
    more += [f"table {name}" for name in sorted(there.keys() - known.keys())]
    for name, path in known.items():
        if name not in there:
            wrong.append(f"table {path.stem} is gone")
            continue
        old, new = pd.read_parquet(path), pd.read_parquet(there[name])
        if len(old) != len(new):
            wrong.append(f"{name}: {len(old)} rows before, {len(new)} after")
            continue
        columns = {column: COLUMNS.get(column, column) for column in old}
        more += [f"column {name}.{column}" for column in new if column not in columns.values()]
        for column, today in columns.items():
            if today not in new:
                wrong.append(f"{name}.{column} is gone")
            elif (gap := differing(old[column], new[today], tolerance)) is not None:
                wrong.append(f"{name}.{column} differs by {gap:.2e}")
    return len(known), wrong, more


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--tolerance", type=float, default=1e-6)
    asked = parser.parse_args()
    count, wrong, more = compare(asked.before, asked.after, asked.tolerance)
    for line in more:
        print(f"only after: {line}")
    for line in wrong:
        print(f"DIFFERENT: {line}")
    print(f"{count} tables compared to {asked.tolerance:g}: {len(wrong)} differences")
    sys.exit(1 if wrong or not count else 0)


if __name__ == "__main__":
    main()
