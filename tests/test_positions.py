"""The position budget: hand-worked numbers of real settings, and the models' own rotary modules."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from backsight.models.families import FAMILIES
from backsight.models.positions import _sections, budget, frequencies
from backsight.models.small import tiny


def largest(table: Any, part: str, axis: str, layers: str | None = None) -> float:
    return max(
        r["radians_grid"]
        for r in table.rows()
        if (r["part"], r["axis"]) == (part, axis) and layers in (None, r["layers"])
    )


def qwen_7b() -> Any:
    """Qwen2-VL-7B's settings: base 1e6, head size 128, sections 16, 24, 24; vision base 10,000, 16 heads of 80."""
    text = SimpleNamespace(
        rope_parameters={"rope_theta": 1e6, "rope_type": "default", "mrope_section": [16, 24, 24]}, head_dim=128
    )
    vision = SimpleNamespace(embed_dim=1280, num_heads=16, spatial_merge_size=2, rope_parameters={"rope_theta": 1e4})
    return SimpleNamespace(get_text_config=lambda: text, vision_config=vision)


def test_qwen2_vl_7b_is_all_but_blind_to_columns() -> None:
    table = budget(qwen_7b(), FAMILIES["qwen2_vl"], 12, 12)
    cells = [(r["axis"], r["radians_cell"]) for r in table.rows() if r["part"] == "language"]
    rows, columns = ([c for a, c in cells if a == axis] for axis in ("row", "column"))
    assert len(rows) == len(columns) == 24
    assert (max(rows), min(rows)) == pytest.approx((0.032, 2.2e-4), rel=0.02)
    assert (max(columns), min(columns)) == pytest.approx((1.78e-4, 1.24e-6), rel=0.01)
    assert largest(table, "language", "row") == pytest.approx(0.35, abs=0.005)
    assert largest(table, "language", "column") == pytest.approx(0.002, abs=5e-5)
    assert largest(table, "vision", "row") == largest(table, "vision", "column") == 22.0  # one radian a patch


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])
def test_the_axis_of_each_frequency_is_what_the_model_turns_by(family: str) -> None:
    """Move one axis' position and see which cosines of the model's own rotary module change."""
    model, _ = tiny(family, ["a"])
    text = model.config.get_text_config()
    hidden = torch.zeros(1, 1, 1)
    rotary = model.get_decoder().rotary_emb

    def cosines(position: list[int]) -> torch.Tensor:
        ids = torch.tensor(position).view(3, 1, 1)
        cos = rotary(hidden, ids)[0]
        if cos.ndim == 4:  # older releases choose the sections in the attention, newer ones in the module
            pytest.skip("this release chooses sections elsewhere")
        return cos.flatten()[: rotary.inv_freq.shape[0]]

    named = _sections(text.rope_parameters, rotary.inv_freq.shape[0])
    for axis, position in (("row", [0, 1, 0]), ("column", [0, 0, 1])):
        moved = (cosines(position) != cosines([0, 0, 0])).nonzero().flatten().tolist()
        expected = [i for i, name in enumerate(named) if name == axis]
        assert moved == expected
    size = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    torch.testing.assert_close(torch.tensor(frequencies(text.rope_parameters, size)), rotary.inv_freq)


def test_sections_may_take_turns() -> None:
    assert _sections({"mrope_section": [0, 2, 2, 0, 2, 2, 8, 0, 0]}, 16) == (
        ["row"] * 2 + ["column"] * 2 + ["row"] * 2 + ["column"] * 2 + ["time"] * 8
    )


def test_raster_order_gives_rows_a_step_of_a_whole_row() -> None:
    model, _ = tiny("gemma3", ["a"])
    table = budget(model.config, FAMILIES["gemma3"], 4, 4)
    assert {r["part"] for r in table.rows()} == {"language"}  # SigLIP has a table of places, no rotation
    for layers in ("sliding_attention", "full_attention"):
        assert largest(table, "language", "row", layers) == pytest.approx(4 * 3)
        assert largest(table, "language", "column", layers) == pytest.approx(3)
    model, _ = tiny("paligemma", ["a"])
    assert {r["layers"] for r in budget(model.config, FAMILIES["paligemma"], 6, 6).rows()} == {"all"}


def test_linear_scaling_divides() -> None:
    plain = frequencies({"rope_theta": 1e6}, 8)
    assert frequencies({"rope_theta": 1e6, "rope_type": "linear", "factor": 8.0}, 8) == [f / 8 for f in plain]
