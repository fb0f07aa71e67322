"""The permutation test and its index: by hand, on models of a known pathway, and exact where nothing may change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from backsight import stimuli
from backsight.errors import CannotAnswer, UsageError
from backsight.examples import ExampleSet
from backsight.maths.psi import psi
from backsight.maths.shares import fieller
from backsight.measurements import Permutation
from backsight.measurements.permutation import at_text_norm, moved_along, ordered
from backsight.measurements.shuffles import orders, shuffled, text_mask
from backsight.models import position_ids, replay
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.results.permutation import PERMUTATION, draw, permutation_summary, sentences
from backsight.results.permutation import text as words_of
from backsight.tables import Table
from backsight.training.questions import corpus


def test_both_indices_by_hand() -> None:
    """9 of 10 right, 5 of 10 shuffled, chance one half: 4/9 as published, 4/4 above chance."""
    plain, mixed = [1.0] * 9 + [0.0], [1.0] * 5 + [0.0] * 5
    index = psi(plain, mixed, [0.5] * 10, range(10))
    assert index is not None
    assert index.published.value == pytest.approx(4 / 9) and index.corrected.value == pytest.approx(1)
    for one in index:
        assert one.low < one.value < one.high
    quarter = psi(plain, mixed, [0.25] * 10, range(10))
    assert quarter is not None and quarter.corrected.value == pytest.approx(4 / 6.5)


def test_at_chance_there_is_no_index() -> None:
    assert psi([1.0, 0.0] * 20, [1.0, 0.0] * 20, [0.5] * 40, range(40)) is None
    assert psi([], [], [], []) is None


def test_an_index_without_spread_has_width_and_more_loss_a_larger_index() -> None:
    values = []
    for right in range(21):
        index = psi([1.0] * 20, [1.0] * right + [0.0] * (20 - right), [0.5] * 20, range(20))
        assert index is not None and index.corrected.low < index.corrected.value < index.corrected.high
        assert index.published.high <= 1
        values.append(index.corrected)
    assert all(np.diff([getattr(one, name) for one in values]).max() < 0 for name in ("value", "low", "high"))


def test_fiellers_interval_of_another_chance_is_that_of_one_half_where_it_is_that() -> None:
    ablated, plain, counts = np.array([1.0, 0, 2, 1]), np.array([2.0, 2, 2, 2]), np.full(4, 2.0)
    assert fieller(ablated, plain, counts) == fieller(ablated, plain, counts, chance=np.full(4, 0.5))


def rows_of(plain: list[int], kept: list[int], text: list[int], text_kept: list[int], options: int = 2) -> Table:
    """A question a picture, one shuffle."""
    built = []
    for norm, order, right in (("own", "plain", plain), ("own", "kept", kept), ("text", "plain", text),
                               ("text", "kept", text_kept)):  # fmt: skip
        for number, correct in enumerate(right):
            built.append(
                {"example_id": f"e{number}", "image_id": f"i{number}", "suite": "squares", "direction": "left",
                 "kind": "relational", "norm": norm, "order": order, "seed": None if order == "plain" else 0,
                 "options": options, "answer": "a", "choice": "a", "correct": bool(correct), "p_answer": 0.5}
            )  # fmt: skip
    return Table.of(PERMUTATION, built)


def test_the_summary_by_hand() -> None:
    whole, half = [1] * 20, [1, 0] * 10
    own, text = permutation_summary(rows_of(whole, half, half, half)).rows()
    assert (own["suite"], own["kind"], own["norm"], own["order"]) == ("squares", "relational", "own", "kept")
    assert own["accuracy"] == 1 and own["shuffled"] == 0.5 and own["chance"] == 0.5 and own["gain"] is None
    assert own["psi"] == pytest.approx(0.5) and own["corrected"] == pytest.approx(1) and own["reason"] is None
    assert text["reason"] == "not above chance" and text["psi"] is None
    assert text["gain"] == -0.5 and text["gain_high"] < 0 and text["gain_p"] < 0.05 and text["loss_gain"] == -0.5
    few = permutation_summary(rows_of([1] * 9, [1] * 9, [1] * 9, [1] * 9)).rows()[0]
    assert few["reason"] == "few questions" and few["accuracy"] is None


def index_row(value: float, low: float, high: float, **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"suite": "squares", "kind": "relational", "norm": "own", "order": "kept", "reason": None}
    return row | {"corrected": value, "corrected_low": low, "corrected_high": high} | changes


TITLES = {"squares": "Squares", "pairs": "Pairs (prompt A)", "vsr": "VSR", "shapes": "Shapes"}
ALL, NOTHING, PART = (1.0, 0.8, 1.2), (0.0, -0.28, 0.22), (0.4, 0.2, 0.6)


def claim(*rows: dict[str, Any]) -> str:
    return sentences.claim(rows, TITLES).replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("value", "low", "high", "words"),
    [
        (*ALL, "as good as all of the accuracy above chance: 100 % [80, 120] in Squares."),
        (*PART, "a part of the accuracy above chance: 40 % [20, 60] in Squares."),
        (*NOTHING, "no measurable part of the accuracy above chance: 0 % [-28, 22] in Squares."),
        (0.0, -0.05, 0.05, "hardly any of the accuracy above chance: 0 % [-5, 5] in Squares."),
        (-0.2, -0.4, -0.1, "less than nothing of the accuracy above chance: -20 % [-40, -10] in Squares."),
    ],
)
def test_the_claim_goes_as_far_as_the_interval(value: float, low: float, high: float, words: str) -> None:
    assert (
        claim(index_row(value, low, high)) == f"With image tokens shuffled, questions of where a thing is lose {words}"
    )


def test_the_claim_has_the_largest_loss_first_and_what_has_no_index() -> None:
    none = {"reason": "not above chance", "suite": "pairs"} | dict.fromkeys(("corrected_low", "corrected_high"))
    rows = [index_row(*NOTHING), index_row(*ALL, suite="vsr", kind="other"), index_row(0, 0, 0, **none)]
    assert claim(*rows) == (
        "With image tokens shuffled, the suites' own questions lose as good as all of the accuracy above chance: 100 % "
        "[80, 120] in VSR; no measurable part of the accuracy above chance: 0 % [-28, 22] in Squares; not shown in "
        "Pairs (prompt A), where accuracy is not above chance."
    )
    many = [index_row(*ALL, suite=name) for name in ("squares", "vsr", "shapes")]
    assert "100 % [80, 120] in Squares, 100 % [80, 120] in VSR and 100 %" in claim(*many)
    assert claim(*many, index_row(0.9, 0.7, 1.3, suite="pairs")).endswith("at least 90 % [70, 130] in 4 suites.")
    assert claim(index_row(0, 0, 0, **none)) == (
        "What a shuffle of the image tokens takes is not shown in Pairs (prompt A), where accuracy is not above chance."
    )
    few = index_row(0, 0, 0, reason="few questions")
    assert claim(few).endswith("is not shown in Squares, where there are too few questions.")
    assert claim(index_row(*ALL, norm="text")).endswith("is not shown by any suite.")


def test_the_null_is_what_questions_of_what_lose() -> None:
    what = index_row(*NOTHING, kind="semantic")
    more = index_row(0.1, -0.1, 0.3, kind="semantic", suite="shapes")
    one, both, none = (
        sentences.null(rows, TITLES).replace("\u00a0", " ")
        for rows in ([what], [what, more], [what | {"reason": "few questions"}])
    )
    assert one == "Questions of what is there need no position: they lose 0 % [-28, 22]."
    assert both == "Questions of what is there need no position: they lose at most 10 % [-10, 30] (Shapes)."
    assert none.startswith("There is no control")


def test_statements_follow_the_numbers() -> None:
    what = index_row(*NOTHING, kind="semantic")
    silent = [index_row(0, 0, 0, reason="few questions", suite=name) for name in ("pairs", "vsr")]
    rows = [index_row(*ALL), index_row(*PART, order="moved"), what, index_row(*ALL, norm="text"), *silent]
    line, none = sentences.statements(rows, TITLES)
    assert (line.suite, line.short) == ("squares", 0.0)
    assert line.text.replace("\u00a0", " ") == (
        "Squares: with image tokens shuffled, questions of where lose as good as all of the accuracy above chance "
        "(100 % [80, 120]), questions of what is there lose no measurable part (0 % [-28, 22]); with rotary positions "
        "moved along, questions of where lose a part (40 % [20, 60])."
    )
    assert (none.suite, none.short) == ("", 1.0)
    assert none.text == "No index in Pairs (prompt A) and VSR: there are too few questions."
    torn = index_row(*PART, kind="semantic")
    assert sentences.statements([index_row(*ALL), torn], TITLES)[0].short == pytest.approx(0.2)
    (half,) = sentences.statements([index_row(*ALL), torn | {"reason": "few questions"}], TITLES)
    assert half.short == 0.5 and "questions of what is there have no index, since there are too few" in half.text


def test_what_rescaling_does_follows_the_numbers() -> None:
    changed = {
        f"{name}{end}": v for name in ("gain", "loss_gain") for end, v in (("", 0.2), ("_low", 0.1), ("_high", 0.3))
    }
    up = changed | {"gain_p": 0.01, "loss_gain_p": 0.5}
    assert words_of.rescaled(up).startswith("accuracy rises") and "no measurably different" in words_of.rescaled(up)
    assert words_of.rescaled({"gain": None, "loss_gain": None}) == ""


def test_the_figure_is_drawn_and_says_what_is_omitted() -> None:
    table = permutation_summary(rows_of([1] * 20, [1, 0] * 10, [1, 0] * 10, [1, 0] * 10))
    spoken = [text.get_text() for axis in draw(table).axes for text in axis.texts]
    assert "omitted: not above chance" in spoken


@pytest.fixture(scope="module")
def qwen() -> VLM:
    return VLM(*tiny("qwen2_vl", corpus()), check=False)


def one_picture(_: VLM, count: int = 2) -> ExampleSet:
    return stimuli.pairs(scenes=4).limit(count)  # on a layout of its own: some grids are too small for any


def test_orders_are_permutations_by_picture_and_seed(qwen: VLM) -> None:
    batch = qwen.prepare(one_picture(qwen))
    first, again, other = orders(batch, 0), orders(batch, 0), orders(batch, 1)
    for grid, one, two, three in zip(batch.grids, first, again, other, strict=True):
        assert torch.equal(one.sort().values, torch.arange(len(grid))) and torch.equal(one, two)
        assert not torch.equal(one, three)
    alone = orders(qwen.prepare([batch.examples[1]]), 0)[0]
    assert torch.equal(alone, first[1])


def shuffle_effects(family: str) -> tuple[float, float, bool]:
    """The largest change of a logit by a shuffle with positions moved along, and with positions kept."""
    model, processor = tiny(family, corpus())
    if family == "gemma3":
        model.config.text_config.sliding_window = 4096  # in a window shorter than the prompt the order counts
    vlm = VLM(model, processor, check=False)
    batch = vlm.prepare(one_picture(vlm))
    trace = replay.record(vlm, batch)
    entered = trace.resid_pre(0)[batch.image_mask]
    along = moved_along(vlm, batch, entered, 0)
    kept = trace.with_states(0, batch.image_mask, shuffled(entered, batch, 0))
    return *(float((one - trace.logits).abs().max()) for one in (along, kept)), ordered(trace)


@pytest.mark.parametrize("family", ["gemma3", "paligemma"])
def test_where_image_tokens_see_each_other_both_ways_moved_positions_change_nothing(family: str) -> None:
    along, kept, in_order = shuffle_effects(family)
    assert along < 1e-5 < kept and kept > 100 * along and in_order == (family == "gemma3")


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl"])
def test_under_a_causal_mask_moved_positions_are_another_order(family: str) -> None:
    along, kept, in_order = shuffle_effects(family)
    assert along > 1e-4 and kept > 1e-4 and in_order


def test_positions_moved_along_are_a_permuted_causal_mask(qwen: VLM) -> None:
    """The oracle: tokens in place, and each sees those that stand before it in the new order."""
    batch = qwen.prepare(list(one_picture(qwen, 1)))
    trace = replay.record(qwen, batch)
    at = batch.image_mask[0].nonzero().flatten()
    slot = torch.arange(batch.input_ids.shape[1])
    slot[at[orders(batch, 0)[0]]] = at  # the token of cell order[i] stands at position i
    for call in trace.blocks:
        mask = call.kwargs["attention_mask"]
        call.kwargs["attention_mask"] = mask[:, :, slot][:, :, :, slot]
    expected = trace.forward_from(0, trace.resid_pre(0))[1]
    entered = trace.resid_pre(0)[batch.image_mask]
    torch.testing.assert_close(moved_along(qwen, batch, entered, 0), expected, atol=1e-4, rtol=0)


def test_rescaled_tokens_keep_direction_and_have_the_texts_mean_norm(qwen: VLM) -> None:
    batch = qwen.prepare(one_picture(qwen))
    trace = replay.record(qwen, batch)
    before, after = trace.resid_pre(0)[batch.image_mask], at_text_norm(trace)
    torch.testing.assert_close(torch.cosine_similarity(before, after), torch.ones(len(before)))
    parts = torch.split(after, [len(grid) for grid in batch.grids])
    for row, part in enumerate(parts):
        text = trace.resid_pre(0)[row][text_mask(batch)[row]].norm(dim=-1).mean()
        torch.testing.assert_close(part.norm(dim=-1), text.expand(len(part)), rtol=1e-4, atol=1e-4)


def test_rows_of_a_random_model_are_complete_and_give_no_index(qwen: VLM) -> None:
    given = stimuli.pairs(qwen.grid, scenes=10).limit(12)
    table = Permutation(shuffles=2)(qwen, given)
    frame = table.frame
    counts = frame.groupby(["kind", "norm", "order"]).size().to_dict()
    asked = frame[frame["kind"] == "semantic"]["example_id"].nunique()
    assert counts["relational", "own", "plain"] == 12 and counts["relational", "own", "kept"] == 24
    assert counts["relational", "own", "moved"] == counts["relational", "text", "kept"] == 24
    assert asked > 0 and counts["semantic", "own", "kept"] == 2 * asked and ("semantic", "text", "kept") not in counts
    reasons = {row["reason"] for row in permutation_summary(table).rows()}
    assert "not above chance" in reasons


def test_what_cannot_be_asked_is_said(qwen: VLM) -> None:
    given = one_picture(qwen)
    single = replace(given, items=tuple(replace(e, options=(e.answer,)) for e in given))
    assert not Permutation().applies(single)
    with pytest.raises(CannotAnswer, match="no accuracy"):
        Permutation()(qwen, single)
    with pytest.raises(UsageError, match="At least one shuffle"):
        Permutation(shuffles=0)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kept"), [("vision", 0.0), ("language", 1.0)])
def test_models_of_one_pathway_have_the_index_of_their_construction(name: str, kept: float) -> None:
    from backsight.models.opening import load

    vlm = load(f"builtin:{name}", device="cpu")
    built = permutation_summary(Permutation(shuffles=2, rescaled=False)(vlm, stimuli.squares(vlm.grid).limit(24)))
    index = {(row["kind"], row["order"]): row["corrected"] for row in built.rows()}
    assert index["relational", "kept"] == pytest.approx(kept, abs=0.3)
    assert index["relational", "moved"] == pytest.approx(0, abs=0.2)
    assert index["semantic", "kept"] == pytest.approx(0, abs=0.2)


def test_the_ids_of_this_test_are_those_of_a_plain_call(qwen: VLM) -> None:
    batch = qwen.prepare(one_picture(qwen))
    same = position_ids.with_ids(batch, position_ids.default(qwen, batch))
    assert torch.equal(qwen.forward(batch), qwen.forward(same))
