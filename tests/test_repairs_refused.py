"""Repairs that a question, a cache or a width does not suit: left out, exact or refused, and never a traceback."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from backsight import stimuli
from backsight.errors import CannotAnswer, UsageError
from backsight.examples import ExampleSet
from backsight.measurements import Tournament
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.repairs import AdaptedAttention, Amplification, Amplified, Fitted, ScaledAttention, Voted
from backsight.training.questions import corpus


@pytest.fixture(scope="module")
def qwen() -> VLM:
    return VLM(*tiny("qwen2_vl", [*corpus(), "LEFTOVER"]))


def unspeakable(vlm: VLM, count: int) -> ExampleSet:
    """Questions of which one has a word with `left` in it that has no counterpart."""
    items = stimuli.squares(vlm.grid).limit(count).items
    odd = replace(items[0], question="The color LEFT-HANDEDLY of the square is")
    return ExampleSet("odd", (odd, *items[1:]))


def test_a_question_that_has_no_mirror_leaves_the_vote_out_and_not_the_tournament(qwen: VLM) -> None:
    examples = unspeakable(qwen, 24)
    with pytest.raises(CannotAnswer, match="no counterpart"):
        Voted().ready(qwen, examples)
    Voted(shifted=0).ready(qwen, examples)
    rows = Tournament(repairs=("scalingvis", "both_sides"), draws=1, absent=2)(qwen, examples).frame
    left_out = rows[rows["part"] == "left out"]
    assert left_out["repair"].tolist() == ["both_sides"] and "no counterpart" in left_out["setting"].iloc[0]
    assert {"none", "scalingvis"} <= set(rows["repair"])


@pytest.mark.parametrize("family", ["qwen2_vl", "gemma3"])
@pytest.mark.parametrize(
    "repair",
    [AdaptedAttention(0.5, 0.5, 1.5), Voted(), ScaledAttention(2.0), ScaledAttention(2.0).control(0)],
    ids=["adaptvis", "vote", "scalingvis", "random target"],
)
def test_a_cache_of_fixed_length_changes_nothing(family: str, repair: Fitted) -> None:
    """`generate` lays its masks out over such a cache; prompts of three lengths, so that there is padding."""
    vlm = VLM(*tiny(family, corpus()), check=False)
    asked = [stimuli.squares()[0], stimuli.pairs()[1], stimuli.objects()[5]]
    batch = vlm.prepare(asked)
    with repair.applied(vlm), torch.no_grad():
        plain = vlm.forward(batch)
        options = dict(max_new_tokens=2, do_sample=False, return_dict_in_generate=True, output_logits=True)
        static = vlm.model.generate(**batch.inputs, **options, cache_implementation="static")
    torch.testing.assert_close(static.logits[0].float(), plain, atol=2e-4, rtol=0)


def test_directions_of_another_width_are_refused(qwen: VLM) -> None:
    with (
        pytest.raises(UsageError, match="another width"),
        Amplified(torch.randn(3, 7), 4.0).applied(qwen),
    ):
        pass


def test_a_seed_below_zero_and_too_few_pictures_are_refused(qwen: VLM) -> None:
    with pytest.raises(UsageError, match="seed"):
        Amplification(seed=-1)
    with pytest.raises(CannotAnswer, match="Too few pictures"):
        Amplification().fit(qwen, stimuli.squares(qwen.grid).limit(1))
