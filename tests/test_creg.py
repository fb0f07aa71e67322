"""CREG's rows and summaries: made of relevance that is checked elsewhere, by hand where they can be, and on models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from backsight import stimuli
from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet, PlainPicture
from backsight.grid import Box, TokenGrid
from backsight.maths import compass, saliency
from backsight.maths.intervals import mean_over_images, means_over_images
from backsight.maths.relevance import METHODS, REFERENCES, SAME, THIRD, ZERO
from backsight.measurements import Creg, creg, relations, relevance
from backsight.models import gradients, replay
from backsight.models.sizes import facts
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.results.creg.pairs import creg_choices, creg_pairs
from backsight.results.creg.schema import ROWS as CREG
from backsight.results.creg.summary import creg_summary
from backsight.results.creg.tables import complete_sentences
from backsight.results.relevance import drawing
from backsight.results.relevance.cells import missing_reason
from backsight.results.relevance.words import why_missing
from backsight.tables import Table
from backsight.training.questions import corpus

Row = dict[str, Any]
FAST = ("creg", "creg_plain", "rollout", "gradcam")


@pytest.fixture(scope="module")
def pairs(tiny_vlm: VLM) -> ExampleSet:
    """Twelve pictures, each asked with prompt A."""
    return stimuli.pairs(tiny_vlm.grid, scenes=12).where(lambda e: e.tags["prompt"] == "A")


@pytest.fixture(scope="module")
def measured(tiny_vlm: VLM, pairs: ExampleSet) -> Table:
    return Creg(methods=FAST, depth=3)(tiny_vlm, pairs)


def asked(boxes: dict[str, Box], size: tuple[int, int] = (60, 60), **changes: Any) -> Example:
    made = Example("e", PlainPicture(size), "Where?", ("1", "2", "3", "4"), "1", "pairs", "left", "cup", "hat", boxes)
    return replace(made, **changes)


def test_every_method_and_reference_has_a_row_under_every_projection(measured: Table, pairs: ExampleSet) -> None:
    frame = measured.frame
    each = frame.groupby("example_id").size()
    targeted = 2 * (len(FAST) - 1) + 1
    assert len(each) == len(pairs)
    assert set(each) == {(targeted + len(REFERENCES)) * (len(creg.PROJECTIONS) + 2)}
    assert set(frame["method"]) == {*FAST, *REFERENCES}
    assert frame[frame["method"] == "rollout"]["target"].isna().all()
    assert frame["refused"].isna().all()


def test_references_are_what_they_are_called(measured: Table) -> None:
    frame = measured.frame[measured.frame["projection"] == "default"].set_index("method")
    assert (frame.loc["geometry", "dae"] == 0).all() and (frame.loc["geometry", "ea"] == 1).all()
    assert (frame.loc["random_sector", "dae"] == 90).all()
    assert frame.loc["point_at_subject", "dae"].max() < 45
    assert frame.loc["constant", "dae"].mean() > frame.loc["point_at_subject", "dae"].mean()
    assert frame.loc["random_relevance", "dae"].std() > 0


def test_a_row_is_the_projection_of_the_relevance(tiny_vlm: VLM, measured: Table, pairs: ExampleSet) -> None:
    example = pairs[3]
    maps = relevance.maps(tiny_vlm, tiny_vlm.prepare([example]), ["creg"], depth=3)
    subject, reference = example.boxes[str(example.subject)], example.boxes[str(example.reference)]
    for name in ("default", "beyond kept, reference dropped", "16 sectors"):
        grid = tiny_vlm.grid_of(example.picture)
        weights = compass.sector_weights(grid, reference, subject, creg.PROJECTIONS[name])
        for target in relevance.TARGETS:
            shares = compass.compass(maps.relevance["creg", target][0], weights)
            wanted = {"example_id": example.id, "method": "creg", "target": target, "projection": name}
            (row,) = [r for r in measured.rows() if wanted.items() <= r.items()]
            assert row["dae"] == compass.alignment_error(shares, compass.direction(reference, subject))
            assert row["ea"] == compass.edge_accuracy(shares, row["true"])
            assert row["peak"] == compass.sector_centers(len(shares))[shares.argmax()]


def test_the_same_relevance_is_seen_from_elsewhere_too(tiny_vlm: VLM, measured: Table, pairs: ExampleSet) -> None:
    """From a point at random the subject's cell still points at it; swapped, the reference is looked for."""
    frame = measured.frame.set_index("projection")
    floor = frame[frame["method"] == "point_at_subject"]
    assert floor.loc["random centre", "dae"].max() < 45
    turned = compass.apart(floor.loc["swapped", "true"].to_numpy() - floor.loc["default", "true"].to_numpy(), 0)
    assert turned == pytest.approx(180)
    seen = {name: box for name, _, box, _ in creg.views(pairs[0], tiny_vlm.grid_of(pairs[0].picture))}
    width, height = pairs[0].picture.size
    x, y = seen["random centre"].center
    assert 0 <= x <= width and 0 <= y <= height and (x, y) != seen["default"].center


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen3_vl"])
def test_half_precision_gives_the_same_relevance_but_for_rounding(family: str) -> None:
    """The same weights in bfloat16 and in float32: methods rank tokens alike, and the same ones are left out."""
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        model, processor = tiny(family, corpus())
        vlm = VLM(model.to(torch.bfloat16).to(dtype), processor)
        few = stimuli.pairs(vlm.grid, scenes=4).where(lambda e: e.tags["prompt"] == "A")
        made = relevance.maps(vlm, vlm.prepare(few.items), depth=3, steps=8)
        assert made.missing == {
            m: SAME if m == THIRD else ZERO for m in (THIRD, *(m for m in METHODS if METHODS[m].top))
        }
        found[dtype] = {method: values for (method, target), values in made.relevance.items() if target == "truth"}
    for method, values in found[torch.bfloat16].items():
        assert all(np.isfinite(map_).all() and map_.max() > 0 for map_ in values), method
    for method in ("creg", "gradient_norm", "integrated_magnitudes", "rollout", "chefer"):
        values = found[torch.bfloat16][method]
        ranks = [stats.spearmanr(a, b).statistic for a, b in zip(values, found[torch.float32][method], strict=True)]
        assert np.median(ranks) > 0.9, (method, ranks)


def test_the_prediction_is_explained_where_it_is_wrong(tiny_vlm: VLM, pairs: ExampleSet) -> None:
    """With random weights some answers are wrong: there the two targets' relevance differs, elsewhere it is one."""
    made = relevance.maps(tiny_vlm, tiny_vlm.prepare(pairs.items), ["creg_plain", "chefer"], depth=3)
    right = [one.choice == one.answer for one in made.chosen]
    assert 0 < sum(right) < len(right)
    for method in ("creg_plain", "chefer"):
        both = zip(made.relevance[method, "truth"], made.relevance[method, "prediction"], strict=True)
        assert [np.allclose(a, b, rtol=1e-5, atol=0) for a, b in both] == right


def test_a_layer_that_is_zero_by_construction_is_no_evidence(tiny_vlm: VLM, pairs: ExampleSet) -> None:
    """CREG is of the layers below then, in all its forms, and what rests on that layer alone says why it is missing."""
    batch = tiny_vlm.prepare(pairs.items[:2])
    made = relevance.maps(tiny_vlm, batch, ["creg", relevance.THIRD, "single_layer"], depth=3)
    assert made.missing == {relevance.THIRD: SAME, "single_layer": ZERO}
    upper = gradients.Upper.of(replay.record(tiny_vlm, batch), 3)
    slopes = upper.gradients(relevance.score(tiny_vlm, batch, made.chosen, "truth", contrastive=True))
    layers = [
        saliency.gradient_times_state(g[0], h[0])[batch.image_mask[0]]
        for g, h in zip(slopes[1:], upper.states[1:], strict=True)
    ]
    expected = saliency.aggregated(torch.stack(layers)).detach().numpy()
    np.testing.assert_allclose(made.relevance["creg", "truth"][0], expected, atol=1e-6)
    alone = relevance.maps(tiny_vlm, batch, [relevance.THIRD, "creg", "gradient_norm"], depth=1)
    assert "leaves it out" in alone.missing[relevance.THIRD] and alone.missing["creg"] == ZERO
    assert ("gradient_norm", "truth") in alone.relevance


def test_a_method_that_is_zero_by_construction_has_a_row_that_says_so(tiny_vlm: VLM, pairs: ExampleSet) -> None:
    """In the rows, in the summary and in the words of tables and figures; a model with no other method is not asked."""
    rows = Creg(methods=("creg", "single_layer"), depth=2)(tiny_vlm, pairs)
    mine = rows.frame[rows.frame["method"] == "single_layer"]
    assert len(mine) == len(pairs) and set(mine["refused"]) == {ZERO} and mine["dae"].isna().all()
    (row,) = [r for r in creg_summary(rows, smallest=1).rows() if r["method"] == "single_layer"]
    assert row["missing"] == ZERO and row["dae"] is None
    assert missing_reason(row) == why_missing(row) == "zero by construction"
    assert drawing.lines_of([row], drawing.Columns("dae", "dae_low", "dae_high"))[0].words == "zero by construction"
    assert why_missing(row | {"missing": None}) == "not available"
    with pytest.raises(CannotAnswer, match="No method of this measurement"):
        Creg(methods=("single_layer",))(tiny_vlm, pairs)


def test_the_rival_is_the_strongest_other_option() -> None:
    one = relevance.Chosen((0.1, 0.9, 0.4, 0.2), choice=1, answer=2)
    assert (one.of("truth"), one.rival("truth")) == (2, 1)
    assert (one.of("prediction"), one.rival("prediction")) == (1, 2)
    right = relevance.Chosen((0.1, 0.9, 0.4, 0.2), choice=1, answer=1)
    assert right.rival("truth") == right.rival("prediction") == 2


def test_a_logit_of_several_spellings_is_that_of_their_sum(tiny_vlm: VLM, pairs: ExampleSet) -> None:
    """The softmax over the options' logits is the options' probabilities, renormalised."""
    example = pairs[0]
    logits = tiny_vlm.forward(tiny_vlm.prepare([example]))[0]
    scores = relevance.option_logits(tiny_vlm, logits, example.options)
    _, probabilities = tiny_vlm.choose(logits, example.options)
    assert scores.softmax(0).numpy() == pytest.approx((probabilities / probabilities.sum()).numpy(), abs=1e-6)


def test_the_cost_is_what_it_is_said_to_be(tiny_vlm: VLM, pairs: ExampleSet) -> None:
    """At most: where all answers of a batch are right one target is saved."""
    for methods in (
        ("creg",),
        ("integrated_gradients",),
        ("rollout",),
        ("chefer", "gradcam"),
        tuple(relevance.METHODS),
    ):
        measurement = Creg(methods=methods, depth=3, steps=4)
        before = tiny_vlm.forward_equivalents
        measurement(tiny_vlm, pairs)
        spent = tiny_vlm.forward_equivalents - before
        stated = measurement.cost(facts(tiny_vlm, pairs), pairs)
        assert 0.5 * stated < spent <= 1.15 * stated


@pytest.mark.parametrize(
    ("boxes", "reason"),
    [
        ({"cup": Box(0, 0, 10, 10), "hat": Box(0, 0, 10, 10)}, "the same centre"),
        ({"cup": Box(0, 0, 0, 10), "hat": Box(20, 20, 30, 30)}, "without area"),
        ({"cup": Box(55, 0, 65, 10), "hat": Box(20, 20, 30, 30)}, "outside of the picture"),
        ({"cup": Box(0, 0, 10, 10), "hat": Box(-9, 20, 30, 30)}, "outside of the picture"),
    ],
)
def test_what_has_no_direction_is_refused_and_counted(tiny_vlm: VLM, boxes: dict[str, Box], reason: str) -> None:
    bad = asked(boxes)
    assert reason in str(relations.refusal(bad, tiny_vlm.grid_of(bad.picture)))
    with pytest.raises(CannotAnswer, match="No sample of this set has a direction"):
        Creg(methods=("creg",), depth=3)(tiny_vlm, ExampleSet("pairs", (bad,)))
    good = asked({"cup": Box(0, 0, 10, 10), "hat": Box(40, 0, 50, 10)}, id="good")
    rows = Creg(methods=("creg",), depth=3)(tiny_vlm, ExampleSet("pairs", (bad, good))).frame
    assert rows[rows["example_id"] == "e"]["refused"].tolist() == [
        relations.refusal(bad, tiny_vlm.grid_of(bad.picture))
    ]
    assert rows[rows["example_id"] == "good"]["refused"].isna().all()


def test_a_picture_of_one_cell_is_refused() -> None:
    small = asked({"cup": Box(0, 0, 10, 10), "hat": Box(20, 20, 30, 30)}, size=(30, 30))
    assert relations.refusal(small, TokenGrid.rectangle(1, 1, (30, 30))) == "the picture is one cell"


def test_what_cannot_be_asked_is_said(tiny_vlm: VLM, pairs: ExampleSet) -> None:
    with pytest.raises(UsageError, match="no such method"):
        Creg(methods=("crag",))
    with pytest.raises(UsageError, match="at least one layer"):
        Creg(depth=0)
    with pytest.raises(CannotAnswer, match="fewer layers"):
        Creg(depth=9)(tiny_vlm, pairs)
    shared = ExampleSet("pairs", (replace(pairs[0], options=("1", "1 and 2"), answer="1"),))
    with pytest.raises(CannotAnswer, match="single tokens"):
        Creg(depth=3)(tiny_vlm, shared)
    unnamed = replace(pairs[0], reference=None)
    assert not Creg().applies(ExampleSet("pairs", (unnamed,)))
    with pytest.raises(CannotAnswer, match="without subject, reference"):
        Creg(depth=3)(tiny_vlm, ExampleSet("pairs", (unnamed,)))


def test_a_choice_names_a_direction_by_its_number_or_by_its_place() -> None:
    boxes = {"cup": Box(0, 0, 10, 10), "hat": Box(40, 0, 50, 10), "key": Box(40, 30, 50, 40)}
    numbered = asked(boxes)
    assert [creg.chosen_direction(numbered, n) for n in "1234"] == [180, 0, 90, 270]
    named = asked(boxes, options=("cup", "hat", "key", "pot"), answer="cup")
    assert [creg.chosen_direction(named, n) for n in named.options] == [180, None, 270, None]
    for words, found in ((("left", "right", "on", "under"), [180, 0, 90, None]),
                         (("left", "right", "front", "behind"), [180, 0, None, None])):  # fmt: skip
        said = replace(named, options=words, answer="left")
        assert [creg.chosen_direction(said, word) for word in words] == found


# Summaries.


def made(dae: dict[str, list[float | None]], **columns: list[Any]) -> Table:
    """Rows of the default projection: `dae` by method, a question each; EA follows from it."""
    rows: list[Row] = []
    for method, values in dae.items():
        for n, value in enumerate(values):
            row: Row = dict.fromkeys(CREG.columns)
            row |= {"example_id": f"e{n}", "image_id": f"i{n // 2}", "suite": "s", "direction": "left", "part": "rest"}
            row |= {"method": method, "projection": "default", "dae": value, "correct": True}
            row |= {
                "ea": None if value is None else float(value <= 45),
                "target": "truth" if method == "creg" else None,
            }
            rows.append(row | {name: given[n] for name, given in columns.items()})
    return Table.of(CREG, rows)


def by_method(table: Table, **wanted: str) -> dict[str, Row]:
    chosen = {"samples": "all", "subset": "all", "projection": "default"} | wanted
    return {r["method"]: r for r in table.rows() if chosen.items() <= r.items()}


def test_a_summary_by_hand() -> None:
    rows = made({"creg": [0, 90, 30, 60], "constant": [45, 90, 45, 90], "point_at_subject": [0, 10, 20, 10]})
    row = by_method(creg_summary(rows, smallest=2))["creg"]
    assert (row["dae"], row["ea"], row["dae_null"], row["ea_null"]) == (45, 0.5, 67.5, 0.5)
    assert (row["dae_floor"], row["ea_floor"], row["dae_gain"], row["ea_gain"]) == (10, 1, 22.5, 0)
    assert (row["questions"], row["images"], row["empty"], row["omitted"]) == (4, 2, 0, False)
    assert row["dae_gain_low"] <= 22.5 <= row["dae_gain_high"]


def test_null_and_floor_are_those_of_the_same_questions() -> None:
    rows = made({"creg": [0, None, 30, None], "constant": [45, 90, 45, 90], "point_at_subject": [0, 10, None, 10]})
    row = by_method(creg_summary(rows, smallest=2))["creg"]
    assert (row["questions"], row["empty"], row["dae"], row["dae_null"], row["dae_floor"]) == (2, 2, 15, 45, 0)


def test_right_and_wrong_answers_stand_apart_and_so_do_those_that_choices_are_made_on() -> None:
    rows = made(
        {"creg": [0, 90, 30, 60], "constant": [45, 90, 45, 90], "point_at_subject": [0, 10, 20, 10]},
        correct=[True, True, False, False], part=["dev", "dev", "rest", "rest"],
    )  # fmt: skip
    summary = creg_summary(rows, smallest=1)
    assert by_method(summary, subset="correct")["creg"]["dae"] == 45
    assert by_method(summary, subset="incorrect")["creg"]["dae"] == 45
    assert by_method(summary, samples="rest")["creg"]["dae_null"] == 67.5
    assert by_method(summary)["creg"]["accuracy"] == 0.5
    assert by_method(creg_summary(rows), subset="correct")["creg"]["omitted"]


def test_a_method_that_cannot_be_had_is_listed(tiny_vlm: VLM) -> None:
    rows = made({"creg": [0.0] * 10, "constant": [45.0] * 10, "point_at_subject": [0.0] * 10})
    cannot = [dict.fromkeys(CREG.columns) | {"suite": "s", "method": "gradcam", "refused": "no blocks"}]
    summary = creg_summary(Table.of(CREG, [*rows.rows(), *cannot]))
    assert by_method(summary)["gradcam"]["omitted"] and by_method(summary)["gradcam"]["empty"] == 1


def test_columns_share_the_draws_of_scipys_bootstrap() -> None:
    rng = np.random.default_rng(3)
    values, images = rng.random((40, 3)), rng.integers(0, 12, 40)
    for column, found in zip(values.T, means_over_images(values, images), strict=True):
        expected = mean_over_images(column, images, shares=False)
        assert found.kind == expected.kind == "bootstrap"
        assert found[:3] == pytest.approx(expected[:3])
    flat = means_over_images(np.ones((4, 1)), [0, 0, 1, 1])[0]
    assert flat == (1, 1, 1, "none")


def test_methods_are_compared_in_pairs_with_holms_correction() -> None:
    rng = np.random.default_rng(0)
    values = {name: rng.uniform(0, 90, 24).tolist() for name in ("creg", "rollout", "constant", "point_at_subject")}
    table = {(r["method"], r["other"]): r for r in creg_pairs(made(values)).rows()}
    assert table.keys() == {("creg", "rollout"), ("creg", "constant"), ("rollout", "constant")}
    row = table["creg", "rollout"]
    difference = np.subtract(values["creg"], values["rollout"]).reshape(12, 2).mean(1)
    assert row["difference"] == pytest.approx(difference.mean())
    test = stats.permutation_test((difference,), np.mean, permutation_type="samples", n_resamples=10**4)
    assert row["p_value"] == pytest.approx(test.pvalue)  # all patterns of signs
    assert (row["nearer"], row["further"]) == ((difference < 0).mean(), (difference > 0).mean())
    smallest = min(table.values(), key=lambda r: r["p_value"])
    assert smallest["p_holm"] == pytest.approx(min(1, 3 * smallest["p_value"]))
    assert (row["questions"], row["images"], row["omitted"]) == (24, 12, False)
    assert creg_pairs(made({k: v[:4] for k, v in values.items()})).rows()[0]["omitted"]


def test_a_choice_is_judged_on_pictures_that_it_was_not_made_on() -> None:
    """Rollout gains 40 degrees where choices are made and loses 10 elsewhere; CREG gains 20 and 30."""
    part = ["dev"] * 12 + ["rest"] * 12
    dae = {"creg": [40.0] * 12 + [30.0] * 12, "rollout": [20.0] * 12 + [70.0] * 12, "constant": [60.0] * 24}
    rows = [r | {"target": "prediction"} if r["method"] == "creg" else r for r in made(dae, part=part).rows()]
    (row,) = creg_choices(Table.of(CREG, rows), smallest=4).rows()
    assert (row["suite"], row["method"], row["projection"], row["options"]) == ("s", "rollout", "default", 2)
    assert (row["dev_gain"], row["gain"], row["default_gain"]) == (40, -10, 30)
    assert (row["dev_questions"], row["dev_images"], row["questions"], row["omitted"]) == (12, 6, 12, False)
    (row,) = creg_choices(Table.of(CREG, rows)).rows()
    assert row["omitted"] and row["method"] is None and row["dev_images"] == 6


def test_options_are_chosen_by_their_gain_on_the_layout_under_the_same_option() -> None:
    """Under 4 sectors DAE is lower and the layout's is lower still."""
    part = ["dev"] * 12 + ["rest"] * 12
    plain = made({"creg": [40.0] * 24, "constant": [60.0] * 24}, part=part).rows()
    other = made({"creg": [20.0] * 24, "constant": [25.0] * 24}, part=part).rows()
    elsewhere = made({"creg": [10.0] * 24, "constant": [90.0] * 24}, part=part).rows()
    rows = [
        *plain,
        *(r | {"projection": "4 sectors"} for r in other),
        *(r | {"projection": "swapped"} for r in elsewhere),
    ]
    rows = [r | {"target": "prediction"} if r["method"] == "creg" else r for r in rows]
    (row,) = creg_choices(Table.of(CREG, rows), smallest=4).rows()
    assert (row["method"], row["target"], row["projection"]) == ("creg", "prediction", "default")
    assert (row["options"], row["dev_gain"], row["gain"]) == (2, 20, 20)


def test_choices_are_compared_on_the_questions_that_all_have() -> None:
    """Rollout has a compass on the easy half only, where CREG is better."""
    dae: dict[str, list[float | None]] = {
        "creg": [10.0] * 6 + [50.0] * 6 + [30.0] * 12, "rollout": [15.0] * 6 + [None] * 6 + [30.0] * 12,
        "constant": [60.0] * 24,
    }  # fmt: skip
    rows = made(dae, part=["dev"] * 12 + ["rest"] * 12).rows()
    rows = [r | {"target": "prediction"} if r["method"] == "creg" else r for r in rows]
    (row,) = creg_choices(Table.of(CREG, rows), smallest=3).rows()
    assert (row["method"], row["dev_gain"], row["dev_questions"]) == ("creg", 50, 6)


def test_a_choice_needs_enough_pictures_on_the_rest_too() -> None:
    """What dev chooses has a compass on one picture of the rest: no gain, and none of the default beside it."""
    part = ["dev"] * 12 + ["rest"] * 12
    dae: dict[str, list[float | None]] = {
        "creg": [50.0] * 24, "rollout": [10.0] * 14 + [None] * 10, "constant": [60.0] * 24,
    }  # fmt: skip
    rows = [r | {"target": "prediction"} if r["method"] == "creg" else r for r in made(dae, part=part).rows()]
    (row,) = creg_choices(Table.of(CREG, rows), smallest=4).rows()
    assert (row["method"], row["dev_gain"], row["questions"], row["images"]) == ("rollout", 50, 2, 1)
    assert row["gain"] is None and row["default_gain"] is None and not row["omitted"]


def test_the_direction_that_a_choice_names_is_of_those_that_name_one() -> None:
    """Two of eight choices name a direction: too few for a mean of their own."""
    dae = {"creg": [10.0] * 8, "constant": [20.0] * 8, "point_at_subject": [0.0] * 8}
    rows = [r | {"dae_chosen": 30.0 if r["example_id"] in ("e0", "e2") else None} for r in made(dae).rows()]
    row = by_method(creg_summary(Table.of(CREG, rows), smallest=2))["creg"]
    assert (row["dae_chosen"], row["chosen_questions"]) == (30, 2)
    row = by_method(creg_summary(Table.of(CREG, rows), smallest=3))["creg"]
    assert (row["dae_chosen"], row["chosen_questions"], row["omitted"]) == (None, 2, False)


def complete(median: float, low: float, high: float, **changes: Any) -> Row:
    row: Row = {"method": "integrated_gradients", "subset": "all", "projection": "default", "samples": "all"}
    return row | {"completeness": median, "completeness_low": low, "completeness_high": high} | changes


def test_the_sentence_on_completeness_follows_its_numbers() -> None:
    (good,) = complete_sentences(
        [complete(0.998, 0.96, 1.02), complete(1.001, 0.99, 1.01), complete(0, 0, 0, method="x")]
    )
    assert good.replace("\u00a0", " ") == (
        "Integrated gradients attribute 99.8 % to 100.1 % of f(h) - f(0) to all tokens (median over questions; 96.0 % "
        "at least, 102.0 % at most): complete within 5 % on every question."
    )
    for low, high in ((0.94, 1.0), (1.0, 1.06), (-0.3, 0.6)):
        (bad,) = complete_sentences([complete(1.0, low, high)])
        assert bad.endswith("not complete on every question.")
    assert list(complete_sentences([complete(0, 0, 0, completeness=None)])) == []


def test_integrated_gradients_say_how_complete_they_are(tiny_vlm: VLM, pairs: ExampleSet) -> None:
    """In rows and summary; other methods say nothing, and earlier rows without the column are read."""
    few = replace(pairs, items=pairs.items[:2])
    rows = Creg(methods=("creg", "integrated_gradients"), depth=2)(tiny_vlm, few)
    own = rows.frame["method"] == "integrated_gradients"
    shares = rows.frame[own]["completeness"].to_numpy(dtype=float)
    assert np.abs(shares - 1).max() < 0.05
    assert rows.frame[~own]["completeness"].isna().all()
    summary = creg_summary(rows, smallest=1).rows()
    mine = [r for r in summary if r["method"] == "integrated_gradients" and r["samples"] == "all"]
    assert all(r["completeness_low"] <= r["completeness"] <= r["completeness_high"] for r in mine)
    assert {r["completeness"] for r in summary if r["method"] == "creg"} == {None}
