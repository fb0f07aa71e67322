"""Examines the models of the recipes `positions-*` and writes the comparison: table, figure, sentences, page.

    python benchmarks/positional.py CHECKPOINTS --out docs/results

CHECKPOINTS holds folders that `backsight train positions-NAME --seed N --out CHECKPOINTS/NAME-N` wrote, each with its
log. A model is examined once: its rows are kept in CHECKPOINTS/.examined, so that the command can be given again when
more are there, or others in their place. `--logs` names a folder of logs by axis (NAME-N.parquet), where those of the
checkpoints hold none.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import torch

from backsight.errors import BacksightError
from backsight.models.opening import quiet
from backsight.results.drawing import style
from backsight.results.positional import claims, figure, page, prediction, tables
from backsight.studies import positional
from backsight.tables import Table
from backsight.training import positional as recipes

COMMAND = """backsight train positions-none --seed 0 --out CHECKPOINTS/none-0    # and each other name and seed
python benchmarks/positional.py CHECKPOINTS --out docs/results"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    parser.add_argument("--kept", type=Path, help="where rows of examined models are; default CHECKPOINTS/.examined")
    parser.add_argument("--logs", type=Path, help="logs by axis, NAME.parquet each")
    parser.add_argument("--pictures", type=int, default=positional.PICTURES, help="of each condition")
    parser.add_argument("--only-write", action="store_true", help="examine nothing, write from what was examined")
    asked = parser.parse_args()
    quiet()
    torch.set_num_threads(1)
    kept = asked.kept or asked.checkpoints / ".examined"
    if not asked.only_write:
        _examine(asked.checkpoints, kept, asked.pictures)
    parts = [Table.read(path) for path in sorted(kept.glob("*.parquet"))]
    if not parts:
        print("no model was examined")
        return 1
    rows = Table.concat(parts)
    logs = asked.logs or asked.checkpoints
    rows = Table.concat([rows, positional.learned(rows, logs)])
    _write(rows, asked.out)
    return 0


def _examine(checkpoints: Path, kept: Path, pictures: int) -> None:
    for folder in sorted(checkpoints.iterdir()):
        if not (folder / "config.json").is_file() or positional.log_of(folder) is None:
            continue
        path = kept / f"{folder.name}.parquet"
        if path.exists() and Table.read(path).provenance.get("weights") == positional.weights(folder):
            continue
        clock, spent = time.monotonic(), time.process_time()
        try:
            positional.examine(folder, count=pictures).write(kept, folder.name)
        except BacksightError as error:  # of one model; the others are examined all the same
            print(f"{folder.name}: {error}", flush=True)
            continue
        took, core = time.monotonic() - clock, time.process_time() - spent
        print(f"{folder.name}: {took:.0f} s, {core:.0f} s of a core", flush=True)


def _write(rows: Table, out: Path) -> None:
    for name, table in (
        ("positional", rows), ("positional_summary", tables.positional_summary(rows)),
        ("positional_claims", claims.positional_claims(rows)),
        ("positional_prediction", prediction.positional_prediction(rows)),
    ):  # fmt: skip
        out.mkdir(parents=True, exist_ok=True)
        table.frame.to_csv(out / f"{name}.csv", index=False, lineterminator="\n", float_format="%.5g")
    images = out.parent / "images"
    images.mkdir(parents=True, exist_ok=True)
    (images / "positional.svg").write_text(style.to_svg(figure.draw(rows)), encoding="utf-8")
    hardware = f"Trained and examined on {os.cpu_count()} CPU cores, one thread a model."
    trained = recipes.TRAINED_COLUMNS
    text = page.page(rows, figure="../images/positional.svg", command=COMMAND, hardware=hardware, trained=trained)
    (out / "positional.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
