"""A model is given back as it came: what trains and what wants gradients."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image

from backsight.errors import ContractError, UsageError
from backsight.models import contract_parts
from backsight.models.families import FAMILIES
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.training.questions import corpus

RED = Image.new("RGB", (168, 168), (200, 0, 0))


def in_training() -> tuple[Any, Any]:
    """A model that trains in part: one block is in eval mode, the vision encoder and one norm are frozen."""
    model, processor = tiny("qwen2_vl", corpus())
    model.train()
    model.get_decoder().layers[1].eval()
    model.model.visual.requires_grad_(False)
    model.get_decoder().norm.weight.requires_grad_(False)
    return model, processor


def state(model: Any) -> tuple[list[bool], list[bool]]:
    return [m.training for m in model.modules()], [p.requires_grad for p in model.parameters()]


def test_closing_gives_a_model_back_as_it_came() -> None:
    model, processor = in_training()
    before = state(model)
    assert len(set(before[0])) == len(set(before[1])) == 2  # or the test looks at nothing
    vlm = VLM(model, processor)
    assert not any(state(model)[0]) and not any(state(model)[1])
    vlm.close()
    assert state(model) == before
    model.eval()
    vlm.close()  # a second time does nothing
    assert not any(state(model)[0])


def test_a_step_of_training_learns_behind_a_with_block() -> None:
    model, processor = in_training()
    before = state(model)
    with VLM(model, processor) as vlm:
        assert vlm.ask(RED, "Where is it?", ["left", "right"]).text in ("left", "right")
        inputs = vlm.prepare(contract_parts.examples(vlm)).inputs
    assert state(model) == before
    model(**inputs).logits.sum().backward()
    assert model.get_decoder().layers[0].mlp.up_proj.weight.grad is not None
    with pytest.raises(UsageError, match="This model is closed") as caught:
        vlm.ask(RED, "Where is it?")
    assert caught.value.do == "wrap it again: VLM(model, processor)"


def test_a_model_is_given_back_after_an_error_too() -> None:
    model, processor = in_training()
    before = state(model)
    with pytest.raises(RuntimeError, match="mine"), VLM(model, processor, check=False):
        raise RuntimeError("mine")
    assert state(model) == before


def test_a_model_that_is_refused_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    model, processor = in_training()
    before = state(model)
    monkeypatch.setattr(contract_parts, "TOLERANCE", -1.0)
    with pytest.raises(ContractError):
        VLM(model, processor)
    assert state(model) == before
    with pytest.raises(Exception, match="blocks"):
        VLM(model, processor, family=replace(FAMILIES["qwen2_vl"], vision_blocks=("no.blocks",)))
    assert state(model) == before


def test_two_seams_over_one_model_close_one_after_the_other() -> None:
    model, processor = in_training()
    before = state(model)
    with VLM(model, processor, check=False), VLM(model, processor, check=False):
        assert not any(torch.tensor(state(model)[1]))
    assert state(model) == before
