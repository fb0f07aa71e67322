"""Every table of every measurement is the same whatever its batches hold: by one sample, by sixteen, by any memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backsight import stimuli
from backsight.examples import ExampleSet, PairSet
from backsight.measurements import (
    MEASUREMENTS,
    Amplify,
    Backup,
    Behaviour,
    Captions,
    Creg,
    EmbeddingNorms,
    Flip,
    Gap,
    Heads,
    ImageInterchange,
    Interchange,
    Knockout,
    Localization,
    Looking,
    Measurement,
    Modalities,
    Moved,
    Occlusion,
    Pathways,
    Permutation,
    Priors,
    ProbeMaps,
    Probes,
    Resolution,
    Rotary,
    Text,
    Tournament,
    measure,
)
from backsight.measurements.base import needed
from backsight.models.opening import load
from backsight.models.sizes import facts, weights
from backsight.models.vlm import VLM
from backsight.stimuli.layouts import Layout
from backsight.tables import Table

CLOSE = 1e-4
SOME = 4  # samples: two questions of each of two lengths, so that a batch pads
FAST = ("creg", "creg_plain", "gradient_norm", "integrated_magnitudes", "rollout", "gradcam", "chefer")


@pytest.fixture(scope="module")
def vlm() -> VLM:
    """A trained model: on a random one little depends on the picture, and near ties are all there is."""
    return load("builtin:plain", device="cpu")


@pytest.fixture(scope="module")
def sets(vlm: VLM) -> dict[str, Any]:
    rows = stimuli.squares(vlm.grid)
    apart = replace(rows, items=rows.items[:: len(rows) // SOME][:SOME])
    pairs = stimuli.pairs(vlm.grid, scenes=8).where(lambda e: e.tags["prompt"] in "AB")
    located = stimuli.located(Layout.for_grid(vlm.grid.rows, vlm.grid.columns, 28), scenes=SOME, form="grid")
    return {
        "rows": apart, "located": located,
        "pictures": rows.limit(24), "pairs": replace(pairs, items=pairs.items[:SOME]),
        "last_token": apart.pairs("last_token").limit(SOME), "reversed": apart.pairs("reversed").limit(2),
    }  # fmt: skip


MADE: dict[str, tuple[Callable[[], Measurement], str]] = {
    "behaviour": (Behaviour, "rows"),
    "gap": (Gap, "rows"),
    "pathways": (Pathways, "rows"),
    "permutation": (lambda: Permutation(shuffles=2), "rows"),
    "captions": (lambda: Captions(words=2, prompt="The color to the left of red is"), "rows"),
    "localization": (lambda: Localization(words=4, form="grid"), "located"),
    "embeddingnorms": (EmbeddingNorms, "pictures"),
    "interchange": (Interchange, "last_token"),
    "imageinterchange": (ImageInterchange, "reversed"),
    "backup": (Backup, "reversed"),
    "modalities": (Modalities, "rows"),
    "looking": (Looking, "pairs"),
    "heads": (lambda: Heads(ablations=("zero", "mean")), "pictures"),
    "probes": (lambda: Probes(method="logistic", deep=False), "pictures"),
    "probemaps": (lambda: ProbeMaps(method="logistic"), "pictures"),
    "rotary": (Rotary, "pairs"),
    "amplify": (lambda: Amplify(every=3), "pictures"),
    "priors": (Priors, "pairs"),
    "text": (Text, "pairs"),
    "resolution": (lambda: Resolution(sizes=((8, 8),)), "pictures"),
    "creg": (lambda: Creg(methods=FAST, steps=5), "pairs"),
    "occlusion": (lambda: Occlusion(varied=0.2), "pairs"),
    "knockout": (lambda: Knockout(methods=FAST, steps=5, max_samples=2, forms=("attention",)), "pairs"),
    "flip": (lambda: Flip(methods=FAST, steps=5), "pairs"),
    "moved": (lambda: Moved(methods=FAST, steps=5), "pairs"),
    "tournament": (lambda: Tournament(draws=1, absent=6), "pictures"),
}


def assert_alike(one: Table, other: Table) -> None:
    """Equal columns, numbers to 1e-4; a number within a text counts as one."""
    assert len(one) == len(other) > 0
    for name in one.frame:
        if one.schema.columns[name] in ("float", "int"):
            both = [table.frame[name].to_numpy(dtype=float, na_value=np.nan) for table in (one, other)]
            np.testing.assert_allclose(*both, rtol=CLOSE, atol=CLOSE, err_msg=name)
        else:
            for a, b in zip(one.frame[name], other.frame[name], strict=True):
                assert (pd.isna(a) and pd.isna(b)) or a == b or _numbers(a) == pytest.approx(_numbers(b), abs=CLOSE)


def _numbers(text: str) -> Any:
    return json.loads(text)


def test_all_measurements_are_here() -> None:
    assert MADE.keys() == MEASUREMENTS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", list(MADE))
def test_a_table_does_not_depend_on_the_batch(name: str, vlm: VLM, sets: dict[str, Any]) -> None:
    make, samples = MADE[name]
    chosen: ExampleSet | PairSet = sets[samples]
    one, many = (measure(vlm, chosen, replace(make(), batch=batch)) for batch in (1, 16))
    assert_alike(one, many)


def test_nor_does_it_depend_on_the_memory(vlm: VLM, sets: dict[str, Any]) -> None:
    """Room for three samples of a batch of eight: CREG's table, of which single layers and CREG itself once moved."""
    creg, pairs = Creg(methods=("creg", "creg_plain", "single_layer", "gradient_norm")), sets["pairs"]
    known = facts(vlm, pairs, priced=False)
    room = weights(vlm) + needed(replace(creg, batch=3), known, pairs)
    assert_alike(measure(vlm, pairs, creg), measure(vlm, pairs, creg, memory_cap=room))
