"""Controls of the permutation test, and of norms and positional signal.

`vision` was trained with image tokens shuffled, so its answers stand whatever their order; `language` has an encoder of
depth zero, which writes position into no token, and answers by the language model's own positions. In `staged` image
tokens enter without position (its position table is zero) and have order, those of objects, at layer S.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from backsight.measurements import Captions, EmbeddingNorms, Permutation
from backsight.results import RESULTS
from backsight.results.norms.tables import shown
from backsight.selftest import lookup
from backsight.selftest.base import Bench, Control, Seen, reading_layer

ALL, NONE = 0.75, 0.25  # of the accuracy above chance: as good as all of it, as good as none


def permutation(bench: Bench) -> Seen:
    """The corrected index of questions of where, of a model of each pathway."""
    language, vision = (
        _summary(bench, name, Permutation(shuffles=2, rescaled=False)) for name in ("language", "vision")
    )
    return sensitive(language, vision)


def sensitive(language: pd.DataFrame, vision: pd.DataFrame) -> Seen:
    """Summaries of Permutation: all is lost by positions kept where position comes from the language model, else
    nothing; and what is there needs no position in either."""
    lost, moved, what = (_lost(language, *key) for key in (("relational", "kept"), ("relational", "moved"),
                                                           ("semantic", "kept")))  # fmt: skip
    other = _lost(vision, "relational", "kept")
    quiet = all(value is not None and abs(value) <= NONE for value in (moved, what, other))
    return Seen(
        f"language: {_words(lost)} of the accuracy above chance lost", lost is not None and lost >= ALL,
        f"vision: {_words(other)}; language, moved along: {_words(moved)}; what is there: {_words(what)}", quiet,
    )  # fmt: skip


def embedding_norms(bench: Bench) -> Seen:
    """Position's share of the variance of object tokens, where it is written by construction."""
    vision, staged, language = (
        _summary(bench, name, EmbeddingNorms(), "pictures") for name in ("vision", "staged", "language")
    )
    return explained(vision, staged, language, reading_layer(bench.builtin("staged")))


def explained(vision: pd.DataFrame, staged: pd.DataFrame, language: pd.DataFrame, at: int) -> Seen:
    """Summaries of EmbeddingNorms: position in the tokens of `vision` as they enter and of `staged` at layer S, and in
    none of `language` and `staged` as they enter."""
    entering, reading = _row(vision, 0), _row(staged, at)
    none = {"staged": _row(staged, 0), "language": _row(language, 0)}
    fired = shown(entering, "objects") and shown(reading, "objects")
    loud = [name for name, row in none.items() if any(shown(row, group) for group in ("objects", "rest"))]
    shares = [_words(row["objects"]) for row in (entering, reading)]
    return Seen(
        f"vision {shares[0]} at the embeddings, staged {shares[1]} at S = {at}", fired,
        f"above shifted positions at the embeddings: {', '.join(loud) or 'neither'}", not loud,
    )  # fmt: skip


def captions(bench: Bench) -> Seen:
    """Captions of three tokens by the hand-set model, which writes where the red thing's token says that it is."""
    scenes = list(lookup.scenes(bench.count("scenes")))
    subject, nowhere = (
        pd.DataFrame(Captions(words=3).rows(bench.lookup(name), scenes)) for name in ("subject", "nowhere")
    )
    return alike(subject, nowhere)


def alike(subject: pd.DataFrame, nowhere: pd.DataFrame) -> Seen:
    """Rows of Captions: the same before and after a shuffle and other than those of other pictures, and the same
    for all pictures where the model sees none."""
    same, other = (float(subject[name].mean()) for name in ("f1", "f1_other"))
    apart = float((nowhere["f1"] - nowhere["f1_other"]).abs().max())
    return Seen(
        f"F1 {same:.2f}, of two pictures {other:.2f}", same == 1 and other <= 0.5,
        f"difference to two pictures at most {apart:.2f}", apart == 0,
    )  # fmt: skip


def _summary(bench: Bench, name: str, measurement: Permutation | EmbeddingNorms, kind: str = "rows") -> pd.DataFrame:
    vlm = bench.builtin(name)
    rows = bench.rows(vlm, measurement, bench.squares(vlm), bench.count(kind))
    result = RESULTS[rows.schema.name]
    assert result.summary is not None
    return result.summary.make(rows).frame


def _lost(summary: pd.DataFrame, kind: str, order: str) -> float | None:
    at = summary[(summary["kind"] == kind) & (summary["order"] == order) & (summary["norm"] == "own")]
    return None if at.empty or pd.isna(at["corrected"].iloc[0]) else float(at["corrected"].iloc[0])


def _row(summary: pd.DataFrame, layer: int) -> Mapping[str, Any]:
    at = summary[(summary["site"] == "resid_pre") & (summary["layer"] == layer)].iloc[0]
    return {str(name): None if pd.isna(value) else value for name, value in at.items()}


def _words(value: float | None) -> str:
    return "no share" if value is None else f"{value:.2f}"


CONTROLS: tuple[Control, ...] = (
    Control("permutation", "accuracy lost by a shuffle",
            "language: questions of where fall to chance, positions kept",
            "vision: nothing is lost; language: nothing with positions moved along, nor of what is there",
            permutation, ("language", "vision")),
    Control("captions", "captions alike",
            "by hand, evidence at the subject: content moves with its token, captions stay",
            "by hand, no evidence: no more alike than those of two pictures", captions),
    Control("embedding_norms", "position in image tokens",
            "vision: in object tokens as they enter; staged: at layer S",
            "language and staged: in no token as they enter, which holds no position",
            embedding_norms, ("vision", "staged", "language")),
)  # fmt: skip
