"""Tiny models of all five families, random weights, offline; and questions of several lengths for them."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from backsight import stimuli
from backsight.examples import Example
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.training.questions import corpus

FAMILIES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "gemma3", "paligemma")


@cache
def parts(family: str) -> tuple[Any, Any]:
    return tiny(family, corpus())


@pytest.fixture(params=FAMILIES)
def vlm(request: pytest.FixtureRequest) -> VLM:
    """A fresh seam around the family's one tiny model."""
    return VLM(*parts(request.param), name=f"tiny {request.param}")


@pytest.fixture
def qwen() -> VLM:
    return VLM(*parts("qwen2_vl"), name="tiny qwen2_vl")


@pytest.fixture(scope="session")
def questions() -> list[Example]:
    """Three questions whose prompts differ in length."""
    return [stimuli.squares()[0], stimuli.pairs()[1], stimuli.objects()[5]]
