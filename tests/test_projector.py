"""The projectors: means over seeds by hand, verdicts on numbers that make them false, figure, page."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from backsight.errors import DataError, UsageError
from backsight.models import additions, contracts
from backsight.models.opening import load
from backsight.models.projector_norm import text_ids, text_lengths
from backsight.models.vlm import VLM
from backsight.results.drawing import style
from backsight.results.projector import (
    PROJECTOR,
    PROJECTOR_CURVES,
    draw,
    page,
    projector_claims,
    projector_summary,
)
from backsight.results.projector.page import sentences
from backsight.results.projector.tables import Term, by_run, estimate
from backsight.stimuli.rows import held_out
from backsight.studies import projector as measuring
from backsight.tables import Table
from backsight.training.loop import log_table
from backsight.training.projector import LAYOUT, RECIPES, asks, build
from backsight.training.recipe import SCALES

DOCS = Path(__file__).parents[1] / "docs" / "results"


def row(projector: str, seed: int, measure: str, value: float | None, **more: Any) -> dict[str, Any]:
    given = {"pictures": "clean", "n": 192, "low": None, "high": None, "null": None, "chance": None}
    return {"projector": projector, "seed": seed, "measure": measure, "value": value} | given | more


def accuracies(where: dict[str, float], what: dict[str, float], *, seeds: int = 3, spread: float = 0.01) -> Table:
    """Rows of all projectors whose accuracies differ between seeds by `spread`."""
    rows = []
    for seed in range(seeds):
        off = spread * (seed - 1)
        for name in where:
            rows.append(row(name, seed, "where", where[name] + off, chance=1 / 6, null=0.2))
            rows.append(row(name, seed, "what", what[name], chance=0.5, null=0.5))
    return Table.of(PROJECTOR, rows)


def outcomes(table: Table) -> dict[str, str]:
    return {line["claim"]: line["verdict"] for line in projector_claims(table).rows()}


def test_means_over_seeds_are_those_of_scipy() -> None:
    values = [0.5, 0.6, 0.9]
    table = Table.of(PROJECTOR, [row("plain", seed, "where", v) for seed, v in enumerate(values)])
    of = estimate(by_run(table.rows()), Term("plain", "clean", "where"))
    oracle = stats.t.interval(0.95, 2, loc=sum(values) / 3, scale=stats.sem(values))
    assert (of.low, of.high) == pytest.approx(oracle)
    (line,) = projector_summary(table).rows()
    assert (line["mean"], line["seeds"], line["each"]) == (pytest.approx(2 / 3), 3, "0: 0.5, 1: 0.6, 2: 0.9")


def test_intervals_of_accuracies_and_lengths_stay_within_what_can_be() -> None:
    rows = [row("plain", s, m, v) for m, of in (("where", (0.1, 0.9)), ("ratio", (1.0, 9.0))) for s, v in enumerate(of)]
    where, ratio = projector_summary(Table.of(PROJECTOR, rows)).rows()
    assert (where["low"], where["high"]) == (0.0, 1.0)
    assert ratio["low"] == 0.0 and ratio["high"] == pytest.approx(5 + 12.7062 * 4, abs=1e-3)


def test_differences_are_paired_by_seed_and_of_common_seeds_only() -> None:
    rows = [row("plain", s, "where", v) for s, v in ((0, 0.1), (1, 0.5), (2, 0.9))]
    rows += [row("normed", s, "where", v) for s, v in ((0, 0.2), (2, 1.1), (3, 0.0))]
    of = estimate(by_run(rows), Term("normed", "clean", "where"), Term("plain", "clean", "where", -1.0))
    assert [seed for seed, _ in of.each] == [0, 2]
    assert of.mean == pytest.approx(0.15)
    oracle = stats.ttest_rel([0.2, 1.1], [0.1, 0.9]).confidence_interval()
    assert (of.low, of.high) == pytest.approx((oracle.low, oracle.high))


def test_an_interval_has_width_where_all_seeds_agree() -> None:
    rows = [row("plain", s, "what", 1.0, low=0.98, high=1.0) for s in range(3)]
    of = estimate(by_run(rows), Term("plain", "clean", "what"))
    # The error of one is .02 / 3.92 = .005102, of the mean of three .002946; Student's quantile of 2 is 4.302653.
    assert of.high == pytest.approx(1.0 + 4.302653 * 0.0029457, abs=1e-6)
    one = estimate(by_run(rows[:1]), Term("plain", "clean", "what"))
    assert (one.mean, one.low) == (1.0, None)
    assert estimate(by_run([]), Term("plain", "clean", "what")).mean is None


def test_verdicts_follow_the_numbers() -> None:
    what = dict.fromkeys(("plain", "large", "normed"), 0.99)
    as_the_post_says = outcomes(accuracies({"plain": 0.9, "large": 0.5, "normed": 0.89}, what))
    assert as_the_post_says["suppression"] == as_the_post_says["counteract"] == "confirmed"
    assert as_the_post_says["partial"] == "confirmed"
    assert as_the_post_says["better"] == "not confirmed"
    turned = outcomes(accuracies({"plain": 0.5, "large": 0.9, "normed": 0.6}, what))
    assert turned["suppression"] == turned["counteract"] == "not confirmed"
    assert turned["better"] == "confirmed"
    mended = outcomes(accuracies({"plain": 0.9, "large": 0.9, "normed": 0.99}, what))
    assert mended["partial"] == "not confirmed"
    # A loss that what shares is no loss of position.
    shared = outcomes(
        accuracies({"plain": 0.9, "large": 0.5, "normed": 0.9}, {"plain": 0.99, "large": 0.6, "normed": 1})
    )
    assert shared["suppression"] == "not confirmed"
    wide = {1: 0.4, 2: 0.3, 0: 0.9}
    rows = [
        row(n, s, "where", v if n == "large" else 0.6, chance=1 / 6)
        for n in ("plain", "large")
        for s, v in wide.items()
    ]
    assert outcomes(Table.of(PROJECTOR, rows))["suppression"] == "undecided"


def test_what_was_not_measured_is_undecided() -> None:
    one = accuracies(
        {"plain": 0.9, "large": 0.5, "normed": 0.9}, dict.fromkeys(("plain", "large", "normed"), 0.99), seeds=1
    )
    assert set(outcomes(one).values()) == {"undecided"}
    lines = projector_claims(one).rows()
    assert all(line["low"] is None for line in lines)
    assert sentences(lines) == []
    none = [row("plain", s, "corrected_where", None) for s in range(3)]
    assert projector_summary(Table.of(PROJECTOR, none)).rows() == []


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (2.0, "The premise does not hold in a small model by itself"),
        (30.0, "The premise holds"),
        (10.0, "is undecided"),
    ],
)
def test_the_sentence_about_the_premise(ratio: float, words: str) -> None:
    rows = [row("plain", s, "ratio", ratio + 0.3 * (s - 1)) for s in range(3)]
    (said,) = sentences(projector_claims(Table.of(PROJECTOR, rows)).rows())
    assert words in said


def test_sentences_of_change_follow_the_numbers() -> None:
    what = dict.fromkeys(("plain", "large", "normed"), 0.99)
    lowered = " ".join(
        sentences(projector_claims(accuracies({"plain": 0.9, "large": 0.5, "normed": 0.8}, what)).rows())
    )
    assert "Long image embeddings lower accuracy of where against short ones" in lowered
    assert "The norm raises accuracy of where against long embeddings" in lowered
    assert "The norm lowers accuracy of where against the plain projector" in lowered
    raised = " ".join(sentences(projector_claims(accuracies({"plain": 0.5, "large": 0.9, "normed": 0.6}, what)).rows()))
    assert "Long image embeddings raise" in raised and "The norm lowers accuracy of where against long" in raised
    equal = accuracies({"plain": 0.5, "large": 0.5, "normed": 0.5}, what)
    words = " ".join(sentences(projector_claims(equal).rows()))
    assert "raise" not in words.replace("raises", "raise") or "undecided" in words


def curves(name: str = "plain") -> Table:
    rows = [
        {"projector": name, "seed": s, "step": 25 * k, "where": 0.2 * k, "what": 0.5} for s in (0, 1) for k in (1, 2, 3)
    ]
    return Table.of(PROJECTOR_CURVES, rows)


def test_the_figure_draws_what_there_is() -> None:
    table = accuracies({"plain": 0.9, "normed": 0.5}, {"plain": 0.99, "normed": 0.98})
    figure = draw(table, curves())
    words = style.to_svg(figure)
    assert "with the norm" in words and "started 30 times" not in words
    where = figure.axes[0]
    assert max(float(np.asarray(line.get_xdata())[-1]) for line in where.lines[:3]) == 75
    means = [line for line in figure.axes[1].lines if np.asarray(line.get_ydata()).tolist() == pytest.approx([0.9])]
    assert means
    with pytest.raises(DataError):
        draw(Table.of(PROJECTOR, []), curves())
    assert "omitted: no log" in style.to_svg(draw(table, Table.of(PROJECTOR_CURVES, [])))


def test_the_page_says_what_the_tables_say() -> None:
    table = accuracies({"plain": 0.9, "large": 0.5, "normed": 0.89}, dict.fromkeys(("plain", "large", "normed"), 0.99))
    text = page(table, curves())
    assert "| Accuracy of where | 0.900 [0.875, 0.925]; gray 0.200 (n = 3) | 0.500" in text
    assert "75 steps of 8 pictures" in text and "seeds 0, 1 and 2" in text and "192 test pictures" in text
    assert "| confirmed |" in text and "| undecided |" in text
    assert "Position Sensitivity" not in text  # nothing was measured of it


def test_the_log_becomes_means_and_curves() -> None:
    rows = [
        {"phase": "answers", "step": step, "seconds": 1.0, "figure": f"accuracy: {kind}", "value": value}
        for step, kind, value in ((25, "where", 0.2), (25, "what", 0.5), (50, "where", 0.4), (50, "what", 1.0))
    ]
    means, curve = measuring.learned(log_table(rows, RECIPES["projector-plain"]))
    assert {one["measure"]: one["value"] for one in means} == {"where": pytest.approx(0.3), "what": 0.75}
    assert curve == [{"step": 25, "where": 0.2, "what": 0.5}, {"step": 50, "where": 0.4, "what": 1.0}]


def test_questions_of_training_and_of_the_test() -> None:
    asked = asks("squares", LAYOUT, images=40, key=(0,), exact=0, textured=0)
    assert {len(one.questions) for one in asked} == {5}
    assert all(
        ("Which color is in the picture" in q) == (k >= 3) for one in asked for k, (q, _) in enumerate(one.questions)
    )
    test = measuring.held_out(48)
    assert len({example.image_id for example in test}) == 48
    assert all(example.source.names in held_out("squares") for example in test)
    shown = {tuple(name for name, _ in one.row[1]) for one in asked if one.row is not None}
    assert shown and not shown & held_out("squares")


def test_only_the_projector_is_trained() -> None:
    model, _ = build(0, projector="normed")
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert {name.rpartition(".")[0].removeprefix("model.visual.merger.") for name in trained} == {
        "ln_q", "mlp.0", "mlp.2", "backsight_additions.projector",
    }  # fmt: skip
    known = load("builtin:plain", device="cpu", check=False)
    stored = dict(known.model.named_parameters())
    assert all(torch.equal(w, stored[name]) for name, w in model.named_parameters() if name not in trained)
    norm = model.backsight_additions["projector"]
    lengths = text_lengths(known.model, text_ids(known.processor.tokenizer))
    assert (norm.cut, norm.scale) == (lengths.cut, lengths.mean)
    with pytest.raises(UsageError, match="has one size"):
        build(0, SCALES["small"], projector="plain")


@pytest.mark.slow
def test_an_untrained_model_has_every_row_and_its_seam_holds() -> None:
    model, processor = build(0, projector="normed")
    with torch.no_grad():
        model.backsight_additions["projector"].weight.uniform_(0.01, 0.09)
    vlm = VLM(model, processor, check=False)
    refused = [
        finding for finding in contracts.all_of(vlm) if not finding.passed and finding.name != "the token grid is right"
    ]
    assert refused == [] and additions.carried(model.config)
    rows = measuring.measured(vlm, pictures=32)
    by_key = {(one["pictures"], one["measure"]): one for one in rows}
    for pictures in ("clean", "degraded"):
        assert by_key[pictures, "where"]["chance"] == pytest.approx(1 / 6)
        assert by_key[pictures, "what"]["chance"] == pytest.approx(1 / 2)
        assert by_key[pictures, "where"]["n"] == 32
    assert 0.5 < by_key["clean", "ratio"]["value"] * by_key["clean", "text_norm"]["value"] < 2.81
    Table.of(PROJECTOR, [{"projector": "normed", "seed": 0, **one} for one in rows])


@pytest.mark.skipif(not (DOCS / "projector.csv").exists(), reason="nothing is recorded")
def test_the_page_in_the_docs_is_made_of_its_tables() -> None:
    tables = [_read(DOCS / f"{schema.name}.csv", schema) for schema in (PROJECTOR, PROJECTOR_CURVES)]
    assert (DOCS / "projector.md").read_text(encoding="utf-8") == page(*tables)


def _read(path: Path, schema: Any) -> Table:
    of = {"str": str, "int": int, "float": float}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    kinds = schema.columns
    return Table.of(schema, [{k: of[kinds[k]](v) if v else None for k, v in one.items()} for one in rows])
