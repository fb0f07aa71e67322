"""The positional experiment's numbers: means over seeds, sentences that can be true and false, the prediction."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from backsight.errors import DataError
from backsight.results.drawing import style
from backsight.results.positional import claims, figure, page, prediction, settings
from backsight.results.positional.estimates import drop, excess, lost, over
from backsight.results.positional.tables import (
    CONDITIONS,
    OTHER,
    POSITIONAL,
    TRAINED,
    UNSEEN,
    by_run,
    over_seeds,
    positional_summary,
)
from backsight.tables import Table

EMPTY = dict.fromkeys(POSITIONAL.columns)


def row(setting: str, seed: int, measure: str, condition: str, value: float | None, **more: Any) -> dict[str, Any]:
    return {
        **EMPTY, "setting": setting, "seed": seed, "measure": measure, "condition": condition, "axis": "all",
        "n": 200, "value": value, **more,
    }  # fmt: skip


def rows_of(accuracies: dict[str, dict[str, list[float]]], measure: str = "relation") -> list[dict[str, Any]]:
    """Rows by setting and condition, one value a seed."""
    return [
        row(setting, seed, measure, condition, value, null=0.5)
        for setting, of in accuracies.items()
        for condition, values in of.items()
        for seed, value in enumerate(values)
    ]


def table(rows: list[dict[str, Any]]) -> Table:
    return Table.of(POSITIONAL, rows)


def everywhere(trained: float, unseen: float, other: float, seeds: int = 3) -> dict[str, list[float]]:
    """Accuracies of three seeds that differ by a hundredth."""
    spread = [0.0, 0.01, -0.01][:seeds]
    means = {TRAINED: trained, UNSEEN: unseen, **dict.fromkeys(OTHER, other)}
    return {name: [min(1.0, mean + d) for d in spread] for name, mean in means.items()}


def verdicts(rows: list[dict[str, Any]]) -> dict[str, str]:
    return {line["claim"]: line["verdict"] for line in claims.positional_claims(table(rows)).rows()}


def test_means_over_seeds_are_those_of_scipy() -> None:
    values = [0.9, 0.95, 0.82]
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert over_seeds(values) == pytest.approx((np.mean(values), low, high))
    assert over_seeds([0.7]) == (0.7, None, None)


def test_a_summary_shows_each_seed_and_leaves_out_what_has_no_value() -> None:
    rows = rows_of({"none": {TRAINED: [0.5, 0.6]}})
    rows.append(row("none", 0, "psi", "kept", None, note="not above chance"))
    (line,) = positional_summary(table(rows)).rows()
    assert (line["seeds"], line["each"], line["null"]) == (2, "0: 0.5, 1: 0.6", 0.5)
    assert line["low"] == 0.0 and line["high"] == 1.0  # of a share, and of two seeds


def test_quantities_by_hand() -> None:
    values = {("relation", TRAINED): 0.9, ("relation", UNSEEN): 0.7, ("presence", TRAINED): 1.0}
    values[("presence", UNSEEN)] = 0.95
    assert lost(UNSEEN)(values) == pytest.approx(0.5)  # .2 of .4 above chance
    assert drop(UNSEEN)(values) == pytest.approx(0.2)
    assert excess(UNSEEN)(values) == pytest.approx(0.15)


def test_an_estimate_of_one_setting_is_students_and_never_narrower_than_sampling() -> None:
    spread = {"vision-learned": {TRAINED: [0.9, 0.9, 0.9], UNSEEN: [0.5, 0.7, 0.6]}}
    one = over(by_run(rows_of(spread)), ["vision-learned"], drop(UNSEEN))
    drops = [0.4, 0.2, 0.3]
    assert (one.value, one.low, one.high) == pytest.approx((0.3, *stats.t.interval(0.95, 2, 0.3, stats.sem(drops))))
    same = {"vision-learned": {TRAINED: [0.9] * 3, UNSEEN: [0.6] * 3}}
    flat = over(by_run(rows_of(same)), ["vision-learned"], drop(UNSEEN))
    variances = []
    for value in (0.9, 0.6):
        centre = (value * 200 + 2) / 204
        variances.append(centre * (1 - centre) / 204)
    reach = stats.t.ppf(0.975, 2) * math.sqrt(sum(variances) / 3)
    assert flat.low is not None and flat.high is not None
    assert (flat.low, flat.high) == pytest.approx((0.3 - reach, 0.3 + reach), rel=1e-3)


def test_settings_that_learned_nothing_are_left_out_by_name() -> None:
    of = {"vision-learned": everywhere(0.95, 0.6, 0.6), "language-learned": everywhere(0.6, 0.5, 0.5)}
    one = over(by_run(rows_of(of)), settings.LEARNED, drop(UNSEEN))
    assert (one.settings, one.left_out) == (("vision-learned",), ("language-learned",))
    none = over(by_run(rows_of({"language-learned": everywhere(0.6, 0.5, 0.5)})), settings.LEARNED, drop(UNSEEN))
    assert none.value is None and none.missing == ("vision-learned",)


FALLS = {name: everywhere(0.99, 0.6, 0.55) for name in settings.ABSOLUTE}
STAYS = {name: everywhere(0.98, 0.98, 0.97) for name in settings.ABSOLUTE}
OTHERS_STAY = {name: everywhere(0.98, 0.98, 0.97) for name in settings.RELATIVE + settings.ROTARY}
OTHERS_FALL = {name: everywhere(0.99, 0.6, 0.55) for name in settings.RELATIVE + settings.ROTARY}


def test_sentences_on_absolute_encodings_are_confirmed_where_they_fall() -> None:
    presence = rows_of({name: everywhere(1.0, 1.0, 0.99) for name in settings.ABSOLUTE}, "presence")
    of = verdicts(rows_of({**FALLS, **OTHERS_STAY}) + presence)
    for claim in ("ape-resolution", "ape-interpolation", "ape-locations", "ape-locations-beside", "rpe-sizes"):
        assert of[claim] == "confirmed", claim
    assert of["rope-sizes"] == "confirmed"


def test_sentences_on_absolute_encodings_are_not_confirmed_where_they_stay() -> None:
    presence = rows_of({name: everywhere(1.0, 1.0, 0.99) for name in settings.ABSOLUTE}, "presence")
    of = verdicts(rows_of({**STAYS, **OTHERS_FALL}) + presence)
    for claim in ("ape-resolution", "ape-interpolation", "ape-locations", "ape-locations-beside", "rpe-sizes"):
        assert of[claim] == "not confirmed", claim
    assert of["rope-sizes"] == "not confirmed"


def test_a_fall_that_presence_shares_is_no_distortion_of_relations() -> None:
    presence = rows_of({name: everywhere(0.99, 0.5, 0.4) for name in settings.ABSOLUTE}, "presence")
    assert verdicts(rows_of(FALLS) + presence)["ape-interpolation"] == "not confirmed"


@pytest.mark.parametrize(
    ("relation", "presence", "verdict"),
    [(0.5, 0.98, "confirmed"), (0.9, 0.98, "not confirmed"), (0.5, 0.6, "not confirmed"), (0.62, 0.98, "undecided")],
)
def test_the_bag_of_patches(relation: float, presence: float, verdict: str) -> None:
    for setting, claim in (("none", "bag"), ("language-causal", "bag-causal")):
        rows = rows_of({setting: everywhere(relation, 0.5, 0.5)})
        rows += rows_of({setting: everywhere(presence, 0.9, 0.9)}, "presence")
        assert verdicts(rows)[claim] == verdict


@pytest.mark.parametrize(("index", "verdict"), [(0.1, "confirmed"), (0.95, "not confirmed"), (0.5, "undecided")])
def test_the_effect_of_mrope(index: float, verdict: str) -> None:
    rows = rows_of({name: everywhere(0.97, 0.9, 0.9) for name in settings.MROPE})
    rows += [
        row(name, seed, "psi", "kept", index + d, low=index - 0.1, high=index + 0.1)
        for name in settings.MROPE
        for seed, d in enumerate((0.0, 0.02, -0.02))
    ]
    assert verdicts(rows)["mrope-effect"] == verdict


@pytest.mark.parametrize(
    ("with_it", "without", "verdict"), [(0.97, 0.7, "confirmed"), (0.7, 0.97, "not confirmed"), (0.8, 0.8, "undecided")]
)
def test_layout_by_mrope_and_by_two_axes(with_it: float, without: float, verdict: str) -> None:
    of = {name: everywhere(with_it, 0.5, 0.5) for name in (*settings.MROPE, "vision-rotary-2d")}
    of |= {name: everywhere(without, 0.5, 0.5) for name in ("language-causal", "vision-rotary-1d")}
    judged = verdicts(rows_of(of))
    assert (judged["mrope-layout"], judged["two-axes"]) == (verdict, verdict)


def test_one_seed_and_no_rows_decide_nothing() -> None:
    lines = claims.positional_claims(
        table(rows_of({n: everywhere(0.99, 0.5, 0.5, seeds=1) for n in settings.ABSOLUTE}))
    )
    assert {line["verdict"] for line in lines.rows()} == {"undecided"}
    by = {line["claim"]: line for line in lines.rows()}
    assert "of one seed" in claims.sentence([by["ape-resolution"]])
    assert claims.sentence([by["bag"]]).endswith("no number (not measured).")
    assert {line["verdict"] for line in claims.positional_claims(table([])).rows()} == {"undecided"}


def causal(ratios: dict[str, tuple[float, float]], accuracy: dict[str, tuple[float, float]]) -> list[dict[str, Any]]:
    """Phase ranges and accuracies (vertical, horizontal) of settings, two seeds each."""
    rows = []
    for name, ranges in ratios.items():
        for seed, (axis, k) in itertools.product((0, 1), (("vertical", 0), ("horizontal", 1))):
            if ranges[k]:
                rows.append(row(name, seed, "phase_range", "language", ranges[k], axis=axis))
            value = accuracy[name][k] - 0.001 * seed
            rows.append(row(name, seed, "relation", TRAINED, value, axis=axis))
    return rows


RATIOS = {
    "language-causal": (0.0, 0.0), "mrope-chunked": (0.7, 0.02), "mrope-chunked-fitted": (3.3, 1.1),
    "mrope-interleaved": (3.9, 2.2), "mrope-interleaved-fitted": (5.8, 4.8),
}  # fmt: skip


def predicted(accuracy: dict[str, tuple[float, float]]) -> dict[str, Any]:
    lines = prediction.positional_prediction(table(causal(RATIOS, accuracy))).rows()
    return next(line for line in lines if line["outcome"] == "accuracy" and line["setting"] == "all")


def test_the_prediction_is_confirmed_where_leads_rank_as_ratios() -> None:
    ordered = ("language-causal", "mrope-interleaved-fitted", "mrope-interleaved", "mrope-chunked-fitted")
    leads = {name: (0.8 + 0.04 * k, 0.8) for k, name in enumerate((*ordered, "mrope-chunked"))}
    line = predicted(leads)
    assert line["rho"] > 0.9 and line["permutations"] == 120
    assert line["p"] == pytest.approx(1 / 120) and line["verdict"] == "confirmed"
    assert prediction.sentence(line).startswith("Confirmed: ")
    opposite = predicted({name: of[::-1] for name, of in leads.items()})
    assert opposite["rho"] < -0.9 and opposite["verdict"] == "not confirmed"


def test_the_prediction_is_undecided_where_axes_are_alike() -> None:
    line = predicted(dict.fromkeys(RATIOS, (1.0, 1.0)))
    assert line["verdict"] == "undecided"


def test_the_rank_statistic_is_spearmans() -> None:
    ratios, leads = [0.0, 1.0, 2.0, 3.0], [[0.1, 0.3], [0.2, 0.6], [0.5, 0.9], [0.4, 0.8]]
    rho, p, count = prediction.statistic(ratios, leads)
    flat = [value for of in leads for value in of]
    assert rho == pytest.approx(stats.spearmanr(np.repeat(ratios, 2), flat).statistic)
    null = [stats.spearmanr(np.repeat(order, 2), flat).statistic for order in itertools.permutations(ratios)]
    assert (p, count) == (pytest.approx(np.mean([one >= rho - 1e-9 for one in null])), 24)


def test_an_axis_that_was_never_learned_counts_as_learned_last() -> None:
    rows = []
    for name, (vertical, horizontal) in {
        "language-causal": (500, 500), "mrope-chunked": (300, None), "mrope-interleaved": (300, 400)
    }.items():  # fmt: skip
        for axis, at in (("vertical", vertical), ("horizontal", horizontal)):
            rows.append(row(name, 0, "learned_at", TRAINED, at, axis=axis, n=900))
            rows.append(row(name, 0, "phase_range", "language", 1.0, axis=axis))
    lines = prediction.positional_prediction(table(rows)).rows()
    leads = {line["setting"]: line["lead"] for line in lines if line["outcome"] == "steps" and line["setting"] != "all"}
    assert leads == {"language-causal": 0, "mrope-chunked": 600, "mrope-interleaved": 100}


def test_figure_and_page_say_what_the_rows_say() -> None:
    rows = table(rows_of({**FALLS, **OTHERS_STAY}) + causal(RATIOS, dict.fromkeys(RATIOS, (0.9, 0.8))))
    svg = style.to_svg(figure.draw(rows))
    assert "learned absolute" in svg and "12\u00d712 cells" in svg
    text = page.page(rows, figure="x.svg", command="run | it", hardware="On 2 CPU cores.", trained=5)
    assert "of one small model, 2 to 3 seeds each" in " ".join(text.split())
    assert "the first 5 of 8 columns" in " ".join(text.split())
    assert "| \u201cabsolute position encoding \u2026 fails when the resolution changes\u201d | confirmed |" in text
    assert all(len(line) <= 120 for line in text.splitlines() if not line.startswith("|"))
    assert "<!-- parsed only: " in text
    assert "![" in text and "run | it" in text and "2-D rotary (vision encoder)" in text
    with pytest.raises(DataError, match="no rows to draw"):
        figure.draw(table([]))
    assert page.table(("a",), [("b|c",)]).endswith("| b\\|c |\n")
    assert set(CONDITIONS) >= {TRAINED, UNSEEN}


def test_relations_of_rows_are_logged_by_axis() -> None:
    from backsight.training import positional
    from backsight.training.answering import by_axis

    asked = positional.asks("squares", positional.LAYOUT, images=8, key=(0, 0, 0), exact=0, textured=0)
    axes = [one.row[0] for one in asked if one.row is not None]
    right = torch.ones(8, 4)
    first = axes.index("vertical")
    right[first, 0] = 0  # one of its relations
    right[first, 3] = 0  # presence, which is no relation
    judged = by_axis(asked, right.flatten())
    assert judged["accuracy: vertical"] == pytest.approx(1 - 1 / (2 * axes.count("vertical")))
    assert judged["accuracy: horizontal"] == 1.0


def test_the_step_at_which_an_axis_is_learned() -> None:
    from backsight.results.learning import TRAINING
    from backsight.studies.positional import learned_at

    log = [("order", 400, "accuracy: squares, positions", 0.9)]
    log += [("answers", step, "accuracy: vertical", 0.2 * step / 25) for step in (25, 50, 75, 100)]
    log += [("answers", step, "accuracy: horizontal", 0.4) for step in (25, 50, 75, 100)]
    lines = [dict(zip(("phase", "step", "figure", "value"), one, strict=True), seconds=0.0) for one in log]
    first, other = learned_at(Table.of(TRAINING, lines))
    assert (first["axis"], first["value"], first["n"]) == ("horizontal", None, 100)
    assert (other["axis"], other["value"]) == ("vertical", 100)  # .8 is the first of at least .75
    assert learned_at(Table.of(TRAINING, lines[:1])) == []
