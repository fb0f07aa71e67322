"""Interchange of image tokens: regions by hand, and rows against plain patched forwards."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from backsight import stimuli
from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, PairSet
from backsight.grid import Box, TokenGrid
from backsight.measurements.image_interchange import Backup, ImageInterchange
from backsight.measurements.pathways import removed
from backsight.measurements.regions import regions
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.stimuli.layouts import PRESETS
from backsight.training.questions import corpus

from .seam.plain import decoder_inputs, patched


def grid_of(preset: str) -> TokenGrid:
    layout = PRESETS[preset]
    return TokenGrid.rectangle(layout.rows, layout.columns, layout.size)


def first(preset: str, direction: str) -> Example:
    return next(e for e in stimuli.squares(PRESETS[preset]) if e.direction == direction)


def test_object_tokens_by_hand() -> None:
    """Qwen2-VL's layout: 2 x 2 tokens in rows 5 and 6, from columns 1 and 9; the transpose for a column."""
    left, right = regions(first("qwen2-vl", "left"), grid_of("qwen2-vl"), "objects")
    assert left.tolist() == [61, 62, 73, 74] and right.tolist() == [69, 70, 81, 82]
    top, bottom = regions(first("qwen2-vl", "above"), grid_of("qwen2-vl"), "objects")
    assert top.tolist() == [17, 18, 29, 30] and bottom.tolist() == [113, 114, 125, 126]


@pytest.mark.parametrize(("preset", "outer"), [("qwen2-vl", 4), ("gemma-3", 5), ("pixtral", 5)])
def test_strips_tile_the_grid(preset: str, outer: int) -> None:
    grid = grid_of(preset)
    left, right = regions(first(preset, "right"), grid, "strips")
    assert sorted(set(grid.column[left])) == list(range(outer))
    assert sorted(set(grid.column[right])) == list(range(grid.columns - outer, grid.columns))
    assert (grid.row[left] == grid.row[right]).all() and len(left) == outer * grid.rows
    top, bottom = regions(first(preset, "below"), grid, "strips")
    assert sorted(set(grid.row[top])) == list(range(outer)) and len(bottom) == outer * grid.columns


def test_the_widths_of_table_6() -> None:
    grid = grid_of("gemma-3")
    left, right = regions(first("gemma-3", "left"), grid, "strips", 3)
    assert sorted(set(grid.column[left])) == [0, 1, 2] and sorted(set(grid.column[right])) == [12, 13, 14]
    same, _ = regions(first("qwen2-vl", "left"), grid_of("qwen2-vl"), "strips", 4)
    assert sorted(set(grid_of("qwen2-vl").column[same])) == [0, 1, 2, 3]
    with pytest.raises(UsageError, match="equally wide strips of this width do not fit"):
        regions(first("qwen2-vl", "left"), grid_of("qwen2-vl"), "strips", 9)


def test_boxes_of_unlike_size_are_swapped_as_alike_rectangles() -> None:
    boxes = {"a": Box(0, 0, 28, 28), "mid": Box(140, 0, 168, 28), "b": Box(250, 30, 336, 110)}
    example = replace(first("qwen2-vl", "left"), boxes=boxes)
    left, right = regions(example, grid_of("qwen2-vl"), "objects")
    grid = grid_of("qwen2-vl")
    assert len(left) == len(right) == 12  # columns 8 .. 11, rows 1 .. 3 on the right
    assert (sorted(set(grid.column[right])), sorted(set(grid.row[right]))) == ([8, 9, 10, 11], [1, 2, 3])
    assert (sorted(set(grid.column[left])), sorted(set(grid.row[left]))) == ([0, 1, 2, 3], [0, 1, 2])
    touching = replace(example, boxes=boxes | {"b": Box(20, 0, 60, 28)})
    with pytest.raises(CannotAnswer, match="share image tokens"):
        regions(touching, grid, "objects")
    with pytest.raises(CannotAnswer, match="rows of three"):
        regions(stimuli.pairs(scenes=4)[0], grid, "objects")


def test_a_pair_is_a_row_and_the_row_reversed() -> None:
    pairs = stimuli.shapes().pairs("reversed")
    assert len(pairs) == 200
    for pair in pairs:
        names = pair.clean.source.names
        assert pair.counterfactual.source.names == names[::-1]
        assert pair.clean.question == pair.counterfactual.question
        assert set(pair.outcomes.values()) == {names[0], names[2]}
        assert pair.outcomes["flipped"] == pair.counterfactual.answer
        assert list(pair.counterfactual.boxes.values()) == list(pair.clean.boxes.values())
    groups = [p.clean.tags["group"] for p in pairs]
    axes = {g: {p.clean.direction for p, h in zip(pairs, groups, strict=True) if h == g} for g in groups}
    assert set(map(frozenset, axes.values())) == {frozenset({"left", "above"}), frozenset({"right", "below"})}


@pytest.mark.parametrize("kind", [ImageInterchange, Backup])
def test_rows_equal_plain_patched_forwards(kind: type[ImageInterchange]) -> None:
    """Random weights answer nothing right, so `kept` is made true by asking for what they do answer."""
    vlm = VLM(*tiny("qwen2_vl", corpus()))
    pairs = list(stimuli.squares().pairs("reversed"))[:2] + list(stimuli.squares().pairs("reversed"))[-2:]
    measurement = kind(batch=4)
    clean, other = ([getattr(p, side) for p in pairs] for side in ("clean", "counterfactual"))
    found = measurement._trace(vlm, clean), measurement._trace(vlm, other)  # type: ignore[arg-type]
    batch, second = vlm.prepare(clean), vlm.prepare(other)
    for tokens in measurement.tokens:
        swept = measurement.sweep(*found, tokens)
        for layer in range(vlm.n_layers + 1):
            base, source = (states(vlm, b, removal=kind is Backup)[layer] for b in (batch, second))
            swapped = base.clone()
            for i, example in enumerate(clean):
                into = batch.image_mask[i].nonzero().flatten().numpy()
                out = second.image_mask[i].nonzero().flatten().numpy()
                left, right = regions(example, batch.grids[i], tokens)
                swapped[i, into[left]] = source[i, out[right]]
                swapped[i, into[right]] = source[i, out[left]]
            expected = patched(
                vlm.model,
                embedded(vlm, batch) if kind is Backup else batch.inputs,
                layer,
                lambda h, swapped=swapped: swapped,
            )
            torch.testing.assert_close(swept[layer], expected, atol=1e-4, rtol=0)


def states(vlm, batch, *, removal):  # type: ignore[no-untyped-def]
    return decoder_inputs(vlm.model, embedded(vlm, batch) if removal else batch.inputs)[0]


def embedded(vlm, batch):  # type: ignore[no-untyped-def]
    """Plain inputs in which the image embeddings are those of removal, without the seam's edits."""
    inputs = dict(batch.inputs)
    text = vlm.model.get_input_embeddings()(inputs["input_ids"])
    text[batch.image_mask] = removed(vlm, batch)
    positions, _ = vlm.model.model.get_rope_index(
        inputs["input_ids"], inputs["mm_token_type_ids"], image_grid_thw=inputs["image_grid_thw"],
        attention_mask=inputs["attention_mask"],
    )  # fmt: skip
    return {"inputs_embeds": text, "attention_mask": inputs["attention_mask"], "position_ids": positions}


def test_rows_of_kept_and_dropped_pairs() -> None:
    vlm = VLM(*tiny("qwen2_vl", corpus()))
    pairs = stimuli.squares().pairs("reversed")
    answered = [vlm.choose(vlm.forward(vlm.prepare([p.clean]))[0], p.clean.options)[0] for p in pairs[:2]]
    others = [vlm.choose(vlm.forward(vlm.prepare([p.counterfactual]))[0], p.clean.options)[0] for p in pairs[:2]]
    kept = replace(
        pairs[0], clean=replace(pairs[0].clean, answer=answered[0]),
        counterfactual=replace(pairs[0].counterfactual, answer=others[0]),
    )  # fmt: skip
    wrong = next(o for o in pairs[1].clean.options if o != answered[1])
    dropped = replace(pairs[1], clean=replace(pairs[1].clean, answer=wrong))
    table = ImageInterchange(batch=2)(vlm, PairSet("two", (kept, dropped), "reversed"))
    rows = table.rows()
    assert [r["layer"] for r in rows if r["pair_id"] == kept.id] == [*range(vlm.n_layers + 1)] * 2
    assert [(r["layer"], r["tokens"], r["kept"]) for r in rows if r["pair_id"] == dropped.id] == [
        (None, "objects", False), (None, "strips", False),
    ]  # fmt: skip
    last = [r for r in rows if r["layer"] == vlm.n_layers]
    plain = vlm.choose(vlm.forward(vlm.prepare([kept.clean]))[0], (kept.outcomes["clean"], kept.outcomes["flipped"]))[1]
    for row in last:  # before the final norm nothing of the image reaches the answer any more
        assert row["p_clean"] == pytest.approx(float(plain[0]), abs=1e-6)


def test_wrong_use_is_told() -> None:
    vlm = VLM(*tiny("qwen2_vl", corpus()))
    with pytest.raises(UsageError, match="takes pairs"):
        ImageInterchange()(vlm, stimuli.squares())
    with pytest.raises(UsageError, match="no such image tokens"):
        ImageInterchange(tokens=("stripes",))  # type: ignore[arg-type]
    deep = VLM(*tiny("qwen3_vl", corpus()))
    pairs = stimuli.squares().pairs("reversed")[:2]
    with pytest.raises(CannotAnswer, match="between the decoder's blocks"):
        Backup()(deep, pairs)
    assert len(ImageInterchange(batch=2, tokens=("strips",))(deep, pairs)) >= 2
