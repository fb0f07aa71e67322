"""Recording and editing: order, positions, generation, gradients, and nothing left behind."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from backsight.errors import EditError, UsageError
from backsight.examples import Example
from backsight.models.contracts import hook_count
from backsight.models.sites import Edit, ImageTokens
from backsight.models.vlm import VLM

from .plain import decoder_inputs, patched, with_last


def add(amount: float) -> Any:
    return lambda rows: rows + amount


def test_no_hook_is_left_behind(vlm: VLM, questions: list[Example]) -> None:
    before, attention = hook_count(vlm), vlm.attention
    batch = vlm.prepare(questions)
    with vlm.recording("resid_pre", "scores", "vision"), vlm.editing(Edit("heads", add(1.0))):
        vlm.forward(batch)
        assert hook_count(vlm) > before
    assert (hook_count(vlm), vlm.attention) == (before, attention)


def test_no_hook_is_left_behind_by_an_error(qwen: VLM, questions: list[Example]) -> None:
    before = hook_count(qwen)
    with pytest.raises(ZeroDivisionError), qwen.editing(Edit("scores", lambda rows: rows / (1 // 0))):
        qwen.forward(qwen.prepare(questions))
    assert hook_count(qwen) == before and qwen.attention == "sdpa"
    assert torch.isfinite(qwen.forward(qwen.prepare(questions))).all()


def test_a_recording_sees_the_edited_value_whichever_was_entered_first(qwen: VLM, questions: list[Example]) -> None:
    batch = qwen.prepare(questions)
    edit = Edit("resid_pre", lambda rows: torch.full_like(rows, 7.0), (2,), "last")
    with qwen.recording("resid_pre", layers=[2], positions="last") as first, qwen.editing(edit):
        qwen.forward(batch)
    with qwen.editing(edit), qwen.recording("resid_pre", layers=[2], positions="last") as second:
        qwen.forward(batch)
    for recorded in (first, second):
        assert recorded["resid_pre", 2].shape == (3, 64)
        assert (recorded["resid_pre", 2] == 7).all()


def test_edits_apply_in_the_order_they_were_entered(qwen: VLM, questions: list[Example]) -> None:
    batch = qwen.prepare(questions)
    double, plus = Edit("resid_pre", lambda r: r * 2, (1,), "last"), Edit("resid_pre", add(1.0), (1,), "last")
    with qwen.recording("resid_pre", layers=[1], positions="last") as plain:
        qwen.forward(batch)
        start = plain["resid_pre", 1]
    for edits, expected in (((double, plus), start * 2 + 1), ((plus, double), (start + 1) * 2)):
        with qwen.editing(*edits), qwen.recording("resid_pre", layers=[1], positions="last") as recorded:
            qwen.forward(batch)
        torch.testing.assert_close(recorded["resid_pre", 1], expected)


def test_an_edit_equals_a_plain_hook(vlm: VLM, questions: list[Example]) -> None:
    batch = vlm.prepare(questions)
    value = torch.randn(3, 64, generator=torch.Generator().manual_seed(0))
    for layer in (0, 2, vlm.n_layers):
        with vlm.editing(Edit("resid_pre", lambda rows: value, (layer,), "last")):
            found = vlm.forward(batch)
        torch.testing.assert_close(found, patched(vlm.model, batch.inputs, layer, with_last(value)), atol=1e-5, rtol=0)


def test_image_tokens_are_chosen_by_index(qwen: VLM, questions: list[Example]) -> None:
    batch = qwen.prepare(questions)
    chosen = ImageTokens([[0, 5], [1], []])
    with qwen.recording("image_embeds") as plain:
        qwen.forward(batch)
    with qwen.editing(Edit("image_embeds", add(1.0), positions=chosen)), qwen.recording("image_embeds") as edited:
        qwen.forward(batch)
    moved = (edited["image_embeds", 0] != plain["image_embeds", 0]).any(-1).view(3, -1)
    assert [row.nonzero().flatten().tolist() for row in moved] == [[0, 5], [1], []]


def test_recorded_image_embeds_are_the_projectors_output(vlm: VLM, questions: list[Example]) -> None:
    batch = vlm.prepare(questions)
    with vlm.recording("image_embeds") as recorded:
        vlm.forward(batch)
    given = {k: v for k, v in batch.inputs.items() if k in ("pixel_values", "image_grid_thw")}
    with torch.no_grad():
        features = vlm.model.base_model.get_image_features(**given, return_dict=True).pooler_output
    expected = torch.cat(list(features)) if not isinstance(features, torch.Tensor) else features.flatten(0, 1)
    torch.testing.assert_close(recorded["image_embeds", 0], expected.reshape(-1, 64))


def test_an_edit_holds_inside_generate_and_spares_decoded_tokens(vlm: VLM, questions: list[Example]) -> None:
    batch = vlm.prepare(questions)
    calls: list[int] = []

    def change(rows: torch.Tensor) -> torch.Tensor:
        calls.append(len(rows))
        return rows.flip(-1)

    with vlm.editing(Edit("resid_pre", change, (1,), "image")):
        made = vlm.model.generate(
            **batch.inputs, max_new_tokens=3, min_new_tokens=3, do_sample=False, return_dict_in_generate=True,
            output_logits=True,
        ).logits[0]  # fmt: skip
    assert calls == [int(batch.image_mask.sum())]
    mask = batch.image_mask[..., None]
    expected = patched(vlm.model, batch.inputs, 1, lambda h: torch.where(mask, h.flip(-1), h))
    torch.testing.assert_close(made, expected, atol=1e-4, rtol=0)


def test_an_edit_can_address_decoded_tokens(qwen: VLM, questions: list[Example]) -> None:
    calls: list[int] = []

    def change(rows: torch.Tensor) -> torch.Tensor:
        calls.append(len(rows))
        return rows + 1

    batch = qwen.prepare(questions)
    with qwen.editing(Edit("resid_pre", change, (1,), "last", decoded=True)):
        qwen.model.generate(**batch.inputs, max_new_tokens=3, min_new_tokens=3, do_sample=False)
    assert calls == [3, 3, 3]


def test_the_last_position_of_right_padded_input_is_found(qwen: VLM, questions: list[Example]) -> None:
    """In a call that nobody prepared: padded on the right, as a pipeline may do."""
    single = qwen.prepare(questions[:1])
    longer = single.extended([[5, 6]], 0, {"mm_token_type_ids": 0})
    longer.inputs["attention_mask"][:, -2:] = 0
    with qwen.recording("resid_pre", layers=[0], positions="last") as recorded, torch.no_grad():
        qwen.model(**longer.inputs)
    seen, _ = decoder_inputs(qwen.model, single.inputs)
    torch.testing.assert_close(recorded["resid_pre", 0], seen[0][:, -1])


def test_an_edit_that_never_applies_is_an_error(qwen: VLM, questions: list[Example]) -> None:
    nowhere = torch.zeros(qwen.prepare(questions).input_ids.shape, dtype=torch.bool)
    with pytest.raises(EditError, match="never applied"), qwen.editing(Edit("resid_pre", add(1.0), (1,), nowhere)):
        qwen.forward(qwen.prepare(questions))


@pytest.mark.parametrize(
    ("function", "said"), [(lambda r: r[:1], r"\(1, 64\)"), (lambda r: r.double(), "torch.float64")]
)
def test_an_edit_must_keep_shape_and_dtype(qwen: VLM, questions: list[Example], function: Any, said: str) -> None:
    with pytest.raises(EditError, match=said), qwen.editing(Edit("resid_pre", function, (1,), "last")):
        qwen.forward(qwen.prepare(questions))


def test_unknown_sites_and_layers_are_refused(qwen: VLM) -> None:
    with pytest.raises(UsageError, match="choose from: resid_pre"):
        Edit("resid", add(1.0))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="give 0 to 4"), qwen.recording("resid_pre", layers=[5]):
        pass
    beyond = Edit("image_embeds", add(1.0), positions=ImageTokens([36]))
    with pytest.raises(EditError, match="image token that the prompt does not have"), qwen.editing(beyond):
        qwen.forward(qwen.prepare([_one()]))


def _one() -> Example:
    from backsight import stimuli

    return stimuli.squares()[0]


def test_gradients_stop_at_the_asked_layer(qwen: VLM, questions: list[Example]) -> None:
    """Gradients of a logit with respect to a late layer's input equal those of an explicit tail of the model."""
    batch = qwen.prepare(questions[:1])
    with qwen.recording("resid_pre", grad_from=3) as recorded:
        logits = qwen.forward(batch)
        target = logits[0, 7]
        (gradient,) = torch.autograd.grad(target, recorded["resid_pre", 3])
    assert not recorded["resid_pre", 2].requires_grad
    assert gradient.shape == recorded["resid_pre", 3].shape and gradient.abs().max() > 0
    step = torch.zeros_like(gradient)
    step[0, -1, 0] = 1e-2
    high = patched(qwen.model, batch.inputs, 3, lambda h: h + step)[0, 7]
    low = patched(qwen.model, batch.inputs, 3, lambda h: h - step)[0, 7]
    assert float(high - low) / 2e-2 == pytest.approx(float(gradient[0, -1, 0]), rel=2e-2, abs=1e-5)


def test_a_knockout_of_scores_closes_the_road_from_the_image(qwen: VLM, questions: list[Example]) -> None:
    """With the image's keys masked for all later rows in every block, the logits do not depend on the picture."""
    one, two = (qwen.prepare([e]) for e in (questions[0], questions[0].blank()))

    def cut(rows: torch.Tensor) -> torch.Tensor:
        image = one.image_mask[0]
        new = rows.clone()
        new[~image, :, :] = new[~image, :, :].masked_fill(image, float("-inf"))
        return new

    assert (qwen.forward(one) - qwen.forward(two)).abs().max() > 1e-4
    with qwen.editing(Edit("scores", cut)):
        torch.testing.assert_close(qwen.forward(one), qwen.forward(two))


def test_the_vision_encoder_is_recorded_inside_generate(vlm: VLM, questions: list[Example]) -> None:
    """`generate` may encode pictures before it calls the model; the recording is that of the prompt all the same."""
    batch = vlm.prepare(questions)
    last = vlm.parts.count("vision") - 1
    with vlm.recording("vision", "resid_pre", layers=[last]) as recorded:
        vlm.forward(batch)
        expected = recorded["vision", last].clone()
    with vlm.recording("vision", "resid_pre", layers=[last]) as recorded:
        vlm.forward(vlm.prepare(questions[::-1]))
        vlm.generate(batch, max_new_tokens=3)
    torch.testing.assert_close(recorded["vision", last], expected, atol=1e-5, rtol=0)
    assert recorded["resid_pre", last].shape[1] == batch.input_ids.shape[1]


def test_a_call_without_a_picture_forgets_the_last_ones_vision(qwen: VLM, questions: list[Example]) -> None:
    inputs = qwen.prepare(questions[:1]).inputs
    text = {k: v[:, -3:] for k, v in inputs.items() if k in ("input_ids", "attention_mask")}
    with qwen.recording("vision") as recorded:
        qwen.forward(qwen.prepare(questions[:1]))
        assert recorded["vision", 0].numel() > 0
        with torch.no_grad():
            qwen.model(**text)
        with pytest.raises(EditError, match="Nothing was recorded there"):
            recorded["vision", 0]
