"""Position ids in all five families: the default ones, said out loud, and others in their place."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example
from backsight.grid import TokenGrid
from backsight.models import position_ids, replay
from backsight.models.families.common import Rotary
from backsight.models.sites import Edit
from backsight.models.vlm import VLM


def test_explicit_default_ids_give_equal_logits(vlm: VLM, questions: list[Example]) -> None:
    """Exactly, with padding on the left, in a forward and in a recording; so does an exchange that exchanges none."""
    batch = vlm.prepare(questions)
    assert not batch.attention_mask.bool().all()
    plain, ids = vlm.forward(batch), position_ids.default(vlm, batch)
    given = position_ids.with_ids(batch, ids)
    assert torch.equal(vlm.forward(given), plain)
    recorded = replay.record(vlm, batch).logits
    assert torch.equal(replay.record(vlm, given).logits, recorded)
    same = position_ids.exchanged(batch, ids, [range(len(grid)) for grid in batch.grids])
    assert torch.equal(same, ids)


def test_other_ids_change_the_keys_of_image_tokens_and_nothing_of_the_mask(vlm: VLM, questions: list[Example]) -> None:
    batch = vlm.prepare(questions)
    plain = replay.record(vlm, batch)
    ids = position_ids.mirrored(batch, position_ids.default(vlm, batch), "column")
    other = replay.record(vlm, position_ids.with_ids(batch, ids))
    assert not torch.equal(other.logits, plain.logits)
    one, two = plain.blocks[0].keys, other.blocks[0].keys
    assert one is not None and two is not None
    changed = (one - two).abs().amax((1, 3)) > 1e-5
    assert changed[batch.image_mask].any() and not changed[~batch.image_mask].any()
    for before, after in zip(plain.blocks, other.blocks, strict=True):
        assert torch.equal(before.mask, after.mask)


def test_ids_that_are_all_moved_by_one_change_nothing(vlm: VLM, questions: list[Example]) -> None:
    """Rotary positions are relative."""
    batch = vlm.prepare(questions)
    ids = position_ids.default(vlm, batch) + 3
    torch.testing.assert_close(vlm.forward(position_ids.with_ids(batch, ids)), vlm.forward(batch), atol=1e-4, rtol=1e-4)


def test_options_of_several_tokens_go_on_counting(vlm: VLM, questions: list[Example]) -> None:
    batch = vlm.prepare(questions)
    given = position_ids.with_ids(batch, position_ids.default(vlm, batch))
    options = ("left of the key", "above")
    plain = vlm.sequence_log_probabilities(batch, options)
    assert torch.equal(vlm.sequence_log_probabilities(given, options), plain)


def test_mirrored_ids_of_a_grid_by_hand(qwen: VLM, questions: list[Example]) -> None:
    """Three axes: time stays, columns (or rows) run backwards, text stays where it was."""
    batch = qwen.prepare(questions[:2])
    ids = position_ids.default(qwen, batch)
    grid = batch.grids[0]
    first, image = int(ids[1, 0][batch.image_mask[0]].min()), batch.image_mask[0]
    for axis, index in (("row", 1), ("column", 2)):
        new = position_ids.mirrored(batch, ids, axis)  # type: ignore[arg-type]
        size = grid.rows if axis == "row" else grid.columns
        own = torch.from_numpy(grid.row if axis == "row" else grid.column)
        assert torch.equal(new[index, 0][image], first + size - 1 - own)
        rest = [i for i in range(3) if i != index]
        assert torch.equal(new[rest], ids[rest]) and torch.equal(new[:, ~batch.image_mask], ids[:, ~batch.image_mask])
        assert torch.equal(position_ids.mirrored(batch, new, axis), ids)  # type: ignore[arg-type]


def test_mirror_of_two_rows_of_three_by_hand() -> None:
    grid = TokenGrid.rectangle(2, 3, (30, 20))
    assert position_ids.mirror(grid, "column").tolist() == [2, 1, 0, 5, 4, 3]
    assert position_ids.mirror(grid, "row").tolist() == [3, 4, 5, 0, 1, 2]


def test_paligemma_counts_from_one_and_a_row_is_a_row_of_tokens(vlm: VLM, questions: list[Example]) -> None:
    ids = position_ids.default(vlm, batch := vlm.prepare(questions))
    grid = batch.grids[0]
    if vlm.family.model_type.startswith("qwen"):
        assert ids.shape == (3, *batch.input_ids.shape)
        assert (position_ids.steps(vlm, grid, "row"), position_ids.steps(vlm, grid, "column")) == ((0, 1, 0), (0, 0, 1))
    else:
        assert int(ids[0, 0]) == (vlm.family.model_type == "paligemma")
        assert position_ids.steps(vlm, grid, "row") == (grid.columns,)
        assert position_ids.steps(vlm, grid, "column") == (1,)
    moved = position_ids.moved(batch, ids, [position_ids.steps(vlm, grid, "row") for grid in batch.grids])
    below = [min(i + grid.columns, len(grid) - 1) for i in range(len(grid))]
    by_hand = ids[..., 0, batch.image_mask[0]][..., below]
    rows = slice(0, len(grid) - grid.columns)
    assert torch.equal(moved[..., 0, batch.image_mask[0]][..., rows], by_hand[..., rows])
    assert torch.equal(moved[..., ~batch.image_mask], ids[..., ~batch.image_mask])


def test_wrong_ids_and_models_without_any(qwen: VLM, questions: list[Example]) -> None:
    batch = qwen.prepare(questions)
    ids = position_ids.default(qwen, batch)
    with pytest.raises(UsageError, match="must fit the prompts"):
        position_ids.with_ids(batch, ids[..., 1:])
    with pytest.raises(UsageError, match="permutation"):
        position_ids.exchanged(batch, ids, [[0] * len(grid) for grid in batch.grids])
    with pytest.raises(UsageError, match="order for each prompt"):
        position_ids.exchanged(batch, ids, [range(len(batch.grids[0]))])
    module = qwen.parts.decoder.rotary_emb
    try:
        qwen.parts.decoder.rotary_emb = None  # type: ignore[assignment]
        with pytest.raises(CannotAnswer, match="no rotary positions"):
            position_ids.default(qwen, batch)
    finally:
        qwen.parts.decoder.rotary_emb = module


def test_a_family_with_sections_of_its_own_that_are_not_known(questions: list[Example]) -> None:
    from tests.seam.conftest import parts

    vlm = VLM(*parts("gemma3"), name="tiny", check=False)
    vlm.family = replace(vlm.family, rotary=Rotary(language="sections"))
    with pytest.raises(CannotAnswer, match="not known"):
        position_ids.default(vlm, vlm.prepare(questions))


def test_turned_keys_are_those_of_moved_ids(vlm: VLM, questions: list[Example]) -> None:
    """In the first block exactly, whatever the family's sections."""
    batch = vlm.prepare(questions)
    ids = position_ids.default(vlm, batch)
    for cells in ((1, 0), (0, 1), (-2, 5)):
        step = [
            tuple(cells[0] * r + cells[1] * c for r, c in zip(
                position_ids.steps(vlm, grid, "row"), position_ids.steps(vlm, grid, "column"), strict=True))
            for grid in batch.grids
        ]  # fmt: skip
        with vlm.recording("keys", layers=[0]) as recorded:
            vlm.forward(batch)
            plain = recorded["keys", 0]
            vlm.forward(position_ids.with_ids(batch, position_ids.moved(batch, ids, step)))
            expected = recorded["keys", 0]
            with vlm.editing(*position_ids.turning(vlm, batch.grids, cells)):
                vlm.forward(batch)
                turned = recorded["keys", 0]
        torch.testing.assert_close(turned, expected, atol=2e-5, rtol=1e-4)
        assert torch.equal(turned[~batch.image_mask], plain[~batch.image_mask])
        assert (turned - plain)[batch.image_mask].abs().max() > 1e-3


def test_keys_and_queries_turned_alike_are_moved_ids(qwen: VLM, questions: list[Example]) -> None:
    """One block by hand: its attention under moved ids, from plain queries and keys turned by angles from paper."""
    batch = qwen.prepare(questions[:1])
    ids = position_ids.default(qwen, batch)
    seen: dict[str, torch.Tensor] = {}
    attended = qwen.parts.layers[0].self_attn

    def project(state: torch.Tensor, name: str) -> torch.Tensor:
        return getattr(attended, name)(state).view(1, state.shape[1], -1, attended.head_dim).transpose(1, 2)

    new_ids = position_ids.moved(batch, ids, [(0, 2, 1)])
    with qwen.watching(lambda layer, weights: seen.setdefault("weights", weights), [0]):
        qwen.forward(position_ids.with_ids(batch, new_ids))
    with qwen.recording("resid_pre", layers=[0]) as recorded:
        qwen.forward(batch)
    with torch.no_grad():
        state = qwen.parts.layers[0].input_layernorm(recorded["resid_pre", 0])
        query, key = project(state, "q_proj"), project(state, "k_proj")
    frequency = 1e4 ** (-torch.arange(8, dtype=torch.float64) / 8)
    axis = torch.tensor([0, 0, 1, 1, 1, 2, 2, 2])  # sections of 2, 3 and 3 pairs
    angle = new_ids[axis, 0].T.double() * frequency  # (position, pair)

    def turn(value: torch.Tensor) -> torch.Tensor:
        one, other = value.double().chunk(2, -1)
        return torch.cat([one * angle.cos() - other * angle.sin(), other * angle.cos() + one * angle.sin()], -1)

    scores = turn(query) @ turn(key).repeat_interleave(2, 1).transpose(2, 3) / 4
    scores = scores.masked_fill(~torch.ones(scores.shape[-2:], dtype=torch.bool).tril(), -torch.inf)
    torch.testing.assert_close(seen["weights"].double(), scores.softmax(-1), atol=1e-5, rtol=1e-3)


def test_scrambled_signs_move_each_key_as_far_and_to_no_position(vlm: VLM, questions: list[Example]) -> None:
    batch = vlm.prepare(questions)
    generator = torch.Generator().manual_seed(0)
    signs = [
        torch.randint(0, 2, (len(grid), position_ids.pairs(vlm)), generator=generator) * 2 - 1 for grid in batch.grids
    ]
    moved = []
    with vlm.recording("keys", layers=[0], positions="image") as recorded:
        vlm.forward(batch)
        plain = recorded["keys", 0]
        for given in (None, signs):
            with vlm.editing(*position_ids.turning(vlm, batch.grids, (1, 1), given)):
                vlm.forward(batch)
            moved.append(recorded["keys", 0] - plain)
    torch.testing.assert_close(moved[0].norm(dim=-1), moved[1].norm(dim=-1), atol=1e-5, rtol=1e-3)
    assert (moved[0] - moved[1]).abs().max() > 1e-3


def test_edited_keys_hold_inside_generate_and_come_off(vlm: VLM, questions: list[Example]) -> None:
    """The first decoded token is that of a forward under the edit, with a cache too; afterwards all is as before."""
    batch = vlm.prepare(questions[:1])
    plain = vlm.forward(batch)
    edit = Edit("keys", lambda rows: rows * 0 + 3 * rows.flip(0), positions="image")
    with vlm.editing(edit):
        with torch.no_grad():
            first = vlm.model.generate(
                **batch.inputs, max_new_tokens=1, do_sample=False, return_dict_in_generate=True, output_logits=True
            ).logits[0]
        torch.testing.assert_close(first, vlm.forward(batch), atol=1e-4, rtol=1e-4)
    assert torch.equal(vlm.forward(batch), plain) and not torch.equal(first, plain)
    with pytest.raises(UsageError, match="edited of a prompt"):
        Edit("keys", lambda rows: rows, decoded=True)


def test_angles_that_hang_on_the_length_are_refused(qwen: VLM, questions: list[Example]) -> None:
    module = qwen.parts.decoder.rotary_emb
    before = module.rope_type
    try:
        module.rope_type = "dynamic"
        with pytest.raises(CannotAnswer, match="length of the prompt"):
            position_ids.turning(qwen, qwen.prepare(questions).grids, (1, 0))
    finally:
        module.rope_type = before


def test_a_turn_of_another_form_is_refused(
    qwen: VLM, questions: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Features that turn with their neighbours instead of those half a head away."""

    def interleaved(keys: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
        other = torch.stack([-keys[..., 1::2], keys[..., ::2]], -1).flatten(-2)
        return keys * cosine[:, None] + other * sine[:, None]

    batch = qwen.prepare(questions)
    ids = position_ids.default(qwen, batch)
    other = position_ids.mirrored(batch, ids, "column")
    recorded = []
    for given in (ids, other):
        with qwen.recording("keys", layers=[0], positions="image") as seen:
            qwen.forward(position_ids.with_ids(batch, given))
        recorded.append(seen["keys", 0])
    step = (other - ids)[:, batch.image_mask]
    position_ids.confirm(qwen, *recorded, step)
    monkeypatch.setattr(position_ids, "rotated", interleaved)
    with pytest.raises(CannotAnswer, match="not those of position ids"):
        position_ids.confirm(qwen, *recorded, step)
