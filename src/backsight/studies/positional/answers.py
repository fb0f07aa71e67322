"""Answers of one model of the positional experiment: relations and presence at every condition.

Every row is shown reversed too, so that what knows only which things are there has one half of the relations exactly.
Several questions about a picture are packed (`training.packing`); a gray picture is asked each different one once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from backsight.maths.intervals import mean_over_images
from backsight.models import other_sizes
from backsight.models.vlm import VLM
from backsight.pictures import PlainPicture
from backsight.results.positional.tables import PLACEMENTS, SIZES, TRAINED, UNSEEN
from backsight.stimuli import rows, whole_cells
from backsight.stimuli.layouts import Axis
from backsight.stimuli.questions import DIRECTIONS, PRESENCE, row_question
from backsight.stimuli.render import render
from backsight.stimuli.whole_cells import SIDE, Placed, Placement, Window
from backsight.training import positional
from backsight.training.answering import answer_logits
from backsight.training.packing import Packer
from backsight.training.questions import Asked

Row = dict[str, Any]
PICTURES = 384  # of each condition, half of them the reverse of the other half
AT_ONCE = 32
AXES = ("horizontal", "vertical")


@dataclass(frozen=True)
class Condition:
    """Rows on a grid (columns, rows), at the same cells or the same fractions of the picture as on the own one."""

    name: str
    placed: tuple[Placed, ...]
    grid: tuple[int, int] = (SIDE, SIDE)
    placement: Placement = "cells"


@dataclass(frozen=True)
class _Answers:
    """Answers, right (1) or wrong: relations (picture, 2) read between two and among all, presence (picture, 1)."""

    of_two: NDArray[np.float64]
    of_all: NDArray[np.float64]
    presence: NDArray[np.float64]


def conditions(count: int = PICTURES) -> Iterator[Condition]:
    """Trained positions, unseen ones, and every other size with both placements; `count` pictures each, 4 at least.

    Unseen are columns of things wholly in columns where nothing stood in training; a row of things that takes five
    columns of eight cannot.
    """
    trained = windows(Window(columns=(0, positional.TRAINED_COLUMNS)))
    own = both_ways(whole_cells.placed(trained, count=count // 2, seed=1))
    yield Condition(TRAINED, own)
    beyond = Window(columns=(positional.TRAINED_COLUMNS, SIDE))
    rng = np.random.default_rng(1)
    yield Condition(UNSEEN, both_ways([whole_cells.place(beyond, "vertical", rng) for _ in range(count // 2)]))
    for size, grid in SIZES.items():
        small = Window((0, min(positional.TRAINED_COLUMNS, grid[0])), (0, min(SIDE, grid[1])))
        inside = both_ways(whole_cells.placed(windows(small), count=count // 2, seed=1))
        for placement in PLACEMENTS:
            shown = inside if placement == "cells" else own
            yield Condition(f"{size}, {placement}", shown, grid, placement)  # type: ignore[arg-type]


def both_ways(of: Sequence[Placed]) -> tuple[Placed, ...]:
    """Every row and behind it the same one reversed, whose triple training shows too."""
    return tuple(one for row in of for one in (row, replace(row, names=row.names[::-1])))


def windows(window: Window) -> dict[Axis, Window]:
    return {"horizontal": window, "vertical": window}


def accuracies(vlm: VLM, setting: positional.Setting, condition: Condition) -> list[Row]:
    """Rows of the three questions by axis, with the gray picture's accuracy as null, and of the answers that change
    where a row is reversed. A pair of pictures is one picture of the intervals."""
    columns, lines = condition.grid
    vision = vlm.model.config.vision_config
    table = None
    if setting.table == "sinusoidal":
        table = positional.sinusoid(lines, columns, int(vision.hidden_size))
    with other_sizes.of_size(vlm.model, vlm.processor, columns, lines, table) as processor:
        seen, gray = (_answered(vlm.model, processor, condition, gray=blank) for blank in (False, True))
    axis = np.array([one.axis for one in condition.placed])
    pair = np.arange(len(axis)) // 2
    records = []
    for measure, name in (("relation", "of_two"), ("relation_of_all", "of_all"), ("presence", "presence")):
        records += _by_axis(measure, condition.name, getattr(seen, name), getattr(gray, name), axis, pair)
    changed, blank = mirrored(seen.of_two), mirrored(gray.of_two)
    return records + _by_axis("mirrored", condition.name, changed, blank, axis[::2], pair[::2])


def mirrored(right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Whether an answer changes with the row reversed (pair, question), of answers to rows and their reverses in turn
    (picture, question), right (1) or wrong: where it is the same name for both, one of the two is right."""
    changed: NDArray[np.float64] = (right[::2] == right[1::2]).astype(float)
    return changed


def _by_axis(
    measure: str, condition: str, seen: NDArray[np.float64], gray: NDArray[np.float64], axis: NDArray[np.str_],
    pair: NDArray[np.int64],
) -> list[Row]:  # fmt: skip
    """A row an axis that there is, and one of all, of values (picture, question) with their pairs (picture,)."""
    records = []
    for among in (*AXES, "all"):
        at = axis == among if among != "all" else np.ones(len(axis), dtype=bool)
        if not at.any():
            continue
        values = seen[at]
        interval = mean_over_images(values.reshape(-1), np.repeat(pair[at], values.shape[1]))
        records.append(
            {
                "measure": measure, "condition": condition, "axis": among, "n": values.size,
                "value": interval.mean, "low": interval.low, "high": interval.high, "null": float(gray[at].mean()),
            }
        )  # fmt: skip
    return records


def _answered(model: Any, processor: Any, condition: Condition, *, gray: bool) -> _Answers:
    """The answers to the two relations and a presence question about each picture of a condition, or a gray one."""
    packer = Packer(model, processor, positional.RECIPES["positions-none"].system, device=model.device)
    ids = {name: packer.answer_id(name) for name in rows.fillers("squares")}
    rng = np.random.default_rng(2)
    asked = [_asked(one, condition, rng) for one in condition.placed]
    scores = _of_gray(model, packer, [one for one, _ in asked]) if gray else _of_pictures(model, packer, asked)
    two, every, presence = [], [], []
    for of, (picture, options) in zip(scores, asked, strict=True):
        answers = [answer for _, answer in picture.questions]
        right = [_best(s, named, ids) == a for s, named, a in zip(of, options, answers, strict=True)]
        two.append(right[:2])
        every.append([_best(s, tuple(ids), ids) == a for s, a in zip(of[:2], answers[:2], strict=True)])
        presence.append([right[2]])
    return _Answers(*(np.array(of, dtype=float) for of in (two, every, presence)))


def _of_pictures(model: Any, packer: Packer, asked: Sequence[tuple[Asked, Any]]) -> list[torch.Tensor]:
    """Next-token logits (question, vocabulary) of each picture's questions."""
    scores: list[torch.Tensor] = []
    for start in range(0, len(asked), AT_ONCE):
        part = [one for one, _ in asked[start : start + AT_ONCE]]
        logits = answer_logits(model, packer.pack(part, cut=False)).float().cpu()
        scores += logits.view(len(part), 3, -1).unbind(0)
    return scores


def _of_gray(model: Any, packer: Packer, asked: Sequence[Asked]) -> list[torch.Tensor]:
    """The same of a uniform gray picture of that size, of which each different question is asked once."""
    distinct = {question: answer for one in asked for question, answer in one.questions}
    blank = Asked(PlainPicture(asked[0].image.size).open(), tuple(distinct.items()))
    logits = answer_logits(model, packer.pack([blank], cut=False)).float().cpu()
    by_question = dict(zip(distinct, logits, strict=True))
    return [torch.stack([by_question[question] for question, _ in one.questions]) for one in asked]


def _best(scores: torch.Tensor, names: Sequence[str], ids: Mapping[str, int]) -> str:
    return names[int(scores[[ids[name] for name in names]].argmax())]


def _asked(one: Placed, condition: Condition, rng: np.random.Generator) -> tuple[Asked, list[tuple[str, str]]]:
    """A picture with its questions, and the two options of each."""
    scene = whole_cells.scene(one, *condition.grid, positional.LAYOUT.cell, condition.placement)
    first, middle, last = one.names
    asked = [
        (row_question("squares", direction, middle), first if direction in ("left", "above") else last)
        for direction in DIRECTIONS
        if rows.axis_of(direction) == one.axis
    ]
    there = one.names[int(rng.integers(3))]
    absent = [name for name in rows.fillers("squares") if name not in one.names]
    missing = absent[int(rng.integers(len(absent)))]
    pair = (there, missing) if rng.random() < 0.5 else (missing, there)
    asked.append((PRESENCE["squares"].format(one=pair[0], two=pair[1]), there))
    outer = (min(first, last), max(first, last))  # the same for a row and its reverse, where both are equally likely
    return Asked(render(scene), tuple(asked)), [outer, outer, pair]
