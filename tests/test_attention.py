"""Attention: its shares and AUROC by hand and against oracles, its edge cases, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from backsight import stimuli
from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet, PlainPicture
from backsight.grid import Box, TokenGrid
from backsight.maths import attention
from backsight.measurements import Heads, Looking, Modalities, measure
from backsight.measurements import heads as of_heads
from backsight.measurements.looking import distinct, regions_of
from backsight.measurements.needs import Needs, united
from backsight.measurements.watched import watched
from backsight.models.sites import Edit
from backsight.models.sizes import facts
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.selftest import attention as controls
from backsight.selftest import lookup
from backsight.selftest.base import Bench
from backsight.training.questions import corpus
from tests.live import peak

FAMILIES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "gemma3", "paligemma")


@pytest.fixture(scope="module", params=FAMILIES)
def any_vlm(request: pytest.FixtureRequest) -> VLM:
    return VLM(*tiny(request.param, corpus()), check=False)


def questions() -> list[Example]:
    """Three questions whose prompts differ in length, so that a batch pads."""
    return [stimuli.squares()[0], stimuli.pairs()[1], stimuli.objects()[5]]


def relations(vlm: VLM, count: int) -> ExampleSet:
    return stimuli.pairs(scenes=count).where(lambda e: e.tags["prompt"] == "A").limit(count)


# Formulas


def test_the_parts_of_a_prompt() -> None:
    """pad, bos, word, image, image, word: by hand."""
    image = np.array([False, False, False, True, True, False])
    prompt = attention.parts_of(image, np.array([False, True, True, True, True, True]))
    assert prompt.system.tolist() == [False, True, True, False, False, False]
    assert prompt.question.tolist() == [False] * 5 + [True]
    assert prompt.first.tolist() == [False, True, False, False, False, False]
    given = np.array([[0.0, 0.5, 0.1, 0.2, 0.1, 0.1]])
    shares = [float(attention.share(given, getattr(prompt, name))[0]) for name in (*attention.PARTS, "first")]
    assert shares == pytest.approx([0.3, 0.6, 0.1, 0.5])
    assert attention.balance(np.array([0.3, 0.0]), np.array([0.1, 0.0])) == pytest.approx([0.75, np.nan], nan_ok=True)


def test_auroc_by_hand() -> None:
    scores = np.array([1.0, 2.0, 3.0, 4.0])
    inside = np.array([[0, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]], dtype=float)
    expected = [1, 0, 0.75, np.nan, np.nan]
    assert attention.auroc(scores, inside) == pytest.approx(expected, nan_ok=True)
    assert attention.auroc(np.full(4, 0.25), inside[:3]) == pytest.approx([0.5] * 3, abs=1e-12)
    assert attention.auroc(np.zeros(4), inside[:1]) == pytest.approx([0.5])


def test_auroc_is_that_of_scikit_learn() -> None:
    """With ties, and tokens that are in part inside: these count twice, with the weights of both sides."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores = rng.integers(0, 9, 40) / 7
        inside = np.clip(rng.uniform(-1, 1.5, (3, 40)), 0, 1)
        expected = [
            roc_auc_score([1] * 40 + [0] * 40, np.tile(scores, 2), sample_weight=np.concatenate([one, 1 - one]))
            for one in inside
        ]
        assert attention.auroc(scores, inside, tie=1e-6) == pytest.approx(expected, abs=1e-9)


def test_auroc_does_not_hang_on_rounding() -> None:
    """Attention that is equal but for float32's rounding is no ranking."""
    rng = np.random.default_rng(0)
    base = np.full(144, 1 / 144)
    inside = np.zeros((1, 144))
    inside[0, :9] = 1
    for scale in (1e-9, 1e-10):
        assert abs(attention.auroc(base + scale * rng.normal(size=144), inside)[0] - 0.5) < 1e-4


def test_sinks_are_where_attention_goes_whatever_is_shown() -> None:
    shown, gray = np.full(10, 0.01), np.full(10, 0.01)
    shown[[2, 5]], gray[[2, 7]] = 0.9, 0.9  # 5 is an object, 7 shows in gray only
    assert np.flatnonzero(attention.sinks(shown, gray, 3.0)).tolist() == [2]


# What is watched


def test_shares_are_those_of_the_eager_model(any_vlm: VLM) -> None:
    """transformers' own attention, of each prompt by itself, so that padding must not leak."""
    items = questions()
    table = Modalities(batch=3)(any_vlm, items).frame
    for example in items:
        batch = any_vlm.prepare([example])
        any_vlm.model.set_attn_implementation({"text_config": "eager"})
        try:
            with torch.no_grad():
                plain = any_vlm.model(**batch.inputs, use_cache=False, output_attentions=True).attentions
        finally:
            any_vlm.model.set_attn_implementation({"text_config": "sdpa"})
        image = batch.image_mask[0]
        after = torch.arange(len(image)) > int(image.nonzero().max())
        mine = table[table["example_id"] == example.id]
        assert len(mine) == len(plain) * (1 + plain[0].shape[1])
        for layer, weights in enumerate(plain):
            last = weights[0, :, -1]
            rows = mine[(mine["layer"] == layer) & mine["head"].notna()].sort_values("head")
            assert rows["image"].to_numpy(float) == pytest.approx(last[:, image].sum(1).numpy(), abs=1e-5)
            assert rows["question"].to_numpy(float) == pytest.approx(last[:, after].sum(1).numpy(), abs=1e-5)
            total = rows[["image", "system", "question"]].sum(axis=1).to_numpy(float)
            assert total == pytest.approx(np.ones(len(rows)), abs=1e-5)
            mean = mine[(mine["layer"] == layer) & mine["head"].isna()]["image"].iloc[0]
            assert mean == pytest.approx(float(rows["image"].mean()), abs=1e-6)


def test_uniform_is_over_what_is_seen(any_vlm: VLM) -> None:
    """Gemma-3's sliding layers see a window, of which the image may be a smaller part; causal ones all before."""
    (example,) = questions()[1:2]
    batch = any_vlm.prepare([example])
    tokens, count = int(batch.attention_mask.sum()), int(batch.image_mask.sum())
    table = Modalities()(any_vlm, [example]).frame
    full = table[table["layer"] == table["layer"].max()]["image_uniform"].astype(float)
    assert full.to_numpy() == pytest.approx(np.full(len(full), count / tokens))


def test_question_tokens_as_queries(any_vlm: VLM) -> None:
    """The mean over question tokens, of which each sees those before it (or, with a prefix, all)."""
    batch = any_vlm.prepare(questions())
    _, whole = watched(any_vlm, batch, "question")
    kept: dict[int, torch.Tensor] = {}
    with any_vlm.watching(kept.__setitem__):
        any_vlm.forward(batch)
    for number, prompt in enumerate(whole.prompts):
        asking = torch.from_numpy(prompt.question)
        for layer, of in whole.layers.items():
            rows = kept[layer][number][:, asking]
            assert of.attention[number] == pytest.approx(rows.mean(1).numpy(), abs=1e-5)
            seen = (rows > 0).any(0).float()
            assert of.uniform[number] == pytest.approx((seen / seen.sum(1, keepdim=True)).mean(0).numpy(), abs=1e-5)
    with pytest.raises(UsageError, match="no such queries"):
        Modalities(queries="every")  # type: ignore[arg-type]


def test_a_layer_without_weights_is_a_gap(any_vlm: VLM, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = VLM.watching
    monkeypatch.setattr(VLM, "watching", lambda self, watch: plain(self, watch, [0, 2]))
    items = ExampleSet("some", tuple(questions()))
    for table in (Modalities()(any_vlm, items), Looking(random=1)(any_vlm, items)):
        assert set(table.frame["layer"]) == {0, 2}


def test_both_share_one_pass(any_vlm: VLM, monkeypatch: pytest.MonkeyPatch) -> None:
    items = ExampleSet("some", tuple(questions()))
    apart = [one(any_vlm, items) for one in (Modalities(), Looking(random=1))]
    calls: list[int] = []
    forward = VLM.forward
    monkeypatch.setattr(VLM, "forward", lambda self, batch: (calls.append(len(batch)), forward(self, batch))[1])
    together = measure(any_vlm, items, [Modalities(), Looking(random=1)])
    assert calls == [3, 3]  # the pictures once, and gray ones
    for one, other in zip(apart, together, strict=True):
        pd.testing.assert_frame_equal(one.frame, other.frame)


def test_needs_of_other_queries_do_not_unite() -> None:
    last, question = Needs(attention="last"), Needs(attention="question")
    assert united([last, Needs(trace=True)]) == Needs(trace=True, attention="last")
    assert united([last, question]) is None


# Within the image


def test_regions_are_the_boxes_mirrored_along_the_question() -> None:
    grid = TokenGrid.rectangle(4, 4, (40, 40))
    example = Example("e", PlainPicture((40, 40)), "?", ("1", "2"), "1", direction="left", subject="a", reference="b",
                      boxes={"a": Box(0, 0, 10, 10), "b": Box(20, 10, 30, 25), "c": Box(0, 30, 10, 40)})  # fmt: skip
    regions = regions_of(example, grid, 3)
    assert {name: of.shape for name, of in regions.items()} == dict.fromkeys(("subject", "reference", "boxes"), (5, 16))
    assert np.flatnonzero(regions["subject"][0]).tolist() == [0]
    assert np.flatnonzero(regions["subject"][1]).tolist() == [3]
    assert regions["reference"][0].reshape(4, 4)[:, 2].tolist() == [0, 1, 0.5, 0]
    assert regions["boxes"][0].sum() == 2.5
    above = regions_of(replace(example, direction="above"), grid, 3)
    assert np.flatnonzero(above["subject"][1]).tolist() == [12]
    for of in regions.values():
        assert of[2:].sum(1) == pytest.approx([of[0].sum()] * 3)  # as large as the boxes, wherever they are
    assert regions_of(example, grid, 3)["boxes"].tolist() == regions["boxes"].tolist()
    assert list(regions_of(replace(example, subject=None), grid, 1)) == ["reference", "boxes"]


def test_equal_questions_about_gray_pictures_are_asked_once() -> None:
    one, two, *_ = questions()
    shown, index = distinct([one, two, replace(one, id="again")])
    assert [e.question for e in shown] == [one.question, two.question] and index == [0, 1, 0]


def test_attention_set_by_hand_gives_its_auroc_and_shares(any_vlm: VLM) -> None:
    """Scores of the last row are raised at the tokens of the subject: AUROC 1 there, its share nearly all."""
    example = relations(any_vlm, 4)[0]
    grid = any_vlm.grid_of(example.picture)
    box = example.boxes[str(example.subject)]
    target = np.flatnonzero(grid.overlap(box) > 0)
    image = any_vlm.prepare([example]).image_mask[0].nonzero().flatten()[target]

    def raised(scores: torch.Tensor) -> torch.Tensor:
        new = torch.zeros_like(scores)
        new[..., image] = 30.0
        return new

    with any_vlm.editing(Edit("scores", raised, (1,), "last")):
        rows = Looking()(any_vlm, [example]).frame
    at = rows[rows["layer"] == 1]
    inside = grid.overlap(box)
    expected = roc_auc_score([1] * len(grid) + [0] * len(grid), np.tile(np.isin(np.arange(len(grid)), target), 2),
                             sample_weight=np.concatenate([inside, 1 - inside]))  # fmt: skip
    assert at["subject_auroc"].to_numpy(float) == pytest.approx(np.full(len(at), expected), abs=1e-6)
    assert at["subject_share"].to_numpy(float) == pytest.approx(np.full(len(at), inside[target].mean()), abs=1e-5)
    assert at["subject_area"].iloc[0] == pytest.approx(inside.mean())
    assert at["subject_gray"].to_numpy(float) == pytest.approx(np.full(len(at), expected), abs=1e-6)  # raised there too
    assert (at["sinks"] == (len(target) if len(grid) > 5 * len(target) else at["sinks"])).all()


def test_what_has_no_boxes_has_no_rows_and_a_set_of_them_is_refused(tiny_vlm: VLM) -> None:
    with_boxes, without = stimuli.pairs()[0], replace(stimuli.pairs()[3], boxes={}, subject=None, reference=None)
    rows = Looking(random=1)(tiny_vlm, [with_boxes, without]).frame
    assert set(rows["example_id"]) == {with_boxes.id}
    for measurement in (Looking(), Heads()):
        with pytest.raises(CannotAnswer, match="No question of this set has a box"):
            measurement(tiny_vlm, [without])
    assert len(Modalities()(tiny_vlm, [without])) > 0
    for wrong in ({"random": 0}, {"sink": 1.0}):
        with pytest.raises(UsageError):
            Looking(**wrong)  # type: ignore[arg-type]


def test_options_of_several_tokens_have_no_answer(tiny_vlm: VLM) -> None:
    example = replace(stimuli.pairs()[0], options=("to the left of it", "right"), answer="right")
    assert Modalities()(tiny_vlm, [example]).frame["correct"].isna().all()


# Heads


def test_ablated_heads_give_nothing(tiny_vlm: VLM) -> None:
    batch = tiny_vlm.prepare(questions())
    width = tiny_vlm.parts.layers[0].self_attn.o_proj.in_features  # type: ignore[union-attr]
    count = 4
    assert width % count == 0
    some = [(1, 0), (1, 2), (3, 1)]
    with tiny_vlm.recording("heads") as plain:
        tiny_vlm.forward(batch)
    before = dict(plain.values)
    means = {1: torch.arange(width, dtype=torch.float64)}
    for given, value in (({}, 0.0), (means, means[1].view(count, -1)[[0, 2]].float())):
        with tiny_vlm.editing(*of_heads._edits(some, count, given)), tiny_vlm.recording("heads") as edited:
            tiny_vlm.forward(batch)
        one = edited["heads", 1].unflatten(-1, (count, -1))
        assert torch.equal(one[:, :, [0, 2]], torch.zeros_like(one[:, :, [0, 2]]) + value)
        kept = before["heads", 1].unflatten(-1, (count, -1))
        torch.testing.assert_close(one[:, :, [1, 3]], kept[:, :, [1, 3]], atol=1e-5, rtol=1e-4)
        assert (edited["heads", 3].unflatten(-1, (count, -1))[:, :, 1] == 0).all()


def test_random_heads_are_of_the_same_layers() -> None:
    every = [(layer, head) for layer in range(3) for head in range(2)]
    for draw in range(6):
        taken = Heads()._others([(0, 0), (2, 1)], every, draw)
        assert taken == [(0, 1), (2, 0)]
    both = Heads()._others([(0, 0), (0, 1)], every, 0)  # that layer has no more
    assert len(set(both)) == 2 and {layer for layer, _ in both} <= {1, 2}


def test_no_layer_gives_more_than_half_of_its_heads() -> None:
    ranked = [(0, 0), (0, 3), (0, 1), (2, 1), (1, 0)]
    assert of_heads._spread(ranked, 3, of_heads.most_of(4)) == [(0, 0), (0, 3), (2, 1)]
    assert of_heads._spread(ranked, 2, of_heads.most_of(1)) == [(0, 0), (2, 1)]


def test_halves_share_no_picture_and_means_are_means(tiny_vlm: VLM) -> None:
    items = stimuli.pairs(scenes=8).where(lambda e: e.tags["prompt"] in "AB")
    first, second = of_heads._halves(list(items), 0)
    assert {e.image_id for e in first}.isdisjoint(e.image_id for e in second)
    assert len(first) == len(second) == 8
    means = Heads(ablations=("mean",), batch=3)._means(tiny_vlm, first, {1})
    rows = []
    for example in first:
        with tiny_vlm.recording("heads") as recorded:
            tiny_vlm.forward(tiny_vlm.prepare([example]))
        rows.append(recorded["heads", 1][0].double())
    torch.testing.assert_close(means[1], torch.cat(rows).mean(0), atol=1e-5, rtol=1e-4)
    assert Heads()._means(tiny_vlm, first, {1}) == {}


def test_what_heads_cannot_be_asked(tiny_vlm: VLM) -> None:
    items = relations(tiny_vlm, 4)
    with pytest.raises(CannotAnswer, match="Too few pictures"):
        Heads()(tiny_vlm, items.limit(3))
    with pytest.raises(CannotAnswer, match="too few heads"):
        Heads(top=100)(tiny_vlm, relations(tiny_vlm, 8))
    for wrong in ({"top": 0}, {"draws": 0}, {"ablations": ()}, {"ablations": ("half",)}):
        with pytest.raises(UsageError):
            Heads(**wrong)  # type: ignore[arg-type]


def test_the_head_that_reads_is_found_and_its_ablation_falls_to_the_floor() -> None:
    vlm = lookup.lookup()
    rows = Heads(top=1, ablations=("zero", "mean"))(vlm, lookup.scenes(24)).frame
    assert set(rows[rows["condition"] == "chosen"]["heads"]) == {"3.0"}
    right = rows.groupby(["condition", "ablation"], dropna=False)["correct"].mean()
    assert right["plain"].iloc[0] == 1 and right["random", "zero"] == right["random", "mean"] == 1
    assert right["chosen", "zero"] <= 0.35 and right["chosen", "mean"] <= 0.35
    constant = rows[(rows["condition"] == "chosen") & (rows["ablation"] == "zero")]["choice"]
    assert constant.nunique() == 1  # the same answer whatever is shown


# What all keep to


@pytest.mark.parametrize(
    "measurement", [Modalities(), Modalities(queries="question"), Looking(), Heads(top=1)], ids=repr
)
def test_what_is_declared_is_what_is_taken(tiny_vlm: VLM, measurement: Any) -> None:
    """At least what a batch is seen to take, and at most four times that."""
    items = stimuli.pairs(scenes=8).where(lambda e: e.tags["prompt"] == "A")
    sized = replace(measurement, batch=2)
    given = list(items) if measurement.needs_all_samples else list(items)[:2]
    taken = peak(tiny_vlm, lambda: sized.rows(tiny_vlm, given))
    estimate = 2 * sized.bytes_each(facts(tiny_vlm, items, priced=False), items)
    assert taken <= estimate <= 4 * taken


@pytest.mark.parametrize("measurement", [Modalities(), Looking(), Heads(ablations=("zero", "mean"), draws=2)], ids=repr)
def test_what_is_charged_is_what_is_planned(tiny_vlm: VLM, measurement: Any) -> None:
    items = stimuli.pairs(scenes=8).where(lambda e: e.tags["prompt"] == "A")
    before = tiny_vlm.forward_equivalents
    measurement(tiny_vlm, items)
    assert measurement.cost(facts(tiny_vlm, items), items) == pytest.approx(tiny_vlm.forward_equivalents - before)


def test_controls_hold() -> None:
    bench = Bench()
    for control in controls.CONTROLS:
        seen = control.judge(bench)
        assert seen.fires and seen.silent, control
    bench.close()
