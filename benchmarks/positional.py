"""Examines the models of the recipes `positions-*` and writes the comparison: table, figure, sentences, page.

    python benchmarks/positional.py CHECKPOINTS --seeds 3 --out docs/results

CHECKPOINTS holds folders that `backsight train positions-NAME --seed N --out CHECKPOINTS/NAME-N` wrote, each with its
log; `--seeds` trains those that are missing, and goes on where a training was stopped. A model is examined once: its
rows are kept in CHECKPOINTS/.examined, so that the command can be given again when more are there. Rows of other
weights, of a recipe that has changed, of another number of pictures or an earlier examination are made anew. A model
that was not trained to the end of its recipe is left out and named, and the command leaves with 1. Only models that are
in CHECKPOINTS now are written. `--logs` names a folder of logs by axis (NAME-N.parquet), where those of the checkpoints
hold none.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from backsight.errors import BacksightError, DataError
from backsight.models import additions
from backsight.models.opening import quiet
from backsight.results.drawing import style
from backsight.results.positional import claims, figure, page, prediction, tables
from backsight.studies import positional
from backsight.tables import Table
from backsight.training import loop
from backsight.training import positional as recipes

SEEDS = 3
COMMAND = f"python benchmarks/positional.py CHECKPOINTS --seeds {SEEDS} --out docs/results"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    parser.add_argument("--seeds", type=int, default=0, help="train what is missing of so many seeds")
    parser.add_argument("--kept", type=Path, help="where rows of examined models are; default CHECKPOINTS/.examined")
    parser.add_argument("--logs", type=Path, help="logs by axis, NAME.parquet each")
    parser.add_argument("--pictures", type=int, default=positional.PICTURES, help="of each condition")
    parser.add_argument("--only-write", action="store_true", help="examine nothing, write from what was examined")
    asked = parser.parse_args()
    quiet()
    torch.set_num_threads(1)
    kept = asked.kept or asked.checkpoints / ".examined"
    _train(asked.checkpoints, asked.seeds)
    tables, refused = [], []
    for folder in sorted(path for path in asked.checkpoints.iterdir() if (path / "config.json").is_file()):
        try:
            tables.append(_rows(folder, kept, asked.pictures, only_kept=asked.only_write))
        except BacksightError as error:  # of one model; the others are written all the same
            refused.append(folder.name)
            print(f"{folder.name}: {error}", flush=True)
    if not tables:
        print("no model was examined")
        return 1
    rows = Table.concat(tables)
    rows = Table.concat([rows, positional.learned(rows, asked.logs or asked.checkpoints)])
    _write(rows, asked.out, sorted({int(table.provenance["cores"]) for table in tables}))
    if refused:
        print(f"left out: {', '.join(refused)}")
    return 1 if refused else 0


def _train(checkpoints: Path, seeds: int) -> None:
    """Train what is missing, whole seeds first."""
    for seed in range(seeds):
        for name, recipe in recipes.RECIPES.items():
            folder = checkpoints / f"{name.removeprefix('positions-')}-{seed}"
            if not (folder / "config.json").is_file():
                loop.train(replace(recipe, seed=seed), folder.with_name(f"{folder.name}.training")).save(folder)
                print(f"trained {folder.name}", flush=True)


def _rows(folder: Path, kept: Path, pictures: int, *, only_kept: bool) -> Table:
    """The rows of a model: those kept where they are of its weights, recipe and examination, else new ones."""
    path = kept / f"{folder.name}.parquet"
    key = positional.key(folder, pictures)
    if path.exists() and (table := Table.read(path)).provenance.items() >= key.items():
        return table
    if only_kept:
        raise DataError("There are no rows of this model as it is now", where=path, do="leave out --only-write")
    clock, spent = time.monotonic(), time.process_time()
    table = positional.examine(folder, count=pictures)
    table.write(kept, folder.name)
    print(f"{folder.name}: {time.monotonic() - clock:.0f} s, {time.process_time() - spent:.0f} s of a core", flush=True)
    return table


def how(cores: Sequence[int]) -> page.How:
    """How the rows come about, as the page says it, with the numbers of the recipes."""
    return page.How(
        figure="../images/positional.svg", command=COMMAND, cores=tuple(cores), columns=recipes.TRAINED_COLUMNS,
        taught=(recipes.ORDER.steps, recipes.ORDER.images), read=recipes.READ.steps, answers=recipes.ANSWERS.steps,
        images=recipes.ANSWERS.images, gain=additions.GAIN, bases=(recipes.ONE_AXIS, recipes.TWO_AXES),
        customary=recipes.CUSTOMARY, models=SEEDS * len(recipes.SETTINGS),
    )  # fmt: skip


def _write(rows: Table, out: Path, cores: Sequence[int]) -> None:
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
    text = page.page(rows, how(cores))
    (out / "positional.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
