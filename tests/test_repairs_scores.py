"""Reweighted attention: by hand, against a hand-edited eager forward of transformers, and what a fit chooses."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from backsight import repairs, stimuli
from backsight.errors import CannotAnswer, UsageError
from backsight.examples import ExampleSet
from backsight.models.sites import AnyTokens, Call
from backsight.models.vlm import VLM
from backsight.repairs import AdaptedAttention, AdaptVis, AttendedBoxes, ScaledAttention, ScalingVis, choosing
from backsight.repairs.adaptvis import _thresholds, reweighted
from backsight.repairs.boxes import covered
from tests.seam.conftest import parts

MODULES = {
    "qwen2_vl": "transformers.models.qwen2_vl.modeling_qwen2_vl",
    "gemma3": "transformers.models.gemma3.modeling_gemma3",
    "paligemma": "transformers.models.gemma.modeling_gemma",
}
Change = Callable[[Tensor], Tensor]


@pytest.fixture
def qwen() -> VLM:
    return VLM(*parts("qwen2_vl"), name="tiny", check=False)


@pytest.fixture(scope="module")
def questions() -> ExampleSet:
    return ExampleSet("three", (stimuli.squares()[0], stimuli.pairs()[1], stimuli.objects()[5]))


@contextmanager
def eager(vlm: VLM, family: str, change: Change) -> Iterator[None]:
    """The language model on transformers' eager attention, written out, with `change` on its raw scores."""

    def attend(module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scaling: float, **_: Any) -> Any:
        groups = module.num_key_value_groups
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
        scores = change(torch.einsum("bhqd,bhkd->bhqk", query, key) * scaling) + mask[..., : key.shape[2]]
        weights = scores.softmax(-1)
        return torch.einsum("bhqk,bhkd->bqhd", weights, value), weights

    module = importlib.import_module(MODULES[family])
    before = module.eager_attention_forward
    module.eager_attention_forward = attend
    vlm.model.set_attn_implementation({"text_config": "eager"})
    try:
        yield
    finally:
        module.eager_attention_forward = before
        vlm.model.set_attn_implementation({"text_config": "sdpa"})


@pytest.mark.parametrize("family", MODULES)
def test_a_weight_equals_a_hand_edited_eager_forward(family: str, questions: ExampleSet) -> None:
    vlm = VLM(*parts(family), name=family, check=False)
    batch = vlm.prepare(questions)
    image = batch.image_mask[:, None].expand(-1, 4, -1)

    def change(form: str) -> Change:
        def edited(scores: Tensor) -> Tensor:
            scores, last = scores.clone(), scores[:, :, -1]
            if form == "multiplied":
                scores[:, :, -1] = torch.where(image, last * 1.7, last)
            else:
                scores[:, :, -1] = torch.where(image, last + math.log(1.7), last)
            return scores

        return edited

    for form in ("multiplied", "added"):
        with ScaledAttention(1.7, form).applied(vlm):  # type: ignore[arg-type]
            got = vlm.forward(batch)
        with eager(vlm, family, change(form)), torch.no_grad():
            expected = vlm.model(**batch.inputs, use_cache=False).logits[:, -1]
        torch.testing.assert_close(got, expected, atol=2e-5, rtol=1e-5)
        assert not torch.allclose(got, vlm.forward(batch), atol=1e-4)


def test_the_three_forms_by_hand() -> None:
    """Scores 1 and -2 of two image tokens of one prompt, 0 of another's one, with weight 2."""
    scores, prompts = torch.tensor([[1.0], [-2.0], [0.0]]), torch.tensor([0, 0, 1])
    assert reweighted(scores, 2.0, "multiplied", prompts).flatten().tolist() == [2.0, -4.0, 0.0]
    torch.testing.assert_close(reweighted(scores, 2.0, "added", prompts), scores + math.log(2))
    same = reweighted(scores, 2.0, "temperature", prompts)
    lifted = math.log((math.e + math.e**-2) / (math.e**2 + math.e**-4))
    torch.testing.assert_close(same, torch.tensor([[2.0 + lifted], [-4.0 + lifted], [0.0]]))


@pytest.mark.parametrize("weight", [0.5, 2.0])
def test_attention_under_each_form(qwen: VLM, questions: ExampleSet, weight: float) -> None:
    """In the first layer, of which the states are the plain ones, what the last row looks at."""
    batch = qwen.prepare(questions)
    image = batch.image_mask[:, None].float()

    def first(fitted: ScaledAttention | None) -> Tensor:
        kept: list[Tensor] = []
        with qwen.watching(lambda _, weights: kept.append(weights[:, :, -1]), [0]):
            if fitted is None:
                qwen.forward(batch)
            else:
                with fitted.applied(qwen):
                    qwen.forward(batch)
        return kept[0]

    plain = first(None)
    share = (plain * image).sum(-1)
    added = (first(ScaledAttention(weight, "added")) * image).sum(-1)
    torch.testing.assert_close(added / (1 - added), weight * share / (1 - share), atol=1e-4, rtol=1e-3)
    tempered = first(ScaledAttention(weight, "temperature"))
    torch.testing.assert_close((tempered * image).sum(-1), share, atol=1e-5, rtol=1e-4)
    within = (tempered * image) ** (1 / weight)
    torch.testing.assert_close(within / within.sum(-1, keepdim=True), plain * image / share[..., None],
                               atol=1e-4, rtol=1e-2)  # fmt: skip


def test_a_gate_weighs_each_prompt_by_its_own_confidence(qwen: VLM, questions: ExampleSet) -> None:
    batch = qwen.prepare(questions)
    sure = choosing.sureness(qwen.forward(batch))
    threshold = float(sure.sort().values[:2].mean())
    with AdaptedAttention(threshold, 0.5, 2.0).applied(qwen):
        gated = qwen.forward(batch)
    for row, low in enumerate((sure < threshold).tolist()):
        with ScaledAttention(0.5 if low else 2.0).applied(qwen):
            torch.testing.assert_close(gated[row], qwen.forward(batch)[row], atol=1e-5, rtol=1e-5)
    assert 0 < int((sure < threshold).sum()) < 3


def test_options_of_several_tokens_see_the_repair_of_the_prompt(qwen: VLM, questions: ExampleSet) -> None:
    """The weight acts on the prompt's last row, also where an option stands behind it: its first token's log p is the
    forward pass's."""
    batch = qwen.prepare(questions)
    word = qwen.tokenizer.encode(" left")
    assert len(word) == 1
    for fitted in (ScaledAttention(3.0), AdaptedAttention(0.5, 0.5, 3.0), AttendedBoxes(3.0), repairs.Voted()):
        with fitted.applied(qwen, batch):
            expected = torch.log_softmax(qwen.forward(batch), -1)[:, word[0]]
            scored = qwen.sequence_log_probabilities(batch, [" left", " right"])[:, 0]
        torch.testing.assert_close(scored, expected, atol=1e-4, rtol=1e-4)


def test_a_random_target_has_as_many_columns_and_depends_on_nothing_but_the_prompt() -> None:
    ids = torch.tensor([[0, 0, 9, 9, 9, 1, 2, 3], [9, 9, 1, 4, 5, 6, 7, 8]])
    seen = torch.tensor([[0, 0, 1, 1, 1, 1, 1, 1], [1] * 8])
    chosen = Call(ids, seen, 0).mask(AnyTokens(5), 8, 9)
    assert chosen is not None and chosen.sum(1).tolist() == [3, 2] and not chosen[0, :2].any()
    unpadded = Call(ids[:1, 2:], seen[:1, 2:], 0).mask(AnyTokens(5), 6, 9)
    assert unpadded is not None and torch.equal(unpadded[0], chosen[0, 2:])  # whatever the padding
    tail = torch.ones_like(ids)
    longer = Call(torch.cat([ids, tail], 1), torch.cat([seen, tail], 1), 0, behind=8)
    behind = longer.mask(AnyTokens(5), 16, 9)
    assert behind is not None and torch.equal(behind[1, :8], chosen[1]) and not behind[:, 8:].any()
    several = [Call(ids, seen, 0).mask(AnyTokens(seed), 8, 9) for seed in range(40)]
    often = torch.stack([one for one in several if one is not None]).float().mean(0)
    assert often[0, 2:].min() > 0.2 and often[0, 2:].max() < 0.8  # text and image alike


def test_numbers_of_a_repair_do_not_depend_on_the_batch(qwen: VLM, questions: ExampleSet) -> None:
    """Each by itself and all together, the controls too."""
    whole = qwen.prepare(questions)
    for fitted in (ScaledAttention(2.0, "temperature"), ScaledAttention(2.0, target=3), AttendedBoxes(2.0, 4),
                   repairs.Rescaled(1.0, 2.0, "fixed", dealt=1), repairs.Voted(), repairs.Voted(2)):  # fmt: skip
        with fitted.applied(qwen, whole):
            together = qwen.forward(whole)
        for row, example in enumerate(questions):
            one = qwen.prepare([example])
            with fitted.applied(qwen, one):
                torch.testing.assert_close(qwen.forward(one)[0], together[row], atol=1e-4, rtol=1e-4)


def given(monkeypatch: pytest.MonkeyPatch, right: dict[float, list[int]], confidence: list[float]) -> None:
    """A development split of which it is known what each weight answers right."""

    def outcome(_: VLM, __: ExampleSet, fitted: Any = None) -> choosing.Outcome:
        hits = right[getattr(fitted, "weight", getattr(fitted, "strength", 1.0))]
        return choosing.Outcome(np.array(hits, dtype=bool), np.array(confidence))

    monkeypatch.setattr(choosing, "outcome", outcome)


def test_one_weight_is_chosen_by_accuracy_then_nearness_to_no_change(
    qwen: VLM, questions: ExampleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(monkeypatch, {0.5: [1, 0], 0.8: [1, 0], 1.2: [0, 1], 1.5: [0, 0], 2.0: [1, 0]}, [])
    assert ScalingVis().fit(qwen, questions).weight == 1.2  # log 1.2 is nearer to 0 than log .8
    given(monkeypatch, {0.5: [1, 1], 0.8: [1, 0], 1.2: [0, 1], 1.5: [0, 0], 2.0: [1, 1]}, [])
    assert ScalingVis().fit(qwen, questions).weight == 0.5  # 0.5 and 2 are equally far: the first
    assert ScalingVis(weight=7.0, form="added").fit(qwen, questions) == ScaledAttention(7.0, "added")


def test_the_gate_is_chosen_on_the_development_split(
    qwen: VLM, questions: ExampleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unsure questions are right with .5 and sure ones with 1.5, so the threshold must part them."""
    confidence = [0.1, 0.2, 0.3, 0.6, 0.7, 0.9]
    right = {0.5: [1, 1, 1, 0, 0, 0], 0.8: [1, 0, 1, 0, 0, 0], 1.2: [0] * 6, 1.5: [0, 0, 0, 1, 1, 1], 2.0: [0] * 6}
    given(monkeypatch, right | {1.0: [0] * 6}, confidence)
    fitted = AdaptVis().fit(qwen, questions)
    assert (fitted.low, fitted.high, fitted.threshold) == (0.5, 1.5, 0.4)  # the lowest of .4 and .45
    assert repairs.constant(fitted, qwen, questions) == ScaledAttention(1.5)  # as often right, and nearer to 1
    assert AdaptVis(0.8, 0.5, 2.0).fit(qwen, questions) == AdaptedAttention(0.8, 0.5, 2.0)


def test_a_gate_that_parts_nothing_is_refused(
    qwen: VLM, questions: ExampleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(monkeypatch, {w: [1, 1] for w in (0.5, 0.8, 1.0, 1.2, 1.5, 2.0)}, [0.5, 0.7])
    for threshold in (0.3, 0.5, 0.9):  # at .5 no confidence is below it
        with pytest.raises(UsageError, match=rf"constant weight[^$]*0.5 to 0.7[^$]*threshold {threshold:g}"):
            AdaptVis(threshold).fit(qwen, questions)
    given(monkeypatch, {w: [1, 1] for w in (0.5, 0.8, 1.0, 1.2, 1.5, 2.0)}, [0.7, 0.7])
    with pytest.raises(UsageError, match=r"constant weight[^$]*equal confidences[^$]*ScalingVis"):
        AdaptVis().fit(qwen, questions)


def test_thresholds_stand_between_two_confidences() -> None:
    confidence = np.linspace(0.5, 0.9, 41)
    split = _thresholds(confidence, None)
    assert len(split) == 9 and not set(split) & set(confidence.tolist())
    assert all(0 < (confidence < threshold).mean() < 1 for threshold in split)
    assert _thresholds(np.array([0.1, 0.3, 0.5]), None)[:2] == [pytest.approx(0.2), pytest.approx(0.4)]


def test_confidence_tells_sure_prompts_apart() -> None:
    """In single precision both are 1."""
    one, two = choosing.sureness(torch.tensor([[40.0, 0.0], [50.0, 15.0]])).tolist()
    assert one > two and float(np.float32(one)) == float(np.float32(two)) == 1.0


def test_a_fit_is_that_of_running_the_gate(qwen: VLM) -> None:
    """The choice is made of constant weights; the accuracy it stands for is the gated model's own."""
    dev = stimuli.pairs().limit(12)
    fitted = AdaptVis(low=0.5, high=2.0).fit(qwen, dev)
    plain = choosing.outcome(qwen, dev).confidence
    both = [choosing.outcome(qwen, dev, ScaledAttention(w)).right for w in (0.5, 2.0)]
    expected = np.where(plain < fitted.threshold, *both)
    assert choosing.outcome(qwen, dev, fitted).right.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ScalingVis(0.0), "outside of its range"),
        (lambda: ScalingVis(10.5), "at most 10"),
        (lambda: AdaptVis(low=-1.0), "outside of its range"),
        (lambda: AdaptVis(high=math.nan), "outside of its range"),
        (lambda: AdaptVis(threshold=1.5), "a probability"),
        (lambda: ScalingVis(form="softened"), "multiplied, added, temperature"),
        (lambda: repairs.BoxAttention(0.0), "strength"),
        (lambda: repairs.BoxAttention(21.0), "at most 20"),
        (lambda: ScaledAttention(20.0), "outside of its range"),
        (lambda: AttendedBoxes(-1.0), "strength"),
        (lambda: AdaptedAttention(2.0, 0.5, 1.5), "a probability"),
    ],
)
def test_numbers_outside_of_their_range_are_refused(make: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make()


def test_boxes_get_the_strength_and_nothing_else_does(qwen: VLM) -> None:
    """The odds of the tokens in the boxes against the rest grow by exp(strength), in the first layer."""
    example = stimuli.pairs()[1]
    batch = qwen.prepare([example])
    tokens = AttendedBoxes(1.5).tokens(example, batch.grids[0])
    assert set(tokens) == {int(t) for name in (example.subject, example.reference)
                           for t in covered(example, batch.grids[0], str(name))}  # fmt: skip
    elsewhere = AttendedBoxes(1.5, 0).tokens(example, batch.grids[0])
    assert len(elsewhere) == len(tokens) and not set(elsewhere) & set(tokens)
    kept: list[Tensor] = []
    places = batch.image_mask[0].nonzero().flatten()
    with qwen.watching(lambda _, weights: kept.append(weights[0, :, -1]), [0]):
        qwen.forward(batch)
        for fitted in (AttendedBoxes(1.5), AttendedBoxes(1.5, 0)):
            with fitted.applied(qwen, batch):
                qwen.forward(batch)
    for after, chosen in zip(kept[1:], (tokens, elsewhere), strict=True):
        before, now = (weights[:, places[torch.from_numpy(chosen)]].sum(-1) for weights in (kept[0], after))
        torch.testing.assert_close(now / (1 - now), math.exp(1.5) * before / (1 - before), atol=1e-4, rtol=1e-3)


def test_a_thing_smaller_than_a_token_has_the_one_it_fills_most(qwen: VLM) -> None:
    example, grid = stimuli.pairs()[1], qwen.grid
    width, height = grid.cell
    box = type(example.boxes[str(example.subject)])(2.1 * width, height * 1.1, 2.4 * width, height * 1.3)
    small = type(example)(**{**vars(example), "boxes": {**example.boxes, str(example.subject): box}})
    assert covered(small, grid, str(example.subject)).tolist() == [grid.columns + 2]


def test_boxes_that_are_not_there_are_said_to_be_missing(qwen: VLM) -> None:
    example = stimuli.pairs()[1]
    bare = type(example)(**{**vars(example), "boxes": {}})
    with pytest.raises(CannotAnswer, match="no box of"):
        repairs.BoxAttention().fit(qwen, ExampleSet("bare", (bare,)))
    with pytest.raises(CannotAnswer, match="no box of"), AttendedBoxes(1.0).applied(qwen, qwen.prepare([bare])):
        pass
    nobody = type(example)(**{**vars(example), "subject": None, "reference": None})
    with pytest.raises(CannotAnswer, match="neither subject nor reference"):
        repairs.BoxAttention(1.0).fit(qwen, ExampleSet("nobody", (nobody,)))


def test_strength_is_the_smallest_of_the_best(qwen: VLM, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, {0.5: [0, 1], 1.0: [1, 1], 2.0: [1, 1], 4.0: [1, 0]}, [])
    assert repairs.BoxAttention().fit(qwen, stimuli.pairs().limit(2)).strength == 1.0
