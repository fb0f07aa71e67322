"""The positional experiment's numbers: means over seeds, sentences that can be true and false, the prediction."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from backsight.errors import DataError
from backsight.maths import verdicts as rule
from backsight.results.drawing import style
from backsight.results.positional import claims, figure, page, prediction, settings
from backsight.results.positional.estimates import Numbers, by_positions, drop, excess, less, lost, mean_of, of_setting
from backsight.results.positional.tables import (
    CONDITIONS,
    OTHER,
    POSITIONAL,
    TRAINED,
    UNSEEN,
    by_run,
    positional_summary,
)
from backsight.tables import Table

EMPTY = dict.fromkeys(POSITIONAL.columns)


def row(setting: str, seed: int, measure: str, condition: str, value: float | None, **more: Any) -> dict[str, Any]:
    return {
        **EMPTY, "setting": setting, "seed": seed, "measure": measure, "condition": condition, "axis": "all",
        "n": 200, "value": value, **more,
    }  # fmt: skip


def rows_of(
    accuracies: dict[str, dict[str, list[float]]], measure: str = "relation", width: float = 0.01
) -> list[dict[str, Any]]:
    """Rows by setting and condition, one value a seed, of all and of upright rows, with `width` to both sides."""
    return [
        row(
            setting,
            seed,
            measure,
            condition,
            value,
            null=0.5,
            axis=axis,
            low=max(0.0, value - width),
            high=min(1.0, value + width),
        )
        for setting, of in accuracies.items()
        for condition, values in of.items()
        for seed, value in enumerate(values)
        for axis in ("all", "vertical")
    ]


def table(rows: list[dict[str, Any]]) -> Table:
    return Table.of(POSITIONAL, rows)


def everywhere(trained: float, unseen: float, other: float, seeds: int = 3) -> dict[str, list[float]]:
    """Accuracies of three seeds that differ by a hundredth."""
    spread = [0.0, 0.01, -0.01][:seeds]
    means = {TRAINED: trained, UNSEEN: unseen, **dict.fromkeys(OTHER, other)}
    return {name: [min(1.0, mean + d) for d in spread] for name, mean in means.items()}


def lines(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {line["claim"]: line for line in claims.positional_claims(table(rows)).rows()}


def verdicts(rows: list[dict[str, Any]]) -> dict[str, str]:
    return {claim: line["verdict"] for claim, line in lines(rows).items()}


def test_a_summary_shows_each_seed_and_leaves_out_what_has_no_value() -> None:
    rows = rows_of({"none": {TRAINED: [0.5, 0.6]}})
    rows.append(row("none", 0, "psi", "kept", None, note="not above chance"))
    line, _ = positional_summary(table(rows)).rows()
    assert (line["seeds"], line["each"], line["null"]) == (2, "0: 0.5, 1: 0.6", 0.5)
    assert line["low"] is None and line["high"] is None  # of two seeds
    line, _ = positional_summary(table(rows_of({"none": {TRAINED: [0.5, 0.6, 1.0]}}))).rows()
    assert line["low"] == pytest.approx(stats.t.interval(0.95, 2, 0.7, stats.sem([0.5, 0.6, 1.0]))[0])
    assert line["high"] == 1.0  # of a share


def test_quantities_by_hand() -> None:
    values = {("relation", TRAINED, "all"): 0.9, ("relation", UNSEEN, "all"): 0.7, ("presence", TRAINED, "all"): 1.0}
    values |= {("presence", UNSEEN, "all"): 0.95, ("psi", "kept", "all"): 1.1, ("psi", "moved", "all"): 0.3}
    values |= {("relation", TRAINED, "vertical"): 0.8, ("relation", UNSEEN, "vertical"): 0.7}
    assert lost(UNSEEN)(values) == pytest.approx(0.5)  # .2 of .4 above chance
    assert drop(UNSEEN)(values) == pytest.approx(0.2)
    assert drop(UNSEEN, axis="vertical")(values) == pytest.approx(0.1)
    assert excess(UNSEEN)(values) == pytest.approx(0.15)
    assert by_positions()(values) == pytest.approx(0.8)


def test_a_run_that_did_not_learn_is_left_out_and_not_its_setting() -> None:
    """Accuracies of 1, 1 and .505 at trained positions: the third has nothing above chance to lose."""
    of = {"vision-learned": {TRAINED: [1.0, 1.0, 0.505], **{name: [0.6, 0.62, 0.52] for name in OTHER}}}
    numbers = of_setting(by_run(rows_of(of)), "vision-learned", lost(*claims.CHANGED))
    assert numbers.by_seed == pytest.approx({0: 0.8, 1: 0.76}) and numbers.not_learned == ("vision-learned 2",)
    line = lines(rows_of(of))["ape-resolution"]
    assert (line["verdict"], line["seeds"], line["low"]) == ("undecided", 2, None)
    assert "not learned: learned absolute (vision encoder), seed 2" in claims.sentence(line)
    assert "of 2 seeds, too few for an interval" in claims.sentence(line)
    every = of_setting(by_run(rows_of(of)), "vision-learned", mean_of(TRAINED), learned=False)
    assert len(every.by_seed) == 3


def test_three_equal_indices_without_width_divide_by_nothing() -> None:
    rows = rows_of({"mrope-chunked": everywhere(0.97, 0.9, 0.9)})
    rows += [row("mrope-chunked", seed, "psi", order, 0.2, low=0.2, high=0.2) for seed in range(3)
             for order in ("kept", "moved")]  # fmt: skip
    line = lines(rows)["mrope-effect"]
    assert (line["value"], line["low"], line["verdict"]) == (0.0, None, "undecided")
    assert "of 3 seeds, all alike, so without an interval" in claims.sentence(line)


def test_what_sampling_pictures_does_is_not_divided_by_seeds_that_share_them() -> None:
    rows = [row("vision-learned", seed, "relation", TRAINED, 0.9, low=0.82, high=0.96) for seed in range(3)]
    rows += [
        row("vision-learned", seed, "relation", name, 0.6, low=0.5, high=0.7) for seed in range(3) for name in OTHER
    ]
    numbers = of_setting(by_run(rows), "vision-learned", drop(*claims.CHANGED))
    # The longer arms, .08 and .1, of 1.96 errors; six conditions of the same rows weigh a sixth each and add up.
    assert numbers.error == pytest.approx(math.hypot(0.08, 0.1) / 1.96, rel=1e-3)
    both = less(numbers, Numbers({1: 0.1, 2: 0.2, 7: 0.3}, 0.05))
    assert both.by_seed == pytest.approx({1: 0.2, 2: 0.1})  # of the seeds that both have
    assert both.error == pytest.approx(math.hypot(numbers.error, 0.05))


PAIRED = {
    "ape-locations-relative": ("vision-learned", "vision-relative"),
    "rpe-sizes": ("vision-learned", "vision-relative"),
    "layout": ("vision-rotary-2d", "vision-relative"),
    "two-axes": ("vision-rotary-2d", "vision-rotary-1d"),
    "mrope-order": ("mrope-chunked", "language-causal"),
}


def test_only_settings_of_one_side_and_architecture_are_compared() -> None:
    assert {claim.key: claim.settings for claim in claims.CLAIMS if len(claim.settings) == 2} == PAIRED
    for claim in claims.CLAIMS:
        of = [settings.BY_NAME[name] for name in claim.settings]
        assert len(of) in (1, 2)
        assert len({(one.part, one.causal) for one in of}) == 1, claim.key


def test_pairs_that_differ_by_the_bound_are_decided_on_one_page_in_twenty() -> None:
    """Means on the bound of every comparison, runs that spread by .03: few pages judge any of them."""
    rng = np.random.default_rng(0)
    means = {"vision-relative": 0.8, "vision-learned": 0.75, "vision-rotary-2d": 0.85, "vision-rotary-1d": 0.8}
    decided = {"not confirmed": 0, "confirmed": 0, "undecided": 0}
    for _ in range(120):
        of = {}
        for name, mean in means.items():
            values = list(mean + rng.normal(0, 0.03, 3))
            of[name] = {TRAINED: [0.9] * 3, **{key: values for key in (UNSEEN, *OTHER)}}
        of |= {name: {TRAINED: list(mean + rng.normal(0, 0.03, 3))} for name, mean in
               (("mrope-chunked", 0.85), ("language-causal", 0.8))}  # fmt: skip
        judged = verdicts(rows_of(of, width=0.0))
        for verdict in {judged[claim] for claim in PAIRED}:
            decided[verdict] += 1
    assert decided["confirmed"] + decided["not confirmed"] <= 12 and decided["undecided"] == 120


VISION = ("vision-learned", "vision-sinusoidal", "vision-relative", "vision-rotary-1d", "vision-rotary-2d")
ABSOLUTE = VISION[:2]
FALLS = {name: everywhere(0.97, 0.52, 0.53) for name in ABSOLUTE}
STAYS = {name: everywhere(0.97, 0.97, 0.97) for name in ABSOLUTE}
OTHERS_STAY = {name: everywhere(0.97, 0.97, 0.97) for name in VISION[2:]}
OTHERS_FALL = {name: everywhere(0.97, 0.52, 0.53) for name in VISION[2:]}
OF_ABSOLUTE = ("ape-resolution", "ape-resolution-sinusoidal", "ape-interpolation", "ape-locations",
               "ape-locations-sinusoidal", "ape-locations-relative", "rpe-sizes")  # fmt: skip


@pytest.mark.parametrize(
    ("own", "others", "verdict"), [(FALLS, OTHERS_STAY, "confirmed"), (STAYS, OTHERS_FALL, "not confirmed")]
)
def test_sentences_on_absolute_encodings(own: dict[str, Any], others: dict[str, Any], verdict: str) -> None:
    presence = rows_of({name: everywhere(0.98, 0.98, 0.98) for name in ABSOLUTE}, "presence")
    of = verdicts(rows_of(own | others) + presence)
    assert {claim: of[claim] for claim in OF_ABSOLUTE} == dict.fromkeys(OF_ABSOLUTE, verdict)


def test_a_fall_that_presence_shares_is_no_distortion_of_relations() -> None:
    presence = rows_of({name: everywhere(0.98, 0.5, 0.4) for name in ABSOLUTE}, "presence")
    assert verdicts(rows_of(FALLS) + presence)["ape-interpolation"] == "not confirmed"


def test_unseen_columns_are_judged_by_upright_rows() -> None:
    rows = rows_of(FALLS)
    for one in rows:
        if one["condition"] == UNSEEN and one["axis"] == "all":
            one["value"] = 0.97
    assert verdicts(rows)["ape-locations"] == "confirmed"


@pytest.mark.parametrize(
    ("one", "other", "verdict"), [(0.97, 0.6, "confirmed"), (0.6, 0.97, "not confirmed"), (0.82, 0.8, "undecided")]
)
def test_layout_by_steps_by_two_axes_and_by_mrope(one: float, other: float, verdict: str) -> None:
    shift = [0.0, 0.03, -0.03]
    of = {name: everywhere(0.97, 0.9, one) for name in ("vision-rotary-2d", "mrope-chunked")}
    of |= {name: everywhere(0.97, 0.9, other) for name in ("vision-relative", "vision-rotary-1d", "language-causal")}
    if verdict == "undecided":
        for name in ("vision-relative", "vision-rotary-1d", "language-causal"):
            of[name] = {key: [v + d for v, d in zip(values, shift, strict=True)] for key, values in of[name].items()}
            of[name][TRAINED] = [0.97] * 3
    of["mrope-chunked"][TRAINED] = [one, one + 0.01, one - 0.01]
    of["language-causal"][TRAINED] = [other + d for d in (shift if verdict == "undecided" else [0.0, 0.0, 0.01])]
    judged = verdicts(rows_of(of))
    assert {judged["layout"], judged["two-axes"], judged["mrope-order"]} == {verdict}


def test_sizes_and_not_trained_positions_judge_two_axes() -> None:
    of = {"vision-rotary-2d": everywhere(0.97, 0.9, 0.5), "vision-rotary-1d": everywhere(0.8, 0.9, 0.95)}
    assert verdicts(rows_of(of))["two-axes"] == "not confirmed"


def bag(changed: list[float], presence: float, setting: str = "none") -> list[dict[str, Any]]:
    rows = [row(setting, seed, "mirrored", TRAINED, value, low=max(0.0, value - 0.02), high=value + 0.025)
            for seed, value in enumerate(changed)]  # fmt: skip
    return rows + rows_of({setting: {TRAINED: [presence, presence + 0.01, presence - 0.01]}}, "presence")


@pytest.mark.parametrize(
    ("changed", "presence", "wanted"),
    [
        ([0.0, 0.0, 0.0], 0.98, ("confirmed", "confirmed")),  # a perfect bag, of whatever accuracy
        ([0.9, 0.95, 0.92], 0.98, ("not confirmed", "confirmed")),
        ([0.0, 0.0, 0.0], 0.6, ("confirmed", "not confirmed")),
        ([0.02, 0.05, 0.11], 0.75, ("undecided", "undecided")),
    ],
)
def test_the_bag_of_patches(changed: list[float], presence: float, wanted: tuple[str, str]) -> None:
    of = verdicts(bag(changed, presence))
    assert (of["bag"], of["bag-what"]) == wanted
    assert verdicts(bag(changed, presence, "language-causal"))["bag-causal"] == wanted[0]


def test_a_model_that_knows_no_position_is_a_bag_in_every_run() -> None:
    """Where every answer depends on the colours only, no answer changes, whichever colours the model prefers."""
    from backsight.studies.positional.answers import mirrored

    rng = np.random.default_rng(0)
    for _ in range(20):
        first = rng.integers(0, 2, (48, 2)).astype(float)  # the name chosen: of each pair one picture has it right
        both = np.stack([first, 1 - first], 1).reshape(96, 2)
        assert mirrored(both).sum() == 0 and both.mean() == 0.5
    assert mirrored(np.ones((4, 2))).mean() == 1.0  # of whom all is right, and of whom nothing is


@pytest.mark.parametrize(
    ("kept", "moved", "verdict"),
    [(0.1, 0.0, "confirmed"), (0.95, 0.02, "not confirmed"), (0.95, 0.9, "confirmed"), (0.5, 0.0, "undecided")],
)
def test_the_effect_of_mrope_is_what_causal_order_does_not_explain(kept: float, moved: float, verdict: str) -> None:
    rows = rows_of({"mrope-chunked": everywhere(0.97, 0.9, 0.9)})
    for order, value in (("kept", kept), ("moved", moved)):
        rows += [row("mrope-chunked", seed, "psi", order, value + (d if order == "kept" else 0))
                 for seed, d in enumerate((0.0, 0.02, -0.02))]  # fmt: skip
    assert verdicts(rows)["mrope-effect"] == verdict


def test_holm_is_over_all_sentences_that_have_an_interval() -> None:
    of = lines(rows_of(FALLS | OTHERS_STAY))
    known = [line for line in of.values() if line["p"] is not None]
    assert len(known) == 8  # without presence, M-RoPE and settings that were not trained
    assert [line["p_holm"] for line in known] == pytest.approx(rule.holm([line["p"] for line in known]))
    assert all(line["p_holm"] is None for line in of.values() if line["p"] is None)


def test_one_seed_and_no_rows_decide_nothing() -> None:
    of = lines(rows_of({name: everywhere(0.99, 0.5, 0.5, seeds=1) for name in VISION}))
    assert {line["verdict"] for line in of.values()} == {"undecided"}
    assert "of 1 seed, too few for an interval" in claims.sentence(of["ape-resolution"])
    assert claims.sentence(of["bag"]).endswith("no number (not measured: none).")
    assert {line["verdict"] for line in claims.positional_claims(table([])).rows()} == {"undecided"}


def causal(ratios: dict[str, tuple[float, float]], accuracy: dict[str, tuple[float, float]]) -> list[dict[str, Any]]:
    """Phase ranges and accuracies (vertical, horizontal) of settings, three seeds each."""
    rows = []
    for name, ranges in ratios.items():
        for seed, (axis, k) in itertools.product((0, 1, 2), (("vertical", 0), ("horizontal", 1))):
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
    assert line["p"] == pytest.approx(2 / 120) == line["p_holm"] and line["verdict"] == "confirmed"
    assert prediction.sentence(line).startswith("Confirmed: ")
    opposite = predicted({name: of[::-1] for name, of in leads.items()})
    assert opposite["rho"] < -0.9 and opposite["verdict"] == "not confirmed"
    assert "ranks against" in prediction.sentence(opposite)
    one = causal(RATIOS, leads)
    few = prediction.positional_prediction(table([r for r in one if r["seed"] < 2 or r["setting"] != "mrope-chunked"]))
    assert {line["verdict"] for line in few.rows() if line["setting"] == "all"} == {"undecided"}


def test_the_prediction_is_undecided_where_axes_are_alike() -> None:
    line = predicted(dict.fromkeys(RATIOS, (1.0, 1.0)))
    assert line["verdict"] == "undecided"
    weak = predicted({name: (0.8 + lead, 0.8) for name, lead in zip(RATIOS, (0.02, 0.01, 0.03, 0.0, 0.0), strict=True)})
    assert weak["verdict"] == "undecided" and "is not shown to rank with" in prediction.sentence(weak)


def test_the_rank_statistic_is_spearmans() -> None:
    ratios, leads = [0.0, 1.0, 2.0, 3.0], [[0.1, 0.3], [0.2, 0.6], [0.5, 0.9], [0.4, 0.8]]
    rho, p, count = prediction.statistic(ratios, leads)
    flat = [value for of in leads for value in of]
    assert rho == pytest.approx(stats.spearmanr(np.repeat(ratios, 2), flat).statistic)
    null = [stats.spearmanr(np.repeat(order, 2), flat).statistic for order in itertools.permutations(ratios)]
    tails = [np.mean([one >= rho - 1e-9 for one in null]), np.mean([one <= rho + 1e-9 for one in null])]
    assert (p, count) == (pytest.approx(2 * min(tails)), 24)


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


HOW = page.How(
    figure="x.svg", command="run | it", cores=(3,), columns=5, taught=(111, 22), read=333, answers=444, images=55,
    gain=6.0, bases=(77.0, 8.0), customary=9_000.0, models=48,
)  # fmt: skip


def test_figure_and_page_say_what_the_rows_say() -> None:
    rows = table(rows_of({**FALLS, **OTHERS_STAY}) + causal(RATIOS, dict.fromkeys(RATIOS, (0.9, 0.8))))
    svg = style.to_svg(figure.draw(rows))
    assert "learned absolute" in svg and "12\u00d712 cells" in svg
    page_text = page.page(rows, HOW)
    text = " ".join(page_text.split())
    assert "of one small model, 3 seeds each" in text and "Examined on 3 CPU cores" in text
    assert "the first 5 of 8 columns" in text and "it trains and examines 48 models" in text
    assert "| \u201cabsolute position encoding \u2026 fails when the resolution changes\u201d | confirmed |" in text
    assert all(len(line) <= 120 for line in page_text.splitlines() if not line.startswith("|"))
    assert "<!-- parsed only: " in text
    assert "![" in text and "run | it" in text and "2-D rotary (vision encoder)" in text
    with pytest.raises(DataError, match="no rows to draw"):
        figure.draw(table([]))
    assert page.table(("a",), [("b|c",)]).endswith("| b\\|c |\n")
    assert set(CONDITIONS) >= {TRAINED, UNSEEN}


def test_a_page_without_rows_says_so() -> None:
    text = page.page(table([]), replace(HOW, cores=()))
    assert "Nothing is recorded yet." in text and "| verdict |" not in text and "Examined on" not in text
    assert "One small model: Gemma-3" in text and "333 steps" in " ".join(text.split())
    assert "Nothing is recorded" not in page.page(table(rows_of(FALLS)), HOW)


def test_the_page_says_how_each_side_is_trained_and_shows_no_taught_probe_as_readable() -> None:
    rows = [row(name, seed, "probe", "vision 1", 0.99, axis=axis) for name in ("none", "vision-learned")
            for seed in range(3) for axis in ("horizontal", "vertical")]  # fmt: skip
    rows += [row("language-relative", 0, "probe", "resid_pre 1", 0.99, axis="vertical")]
    text = " ".join(page.page(table(rows), HOW).split())
    assert "for 111 steps of 22 pictures on no answer" in text and "come 333 steps of 55 pictures" in text
    assert "no read-out, and 444 steps of answers" in text and "counts 6 times" in text
    assert "base 77 on one axis and 8 on two" in text and "customary 9,000" in text
    for name in ("| none |", "| learned absolute (vision encoder) |"):
        (line,) = [one for one in text.split(" | | ") if one.startswith(name[2:]) and "taught" in one] or [""]
        assert line.count("taught") == 2 and "vision 1" not in line
    assert "resid_pre 1 (0.99)" in text


def test_a_table_that_is_handed_over_has_its_vision_verdict_explained() -> None:
    def of(verdict: str) -> str:
        rows = [row("language-learned", 0, "verdict", "", None, note=verdict)]
        return " ".join(page.page(table([*rows, row("language-learned", 0, "relation", TRAINED, 0.9)]), HOW).split())

    assert "The verdict of learned absolute (language model) is vision, since the table reaches" in of("vision")
    assert "The verdict of" not in of("language")


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
