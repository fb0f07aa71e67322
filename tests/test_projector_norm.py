"""The norm behind a projector: by hand, against transformers, and in every family."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from backsight.errors import CannotAnswer, UsageError
from backsight.models import additions, embeds, opening, small
from backsight.models.additions import ProjectorNorm
from backsight.models.families import FAMILIES
from backsight.models.projector_norm import PAPER, Lengths, normed, prompt_ids, text_lengths
from backsight.models.projectors import last_layer
from backsight.results.projector.tables import LONG
from backsight.training.projector import build, enlarge, prompt_lengths
from backsight.training.recipe import SCALES
from backsight.training.saving import save


def test_by_hand_with_the_papers_lengths() -> None:
    # (3, 4): the mean square is 12.5, so RMSNorm gives (.848528, 1.131371) of length 1.414214; cut to 1.22 and times
    # .83 the length is 1.0126 in the direction (.6, .8).
    out = normed(torch.tensor([[3.0, 4.0]]), torch.ones(2), cut=1.22, scale=0.83)
    assert out[0].tolist() == pytest.approx([0.60756, 0.81008], abs=1e-5)
    # With a weight of a half the length is .707107, which is not cut: .83 x (.424264, .565685).
    out = normed(torch.tensor([[3.0, 4.0]]), torch.full((2,), 0.5), cut=1.22, scale=0.83)
    assert out[0].tolist() == pytest.approx([0.352139, 0.469519], abs=1e-5)


def test_uncut_it_is_the_rms_norm_of_transformers_times_the_mean() -> None:
    states, weight = torch.randn(5, 16, generator=torch.Generator().manual_seed(0)) * 30, torch.rand(16) * 0.2
    oracle = LlamaRMSNorm(16, eps=1e-6)
    with torch.no_grad():
        oracle.weight.copy_(weight)
        assert oracle(states).norm(dim=-1).max() < 1.22
        torch.testing.assert_close(normed(states, weight, cut=1.22, scale=0.83), oracle(states) * 0.83)


def test_no_embedding_is_longer_than_largest_times_mean_and_scale_is_nothing() -> None:
    states = torch.randn(64, 32, generator=torch.Generator().manual_seed(1))
    weight = torch.rand(32, generator=torch.Generator().manual_seed(2)) * 2
    out = normed(states, weight, cut=3.0, scale=0.5)
    assert out.norm(dim=-1).max() <= 1.5 + 1e-5
    torch.testing.assert_close(normed(states * 1000, weight, cut=3.0, scale=0.5), out, atol=1e-5, rtol=1e-4)
    assert normed(states.bfloat16(), weight, cut=1.22, scale=0.83).dtype == torch.bfloat16
    assert normed(torch.zeros(1, 32), weight, cut=1.22, scale=0.83).tolist() == [[0.0] * 32]


def test_the_cut_is_the_published_one_for_llama_and_does_not_hang_on_the_unit() -> None:
    assert (PAPER.cut, PAPER.mean) == pytest.approx((1.22, 0.83))
    # Mean 2, largest 3: in units in which the mean is .83 the largest is 1.245.
    assert Lengths(2.0, 3.0).cut == pytest.approx(1.245)
    states = torch.randn(9, 16, generator=torch.Generator().manual_seed(3))
    one, ten = Lengths(2.0, 3.0), Lengths(20.0, 30.0)
    small, big = (normed(states, torch.ones(16), cut=of.cut, scale=of.mean) for of in (one, ten))
    torch.testing.assert_close(big, small * 10)


@pytest.mark.parametrize(("mean", "largest"), [(0.0, 1.0), (1.2, 1.0), (1.0, float("inf")), (float("nan"), 1.0)])
def test_lengths_that_are_none(mean: float, largest: float) -> None:
    with pytest.raises(UsageError, match="not above the largest"):
        Lengths(mean, largest)
    with pytest.raises(UsageError, match="are positive"):
        ProjectorNorm(4, cut=largest, scale=-mean)


def test_text_lengths_are_those_of_the_language_models_input() -> None:
    model, processor = small.tiny("gemma3", ["red", "blue"])  # multiplies its embeddings by sqrt(d_model)
    ids = torch.tensor(processor.tokenizer("red blue red", add_special_tokens=False).input_ids)
    weight = model.get_input_embeddings().weight.detach()[ids].float() * 8.0  # sqrt(64)
    found = text_lengths(model, ids)
    lengths = weight.norm(dim=-1)
    assert (found.mean, found.largest) == pytest.approx((float(lengths.mean()), float(lengths.max())), rel=1e-3)
    with pytest.raises(UsageError, match="Without a token"):
        text_lengths(model, ids[:0])


def test_lengths_are_of_what_prompts_hold_each_token_as_often_as_it_stands_there() -> None:
    model, processor = small.tiny("qwen2_vl", ["red", "blue", "Is", "it", "?"])
    place = processor.tokenizer.convert_tokens_to_ids(processor.image_token)
    one, two = (prompt_ids(processor, asked, system="it") for asked in (["red"], ["red", "red blue"]))
    red = processor.tokenizer.convert_tokens_to_ids("red")
    assert place not in two.tolist() and (two == red).sum() == 2 * (one == red).sum() == 2
    assert two[: len(one)].tolist() == one.tolist()
    with torch.no_grad():
        model.get_input_embeddings().weight[place] = 1e6  # no token of the text, so it moves nothing
        model.get_input_embeddings().weight[red] *= 100
    assert text_lengths(model, two).largest < 1e5
    assert text_lengths(model, two).mean > text_lengths(model, two[two != red]).mean


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_it_acts_on_the_image_embeddings_of_every_family(family: str) -> None:
    model, processor = small.tiny(family, ["red", "blue"])
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (84, 84, 3), dtype=np.uint8))
    pixels = processor.image_processor([image], return_tensors="pt")
    given = pixels["pixel_values"], pixels.get("image_grid_thw")
    norm = ProjectorNorm(64, cut=1.1, scale=0.9)
    with torch.no_grad():
        norm.weight.uniform_(0.0, 0.3)
        before = embeds.features(model, *given)
        last_layer(model, FAMILIES[family])
        additions.add(model, {"projector": norm})
        torch.testing.assert_close(embeds.features(model, *given), normed(before, norm.weight, cut=1.1, scale=0.9))
    with pytest.raises(CannotAnswer, match="nothing folds into it"):
        last_layer(model, FAMILIES[family])


def test_a_checkpoint_carries_it_and_plain_transformers_leaves_it_out(tmp_path: Path) -> None:
    model, processor = build(0, SCALES["tiny"], projector="normed")
    norm = model.backsight_additions["projector"]
    with torch.no_grad():
        norm.weight.copy_(torch.linspace(0.5, 1.5, 128).bfloat16())
    save(model, processor, tmp_path / "normed")
    settings = json.loads((tmp_path / "normed" / "config.json").read_text())["backsight_additions"]["projector"]
    assert settings == {
        "kind": "projector_norm", "width": 128, "cut": norm.cut, "scale": norm.scale
    }  # fmt: skip
    with opening.load(tmp_path / "normed", device="cpu", check=False) as vlm:
        stored = vlm.model.backsight_additions["projector"]
        assert torch.equal(stored.weight, norm.weight) and (stored.cut, stored.scale) == (norm.cut, norm.scale)
    plain = AutoModelForImageTextToText.from_pretrained(tmp_path / "normed", dtype=torch.float32)
    pixels = _pixels(processor)
    with torch.no_grad():
        lengths = embeds.features(plain, *pixels).norm(dim=-1)
    assert (lengths - norm.cut * norm.scale).abs().max() > 0.1


def test_the_three_projectors_start_from_equal_weights() -> None:
    models = {name: build(3, SCALES["tiny"], projector=name) for name in ("plain", "large", "normed")}
    plain = dict(models["plain"][0].named_parameters())
    for name, (model, _) in models.items():
        other = {
            key for key, value in model.named_parameters() if key not in plain or not torch.equal(value, plain[key])
        }
        last = {f"model.visual.merger.mlp.2.{part}" for part in ("weight", "bias")}
        assert other - last == ({"backsight_additions.projector.weight"} if name == "normed" else set())
        assert bool(other & last) == (name == "large")
    model, processor = models["large"]
    pixels = _pixels(processor)
    text = prompt_lengths(model, processor)
    with torch.no_grad():
        assert embeds.features(model, *pixels).norm(dim=-1).mean() / text.mean == pytest.approx(LONG, rel=0.15)
        enlarge(model, processor, 5.0)
        assert embeds.features(model, *pixels).norm(dim=-1).mean() == pytest.approx(5.0, rel=0.15)


def _pixels(processor: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """A white picture, as most of each training picture is."""
    pixels = processor.image_processor([Image.new("RGB", (336, 336), "white")], return_tensors="pt")
    return pixels["pixel_values"], pixels["image_grid_thw"]
