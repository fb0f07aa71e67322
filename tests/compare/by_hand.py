"""Studies made by hand: a table is a list of rows of which only what a comparison reads is given."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from backsight.results.amplification import AMPLIFY
from backsight.results.behaviour import BEHAVIOUR
from backsight.results.pathways import PATHWAYS
from backsight.results.probes import PROBES
from backsight.studies.compare import Comparison
from backsight.tables import Schema, Table

Row = dict[str, Any]


HOSTILE = "<script>alert(1)</script>"


ALL = "accuracy/squares/all/options"


def filled(schema: Schema, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Rows under a schema; what they do not name is missing."""
    return Table.of(schema, [dict.fromkeys(schema.columns) | dict(row) for row in rows])


def answers(right: Sequence[int], *, free: Sequence[int] | None = None, per_image: int = 2, seed: int = 0) -> Table:
    """Questions right (1) or wrong (0), `per_image` about a picture; those about a gray picture are all wrong."""
    rows: list[Row] = []
    for n, one in enumerate(right):
        row: Row = {
            "example_id": f"e{n}",
            "image_id": f"i{n // per_image}-seed{seed}",
            "question": "?",
            "answer": "red",
        }
        row |= {"direction": ("left", "right")[n % 2], "condition": "picture", "choice_correct": bool(one)}
        row |= {"free_correct": bool((free or right)[n])}
        rows += [row, row | {"condition": "gray", "choice_correct": False, "free_correct": False}]
    return filled(BEHAVIOUR, rows)


def make(
    folder: Path, tables: Mapping[str, Table], *, measured: Mapping[str, Row] | None = None, **changes: Any
) -> Path:  # fmt: skip
    """A finished study's folder with a job a table; keys of `tables` are kind/set."""
    record: Row = {"format": 1, "backsight": "0.1.0", "command": "", "seed": 0, "verdict": None, "finished": True}
    record |= {"model": {"name": "m", "fingerprint": str(folder), "dtype": "float32"}, "skipped": []}
    record |= {"options": {"limit": None, "quick": False, "max_pixels": None}, "versions": {"torch": "2.13.0"}}
    record["jobs"] = []
    for number, (name, table) in enumerate(tables.items()):
        table.write(folder / "tables", f"job{number}")
        job = {"name": name, "set": name.split("/", 1)[1], "measurement": "M()", "tables": [f"job{number}"]}
        record["jobs"].append(job | (measured or {}).get(name, {}))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.json").write_text(json.dumps(record | changes), encoding="utf-8")
    return folder


def two(tmp_path: Path, one: Mapping[str, Table], other: Mapping[str, Table], **changes: Any) -> list[Path]:
    """A baseline and a tuned study."""
    return [make(tmp_path / "base", one), make(tmp_path / "tuned", other, **changes)]


def by_metric(made: Comparison) -> dict[str, Row]:
    return {row["metric"]: row for row in made.rows}


# 24 questions about 12 pictures. Base: all right. Tuned: pictures 0-5 have one of two wrong, picture 6 both.
BASE = [1] * 24


TUNED = [0, 1] * 6 + [0, 0] + [1] * 10


def pathways(removed: Sequence[int], shuffled: Sequence[Sequence[int]]) -> Table:
    """Questions right between two: plain all right, removed as given, shuffled by seed."""
    rows: list[Row] = []
    for n, one in enumerate(removed):
        common = {"example_id": f"e{n}", "image_id": f"i{n}", "asked": "order", "answer": "red"}
        rows.append(common | {"condition": "plain", "correct_of_two": True})
        rows.append(common | {"condition": "removed", "correct_of_two": bool(one)})
        rows += [common | {"condition": "shuffled", "seed": seed, "correct_of_two": bool(values[n])}
                 for seed, values in enumerate(shuffled)]  # fmt: skip
    return filled(PATHWAYS, rows)


def sweep(
    schema: Schema, column: str, means: Mapping[int, float], pairs: int = 12, dropped: int = 0, **more: Any
) -> Table:
    """Pairs with this probability at each layer, and some that were dropped."""
    common = [{"pair_id": f"p{n}", "image_id": f"i{n}", **more} for n in range(pairs)]
    rows: list[Row] = [
        one | {"kept": True, "layer": layer, column: value} for one in common for layer, value in means.items()
    ]
    for n in range(pairs - dropped, pairs):
        rows = [row for row in rows if row["pair_id"] != f"p{n}"] + [common[n] | {"kept": False}]
    return filled(schema, rows)


def probes(shares: Mapping[tuple[str, int], float]) -> Table:
    """Test pictures with this share at each site and layer; shifted rows are read worse, one has no object token."""
    rows: list[Row] = []
    for n, ((site, layer), share) in product(range(12), shares.items()):
        row = {"example_id": f"e{n}", "image_id": f"i{n}", "arrangement": "horizontal", "site": site, "layer": layer}
        rows.append(row | {"shown": "standard", "objects": share if n else None})
        rows.append(row | {"shown": "shifted", "objects": 0.0, "image_id": f"i{n}-moved"})
    return filled(PROBES, rows)


def amplified(before: Sequence[int], after: Sequence[int]) -> Table:
    """Scored questions before and after at the chosen alpha; another alpha and the first half are all wrong."""
    rows: list[Row] = []
    for n, (was, now) in enumerate(zip(before, after, strict=True)):
        common = {"example_id": f"e{n}", "image_id": f"i{n}", "part": "score", "form": "projected"}
        rows.append(common | {"directions": "none", "form": None, "correct": bool(was), "chosen": False})
        rows.append(common | {"directions": "probe", "correct": bool(now), "chosen": True, "alpha": 2.0})
        rows.append(common | {"directions": "probe", "correct": False, "chosen": False, "alpha": 4.0})
        rows.append(common | {"directions": "random", "correct": False, "chosen": True, "alpha": 2.0})
        first = common | {"example_id": f"first{n}", "part": "choose", "correct": False}
        rows.append(first | {"directions": "none", "form": None, "chosen": False})
        rows.append(first | {"directions": "probe", "chosen": True, "alpha": 2.0})
    return filled(AMPLIFY, rows)


def verdict(source: str, vision: float) -> Row:
    share = {"value": vision, "low": vision - 0.1, "high": vision + 0.1, "n": 40}
    return {
        "source": source,
        "suite": "squares",
        "accuracy": share,
        "vision_suffices": share,
        "language_suffices": None,
    }
