"""What is measured of a model with one of the projectors: rows of `projector`, and the curves of its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from backsight.errors import UsageError
from backsight.examples import ExampleSet
from backsight.maths.intervals import mean_over_images
from backsight.measurements.behaviour import Behaviour
from backsight.measurements.norms import EmbeddingNorms
from backsight.measurements.permutation import Permutation
from backsight.models.vlm import VLM
from backsight.results.norms import embedding_norms_summary
from backsight.results.permutation import permutation_summary
from backsight.results.projector.tables import CHANCE, WHAT, WHERE
from backsight.stimuli import rows
from backsight.stimuli.degraded import degraded
from backsight.stimuli.questions import DIRECTIONS
from backsight.stimuli.what import what
from backsight.tables import Table
from backsight.training.projector import LAYOUT, in_both_orders, prompt_lengths

Row = dict[str, Any]
PICTURES = 192
SEED = 15  # of the test's pictures, beside that of the model
VERSION = 2  # raised where equal models and pictures give other rows
OF_SHUFFLES, OF_NORMS = 96, 32


def tested(count: int = PICTURES, *, seed: int = 0) -> ExampleSet:
    """Jittered rows of three squares, one relation each, every other row the one before in reversed order.

    Options are the two outer squares, so a model that answers by which colors are there and by the question gets one of
    each two rows: exactly half. Triples are trained in both orders, scenes are drawn anew, for each seed of a model
    others. UsageError where `count` is odd or below two.
    """
    if count < 2 or count % 2:
        raise UsageError("Rows and their reverses come in twos", got=f"{count} pictures", do="give an even number")
    rng = np.random.default_rng([SEED, seed])
    items = []
    for number in range(count // 2):
        direction = DIRECTIONS[number % len(DIRECTIONS)]
        names = rows.random_triple("squares", rng, held=False)
        while not in_both_orders(names):
            names = rows.random_triple("squares", rng, held=False)
        axis = rows.axis_of(direction)
        row = rows.Row("squares", names, axis, rows.jittered_scene("squares", names, axis, LAYOUT, rng))
        for turn, one in enumerate((row, turned(row))):
            item = rows.example(one, direction, "jittered_squares")
            items.append(replace(item, id=f"{item.id}-{number}-{turn}", options=(names[0], names[2])))
    return ExampleSet("jittered_squares", tuple(items))


def turned(row: rows.Row) -> rows.Row:
    """A row in reversed order: the outer squares change places, each with its own shade in the other's box."""
    first, middle, last = row.scene.figures
    figures = replace(last, box=first.box), middle, replace(first, box=last.box)
    return replace(row, names=row.names[::-1], scene=row.scene.with_figures(figures))


def measured(vlm: VLM, examples: ExampleSet, *, batch: int = 16) -> list[Row]:
    """Accuracy of where and what, what shuffled image tokens take, and lengths; without projector and seed.

    Shuffles and rescaled tokens are measured on the first `OF_SHUFFLES` pictures, lengths on the first `OF_NORMS`.
    """
    found = lengths(vlm, "clean", examples, batch=batch)
    shuffled = Permutation(batch=batch, shuffles=2)(vlm, examples[:OF_SHUFFLES])
    found += _indices(permutation_summary(shuffled).rows(), "clean")
    for name, shown in (("clean", examples), ("degraded", degraded(examples))):
        for measure, asked in ((WHERE, shown), (WHAT, presence(shown))):
            pairs = {example.image_id: number // 2 for number, example in enumerate(asked)}
            found.append(_accuracy(Behaviour(batch=batch)(vlm, asked).frame, name, measure, pairs))
    return found


def presence(examples: ExampleSet) -> ExampleSet:
    """The question of each picture, which of two colors is there."""
    return replace(examples, items=tuple(what(example)["presence"] for example in examples))


def lengths(vlm: VLM, name: str, examples: ExampleSet, *, batch: int = 16) -> list[Row]:
    """Mean lengths of image and text embeddings at the language model's input, their ratio, and those of the
    text of the prompts that training asks."""
    few = examples[:OF_NORMS]
    summary = embedding_norms_summary(EmbeddingNorms(batch=batch)(vlm, few)).rows()
    row = next(r for r in summary if (r["site"], r["layer"]) == ("resid_pre", 0))
    every = prompt_lengths(vlm.model, vlm.processor)
    ends = {"low": row["ratio_low"], "high": row["ratio_high"]}
    return [
        _row(name, "image_norm", len(few), row["image_mean"]),
        _row(name, "text_norm", len(few), row["text_mean"]),
        _row(name, "ratio", len(few), row["ratio"], **ends),
        _row(name, "prompt_mean", 0, every.mean),
        _row(name, "prompt_largest", 0, every.largest),
    ]


def learned(log: Table) -> tuple[list[Row], list[Row]]:
    """The rows of a training's log: mean accuracies over all its steps, and its curves."""
    frame = log.frame[log.frame["figure"].isin([f"accuracy: {WHERE}", f"accuracy: {WHAT}"])]
    curve: dict[int, Row] = {}
    for row in frame.to_dict("records"):
        curve.setdefault(int(row["step"]), {"step": int(row["step"])})[row["figure"].removeprefix("accuracy: ")] = row[
            "value"
        ]
    means = [
        _row("training", name, 0, float(np.mean([one[name] for one in curve.values()])), chance=None)
        for name in (WHERE, WHAT)
    ]
    return means, list(curve.values())


def _accuracy(frame: pd.DataFrame, name: str, measure: str, pairs: Mapping[str, int]) -> Row:
    """The accuracy between two answers, over pairs of a row and its reverse; its null is that with a gray picture."""
    shown, gray = (frame[frame["condition"] == condition] for condition in ("picture", "gray"))
    mean = mean_over_images(shown["choice_correct"].astype(float), shown["image_id"].map(pairs))
    return _row(
        name, measure, shown["image_id"].nunique(), mean.mean, low=mean.low, high=mean.high,
        null=float(gray["choice_correct"].astype(float).mean()), chance=CHANCE,
    )  # fmt: skip


def _indices(summary: Sequence[Mapping[str, Any]], name: str) -> list[Row]:
    """The Position Sensitivity Index in both forms of where and of what, and what rescaled tokens gain untrained."""
    found = []
    for row in summary:
        asked = {"relational": WHERE, "semantic": WHAT}.get(row["kind"])
        if asked is None or row["order"] != "kept":
            continue
        if row["norm"] == "own" and row["accuracy"] is not None:
            found.append(_row(name, f"lost_{asked}", row["images"], row["accuracy"] - row["shuffled"]))
        measures = ("psi", "corrected") if row["norm"] == "own" else ("gain",)
        for measure in measures:
            ends = {"low": row[f"{measure}_low"], "high": row[f"{measure}_high"]}
            found.append(_row(name, f"{measure}_{asked}", row["images"], row[measure], **ends))
    return found


def _row(
    pictures: str, measure: str, n: int, value: float | None, *, low: float | None = None, high: float | None = None,
    null: float | None = None, chance: float | None = None,
) -> Row:  # fmt: skip
    return {
        "pictures": pictures, "measure": measure, "n": n, "value": value, "low": low, "high": high, "null": null,
        "chance": chance,
    }  # fmt: skip
