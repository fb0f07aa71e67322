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
    moved = position_ids.moved(batch, ids, position_ids.steps(vlm, grid, "row"))
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
