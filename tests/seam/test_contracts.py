"""Every contract holds on every family, at load as in the doctor."""

from __future__ import annotations

import logging
import warnings
from functools import wraps
from typing import Any

import pytest
import torch

from backsight.models import contract_parts, contracts
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.training.questions import corpus

from .conftest import FAMILIES


def test_all_contracts_hold(vlm: VLM) -> None:
    findings = contracts.all_of(vlm)
    assert len(findings) == 12
    assert [f"{f.name}: {f.detail}" for f in findings if not f.passed] == []


def test_no_warning_of_transformers_reaches_a_user(vlm: VLM) -> None:
    """Neither by `warnings` nor by its log: a keyword of an older release would be named in both."""
    written: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(record.getMessage())

    handler, logger = Handler(logging.WARNING), logging.getLogger("transformers")
    logger.addHandler(handler)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            contracts.all_of(vlm)
            vlm.generate(vlm.prepare(contract_parts.examples(vlm)), max_new_tokens=2)
    finally:
        logger.removeHandler(handler)
    assert written == []
    shown = [w for w in caught if not issubclass(w.category, DeprecationWarning)]  # those Python keeps to itself
    assert [str(w.message) for w in shown if "transformers" in w.filename] == []


@pytest.mark.parametrize("family", ["qwen2_vl", "gemma3"])
def test_all_contracts_hold_with_eager_attention(family: str) -> None:
    vlm = VLM(*tiny(family, corpus(), attention="eager"))
    assert [f.name for f in contracts.all_of(vlm) if not f.passed] == []
    assert vlm.attention == "eager"


def test_contracts_hold_in_bfloat16() -> None:
    model, processor = tiny("qwen2_vl", corpus())
    vlm = VLM(model.to(torch.bfloat16), processor)
    assert vlm.dtype == torch.bfloat16
    assert [f.name for f in vlm.findings if not f.passed] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_loading_costs_at_most_eight_forwards(family: str) -> None:
    model, processor = tiny(family, corpus())
    calls: list[str] = []
    model.register_forward_hook(lambda *_: calls.append("language"))
    original = model.base_model.get_image_features

    @wraps(original)  # `generate` looks at its signature
    def counted(*args: Any, **kwargs: Any) -> Any:
        calls.append("vision")
        return original(*args, **kwargs)

    model.base_model.get_image_features = counted
    vlm = VLM(model, processor)
    whole = calls.count("language")
    # Each forward of the model runs the vision encoder too; what is left over are passes of the encoder alone.
    assert whole <= 8
    assert calls.count("vision") <= 8  # one of them with the grid's nine cells, or all of a small grid
    assert {f.name for f in vlm.findings} >= {"logits equal a plain call", "the token grid is right"}


def test_grid_is_a_warning_where_the_picture_is_ignored() -> None:
    model, processor = tiny("gemma3", corpus())
    torch.nn.init.zeros_(model.model.multi_modal_projector.mm_input_projection_weight)
    vlm = VLM(model, processor, check=False)
    finding = contracts.grid(vlm)
    assert finding.passed and finding.warning
    assert finding.detail == "no image token changes with the picture, in 16 cells"
