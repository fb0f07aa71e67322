"""Additions: what a checkpoint carries beside its architecture."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoModelForImageTextToText
from transformers.models.t5.modeling_t5 import T5Attention

from backsight.errors import CannotAnswer, ModelError
from backsight.models import additions
from backsight.models.opening import load
from backsight.models.vlm import VLM
from backsight.stimuli.layouts import Layout
from backsight.stimuli.questions import SYSTEM
from backsight.training import positional
from backsight.training.answering import answer_logits
from backsight.training.packing import Packer
from backsight.training.recipe import SCALES
from backsight.training.saving import save

SETTINGS = {setting.name: setting for setting in positional.SETTINGS}
CARRYING = [name for name, setting in SETTINGS.items() if setting.addition]


def built(name: str, seed: int = 0) -> tuple[Any, Any]:
    """A model of a setting with random weights, those of its additions too."""
    model, processor = positional.build(SETTINGS[name], seed, SCALES["tiny"])
    torch.manual_seed(seed)
    with torch.no_grad():
        for addition in getattr(model, additions.PLACE, torch.nn.ModuleDict()).values():
            for weight in addition.parameters():
                weight.normal_(std=0.2)
        model.model.multi_modal_projector.mm_input_projection_weight.normal_(std=0.2)
    return model.eval(), processor


def test_a_relative_bias_by_hand() -> None:
    bias = additions.RelativeBias(reach=1, heads=1)
    with torch.no_grad():
        bias.table.copy_(torch.arange(9.0).view(3, 3, 1) / additions.GAIN)
    # Four tokens of a 2 x 2 grid: row -1, 0, 1 of the table is where the query stands above, beside, below the key.
    assert bias.bias(4)[0, 0].tolist() == [[4, 3, 1, 0], [5, 4, 2, 1], [7, 6, 4, 3], [8, 7, 5, 4]]
    bias.grid = (1, 4)
    assert bias.bias(4)[0, 0].tolist() == [[4, 3, 3, 3], [5, 4, 3, 3], [5, 5, 4, 3], [5, 5, 5, 4]]
    bias.grid = None
    with pytest.raises(CannotAnswer, match="no square"):
        bias.bias(5)


def test_buckets_of_a_distance_are_those_of_t5() -> None:
    distance = torch.arange(-200, 201)
    oracle = T5Attention._relative_position_bucket(-distance, bidirectional=True, num_buckets=32, max_distance=128)
    assert torch.equal(additions.OrderBias(heads=2).bucket(distance), oracle)


@pytest.mark.parametrize(("axes", "base"), [(1, 100.0), (2, 20.0)])
def test_a_rotation_keeps_lengths_and_sees_offsets_only(axes: Any, base: float) -> None:
    rotation = additions.Rotation(axes=axes, base=base, heads=2)
    states = torch.randn(1, 1, 32).expand(1, 9, 32)
    turned = rotation.turned(states).view(9, 2, 16)
    torch.testing.assert_close(turned.norm(dim=-1), states.reshape(9, 2, 16).norm(dim=-1))
    scores = torch.einsum("qhd,khd->hqk", turned, turned)
    # Of a 3 x 3 grid, tokens 0 and 4, 1 and 5, 4 and 8 stand one row and one column apart.
    torch.testing.assert_close(scores[:, 0, 4], scores[:, 4, 8])
    assert (scores[:, 0, 0] - scores[:, 0, 4]).abs().min() > 1e-3
    across = (scores[:, 0, 5] - scores[:, 3, 8]).abs().max()  # the same offset on both ways of counting
    assert across < 1e-5
    assert rotation.angles(9, 16)[0].tolist() == [0.0] * 8


@pytest.mark.parametrize("name", CARRYING)
def test_a_checkpoint_carries_its_addition(name: str, tmp_path: Path) -> None:
    model, processor = built(name)
    folder = save(model, processor, tmp_path / "saved", dtype=torch.float32)
    vlm = load(folder, check=False)
    batch = vlm.prepare(questions_of(vlm))
    with_it = vlm.forward(batch)
    torch.testing.assert_close(with_it, VLM(model, processor, check=False).forward(batch), atol=1e-5, rtol=0)
    plain = AutoModelForImageTextToText.from_pretrained(folder).eval()
    with pytest.raises(ModelError, match="lacks additions that its configuration names"):
        VLM(plain, processor, check=False)
    delattr(plain.config, additions.PLACE)
    without = VLM(plain, processor, check=False).forward(batch)
    assert (with_it - without).abs().max() > 1e-3


def questions_of(vlm: VLM) -> list[Any]:
    from backsight import stimuli

    return list(stimuli.squares(vlm.grid)[:3].items)


@pytest.mark.parametrize("name", CARRYING)
def test_the_seam_holds_with_an_addition(name: str, tmp_path: Path) -> None:
    """All contracts: parity, edits, replay from every layer, generation; and a last-token sweep, row by row."""
    from backsight.models.contracts import all_of

    model, processor = built(name)
    vlm = VLM(model, processor, check=False)
    refused = [finding for finding in all_of(vlm) if not finding.passed and finding.name != "the token grid is right"]
    assert refused == []


@pytest.mark.parametrize("name", ["vision-relative", "language-relative"])
def test_packed_questions_have_the_logits_of_questions_asked_by_themselves(name: str) -> None:
    from backsight.examples import Example, MemoryPicture

    model, processor = built(name)
    asked = positional.asks("squares", positional.LAYOUT, images=2, key=(0, 1), exact=0.0, textured=0.0)
    with torch.no_grad():
        packed = answer_logits(model, Packer(model, processor, SYSTEM).pack(asked))
    vlm = VLM(model, processor, check=False)
    isolated = [
        vlm.forward(vlm.prepare([Example("x", MemoryPicture(a.image), q, (), "", system=SYSTEM)]))[0]
        for a in asked
        for q, _ in a.questions
    ]
    torch.testing.assert_close(packed, torch.stack(isolated), atol=1e-4, rtol=0)


def test_unknown_kinds_and_missing_weights_are_refused(tmp_path: Path) -> None:
    model, processor = built("vision-relative")
    folder = save(model, processor, tmp_path / "saved")
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config[additions.PLACE]["vision"]["kind"] = "unheard_of"
    path.write_text(json.dumps(config))
    with pytest.raises(ModelError, match="addition that is not known"):
        load(folder)
    config[additions.PLACE] = {"other": {"kind": "relative_bias", "reach": 7, "heads": 2}}
    path.write_text(json.dumps(config))
    with pytest.raises(ModelError, match="do not fit its configuration"):
        load(folder)
    del config[additions.PLACE]
    path.write_text(json.dumps(config))
    with pytest.raises(ModelError, match="The weights do not fit the configuration"):
        load(folder)


@pytest.mark.parametrize("name", CARRYING)
def test_a_copy_of_a_model_has_additions_of_its_own(name: str) -> None:
    model, processor = built(name)
    copied = copy.deepcopy(model)
    vlm, other = VLM(model, processor, check=False), VLM(copied, processor, check=False)
    batch = vlm.prepare(questions_of(vlm))
    before = vlm.forward(batch)
    assert torch.equal(other.forward(batch), before)
    with torch.no_grad():
        for addition in getattr(copied, additions.PLACE).values():
            addition.settings = {**addition.settings, "base": 3.0}  # of a rotation, which has no weights
            for weight in addition.parameters():
                weight.normal_(std=0.2)
    assert torch.equal(vlm.forward(batch), before)
    assert (other.forward(batch) - before).abs().max() > 1e-3


@pytest.mark.parametrize("padded", [False, True])
def test_a_cache_of_fixed_length_changes_no_text_of_a_bias_by_order(padded: bool) -> None:
    """What is written with a growing cache, with one of fixed length and without any, token by token."""
    from dataclasses import replace

    model, processor = built("language-relative")
    vlm = VLM(model, processor, check=False)
    one, other, *_ = questions_of(vlm)
    asked = [one, replace(other, question="Above? " + other.question)] if padded else [one]
    batch = vlm.prepare(asked)
    assert bool((batch.attention_mask == 0).any()) == padded
    scores = []
    for options in ({}, {"cache_implementation": "static"}, {"use_cache": False}):
        written = model.generate(
            **batch.inputs, max_new_tokens=6, min_new_tokens=6, do_sample=False, output_scores=True,
            return_dict_in_generate=True, **options,
        )  # fmt: skip
        scores.append(torch.stack(written.scores))
    torch.testing.assert_close(scores[0], scores[2], atol=1e-4, rtol=0)
    torch.testing.assert_close(scores[1], scores[2], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"vision": {"kind": "relative_bias", "reach": 3, "heads": 2}},
            r"(?s)do not fit.*\(15, 15, 2\) for \(7, 7, 2\)",
        ),
        ({"vision": {"kind": "relative_bias", "reach": 7, "heads": 2, "x": 1}}, "(?s)settings of an addition.*'x'"),
        ({"vision": {"kind": "relative_bias", "reach": -7, "heads": 2}}, "settings of an addition"),
        ({"vision": {"kind": "projector_norm", "width": 64, "cut": -1}}, "settings of an addition"),
        ({"vision": "relative_bias"}, "(?s)in a way that is not known.*'relative_bias'"),
        ({"vision": {"kind": ["a"]}}, "in a way that is not known"),
        (["vision"], "in a way that is not known"),
    ],
)
def test_a_damaged_configuration_of_additions_is_refused(given: Any, words: str, tmp_path: Path) -> None:
    model, processor = built("vision-relative")
    folder = save(model, processor, tmp_path / "saved")
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {additions.PLACE: given}))
    with pytest.raises(ModelError, match=words):
        load(folder)


def test_without_any_encoding_the_image_tokens_are_a_bag() -> None:
    """Pictures of the same cells in another order have the same logits, in the setting `none` and in no other."""
    layout = positional.LAYOUT
    rng = np.random.default_rng(0)
    (asked,) = positional.asks("squares", layout, images=1, key=(0, 1), exact=0.0, textured=0.0)
    pixels = np.asarray(asked.image).reshape(8, 14, 8, 14, 3).swapaxes(1, 2).reshape(64, 14, 14, 3)
    moved = pixels[rng.permutation(64)].reshape(8, 8, 14, 14, 3).swapaxes(1, 2).reshape(112, 112, 3)
    differences = {}
    for name in ("none", *CARRYING, "vision-sinusoidal", "language-sinusoidal", "language-rotary"):
        model, processor = built(name)
        differences[name] = logits_of(model, processor, asked.image, moved)
    assert differences.pop("none") < 1e-4
    assert min(differences.values()) > 1e-3, differences


def logits_of(model: Any, processor: Any, picture: Any, moved: Any) -> float:
    from PIL import Image

    from backsight.examples import Example, MemoryPicture

    vlm = VLM(model, processor, check=False)
    question = "The color of the square above the red square is"
    two: list[Tensor] = [
        vlm.forward(vlm.prepare([Example("x", MemoryPicture(image), question, (), "", system=SYSTEM)]))[0]
        for image in (picture, Image.fromarray(moved))
    ]
    return float((two[0] - two[1]).abs().max())


def test_squares_stand_in_the_trained_columns() -> None:
    asked = positional.asks("squares", positional.LAYOUT, images=200, key=(0,), exact=0.0, textured=0.0)
    boxes = [box for one in asked for _, box in (one.row or ("", ()))[1]]
    columns = {int(box.left) // 14 for box in boxes}
    rows = {int(box.top) // 14 for box in boxes}
    assert columns == set(range(positional.TRAINED_COLUMNS)) and rows == set(range(8))
    held = positional.row(Layout(12, 8, 14, 1, 1), np.random.default_rng(0), (3, 8))
    assert held.image.size == (112, 168)
    assert all(len(one.questions) == 4 for one in asked)


def test_the_sinusoidal_table_by_hand() -> None:
    table = positional.sinusoid(2, 2, 8).view(2, 2, 8)
    speeds = (1.0, 20**-0.5)
    wanted = [np.sin(speeds[0]), np.sin(speeds[1]), 0, 0, np.cos(speeds[0]), np.cos(speeds[1]), 1, 1]
    by_axis = table[1, 0].view(2, 2, 2).permute(1, 0, 2).flatten()  # rows, then columns, each sines and cosines
    assert table.shape == (2, 2, 8)
    assert sorted(round(float(v), 5) for v in by_axis) == sorted(round(float(v), 5) for v in wanted)
