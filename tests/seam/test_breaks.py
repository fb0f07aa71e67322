"""The seam broken on purpose: each break is found by a contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from backsight.errors import ContractError, ModelError
from backsight.grid import TokenGrid
from backsight.models import blocks, contract_parts, contracts, hooks, releases, replay, selection
from backsight.models.hooks import Hooks
from backsight.models.prompts import Prompter
from backsight.models.sites import Call
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.training.questions import corpus

from .conftest import FAMILIES, parts


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


ORDERS: dict[str, Callable[[Any], Any]] = {
    "transposed": np.transpose,
    "flipped left to right": np.fliplr,
    "flipped top to bottom": np.flipud,
    "turned by half": lambda order: order[::-1, ::-1],
    "shifted left": lambda order: np.roll(order, 1, 1),
    "shifted right": lambda order: np.roll(order, -1, 1),
    "shifted up": lambda order: np.roll(order, 1, 0),
    "shifted down": lambda order: np.roll(order, -1, 0),
}


def in_order(name: str) -> Callable[[TokenGrid], dict[str, Any]]:
    """A grid whose boxes are in another order."""

    def change(grid: TokenGrid) -> dict[str, Any]:
        return {"box": grid.box[ORDERS[name](np.arange(len(grid)).reshape(grid.rows, grid.columns)).ravel()]}

    return change


@pytest.mark.parametrize("name", ["transposed", "shifted left"])
def test_a_wrong_grid_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    vlm = unchecked()
    monkeypatch.setattr(Prompter, "grid", broken_grid(in_order(name)))
    assert failed(vlm) == {"the token grid is right"}
    with pytest.raises(ContractError, match="the token grid is right") as caught:
        VLM(*parts("qwen2_vl"))
    assert "`Family.grid`" in (caught.value.do or "") and "backsight doctor" in (caught.value.do or "")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", ORDERS)
def test_every_wrong_order_is_found_in_every_family(name: str, family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the message names the order that fits."""
    vlm = VLM(*parts(family), check=False)
    monkeypatch.setattr(Prompter, "grid", broken_grid(in_order(name)))
    finding = contracts.grid(vlm)
    assert not finding.passed and finding.do
    assert f"{name} fits better" in finding.detail or "one other token each fits better" in finding.detail


@pytest.mark.parametrize("site", ["resid_pre", "resid_post", "image_embeds", "heads", "scores", "vision"])
def test_a_hook_that_does_not_fire_is_found(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Hooks._visit

    def deaf(self: Hooks, name: Any, layer: int, value: torch.Tensor) -> torch.Tensor:
        return value if name == site else original(self, name, layer, value)

    monkeypatch.setattr(Hooks, "_visit", deaf)
    failures = [f for f in contracts.all_of(unchecked()) if not f.passed]
    assert any("never applied" in f.detail or site in f.detail for f in failures)


def test_a_silently_lost_edit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The edit is counted as applied, but its value does not reach the model."""
    original = hooks.edited

    def lost(edit: Any, value: torch.Tensor, call: Any, image_token_id: int) -> torch.Tensor | None:
        return None if original(edit, value, call, image_token_id) is None else value

    monkeypatch.setattr(hooks, "edited", lost)
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
        if any(kwargs.get(name) is not None for name in blocks.CACHE_NAMES) and self._call is not None:
            self._call = Call(self._call.input_ids, self._call.attention_mask, past=1)

    monkeypatch.setattr(Hooks, "_enter", enter)
    assert "edits hold inside generate" in failed(unchecked())


def reads_another_name(kwargs: dict[str, Any]) -> int:
    """The cache looked for under a name of another release: nothing is found, and a decoded token reads as a prompt."""
    cache = kwargs.get("a name of another release")
    return 0 if cache is None else int(cache.get_seq_length())


def test_an_edit_that_runs_on_decoded_tokens_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls of 76, 1, 1, 1 rows an example, where 76, 0, 0, 0 are right."""
    monkeypatch.setattr(blocks, "decoded_before", reads_another_name)
    vlm = unchecked()
    details = {f.name: f.detail for f in contracts.all_of(vlm) if not f.passed}
    assert set(details) == {"edits hold inside generate"}
    prompt = vlm.prepare(contract_parts.examples(vlm)).input_ids.numel()
    assert details["edits hold inside generate"] == (
        f"rows that each call edits: [{prompt}, 3, 3, 3], of {prompt} in the prompt"
    )
    with pytest.raises(ContractError, match=r"edits address the prompt alone: rows that each call edits: \[\d+, 1\]"):
        VLM(*parts("qwen2_vl"))


def test_an_edit_that_leaks_into_the_values_of_later_steps_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only edits of the last position leak: the counted edit of all positions does not, and the logits tell."""
    original = selection.selected

    def leaking(positions: Any, site: Any, value: torch.Tensor, call: Call, image_token_id: int) -> Any:
        plain = call.past == 0 or positions != "last"
        return original(positions, site, value, call, image_token_id) if plain else None

    def visit(self: Hooks, site: Any, layer: int, value: torch.Tensor) -> torch.Tensor:
        if self._call is not None and self._call.past > 0:
            for edit in self.edits:
                if edit.at(site, layer) and edit.positions == "last":
                    leaked = selection.edited(edit, value, self._call, self.image_token_id)
                    value = value if leaked is None else leaked
        return original_visit(self, site, layer, value)

    original_visit = Hooks._visit
    monkeypatch.setattr(selection, "selected", leaking)
    monkeypatch.setattr(Hooks, "_visit", visit)
    finding = contracts.generation(vlm := unchecked(), vlm.prepare(contract_parts.examples(vlm)))
    assert not finding.passed and finding.detail.startswith("step 1: largest difference in logits")


def test_a_recording_that_decoded_tokens_overwrite_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Hooks._visit

    def overwriting(self: Hooks, site: Any, layer: int, value: torch.Tensor) -> torch.Tensor:
        for recording in self.recordings:
            if self._call is not None and self._call.past > 0 and recording.wants(site, layer):
                recording.values[site, layer] = value
        return original(self, site, layer, value)

    monkeypatch.setattr(Hooks, "_visit", overwriting)
    finding = contracts.generation(vlm := unchecked(), vlm.prepare(contract_parts.examples(vlm)))
    assert not finding.passed and "holds 1 of" in finding.detail


@pytest.mark.parametrize(
    ("change", "missing", "present"),
    [
        (lambda call: call.kwargs.update({blocks.MASK: None}), "no attention mask (NoneType)", "cache"),
        (lambda call: setattr(call, "keys", None), "its cache was not used", "mask"),
    ],
)
def test_what_a_replay_lacks_is_named(
    change: Callable[[Any], object], missing: str, present: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = replay._after

    def after(call: blocks.BlockCall) -> Any:
        observe = original(call)

        def observed(output: Any) -> None:
            observe(output)
            change(call)

        return observed

    vlm = unchecked()
    monkeypatch.setattr(replay, "_after", after)
    with pytest.raises(ModelError, match="A decoder block was not called as a replay needs it") as caught:
        replay.record(vlm, vlm.prepare(contract_parts.examples(vlm)))
    assert missing in str(caught.value.got) and present not in str(caught.value.got)
    assert str(caught.value.where).startswith("block 0; tested with transformers 5.17.0 to 5.24.0")
    assert "no cache" not in caught.value.what


def test_a_block_with_a_cache_of_no_known_name_is_named() -> None:
    class Block(torch.nn.Module):
        def forward(self, hidden: torch.Tensor, attention_mask: Any = None, memory: Any = None) -> torch.Tensor:
            return hidden

    with pytest.raises(ModelError, match="takes its cache under no name that is known") as caught:
        blocks.cache_name(Block())
    assert str(caught.value.got).endswith("attention_mask, memory")
    assert caught.value.do == "pip install 'transformers>=5.17.0,<=5.24.0'"


def test_a_newer_release_is_not_refused_and_is_named_where_a_contract_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "installed", lambda: "5.31.0")
    VLM(*parts("qwen2_vl"))
    monkeypatch.setattr(contract_parts, "TOLERANCE", -1.0)
    with pytest.raises(ContractError) as raised:
        VLM(*parts("qwen2_vl"))
    clause = "tested with transformers 5.17.0 to 5.24.0; installed is 5.31.0, which is not among them"
    assert clause in str(raised.value.where)


@pytest.mark.parametrize(
    ("release", "tested"),
    [("5.16.9", False), ("5.17.0", True), ("5.23.0", True), ("5.24.7", True), ("5.25.0.dev0", False), ("6.0", False)],
)
def test_a_release_is_told_by_its_minor(release: str, tested: bool) -> None:
    assert releases.is_tested(release) is tested


def test_an_edit_of_the_vision_encoder_lost_inside_generate_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """From 5.23 on `generate` runs the vision encoder before it calls the model, outside of any call."""
    vlm = unchecked()
    if not hasattr(vlm.model, "_supports_mm_encoder_outputs"):
        pytest.skip("this release runs the vision encoder inside the call")
    original = Hooks._visit

    def inside_calls_alone(self: Hooks, site: Any, layer: int, value: torch.Tensor) -> torch.Tensor:
        return value if self._call is None else original(self, site, layer, value)

    monkeypatch.setattr(Hooks, "_visit", inside_calls_alone)
    assert failed(vlm) == {"edits hold inside generate"}


def test_an_edit_at_the_wrong_position_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Call.mask
    monkeypatch.setattr(Call, "mask", lambda *args: None if (m := original(*args)) is None else m.roll(-1, 1))
    assert "edits act at their positions" in failed(unchecked())


def test_a_mask_left_out_in_replay_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    original = blocks.BlockCall.cut

    def maskless(self: blocks.BlockCall, rows: torch.Tensor) -> dict[str, Any]:
        return original(self, rows) | {blocks.MASK: None}

    monkeypatch.setattr(blocks.BlockCall, "cut", maskless)
    assert "replay equals the whole forward" in failed(unchecked())


def test_copies_that_see_each_other_in_a_sweep_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    original = blocks.BlockCall.for_copies

    def open_to_all(self: blocks.BlockCall, *args: Any) -> dict[str, Any]:
        arguments = original(self, *args)
        return arguments | {blocks.MASK: torch.zeros_like(arguments[blocks.MASK])}

    monkeypatch.setattr(blocks.BlockCall, "for_copies", open_to_all)
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
    monkeypatch.setattr(contract_parts, "TOLERANCE", -1.0)
    with pytest.raises(ContractError) as raised:
        VLM(*parts("qwen2_vl"), name="my model")
    text = str(raised.value)
    assert "my model" in text and "logits equal a plain call" in text and "backsight doctor" in text
