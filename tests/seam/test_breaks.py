"""The seam broken on purpose: each break is found by a contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from backsight.errors import ContractError
from backsight.grid import TokenGrid
from backsight.models import contracts, replay
from backsight.models.hooks import Hooks
from backsight.models.prompts import Prompter
from backsight.models.sites import Call
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.training.questions import corpus

from .conftest import parts


def failed(vlm: VLM) -> set[str]:
    return {f.name for f in contracts.all_of(vlm) if not f.passed}


def unchecked() -> VLM:
    return VLM(*parts("qwen2_vl"), check=False)


def broken_grid(change: Callable[[TokenGrid], dict[str, Any]]) -> Callable[..., TokenGrid]:
    original = Prompter.grid

    def grid(self: Prompter, size: tuple[int, int], inputs: Any, index: int) -> TokenGrid:
        right = original(self, size, inputs, index)
        fields = {n: getattr(right, n) for n in ("size", "kind", "view", "row", "column", "box")}
        return TokenGrid(**(fields | change(right)))

    return grid


def transposed(grid: TokenGrid) -> dict[str, Any]:
    order = np.arange(len(grid)).reshape(grid.rows, grid.columns).T.ravel()
    return {"box": grid.box[order]}


def shifted(grid: TokenGrid) -> dict[str, Any]:
    order = np.roll(np.arange(len(grid)).reshape(grid.rows, grid.columns), 1, axis=1).ravel()
    return {"box": grid.box[order]}


@pytest.mark.parametrize("change", [transposed, shifted])
def test_a_wrong_grid_is_found(change: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    vlm = unchecked()
    monkeypatch.setattr(Prompter, "grid", broken_grid(change))
    assert failed(vlm) == {"the token grid is right"}
    with pytest.raises(ContractError, match="the token grid is right"):
        VLM(*parts("qwen2_vl"))


@pytest.mark.parametrize("site", ["resid_pre", "resid_post", "image_embeds", "heads", "scores", "vision"])
def test_a_hook_that_does_not_fire_is_found(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Hooks._visit

    def deaf(self: Hooks, name: Any, layer: int, value: torch.Tensor) -> torch.Tensor:
        return value if name == site else original(self, name, layer, value)

    monkeypatch.setattr(Hooks, "_visit", deaf)
    found = {f.name: f for f in contracts.all_of(unchecked()) if not f.passed}
    assert found
    assert any("never applied" in f.detail or site in f.detail for f in found.values())


def test_a_silently_lost_edit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The edit is counted as applied, but its value does not reach the model."""
    original = Hooks._edited

    def lost(self: Hooks, edit: Any, value: torch.Tensor, call: Any) -> torch.Tensor:
        original(self, edit, value, call)
        return value

    monkeypatch.setattr(Hooks, "_edited", lost)
    assert {"edits change the logits", "edits hold inside generate"} <= failed(unchecked())


def test_an_edit_at_the_wrong_layer_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Hooks._visit

    def late(self: Hooks, name: Any, layer: int, value: torch.Tensor) -> torch.Tensor:
        moved = layer - 1 if name == "resid_pre" and 0 < layer < len(self.parts.layers) else layer
        return original(self, name, moved, value)

    monkeypatch.setattr(Hooks, "_visit", late)
    assert "edits act at their layer" in failed(unchecked())


def test_an_edit_lost_inside_generate_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """`generate` calls with a cache; an edit that looks at the cache's presence instead of its length is lost."""
    original = Hooks._enter

    def enter(self: Hooks, module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        original(self, module, args, kwargs)
        if kwargs.get("past_key_values") is not None and self._call is not None:
            self._call = Call(self._call.input_ids, self._call.attention_mask, past=1)

    monkeypatch.setattr(Hooks, "_enter", enter)
    assert "edits hold inside generate" in failed(unchecked())


def test_an_edit_at_the_wrong_position_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Call.mask
    monkeypatch.setattr(Call, "mask", lambda *args: None if (m := original(*args)) is None else m.roll(-1, 1))
    assert "edits act at their positions" in failed(unchecked())


def test_a_mask_left_out_in_replay_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    original = replay.BlockCall.cut

    def maskless(self: replay.BlockCall, rows: torch.Tensor) -> dict[str, Any]:
        return original(self, rows) | {"attention_mask": None}

    monkeypatch.setattr(replay.BlockCall, "cut", maskless)
    assert "replay equals the whole forward" in failed(unchecked())


def test_copies_that_see_each_other_in_a_sweep_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    original = replay._for_copies

    def open_to_all(*args: Any) -> dict[str, Any]:
        found = original(*args)
        return found | {"attention_mask": torch.zeros_like(found["attention_mask"])}

    monkeypatch.setattr(replay, "_for_copies", open_to_all)
    assert "the last-token sweep equals hooked forwards" in failed(unchecked())


def test_deepstack_left_out_in_replay_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "_added", lambda *_: None)
    vlm = VLM(*parts("qwen3_vl"), check=False)
    assert "replay equals the whole forward" in failed(vlm)


def test_an_attention_left_behind_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    vlm = VLM(*tiny("qwen2_vl", corpus()), check=False)
    original = type(vlm.model).set_attn_implementation
    calls: list[Any] = []

    def only_once(self: Any, choice: Any) -> None:
        calls.append(choice)
        if len(calls) % 2 == 1:  # the way back is lost
            original(self, choice)

    monkeypatch.setattr(type(vlm.model), "set_attn_implementation", only_once)
    assert not contracts.restored(vlm).passed


def test_a_failed_contract_refuses_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contracts, "TOLERANCE", -1.0)
    with pytest.raises(ContractError) as raised:
        VLM(*parts("qwen2_vl"), name="my model")
    text = str(raised.value)
    assert "my model" in text and "logits equal a plain call" in text and "backsight doctor" in text
