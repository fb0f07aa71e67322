"""The protocol of repairs: applied, nested, undone, refused by name, inside generation and a Hugging Face pipeline."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
import torch
from torch import nn

from backsight import repairs, stimuli
from backsight.errors import CannotAnswer, EditError, UsageError
from backsight.examples import ExampleSet
from backsight.models import replay
from backsight.models.contracts import hook_count
from backsight.models.vlm import VLM
from backsight.repairs import Affine, Fitted, Rescaled, ScaledAttention, Voted
from backsight.repairs.base import refuse
from backsight.repairs.boxes import AttendedBoxes
from tests.seam.conftest import FAMILIES, parts

WIDTH = 64
DIRECTIONS = torch.randn(6, WIDTH, generator=torch.Generator().manual_seed(0))
EACH: tuple[Fitted, ...] = (
    repairs.Amplified(DIRECTIONS, 4.0),
    ScaledAttention(3.0),
    repairs.AdaptedAttention(0.5, 0.5, 3.0),
    Rescaled(2.0, 1.0, clip=3.0),
    Voted(),
    AttendedBoxes(3.0),
)


@pytest.fixture(params=FAMILIES)
def vlm(request: pytest.FixtureRequest) -> VLM:
    return VLM(*parts(request.param), name=request.param, check=False)


@pytest.fixture
def qwen() -> VLM:
    return VLM(*parts("qwen2_vl"), name="tiny", check=False)


@pytest.fixture(scope="module")
def questions() -> ExampleSet:
    return ExampleSet("two", (stimuli.squares()[0], stimuli.pairs()[1]))


def test_every_repair_changes_every_family_and_is_undone(vlm: VLM, questions: ExampleSet) -> None:
    batch, before = vlm.prepare(questions), hook_count(vlm)
    plain = vlm.forward(batch)
    for fitted in (*EACH, *(one.control(3) for one in EACH)):
        with fitted.applied(vlm, batch):
            assert not torch.allclose(vlm.forward(batch), plain, atol=1e-4), fitted
        assert hook_count(vlm) == before
        torch.testing.assert_close(vlm.forward(batch), plain)


def test_every_repair_is_undone_after_an_error(qwen: VLM, questions: ExampleSet) -> None:
    batch, before = qwen.prepare(questions), hook_count(qwen)
    plain, attention = qwen.forward(batch), qwen.attention
    for fitted in EACH:
        with pytest.raises(ValueError, match="stop"), fitted.applied(qwen, batch):
            qwen.forward(batch)
            raise ValueError("stop")
        assert (hook_count(qwen), qwen.attention) == (before, attention)
        torch.testing.assert_close(qwen.forward(batch), plain)
        with fitted.applied(qwen, batch):  # nor does it stand as open
            pass


def test_a_context_that_ends_before_its_call_leaves_nothing(qwen: VLM, questions: ExampleSet) -> None:
    """Entered and left without a call of the model: nothing is lost, and nothing stays."""
    before = hook_count(qwen)
    for fitted in EACH:
        with fitted.applied(qwen, qwen.prepare(questions)):
            assert hook_count(qwen) > before or fitted.name == "both_sides"
        assert hook_count(qwen) == before


def test_repairs_of_different_sites_nest_and_the_inner_one_ends_first(qwen: VLM, questions: ExampleSet) -> None:
    batch = qwen.prepare(questions)
    outer, inner = EACH[0], EACH[1]
    with outer.applied(qwen):
        one = qwen.forward(batch)
        with inner.applied(qwen):
            both = qwen.forward(batch)
        torch.testing.assert_close(qwen.forward(batch), one)
    with inner.applied(qwen), outer.applied(qwen):
        torch.testing.assert_close(qwen.forward(batch), both)  # at different sites, order is none
    assert not torch.allclose(one, both, atol=1e-4)


def test_a_vote_takes_other_repairs_on_both_sides(qwen: VLM, questions: ExampleSet) -> None:
    batch = qwen.prepare(questions)
    with EACH[1].applied(qwen), Voted().applied(qwen):
        one = qwen.forward(batch)
    with Voted().applied(qwen), EACH[1].applied(qwen):
        torch.testing.assert_close(qwen.forward(batch), one)


def test_two_repairs_whose_order_matters_are_refused_by_both_names(qwen: VLM, questions: ExampleSet) -> None:
    batch = qwen.prepare(questions)
    refused = (
        (repairs.Amplified(DIRECTIONS, 1.0), Rescaled(1.0, 2.0)),
        (ScaledAttention(2.0), AttendedBoxes(1.0)),
        (ScaledAttention(2.0), ScaledAttention(2.0, "added")),
        (ScaledAttention(2.0, "temperature"), ScaledAttention(2.0, "temperature", 1)),
        (AttendedBoxes(1.0), Voted()),  # told the boxes of a picture that is mirrored
        (Voted(), Voted()),
        (repairs.Amplified(DIRECTIONS, 1.0, "printed"), Rescaled(1.0, 2.0, "fixed")),
    )
    for one, other in refused:
        with (
            one.applied(qwen, batch),
            pytest.raises(UsageError, match=f"{one.name}, then {other.name}"),
            other.applied(qwen, batch),
        ):
            pass
    with refused[0][1].applied(qwen, batch):
        pass  # a refusal leaves nothing open


def test_two_repairs_whose_order_does_not_matter_are_not_refused(qwen: VLM, questions: ExampleSet) -> None:
    batch = qwen.prepare(questions)
    taken: tuple[tuple[Fitted, Fitted], ...] = (
        (ScaledAttention(2.0), repairs.AdaptedAttention(0.5, 0.5, 1.5)),
        (ScaledAttention(2.0, "added"), AttendedBoxes(1.0)),
        (repairs.Amplified(DIRECTIONS, 1.0), Rescaled(1.0, 2.0, "fixed")),
        (Rescaled(1.0, 2.0, "fixed"), Rescaled(3.0, 2.0, "fixed")),
    )
    for one, other in taken:
        with one.applied(qwen, batch), other.applied(qwen, batch):
            first = qwen.forward(batch)
        with other.applied(qwen, batch), one.applied(qwen, batch):
            torch.testing.assert_close(qwen.forward(batch), first, atol=1e-4, rtol=1e-4)


def test_affine_maps_by_hand() -> None:
    """e -> 2e + (1, 0), then e -> e with its entries exchanged: (3, 5) -> (7, 10) -> (10, 7)."""
    double = Affine(2 * torch.eye(2), torch.tensor([1.0, 0.0]))
    swap = Affine(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.zeros(2))
    state = torch.tensor([[3.0, 5.0]])
    torch.testing.assert_close(swap(double(state)), torch.tensor([[10.0, 7.0]]))
    torch.testing.assert_close(double.then(swap)(state), torch.tensor([[10.0, 7.0]]))
    assert not double.commutes(swap)
    assert Affine(2 * torch.eye(2), torch.zeros(2)).commutes(swap)
    assert double(state.bfloat16()).dtype == torch.bfloat16


def test_what_is_affine_says_its_map(qwen: VLM) -> None:
    states = torch.randn(5, WIDTH, generator=torch.Generator().manual_seed(1))
    for fitted in (repairs.Amplified(DIRECTIONS, 2.0), repairs.Amplified(DIRECTIONS, 2.0, "printed"),
                   Rescaled(1.0, 3.0, "fixed")):  # fmt: skip
        affine = fitted.affine(WIDTH)
        assert affine is not None
        torch.testing.assert_close(affine(states), fitted(states), atol=1e-4, rtol=1e-4)
    for fitted in (Rescaled(1.0, 3.0), Rescaled(1.0, 3.0, "fixed", 2.0), ScaledAttention(2.0), Voted()):
        assert fitted.affine(WIDTH) is None
    refuse(Rescaled(1.0, 3.0, "fixed"), Rescaled(1.0, 3.0, "fixed"), WIDTH)


def test_generation_begins_as_the_forward_pass_says(vlm: VLM, questions: ExampleSet) -> None:
    """Decoded tokens may differ; what the repair makes of the prompt is the same in `generate`."""
    batch = vlm.prepare(questions)
    for fitted in EACH:
        with fitted.applied(vlm, batch), torch.no_grad():
            logits = vlm.forward(batch)
            output = vlm.model.generate(
                **batch.inputs, max_new_tokens=2, min_new_tokens=2, do_sample=False, output_logits=True,
                return_dict_in_generate=True,
            )  # fmt: skip
        torch.testing.assert_close(output.logits[0], logits, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_a_repair_holds_inside_a_hugging_face_pipeline(family: str) -> None:
    from transformers import pipeline

    model, processor = parts(family)
    vlm, example = VLM(model, processor, name=family, check=False), stimuli.squares()[0]
    pipe = pipeline("image-text-to-text", model=model, processor=processor)
    batch = vlm.prepare([example])

    def answer() -> Any:
        options = {"max_new_tokens": 2, "return_full_text": False, "generate_kwargs": {"do_sample": False}}
        if family == "paligemma":
            return pipe(images=example.image, text=vlm.prompter.text(example.question, None), **options)
        shown = {"role": "user", "content": [{"type": "image", "image": example.image},
                                             {"type": "text", "text": example.question}]}  # fmt: skip
        spoken = {"role": "system", "content": [{"type": "text", "text": example.system}]}
        return pipe(text=[spoken, shown], **options)

    for fitted in (ScaledAttention(10.0), Voted(), Rescaled(5.0, 1.0)):
        seen: list[torch.Tensor] = []
        with fitted.applied(vlm):
            expected = vlm.forward(batch)
            handle = model.register_forward_hook(lambda *given, into=seen: into.append(given[-1].logits[:, -1]))
            try:
                assert isinstance(answer()[0]["generated_text"], str)
            finally:
                handle.remove()
        torch.testing.assert_close(seen[-2], expected, atol=1e-3, rtol=1e-3)  # behind it the second token's


def test_what_cannot_be_fitted_or_applied_says_why(qwen: VLM, questions: ExampleSet) -> None:
    nothing = ExampleSet("nothing", ())
    every = (repairs.AdaptVis(), repairs.ScalingVis(), repairs.NormRescale(), repairs.BoxAttention())
    for repair in (*every, repairs.Amplification()):
        with pytest.raises(UsageError, match=f"The development split is empty[^$]*{repair.name}"):
            repair.fit(qwen, nothing)
    with pytest.raises(UsageError, match="needs the questions"), AttendedBoxes(1.0).applied(qwen):
        pass
    lacking = dataclasses.replace(qwen.family, capabilities=qwen.family.capabilities - {"mirrors"})
    with (
        pytest.raises(CannotAnswer, match="could be mirrored"),
        Voted().applied(VLM(*parts("qwen2_vl"), family=lacking, check=False)),
    ):
        pass


class _Recurrent(nn.Module):
    """A decoder block that attends to nothing."""


def test_attention_that_cannot_be_replaced_is_refused_by_name(qwen: VLM, monkeypatch: pytest.MonkeyPatch) -> None:
    dev = ExampleSet("dev", tuple(stimuli.squares().items[:2]))
    attention = (repairs.AdaptVis(), repairs.ScalingVis(), repairs.BoxAttention())
    monkeypatch.setattr(VLM, "forward", lambda *_: pytest.fail("the model was called"))
    with monkeypatch.context() as changed:
        changed.setattr(type(qwen.model), "set_attn_implementation", lambda *_: None)
        for repair in attention:
            with pytest.raises(CannotAnswer, match=f"cannot be replaced[^$]*Qwen2VLFor[^$]*{repair.name}"):
                repair.fit(qwen, dev)
    qwen.parts.layers[2] = _Recurrent()
    for repair in attention:
        with pytest.raises(CannotAnswer, match=rf"a layer has none[^$]*layer 2 \(_Recurrent\)[^$]*{repair.name}"):
            repair.fit(qwen, dev)
    with pytest.raises(CannotAnswer, match="layer 2"), ScaledAttention(2.0).applied(qwen):
        pass


def test_no_replay_stands_for_a_vote(qwen: VLM, questions: ExampleSet) -> None:
    batch = qwen.prepare(questions)
    with Voted().applied(qwen), pytest.raises(EditError, match="one side of a vote"):
        replay.record(qwen, batch)
    with repairs.AdaptedAttention(0.5, 0.5, 3.0).applied(qwen):
        trace, expected = replay.record(qwen, batch), qwen.forward(batch)
    with torch.no_grad():
        torch.testing.assert_close(qwen.logits(trace.resid_pre(qwen.n_layers)[:, -1]), expected, atol=1e-4, rtol=1e-4)


def test_a_watcher_sees_the_repaired_pass_and_not_the_gates(qwen: VLM, questions: ExampleSet) -> None:
    batch, seen = qwen.prepare(questions), list[int]()
    with repairs.AdaptedAttention(0.5, 0.5, 3.0).applied(qwen), qwen.watching(lambda layer, _: seen.append(layer)):
        qwen.forward(batch)
    assert seen == list(range(qwen.n_layers))


def test_costs_are_those_of_the_passes(qwen: VLM, questions: ExampleSet) -> None:
    batch = qwen.prepare(questions)

    def spent() -> float:
        before = qwen.forward_equivalents
        qwen.forward(batch)
        return qwen.forward_equivalents - before

    once = spent()
    for fitted in EACH:
        with fitted.applied(qwen, batch):
            assert spent() == pytest.approx(fitted.passes * once), fitted.name


def test_a_fitted_repair_is_its_tensors_and_its_settings() -> None:
    assert set(repairs.FITTED) == set(repairs.REPAIRS) == {one.name for one in EACH} | {"pin"}  # tests/test_pin.py
    for fitted in (*EACH, *(one.control(7) for one in EACH)):
        settings = json.loads(json.dumps(fitted.settings()))
        again = repairs.FITTED[fitted.name].rebuilt(fitted.tensors(), settings)
        assert again.settings() == fitted.settings()
        assert all(torch.equal(again.tensors()[name], value) for name, value in fitted.tensors().items())
