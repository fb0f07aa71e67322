"""The suites of cut-outs of a folder of photographs, and all of them written as files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from backsight.datasets import cutout_suites, folder
from backsight.datasets.cutout_drawing import Split
from backsight.datasets.cutout_reading import FEWEST_NAMES, read
from backsight.datasets.cutout_suites import Ground
from backsight.datasets.files import new_folder
from backsight.errors import CannotAnswer
from backsight.examples import ExampleSet
from backsight.grid import TokenGrid
from backsight.stimuli.layouts import Layout
from backsight.stimuli.suites import layout_for

SUITES = ("cutout_rows", "jittered_cutout_rows", "cutout_pairs", "cutout_depth")
SCENES = 100  # of pairs and of depth


def load(
    root: Path, grid: TokenGrid | Layout | None = None, *, split: Split = "test", ground: Ground = "plain",
    names: Sequence[str] | Callable[[str], bool] | None = None, seed: int = 0,
) -> tuple[ExampleSet, ...]:  # fmt: skip
    """The four suites of cut-outs of one half of a folder of photographs in COCO's form.

    They are cutout_rows and jittered_cutout_rows (480 questions each), cutout_pairs (300) and cutout_depth (200), laid
    out on a model's token grid. `names` chooses categories, or keeps of those with several cut-outs the ones that it
    accepts, as those that a tokenizer spells with one token. Errors: those of `cutout_reading.read`; CannotAnswer for a
    grid on which no row can be laid out, and where `names` leaves fewer than five; DataError where no photograph has an
    empty piece and the ground is to be one.
    """
    known = read(root, split, names=None if callable(names) else names)
    if callable(names):
        kept = {name: of for name, of in known.by_name.items() if names(name)}
        if len(kept) < FEWEST_NAMES:
            raise CannotAnswer(
                "Too few names of cut-outs are left for rows of three",
                got=f"accepted: {', '.join(kept) or 'none'} of {', '.join(known.names)}",
            )
        known = replace(known, by_name=kept)
    layout = layout_for(grid)
    return (
        cutout_suites.row_set(known, layout, ground=ground, seed=seed),
        cutout_suites.row_set(known, layout, exact=False, ground=ground, seed=seed),
        cutout_suites.pair_set(known, layout, scenes=SCENES, ground=ground, seed=seed),
        cutout_suites.depth_set(known, layout, scenes=SCENES, ground=ground, seed=seed),
    )


def write(
    root: Path, out: Path, grid: TokenGrid | Layout | None = None, *, split: Split = "test", ground: Ground = "plain",
    names: Sequence[str] | None = None, seed: int = 0, limit: int | None = None,
) -> Path:  # fmt: skip
    """Write the suites of `load` as folders of `out`, each as `folder.write` does, whole or not at all; gives `out`.

    `limit` keeps at most so many questions of each. Errors: those of `load`, and of `folder.write`.
    """
    sets = load(root, grid, split=split, ground=ground, names=names, seed=seed)
    with new_folder(out) as part:
        for examples in sets:
            folder.write(examples.limit(limit), part / examples.name)
    return out
