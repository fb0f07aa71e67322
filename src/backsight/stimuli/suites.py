"""The doors into the generated worlds: one function a suite, each from a token grid to an ExampleSet."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from backsight.errors import CannotAnswer, UsageError
from backsight.examples import ExampleSet
from backsight.grid import TokenGrid
from backsight.maths.boxes import SIDES, Form
from backsight.stimuli import absolute, arrangements, rows, scattered, tabletop
from backsight.stimuli.absolute import Things
from backsight.stimuli.degraded import STRONG, degraded
from backsight.stimuli.layouts import PRESETS, Layout
from backsight.stimuli.scattered import Ground

DEFAULT = PRESETS["qwen2-vl"]


def layout_for(grid: TokenGrid | Layout | None) -> Layout:
    """The layout that fits a model's token grid; the paper's Qwen2-VL row where none is given.

    CannotAnswer for a grid whose tokens are not one rectangle of cells.
    """
    if grid is None:
        return DEFAULT
    if isinstance(grid, Layout):
        return grid
    if not grid.is_rectangle:
        raise CannotAnswer(
            "The grid has no rows and columns to lay a suite out on: its tokens are not one rectangle of cells",
            got=f"{len(grid)} tokens in {len(set(grid.view.tolist()))} view(s)",
        )
    return Layout.for_grid(grid.rows, grid.columns, round(min(grid.cell)))


def squares(grid: TokenGrid | Layout | None = None, *, seed: int = 0) -> ExampleSet:
    """Squares of six colours in rows of three: 480 items (Dual Mechanisms, 3.1)."""
    return rows.exact("squares", layout_for(grid), seed=seed)


def shapes(grid: TokenGrid | Layout | None = None, *, seed: int = 0) -> ExampleSet:
    """Six coloured shapes in rows of three: 480 items (Dual Mechanisms, 3.1)."""
    return rows.exact("shapes", layout_for(grid), seed=seed)


def objects(grid: TokenGrid | Layout | None = None, *, seed: int = 0, assets: Path | None = None) -> ExampleSet:
    """Pictures of eight objects in rows of three: 1344 items (Dual Mechanisms, 3.1).

    `assets` is a folder with one picture a name (orange, apple, pot, bell, hat, rose, key, bomb) to use instead.
    """
    return rows.exact("objects", layout_for(grid), seed=seed, assets=assets)


def jittered(
    grid: TokenGrid | Layout | None = None, *, suite: rows.Suite, count: int = 1000, seed: int = 0
) -> ExampleSet:
    """Scenes of a row suite with position, size and shade drawn afresh, of triples that training never shows."""
    return rows.jittered(suite, layout_for(grid), count=count, seed=seed)


def pairs(grid: TokenGrid | Layout | None = None, *, scenes: int = 200, seed: int = 0) -> ExampleSet:
    """Two objects anywhere on plain ground, asked with CREG's prompts A, B and C."""
    return scattered.pairs(layout_for(grid), ground="plain", scenes=scenes, seed=seed)


def pairs_textured(grid: TokenGrid | Layout | None = None, *, scenes: int = 200, seed: int = 0) -> ExampleSet:
    """Two objects anywhere on textured ground among distractors, asked with CREG's prompts A, B and C."""
    return scattered.pairs(layout_for(grid), ground="textured", scenes=scenes, seed=seed)


def located(
    grid: TokenGrid | Layout | None = None, *, scenes: int = 100, seed: int = 0, form: Form | None = None,
    sides: int = SIDES, things: Things = "objects", ground: Ground = "plain", system: str | None = None,
) -> ExampleSet:  # fmt: skip
    """Two things anywhere, the box of one asked for, in a format of `maths.boxes.FORMS` or in a model's own (None).

    On textured `ground` objects stand among distractors.
    """
    return absolute.located(
        layout_for(grid), scenes=scenes, seed=seed, form=form, sides=sides, things=things, ground=ground, system=system
    )  # fmt: skip


def tabletop_a(grid: TokenGrid | Layout | None = None, *, sets: int = 50, seed: int = 0) -> ExampleSet:
    """Drawn scenes in the manner of What'sUp's set A, four pictures a set, of pairs that training never shows."""
    return tabletop.scenes((grid or DEFAULT).size, which="a", sets=sets, seed=seed)


def tabletop_b(grid: TokenGrid | Layout | None = None, *, sets: int = 50, seed: int = 0) -> ExampleSet:
    """Drawn scenes in the manner of What'sUp's set B, four pictures a set, of pairs that training never shows."""
    return tabletop.scenes((grid or DEFAULT).size, which="b", sets=sets, seed=seed)


def grid(grid: TokenGrid | Layout | None = None, side: int = 2, *, count: int = 120, seed: int = 0) -> ExampleSet:
    """`side` x `side` coloured shapes, for probes of both directions at once (Dual Mechanisms, B.4)."""
    return arrangements.grid(layout_for(grid), side, count=count, seed=seed)


def hard(grid: TokenGrid | Layout | None = None, *, seed: int = 0) -> ExampleSet:
    """Questions at which models fail, for repairs: degraded Squares, Pairs on textured ground (prompt A), Tabletop A.

    260 of the first at very low contrast, 100 of the second and 40 of the third.
    """
    damaged = degraded(squares(grid, seed=seed), seed=seed, strengths=STRONG).limit(260)
    textured = pairs_textured(grid, scenes=100, seed=seed).where(lambda e: e.tags["prompt"] == "A")
    scenes = tabletop_a(grid, sets=10, seed=seed)
    return ExampleSet("hard", (*damaged, *textured, *scenes))


SUITES: dict[str, Callable[..., ExampleSet]] = {
    "squares": squares,
    "shapes": shapes,
    "objects": objects,
    "pairs": pairs,
    "pairs_textured": pairs_textured,
    **{f"jittered_{suite}": partial(jittered, suite=suite) for suite in rows.SUITES},
    "grid_2x2": partial(grid, side=2),
    "grid_3x3": partial(grid, side=3),
    "tabletop_a": tabletop_a,
    "tabletop_b": tabletop_b,
    "hard": hard,
    "located": located,
}


def build(name: str, grid: TokenGrid | Layout | None = None, *, seed: int = 0) -> ExampleSet:
    """The suite called `name`; UsageError names those there are."""
    if name not in SUITES:
        raise UsageError("There is no suite of this name", got=name, do=f"choose from: {', '.join(SUITES)}")
    return SUITES[name](grid, seed=seed)
